// Answers given lately, so that a request that is repeated (its answer was lost) gets the same one and nobody else sees it
// (RFC 3261 section 17.2.2). Bounded: the oldest goes when the room is full.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "base/hash_index.h"
#include "base/time.h"
#include "core/notify_port.h"

namespace pua {

class Answers {
 public:
  // most: answers kept. keep_ms: how long one is repeated, 64 T1 (timer J).
  Answers(size_t most, int64_t keep_ms) : most_(most), keep_ms_(keep_ms) {}

  // key: hash of what makes two requests the same one. null: not known, or too old. Valid until the next call.
  const NotifyAnswer* find(uint64_t key, MonoMs now);
  void keep(uint64_t key, NotifyAnswer answer, MonoMs now);
  size_t size() const { return by_age_.size(); }

 private:
  struct Kept : HashHook {
    Kept(MonoMs t, NotifyAnswer a) : until(t), answer(std::move(a)) {}
    MonoMs until;
    NotifyAnswer answer;
  };
  void forget_oldest();

  size_t most_;
  int64_t keep_ms_;
  std::deque<Kept> by_age_;      // never moved: the index points at them
  HashIndex<Kept> by_key_;
};

}  // namespace pua
