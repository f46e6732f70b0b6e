#include "core/acks.h"

namespace pua {

Outcome OwnedOutcome::view() const {
  Outcome o;
  o.status = status;
  o.reason = reason;
  o.origin = origin;
  o.etag = etag;
  o.granted = granted;
  o.durable = durable;
  o.by_timer = by_timer;
  o.kept = kept;
  o.message = message;
  return o;
}

Acks::~Acks() {
  while (Ack* a = all_.pop_front()) delete a;
}

void Acks::add(Entity& r, uint32_t version, MonoMs deadline, Delivery d) {
  auto a = std::make_unique<Ack>();
  a->record = &r;
  a->version = version;
  a->deadline = deadline;
  a->delivery = std::move(d);
  Ack** at = &r.acks;
  while (*at) at = &(*at)->next_of_record;  // a short walk: a record has one request under way at a time
  *at = a.get();
  all_.push_back(*a.release());
}

// `a` must be the oldest one of its record, as it is in both functions that call this.
std::unique_ptr<Ack> Acks::take(Ack& a) {
  List<Ack>::erase(a);
  a.record->acks = a.next_of_record;
  return std::unique_ptr<Ack>(&a);
}

std::unique_ptr<Ack> Acks::pop() { return all_.empty() ? nullptr : take(*all_.front()); }

std::unique_ptr<Ack> Acks::pop(Entity& r, uint32_t version) {
  if (!r.acks || static_cast<int32_t>(version - r.acks->version) < 0) return nullptr;
  return take(*r.acks);
}

}  // namespace pua
