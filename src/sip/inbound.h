// Inbound: connections from outside. Accepts them, reads whole messages, bounds everything, and sends the answers back over the
// same connection. sofia keeps only the connections that we opened (docs/adr/0016).
//
//   peer --octets--> Framing --message--> IncomingPort --answer--> peer
//         accept: Seats say who gives way       deadlines, octets held, unread answers: closed and counted
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "sip/inbound_counters.h"
#include "sip/incoming.h"
#include "sip/settings.h"

struct event_base;

namespace pua {

class InboundServer;
class Log;
class Watchdog;

// Loop thread only.
class Inbound {
 public:
  // base, log, watchdog (may be null) outlive this. now: as given to IncomingPort::take.
  // Errors: no_memory.
  static Result<std::unique_ptr<Inbound>> create(event_base* base, const SipSettings&, Log& log, Watchdog* watchdog,
                                                 std::function<MonoMs()> now);
  // As retire(). Legal inside IncomingPort::take.
  ~Inbound();
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;

  // Does this address of SipSettings::notify_listen take connections? ("sip:h:p;transport=udp" does not.)
  static bool wanted(const std::string& uri);
  // Accepts connections there: sips: (or transport=tls) TLS, else TCP. port: instead of that of the address, which may be "*";
  // 0: that of the address. "sip:*:5060" is every address, IPv4 and, where there is any, IPv6. The limits hold for all
  // addresses together. What comes goes to `port_of`, which outlives this. The port it got is returned.
  // Errors: bad_config (no address), sip_failed (cannot bind, certificate; names the address or file).
  Result<uint16_t> listen(const std::string& uri, uint16_t port, IncomingPort& port_of);

  // Closes everything, at once. Legal inside IncomingPort::take.
  void retire();

  // SipSettings::max_message, from the next message on.
  void set_max_message(size_t octets);

  InboundCounters counters() const;
  // What is due by now: deadlines, the end of a pause. The loop's timer calls it; tests do, on a clock of their own.
  void run_due();
  MonoMs next_due() const;

 private:
  Inbound(std::shared_ptr<InboundServer> server, std::string tls_dir)
      : server_(std::move(server)), tls_dir_(std::move(tls_dir)) {}
  std::shared_ptr<InboundServer> server_;  // shared with callbacks that run while this is destroyed inside them
  const std::string tls_dir_;
};

}  // namespace pua
