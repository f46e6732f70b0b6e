// Record table: owns the records and finds them by key. A chained hash table over the top bits of a keyed hash. It doubles by
// moving a few buckets with each insertion, so that no call stalls. Walks go in the order of the hashes, which growth keeps.
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

  // The top 8 bits are made of the presentity URI alone, the rest of the whole key. So all records of one URI stand in one
  // 256th of the table, and are found together without another index.
  uint32_t hash_of(const typename R::Key&) const;
  R* find(const typename R::Key&, uint32_t hash) const;
  R& insert(std::unique_ptr<R>);       // its key must not be there yet; its hash must be set
  std::unique_ptr<R> remove(R&);
  size_t size() const { return size_; }

  // Calls fn for all records of one presentity URI. fn must not insert or remove.
  void of_uri(std::string_view pres_uri, const std::function<void(R&)>& fn) const;
  // Visits records in the order of their hashes from `cursor` on (0: the beginning), whole buckets at a time, until it has seen
  // `limit` of them or many empty buckets. Returns the cursor to go on with, 0: all were seen. fn must not insert or remove.
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
  Array now_, next_;        // next_ is filled while the table grows: the buckets of now_ below moved_ were moved there
  uint64_t moved_ = 0;
  size_t size_ = 0;
  mutable uint64_t looked_at_ = 0;
};

extern template class Table<PublicationRecord>;
extern template class Table<SubscriptionRecord>;

}  // namespace pua
