// Words of text protocols: sets of characters, tokens, blanks around them, and comparing without case. ASCII, whatever the
// locale is.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace pua {

// A set of characters, to be looked for in short texts. (find_first_of() of string_view calls a function for each octet of the
// text: that was a twelfth of what a NOTIFY took.)
class CharSet {
 public:
  constexpr explicit CharSet(std::string_view members) {
    for (char c : members) has_[static_cast<unsigned char>(c)] = true;
  }
  constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }
  // The first octet from `at` on that is in the set; npos: there is none.
  constexpr size_t first_in(std::string_view s, size_t at = 0) const {
    while (at < s.size() && !has(s[at])) at++;
    return at < s.size() ? at : std::string_view::npos;
  }

 private:
  std::array<bool, 256> has_{};
};

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

inline constexpr CharSet kLinearWhite(" \t"), kWhite(" \t\r\n");

// Without the characters of `blanks` at both ends. Of a text of blanks only, its end is left: an empty view whose data() is not
// null.
inline std::string_view trimmed(std::string_view s, const CharSet& blanks = kLinearWhite) {
  while (!s.empty() && blanks.has(s.front())) s.remove_prefix(1);
  while (!s.empty() && blanks.has(s.back())) s.remove_suffix(1);
  return s;
}

}  // namespace pua
