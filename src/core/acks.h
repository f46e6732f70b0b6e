// Acks: outcomes that wait until the row they speak of is committed. They stand in the order they came, which is the order of
// their deadlines; those of one record are chained as well.
#pragma once

#include <memory>
#include <string>

#include "base/list.h"
#include "core/entity.h"
#include "core/snapshot.h"

namespace pua {

struct OwnedOutcome {                     // an Outcome that owns its strings (core/types.h)
  int status = 0;
  std::string reason, etag;
  ReplyOrigin origin = ReplyOrigin::Local;
  int64_t granted = 0;
  bool durable = false, by_timer = false, kept = false;
  std::shared_ptr<const ReplyMessage> message;
  Outcome view() const;
};

struct Delivery {                         // an outcome on its way to its callers and to observers
  OwnedOutcome result;
  WaiterList callers;
  std::unique_ptr<Snapshot> seen;         // the record as observers are to see it; nullptr: none wants to
};

struct Ack : ListHook {
  Entity* record = nullptr;
  Ack* next_of_record = nullptr;
  uint32_t version = 0;                   // of the row that must be committed
  MonoMs deadline = 0;                    // when the owner is told even without a commit (ack_wait)
  Delivery delivery;
};

class Acks {
 public:
  ~Acks();
  void add(Entity&, uint32_t version, MonoMs deadline, Delivery);
  MonoMs next_due() const { return all_.empty() ? kNever : const_cast<List<Ack>&>(all_).front()->deadline; }
  bool empty() const { return all_.empty(); }
  // Takes out the oldest one, whatever it waits for; nullptr: there is none.
  std::unique_ptr<Ack> pop();
  // Takes out the oldest one of this record, if it waits for this version or an older one.
  std::unique_ptr<Ack> pop(Entity&, uint32_t version);

 private:
  std::unique_ptr<Ack> take(Ack&);
  List<Ack> all_;
};

}  // namespace pua
