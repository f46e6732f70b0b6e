// Engine: requests in, time, shutdown. What a step's effects mean is in engine_apply.cpp, rows in engine_store.cpp.
#include "core/engine.h"

#include <algorithm>

#include "core/etag.h"
#include "core/policy.h"
#include "core/validate.h"

namespace pua {

namespace {
// Bounds of one run(), which its owner repeats as long as it has time: some 10 us, but up to a millisecond where nothing has
// touched the records for seconds. Then caches and TLB are cold, a virtual machine may have lost the pages (some 100 us each),
// and taking a deadline out touches eight records.
constexpr int kDeliveriesPerRun = 8;
constexpr int kEndPerCall = 1024;        // records looked at for open requests in one call of shutdown_some()
constexpr int kSweepPerRun = 8;          // records left over from loading, told of a silent destination, or withdrawn
constexpr uint32_t kProcessedExtra = 1024;  // octets that processing may add: ids, a version
}  // namespace

struct Engine::Accepted {
  bool removal = false;
  bool has_body = false;
  bool needs_no_body = false;              // an event without a document: its headers are its state
  MonoMs wanted_end = kNever;
  uint32_t version = 0;
  std::string body, tuple_id;
  std::string_view content_type;
};

Engine::Engine(const EngineSettings& s, Ports ports, Entropy entropy)
    : EngineCommon(s, std::move(ports), std::move(entropy)), table_(std::clamp(s.hash_size, 1u, 24u), new_key()),
      subs_(*this, new_key()) {}

Engine::~Engine() = default;

void Engine::reconfigure(const EngineSettings& s) {
  settings_ = s;
  outbox_.set_max(s.max_in_flight);
  announce();
}

// New ids are above all that this table has seen: those of rows that are gone, too, unless there were more than a thousand a
// second. A delete that comes late, of a former process even, then meets no other record's row.
void Engine::start(MonoMs now) {
  next_id_ = std::clamp<int64_t>(now + epoch_offset_, 1, kMaxCountedId);
  loading_ = true;
  ports_.store.load(0, settings_.load_page);
}

// --- requests --------------------------------------------------------------------------------------------------

Status Engine::check(const PublishRequest& q, const EventInfo*& event) const {
  if (closed()) return {Errc::shutting_down, "the instance is shutting down"};
  if (q.source <= 0 || (q.source & (q.source - 1))) return {Errc::bad_argument, "source_flag is not one source bit"};
  event = ports_.bodies.by_flag(q.event);
  if (!event) return {Errc::unknown_event, "event " + std::to_string(q.event) + " is not registered"};
  if (auto s = check_uri("pres_uri", q.pres_uri); !s) return s;
  if (!q.outbound_proxy.empty())
    if (auto s = check_uri("outbound_proxy", q.outbound_proxy); !s) return s;
  if (auto s = check_text("id", q.id, kMaxToken); !s) return s;
  if (auto s = check_text("content_type", q.content_type, kMaxToken); !s) return s;
  if (q.etag.size() > kMaxEtag) return {Errc::too_large, "etag is longer than " + std::to_string(kMaxEtag) + " octets"};
  if (!q.etag.empty() && !usable_etag(q.etag)) return {Errc::bad_header, "etag holds a control character, or a blank at an end"};
  if (auto s = check_headers(q.extra_headers, settings_.max_headers); !s) return s;
  if (q.body)
    if (auto s = check_body(*q.body, settings_.max_body); !s) return s;
  if (q.body && q.body->empty()) return {Errc::bad_body, "body is empty"};
  if (q.body && q.content_type.empty() && event->content_type.empty())
    return {Errc::bad_argument, "content_type is missing and event " + std::string(event->name) + " has no default"};
  if (!q.body && !q.content_type.empty()) return {Errc::bad_argument, "content_type without a body"};
  if (q.expires > INT32_MAX) return {Errc::bad_argument, "expires is out of range"};
  return success();
}

Result<Unit> Engine::prepare_body(const PublishRequest& q, const Place& at, const EventInfo& event, Accepted& a, MonoMs now) {
  const Record* r = at.record;
  a.has_body = true;
  a.version = (r ? std::max(r->doc_version, r->extra && r->extra->waiting ? r->extra->waiting->version : 0) : 0) + 1;
  // The row that may still come counts on from a number we do not know: seconds are beyond any count, and go on growing.
  if (at.maybe_in_table) a.version = std::max(a.version, static_cast<uint32_t>((now + epoch_offset_) / 1000 - 1700000000));
  if (r) a.tuple_id = r->text.get(Record::kTupleId);
  a.content_type = q.content_type == event.content_type ? std::string_view() : q.content_type;
  BodyRequest b{q.event, q.content_type.empty() ? event.content_type : q.content_type,
                *q.body, q.pres_uri, q.id, q.source, a.version, q.publ_info};
  bool unchanged = false;
  auto s = ports_.bodies.process(b, a.body, unchanged, a.tuple_id);
  if (!s) return s;
  if (unchanged) a.body.assign(*q.body);
  if (a.body.size() > settings_.max_body + kProcessedExtra) return {Errc::too_large, "processed body is larger than max_body"};
  return s;
}

// Where the request would go, and whether it may.
Status Engine::admit(const PublishRequest& q, const Accepted& a, uint32_t hash, Place& at) const {
  Record* r = at.record = table_.find({q.source, q.event, q.pres_uri, q.id}, hash);
  bool exists = r && r->pub->state != State::Gone;
  at.maybe_in_table = loading_ && (!r || r->pub->state == State::Idle);
  // Without a body one can only change what is there and not on its way out: a removal that is out, or was answered.
  bool leaving = exists && !(r->extra && r->extra->waiting) &&
                 (r->pub->wanted == Wanted::Leaving || (r->pub->wanted == Wanted::Nothing && r->pub->state == State::Sending));
  if (at.maybe_in_table) {
    if (!q.etag.empty()) return {Errc::loading, "etag cannot be compared yet, the table is being loaded"};
    if (!a.removal && !q.body && leaving && !a.needs_no_body)   // its owner was told that its removal is kept
      return {Errc::no_body, "a new publication needs a body"};
  } else {
    if (!q.etag.empty() && (!exists || r->etag() != q.etag))
      return {Errc::bad_etag, "etag does not match the confirmed one"};
    if (a.removal && !r) return {Errc::no_record, "nothing published under this key"};
    if (!a.removal && !q.body && (!exists || leaving) && !a.needs_no_body)
      return {Errc::no_body, "a new publication needs a body"};
  }
  if (!r)
    if (auto s = room_for_new(table_.size(), !a.removal); !s) return s;
  if (r && r->extra) {
    uint32_t waiting = r->extra->callers.size() + (r->extra->waiting ? r->extra->waiting->callers.size() : 0);
    if (waiting >= settings_.max_waiters)
      return {Errc::too_many_waiters, "max_waiters (" + std::to_string(settings_.max_waiters) + ") is reached"};
  }
  return success();
}

Status Engine::publish(const PublishRequest& q, PublishDone done, MonoMs now) {
  const EventInfo* event = nullptr;
  auto refuse = [&](Status s) {
    count_.rejected++;
    return s;
  };
  if (auto s = check(q, event); !s) return refuse(s);
  uint32_t hash = table_.hash_of({q.source, q.event, q.pres_uri, q.id});
  Accepted a;
  a.removal = q.expires == 0;
  a.wanted_end = q.expires > 0 ? now + q.expires * 1000 : kNever;
  a.needs_no_body = event->content_type.empty() && !q.extra_headers.empty();
  Place at;
  if (auto s = admit(q, a, hash, at); !s) return refuse(s);
  if (q.body && !a.removal) {
    if (auto s = prepare_body(q, at, *event, a, now); !s) return refuse(s);
    // A processor is the host's code, and may have called anything here meanwhile: look again.
    if (closed()) return refuse({Errc::shutting_down, "the instance is shutting down"});
    if (auto s = admit(q, a, hash, at); !s) return refuse(s);
  }
  count_.accepted++;
  if (!at.record) at.record = &create(q, hash);
  Record& r = *at.record;
  if (at.maybe_in_table) {
    if (!outbox_.queued(r)) {
      idle_.push_back(r);
      Row key;   // its row, if there is one, is wanted now and not with its page
      key.flag = r.source;
      key.event = r.event;
      key.pres_uri = r.pres_uri();
      key.pres_id = r.pres_id();
      ports_.store.find(key);
    }
  }
  if (r.pub->state == State::Sending)
    park_request(r, a, q, std::move(done), now);
  else
    take_over(r, a, q, std::move(done), now);
  reap();
  announce();
  return success();
}

Record& Engine::create(const PublishRequest& q, uint32_t hash) {
  auto r = std::make_unique<Record>();
  r->source = q.source;
  r->event = q.event;
  r->hash = hash;
  renew_call(*r);
  std::array<std::string_view, Record::kFields> text{};
  text[Record::kPresUri] = q.pres_uri;
  text[Record::kId] = q.id;
  r->put(text);
  by_state_[static_cast<int>(State::Idle)]++;
  return table_.insert(std::move(r));
}

// Nothing is out: the request becomes what is wanted, at once.
void Engine::take_over(Record& r, Accepted& a, const PublishRequest& q, PublishDone done, MonoMs now) {
  RecordExtra& x = r.need_extra();
  x.callers.mark_superseded();
  x.callers.push(std::move(done), now);
  if (q.cb_param) x.cb_param = q.cb_param;
  if (!a.removal) {
    auto text = r.text.views();
    if (a.has_body) {
      text[Record::kBody] = a.body;
      text[Record::kContentType] = a.content_type;
      text[Record::kTupleId] = a.tuple_id;
      r.whole = r.whole || r.doc_version != a.version;
      r.doc_version = a.version;
    } else if (r.pub->state == State::Gone || !r.pub->publishable) {
      text[Record::kBody] = {};
    }
    if (a.has_body || !q.extra_headers.empty()) text[Record::kExtraHeaders] = q.extra_headers;
    text[Record::kProxy] = q.outbound_proxy;
    r.put(text);
  } else if (!q.outbound_proxy.empty() && r.pub->state != State::Gone) {
    auto text = r.text.views();
    text[Record::kProxy] = q.outbound_proxy;
    r.put(text);
  }
  bool waited_for_row = r.pub->state == State::Idle;
  request(r, a.removal, a.has_body || (!a.removal && a.needs_no_body), a.wanted_end, now);
  if (waited_for_row && !loading_) leave_idle(r, now);
}

void Engine::request(Record& r, bool removal, bool new_body, MonoMs wanted_end, MonoMs now) {
  apply(r, Event{.input = Input::Request, .removal = removal, .new_body = new_body, .wanted_end = wanted_end, .no_row = !loading_}, nullptr, now);
}

void Engine::tell(Record& r, int status, const char* reason, MonoMs now) {
  apply(r, Event{.input = Input::Told, .status = status, .phrase = reason}, nullptr, now);
}

// A request is out: this one waits, in place of those that waited before it.
void Engine::park_request(Record& r, Accepted& a, const PublishRequest& q, PublishDone done, MonoMs now) {
  RecordExtra& x = r.need_extra();
  bool removing = r.pub->wanted != Wanted::Something;
  if (a.removal && removing && !x.waiting) {  // asked for twice: the one that is out answers both
    x.callers.push(std::move(done), now);
    return;
  }
  if (!x.waiting) x.waiting = std::make_unique<WaitingRequest>();
  WaitingRequest& w = *x.waiting;
  w.callers.mark_superseded();
  w.callers.push(std::move(done), now);
  w.removal = a.removal;
  if (q.cb_param) w.cb_param = q.cb_param;
  // A removal that names no way takes back what is there, wherever a publication that waited would have gone.
  w.has_proxy = !a.removal || !q.outbound_proxy.empty();
  w.outbound_proxy = q.outbound_proxy;
  if (a.removal) return;  // a body that waited stays: a later refresh of this key means it
  w.wanted_end = a.wanted_end;
  if (a.has_body) {
    w.has_body = true;
    w.body = std::move(a.body);
    w.content_type = a.content_type;
    w.tuple_id = std::move(a.tuple_id);
    w.version = a.version;
  }
  if (a.has_body || !q.extra_headers.empty()) {
    w.has_headers = true;
    w.extra_headers = q.extra_headers;
  }
}

// The request that was out is done: the newest one that waited takes effect.
void Engine::start_waiting(Record& r, MonoMs now) {
  if (!r.extra || !r.extra->waiting || r.pub->state == State::Sending) return;
  std::unique_ptr<WaitingRequest> w = std::move(r.extra->waiting);
  RecordExtra& x = *r.extra;
  x.callers.mark_superseded();
  x.callers.append(std::move(w->callers));
  if (w->cb_param) x.cb_param = w->cb_param;
  const EventInfo* event = ports_.bodies.by_flag(r.event);
  bool ended = r.pub->wanted != Wanted::Something;   // by the reply, or because it was a removal
  bool state_at_hand = w->has_body || (w->has_headers && event && event->content_type.empty());
  if (w->removal && r.pub->state == State::Gone) return request(r, true, false, kNever, now);
  if (!w->removal && ended && !state_at_hand) return tell(r, 412, "Ended, a body is needed", now);   // nobody said what to publish now
  auto text = r.text.views();
  if (w->has_body) {  // also before a removal: a refresh that comes before it has left means this body
    text[Record::kBody] = w->body;
    text[Record::kContentType] = w->content_type;
    text[Record::kTupleId] = w->tuple_id;
    r.whole = r.whole || r.doc_version != w->version;
    r.doc_version = w->version;
  }
  if (w->has_headers) text[Record::kExtraHeaders] = w->extra_headers;
  if (w->has_proxy) text[Record::kProxy] = w->outbound_proxy;
  r.put(text);
  request(r, w->removal, state_at_hand, w->wanted_end, now);
}

void Engine::observe(int32_t source_mask, EngineObserver fn) { observers_.emplace_back(source_mask, std::move(fn)); }

// --- time ------------------------------------------------------------------------------------------------------

void Engine::fire(Entity& e, MonoMs now) {
  deadlines_.remove(e);
  if (e.kind == Kind::Subscription) return subs_.due(static_cast<Subscription&>(e), now);
  Record& r = static_cast<Record&>(e);
  // In state Intent it is the end of our patience with the store.
  apply(r, Event{.input = r.pub->state == State::Intent ? Input::Proceed : Input::Due}, nullptr, now);
}

void Engine::run(MonoMs now) {
  if (ended()) return;
  if (deadlines_.next() <= now) fire(*deadlines_.top(), now);
  while (acks_.next_due() <= now) ready_.push_back(std::move(acks_.pop()->delivery));
  for (int n = 0; n < kSweepPerRun && !loading_ && !idle_.empty(); n++) leave_idle(*idle_.front(), now);
  for (int n = 0; n < kSweepPerRun; n++) {
    Entity* held = outbox_.next_held();
    if (!held) break;
    if (held->kind == Kind::Subscription) {
      auto& s = static_cast<Subscription&>(*held);
      subs_.unreachable(s, why_held(subs_.destination(s)), now);
    } else {
      Record& r = static_cast<Record&>(*held);
      unreachable(r, why_held(destination(r)), now);
    }
  }
  if (removing_ == Removing::Walk) remove_some(now);
  if (rewrite_ != Rewrite::No) rewrite_some(now);
  if (sweep_due() <= now) sweep_on(now);
  TxnId txn;
  if (Entity* e = outbox_.take(now, txn)) {
    if (deadlines_.due(*e) <= now) {   // its lifetime ends in just this moment
      outbox_.finish(txn, Outbox::Answer::Neutral, now);
      fire(*e, now);
    } else if (e->kind == Kind::Subscription) {
      subs_.send(static_cast<Subscription&>(*e), txn, now);
    } else {
      send(static_cast<Record&>(*e), txn, now);
    }
  }
  reap();
  destination_log_.run(now);
  run_deliveries(now);
  if (!ended()) subs_.run(now);
  if (ended()) return;   // a completion ended the instance
  announced_ = kNever;
  announce();
}

// Whatever was written: where the store keeps nothing, nothing is durable.
Outcome Engine::outcome_of(const Delivery& d) const {
  Outcome o = d.result.view();
  o.durable = o.durable && ports_.store.durable();
  return o;
}

void Engine::run_deliveries(MonoMs now) {
  for (int n = 0; n < kDeliveriesPerRun && !ready_.empty() && !ended(); n++) {
    Delivery d = std::move(ready_.front());
    ready_.pop_front();
    Outcome o = outcome_of(d);
    while (auto w = d.callers.pop()) {
      o.superseded = w->superseded;
      count_.completed++;
      if (o.superseded) count_.superseded++;
      if (!o.durable && ports_.store.durable()) count_.completed_not_durable++;
      measures_.waits.add(int64_t{static_cast<int32_t>(static_cast<uint32_t>(now) - w->since)} * 1000);
      if (w->done) w->done(o);
    }
    o.superseded = false;
    notify(d, o);
  }
}

MonoMs Engine::next_due() const {
  if (ended()) return kNever;
  if (!ready_.empty() || subs_.busy() || outbox_.any_held() || removing_ == Removing::Walk || rewrite_ != Rewrite::No ||
      (!loading_ && !idle_.empty()))
    return 0;
  MonoMs due = std::min({deadlines_.next(), outbox_.next_due(), sweep_due(), destination_log_.next_due()});
  return std::min(due, acks_.next_due());
}

void Engine::announce() {
  if (ended()) return;
  MonoMs due = next_due();
  if (due >= announced_) return;
  announced_ = due;
  if (ports_.wake) ports_.wake(due);
}

// --- the end ---------------------------------------------------------------------------------------------------

void Engine::remove_all() {
  removing_ = Removing::Walk;
  withdraw_cursor_ = 0;
  removing_subs_ = false;
  announce();
}

// A piece of the walk. Rows that are loaded from now on are withdrawn as they come.
void Engine::remove_some(MonoMs now) {
  std::vector<Record*> some;
  if (removing_subs_) {
    if (subs_.remove_some(kSweepPerRun, now)) removing_ = Removing::Walked;
    return;
  }
  withdraw_cursor_ = table_.walk(withdraw_cursor_, kSweepPerRun, [&](Record& r) { some.push_back(&r); });
  removing_subs_ = withdraw_cursor_ == 0;
  for (Record* r : some) {
    bool revived = r->extra && r->extra->waiting;   // a publish may wait behind the removal that is out
    if (r->pub->state == State::Gone || (r->pub->wanted != Wanted::Something && !revived)) continue;
    if (r->extra) r->extra->callers.mark_superseded();
    if (r->pub->state == State::Sending) {
      RecordExtra& x = r->need_extra();
      if (!x.waiting) x.waiting = std::make_unique<WaitingRequest>();
      x.waiting->callers.mark_superseded();
      x.waiting->removal = true;
      x.waiting->has_proxy = false;
    } else {
      request(*r, true, false, kNever, now);
    }
  }
  reap();
}

bool Engine::quiet() const {
  return ready_.empty() && subs_.quiet() && acks_.empty() && outbox_.in_flight() == 0 && by_state_[static_cast<int>(State::Queued)] == 0 &&
         by_state_[static_cast<int>(State::Intent)] == 0 && by_state_[static_cast<int>(State::Idle)] == 0 && removing_ != Removing::Walk &&
         !(removing_ == Removing::Walked && loading_) && !rewriting();
}

bool Engine::shutdown_some() {
  std::deque<Delivery> last;
  if (shutdown_ == Shutdown::No) {
    shutdown_ = Shutdown::Walk;
    stopping_ = true;
    last = std::move(ready_);
    ready_.clear();
    while (auto a = acks_.pop()) last.push_back(std::move(a->delivery));
  }
  if (shutdown_ == Shutdown::Walk) {
    end_cursor_ = table_.walk(end_cursor_, kEndPerCall, [&](Record& r) {
      if (!r.extra) return;
      Delivery d;
      d.callers.append(std::move(r.extra->callers));
      if (r.extra->waiting) d.callers.append(std::move(r.extra->waiting->callers));
      if (d.callers.empty()) return;
      last.push_back(std::move(d));
    });
    if (!end_cursor_) shutdown_ = subs_.size() ? Shutdown::WalkSubs : Shutdown::Over;
  } else if (shutdown_ == Shutdown::WalkSubs) {
    if (subs_.take_callers(kEndPerCall, last)) shutdown_ = Shutdown::Over;
  }
  for (Delivery& d : last) {
    if (!d.result.status) {   // it was still open
      d.result.status = 487;
      d.result.reason = "Shutdown";
      d.result.origin = ReplyOrigin::Shutdown;
    }
    Outcome o = outcome_of(d);
    while (auto w = d.callers.pop()) {
      o.superseded = w->superseded;
      count_.completed++;
      if (w->done) w->done(o);
    }
  }
  return shutdown_ == Shutdown::Over;
}

void Engine::shutdown() {
  while (!shutdown_some()) continue;
}

}  // namespace pua
