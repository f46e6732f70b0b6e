// Deadline heap: a 4-ary heap over (deadline, element) kept in chunks, so that it grows without ever copying itself.
// An element knows its place (`uint32_t heap_index`), which makes re-arming and removal O(log n).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"

namespace pua {

constexpr uint32_t kNotInHeap = UINT32_MAX;

template <class T>  // T has a member uint32_t heap_index, kNotInHeap at first
class DeadlineHeap {
 public:
  bool empty() const { return size_ == 0; }
  uint32_t size() const { return size_; }
  MonoMs next() const { return size_ ? at(0).due : kNever; }
  T* top() const { return size_ ? at(0).item : nullptr; }
  MonoMs due(const T& t) const { return t.heap_index == kNotInHeap ? kNever : at(t.heap_index).due; }

  // Arms, re-arms (any direction) or, with kNever, disarms.
  void set(T& t, MonoMs due) {
    if (due == kNever) return remove(t);
    if (t.heap_index == kNotInHeap) {
      if (size_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<Entry[]>(kChunk));
      t.heap_index = size_++;
      at(t.heap_index) = {due, &t};
      up(t.heap_index);
      return;
    }
    uint32_t i = t.heap_index;
    MonoMs old = at(i).due;
    at(i).due = due;
    if (due < old) up(i); else down(i);
  }

  void remove(T& t) {
    if (t.heap_index == kNotInHeap) return;
    uint32_t i = t.heap_index;
    t.heap_index = kNotInHeap;
    Entry last = at(--size_);
    if (chunks_.size() > 1 && size_ + 2 * kChunk <= chunks_.size() * kChunk) chunks_.pop_back();
    if (i == size_) return;
    MonoMs old = at(i).due;
    place(i, last);
    if (last.due < old) up(i); else down(i);
  }

 private:
  struct Entry {
    MonoMs due = kNever;
    T* item = nullptr;
  };
  static constexpr uint32_t kChunk = 4096;

  Entry& at(uint32_t i) { return chunks_[i / kChunk][i % kChunk]; }
  const Entry& at(uint32_t i) const { return chunks_[i / kChunk][i % kChunk]; }
  void place(uint32_t i, Entry e) {
    at(i) = e;
    e.item->heap_index = i;
  }
  void up(uint32_t i) {
    Entry e = at(i);
    while (i > 0) {
      uint32_t parent = (i - 1) / 4;
      if (at(parent).due <= e.due) break;
      place(i, at(parent));
      i = parent;
    }
    place(i, e);
  }
  void down(uint32_t i) {
    Entry e = at(i);
    for (;;) {
      uint64_t first = 4ull * i + 1;
      if (first >= size_) break;
      uint32_t best = static_cast<uint32_t>(first);
      for (uint32_t c = best + 1; c < first + 4 && c < size_; c++)
        if (at(c).due < at(best).due) best = c;
      if (at(best).due >= e.due) break;
      place(i, at(best));
      i = best;
    }
    place(i, e);
  }

  std::vector<std::unique_ptr<Entry[]>> chunks_;
  uint32_t size_ = 0;
};

}  // namespace pua
