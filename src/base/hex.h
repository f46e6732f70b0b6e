// Hexadecimal text without printf, which would be slow: identifiers are written for each request.
#pragma once

#include <cstdint>
#include <string_view>

namespace pua {

// Writes exactly `digits` lower case digits, the lowest ones of v; returns what follows them.
inline char* write_hex(char* to, uint64_t v, int digits) {
  for (int i = digits - 1; i >= 0; i--, v >>= 4) to[i] = "0123456789abcdef"[v & 15];
  return to + digits;
}

// Reads text that is 1 to 16 digits in lower case and nothing else. false: it is not.
inline bool read_hex(std::string_view text, uint64_t& out) {
  if (text.empty() || text.size() > 16) return false;
  uint64_t v = 0;
  for (char c : text) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    v = v << 4 | static_cast<uint64_t>(digit);
  }
  out = v;
  return true;
}

}  // namespace pua
