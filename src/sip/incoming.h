// Incoming: requests from outside as octets, whichever socket brought them. Each is read, put to the sink, and answered at
// once; nothing is kept of it but the answer given to a NOTIFY of a known dialog, for its repetitions (docs/adr/0006, 0014).
//
// Known dialogs come first: their NOTIFYs are always read and answered where they come from a host that we know. Everybody else
// is a stranger, whose requests get one short answer while there are few of them, and none beyond that. A host is known once it
// has answered a request of ours or sent a NOTIFY that was taken: a Call-ID alone may have been seen by anybody on its way.
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
  // One whole message: a datagram, or on a stream what Content-Length says. Appends the response to `out`; leaves it as it was
  // where nothing is answered (an ACK, a response, a stranger beyond the limit). May destroy the caller, which has to find out
  // afterwards whether it still exists.
  virtual void take(std::string_view message, const Peer& from, MonoMs now, std::string& out) = 0;
  // The head of a message, whose body has `left_out` octets, more than can be taken. true: it is a NOTIFY that may be ours,
  // answered as by take(); false: it is not looked at, and nothing is appended.
  virtual bool take_head(std::string_view head, uint64_t left_out, const Peer& from, MonoMs now, std::string& out) = 0;
  // The stream server itself refused a message with this status, because its end could not be found or did not come. head: up
  // to the empty line, and perhaps some of the body. Must not destroy the caller.
  virtual void turned_away(std::string_view /*head*/, const Peer& /*from*/, int /*status*/, const char* /*reason*/, MonoMs) {}
};

struct IncomingCounters {
  uint64_t refused = 0;         // NOTIFYs that the sink could not be shown
  uint64_t others = 0;          // requests that are no NOTIFY
  uint64_t repeated = 0;        // NOTIFYs answered from what was kept
  uint64_t plain = 0, parsed = 0;  // NOTIFYs read by the scanner, by sofia's parser
  uint64_t unanswered = 0;      // requests of strangers that got no answer: too many, or the answer would have been too long
};

class Incoming {
 public:
  // sink and log outlive it. t1: ms. key: unknown outside.
  Incoming(NotifySink& sink, uint32_t t1, HashKey key, Log& log);

  // to: where the message came from; becomes where the answer goes. Otherwise as IncomingPort::take(). The sink must not
  // destroy this object inside.
  void take(std::string_view message, NetAddress& to, bool datagram, MonoMs now, std::string& out);
  // As IncomingPort::take_head(), over a connection.
  bool take_head(std::string_view head, uint64_t left_out, NetAddress& to, MonoMs now, std::string& out);
  // As IncomingPort::turned_away().
  void turned_away(std::string_view head, const NetAddress& from, int status, const char* reason, MonoMs now);

  // That host is known from now on: its requests are answered however many strangers ask.
  void know(const NetAddress& host) { limit_.know(host); }

  const IncomingCounters& counters() const { return counters_; }

 private:
  // Who sent a request, and what that makes of it.
  struct Caller {
    NetAddress& to;       // where it came from; becomes where the answer goes
    bool datagram;
    size_t size;          // octets of the request
    bool ours = false;    // a NOTIFY that names a Call-ID of ours
    bool stranger = true;
    StrangerLimit::Names names() const { return ours ? StrangerLimit::Names::OurDialog : StrangerLimit::Names::Nothing; }
  };
  bool let_in(const Scan&, Caller&, MonoMs now);
  void take_odd(std::string_view message, const Scan&, Caller&, MonoMs now, std::string& out);
  NotifyAnswer take_plain_notify(const Scan&, const NotifyRequest&, Caller&, MonoMs now);
  void too_many(const Scan&, Caller&, MonoMs now, std::string& out);
  NotifyAnswer take_odd_notify(std::string_view message, const Scan&, Caller&, MonoMs now, uint64_t left_out = 0);
  NotifyAnswer show(const NotifyRequest&, Caller&, MonoMs now);
  NotifyAnswer refuse_unread(const Scan&, const NetAddress& from, int status, const char* reason, MonoMs now);
  NotifyAnswer answer_other(std::string_view method);
  void answer(const Scan&, const NotifyAnswer&, Caller&, MonoMs now, std::string& out);
  void tell_refused(const NotifyAnswer&, const NetAddress& from, MonoMs now);
  std::string_view sender(const NetAddress&);

  NotifySink* sink_;
  Answers answers_;
  HashKey key_;
  StrangerLimit limit_;
  IncomingCounters counters_;
  Log& log_;
  LogGate refused_gate_{1, 60000};
  NetAddress sender_;        // of the last NOTIFY
  std::string sender_text_;  // the same as text, made once: most NOTIFYs come from one sender
};

}  // namespace pua
