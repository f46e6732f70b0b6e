// SipStack: the SIP port: UDP by a lane of our own (docs/adr/0014), connections to servers by sofia-sip (0003), connections
// from outside by a server of our own (0016).
//
//   engine --send--> table of requests --> locator: which server --> lane (UDP), or sofia (TCP, TLS) --> wire
//   engine <--on_reply-- (digest answers 401/407, 503 goes to the next server) <-- final reply, 408, 503
//   engine <--on_notify-- incoming <-- lane, stream server <-- NOTIFY
#pragma once

#include <functional>
#include <memory>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "core/notify_port.h"
#include "core/sip_port.h"
#include "sip/inbound_counters.h"
#include "sip/incoming.h"
#include "sip/lane.h"
#include "sip/locate.h"
#include "sip/settings.h"

namespace pua {

class SuDriver;

struct SipCounters {
  uint64_t sent = 0;         // requests accepted
  uint64_t auth_retries = 0; // sent again with credentials, or once without those that were refused
  DigestCounters digest;     // what became of challenges
  uint64_t overdue = 0;      // requests that sofia never reported on, ended by the guard
  uint64_t notifies_bad = 0; // NOTIFYs that came to a listener and were refused before the sink saw them
  uint64_t notifies_repeated = 0;  // NOTIFYs answered from what was kept
  uint64_t failovers = 0;    // requests sent to another server of the same name
  uint64_t stream_strays = 0;  // requests that came over connections of ours to servers
  uint64_t streams_cut = 0;  // such connections ended by us: a message without end, or what cannot be read
  LaneCounters lane;         // all 0 where there is no lane
  IncomingCounters incoming;
  LocatorCounters names;
  InboundCounters inbound;   // connections from outside
};

// Loop thread only.
class SipStack : public SipPort {
 public:
  // driver, log outlive the stack. now: milliseconds as given to on_reply. attach() comes before the driver's next turn.
  // Errors: bad_config (listen address, credentials, t1 out of 10 ... 10000 ms), sip_failed (cannot bind, TLS files).
  static Result<std::unique_ptr<SipStack>> create(const SipSettings&, SuDriver& driver, Log& log, std::function<MonoMs()> now);
  // Who gets the replies, and the NOTIFYs (null: they are answered 481). Both outlive the stack.
  void attach(SipSink& sink, NotifySink* notifies);

  // Completes what is open (487, origin Shutdown) inside this call, then ends sofia's agents and closes the sockets. Legal
  // inside on_reply, on_notify and `done` of this stack; the rest then ends by messages of the driver that are queued. A driver
  // destroyed right after it has to run them at its end (Port mode does); where it does not, call shutdown() and let both go in
  // its `done`. Not legal inside callbacks of other users of the same driver.
  ~SipStack() override;
  SipStack(const SipStack&) = delete;
  SipStack& operator=(const SipStack&) = delete;

  // Contract: core/sip_port.h. Synthetic outcomes: 408 Timeout (64 T1 without final reply), 503 Transport (network, DNS,
  // TLS), 487 Shutdown, 500 Local (sofia refused the request). Legal inside on_reply.
  // Errors, nothing follows: bad_uri, bad_header, bad_argument, shutting_down, no_memory.
  Status send(const SipRequest&) override;

  // Takes no more requests, completes what is open (487, origin Shutdown) inside this call, closes the sockets. done is
  // called once, from a later turn of the driver: nothing of sofia is left then, stack and driver may be destroyed inside.
  // Calling it again changes nothing (that done is dropped).
  void shutdown(std::function<void()> done);

  // Other credentials from now on; what was remembered of servers is forgotten. Errors: bad_config (the old ones stay).
  Status set_credentials(std::vector<SipCredential>);
  // The files that say where names are to be found may have changed: what is remembered of names is asked for anew.
  void reread_names();
  // SipSettings::max_message, for connections from outside. Those that were opened from here keep what they were made with.
  void set_max_message(uint32_t octets);
  // The Log has another level now: let sofia talk more, or less.
  void follow_log_level();

  // URI of the first listen address for NOTIFYs, with its real port: "sip:127.0.0.1:5080;transport=tcp". Empty: there is
  // none. It is the Contact of a SUBSCRIBE that names none, unless another address fits its way better.
  std::string notify_contact() const;

  size_t in_flight() const;
  SipCounters counters() const;

 private:
  class Core;
  explicit SipStack(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;  // shared with callbacks that run while the stack is destroyed inside them
};

}  // namespace pua
