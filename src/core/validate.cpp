#include "core/validate.h"

#include <strings.h>

#include <algorithm>
#include <string>

#include "base/words.h"
#include "core/uri.h"

namespace pua {

static constexpr CharSet kNotInTag(";,<>\"");

static bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Status check_uri(std::string_view field, std::string_view uri, Uri* parts) {
  auto bad = [&](std::string_view why) { return Status(Errc::bad_uri, std::string(field).append(why)); };
  if (uri.empty()) return bad(" is empty");
  if (uri.size() > kMaxUri) return bad(" is longer than " + std::to_string(kMaxUri) + " octets");
  Uri u;
  if (const char* why = read_uri(uri, u)) return bad(why);
  if (u.kind == Scheme::Other) return bad(" is not a sip:, sips:, pres: or tel: URI");
  if (u.port == "*") return bad(" has a port that is no number");
  // What stands behind '?' is read as header fields to put into the request (RFC 3261 section 19.1.1). In the user part '?' has
  // no meaning.
  if (u.has_headers) return bad(" holds header fields behind '?'");
  if (parts) *parts = u;
  return success();
}

Status check_text(std::string_view field, std::string_view value, size_t max) {
  std::string name(field);
  if (value.size() > max) return {Errc::too_large, name + " is longer than " + std::to_string(max) + " octets"};
  if (std::any_of(value.begin(), value.end(), control)) return {Errc::bad_header, name + " holds a control character"};
  return success();
}

Status check_etag(std::string_view etag) {
  if (etag.size() > kMaxToken) return {Errc::too_large, "etag is longer than 255 octets"};
  if (!std::all_of(etag.begin(), etag.end(), is_token_char)) return {Errc::bad_header, "etag is not a token"};
  return success();
}

Status check_tag(std::string_view field, std::string_view tag) {
  bool word = std::all_of(tag.begin(), tag.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (tag.size() > kMaxToken || !word || kNotInTag.first_in(tag) != tag.npos)
    return {Errc::bad_header, std::string(field) + " is no tag"};
  return success();
}

Status check_headers(std::string_view lines, size_t max) {
  static constexpr const char* ours[] = {"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "max-forwards",
                                         "event", "o", "expires", "sip-if-match", "content-type", "c",
                                         "content-length", "l", "contact", "m", "route", "authorization",
                                         "proxy-authorization"};
  if (lines.size() > max) return {Errc::too_large, "extra_headers are longer than " + std::to_string(max) + " octets"};
  while (!lines.empty()) {
    size_t end = lines.find("\r\n");
    if (end == std::string_view::npos) return {Errc::bad_header, "extra_headers: a line does not end in CRLF"};
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    size_t colon = line.find(':');
    std::string name(line.substr(0, colon == std::string_view::npos ? 0 : colon));
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.pop_back();
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char))
      return {Errc::bad_header, "extra_headers: a line is not \"Name: value\""};
    for (char c : line)
      if (c != '\t' && control(c)) return {Errc::bad_header, "extra_headers: a control character in " + name};
    for (const char* o : ours)
      if (strcasecmp(name.c_str(), o) == 0) return {Errc::bad_header, "extra_headers: " + name + " is set by the library"};
  }
  return success();
}

Status check_body(std::string_view body, size_t max) {
  if (body.size() <= max) return success();
  return {Errc::too_large, "body has " + std::to_string(body.size()) + " octets, max_body is " + std::to_string(max)};
}

}  // namespace pua
