// UdpSocket: one bound UDP socket of ours, and what is known of the ways that leave from it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "sip/net_address.h"

namespace pua {

class UdpSocket {
 public:
  // buffer: octets of the receive and of the send buffer, as far as the system lets us. Not blocking, closed on exec; errors
  // that come back from the network are queued (IP_RECVERR). Errors: sip_failed, with the system's reason.
  static Result<std::unique_ptr<UdpSocket>> open(const NetAddress& at, uint32_t buffer);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  int fd() const { return fd_; }
  // Whether the system reports ICMP errors at all: to whoever sends or receives next, and in the queue of errors. false also
  // empties that queue.
  void tell_errors(bool);
  // true: the system lets in what begins like a response or a NOTIFY, and of all else one datagram in 64. false: everything, as
  // at first. 0, or the errno of a system that does not do it.
  int let_few_in(bool);
  // Datagrams that the system dropped so far, for want of room or as let_few_in() says.
  uint32_t drops() const;
  const NetAddress& local() const { return local_; }       // with the real port
  bool any() const { return any_; }                        // bound to every address of the machine

  // The address that a datagram to `to` leaves from, as text with the port: "192.0.2.1:5060". Of a socket on every address the
  // system's routing table says it; it is asked again after some time. Valid until the next call.
  const std::string& source(const NetAddress& to, MonoMs now);

 private:
  UdpSocket() = default;

  struct Way {
    NetAddress to;
    std::string source;
    MonoMs until = 0;
  };
  static constexpr unsigned kWays = 64;      // destinations remembered
  static constexpr MonoMs kWayMs = 30000;    // a route may change

  int fd_ = -1;
  NetAddress local_;
  bool any_ = false, v6_ = false;
  std::string text_;
  std::unique_ptr<Way[]> ways_;              // by a hash of the address
};

// Whether the system knows a way there. Sends nothing.
bool has_way(const NetAddress& to);

// The address of this machine that datagrams to `to` leave from, port 0.
NetAddress source_toward(const NetAddress& to);

}  // namespace pua
