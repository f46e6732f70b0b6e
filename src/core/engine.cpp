#include "core/engine.h"

#include <algorithm>
#include <utility>

namespace pua {

namespace {
// Bounds of one run(), which the caller repeats as long as it has time. One run takes some 10 us, but up to a millisecond where
// nothing has touched the records for seconds: then caches and TLB are cold, a virtual machine may have lost the pages (some
// 100 us each), and taking a deadline out touches eight records.
constexpr int kDeliveriesPerRun = 8;
constexpr int kEndPerCall = 1024;        // records that one call of shutdown_some() searches for open requests
// How many records of each kind of left-over work: whose row did not come, whose destination is held back, that are withdrawn.
constexpr int kSweepPerRun = 8;
}  // namespace

Engine::Engine(const EngineSettings& s, Ports ports, Entropy entropy)
    : EngineCommon(s, std::move(ports), std::move(entropy)), pubs_(*this, new_key()), subs_(*this, new_key()) {}

Engine::~Engine() = default;

void Engine::reconfigure(const EngineSettings& s) {
  settings_ = s;
  outbox_.set_max(s.max_in_flight);
  announce();
}

// New ids begin at the time in milliseconds, and so are larger than all that this table has seen, those of deleted rows
// included, unless more than a thousand rows a second were made. A delete that comes late, even one of an earlier process, then
// meets no other record's row.
void Engine::start(MonoMs now) {
  next_id_ = std::clamp<int64_t>(now + epoch_offset_, 1, kMaxCountedId);
  loading_ = true;
  ports_.store.load(0, settings_.load_page);
}

Status Engine::publish(const PublishRequest& q, RequestDone done, MonoMs now) {
  Status s = pubs_.publish(q, std::move(done), now);
  announce();
  return s;
}

Status Engine::subscribe(const SubscribeRequest& q, RequestDone done, MonoMs now) {
  Status s = subs_.subscribe(q, std::move(done), now);
  announce();
  return s;
}

void Engine::on_unreadable(const NotifyRequest& n, const NotifyAnswer& answer, MonoMs now) {
  subs_.on_unreadable(n, answer, now);
  announce();
}

NotifyAnswer Engine::on_notify(const NotifyRequest& n, MonoMs now) {
  NotifyAnswer a = subs_.on_notify(n, now);
  announce();
  return a;
}

void Engine::observe(int32_t source_mask, EngineObserver fn) { observers_.emplace_back(source_mask, std::move(fn)); }

// --- time ------------------------------------------------------------------------------------------------------

void Engine::fire(Entity& e, MonoMs now) {
  of_kind(e, [&](auto& keeper, auto& r) { keeper.due(r, now); });
}

// Sends the next request that may leave, if there is one.
void Engine::send_one(MonoMs now) {
  TxnId txn;
  Entity* e = outbox_.take(now, txn);
  if (!e) return;
  if (deadlines_.due(*e) <= now) {   // its lifetime has just ended: the deadline decides whether anything is sent at all
    outbox_.finish(txn, Outbox::Answer::Neutral, now);
    return fire(*e, now);
  }
  of_kind(*e, [&](auto& keeper, auto& r) { keeper.send(r, txn, now); });
}

void Engine::run(MonoMs now) {
  if (ended()) return;
  if (deadlines_.next() <= now) fire(*deadlines_.top(), now);
  while (acks_.next_due() <= now) ready_.push_back(std::move(acks_.pop()->delivery));
  pubs_.leave_some(kSweepPerRun, now);
  for (int n = 0; n < kSweepPerRun; n++) {
    Entity* held = outbox_.next_held();
    if (!held) break;
    of_kind(*held, [&](auto& keeper, auto& r) { keeper.unreachable(r, why_held(keeper.destination_of(r)), now); });
  }
  if (removing_ == Removing::Walk) remove_some(now);
  if (rewrite_ != Rewrite::No) rewrite_some(now);
  if (sweep_due() <= now) sweep_on(now);
  send_one(now);
  pubs_.reap();
  destination_log_.run(now);
  run_deliveries(now);
  if (!ended()) {
    subs_.leave_some(kSweepPerRun, now);
    subs_.reap();
    subs_.handlers().run([this] { return ended(); });
  }
  if (ended()) return;   // a completion has called shutdown()
  announced_ = kNever;
  announce();
}

// The outcome as owners see it. Where the store loses everything with the process, no outcome is durable, written or not.
Outcome Engine::outcome_of(const Delivery& d) const {
  Outcome o = d.result.view();
  o.durable = o.durable && ports_.store.durable();
  return o;
}

void Engine::run_deliveries(MonoMs now) {
  for (int n = 0; n < kDeliveriesPerRun && !ready_.empty() && !ended(); n++) {
    deliver_first([&](const Waiter& w, const Outcome& o) {
      if (!o.durable && ports_.store.durable()) count_.completed_not_durable++;
      measures_.waits.add(int64_t{static_cast<int32_t>(static_cast<uint32_t>(now) - w.since)} * 1000);
    });
  }
}

// The one place where callers and observers are called with an outcome. A caller may end the engine: those that have not been
// called yet are then called by shutdown_some(), which finds them by under_way_.
void Engine::deliver_first(const std::function<void(const Waiter&, const Outcome&)>& count) {
  Delivery d = std::move(ready_.front());
  ready_.pop_front();
  Delivery* outer = std::exchange(under_way_, &d);
  Outcome o = outcome_of(d);
  while (auto w = d.callers.pop()) {
    o.superseded = w->superseded;
    count_.completed++;
    if (o.superseded) count_.superseded++;
    count(*w, o);
    if (w->done) w->done(o);
  }
  under_way_ = outer;
  o.superseded = false;
  notify(d, o);
}

void Engine::notify(const Delivery& d, const Outcome& o) {
  if (!d.seen) return;
  for (size_t i = 0; i < observers_.size() && !ended(); i++)
    if (observers_[i].first & d.seen->view.source) observers_[i].second(d.seen->view, o);
}

MonoMs Engine::next_due() const {
  if (ended()) return kNever;
  if (!ready_.empty() || subs_.handlers().busy() || pubs_.waits_for_load() || subs_.waits_for_load() || outbox_.any_held() ||
      removing_ == Removing::Walk || rewrite_ != Rewrite::No)
    return 0;
  return std::min({deadlines_.next(), outbox_.next_due(), sweep_due(), destination_log_.next_due(), acks_.next_due()});
}

void Engine::announce() {
  if (ended()) return;
  MonoMs due = next_due();
  if (due >= announced_) return;
  announced_ = due;
  if (ports_.wake) ports_.wake(due);
}

// --- replies ---------------------------------------------------------------------------------------------------

// What a final reply says of its destination: that it answers, that it does not, or, where the failure is our own, nothing.
static Outbox::Answer answer_of(const SipReply& r) {
  if (r.origin == ReplyOrigin::Wire) return Outbox::Answer::Yes;
  if (r.origin == ReplyOrigin::Timeout) return Outbox::Answer::No;
  return r.origin == ReplyOrigin::Transport && !r.ours ? Outbox::Answer::No : Outbox::Answer::Neutral;
}

// For how many ms no request at all is to be sent to the server. Only the Retry-After of a 503 asks for that (RFC 3261 section
// 21.5.4); that of another reply is about the one request.
static MonoMs quiet_of(const SipReply& r) {
  bool asked = r.origin == ReplyOrigin::Wire && r.status == 503 && r.retry_after > 0;
  return asked ? std::min(r.retry_after, kMaxRetryAfter) * 1000 : 0;
}

void Engine::on_reply(TxnId txn, const SipReply& reply, MonoMs now) {
  if (!ended()) finish(txn, reply, answer_of(reply), now);
}

void Engine::finish(TxnId txn, const SipReply& reply, Outbox::Answer answer, MonoMs now) {
  Entity* entity = outbox_.finish(txn, answer, now, quiet_of(reply), failure_of(reply));
  if (!entity) {
    ports_.log.debug("reply %d for a transaction that is not out", reply.status);
    return;
  }
  of_kind(*entity, [&](auto& keeper, auto& r) { keeper.on_reply(r, reply, now); });
  announce();
}

// --- the end ---------------------------------------------------------------------------------------------------

void Engine::remove_all() {
  removing_ = Removing::Walk;
  pubs_.remove_from_the_first();
  subs_.remove_from_the_first();
  removing_subs_ = false;
  announce();
}

// One piece of the walk of remove_all(). Rows that are loaded from now on are withdrawn when they come (adopt()).
void Engine::remove_some(MonoMs now) {
  if (!removing_subs_) removing_subs_ = pubs_.remove_some(kSweepPerRun, now);
  else if (subs_.remove_some(kSweepPerRun, now)) removing_ = Removing::Walked;
}

bool Engine::quiet() const {
  return ready_.empty() && pubs_.quiet() && subs_.quiet() && acks_.empty() && outbox_.in_flight() == 0 &&
         removing_ != Removing::Walk && !(removing_ == Removing::Walked && loading_) && !rewriting();
}

bool Engine::shutdown_some() {
  if (shutdown_ == Shutdown::No) {
    shutdown_ = Shutdown::Walk;
    stopping_ = true;
    while (auto a = acks_.pop()) ready_.push_back(std::move(a->delivery));
  }
  if (under_way_ && !under_way_->callers.empty()) {   // this is a call of one of its callers
    Delivery rest;
    rest.result = under_way_->result;                 // a copy, because that caller is still looking at it
    rest.callers = std::move(under_way_->callers);
    ready_.push_front(std::move(rest));
  }
  if (shutdown_ == Shutdown::Walk) {
    if (pubs_.take_callers(kEndPerCall, ready_)) shutdown_ = subs_.size() ? Shutdown::WalkSubs : Shutdown::Over;
  } else if (shutdown_ == Shutdown::WalkSubs) {
    if (subs_.take_callers(kEndPerCall, ready_)) shutdown_ = Shutdown::Over;
  }
  while (!ready_.empty()) {
    OwnedOutcome& result = ready_.front().result;
    if (!result.status) {   // its request was still open, so that it has no outcome yet
      result.status = 487;
      result.reason = "Shutdown";
      result.origin = ReplyOrigin::Shutdown;
    }
    deliver_first([](const Waiter&, const Outcome&) {});
  }
  return shutdown_ == Shutdown::Over;
}

void Engine::shutdown() {
  while (!shutdown_some()) continue;
}

}  // namespace pua
