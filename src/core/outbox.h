// Outbox: which record may send next. At most max_in_flight requests are out; behind them a queue that is fair between
// destinations (core/destination.h) and, within one, between owners' requests and refreshes. Two reasons hold a destination back,
// until one request has gone first and was answered: it does not answer (a breaker, with a probe now and then), or it asked for
// quiet by a 503 with Retry-After (RFC 3261 section 21.5.4). What fails is told to a log (core/destination_log.h). Pure.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/list.h"
#include "base/slots.h"
#include "core/destination_log.h"
#include "core/entity.h"
#include "core/sip_port.h"

namespace pua {

class Outbox {
 public:
  // log: may be null.
  explicit Outbox(uint32_t max_in_flight, DestinationLog* log = nullptr) : log_(log) { set_max(max_in_flight); }

  void set_max(uint32_t max) { max_ = std::min(max, Slots<Out>::kMost); }
  // Puts a record at the end of its destination's queue (owner: ahead of refreshes, but never starving them). If it
  // stands in a queue already it moves.
  void enqueue(Entity&, std::string_view destination, bool owner);
  void remove(Entity&);                       // no effect if it is not queued
  bool queued(const Entity& r) const { return static_cast<const QueueHook&>(r).linked(); }

  // The next record that may send now, taken out of the queue and given a transaction; nullptr: none may.
  Entity* take(MonoMs now, TxnId& txn);
  // When take() should be tried again though nothing else happens (a probe); kNever: never.
  MonoMs next_due() const;

  // What a final reply says of the destination: it answers; it is silent; nothing (a failure of our own).
  enum class Answer : uint8_t { Yes, No, Neutral };
  // The record of a transaction that is out; nullptr: unknown (late, or not ours). Frees the slot. quiet: ms for which the server
  // asked to be left alone. why: the request failed, whoever is to blame; empty: it did not.
  Entity* finish(TxnId txn, Answer, MonoMs now, MonoMs quiet = 0, std::string_view why = {});

  // Whether and why the destination is held back: its owners should be told now rather than when it comes back.
  enum class Held : uint8_t { No, Silent, Quiet };
  Held held(std::string_view destination) const;
  // The next owner's record that is held back and whose owner was not told; it goes on waiting among the refreshes.
  Entity* next_held();
  bool any_held() const { return !opened_.empty(); }

  uint32_t in_flight() const { return out_.size(); }
  uint32_t open_count() const { return open_; }           // destinations that do not answer
  uint32_t quiet_count() const { return quiet_; }         // that asked for quiet
  size_t known() const { return destinations_.size(); }   // destinations that are remembered
  uint64_t trips() const { return trips_; }               // times one was found not to answer
  uint64_t holds() const { return holds_; }               // times one asked for quiet

 private:
  using Queue = List<Entity, QueueHook>;
  enum class Breaker : uint8_t { Closed, Open, Probing };
  struct Destination : ListHook {
    std::string name;
    Queue owners, background;
    Breaker breaker = Breaker::Closed;
    bool quiet = false;                       // it is not closed because the server asked for quiet
    uint32_t heap_index = kNotInHeap;         // in probes_: open, and no probe out; or closed and idle, and it failed
    uint32_t out = 0;
    uint32_t failures = 0;                    // in a row
    uint8_t turn = 0;                         // of four, three are the owners'
    MonoMs wait = 0;                          // before the next probe
    MonoMs quiet_until = 0;
    MonoMs used = 0;                          // when something was last sent
    FailureSpell spell;
    bool empty() const { return owners.empty() && background.empty(); }
  };
  struct Out : Slot {                         // a transaction; its handle is the TxnId
    Entity* record = nullptr;
    Destination* destination = nullptr;
  };
  void set_breaker(Destination&, Breaker, bool quiet, MonoMs now);
  void count(const Destination&, int by);
  void tell(Destination&, Answer, std::string_view why, MonoMs now);
  void rest(Destination&, MonoMs now);
  void forget(Destination&);
  Destination* next_probe(MonoMs now);
  Entity* pick(Destination&);

  uint32_t max_ = 0, open_ = 0, quiet_ = 0;
  DestinationLog* log_;
  uint64_t trips_ = 0, holds_ = 0;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::unordered_map<std::string, std::unique_ptr<Destination>, Hash, std::equal_to<>> destinations_;
  List<Destination> ready_;                   // closed, perhaps with something queued; served in turn
  DeadlineHeap<Destination> probes_;
  Slots<Out> out_;
  std::vector<std::string> opened_;           // breakers whose owners are still to be told
};

}  // namespace pua
