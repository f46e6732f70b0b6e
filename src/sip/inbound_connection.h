// One connection from outside: what of it is kept, its deadlines, its octets in and out. InboundServer says what happens when.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/deadline_heap.h"
#include "base/list.h"
#include "base/time.h"
#include "sip/inbound_counters.h"
#include "sip/inbound_frame.h"
#include "sip/inbound_seats.h"
#include "sip/inbound_socket.h"
#include "sip/incoming.h"

struct event;
struct event_base;

namespace pua {

class InboundServer;

struct InboundTimes {
  int64_t silence_ms;  // until a message is whole, or answers are read a little further
  int64_t idle_ms;     // between messages
};

// Written by InboundServer; on its lists by these hooks.
struct InAllConnections : ListHook {};
struct InReadyConnections : ListHook {};

class InboundConnection : public Seat, public InAllConnections, public InReadyConnections {
 public:
  // Fresh ------> Handshake --> Open --> Closing -----> Lingering ----------> Dead
  //  nothing came  TLS only      |        answers of      its octets are          closed, and freed
  //  yet                         |        before go out   forgotten, so that      when nothing of the
  //                              |                        our answer is read      server is on the stack
  //                              +------- FIN, reset, or given up -------------->
  enum class State : uint8_t { Fresh, Handshake, Open, Closing, Lingering, Dead };

  // Octets of answers that wait for the other side to read them: with more, nothing more of it is read.
  static constexpr size_t kMostOut = 16384;
  // A connection that we closed is read on for so long, and so many octets: else its end might overtake our last answer.
  static constexpr int64_t kLingerMs = 2000;
  static constexpr size_t kMostLinger = 256 << 10;
  static constexpr size_t kTlsHandshake = 40960, kTlsState = 16384;   // octets that OpenSSL takes, about: during and after it
  static constexpr uint8_t kMostSteps = 8;

  InboundConnection(InboundServer& server, int fd, const TlsServer* tls, IncomingPort& port, const Peer& from,
                    size_t max_message, MonoMs now);
  ~InboundConnection();

  bool open_events(event_base*);   // false: no memory
  // Lets the loop look for what this connection can go on with.
  void watch();
  // Sends what there is to send. false: it is broken.
  bool flush(std::string& answers, MonoMs now);
  bool blocked() const { return out.size() - sent >= kMostOut; }
  bool unsent() const { return sent < out.size(); }
  // Octets of memory, which are bounded for all connections together. What TLS keeps counts for strangers only: a known
  // connection (inbound_seats.h) is to stay.
  size_t held() const { return held_text() + tls_state(); }
  size_t held_text() const { return heap_of(in) + heap_of(out); }
  // A connection whose first octets were not looked at yet. One whose handshake takes many steps is no newcomer any more.
  bool newcomer() const { return !looked_at && steps < kMostSteps; }
  MonoMs due(const InboundTimes&) const;
  void state(State s) { state_ = s; }
  State state() const { return state_; }

  InboundServer& server;
  InboundSocket socket;
  IncomingPort* port;
  const Peer from;
  Framing framing;
  std::string in;              // an unfinished message, or what there was no time for
  bool unread_in = false;      // `in` may hold whole messages
  std::string out;             // answers, sent up to `sent`
  size_t sent = 0;
  bool wants_write = false;    // TLS cannot go on reading before it has written
  bool ready = false;          // stands in a list of those with something to do
  bool peer_ended = false;     // FIN
  bool greeted = false;        // a first message was whole
  bool looked_at = false;      // octets of it were read, TLS aside
  uint8_t steps = 0;           // of the TLS handshake
  InboundEnd end = InboundEnd::peer;  // why it is Closing
  MonoMs since;                // accepted; or Lingering since
  MonoMs begun_at = kNever;    // when the message began that is not whole yet
  MonoMs active_at;            // when the last message was whole
  MonoMs moved_at = 0;         // when the other side last read something
  size_t discarded = 0;        // octets read while Lingering
  size_t counted = 0;          // of held(), as the server knows it
  uint32_t heap_index = kNotInHeap;

 private:
  size_t tls_state() const { return steps == 0 || known() ? 0 : state_ == State::Handshake ? kTlsHandshake : kTlsState; }
  static size_t heap_of(const std::string& s) { return s.capacity() > std::string().capacity() ? s.capacity() : 0; }
  void set(event* e, bool& is, bool wanted);

  State state_ = State::Fresh;
  event* read_ = nullptr;
  event* write_ = nullptr;
  bool reading_ = false, writing_ = false;
};

}  // namespace pua
