// Slots: places for T that are used again and again, found by handles that go out of date. A handle names a place and how often
// it was used before, so that a handle that was kept for too long finds nothing, and not the element that has the place now.
//
// A place stays where it is in memory. Memory is only allocated when more places are in use than ever before. An element is not
// destroyed when its place is given back: the next user gets it from add() as the last one left it, so that its memory (of
// strings, for instance) is used again.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace pua {

using SlotHandle = uint64_t;  // never 0, which may stand for "none"

// The part of a place that belongs to Slots. T must derive from it.
class Slot {
  template <class T>
  friend class Slots;
  static constexpr uint32_t kInUse = UINT32_MAX, kEnd = UINT32_MAX - 1;
  uint32_t place_ = 0;
  uint32_t generation_ = 1;    // grows when the place is given back
  uint32_t next_free_ = kEnd;  // or kInUse
};

template <class T>
class Slots {
 public:
  static constexpr uint32_t kMost = 1u << 20;

  // most: no more places are in use at a time.
  explicit Slots(uint32_t most = kMost) : most_(most) {}
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // A free place, the one that was given back last; nullptr: as many are in use as there may be.
  T* add() {
    static_assert(std::is_base_of_v<Slot, T>);
    if (free_ == Slot::kEnd && !grow()) return nullptr;
    T& t = at(free_);
    free_ = slot(t).next_free_;
    slot(t).next_free_ = Slot::kInUse;
    size_++;
    return &t;
  }
  // Gives back a place, which must be in use.
  void remove(T& t) {
    Slot& s = t;
    s.generation_ = s.generation_ == UINT32_MAX ? 1 : s.generation_ + 1;
    s.next_free_ = free_;
    free_ = s.place_;
    size_--;
  }

  SlotHandle handle(const T& t) const { return static_cast<uint64_t>(slot(t).generation_) << 32 | slot(t).place_; }
  // The element that the handle was made for, if it still has its place; nullptr for any other number.
  T* find(SlotHandle h) const {
    T* t = in_place(static_cast<uint32_t>(h));
    return t && slot(*t).generation_ == static_cast<uint32_t>(h >> 32) ? t : nullptr;
  }

  // The number of a place, counted from 0, for those who can keep no more than a small number. Later it may name another
  // element.
  uint32_t place(const T& t) const { return slot(t).place_; }
  T* in_place(uint32_t place) const {
    if (place >= places_) return nullptr;
    T& t = at(place);
    return slot(t).next_free_ == Slot::kInUse ? &t : nullptr;
  }
  // Calls fn for each element in use, in the order of places. fn may remove it, or add others.
  template <class F>
  void for_each(F fn) const {
    for (uint32_t i = 0; i < places_; i++)
      if (T* t = in_place(i)) fn(*t);
  }

  uint32_t size() const { return size_; }

 private:
  static constexpr uint32_t kChunk = 16;

  static Slot& slot(T& t) { return t; }
  static const Slot& slot(const T& t) { return t; }
  T& at(uint32_t place) const { return chunks_[place / kChunk][place % kChunk]; }

  bool grow() {
    if (places_ >= most_) return false;
    if (places_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<T[]>(kChunk));
    slot(at(places_)).place_ = places_;
    free_ = places_++;
    return true;
  }

  std::vector<std::unique_ptr<T[]>> chunks_;
  uint32_t most_, places_ = 0, size_ = 0;
  uint32_t free_ = Slot::kEnd;
};

}  // namespace pua
