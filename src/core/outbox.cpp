#include "core/outbox.h"

#include <algorithm>

#include "core/policy.h"

namespace pua {

void Outbox::enqueue(Record& r, std::string_view destination, bool owner) {
  remove(r);
  auto it = destinations_.find(destination);
  if (it == destinations_.end()) {
    auto d = std::make_unique<Destination>();
    d->name = destination;
    it = destinations_.emplace(std::string(destination), std::move(d)).first;
  }
  Destination& d = *it->second;
  (owner ? d.owners : d.background).push_back(r);
  if (!d.linked()) (d.breaker == Breaker::Closed ? ready_ : blocked_).push_back(d);
}

void Outbox::remove(Record& r) {
  if (queued(r)) Queue::erase(r);
}

Record* Outbox::pick(Destination& d) {
  bool background = d.owners.empty() || (d.turn % 4 == 3 && !d.background.empty());
  d.turn++;
  return background ? d.background.pop_front() : d.owners.pop_front();
}

Record* Outbox::take(MonoMs now, TxnId& txn) {
  if (in_flight_ >= max_) return nullptr;
  Destination* chosen = nullptr;
  blocked_.for_each([&](Destination& d) {
    if (!chosen && d.breaker == Breaker::Open && d.probe_at <= now && !d.empty()) chosen = &d;
  });
  if (chosen) {
    set_breaker(*chosen, Breaker::Probing, now);
  } else {
    while (Destination* d = ready_.pop_front()) {
      if (d->empty()) {  // its records went elsewhere meanwhile
        tidy(*d);
        continue;
      }
      ready_.push_back(*d);
      chosen = d;
      break;
    }
    if (!chosen) return nullptr;
  }
  Record* r = pick(*chosen);
  uint32_t i;
  if (free_ != UINT32_MAX) {
    i = free_;
    free_ = slots_[i].next_free;
  } else {
    i = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  slots_[i].record = r;
  slots_[i].destination = chosen;
  chosen->out++;
  in_flight_++;
  txn = static_cast<TxnId>(slots_[i].generation) << 32 | i;
  return r;
}

MonoMs Outbox::next_due() const {
  if (in_flight_ >= max_) return kNever;
  MonoMs due = kNever;
  const_cast<List<Destination>&>(blocked_).for_each([&](Destination& d) {
    if (d.breaker == Breaker::Open && !d.empty()) due = std::min(due, d.probe_at);
  });
  const_cast<List<Destination>&>(ready_).for_each([&](Destination& d) {
    if (!d.empty()) due = 0;
  });
  return due;
}

Record* Outbox::finish(TxnId txn, bool answered, MonoMs now) {
  uint32_t i = static_cast<uint32_t>(txn), generation = static_cast<uint32_t>(txn >> 32);
  if (i >= slots_.size() || slots_[i].generation != generation || !slots_[i].record) return nullptr;
  Slot& s = slots_[i];
  Record* r = s.record;
  Destination& d = *s.destination;
  s.record = nullptr;
  s.destination = nullptr;
  s.generation = s.generation == UINT32_MAX ? 1 : s.generation + 1;
  s.next_free = free_;
  free_ = i;
  in_flight_--;
  d.out--;
  if (answered) {
    d.failures = 0;
    if (d.breaker != Breaker::Closed) set_breaker(d, Breaker::Closed, now);
  } else {
    d.failures++;
    if (d.breaker == Breaker::Probing || (d.breaker == Breaker::Closed && d.failures >= kBreakerTrips))
      set_breaker(d, Breaker::Open, now);
  }
  if (!d.linked() || d.empty()) tidy(d);
  return r;
}

// The only writer of Destination::breaker; keeps the destination in the list that fits.
void Outbox::set_breaker(Destination& d, Breaker b, MonoMs now) {
  if (d.linked()) List<Destination>::erase(d);
  if (b == Breaker::Open) {
    if (d.breaker == Breaker::Closed) {
      open_++;
      trips_++;
      d.wait = kBreakerFirst;
      opened_.push_back(d.name);
    } else {
      d.wait = std::min(d.wait * 2, kBreakerMax);
    }
    d.probe_at = now + d.wait;
  } else {
    d.probe_at = kNever;
    if (b == Breaker::Closed) open_--;
  }
  d.breaker = b;
  (b == Breaker::Closed ? ready_ : blocked_).push_back(d);
}

void Outbox::tidy(Destination& d) {
  if (!d.empty() || d.out > 0 || d.breaker != Breaker::Closed || d.failures > 0) return;
  if (d.linked()) List<Destination>::erase(d);
  destinations_.erase(destinations_.find(std::string_view(d.name)));
}

bool Outbox::open(std::string_view destination) const {
  auto it = destinations_.find(destination);
  return it != destinations_.end() && it->second->breaker != Breaker::Closed;
}

std::string_view destination_of(std::string_view proxy, std::string_view default_proxy, std::string_view pres_uri) {
  std::string_view uri = !proxy.empty() ? proxy : !default_proxy.empty() ? default_proxy : pres_uri;
  size_t from = uri.find('@');
  if (from == std::string_view::npos) from = uri.find(':');
  uri.remove_prefix(from == std::string_view::npos ? 0 : from + 1);
  return uri.substr(0, uri.find_first_of(";?>"));
}

}  // namespace pua
