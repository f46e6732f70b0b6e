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

  bool any_host() const { return host == "0.0.0.0" || host == "[::]" || host == "*"; }
  bool overlaps(const Address& o) const {
    if (port != o.port || port == "*") return false;
    if (!transport.empty() && !o.transport.empty() && transport != o.transport) return false;
    return host == o.host || any_host() || o.any_host();
  }
};

// uri: one that check_listen took.
Address parse_address(std::string_view uri) {
  std::string low(uri);
  std::transform(low.begin(), low.end(), low.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::string_view rest = low;
  bool sips = rest.starts_with("sips:");
  rest.remove_prefix(std::min<size_t>(sips ? 5 : 4, rest.size()));
  Address out;
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
  } else if (sips) {
    out.transport = "tls";
  }
  out.port = rest.size() > 1 ? rest.substr(1) : out.transport == "tls" ? "5061" : "5060";
  return out;
}

}  // namespace

std::optional<Misfit> fit_addresses(const Settings& s) {
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
