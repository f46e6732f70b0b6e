// Entity-tags of others: which of them can be kept in a row and sent back in SIP-If-Match. RFC 3903 says a token; servers that put
// blanks, quotes, colons or other octets into one mean them, so they go back as they came.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace pua {

constexpr size_t kMaxEtag = 255;   // octets: what a row takes

// One line that a header field can carry: no control character but the tab, no blank at either end, and not too long.
inline bool usable_etag(std::string_view tag) {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  auto odd = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  return !tag.empty() && tag.size() <= kMaxEtag && !blank(tag.front()) && !blank(tag.back()) && std::none_of(tag.begin(), tag.end(), odd);
}

}  // namespace pua
