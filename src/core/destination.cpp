#include "core/destination.h"

#include "core/uri.h"
#include "core/validate.h"

namespace pua {

namespace {

void append_folded(std::string& out, std::string_view s) {
  for (char c : s) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_address(std::string_view host) {
  return host.starts_with('[') || is_ipv4_text(host);
}

}  // namespace

void write_destination(std::string_view uri, std::string& out) {
  out.clear();
  Uri u;
  // A tel: URI (which needs a next hop) and what cannot be read have no host: the text itself is the destination.
  if (read_uri(uri, u) || u.host.empty()) return append_folded(out, uri);
  std::string_view host = u.host, port = u.port, transport = param_value(u.params, "transport");
  if (std::string_view maddr = param_value(u.params, "maddr"); !maddr.empty()) host = maddr;
  bool secure = u.kind == Scheme::Sips || same_word(transport, "tls");
  if (secure) transport = "tls";
  // With an address nothing is asked of the DNS, and with a port no more than the address (RFC 3263 section 4): then UDP is the
  // default transport, and with an address so is the port.
  bool address = is_address(host);
  if ((address || !port.empty()) && same_word(transport, "udp")) transport = {};
  if (address && port == (secure ? "5061" : "5060")) port = {};
  append_folded(out, host);
  if (!port.empty()) append_folded(out += ':', port);
  if (!transport.empty()) append_folded(out += ";transport=", transport);
}

bool can_be_target(std::string_view uri) {
  Uri u;
  if (!check_uri("Contact", uri, &u) || (u.kind != Scheme::Sip && u.kind != Scheme::Sips)) return false;
  std::string_view transport = param_value(u.params, "transport");
  return transport.empty() || same_word(transport, "udp") || same_word(transport, "tcp") || same_word(transport, "tls");
}

std::string_view first_route(std::string_view route_set) {
  size_t open = route_set.find('<'), close = route_set.find('>');
  return open < close && close != route_set.npos ? route_set.substr(open + 1, close - open - 1) : std::string_view();
}

}  // namespace pua
