// Words of text protocols: tokens, blanks around them, and comparing without case. ASCII, whatever the locale is.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace pua {

// token of RFC 3261 section 25.1, octet by octet.
inline constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> out{};
  for (int c = '0'; c <= '9'; c++) out[c] = true;
  for (int c = 'a'; c <= 'z'; c++) out[c] = out[c - 'a' + 'A'] = true;
  for (char c : std::string_view("-.!%*_+`'~")) out[static_cast<unsigned char>(c)] = true;
  return out;
}();

inline bool is_token_char(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

// An empty one is none.
inline bool is_token(std::string_view s) { return !s.empty() && std::all_of(s.begin(), s.end(), is_token_char); }

// Equal but for the case of ASCII letters.
inline bool same_word(std::string_view a, std::string_view b) {
  auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return low(x) == low(y); });
}

// Without the characters of `blanks` at both ends. Of a text of blanks only, its end is left: a view that is empty, and not of nothing.
inline std::string_view trimmed(std::string_view s, std::string_view blanks = " \t") {
  s.remove_prefix(std::min(s.find_first_not_of(blanks), s.size()));
  return s.substr(0, s.find_last_not_of(blanks) + 1);
}

}  // namespace pua
