#include "core/table.h"

#include <cstdlib>
#include <new>
#include <utility>

namespace pua {

template <class R>
typename Table<R>::Array Table<R>::make(uint32_t log2) {
  Array a;
  // For large arrays calloc gives zero pages that nobody has touched, so that no time is spent here however large the array is.
  // All octets zero are an empty unique_ptr on every platform that we build for.
  a.slots = static_cast<Bucket*>(calloc(1ull << log2, sizeof(Bucket)));
  if (!a.slots) throw std::bad_alloc();
  a.log2 = log2;
  return a;
}

template <class R>
void Table<R>::drop(Array& a) {
  free(static_cast<void*>(a.slots));
  a = {};
}

template <class R>
Table<R>::Table(uint32_t log2_size, HashKey key) : key_(key), now_(make(log2_size)) {}

template <class R>
Table<R>::~Table() {
  for (Array* a : {&now_, &next_}) {
    for (uint64_t i = 0; i < a->size(); i++) {
      while (a->slots[i]) a->slots[i] = std::move(a->slots[i]->bucket_next);  // one by one, where a destructor would recurse
    }
    drop(*a);
  }
}

static uint32_t uri_part(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) & 0xff000000u; }

template <class R>
uint32_t Table<R>::hash_of(const typename R::Key& k) const {
  SipHash h(key_);
  h.add(k.pres_uri);
  SipHash uri = h;
  R::add_rest(h, k);
  return uri_part(uri.finish()) | static_cast<uint32_t>(h.finish() >> 40);
}

template <class R>
void Table<R>::of_uri(std::string_view pres_uri, const std::function<void(R&)>& fn) const {
  uint64_t from = uri_part(SipHash(key_).add(pres_uri).finish()), cursor = from;
  do {
    cursor = walk(cursor, 1, [&](R& r) {
      if (r.pres_uri() == pres_uri) fn(r);
    });
  } while (cursor && cursor < from + (1u << 24));
}

template <class R>
typename Table<R>::Bucket& Table<R>::bucket(uint32_t hash) const {
  uint64_t i = static_cast<uint64_t>(hash) >> (32 - now_.log2);
  if (next_.slots && i < moved_) return next_.slots[static_cast<uint64_t>(hash) >> (32 - next_.log2)];
  return now_.slots[i];
}

template <class R>
R* Table<R>::find(const typename R::Key& k, uint32_t hash) const {
  for (R* r = bucket(hash).get(); r; r = r->bucket_next.get()) {
    if (r->hash == hash && r->is(k)) return r;
  }
  return nullptr;
}

template <class R>
void Table<R>::grow_some() {
  if (!next_.slots) {
    if (size_ <= now_.size() || now_.log2 >= 28) return;
    next_ = make(now_.log2 + 1);
    moved_ = 0;
  }
  // With two buckets an insertion it is done before the table must double again.
  for (int n = 0; n < 2 && moved_ < now_.size(); n++) {
    Bucket& from = now_.slots[moved_];
    while (from) {
      Bucket r = std::move(from);
      from = std::move(r->bucket_next);
      Bucket& to = next_.slots[static_cast<uint64_t>(r->hash) >> (32 - next_.log2)];
      r->bucket_next = std::move(to);
      to = std::move(r);
    }
    moved_++;
  }
  if (moved_ == now_.size()) {
    drop(now_);
    now_ = std::exchange(next_, {});
    moved_ = 0;
  }
}

template <class R>
R& Table<R>::insert(std::unique_ptr<R> r) {
  grow_some();
  Bucket& b = bucket(r->hash);
  R& ref = *r;
  r->bucket_next = std::move(b);
  b = std::move(r);
  size_++;
  return ref;
}

template <class R>
std::unique_ptr<R> Table<R>::remove(R& rec) {
  Bucket* at = &bucket(rec.hash);
  while (at->get() != &rec) at = &(*at)->bucket_next;
  std::unique_ptr<R> r = std::move(*at);
  *at = std::move(r->bucket_next);
  size_--;
  return r;
}

template <class R>
uint64_t Table<R>::walk(uint64_t cursor, uint32_t limit, const std::function<void(R&)>& fn) const {
  uint32_t seen = 0;
  uint64_t empty = 0;
  while (cursor <= UINT32_MAX) {
    uint32_t hash = static_cast<uint32_t>(cursor);
    uint32_t log2 = next_.slots && (static_cast<uint64_t>(hash) >> (32 - now_.log2)) < moved_ ? next_.log2 : now_.log2;
    for (R* r = bucket(hash).get(); r; r = r->bucket_next.get()) {
      fn(*r);
      seen++;
      looked_at_++;
    }
    uint64_t width = 1ull << (32 - log2);
    cursor = (cursor / width + 1) * width;
    if (seen >= limit || ++empty > 4ull * limit + 64) break;  // the second bound is for tables with few records
  }
  return cursor > UINT32_MAX ? 0 : cursor;
}

template class Table<PublicationRecord>;
template class Table<SubscriptionRecord>;

}  // namespace pua
