// What publications and subscriptions share inside the engine: ports, settings, the outbox, deadlines, outcomes on their way.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/deadline_heap.h"
#include "base/entropy.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/log_gate.h"
#include "base/random.h"
#include "base/result.h"
#include "core/acks.h"
#include "core/bodies_port.h"
#include "core/destination.h"
#include "core/entity.h"
#include "core/measures.h"
#include "core/outbox.h"
#include "core/sip_port.h"
#include "core/store_port.h"

namespace pua {

struct EnginePorts {
  SipPort& sip;
  StorePort& store;
  BodiesPort& bodies;
  Log& log;
  std::function<void(MonoMs due)> wake;   // asks that run() be called at `due` at the latest (0: in the next turn of the loop)
};

using EngineObserver = std::function<void(const RecordView&, const Outcome&)>;

// A monotonic deadline as a row holds it, in seconds of calendar time (0: none), and back. Rounded up, so that nothing ends
// early after a restart.
inline int64_t to_epoch(MonoMs t, int64_t offset) { return t == kNever ? 0 : std::max<int64_t>(1, (t + offset + 999) / 1000); }
inline MonoMs from_epoch(int64_t s, int64_t offset) { return s <= 0 ? kNever : s * 1000 - offset; }
constexpr int64_t kMaxEpoch = 100000000000;   // s: no clock shows more, so a row with a later time is damaged

struct EngineCommon {
  enum class Removing : uint8_t { No, Walk, Walked };  // how far remove_all() has come
  enum class Rewrite : uint8_t { No, Publications, Subscriptions };  // every row is being marked again, piece by piece
  enum class Shutdown : uint8_t { No, Walk, WalkSubs, Over };

  EngineCommon(const EngineSettings& s, EnginePorts ports, Entropy entropy)
      : settings_(s), ports_(std::move(ports)), entropy_(std::move(entropy)), random_(entropy_()), branch_key_(new_key()),
        destination_log_(ports_.log), outbox_(s.max_in_flight, &destination_log_) {}

  HashKey new_key() {
    uint64_t k0 = entropy_();
    return {k0, entropy_()};
  }

  bool ended() const { return shutdown_ != Shutdown::No; }
  bool closed() const { return ended() || stopping_; }
  // Whether the entity has a row, or its row is marked to be written.
  static bool has_row(const StoreHook& h);
  bool watched(int32_t source) const;   // an observer wants to see outcomes of this source
  // Whether one more record may be made where there are `size`; with_row: it will have a row. Errors: too_many_records,
  // backlog_full.
  Status room_for_new(size_t size, bool with_row = true) const;
  // Delivers an outcome once the row as it is now has been committed (durable), or after ack_wait, or when the write fails (not
  // durable). nothing_to_store: at once, and durable.
  void deliver(Entity&, Delivery, bool nothing_to_store, MonoMs now);
  // The row was committed with this version, or a write of it has failed: outcomes that waited for that are delivered.
  void settle_acks(Entity&, uint32_t version, bool ok);
  // Writes one line to the log about a reply (status 0: about the request). false: the gate or the level held it back.
  bool log_reply(LogGate&, LogLevel, const char* method, std::string_view uri, int status, const char* what, MonoMs now);
  // The reason phrase for owners whose destination is held back; "": it is not held back.
  const char* why_held(std::string_view destination) const;
  // The destination that a request with this next hop goes to (core/destination.h). Most have the same next hop as the one
  // before. Valid until the next question.
  std::string_view destination_of(std::string_view hop) const {
    if (hop != hop_ || hop.empty()) write_destination(hop_.assign(hop), destination_);
    return destination_;
  }
  // Counts how a request ended, and how long its reply took. sent_at: when the request left.
  void count_final(Method, const SipReply&, MonoMs sent_at, MonoMs now);
  // Why the log is to name the destination: it did not answer, could not be reached, or answered 5xx. Empty: it need not.
  static std::string failure_of(const SipReply&);

  // The answer to a question about a record that is not in memory. As long as the table is being loaded it may still come.
  Error not_here(std::string text) const {
    if (loading_) return {Errc::loading, text + " so far: the table is being loaded"};
    return {Errc::not_found, std::move(text)};
  }

  EngineSettings settings_;
  EnginePorts ports_;
  Entropy entropy_;       // for identifiers on the wire, and for keys
  Random random_;         // for jitter
  HashKey branch_key_;
  DestinationLog destination_log_;
  Outbox outbox_;
  Acks acks_;
  DeadlineHeap<Entity> deadlines_;
  std::deque<Delivery> ready_;   // outcomes that are to be delivered now, but for the one under way
  std::deque<std::pair<int32_t, EngineObserver>> observers_;  // a deque: an observer may add another one while it runs
  std::unordered_map<int32_t, uint64_t> kept_aside_;  // event bit -> how many of its rows are kept aside
  Stats count_;           // the counters; those that are sums over measures_, and the gauges, are filled in by stats()
  Measures measures_;
  int64_t epoch_offset_ = 0;
  int64_t next_id_ = 1;
  Removing removing_ = Removing::No;
  Rewrite rewrite_ = Rewrite::No;
  Shutdown shutdown_ = Shutdown::No;
  bool loading_ = false;
  bool lost_in_load_ = false;                     // rows were lost since the load began: those that it brings may be among them
  std::unordered_set<int64_t> ended_rows_;        // ids of rows that ended during the load; a page read before may hold them
  int in_log_ = 0;        // log_reply() is on the stack: the host's callback may call anything, and a record is amid its step
  bool store_up_ = true;
  bool stopping_ = false;
  mutable std::string hop_, destination_;         // what destination_of() was asked last, and said
};

}  // namespace pua
