// A JSON document that was read, as one line of text: two readers that agree give the same line.
#pragma once

#include <string>

#include "control/json_document.h"

namespace pua {

// null, true, false, 1, real(1.5), "text" (as it is, not escaped), [..], {"name":..}; each value with how many it stands for.
inline std::string json_text(const JsonValue& v) {
  using Type = JsonValue::Kind;
  std::string out;
  switch (v.kind) {
    case Type::Null: out = "null"; break;
    case Type::True: out = "true"; break;
    case Type::False: out = "false"; break;
    case Type::Integer: out = std::to_string(v.number); break;
    case Type::Real: out = "real(" + std::string(v.text) + ")"; break;
    case Type::String: out = "\"" + std::string(v.text) + "\""; break;
    case Type::Array:
    case Type::Object: {
      const bool object = v.kind == Type::Object;
      out = object ? "{" : "[";
      const JsonValue* inner = v.first();
      uint32_t counted = 1;
      for (uint32_t i = 0; i < v.size; i++, inner = inner->next()) {
        if (i > 0) out += ",";
        if (object) out += "\"" + std::string(inner->name) + "\":";
        out += json_text(*inner);
        counted += inner->all;
      }
      out += object ? "}" : "]";
      if (counted != v.all) out += "wrong";
      break;
    }
  }
  return out;
}

}  // namespace pua
