// Hook queue: a counted FIFO threaded through StoreHook. A hook stands in at most one; `queue` says in which.
#pragma once

#include <cstddef>

#include "core/store_port.h"

namespace pua {

class HookQueue {
 public:
  explicit HookQueue(StoreHook::Queue name) : name_(name) {}
  HookQueue(const HookQueue&) = delete;
  HookQueue& operator=(const HookQueue&) = delete;

  StoreHook* front() const { return head_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void push_back(StoreHook& h) { insert(h, tail_, nullptr); }
  void push_front(StoreHook& h) { insert(h, nullptr, head_); }
  void erase(StoreHook& h) {
    (h.prev ? h.prev->next : head_) = h.next;
    (h.next ? h.next->prev : tail_) = h.prev;
    h.prev = h.next = nullptr;
    h.queue = StoreHook::Queue::None;
    size_--;
  }

 private:
  void insert(StoreHook& h, StoreHook* before, StoreHook* after) {
    h.prev = before;
    h.next = after;
    (before ? before->next : head_) = &h;
    (after ? after->prev : tail_) = &h;
    h.queue = name_;
    size_++;
  }

  StoreHook* head_ = nullptr;
  StoreHook* tail_ = nullptr;
  size_t size_ = 0;
  StoreHook::Queue name_;
};

}  // namespace pua
