// Table of open transactions. A token names a slot and its generation, so that a late callback finds nothing instead of
// somebody else's transaction. Deadlines are equal for all, so the order of sending is the order of deadlines: a list.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/time.h"
#include "sip/digest.h"
#include "sip/endpoint.h"
#include "sip/lane.h"
#include "sip/listener.h"
#include "sip/request.h"
#include "sip/servers.h"

namespace pua {

struct Txn {
  TxnId id = 0;
  // The try that is out is one of these: the lane's, an endpoint's, a listener's.
  UdpLane::Handle lane;
  Endpoint* endpoint = nullptr;
  Endpoint::Handle handle;
  Listener::Out* out = nullptr;
  uint32_t first_cseq = 0, cseq = 0;  // as the caller gave it, as it is on the wire now
  uint32_t tries = 0;                 // so many were made before this one
  uint32_t server = 0;                // which of `servers` it went to
  Servers servers;                    // null: sofia finds the way, or the name is being looked up
  bool locating = false;
  KeptRequest kept;                   // only where it may have to be sent again: credentials, a name to look up, several servers
  AuthTrail trail;

  MonoMs deadline() const { return deadline_; }

 private:
  friend class TxnTable;
  uint32_t slot = 0, generation = 0;
  bool used = false, listed = false;
  MonoMs deadline_ = kNever;
  Txn* prev = nullptr;
  Txn* next = nullptr;
};

class TxnTable {
 public:
  // The new transaction: all fields as made new but for memory that is used again. Stays where it is until removed.
  Txn& add(TxnId id) {
    if (free_.empty()) {
      slots_.emplace_back();
      slots_.back().slot = static_cast<uint32_t>(slots_.size() - 1);
      free_.push_back(&slots_.back());
    }
    Txn& t = *free_.back();
    free_.pop_back();
    t.id = id;
    t.lane = {};
    t.endpoint = nullptr;
    t.handle = {};
    t.out = nullptr;
    t.first_cseq = t.cseq = t.tries = t.server = 0;
    t.servers.reset();
    t.locating = false;
    t.kept.clear();
    t.trail.clear();
    t.generation++;
    t.used = true;
    t.listed = false;
    t.deadline_ = kNever;
    size_++;
    return t;
  }

  void remove(Txn& t) {
    if (t.listed) {
      (t.prev ? t.prev->next : first_) = t.next;
      (t.next ? t.next->prev : last_) = t.prev;
    }
    t.prev = t.next = nullptr;
    t.listed = false;
    t.used = false;
    size_--;
    free_.push_back(&t);
  }

  // Never 0.
  uint64_t token(const Txn& t) const { return static_cast<uint64_t>(t.generation) << 32 | (t.slot + 1); }
  Txn* find(uint64_t token) {
    uint64_t n = token & 0xffffffff;
    if (n == 0 || n > slots_.size()) return nullptr;
    Txn& t = slots_[n - 1];
    return t.used && t.generation == static_cast<uint32_t>(token >> 32) ? &t : nullptr;
  }

  // Deadlines must not be set out of order: each is at or after the one set before.
  void set_deadline(Txn& t, MonoMs when) {
    t.deadline_ = when;
    t.prev = last_;
    t.next = nullptr;
    (last_ ? last_->next : first_) = &t;
    last_ = &t;
    t.listed = true;
  }
  MonoMs first_deadline() const { return first_ ? first_->deadline_ : kNever; }
  Txn* overdue(MonoMs now) { return first_ && first_->deadline_ <= now ? first_ : nullptr; }
  Txn* any() { return first_; }
  size_t size() const { return size_; }

 private:
  std::deque<Txn> slots_;
  std::vector<Txn*> free_;
  Txn* first_ = nullptr;
  Txn* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace pua
