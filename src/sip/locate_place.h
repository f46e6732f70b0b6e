// Place: what the next hop of a request says about where it goes, before any name server is asked (RFC 3263 section 4). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sip/dns_message.h"
#include "sip/request.h"
#include "sip/servers.h"

namespace pua {

// What our sockets can do.
struct Reach {
  bool v4 = true, v6 = true;
  bool v6_first = false;  // which addresses of one host come first
  bool tls = false;
};

struct Place {
  enum class Kind : uint8_t { Literal, Localhost, Name };
  Kind kind = Kind::Name;
  bool transport_named = false;          // by the URI
  Transport transport = Transport::Udp;  // the named one; else TLS for sips:, UDP for the others
  uint16_t port = 0;                     // 0: the URI names none
  DnsAddress address;                    // of a literal
  std::string host;                      // maddr, or the host of the URI: lower case, without brackets and the dot at the end
  std::string domain;                    // the host of the URI, in the same form

  bool secure() const { return transport == Transport::Tls; }
  uint16_t port_or_default() const;
};

// Errors: bad_uri (no host; an invalid host, port or transport; sips: and UDP; TLS where we have none; an address of a family
// that no socket has).
Result<Place> read_place(const Target&, const Reach&);

uint16_t default_port(Transport);
Server server_at(const DnsAddress&, uint16_t port, Transport, const std::string& name, const std::string& domain);
// The servers of a literal or of localhost (RFC 6761 section 6.3).
std::vector<Server> servers_of(const Place&, const Reach&);

}  // namespace pua
