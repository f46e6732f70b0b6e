// The UDP sockets that stand for one listen address: "sip:192.0.2.1:5070", "sip:[2001:db8::1]:5070", "sip:*:5070",
// "sip:host:*".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sip/request.h"
#include "sip/udp_socket.h"

namespace pua {

// Whether UDP, TCP are meant by an address: both, unless it has transport=; TLS where it is sips:.
struct ListenTransports {
  bool udp = false, tcp = false, tls = false;
};
ListenTransports transports_of(const Target&);

// One socket, or for "*" two of the same port: IPv4 and IPv6, where the machine has both. A name is looked up inside the call,
// which blocks: only for the start. Errors: bad_config (an invalid port), sip_failed (no such host, the address cannot be
// had).
Result<std::vector<std::unique_ptr<UdpSocket>>> open_udp(const std::string& uri, uint32_t buffer);

// An address of this machine to tell others when nothing says who they are: the one that leads out, else the loopback.
NetAddress machine_address(int family);

}  // namespace pua
