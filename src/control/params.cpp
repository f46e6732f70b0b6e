#include "control/params.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <string>

namespace pua {

using Json = JsonValue::Kind;

static Status refuse(std::string_view param, std::string_view why) {
  std::string message(param);
  message += ": ";
  message += why;
  return Status(Errc::bad_argument, std::move(message));
}

// A number as text: read, none, or one that no 64 bits hold.
enum class Digits : uint8_t { Fine, None, TooLarge };

static Digits read_number(std::string_view text, int64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) return Digits::None;
  return error == std::errc() ? Digits::Fine : Digits::TooLarge;
}

// Of a number with a point or an exponent, or an integer beyond 64 bits: whether it is the latter, whatever way it is written.
static bool beyond_64_bits(std::string_view real) {
  double value = strtod(std::string(real).c_str(), nullptr);
  return value >= 9.2e18 || value <= -9.2e18;
}

static bool is_text(const JsonValue& v) { return v.is(Json::String); }

static bool is_strings(const JsonValue& v) {
  if (is_text(v)) return true;
  if (!v.is(Json::Array) || v.size > kMaxStrings) return false;
  const JsonValue* one = v.size > 0 ? v.first() : nullptr;
  for (uint32_t i = 0; i < v.size; i++, one = one->next()) {
    if (!is_text(*one)) return false;
  }
  return true;
}

std::vector<std::string_view> Params::strings(size_t index) const {
  const Value& v = values_[index];
  std::vector<std::string_view> all;
  if (!v.present) return all;
  if (v.list == nullptr) return {v.text};
  const JsonValue* one = v.list->size > 0 ? v.list->first() : nullptr;
  for (uint32_t i = 0; i < v.list->size; i++, one = one->next()) all.push_back(one->text);
  return all;
}

Status Params::take(const CommandSpec& spec, size_t index, const JsonValue& json) {
  const ParamSpec& p = spec.params[index];
  Value& v = values_[index];
  if (json.is(Json::Null) && p.optional) return success();
  if (json.is(Json::String)) {
    v.text = json.text;
    if (spec.dot_is_none && v.text == ".") {
      v.text = {};
      return success();
    }
  }
  switch (p.type) {
    case ParamType::String:
      if (!json.is(Json::String)) return refuse(p.name, "must be a string");
      break;
    case ParamType::Scalar:
      if (json.is(Json::Integer)) {
        auto [end, error] = std::to_chars(v.digits, v.digits + sizeof v.digits, json.number);
        v.text = std::string_view(v.digits, static_cast<size_t>(end - v.digits));
      } else if (!json.is(Json::String)) {
        return refuse(p.name, "must be a string or an integer");
      }
      break;
    case ParamType::Strings:
      if (!is_strings(json)) return refuse(p.name, "must be a string or an array of at most 100 strings");
      if (json.is(Json::Array)) v.list = &json;
      break;
    case ParamType::Int:
    case ParamType::Long: {
      Digits read = Digits::None;
      if (json.is(Json::Integer)) {
        v.number = json.number;
        read = Digits::Fine;
      } else if (json.is(Json::String)) {
        read = read_number(v.text, v.number);
      } else if (json.is(Json::Real) && beyond_64_bits(json.text)) {
        read = Digits::TooLarge;
      }
      if (read == Digits::TooLarge) return refuse(p.name, "out of range");
      if (read == Digits::None) return refuse(p.name, "must be an integer");
      int64_t least = p.type == ParamType::Long ? 0 : std::numeric_limits<int32_t>::min();
      int64_t most =
          p.type == ParamType::Long ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int32_t>::max();
      if (v.number < least || v.number > most) return refuse(p.name, "out of range");
      break;
    }
  }
  v.present = true;
  return success();
}

Status Params::bind(const CommandSpec& spec, const JsonValue* json) {
  const size_t known = spec.params.size();
  const JsonValue* v = json != nullptr && json->size > 0 ? json->first() : nullptr;
  if (json != nullptr && json->is(Json::Array)) {
    const size_t count = json->size;
    if (count > known) return Status(Errc::bad_argument, "at most " + std::to_string(known) + " parameters");
    std::span<const uint8_t> positions;
    if (spec.positions != nullptr && count > 0) {
      positions = spec.positions(count);
      if (positions.empty()) {
        return Status(Errc::bad_argument,
                      std::to_string(count) + " values by position are ambiguous: name the parameters");
      }
    }
    for (size_t i = 0; i < count; i++, v = v->next()) {
      Status s = take(spec, positions.empty() ? i : positions[i], *v);
      if (!s) return s;
    }
  } else if (json != nullptr) {
    for (uint32_t n = 0; n < json->size; n++, v = v->next()) {
      std::string_view name = v->name;
      size_t i = 0;
      while (i < known && name != spec.params[i].name &&
             (spec.params[i].other_name == nullptr || name != spec.params[i].other_name)) {
        i++;
      }
      if (i == known) return refuse(name, "no such parameter");
      if (values_[i].present) return refuse(spec.params[i].name, "given twice");
      Status s = take(spec, i, *v);
      if (!s) return s;
    }
  }
  for (size_t i = 0; i < known; i++) {
    if (!values_[i].present && !spec.params[i].optional) return refuse(spec.params[i].name, "missing");
  }
  return success();
}

}  // namespace pua
