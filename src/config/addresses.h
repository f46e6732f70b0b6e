// Addresses that sockets are bound to, and whether they fit together.
#pragma once

#include <optional>

#include "config/checks.h"
#include "config/settings.h"

namespace pua {

// No address of `listen` may be one of sip_listen, nor stand there twice: each has a socket of its own. An address without
// transport= is UDP and TCP; one of all interfaces (0.0.0.0, [::], *) is that of each; with port * it is nobody else's.
std::optional<Misfit> fit_addresses(const Settings&);

}  // namespace pua
