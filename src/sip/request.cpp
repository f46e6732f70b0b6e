#include "sip/request.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace pua {
namespace {

constexpr size_t kMaxTarget = 1023;

bool starts(std::string_view s, std::string_view prefix) {
  return s.size() >= prefix.size() && strncasecmp(s.data(), prefix.data(), prefix.size()) == 0;
}

void number(std::string& out, uint64_t n) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  out.append(digits, end);
}

void line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(value).append("\r\n");
}

bool breaks_a_line(std::string_view s) {
  for (char c : s)
    if (c == '\r' || c == '\n' || c == '\0') return true;
  return false;
}

}  // namespace

Result<Target> parse_target(std::string_view uri) {
  auto bad = [&](const char* why) {
    return Error{Errc::bad_uri, "\"" + std::string(uri.substr(0, 80)) + "\": " + why};
  };
  if (uri.size() > kMaxTarget) return bad("too long");
  for (char c : uri)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == '"') return bad("forbidden character");
  size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0) return bad("no scheme");
  Target t;
  t.scheme = uri.substr(0, colon);
  t.secure = t.scheme.size() == 4 && starts(t.scheme, "sips");
  std::string_view rest = uri.substr(colon + 1);
  if (t.scheme.size() == 3 && starts(t.scheme, "tel")) return t;  // a number: only a next hop can take it
  // The last '@': user parts may hold ';' and '?', but no '@'.
  if (size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  if (rest.find('?') != std::string_view::npos) return bad("headers are not allowed in it");
  size_t end;
  if (!rest.empty() && rest[0] == '[') {
    end = rest.find(']');
    if (end == std::string_view::npos) return bad("'[' without ']'");
    end++;
    t.family = Target::Family::V6;
  } else {
    end = std::min(rest.find_first_of(":;"), rest.size());
  }
  t.host = rest.substr(0, end);
  std::string_view tail = rest.substr(end);
  t.tail = tail;
  if (t.host.empty()) return bad("no host");
  if (!tail.empty() && tail[0] != ':' && tail[0] != ';') return bad("something behind the address");
  if (t.family == Target::Family::Any && t.host.find_first_not_of("0123456789.") == std::string_view::npos)
    t.family = Target::Family::V4;
  std::string_view transport = uri_param(t, "transport");
  if (transport.size() == 3 && starts(transport, "tls")) t.secure = true;
  return t;
}

std::string_view uri_param(const Target& t, std::string_view name) {
  for (size_t p = t.tail.find(';'); p != std::string_view::npos; p = t.tail.find(';', p + 1)) {
    std::string_view param = t.tail.substr(p + 1);
    param = param.substr(0, param.find(';'));
    if (param.size() > name.size() && param[name.size()] == '=' && starts(param, name)) return param.substr(name.size() + 1);
  }
  return {};
}

Status next_hop(std::string_view proxy, const Target& hop, std::string& out) {
  out.assign(proxy);
  if (hop.host.empty()) return {Errc::bad_uri, "a tel: URI needs a proxy to go to"};
  bool sip = hop.scheme.size() >= 3 && starts(hop.scheme, "sip");
  bool local = hop.host.size() == 9 && starts(hop.host, "localhost");
  if (!local && sip) return success();
  out.assign(sip ? hop.scheme : "sip").append(":").append(local ? "127.0.0.1" : hop.host).append(hop.tail);
  return success();
}

Status check_request(const SipRequest& r) {
  if (r.method.empty() || r.uri.empty() || r.from_tag.empty() || r.call_id.empty() || r.cseq == 0)
    return {Errc::bad_argument, "a request needs method, URI, From tag, Call-ID and CSeq"};
  for (std::string_view s : {r.method, r.uri, r.from_tag, r.call_id, r.branch, r.event, r.if_match, r.content_type, r.proxy,
                             r.from, r.to, r.to_tag, r.route_set, r.contact, r.accept, r.allow_events})
    if (breaks_a_line(s)) return {Errc::bad_header, "CR, LF or NUL in a field of the request"};
  std::string_view x = r.extra_headers;
  if (!x.empty() && (x.size() < 2 || x.substr(x.size() - 2) != "\r\n" || starts(x, "\r\n") ||
                     x.find("\r\n\r\n") != std::string_view::npos || x.find('\0') != std::string_view::npos))
    return {Errc::bad_header, "extra headers are not whole lines"};
  return success();
}

void write_headers(const SipRequest& r, uint32_t cseq, std::string_view routes, std::string_view contact, std::string& out,
                   const OwnHeaders* own) {
  auto given = [&out](std::string_view name, std::string_view value) {
    if (!value.empty()) line(out, name, value);
  };
  given("Route: ", routes);
  if (own) out.append("Max-Forwards: 70\r\n");
  out.append("From: <").append(r.from.empty() ? r.uri : r.from).append(">;tag=").append(r.from_tag).append("\r\n");
  out.append("To: <").append(r.to.empty() ? r.uri : r.to).append(">");
  if (!r.to_tag.empty()) out.append(";tag=").append(r.to_tag);
  out.append("\r\n");
  line(out, "Call-ID: ", r.call_id);
  out.append("CSeq: ");
  number(out, cseq);
  out.append(" ").append(r.method).append("\r\n");
  if (!contact.empty()) out.append("Contact: <").append(contact).append(">\r\n");
  if (r.expires >= 0) {
    out.append("Expires: ");
    number(out, static_cast<uint64_t>(r.expires));
    out.append("\r\n");
  }
  if (own) given("User-Agent: ", own->user_agent);
  given("Accept: ", r.accept);
  given("Event: ", r.event);
  given("Allow-Events: ", r.allow_events);
  given("SIP-If-Match: ", r.if_match);
  given("Content-Type: ", r.content_type);
  if (own) {
    out.append("Content-Length: ");
    number(out, r.body.size());
    out.append("\r\n");
  }
  out.append(r.extra_headers);
}

void KeptRequest::keep(const SipRequest& r) {
  std::string_view SipRequest::* const fields[] = {
      &SipRequest::method, &SipRequest::uri,          &SipRequest::from_tag, &SipRequest::call_id,
      &SipRequest::branch, &SipRequest::event,        &SipRequest::if_match, &SipRequest::content_type,
      &SipRequest::body,   &SipRequest::extra_headers, &SipRequest::proxy,  &SipRequest::from,
      &SipRequest::to,     &SipRequest::to_tag,        &SipRequest::route_set, &SipRequest::contact,
      &SipRequest::accept, &SipRequest::allow_events};
  view_ = r;
  text_.clear();
  for (auto f : fields) text_.append(r.*f);
  size_t at = 0;
  for (auto f : fields) {
    size_t n = (r.*f).size();
    view_.*f = std::string_view(text_).substr(at, n);
    at += n;
  }
}

}  // namespace pua
