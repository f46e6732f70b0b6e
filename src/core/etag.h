// Entity-tags of servers: which of them can be kept in a row and sent back in SIP-If-Match. By RFC 3903 section 11.3.1 they are
// tokens. Some servers put blanks, quotes, colons or other octets into one; they go back as they came.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace pua {

constexpr size_t kMaxEtag = 255;   // octets: no more fit into a row

// Whether a header field can hold the tag: no control characters but tabs, no blank at either end, and no more than kMaxEtag
// octets.
inline bool usable_etag(std::string_view tag) {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  auto odd = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  return !tag.empty() && tag.size() <= kMaxEtag && !blank(tag.front()) && !blank(tag.back()) &&
         std::none_of(tag.begin(), tag.end(), odd);
}

}  // namespace pua
