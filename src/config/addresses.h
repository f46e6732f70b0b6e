// Addresses that sockets are bound to, and whether they fit together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/checks.h"
#include "config/settings.h"

namespace pua {

// What is wrong with a URI that requests go to, or (bound) that sockets are bound to; empty: nothing. Its scheme was checked
// before.
std::string place_fault(std::string_view uri, bool bound);

// Addresses of sips: need tls_dir. No address of `listen` may be one of sip_listen, nor be given twice: each has a socket of
// its own. Nor may sip_listen have one twice for UDP. An address without transport= is meant for UDP and TCP; one of all
// interfaces (0.0.0.0, [::], *) collides with every address of its family; one with port * collides with none.
std::optional<Misfit> fit_addresses(const Settings&);

// "192.0.2.1:8088", "[2001:db8::1]:8088" taken apart. None: it is something else.
struct HostPort {
  std::string host;   // without brackets
  bool v6 = false;
  uint16_t port = 0;
};
std::optional<HostPort> parse_host_port(std::string_view);

}  // namespace pua
