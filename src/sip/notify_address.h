// NotifyAddress: one address of `listen`: where NOTIFYs come to and SUBSCRIBEs leave from, with the sockets that stand for it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sip/listener.h"
#include "sip/net_address.h"
#include "sip/request.h"
#include "sip/udp_addresses.h"

namespace pua {

// A socket of the lane.
struct LaneSocket {
  unsigned number = 0;
  NetAddress local;
};

class NotifyAddress {
 public:
  // uri: of the settings, readable. port: the real one.
  NotifyAddress(const std::string& uri, uint16_t port, std::vector<LaneSocket> sockets, std::unique_ptr<Listener> agent);

  // The address as a URI, with the real host and port: "sip:192.0.2.1:5080;transport=tcp". Where `listen` means every address
  // of the machine, it is the one that leads out.
  const std::string& contact() const { return contact_; }
  const std::string& host() const { return host_; }      // of contact()
  // The same with a host at which somebody at `to` can reach us, put into `out`.
  void contact_toward(const NetAddress& to, std::string& out) const;

  // Is it of the family and security that such a target needs?
  bool fits(const Target&) const;
  // And of its transport, so that requests to it can leave from here?
  bool serves(const Target&) const;
  bool reaches(int family) const { return family_ == AF_UNSPEC || family_ == family; }

  const std::vector<LaneSocket>& sockets() const { return sockets_; }
  const ListenTransports& transports() const { return transports_; }
  Listener* agent() const { return agent_.get(); }
  std::unique_ptr<Listener> take_agent() { return std::move(agent_); }

 private:
  std::string write(const std::string& host) const;

  std::vector<LaneSocket> sockets_;
  std::unique_ptr<Listener> agent_;     // sofia's: for what does not go by the lane
  ListenTransports transports_;
  int family_ = AF_UNSPEC;              // AF_UNSPEC: both
  bool any_ = false;                    // every address of the machine
  uint16_t port_ = 0;
  std::string host_, contact_;
};

}  // namespace pua
