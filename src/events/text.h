// Small text helpers of the room: comparing without case, media types, values as messages quote them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace pua {

inline char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); }

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

// Without the characters of `blanks` at both ends.
inline std::string_view trim(std::string_view s, std::string_view blanks = " \t\r\n") {
  size_t begin = s.find_first_not_of(blanks);
  return begin == std::string_view::npos ? std::string_view() : s.substr(begin, s.find_last_not_of(blanks) - begin + 1);
}

// "type/subtype" of a Content-Type: without parameters and blanks around it.
inline std::string_view media_type(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

inline bool is_type(std::string_view content_type, std::string_view type) {
  return equal_ignoring_case(media_type(content_type), type);
}

// What a sender wrote, for a message: in quotes, at most 40 characters, printable ASCII.
inline std::string quoted(std::string_view value) {
  std::string out = "\"";
  for (char c : value.substr(0, 40)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out += value.size() > 40 ? "...\"" : "\"";
}

}  // namespace pua
