#include "config/addresses.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace pua {

namespace {

struct Address {
  std::string host, port, transport;  // small letters; transport empty: UDP and TCP
  bool sips = false, odd = false;     // odd: something else stands behind the host

  bool any_host() const { return host == "0.0.0.0" || host == "[::]" || host == "*"; }
  bool v4() const { return !host.starts_with('['); }                                          // may be
  bool v6() const { return host.find_first_not_of("0123456789.") != std::string::npos; }
  bool by_udp() const { return transport.empty() || transport == "udp"; }
  bool overlaps(const Address& o) const {
    if (port != o.port || port == "*") return false;
    if (!transport.empty() && !o.transport.empty() && transport != o.transport) return false;
    if (host == o.host) return true;
    return (any_host() || o.any_host()) && ((v4() && o.v4()) || (v6() && o.v6()));
  }
};

// uri: sip: or sips:, and more.
Address parse_address(std::string_view uri) {
  std::string low(uri);
  std::transform(low.begin(), low.end(), low.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string_view rest = low;
  Address out;
  out.sips = rest.starts_with("sips:");
  rest.remove_prefix(std::min<size_t>(out.sips ? 5 : 4, rest.size()));
  if (size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  std::string_view params = rest.substr(std::min(rest.find_first_of(";?"), rest.size()));
  rest.remove_suffix(params.size());
  size_t host_end = rest.starts_with('[') ? rest.find(']') + 1 : rest.find(':');
  host_end = std::min(host_end, rest.size());
  out.host = rest.substr(0, host_end);
  rest.remove_prefix(host_end);
  constexpr std::string_view kTransport = ";transport=";
  if (size_t at = params.find(kTransport); at != std::string_view::npos) {
    params.remove_prefix(at + kTransport.size());
    out.transport = params.substr(0, params.find_first_of(";?"));
  } else if (out.sips) {
    out.transport = "tls";
  }
  out.odd = params.find('?') != std::string_view::npos || (!rest.empty() && (rest[0] != ':' || rest.size() == 1));
  out.port = rest.size() > 1 ? rest.substr(1) : out.transport == "tls" ? "5061" : "5060";
  return out;
}

bool is_host(std::string_view host) {
  in6_addr octets;
  if (host.starts_with('['))
    return host.ends_with(']') && inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &octets) == 1;
  return !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string_view::npos;
}

}  // namespace

std::string place_fault(std::string_view uri, bool bound) {
  Address a = parse_address(uri);
  if (a.odd || (!is_host(a.host) && !(bound && a.host == "*")))
    return "its host is not a valid one, or more than a port and parameters stands behind it";
  uint32_t port = 0;
  auto [end, error] = std::from_chars(a.port.data(), a.port.data() + a.port.size(), port);
  bool number = error == std::errc() && end == a.port.data() + a.port.size() && port > 0 && port < 65536;
  if (!number && !(bound && a.port == "*")) return std::string("its port is not 1 to 65535") + (bound ? " or *" : "");
  const std::string& t = a.transport;
  if (a.sips && t != "tls" && t != "tcp") return "a sips: URI has no transport but TLS";
  if (!a.sips && !t.empty() && t != "udp" && t != "tcp" && (bound || t != "tls"))
    return bound ? "its transport is neither udp nor tcp; TLS is a sips: URI" : "its transport is none of udp, tcp and tls";
  return "";
}

std::optional<Misfit> fit_addresses(const Settings& s) {
  for (auto& [name, uris] : {std::pair{"sip_listen", &s.sip_listen}, {"listen", &s.listen}})
    for (const std::string& uri : *uris)
      if (parse_address(uri).sips && s.tls_dir.empty())
        return Misfit{name, std::string(name) + " is \"" + uri + "\", and there is no tls_dir"};
  bool tls =
      std::any_of(s.sip_listen.begin(), s.sip_listen.end(), [](const std::string& uri) { return parse_address(uri).sips; });
  for (auto& [name, uri] : {std::pair{"outbound_proxy", &s.outbound_proxy}, {"presence_server", &s.presence_server}}) {
    Address to = parse_address(*uri);
    if (!tls && !uri->empty() && (to.sips || to.transport == "tls"))
      return Misfit{name, std::string(name) + " is \"" + *uri +
                              "\", which is reached over TLS, and no address of sip_listen is a sips: one"};
  }
  for (size_t i = 0; i < s.sip_listen.size(); i++) {
    Address mine = parse_address(s.sip_listen[i]);
    for (size_t k = 0; k < i; k++) {
      Address other = parse_address(s.sip_listen[k]);
      if (mine.by_udp() && other.by_udp() && mine.overlaps(other))
        return Misfit{"sip_listen",
                      "sip_listen is \"" + s.sip_listen[i] + "\", an address that it has already: \"" + s.sip_listen[k] + "\""};
    }
  }
  for (size_t i = 0; i < s.listen.size(); i++) {
    Address mine = parse_address(s.listen[i]);
    for (const std::string& other : s.sip_listen) {
      if (mine.overlaps(parse_address(other)))
        return Misfit{"listen", "listen is \"" + s.listen[i] + "\", an address that sip_listen has: \"" + other + "\""};
    }
    for (size_t k = 0; k < i; k++) {
      if (mine.overlaps(parse_address(s.listen[k])))
        return Misfit{"listen", "listen is \"" + s.listen[i] + "\", an address that it has already: \"" + s.listen[k] + "\""};
    }
  }
  return {};
}

std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort out;
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size()) return {};
  out.v6 = host.starts_with('[') && host.ends_with(']');
  if (out.v6) host = host.substr(1, host.size() - 2);
  out.host = host;
  in6_addr octets;
  bool fine = host.find('\0') == host.npos && inet_pton(out.v6 ? AF_INET6 : AF_INET, out.host.c_str(), &octets) == 1;
  return fine ? std::optional(out) : std::nullopt;
}

}  // namespace pua
