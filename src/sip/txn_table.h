// Table of open transactions. Callbacks hold a token (base/slots.h), so that a late one finds nothing instead of somebody
// else's transaction. All deadlines are equally far away, so the order of sending is the order of deadlines: a list.
#pragma once

#include <cstdint>

#include "base/list.h"
#include "base/slots.h"
#include "base/time.h"
#include "sip/digest.h"
#include "sip/endpoint.h"
#include "sip/lane.h"
#include "sip/listener.h"
#include "sip/request.h"
#include "sip/servers.h"

namespace pua {

struct Txn : Slot, ListHook {
  TxnId id = 0;
  // The try that is out is one of these: the lane's, an endpoint's, a listener's.
  UdpLane::Handle lane = 0;
  Endpoint* endpoint = nullptr;
  Endpoint::Handle handle;
  Listener::Out* out = nullptr;
  uint32_t first_cseq = 0, cseq = 0;  // as the caller gave it, as it is on the wire now
  uint32_t tries = 0;                 // so many were made before this one
  uint32_t server = 0;                // which of `servers` it went to
  Servers servers;                    // null: sofia finds the way, or the name is being looked up
  bool locating = false;
  KeptRequest kept;   // only where it may have to be sent again: there are credentials, a name to look up, several servers
  AuthTrail trail;

  MonoMs deadline() const { return deadline_; }

 private:
  friend class TxnTable;
  MonoMs deadline_ = kNever;
};

class TxnTable {
 public:
  // The new transaction: all fields are as made new, but memory is used again. It stays where it is until it is removed.
  // nullptr: as many are open as there may be.
  Txn* add(TxnId id) {
    Txn* t = slots_.add();
    if (!t) return nullptr;
    t->id = id;
    t->lane = 0;
    t->endpoint = nullptr;
    t->handle = {};
    t->out = nullptr;
    t->first_cseq = t->cseq = t->tries = t->server = 0;
    t->servers.reset();
    t->locating = false;
    t->kept.clear();
    t->trail.clear();
    t->deadline_ = kNever;
    return t;
  }

  void remove(Txn& t) {
    if (t.linked()) List<Txn>::erase(t);
    slots_.remove(t);
  }

  // Never 0.
  SlotHandle token(const Txn& t) const { return slots_.handle(t); }
  Txn* find(SlotHandle token) const { return slots_.find(token); }

  // Deadlines must not be set out of order: each is at or after the one set before.
  void set_deadline(Txn& t, MonoMs when) {
    t.deadline_ = when;
    due_.push_back(t);
  }
  MonoMs first_deadline() { return due_.empty() ? kNever : due_.front()->deadline_; }
  Txn* overdue(MonoMs now) { return first_deadline() <= now ? due_.front() : nullptr; }
  Txn* any() { return due_.front(); }
  size_t size() const { return slots_.size(); }

 private:
  Slots<Txn> slots_;
  List<Txn> due_;
};

}  // namespace pua
