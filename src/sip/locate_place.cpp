#include "sip/locate_place.h"

#include <netinet/in.h>

#include <charconv>
#include <cstring>

#include "core/uri.h"

namespace pua {
namespace {

std::string_view without_brackets(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') return host.substr(1, host.size() - 2);
  return host;
}


Error bad(std::string what) { return {Errc::bad_uri, std::move(what)}; }

// Port and transport of the URI. Empty text: they are good.
std::string read_tail(const Target& hop, Place& place) {
  std::string_view tail = hop.tail;
  if (!tail.empty() && tail[0] == ':') {
    std::string_view port = tail.substr(1, tail.find(';') == std::string_view::npos ? tail.npos : tail.find(';') - 1);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), place.port);
    if (error != std::errc() || end != port.data() + port.size() || place.port == 0)
      return "\"" + std::string(port) + "\" is no port";
  }
  bool sips = same_word(hop.scheme, "sips");
  place.transport = hop.secure ? Transport::Tls : Transport::Udp;
  std::string_view transport = uri_param(hop, "transport");
  if (transport.empty()) return {};
  place.transport_named = true;
  if (same_word(transport, "tls")) {
    place.transport = Transport::Tls;
  } else if (same_word(transport, "tcp")) {
    place.transport = sips ? Transport::Tls : Transport::Tcp;  // RFC 3261 section 26.2.2
  } else if (same_word(transport, "udp")) {
    if (sips) return "sips: does not go by UDP";
  } else {
    return "transport \"" + std::string(transport) + "\" is none of udp, tcp and tls";
  }
  return {};
}

}  // namespace

uint16_t default_port(Transport t) { return t == Transport::Tls ? 5061 : 5060; }
uint16_t Place::port_or_default() const { return port != 0 ? port : default_port(transport); }

Result<Place> read_place(const Target& hop, const Reach& reach) {
  Place place;
  if (hop.host.empty()) return bad("the next hop has no host");
  std::string shown(hop.host);
  std::string why = read_tail(hop, place);
  if (!why.empty()) return bad(shown + ": " + why);
  if (place.secure() && !reach.tls)
    return bad(shown + " is to be reached over TLS, and no address of sip_listen is a sips: one");
  std::string_view host = hop.host, maddr = uri_param(hop, "maddr");
  if (!maddr.empty()) host = maddr;
  DnsAddress unused;
  std::string_view domain = without_brackets(hop.host);
  if (read_address(domain, unused)) {
    place.domain = domain;
  } else if (!host_name(domain, place.domain)) {
    return bad("\"" + shown + "\" is no host name");
  }
  if (read_address(without_brackets(host), place.address)) {
    place.kind = Place::Kind::Literal;
    place.host = without_brackets(host);
    if (place.address.v6 ? !reach.v6 : !reach.v4)
      return bad(place.host + " cannot be reached: no address of sip_listen is an IPv" + (place.address.v6 ? "6" : "4") +
                 " one");
    return place;
  }
  if (is_ipv4_text(host) || !host_name(host, place.host)) return bad("\"" + std::string(host) + "\" is no host name");
  constexpr std::string_view local = ".localhost";
  const std::string& h = place.host;
  bool below = h.size() > local.size() && h.compare(h.size() - local.size(), local.size(), local) == 0;
  if (below || h == "localhost") place.kind = Place::Kind::Localhost;
  return place;
}

Server server_at(const DnsAddress& address, uint16_t port, Transport transport, const std::string& name,
                 const std::string& domain) {
  Server s;
  s.transport = transport;
  s.name = name;
  s.domain = domain;
  if (address.v6) {
    auto& in = reinterpret_cast<sockaddr_in6&>(s.address);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.octets.data(), 16);
    s.length = sizeof in;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(s.address);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.octets.data(), 4);
    s.length = sizeof in;
  }
  return s;
}

std::vector<Server> servers_of(const Place& place, const Reach& reach) {
  if (place.kind == Place::Kind::Literal)
    return {server_at(place.address, place.port_or_default(), place.transport, place.host, place.domain)};
  std::vector<Server> out;
  DnsAddress v4, v6;
  read_address("127.0.0.1", v4);
  read_address("::1", v6);
  for (const DnsAddress& a : reach.v6_first ? std::array{v6, v4} : std::array{v4, v6})
    if (a.v6 ? reach.v6 : reach.v4)
      out.push_back(server_at(a, place.port_or_default(), place.transport, place.host, place.domain));
  return out;
}

}  // namespace pua
