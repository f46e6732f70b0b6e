#include "sip/request.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

#include "core/uri.h"
#include "core/validate.h"
#include "sip/header_text.h"

namespace pua {
namespace {

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

void address(std::string& out, std::string_view name, std::string_view uri) {
  out.append(name).append("<");
  write_uri(uri, out);
  out.append(">");
}

bool breaks_a_line(std::string_view s) {
  for (char c : s)
    if (c == '\r' || c == '\n' || c == '\0') return true;
  return false;
}

}  // namespace

Result<Target> parse_target(std::string_view uri) {
  auto bad = [&](std::string_view why) {
    return Error{Errc::bad_uri, std::string("\"").append(uri.substr(0, 80)).append("\"").append(why)};
  };
  if (uri.size() > kMaxUri) return bad(" is too long");
  Uri u;
  if (const char* why = read_uri(uri, u)) return bad(why);
  if (u.has_headers) return bad(" holds header fields behind '?'");
  if (u.kind == Scheme::Other) return bad(" is not a sip:, sips:, pres: or tel: URI");
  Target t;
  t.scheme = u.scheme;
  if (u.kind == Scheme::Tel) return t;  // a number: only a next hop can take it
  t.host = u.host;
  t.tail = u.tail;
  t.port = u.port;
  t.params = u.params;
  if (t.host[0] == '[') t.family = Target::Family::V6;
  else if (is_ipv4_text(t.host)) t.family = Target::Family::V4;
  t.sips = u.kind == Scheme::Sips;
  t.secure = t.sips || same_word(uri_param(t, "transport"), "tls");
  return t;
}

std::string_view uri_param(const Target& t, std::string_view name) { return param_value(t.params, name); }

Status next_hop(const Target& hop, std::string& out) {
  out.clear();
  if (hop.host.empty()) return {Errc::bad_uri, "a tel: URI needs a proxy to go to"};
  out.append(hop.sips ? "sips:" : "sip:").append(same_word(hop.host, "localhost") ? "127.0.0.1" : hop.host);
  if (!hop.port.empty()) out.append(":").append(hop.port);
  for (std::string_view name : {"transport", "maddr"}) {
    std::string_view value = uri_param(hop, name);
    if (!value.empty() && !(hop.sips && name == "transport")) out.append(";").append(name).append("=").append(value);
  }
  if (!readable_url(out)) return {Errc::bad_uri, "\"" + out.substr(0, 80) + "\" is not a URI that can be sent to"};
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
  if (!routes.empty()) {
    out.append("Route: ");
    write_routes(routes, out);
    out.append("\r\n");
  }
  if (own) out.append("Max-Forwards: 70\r\n");
  address(out, "From: ", r.from.empty() ? r.uri : r.from);
  out.append(";tag=").append(r.from_tag).append("\r\n");
  address(out, "To: ", r.to.empty() ? r.uri : r.to);
  if (!r.to_tag.empty()) out.append(";tag=").append(r.to_tag);
  out.append("\r\n");
  line(out, "Call-ID: ", r.call_id);
  out.append("CSeq: ");
  number(out, cseq);
  out.append(" ").append(r.method).append("\r\n");
  if (!contact.empty()) {
    address(out, "Contact: ", contact);
    out.append("\r\n");
  }
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
