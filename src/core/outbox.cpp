#include "core/outbox.h"

#include <algorithm>

#include "core/policy.h"

namespace pua {

void Outbox::enqueue(Entity& r, std::string_view destination, bool owner) {
  remove(r);
  auto it = destinations_.find(destination);
  if (it == destinations_.end()) {
    auto d = std::make_unique<Destination>();
    d->name = destination;
    it = destinations_.emplace(std::string(destination), std::move(d)).first;
  }
  Destination& d = *it->second;
  (owner ? d.owners : d.background).push_back(r);
  if (d.breaker == Breaker::Closed && !d.linked()) ready_.push_back(d);
}

void Outbox::remove(Entity& r) {
  if (queued(r)) Queue::erase(r);
}

Entity* Outbox::pick(Destination& d) {
  bool background = d.owners.empty() || (d.turn % 4 == 3 && !d.background.empty());
  d.turn++;
  return background ? d.background.pop_front() : d.owners.pop_front();
}

// The destination whose probe is due and for which something waits. Destinations that were not used for long are forgotten
// here, those with a closed breaker too, which were kept because of their failures.
Outbox::Destination* Outbox::next_probe(MonoMs now) {
  while (probes_.next() <= now) {
    Destination& d = *probes_.top();
    if (d.empty() && d.quiet) {   // the time for which it asked for quiet is over, and nothing waits for it
      set_breaker(d, Breaker::Closed, false, now);
      if (d.out == 0) rest(d, now);
      continue;
    }
    bool closed = d.breaker == Breaker::Closed;
    if (!d.empty() && !closed) return &d;
    if (d.empty() && d.out == 0 && now - d.used > kBreakerForget) {
      forget(d);
    } else if (closed) {
      probes_.remove(d);   // it is in use again; finish() will put it here again if need be
    } else {
      probes_.set(d, now + kBreakerMax);
    }
  }
  return nullptr;
}

Entity* Outbox::take(MonoMs now, TxnId& txn) {
  if (out_.size() >= max_) return nullptr;
  Destination* chosen = next_probe(now);
  if (chosen) {
    set_breaker(*chosen, Breaker::Probing, chosen->quiet, now);
  } else {
    while (Destination* d = ready_.pop_front()) {
      if (d->empty()) {  // its records have left the queue, for another destination or at their end
        if (d->out == 0) rest(*d, now);
        continue;
      }
      ready_.push_back(*d);
      chosen = d;
      break;
    }
    if (!chosen) return nullptr;
  }
  chosen->used = now;
  Entity* r = pick(*chosen);
  Out& out = *out_.add();
  out.record = r;
  out.destination = chosen;
  chosen->out++;
  txn = out_.handle(out);
  return r;
}

MonoMs Outbox::next_due() const {
  if (out_.size() >= max_) return kNever;
  if (!ready_.empty()) return 0;  // take() drops those that turn out to be empty
  return probes_.next();
}

Entity* Outbox::finish(TxnId txn, Answer answer, MonoMs now, MonoMs quiet, std::string_view why) {
  Out* out = out_.find(txn);
  if (!out) return nullptr;
  Entity* r = out->record;
  Destination& d = *out->destination;
  out_.remove(*out);
  d.out--;
  if (answer == Answer::Yes) d.failures = 0;
  if (quiet > 0) {
    d.quiet_until = std::max(d.quiet_until, now + quiet);
    set_breaker(d, Breaker::Open, true, now);
  } else if (answer == Answer::Yes) {
    // The answer to a request that left before the server asked for quiet does not end the quiet.
    bool asked = d.quiet && d.breaker == Breaker::Open;
    if (d.breaker != Breaker::Closed && !asked) set_breaker(d, Breaker::Closed, false, now);
  } else if (answer == Answer::No) {
    d.failures++;
    if (d.breaker == Breaker::Probing || (d.breaker == Breaker::Closed && d.failures >= kBreakerTrips))
      set_breaker(d, Breaker::Open, false, now);
  } else if (d.breaker == Breaker::Probing && d.out == 0) {
    set_breaker(d, Breaker::Open, d.quiet, now);
  }
  if (log_) tell(d, answer, why, now);
  if (d.empty() && d.out == 0 && d.breaker == Breaker::Closed) rest(d, now);
  return r;
}

void Outbox::tell(Destination& d, Answer answer, std::string_view why, MonoMs now) {
  if (why.empty()) {
    // The answer to a request that left before the server asked for quiet does not end the quiet.
    if (answer == Answer::Yes && d.breaker == Breaker::Closed) log_->answered(d.spell, d.name, now);
    return;
  }
  log_->failed(d.spell, d.name, why, now);
  if (d.breaker == Breaker::Open)
    log_->left_alone(d.spell, d.name, d.quiet ? std::max<MonoMs>(d.quiet_until - now, 0) : 0, now);
}

// Nothing waits for the destination and no request to it is out: it is forgotten, at once, or after a while if it failed
// lately.
void Outbox::rest(Destination& d, MonoMs now) {
  if (d.failures == 0 && d.spell.idle(now)) return forget(d);
  if (d.linked()) List<Destination>::erase(d);
  probes_.set(d, now + kBreakerForget + 1);
}

// The only writer of Destination::breaker. It puts the destination into ready_ or probes_ accordingly.
void Outbox::set_breaker(Destination& d, Breaker b, bool quiet, MonoMs now) {
  if (d.linked()) List<Destination>::erase(d);
  probes_.remove(d);
  bool was_closed = d.breaker == Breaker::Closed, another_reason = was_closed || d.quiet != quiet;
  if (was_closed && b != Breaker::Closed && !d.owners.empty()) opened_.push_back(d.name);
  if (b != Breaker::Closed && another_reason) (quiet ? holds_ : trips_)++;
  if (b == Breaker::Open) d.wait = another_reason || quiet ? kBreakerFirst : std::min(d.wait * 2, kBreakerMax);
  count(d, -1);
  d.breaker = b;
  d.quiet = quiet;
  count(d, 1);
  if (b == Breaker::Open) probes_.set(d, quiet && d.quiet_until > now ? d.quiet_until : now + d.wait);
  if (b == Breaker::Closed) ready_.push_back(d);
}

void Outbox::count(const Destination& d, int by) {
  if (d.breaker == Breaker::Closed) return;
  uint32_t& n = d.quiet ? quiet_ : open_;
  n = static_cast<uint32_t>(static_cast<int>(n) + by);
}

void Outbox::forget(Destination& d) {
  if (d.linked()) List<Destination>::erase(d);
  probes_.remove(d);
  count(d, -1);
  std::unique_ptr<Destination> gone = std::move(destinations_.extract(destinations_.find(std::string_view(d.name))).mapped());
  if (log_) log_->forgotten(gone->spell, gone->name);   // comes last, because a log callback is the host's code
}

Entity* Outbox::next_held() {
  while (!opened_.empty()) {
    auto it = destinations_.find(std::string_view(opened_.back()));
    if (it != destinations_.end() && it->second->breaker != Breaker::Closed) {
      Destination& d = *it->second;
      if (Entity* r = d.owners.pop_front()) {
        d.background.push_back(*r);
        return r;
      }
    }
    opened_.pop_back();
  }
  return nullptr;
}

Outbox::Held Outbox::held(std::string_view destination) const {
  auto it = destinations_.find(destination);
  if (it == destinations_.end() || it->second->breaker == Breaker::Closed) return Held::No;
  return it->second->quiet ? Held::Quiet : Held::Silent;
}

}  // namespace pua
