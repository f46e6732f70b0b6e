// Outbox: which record may send next. At most max_in_flight requests are out. The others wait in a queue that is fair between
// destinations (core/destination.h) and, within one, between owners' requests and refreshes. A destination is held back for two
// reasons: it does not answer (its breaker is open, and a probe is let through now and then), or it asked for quiet by a 503
// with Retry-After (RFC 3261 section 21.5.4). Both end when one request, sent before all others, has been answered. Failures
// are told to core/destination_log.h. Pure.
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
  // Puts a record at the end of its destination's queue. owner: an owner waits, so that it goes before refreshes, three to one.
  // A record that stands in a queue already moves.
  void enqueue(Entity&, std::string_view destination, bool owner);
  void remove(Entity&);                       // no effect if it is not queued
  bool queued(const Entity& r) const { return static_cast<const QueueHook&>(r).linked(); }

  // Takes the next record that may send now out of its queue, and gives it a transaction; nullptr: none may send.
  Entity* take(MonoMs now, TxnId& txn);
  // When take() is to be called again even if nothing else happens (for a probe); kNever: not at all.
  MonoMs next_due() const;

  // What the end of a request says of the destination. Yes: it answers. No: it is silent. Neutral: nothing, the failure is our
  // own.
  enum class Answer : uint8_t { Yes, No, Neutral };
  // Ends a transaction and frees its slot. Returns its record; nullptr: no such transaction is out. quiet: for how many ms the
  // server asked to be left alone. why: what failed, whoever is to blame; empty: the request did not fail.
  Entity* finish(TxnId txn, Answer, MonoMs now, MonoMs quiet = 0, std::string_view why = {});

  // Whether and why the destination is held back. Owners are told so at once, and not only when it answers again.
  enum class Held : uint8_t { No, Silent, Quiet };
  Held held(std::string_view destination) const;
  // The next record that is held back and whose owner is still to be told; it goes on waiting among the refreshes.
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
    bool quiet = false;                       // the reason why it is held back: the server asked for quiet; else it is silent
    uint32_t heap_index = kNotInHeap;         // in probes_: open without a probe out, or closed and idle, and failed lately
    uint32_t out = 0;
    uint32_t failures = 0;                    // in a row
    uint8_t turn = 0;                         // counts requests: three of four are owners'
    MonoMs wait = 0;                          // from one probe to the next
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
  List<Destination> ready_;                   // closed breakers, perhaps with something queued; served in turn
  DeadlineHeap<Destination> probes_;          // when a probe may leave, or a destination be forgotten
  Slots<Out> out_;
  std::vector<std::string> opened_;           // names of destinations whose owners are still to be told that they are held back
};

}  // namespace pua
