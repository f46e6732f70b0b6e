// Hash index: finds elements by a hash of 64 bits. The caller makes that with a key of its own (base/hash.h), so that nobody
// outside can make many elements with the same one. It is intrusive: an element stands in at most one index for each hook, and
// its node costs no allocation. The index doubles by moving a few buckets with each insertion, so that no call ever stalls.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace pua {

struct HashHook {
  HashHook* hash_next = nullptr;   // in the bucket
  uint64_t index_hash = 0;         // 0: it stands in no index
};

// T derives from HashHook.
template <class T>
class HashIndex {
 public:
  explicit HashIndex(uint32_t log2_size = 4) : now_(make(log2_size)) {}   // of the first table, 1 to 31
  ~HashIndex() {
    free(now_.slots);
    free(next_.slots);
  }
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  size_t size() const { return size_; }

  // It must stand in no index. Several elements may have one hash. Throws std::bad_alloc.
  void add(T& t, uint64_t hash) {
    grow_some();
    HashHook& h = t;
    h.index_hash = hash ? hash : 1;
    HashHook*& b = bucket(h.index_hash);
    h.hash_next = std::exchange(b, &h);
    size_++;
  }
  // No effect if it stands in none.
  void remove(T& t) {
    HashHook& h = t;
    if (!h.index_hash) return;
    HashHook** at = &bucket(h.index_hash);
    while (*at != &h) at = &(*at)->hash_next;
    *at = h.hash_next;
    h = {};
    size_--;
  }

  // The elements of a hash, in no order that means anything: first(hash), then next() of each until nullptr.
  T* first(uint64_t hash) const {
    if (!hash) hash = 1;
    return of(bucket(hash), hash);
  }
  static T* next(const T& t) {
    const HashHook& h = t;
    return of(h.hash_next, h.index_hash);
  }

 private:
  struct Array {
    HashHook** slots = nullptr;
    uint32_t log2 = 0;
    uint64_t size() const { return slots ? 1ull << log2 : 0; }
  };
  static Array make(uint32_t log2) {
    // For large arrays calloc gives zero pages that nobody has touched, so that no time is spent here however large the array
    // is.
    Array a{static_cast<HashHook**>(calloc(1ull << log2, sizeof(HashHook*))), log2};
    if (!a.slots) throw std::bad_alloc();
    return a;
  }
  static T* of(HashHook* h, uint64_t hash) {
    while (h && h->index_hash != hash) h = h->hash_next;
    return static_cast<T*>(h);
  }
  HashHook*& bucket(uint64_t hash) const {
    uint64_t i = hash >> (64 - now_.log2);
    if (i < moved_) return next_.slots[hash >> (64 - next_.log2)];
    return now_.slots[i];
  }
  void grow_some() {
    if (!next_.slots) {
      if (size_ < now_.size() || now_.log2 >= 31) return;
      next_ = make(now_.log2 + 1);
    }
    // With two buckets an insertion it is done before the index must double again.
    for (int n = 0; n < 2 && moved_ < now_.size(); n++, moved_++) {
      while (HashHook* h = now_.slots[moved_]) {
        now_.slots[moved_] = h->hash_next;
        HashHook*& to = next_.slots[h->index_hash >> (64 - next_.log2)];
        h->hash_next = std::exchange(to, h);
      }
    }
    if (moved_ < now_.size()) return;
    free(now_.slots);
    now_ = std::exchange(next_, {});
    moved_ = 0;
  }

  Array now_, next_;     // next_: being filled
  uint64_t moved_ = 0;   // buckets of now_ below this one are in next_
  size_t size_ = 0;
};

}  // namespace pua
