// What is behind Inbound: the listening sockets, the connections, who may come in, and whose turn it is.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline_heap.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log_gate.h"
#include "base/spell.h"
#include "sip/inbound.h"
#include "sip/inbound_connection.h"

struct event;
struct event_base;

namespace pua {

class Log;
class Watchdog;

class InboundServer : public std::enable_shared_from_this<InboundServer> {
 public:
  InboundServer(event_base*, const SipSettings&, Log&, Watchdog*, std::function<MonoMs()> now);
  ~InboundServer();
  Status open();                                               // errors: no_memory
  Status load_tls(const std::string& dir);                     // once; as TlsServer::load
  // fd: bound and listening; owned from now on.
  Status add_door(int fd, bool tls, IncomingPort&);
  void retire();

  void readable(InboundConnection&);
  void writable(InboundConnection&);
  void run_due();
  MonoMs next_due() const;
  void set_max_message(size_t octets);
  InboundCounters counters() const;

 private:
  enum class Phase : uint8_t { Open, Retired };

  // --- whose turn it is ----------------------------------------------------------------------
  // How much is read in one turn of the loop, so that other sockets get their turn however much comes in. Known connections,
  // newcomers (strangers whose first octets have not been looked at), handshakes and other strangers each have a share of their
  // own: none waits for the others. The newest newcomer is served first: where more come than can be served, the oldest will
  // have to give way soon, and an honest one needs one look at its whole NOTIFY to be known.
  struct Share {
    Share(size_t messages_, size_t octets_) : messages_a_turn(messages_), octets_a_turn(octets_) { renew(); }
    void renew() {
      messages = messages_a_turn;
      octets = octets_a_turn;
    }
    bool left() const { return messages > 0 && octets > 0; }
    const size_t messages_a_turn, octets_a_turn;
    size_t messages = 0, octets = 0;
    List<InboundConnection, InReadyConnections> line;
    size_t waiting = 0;
  };
  enum Line : uint8_t { kStrangers, kHandshakes, kNewcomers, kKnown };
  struct Visit {   // of one connection
    Share& share;
    size_t messages, reads;
    MonoMs now;
    bool left() const { return messages > 0 && reads > 0 && share.left(); }
  };
  enum class Step : uint8_t { Again, Wait, Later, Gone };

  // Around each callback: keeps this, and what it closed, until nothing of it is on the stack.
  class Frame {
   public:
    explicit Frame(InboundServer& s) : self_(s.shared_from_this()) { self_->depth_++; }
    ~Frame() {
      if (--self_->depth_ == 0) self_->graves_.clear();
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    std::shared_ptr<InboundServer> self_;
  };

  struct Door {
    int fd;
    event* acceptable;
    bool tls;
    IncomingPort* port;
    InboundServer* server;
  };

  // inbound_server.cpp
  void accept_some(Door&);
  bool admit(Door&, int fd, const Peer& from);
  void make_room(const Peer& from, MonoMs now);
  void short_of_descriptors(MonoMs now);
  void pause(MonoMs now);
  void resume(MonoMs now);
  void end_spells(MonoMs now);
  void expire(InboundConnection&, MonoMs now);
  void hold_less();
  void close(InboundConnection&, InboundEnd);
  void arm();

  // inbound_serve.cpp
  Line line_of(const InboundConnection&) const;
  Share& share_of(const InboundConnection& c) { return shares_[line_of(c)]; }
  void open_turn();
  void end_turn();
  void work();
  void wait_in_line(InboundConnection&);
  void visit(InboundConnection&);
  bool shake_hands(InboundConnection&, MonoMs now);
  Step step(InboundConnection&, Visit&);
  Step received(InboundConnection&, Visit&, std::string_view octets);
  size_t take_messages(InboundConnection&, Visit&, std::string_view in);
  void take_message(InboundConnection&, std::string_view message, MonoMs now);
  void take_head(InboundConnection&, std::string_view head, const Framing::Found&, MonoMs now);
  bool taken(size_t answer) const;     // where it begins in answers_
  void took_notify(InboundConnection&);
  void refuse(InboundConnection&, std::string_view head, const Framing::Found&);
  void tell_unfinished(InboundConnection&, MonoMs now);
  void finish(InboundConnection&, InboundEnd);
  void settle(InboundConnection&, MonoMs now);

  event_base* base_;
  Log& log_;
  Watchdog* watchdog_;
  std::function<MonoMs()> now_;
  const InboundTimes times_;
  size_t max_message_, most_held_;
  const int reserve_;
  std::unique_ptr<TlsServer> tls_;
  std::vector<std::unique_ptr<Door>> doors_;
  Seats seats_;
  List<InboundConnection, InAllConnections> all_;
  DeadlineHeap<InboundConnection> deadlines_;
  std::vector<std::unique_ptr<InboundConnection>> graves_;
  InboundCounters counters_;
  HashKey key_;                     // of our tags
  Share shares_[4];                 // by Line
  bool in_turn_ = false;
  std::string answers_;             // scratch: those of one visit
  std::vector<char> chunk_;         // scratch: octets just read
  event *timer_ = nullptr, *turn_end_ = nullptr, *work_ = nullptr;
  MonoMs armed_ = kNever, resume_at_ = kNever;
  Spell descriptors_short_, seats_short_, address_short_, octets_short_;
  LogGate tls_gate_{1};
  Phase phase_ = Phase::Open;
  unsigned depth_ = 0;
};

}  // namespace pua
