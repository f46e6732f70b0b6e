// NetAddress: an IPv4 or IPv6 address with a port, as sockets and people want it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pua {

struct NetAddress {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };

  NetAddress() : v6{} {}
  explicit NetAddress(const sockaddr_storage&);
  sockaddr_storage storage() const;

  int family() const { return any.sa_family; }
  socklen_t length() const { return family() == AF_INET ? sizeof v4 : sizeof v6; }
  uint16_t port() const;
  void set_port(uint16_t);

  bool same_host(const NetAddress&) const;   // the port aside
  bool same_family(const NetAddress& o) const { return family() == o.family(); }
  bool is_any() const;                       // 0.0.0.0 or [::]

  std::string host() const;                  // "192.0.2.1", "[2001:db8::1]"
  std::string text() const;                  // with the port: "192.0.2.1:5060"

  // host: a literal, an IPv6 one with or without brackets. None: it is a name, or nothing at all.
  static std::optional<NetAddress> literal(std::string_view host, uint16_t port);
};

}  // namespace pua
