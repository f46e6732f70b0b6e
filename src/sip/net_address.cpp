#include "sip/net_address.h"

#include <arpa/inet.h>

#include <cstring>

namespace pua {

NetAddress::NetAddress(const sockaddr_storage& s) : v6{} {
  if (s.ss_family == AF_INET) memcpy(&v4, &s, sizeof v4);
  else memcpy(&v6, &s, sizeof v6);
}

sockaddr_storage NetAddress::storage() const {
  sockaddr_storage s{};
  memcpy(&s, &v6, length());
  return s;
}

uint16_t NetAddress::port() const { return ntohs(family() == AF_INET ? v4.sin_port : v6.sin6_port); }

void NetAddress::set_port(uint16_t port) { (family() == AF_INET ? v4.sin_port : v6.sin6_port) = htons(port); }

bool NetAddress::same_host(const NetAddress& o) const {
  if (!same_family(o)) return false;
  if (family() == AF_INET) return v4.sin_addr.s_addr == o.v4.sin_addr.s_addr;
  return memcmp(&v6.sin6_addr, &o.v6.sin6_addr, sizeof v6.sin6_addr) == 0;
}

bool NetAddress::is_any() const {
  if (family() == AF_INET) return v4.sin_addr.s_addr == htonl(INADDR_ANY);
  return memcmp(&v6.sin6_addr, &in6addr_any, sizeof in6addr_any) == 0;
}

std::string NetAddress::host() const {
  char text[INET6_ADDRSTRLEN] = "?";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return text;
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]";
}

std::string NetAddress::text() const { return host() + ":" + std::to_string(port()); }

std::optional<NetAddress> NetAddress::literal(std::string_view host, uint16_t port) {
  char text[INET6_ADDRSTRLEN + 2];
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.size() >= sizeof text) return {};
  text[host.copy(text, sizeof text - 1)] = 0;
  NetAddress a;
  if (!bracketed && inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
    a.v4.sin_family = AF_INET;
  } else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
    a.v6.sin6_family = AF_INET6;
  } else {
    return {};
  }
  a.set_port(port);
  return a;
}

}  // namespace pua
