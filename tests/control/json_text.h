// A JSON document that was read, as one line of text: two readers that agree give the same line.
#pragma once

#include <string>

#include "control/json_document.h"

namespace pua {

// null, true, false, 1, real(1.5), "text" (as it is, not escaped), [..], {"name":..}; each value with how many it stands for.
inline std::string json_text(const JsonValue& v) {
  using Kind = JsonValue::Kind;
  std::string out;
  switch (v.kind) {
    case Kind::Null: out = "null"; break;
    case Kind::True: out = "true"; break;
    case Kind::False: out = "false"; break;
    case Kind::Integer: out = std::to_string(v.number); break;
    case Kind::Real: out = "real(" + std::string(v.text) + ")"; break;
    case Kind::String: out = "\"" + std::string(v.text) + "\""; break;
    case Kind::Array:
    case Kind::Object: {
      const bool object = v.kind == Kind::Object;
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
