// Destination: the server to which a request goes first, as one text. The fair queue, the breaker, a server's Retry-After and
// the log tell servers apart by it.
#pragma once

#include <string>
#include <string_view>

namespace pua {

// Makes it of the next hop's URI: host (or maddr in its place), port and transport, in small letters, without those that are
// the default: "h" and "h;transport=tcp" are two destinations, "10.0.0.1" and "10.0.0.1:5060;transport=udp" are one. `out` is
// overwritten.
void write_destination(std::string_view uri, std::string& out);

// The next hop of a request without a route set: its proxy, else the configured one, else the Request-URI.
inline std::string_view next_hop(std::string_view proxy, std::string_view default_proxy, std::string_view uri) {
  return !proxy.empty() ? proxy : !default_proxy.empty() ? default_proxy : uri;
}
// The URI of the first route of a route set ("<sip:a;lr>, <sip:b;lr>"); empty: none can be read.
std::string_view first_route(std::string_view route_set);

// Whether requests of a dialog can go to this URI at all: sip: or sips:, by a transport that we speak.
bool can_be_target(std::string_view uri);

}  // namespace pua
