// Destination: the server that a request goes to, as one text: what the breaker, the fair queue and a server's Retry-After go by.
#pragma once

#include <string>
#include <string_view>

namespace pua {

// Of the next hop's URI: host (maddr counts in its place), port and transport, case folded, without what is understood: "h" and
// "h;transport=tcp" are two, "10.0.0.1" and "10.0.0.1:5060;transport=udp" are one. `out` is overwritten.
void write_destination(std::string_view uri, std::string& out);

// The next hop of a request without a route set: its proxy, else the configured one, else the Request-URI.
inline std::string_view next_hop(std::string_view proxy, std::string_view default_proxy, std::string_view uri) {
  return !proxy.empty() ? proxy : !default_proxy.empty() ? default_proxy : uri;
}
// URI of the first route of a route set ("<sip:a;lr>, <sip:b;lr>"); empty: none can be read.
std::string_view first_route(std::string_view route_set);

// Whether requests of a dialog can go to this URI at all: sip: or sips:, by a transport that we speak.
bool can_be_target(std::string_view uri);

}  // namespace pua
