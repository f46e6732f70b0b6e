// Outbox: which record may send next. At most max_in_flight requests are out; behind them a queue that is fair between
// destinations and, within one, between owners' requests and refreshes; a breaker keeps a destination that does not
// answer down to one probe. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/list.h"
#include "core/entity.h"
#include "core/sip_port.h"

namespace pua {

class Outbox {
 public:
  explicit Outbox(uint32_t max_in_flight) : max_(max_in_flight) {}

  void set_max(uint32_t max) { max_ = max; }
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
  // The record of a transaction that is out; nullptr: unknown (late, or not ours). Frees the slot.
  Entity* finish(TxnId txn, Answer, MonoMs now);

  // True while the destination is held back: its owners should be told now rather than when it comes back.
  bool open(std::string_view destination) const;
  // The next owner's record that is held back and whose owner was not told; it goes on waiting among the refreshes.
  Entity* next_held();
  bool any_held() const { return !opened_.empty(); }

  uint32_t in_flight() const { return in_flight_; }
  uint32_t open_count() const { return open_; }
  size_t known() const { return destinations_.size(); }   // destinations that are remembered
  uint64_t trips() const { return trips_; }

 private:
  using Queue = List<Entity, QueueHook>;
  enum class Breaker : uint8_t { Closed, Open, Probing };
  struct Destination : ListHook {
    std::string name;
    Queue owners, background;
    Breaker breaker = Breaker::Closed;
    uint32_t heap_index = kNotInHeap;         // in probes_: open, and no probe out; or closed and idle, with failures
    uint32_t out = 0;
    uint32_t failures = 0;                    // in a row
    uint8_t turn = 0;                         // of four, three are the owners'
    MonoMs wait = 0;                          // before the next probe
    MonoMs used = 0;                          // when something was last sent
    bool empty() const { return owners.empty() && background.empty(); }
  };
  struct Slot {
    Entity* record = nullptr;
    Destination* destination = nullptr;
    uint32_t generation = 1;
    uint32_t next_free = 0;
  };
  void set_breaker(Destination&, Breaker, MonoMs now);
  void forget(Destination&);
  Destination* next_probe(MonoMs now);
  Entity* pick(Destination&);

  uint32_t max_, in_flight_ = 0, open_ = 0;
  uint64_t trips_ = 0;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::unordered_map<std::string, std::unique_ptr<Destination>, Hash, std::equal_to<>> destinations_;
  List<Destination> ready_;                   // closed, perhaps with something queued; served in turn
  DeadlineHeap<Destination> probes_;
  std::vector<Slot> slots_;
  uint32_t free_ = UINT32_MAX;
  std::vector<std::string> opened_;           // breakers whose owners are still to be told
};

// Where a request for this record goes: its proxy, else the configured one, else the host of the presentity URI.
std::string_view destination_of(std::string_view proxy, std::string_view default_proxy, std::string_view pres_uri);

}  // namespace pua
