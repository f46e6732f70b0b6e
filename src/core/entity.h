// Entity: what publications and subscriptions have in common: a row, a place in a queue, a deadline, outcomes that wait for a
// commit.
#pragma once

#include <cstdint>
#include <memory>

#include "base/deadline_heap.h"
#include "base/list.h"
#include "core/store_port.h"
#include "core/types.h"

namespace pua {

// One request of an owner, which is completed exactly once. The list in which it stands owns it.
struct Waiter {
  std::unique_ptr<Waiter> next;
  RequestDone done;
  bool superseded = false;
  uint32_t since = 0;                     // low half of the MonoMs at which it was accepted
};

// Waiters in the order they came. The last one's request is the one that counts: it has replaced those of the others.
class WaiterList {
 public:
  WaiterList() = default;
  WaiterList(WaiterList&& o) { append(std::move(o)); }
  WaiterList& operator=(WaiterList&& o) {   // appends (to a list that is empty), because a waiter must never be dropped
    append(std::move(o));
    return *this;
  }
  bool empty() const { return !head_; }
  uint32_t size() const { return size_; }
  void push(RequestDone done, MonoMs now);
  void mark_superseded();                 // marks all waiters that are here now
  void append(WaiterList&& other);
  std::unique_ptr<Waiter> pop();

 private:
  std::unique_ptr<Waiter> head_;
  Waiter* tail_ = nullptr;
  uint32_t size_ = 0;
};

struct Ack;
struct QueueHook : ListHook {};

// It never moves in memory, because the heap, the queues and the table of requests that are out point at it. Only a Keeper
// (core/keeper.h) creates and frees it.
struct Entity : StoreHook, QueueHook {
  explicit Entity(Kind k) : kind(k) {}

  Ack* acks = nullptr;                    // outcomes that wait for a commit, oldest first (core/acks.h)
  int64_t id = 0;                         // of the row
  uint32_t hash = 0;                      // of the key
  uint32_t heap_index = kNotInHeap;
  int32_t source = 0, event = 0;
  uint16_t last_status = 0;
  const Kind kind;
  bool reaping = false;                   // it stands in its keeper's list of records to free
  bool told = false;                      // the log has said that its requests fail,
  uint16_t failing = 0;                   // ... the last one with this status; 0: they do not (core/failure_log.h)
};

}  // namespace pua
