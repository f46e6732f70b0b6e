#include "base/utf8.h"

#include <cstdio>

namespace pua {

size_t utf8_sequence(const unsigned char* p, size_t left) {
  unsigned char c = p[0];
  size_t n = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f)) return 0;
  if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
  return n;
}

char32_t utf8_character(const unsigned char* p, size_t n) {
  if (n <= 1) return p[0];
  char32_t c = p[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3fu);
  return c;
}

bool misleading(char32_t c) {
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return true;
  if (c == 0x61c || c == 0x200e || c == 0x200f) return true;     // marks of direction
  if (c == 0x2028 || c == 0x2029) return true;                   // ends of lines and paragraphs
  return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);  // embeddings, overrides, isolates
}

std::string harmless(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  auto* p = reinterpret_cast<const unsigned char*>(text.data());
  for (size_t i = 0; i < text.size();) {
    size_t n = p[i] < 0x80 ? 1 : utf8_sequence(p + i, text.size() - i);
    bool line = keep_lines && (p[i] == '\n' || p[i] == '\t' || p[i] == '\r');
    if (line) {
      if (p[i] != '\r') out += text[i];
    } else if (n == 0 || misleading(utf8_character(p + i, n))) {
      out += '?';
    } else {
      out.append(text, i, n);
    }
    i += n == 0 ? 1 : n;
  }
  return out;
}

std::string shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  size_t n = most - 3;
  while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) n--;
  return std::string(text.substr(0, n)) + "...";
}

std::string harmless_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  auto* p = reinterpret_cast<const unsigned char*>(json.data());
  for (size_t i = 0; i < json.size();) {
    size_t n = p[i] < 0x80 ? 1 : utf8_sequence(p + i, json.size() - i);
    char32_t c = n == 0 ? 0xfffd : utf8_character(p + i, n);
    bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (n != 0 && (space || !misleading(c))) {
      out.append(json, i, n);
    } else {
      char escape[8];   // misleading characters are all below U+10000
      snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c) & 0xffffu);
      out += escape;
    }
    i += n == 0 ? 1 : n;
  }
  return out;
}

}  // namespace pua
