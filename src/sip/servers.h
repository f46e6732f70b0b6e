// Servers: the places that a request may be sent to, in the order in which they are to be tried (RFC 3263).
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pua {

enum class Transport : uint8_t { Udp, Tcp, Tls };

const char* transport_name(Transport);  // "UDP", "TCP", "TLS"

// One place to try.
struct Server {
  Transport transport = Transport::Udp;
  socklen_t length = 0;
  sockaddr_storage address{};  // with its port
  std::string name;            // whose address it is: the target of an SRV record or the host of the URI, without brackets
  std::string domain;          // the host that was asked for: what a certificate has to name (RFC 5922 section 7.2)
};

// Shared with the Locator's memory of names: not to be changed. Never empty.
using Servers = std::shared_ptr<const std::vector<Server>>;

bool same_place(const Server&, const Server&);  // the same transport, address and port
std::string place_text(const Server&);          // "UDP 192.0.2.1:5060", "TLS [2001:db8::1]:5061"

}  // namespace pua
