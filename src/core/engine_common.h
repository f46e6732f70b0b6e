// What publications and subscriptions share inside the engine: ports, settings, who may send, who waits for a commit.
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
  std::function<void(MonoMs due)> wake;   // run() is wanted at `due` or earlier (0: in the next loop turn)
};

// What the log says of answers that come again and again.
constexpr const char* kWantsLonger = "the server wants a longer lifetime than max_expires allows; kept and tried again";
constexpr const char* kGrantsNothing = "it grants nothing (Expires: 0); kept and tried again";

using EngineObserver = std::function<void(const RecordView&, const Outcome&)>;

// Monotonic deadline <-> seconds of calendar time in a row (0: none), rounded up: never early after a restart.
inline int64_t to_epoch(MonoMs t, int64_t offset) { return t == kNever ? 0 : std::max<int64_t>(1, (t + offset + 999) / 1000); }
inline MonoMs from_epoch(int64_t s, int64_t offset) { return s <= 0 ? kNever : s * 1000 - offset; }
constexpr int64_t kMaxEpoch = 100000000000;   // s: no clock shows more; a later time is damage

struct EngineCommon {
  enum class Removing : uint8_t { No, Walk, Walked };  // remove_all
  enum class Rewrite : uint8_t { No, Publications, Subscriptions };  // every row is written again, piece by piece
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
  // Whether the entity has a row, or may have one soon.
  static bool has_row(const StoreHook& h);
  bool watched(int32_t source) const;
  // Whether there is room for one more, of `size` that are there; with_row: it will have one. Errors: too_many_records,
  // backlog_full.
  Status room_for_new(size_t size, bool with_row = true) const;
  // Hands an outcome on: when the row as it is now is committed, or cannot be. nothing_to_store: at once, durable.
  void deliver(Entity&, Delivery, bool nothing_to_store, MonoMs now);
  void settle_acks(Entity&, uint32_t version, bool ok);
  // One line of the log about a reply (status 0: about the request), if the gate lets it pass.
  void log_reply(LogGate&, LogLevel, const char* method, std::string_view uri, int status, const char* what, MonoMs now);
  // What owners are told whose destination is held back; "": it is not.
  const char* why_held(std::string_view destination) const;
  // Counts what both kinds count alike. sent_at: when the request left.
  void count_final(Method, const SipReply&, MonoMs sent_at, MonoMs now);
  // Why the destination is to be named in the log: it did not answer, could not be reached, or said 5xx. Empty: it is not.
  static std::string failure_of(const SipReply&);

  // What a question about a record that is not in memory is told: as long as the table is being loaded it may still come.
  Error not_here(std::string text) const {
    if (loading_) return {Errc::loading, text + " so far: the table is being loaded"};
    return {Errc::not_found, std::move(text)};
  }

  EngineSettings settings_;
  EnginePorts ports_;
  Entropy entropy_;       // for what others see, and keys
  Random random_;         // for jitter
  HashKey branch_key_;
  DestinationLog destination_log_;
  Outbox outbox_;
  Acks acks_;
  DeadlineHeap<Entity> deadlines_;
  std::deque<Delivery> ready_;
  std::deque<std::pair<int32_t, EngineObserver>> observers_;  // never moved: one may register another
  std::unordered_map<int32_t, uint64_t> kept_aside_;  // event flag -> rows kept aside
  Stats count_;           // but for what is a sum of measures_
  Measures measures_;
  int64_t epoch_offset_ = 0;
  int64_t next_id_ = 1;
  Removing removing_ = Removing::No;
  Rewrite rewrite_ = Rewrite::No;
  Shutdown shutdown_ = Shutdown::No;
  bool loading_ = false;
  std::unordered_set<int64_t> ended_rows_;        // while loading: a page that was read before may bring them again
  bool store_up_ = true;
  bool stopping_ = false;
  mutable std::string destination_;               // of the record asked about last
};

}  // namespace pua
