#include "control/json_reader.h"

#include <jansson.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <new>
#include <string>

#include "control/quick_json.h"

namespace pua {

namespace {

using Kind = JsonValue::Kind;

std::string_view text_of(const json_t* string) { return {json_string_value(string), json_string_length(string)}; }

std::string real_text(const json_t* real) {
  char* text = json_dumps(real, JSON_ENCODE_ANY);
  if (text == nullptr) throw std::bad_alloc();
  std::string out = text;
  free(text);
  return out;
}

// No deeper than jansson reads.
void add(JsonDocument& out, std::string_view name, const json_t* json) {
  const size_t index = out.values.size();
  JsonValue v;
  v.name = name;
  switch (json_typeof(json)) {
    case JSON_NULL: break;
    case JSON_TRUE: v.kind = Kind::True; break;
    case JSON_FALSE: v.kind = Kind::False; break;
    case JSON_INTEGER:
      v.kind = Kind::Integer;
      v.number = json_integer_value(json);
      break;
    case JSON_REAL:
      v.kind = Kind::Real;
      v.text = out.reals.emplace_back(real_text(json));
      break;
    case JSON_STRING:
      v.kind = Kind::String;
      v.text = text_of(json);
      break;
    case JSON_ARRAY:
      v.kind = Kind::Array;
      v.size = static_cast<uint32_t>(json_array_size(json));
      break;
    case JSON_OBJECT:
      v.kind = Kind::Object;
      v.size = static_cast<uint32_t>(json_object_size(json));
      break;
  }
  out.values.push_back(v);
  for (size_t i = 0; v.kind == Kind::Array && i < v.size; i++) add(out, {}, json_array_get(json, i));
  if (v.kind == Kind::Object) {
    json_t* object = const_cast<json_t*>(json);
    for (void* it = json_object_iter(object); it != nullptr; it = json_object_iter_next(object, it)) {
      add(out, {json_object_iter_key(it), json_object_iter_key_len(it)}, json_object_iter_value(it));
    }
  }
  out.values[index].all = static_cast<uint32_t>(out.values.size() - index);
}

}  // namespace

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

// One number, where it is too large for jansson: such are JSON all the same (RFC 8259 section 6). Integers become reals of the
// same value, as near as a double is; what is beyond a double becomes the largest one.
std::string fitting(std::string_view number) {
  std::string_view digits = number.substr(number.starts_with('-') ? 1 : 0);
  const bool integer = digits.find_first_of(".eE") == digits.npos;
  if (integer && digits.size() < 19) return std::string(number);
  const double value = strtod(std::string(number).c_str(), nullptr);
  if (value > std::numeric_limits<double>::max()) return "1.7976931348623157e308";
  if (value < std::numeric_limits<double>::lowest()) return "-1.7976931348623157e308";
  int64_t fits = 0;
  auto [end, wrong] = std::from_chars(number.data(), number.data() + number.size(), fits);
  return std::string(number) + (integer && wrong == std::errc::result_out_of_range ? "e0" : "");
}

// The text with such numbers made to fit. Of a text that is no JSON, anything: jansson judges it.
std::string with_fitting_numbers(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (text[i] == '"') {
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text.size());
    } else if (digit(text[i]) || text[i] == '-') {
      while (end < text.size() && (digit(text[end]) || std::string_view(".eE+-").find(text[end]) != std::string_view::npos))
        end++;
      out += fitting(text.substr(i, end - i));
      i = end;
      continue;
    }
    out.append(text, i, end - i);
    i = end;
  }
  return out;
}

json_t* load(std::string_view text, json_error_t& error) {
  return json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
}

}  // namespace

Status parse_json(std::string_view text, JsonDocument& out) {
  out.clear();
  json_error_t error;
  out.tree.reset(load(text, error));
  if (!out.tree && json_error_code(&error) == json_error_numeric_overflow)
    out.tree.reset(load(with_fitting_numbers(text), error));
  if (!out.tree) {
    return {Errc::bad_argument,
            "line " + std::to_string(error.line) + ", column " + std::to_string(error.column) + ": " + error.text};
  }
  add(out, {}, out.tree.get());
  return success();
}

Status read_json(std::string_view text, JsonDocument& out) {
  return read_quick_json(text, out) ? success() : parse_json(text, out);
}

}  // namespace pua
