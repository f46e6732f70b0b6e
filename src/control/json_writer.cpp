#include "control/json_writer.h"

#include <algorithm>
#include <charconv>

#include "base/base64.h"
#include "base/utf8.h"

namespace pua {

static void append_escape(std::string& out, char32_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default:
      out += "\\u";   // all that are escaped are in the first plane
      for (int shift = 12; shift >= 0; shift -= 4) out += kHex[c >> shift & 15];
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  auto* p = reinterpret_cast<const unsigned char*>(text.data());
  size_t plain = 0;  // start of the run that goes out unchanged
  size_t i = 0;
  while (i < text.size()) {
    unsigned char c = p[i];
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      i++;
      continue;
    }
    size_t n = c < 0x80 ? 0 : utf8_sequence(p + i, text.size() - i);
    char32_t character = n != 0 ? utf8_character(p + i, n) : c;
    if (n != 0 && !misleading(character)) {
      i += n;
      continue;
    }
    out.append(text, plain, i - plain);
    if (c < 0x80 || n != 0) {
      append_escape(out, character);
    } else {
      out += "\xef\xbf\xbd";
    }
    plain = i += std::max<size_t>(n, 1);
  }
  out.append(text, plain, i - plain);
  out += '"';
}

static bool is_text(std::string_view s) {
  auto* p = reinterpret_cast<const unsigned char*>(s.data());
  for (size_t i = 0; i < s.size();) {
    size_t n = p[i] == 0 ? 0 : p[i] < 0x80 ? 1 : utf8_sequence(p + i, s.size() - i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

JsonWriter& JsonWriter::body(std::string_view document) {
  if (is_text(document)) return member("body", document);
  return member("body_base64", to_base64(document));
}

void JsonWriter::comma() {
  if (!first_) out_ += ',';
  first_ = false;
}

JsonWriter& JsonWriter::open(char c) {
  comma();
  out_ += c;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char c) {
  out_ += c;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  comma();
  append_json_string(out_, name);
  out_ += ':';
  first_ = true;  // no comma between a key and its value
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  comma();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::value(int64_t number) {
  comma();
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof digits, number);
  out_.append(digits, end.ptr);
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) {
  comma();
  out_ += flag ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  comma();
  out_ += json;
  return *this;
}

}  // namespace pua
