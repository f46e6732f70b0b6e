// Entity: what publications and subscriptions have in common: a row, a place in a queue, a deadline, owners who wait.
#pragma once

#include <cstdint>
#include <memory>

#include "base/deadline_heap.h"
#include "base/list.h"
#include "core/store_port.h"
#include "core/types.h"

namespace pua {

// One owner's request, completed exactly once. Owned by the list it stands in.
struct Waiter {
  std::unique_ptr<Waiter> next;
  RequestDone done;
  bool superseded = false;
  uint32_t since = 0;                     // low half of the MonoMs at which it was accepted
};

// Waiters in the order they came. The last one is the request that counts; the others were replaced by it.
class WaiterList {
 public:
  WaiterList() = default;
  WaiterList(WaiterList&& o) { append(std::move(o)); }
  WaiterList& operator=(WaiterList&& o) {   // only ever into an empty list: a waiter is never dropped
    append(std::move(o));
    return *this;
  }
  bool empty() const { return !head_; }
  uint32_t size() const { return size_; }
  void push(RequestDone done, MonoMs now);
  void mark_superseded();                 // all that are here now
  void append(WaiterList&& other);
  std::unique_ptr<Waiter> pop();

 private:
  std::unique_ptr<Waiter> head_;
  Waiter* tail_ = nullptr;
  uint32_t size_ = 0;
};

struct Ack;
struct QueueHook : ListHook {};

// Never moves in memory: heap, queues and the table of requests out point at it. Only the engine creates and frees it.
struct Entity : StoreHook, QueueHook {
  explicit Entity(Kind k) : kind(k) {}

  Ack* acks = nullptr;                    // outcomes that wait for a commit, oldest first (core/acks.h)
  int64_t id = 0;                         // of the row
  uint32_t hash = 0;                      // of the key
  uint32_t heap_index = kNotInHeap;
  int32_t source = 0, event = 0;
  uint16_t last_status = 0;
  const Kind kind;
  bool reaping = false;                   // in the engine's list of those to free
};

}  // namespace pua
