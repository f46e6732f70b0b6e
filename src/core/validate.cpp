#include "core/validate.h"

#include <strings.h>

#include <algorithm>
#include <string>

namespace pua {

static bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

static bool token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-.!%*_+`'~").find(c) != std::string_view::npos;
}

// Where octets are escaped, all are that need it: '%' with two hexadecimal digits, beside it what RFC 3261 section 25.1 allows.
// SIP stacks make no request of anything else. also: what this part may hold and others may not.
static bool half_escaped(std::string_view part, std::string_view also = {}) {
  if (part.find('%') == std::string_view::npos) return false;
  auto hex = [&](size_t i) { return i < part.size() && isxdigit(static_cast<unsigned char>(part[i])); };
  for (size_t i = 0; i < part.size(); i++) {
    unsigned char c = static_cast<unsigned char>(part[i]);
    bool allowed = isalnum(c) || std::string_view("-_.!~*'()&=+$,;/:").find(part[i]) != std::string_view::npos ||
                   also.find(part[i]) != std::string_view::npos;
    if (c == '%' ? !hex(i + 1) || !hex(i + 2) : !allowed) return true;
  }
  return false;
}

// host [ ":" port ]
static const char* bad_host(std::string_view host) {
  size_t end = 0;
  if (host.starts_with('[')) {
    end = host.find(']');
    if (end == std::string_view::npos || host.substr(1, end - 1).find_first_not_of("0123456789abcdefABCDEF:.") != host.npos)
      return " has an IPv6 address that is none";
    end++;
  }
  size_t colon = std::min(host.find(':', end), host.size());
  if (host.substr(end, colon - end).find_first_of("/#%[]") != std::string_view::npos || (end && colon != end))
    return " has a host that is none";
  std::string_view port = host.substr(colon);
  if (!port.empty() && (port.size() == 1 || port.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return " has a port that is no number";
  return nullptr;
}

Status check_uri(std::string_view field, std::string_view uri) {
  std::string name(field);
  if (uri.empty()) return {Errc::bad_uri, name + " is empty"};
  if (uri.size() > kMaxUri) return {Errc::bad_uri, name + " is longer than " + std::to_string(kMaxUri) + " octets"};
  size_t colon = uri.find(':');
  std::string scheme(uri.substr(0, colon == std::string_view::npos ? 0 : colon));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) { return static_cast<char>(tolower(c)); });
  if (scheme != "sip" && scheme != "sips" && scheme != "pres" && scheme != "tel")
    return {Errc::bad_uri, name + " is not a sip:, sips:, pres: or tel: URI"};
  for (char c : uri) {
    if (control(c) || c == ' ' || c == '<' || c == '>' || c == '"')
      return {Errc::bad_uri, name + " holds a control character, blank, quote or angle bracket"};
  }
  // A '?' would be read as header fields to put into the request (RFC 3261 19.1.1).
  if (uri.find('?') != std::string_view::npos) return {Errc::bad_uri, name + " holds '?'"};
  std::string_view rest = uri.substr(colon + 1);
  if (scheme == "tel" && rest.substr(0, rest.find(';')).find('%') != rest.npos)
    return {Errc::bad_uri, name + " holds '%' in its number"};
  if (size_t at = rest.find('@'); at != std::string_view::npos) {
    if (at == 0) return {Errc::bad_uri, name + " has no user before '@'"};
    if (rest.find('@', at + 1) != std::string_view::npos) return {Errc::bad_uri, name + " holds more than one '@'"};
    if (rest[0] == ';' || rest[0] == '#') return {Errc::bad_uri, name + " has a user that begins with ';' or '#'"};
    if (half_escaped(rest.substr(0, at))) return {Errc::bad_uri, name + ": its user is not escaped as a whole"};
    rest.remove_prefix(at + 1);
  }
  if (rest.empty() || rest[0] == ';' || rest[0] == ':') return {Errc::bad_uri, name + " has no host"};
  size_t semicolon = std::min(rest.find(';'), rest.size());
  if (half_escaped(rest.substr(semicolon), "[]")) return {Errc::bad_uri, name + ": its parameters are not escaped as a whole"};
  std::string_view host = rest.substr(0, semicolon);
  if (scheme == "tel") {   // a local number may hold '#' (RFC 3966 section 3)
    if (host.find_first_of("/:[]") != host.npos) return {Errc::bad_uri, name + " has a number that is none"};
  } else if (const char* why = bad_host(host)) {
    return {Errc::bad_uri, name + why};
  }
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
  if (!std::all_of(etag.begin(), etag.end(), token_char)) return {Errc::bad_header, "etag is not a token"};
  return success();
}

Status check_tag(std::string_view field, std::string_view tag) {
  bool word = std::all_of(tag.begin(), tag.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (tag.size() > kMaxToken || !word || tag.find_first_of(";,<>\"") != tag.npos)
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
    if (name.empty() || !std::all_of(name.begin(), name.end(), token_char))
      return {Errc::bad_header, "extra_headers: a line is not \"Name: value\""};
    for (char c : line)
      if (c != '\t' && control(c)) return {Errc::bad_header, "extra_headers: a control character in " + name};
    for (const char* o : ours)
      if (strcasecmp(name.c_str(), o) == 0) return {Errc::bad_header, "extra_headers: " + name + " is set by the library"};
  }
  return success();
}

}  // namespace pua
