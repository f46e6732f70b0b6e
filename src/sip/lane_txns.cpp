#include "sip/lane_txns.h"

#include <algorithm>

namespace pua {

LaneTxns::LaneTxns(uint32_t t1, HashKey hash) : t1_(t1), hash_(hash), table_(256), recent_(kRecent) {}

uint64_t LaneTxns::key_of(std::string_view branch) const { return SipHash(hash_).add(branch).finish(); }

// --- the table -------------------------------------------------------------------------------------------------------

LaneTxn* LaneTxns::find(uint64_t key) const {
  for (size_t mask = table_.size() - 1, i = key & mask;; i = (i + 1) & mask) {
    LaneTxn* t = table_[i];
    if (!t || t->key == key) return t;
  }
}

size_t LaneTxns::place_of(const LaneTxn& t) const {
  size_t mask = table_.size() - 1, i = t.key & mask;
  while (table_[i] != &t) i = (i + 1) & mask;
  return i;
}

void LaneTxns::grow() {
  std::vector<LaneTxn*> old(table_.size() * 2);
  old.swap(table_);
  for (LaneTxn* t : old) {
    if (!t) continue;
    size_t mask = table_.size() - 1, i = t->key & mask;
    while (table_[i]) i = (i + 1) & mask;
    table_[i] = t;
  }
}

LaneTxn* LaneTxns::add(uint64_t key, MonoMs now) {
  if (find(key)) return nullptr;
  LaneTxn* added = slots_.add();
  if (!added) return nullptr;
  LaneTxn& t = *added;
  if (size() * 2 > table_.size()) grow();
  t.state = LaneTxn::State::Trying;
  t.key = key;
  t.step = 0;
  t.odd = 0;
  t.waiting = false;
  t.octets.clear();
  t.resend_at = now + t1_;
  t.end_at = now + 64 * static_cast<MonoMs>(t1_);
  size_t mask = table_.size() - 1, i = key & mask;
  while (table_[i]) i = (i + 1) & mask;
  table_[i] = &t;
  link(steps_[0], 0, t);
  link(end_, 1, t);
  return &t;
}

void LaneTxns::remove(LaneTxn& t) {
  // Entries behind the hole that would not be found any more move up.
  size_t mask = table_.size() - 1, hole = place_of(t);
  for (size_t i = (hole + 1) & mask; table_[i]; i = (i + 1) & mask) {
    size_t home = table_[i]->key & mask;
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    table_[hole] = table_[i];
    hole = i;
  }
  table_[hole] = nullptr;
  unlink(steps_[t.step], 0, t);
  unlink(end_, 1, t);
  if (t.octets.capacity() > kKeptOctets) t.octets = std::string();
  slots_.remove(t);
}

void LaneTxns::complete(LaneTxn& t, MonoMs now) {
  recent_[t.key % kRecent] = {t.key, now + static_cast<MonoMs>(kT4 * t1_)};
  remove(t);
}

bool LaneTxns::recent(uint64_t key, MonoMs now) const {
  const Mark& m = recent_[key % kRecent];
  return m.key == key && m.until > now;
}

// --- timers ----------------------------------------------------------------------------------------------------------

void LaneTxns::link(Chain& c, unsigned list, LaneTxn& t) {
  t.prev[list] = c.last;
  t.next[list] = nullptr;
  (c.last ? c.last->next[list] : c.first) = &t;
  c.last = &t;
}

void LaneTxns::unlink(Chain& c, unsigned list, LaneTxn& t) {
  (t.prev[list] ? t.prev[list]->next[list] : c.first) = t.next[list];
  (t.next[list] ? t.next[list]->prev[list] : c.last) = t.prev[list];
}

void LaneTxns::proceed(LaneTxn& t) { t.state = LaneTxn::State::Proceeding; }

LaneTxn* LaneTxns::overdue(MonoMs now) const { return end_.first && end_.first->end_at <= now ? end_.first : nullptr; }

LaneTxn* LaneTxns::resend(MonoMs now) {
  for (Chain& c : steps_) {
    LaneTxn* t = c.first;
    if (!t || t->resend_at > now) continue;
    unlink(c, 0, *t);
    if (t->state == LaneTxn::State::Proceeding) t->step = kSteps - 1;
    else if (t->step + 1u < kSteps) t->step++;
    t->resend_at = now + (static_cast<MonoMs>(t1_) << t->step);
    link(steps_[t->step], 0, *t);
    return t;
  }
  return nullptr;
}

MonoMs LaneTxns::next_due() const {
  MonoMs due = end_.first ? end_.first->end_at : kNever;
  for (const Chain& c : steps_)
    if (c.first) due = std::min(due, c.first->resend_at);
  return due;
}

}  // namespace pua
