// Small text helpers of the room: media types, values as messages quote them.
#pragma once

#include <string>
#include <string_view>

#include "base/words.h"

namespace pua {

inline char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); }

// Of lines, too: without blanks and line ends at both ends.
inline std::string_view trim(std::string_view s) { return trimmed(s, kWhite); }

// "type/subtype" of a Content-Type: without parameters and blanks around it.
inline std::string_view media_type(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

inline bool is_type(std::string_view content_type, std::string_view type) {
  return same_word(media_type(content_type), type);
}

// What a sender wrote, for a message: in quotes, at most 40 characters, printable ASCII.
inline std::string quoted(std::string_view value) {
  std::string out = "\"";
  for (char c : value.substr(0, 40)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out += value.size() > 40 ? "...\"" : "\"";
}

}  // namespace pua
