// Incoming: requests from outside as octets, whichever socket brought them. Each is read, put to the sink, and answered at once; nothing
// is kept of it but the answer given to a NOTIFY of a known dialog, for its repetitions (docs/adr/0006, 0014).
//
// Known dialogs come first: their NOTIFYs are always read and answered. Everybody else is a stranger, whose requests get one short
// answer while there are few of them, and none beyond that.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/log.h"
#include "base/log_gate.h"
#include "base/time.h"
#include "core/notify_port.h"
#include "sip/answers.h"
#include "sip/net_address.h"
#include "sip/stranger_limit.h"

namespace pua {

struct Scan;

// Where a request came from.
struct Peer {
  sockaddr_storage address{};
  socklen_t length = 0;
  enum class Transport : uint8_t { Udp, Tcp, Tls } transport = Transport::Udp;
};

// What a stream server hands its messages to.
struct IncomingPort {
  virtual ~IncomingPort() = default;
  // One whole message: a datagram, or on a stream what Content-Length says. Appends the response to `out`; leaves it as it was where
  // nothing is answered (an ACK, a response, a stranger too many). May destroy the caller: it must look whether it lives.
  virtual void take(std::string_view message, const Peer& from, MonoMs now, std::string& out) = 0;
  // The head of a message, whose body has `left_out` octets, more than can be taken. true: it is a NOTIFY that may be ours, answered as by
  // take(); false: it is not looked at, and nothing is appended.
  virtual bool take_head(std::string_view head, uint64_t left_out, const Peer& from, MonoMs now, std::string& out) = 0;
};

struct IncomingCounters {
  uint64_t refused = 0;         // NOTIFYs that the sink could not be shown
  uint64_t others = 0;          // requests that are no NOTIFY
  uint64_t repeated = 0;        // NOTIFYs answered from what was kept
  uint64_t plain = 0, parsed = 0;  // NOTIFYs read by the scanner, by sofia's parser
  uint64_t unanswered = 0;      // requests of strangers that got no answer, for there were too many, or it would have been too long
};

class Incoming {
 public:
  // sink and log outlive it. t1: ms. key: unknown outside.
  Incoming(NotifySink& sink, uint32_t t1, HashKey key, Log& log);

  // to: where the message came from; becomes where the answer goes. Otherwise as IncomingPort::take(). Owned by the sink's side: it must
  // not be destroyed inside.
  void take(std::string_view message, NetAddress& to, bool datagram, MonoMs now, std::string& out);

  // As IncomingPort::take_head(), over a connection.
  bool take_head(std::string_view head, uint64_t left_out, NetAddress& to, MonoMs now, std::string& out);

  // We have to do with that host: what it asks is answered however much strangers ask.
  void know(const NetAddress& host) { limit_.know(host); }

  const IncomingCounters& counters() const { return counters_; }

 private:
  void take_odd(std::string_view message, const Scan&, NetAddress& to, bool datagram, MonoMs now, std::string& out);
  void take_plain_notify(const Scan&, const NotifyRequest&, NetAddress& to, bool datagram, MonoMs now, std::string& out, size_t size);
  void too_many(std::string_view message, NetAddress& to, bool datagram, MonoMs now, std::string& out);
  NotifyAnswer wanted(NotifyAnswer, bool stranger, const NetAddress& from, bool datagram);
  NotifyAnswer take_odd_notify(std::string_view message, MonoMs now, uint64_t left_out = 0);
  NotifyAnswer refuse(int status, const char* reason, const char* headers);
  NotifyAnswer answer_other(std::string_view method);
  void answer(const Scan&, const NotifyAnswer&, bool stranger, NetAddress& to, bool datagram, size_t size, MonoMs now,
              std::string& out);
  void tell_refused(const NotifyAnswer&, const NetAddress& from, MonoMs now);

  NotifySink* sink_;
  Answers answers_;
  HashKey key_;
  StrangerLimit limit_;
  IncomingCounters counters_;
  Log& log_;
  LogGate refused_gate_{1, 60000};
};

}  // namespace pua
