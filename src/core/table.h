// Record table: owns the records, finds them by key. Chained hash over the top bits of a keyed hash; it doubles by
// moving a few buckets with each insertion, so no call ever stalls. Walking goes in hash order, which growth keeps.
#pragma once

#include <functional>
#include <memory>

#include "base/hash.h"
#include "core/publication_record.h"
#include "core/subscription_record.h"

namespace pua {

template <class R>
class Table {
 public:
  // log2_size: of the first table, 1 ... 24.
  Table(uint32_t log2_size, HashKey key);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Top 8 bits from the presentity URI alone, the rest from the whole key: one URI's records stand in one 256th of
  // the table, so that they can be found together without an index of their own.
  uint32_t hash_of(const typename R::Key&) const;
  R* find(const typename R::Key&, uint32_t hash) const;
  R& insert(std::unique_ptr<R>);       // its key must not be there yet; sets nothing but the chain
  std::unique_ptr<R> remove(R&);
  size_t size() const { return size_; }

  // All records of one presentity URI. fn must not insert or remove.
  void of_uri(std::string_view pres_uri, const std::function<void(R&)>& fn) const;
  // Visits up to `limit` records in hash order from `cursor` (0: the beginning), whole buckets at a time. Returns the
  // cursor to go on with, 0 when all were seen. fn must not insert or remove.
  uint64_t walk(uint64_t cursor, uint32_t limit, const std::function<void(R&)>& fn) const;
  uint64_t looked_at() const { return looked_at_; }  // records visited by walks so far

 private:
  using Bucket = std::unique_ptr<R>;
  struct Array {
    Bucket* slots = nullptr;
    uint32_t log2 = 0;
    uint64_t size() const { return slots ? 1ull << log2 : 0; }
  };
  static Array make(uint32_t log2);
  static void drop(Array&);
  Bucket& bucket(uint32_t hash) const;
  void grow_some();

  HashKey key_;
  Array now_, next_;        // next_: being filled; buckets of now_ below moved_ are there already
  uint64_t moved_ = 0;
  size_t size_ = 0;
  mutable uint64_t looked_at_ = 0;
};

extern template class Table<PublicationRecord>;
extern template class Table<SubscriptionRecord>;

}  // namespace pua
