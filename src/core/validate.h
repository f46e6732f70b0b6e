// Checks of what owners hand in, and of what rows hold. Nothing that could break a SIP message, a line of the log or a row
// passes.
#pragma once

#include <string_view>

#include "base/result.h"

namespace pua {

struct Uri;

constexpr size_t kMaxUri = 1023;   // octets
constexpr size_t kMaxToken = 255;  // ids, entity-tags, content types
constexpr size_t kMaxRoutes = 4096;  // a route set

// A URI with the scheme sip, sips, pres or tel that can be read (core/uri.h), without a header part. It goes out octet by octet
// as it is; only octets that must not stand raw are escaped, by write_uri(). parts: becomes the URI taken apart, where it is not
// null and there is no error.
Status check_uri(std::string_view field, std::string_view uri, Uri* parts = nullptr);
// No control characters, at most `max` octets.
Status check_text(std::string_view field, std::string_view value, size_t max);
// A token, at most kMaxToken octets.
Status check_etag(std::string_view etag);
// A tag of From or To. Not only tokens pass: some servers put an IPv6 address into it.
Status check_tag(std::string_view field, std::string_view tag);
// Whole header lines "Name: value" CRLF, without header fields that the library writes, at most `max` octets.
Status check_headers(std::string_view lines, size_t max);
// At most `max` octets: the parameter max_body.
Status check_body(std::string_view body, size_t max);

}  // namespace pua
