// Json: an owned jansson value.
#pragma once

#include <jansson.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace puactl {

struct JsonFree {
  void operator()(json_t* j) const { json_decref(j); }
};
using Json = std::unique_ptr<json_t, JsonFree>;

// Text as a JSON string; empty pointer: it is not UTF-8 or holds NUL.
inline Json json_text(std::string_view text) {
  if (text.find('\0') != text.npos) return nullptr;
  return Json(json_stringn(text.data(), text.size()));
}

// On one line, and without characters that would control a terminal.
inline std::string json_line(const json_t* value) {
  char* text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
  std::string line = text != nullptr ? pua::harmless_json(text) : "";
  free(text);
  return line;
}

}  // namespace puactl
