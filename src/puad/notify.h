// Notify: tells the service manager how we are, by its datagram protocol (sd_notify(3)), without its library.
#pragma once

#include <string>

namespace pua {

// state: "READY=1", "STOPPING=1" ..., several separated by line ends. Does nothing where $NOTIFY_SOCKET is not set.
void notify_manager(const std::string& state);

}  // namespace pua
