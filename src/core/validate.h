// Checks on what owners hand in. Nothing that could break a SIP message, a log line or a row gets past these.
#pragma once

#include <string_view>

#include "base/result.h"

namespace pua {

constexpr size_t kMaxUri = 1023;   // octets
constexpr size_t kMaxToken = 255;  // ids, entity-tags, content types
constexpr size_t kMaxRoutes = 4096;  // a route set

// sip:, sips:, pres: or tel: that can be read (core/uri.h), without a header part. What is taken goes out to the octet, but for
// octets that may not stand raw: write_uri() escapes them.
Status check_uri(std::string_view field, std::string_view uri);
// No control characters, at most `max` octets.
Status check_text(std::string_view field, std::string_view value, size_t max);
// RFC 3903 entity-tag: a token.
Status check_etag(std::string_view etag);
// A tag of From or To. More than a token: some put an IPv6 address into it.
Status check_tag(std::string_view field, std::string_view tag);
// Whole header lines "Name: value" CRLF, none of those that we write ourselves, at most `max` octets.
Status check_headers(std::string_view lines, size_t max);
// At most `max` octets: the parameter max_body.
Status check_body(std::string_view body, size_t max);

}  // namespace pua
