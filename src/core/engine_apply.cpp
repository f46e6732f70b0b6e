// Engine: one step of a record's machine and what its effects mean. apply() is the only place that calls step().
#include <algorithm>

#include "core/destination.h"
#include "core/engine.h"
#include "core/etag.h"
#include "core/policy.h"

namespace pua {

void Engine::notify(const Delivery& d, const Outcome& o) {
  if (!d.seen) return;
  for (size_t i = 0; i < observers_.size() && !ended(); i++)
    if (observers_[i].first & d.seen->view.source) observers_[i].second(d.seen->view, o);
}

void Engine::apply(Record& r, Event e, const SipReply* reply, MonoMs now, const Row* row) {
  State before = r.pub->state;
  if (!legal(before, e.input)) {
    ports_.log.error("bug: input %s in state %s of record %lld was ignored", input_name(e.input), state_name(before),
                     static_cast<long long>(r.id));
    return;
  }
  coverage_[static_cast<int>(before)][static_cast<int>(e.input)]++;
  e.owner = r.extra && !r.extra->callers.empty();
  e.has_row = has_row(r);
  e.patience = store_up_ ? now + settings_.ack_wait_ms : now;   // a store known to be down is not waited for: the next turn goes on
  e.ask = expires_rule(settings_, r.event);
  Effects fx = r.pub.step(e, random_, now);
  by_state_[static_cast<int>(before)]--;
  by_state_[static_cast<int>(r.pub->state)]++;

  if (fx.leave_queue) outbox_.remove(r);
  if (fx.new_names) renew_call(r);
  if (reply && reply->cseq > r.cseq) r.cseq = reply->cseq;   // digest retries count on
  change_texts(r, fx, reply, row);
  count_.orphans_suspected += fx.orphan;
  write(r, fx.free ? Write::No : fx.write, now);
  if (fx.free) to_reap(r);
  if (fx.ending == Ending::Expired) count_.expired++;
  if (fx.ending == Ending::GivenUp) count_.given_up++;
  if (fx.complete) complete(r, fx, reply, !e.owner, now);
  if (fx.not_kept) settle_acks(r, r.version, false);
  if (fx.enqueue) enqueue(r, now);
  arm(r);
  // Last, because a log callback is the host's code too.
  if (fx.ending == Ending::StateLost) log_reply(lost_gate_, LogLevel::warning, "PUBLISH", r.pres_uri(), 412, "the server lost the state, and there is no body to publish it again", now);
}

void Engine::change_texts(Record& r, const Effects& fx, const SipReply* reply, const Row* row) {
  if (fx.forget_etag) r.text.set(Record::kEtag, {});
  if (fx.take_etag) r.text.set(Record::kEtag, reply->etag);
  if (!row) return;
  auto text = r.text.views();
  text[Record::kEtag] = row->etag;
  if (text[Record::kTupleId].empty()) text[Record::kTupleId] = row->tuple_id;
  if (fx.take_row) {
    text[Record::kBody] = row->body;
    text[Record::kContentType] = row->content_type;
    if (text[Record::kExtraHeaders].empty()) text[Record::kExtraHeaders] = row->extra_headers;   // new ones count
  }
  // Whoever wants it published has said where to, and nothing is the parameter. What only ends goes where it was.
  if (r.pub->wanted != Wanted::Something && text[Record::kProxy].empty()) text[Record::kProxy] = row->outbound_proxy;
  r.put(text);
}

void Engine::write(Record& r, Write how, MonoMs now) {
  if (how == Write::No) return;
  r.version++;
  if (how == Write::Intent) r.intent_version = r.version;
  mark(r, how == Write::Fast || how == Write::Intent ? Lane::Fast : Lane::Bulk, now);
}

// The request under way has its outcome: its callers and the observers get it once the row is safe, or cannot be.
void Engine::complete(Record& r, const Effects& fx, const SipReply* reply, bool by_timer, MonoMs now) {
  Delivery d;
  if (r.extra) d.callers.append(std::move(r.extra->callers));
  bool seen = watched(r.source);
  if (d.callers.empty() && !seen) return;
  OwnedOutcome& out = d.result;
  if (fx.local_status || !reply) {
    out.status = fx.local_status ? fx.local_status : 500;
    out.reason = fx.local_reason;
  } else {
    out.status = reply->status;
    out.reason = reply->reason;
    out.origin = reply->origin;
    out.message = reply->message;
  }
  out.etag = r.etag();
  out.granted = r.pub->state == State::Live ? (r.pub->grant_end - r.pub->sent_at) / 1000 : 0;
  out.by_timer = by_timer;
  out.kept = fx.local_status ? fx.local_status == 503 : r.pub->state == State::Backoff && out.status >= 300;
  if (seen) d.seen = std::make_unique<Snapshot>(view(r, now));
  deliver(r, std::move(d), r.pub->state == State::Gone && !has_row(r), now);
}

// The proxy of a record that names none.
std::string_view Engine::default_proxy(const Record& r) const {
  bool control = (r.source & kControlSources) != 0 && !settings_.presence_server.empty();
  return control ? settings_.presence_server : settings_.outbound_proxy;
}

std::string_view Engine::destination(const Record& r) const {
  write_destination(next_hop(r.proxy(), default_proxy(r), r.pres_uri()), destination_);
  return destination_;
}

void Engine::enqueue(Record& r, MonoMs now) {
  bool owner = r.extra && !r.extra->callers.empty();
  std::string_view to = destination(r);
  const char* why = owner ? why_held(to) : "";
  outbox_.enqueue(r, to, owner && !*why);
  if (*why) unreachable(r, why, now);
}

// The destination is held back: the record stays queued, its owner is told now.
void Engine::unreachable(Record& r, const char* why, MonoMs now) {
  if (!r.extra || r.extra->callers.empty()) return;
  tell(r, 503, why, now);
}

void Engine::mark(Record& r, Lane lane, MonoMs now) { ports_.store.mark(r, lane, now); }

void Engine::arm(Record& r) {
  deadlines_.set(r, r.pub->deadline);
}

uint32_t Engine::next_cseq(const Record& r) const {
  return r.pub->build == Build::Replay ? r.cseq : r.cseq + 1;
}

// A PUBLISH is no dialog: a new Call-ID starts its own CSeq. Taken where it is not known which ones were used already.
void Engine::renew_call(Record& r) {
  r.call_number = entropy_();
  r.tag_number = static_cast<uint32_t>(entropy_());
  r.cseq = 0;
}

// Call-ID and From tag of a record.
void Engine::name_call(const Record& r) const {
  write_names({r.call_number, r.tag_number}, settings_.host, call_id_, from_tag_);
}

void Engine::send(Record& r, TxnId txn, MonoMs now) {
  apply(r, Event{.input = Input::Slot}, nullptr, now);
  r.cseq = next_cseq(r);
  const Publication& p = *r.pub;
  const EventInfo* event = ports_.bodies.by_flag(r.event);
  bool full = p.op == Op::Initial || p.op == Op::Modify;
  name_call(r);
  char branch[kBranchSize];
  SipRequest q;
  q.txn = txn;
  q.method = "PUBLISH";
  q.uri = r.pres_uri();
  q.from_tag = from_tag_;
  q.call_id = call_id_;
  q.cseq = r.cseq;
  q.event = event ? event->name : std::string_view();
  q.expires = p.asked;
  if (p.op != Op::Initial) q.if_match = r.etag();
  if (full && !r.body().empty()) {
    q.body = r.body();
    q.content_type = r.text.get(Record::kContentType);
    if (q.content_type.empty() && event) q.content_type = event->content_type;
  }
  if (p.op != Op::Remove) q.extra_headers = r.text.get(Record::kExtraHeaders);
  std::string fewer;
  if (q.body.empty()) q.extra_headers = without_content_fields(q.extra_headers, fewer);
  q.proxy = !r.proxy().empty() ? r.proxy() : default_proxy(r);
  // A server recognises the request that is repeated after a quick restart by its branch.
  q.branch = write_branch(branch_key_, q, branch);
  switch (p.op) {
    case Op::Initial: count_.requests_initial++; break;
    case Op::Refresh: count_.requests_refresh++; break;
    case Op::Modify: count_.requests_modify++; break;
    case Op::Remove: count_.requests_remove++; break;
    case Op::None: break;
  }
  if (auto s = ports_.sip.send(q); !s) {
    SipReply failed;
    failed.status = 503;
    failed.reason = s.error().message;
    failed.origin = ReplyOrigin::Transport;
    finish(txn, failed, Outbox::Answer::Neutral, now);  // never left: says nothing of the destination
  }
}

// A SIP-ETag was there, and no SIP-If-Match could carry it.
static bool no_use_of_etag(const SipReply& r) { return r.etag_unusable || (!r.etag.empty() && !usable_etag(r.etag)); }

void Engine::count_reply(const SipReply& reply, const Record& r, MonoMs now) {
  count_final(Method::Publish, reply, r.pub->sent_at, now);
  if (reply.origin != ReplyOrigin::Wire) return;
  auto say = [&](LogGate& gate, LogLevel level, const char* what) { log_reply(gate, level, "PUBLISH", r.pres_uri(), reply.status, what, now); };
  switch (classify(reply)) {
    case ReplyClass::Success:
      if (r.pub->op == Op::Remove) break;
      if (no_use_of_etag(reply)) {
        count_.unusable_etag++;
        say(bad_etag_gate_, LogLevel::warning,
            "with a SIP-ETag that cannot be sent back (over 255 octets, or a control character): nobody can refresh or remove this state");
      } else if (reply.etag.empty()) {
        count_.missing_etag++;
        say(etag_gate_, LogLevel::warning, "without SIP-ETag");
      }
      if (reply.expires == 0) say(nothing_gate_, LogLevel::warning, kGrantsNothing);
      if (reply.expires < 0) {
        count_.missing_expires++;
        say(expires_gate_, LogLevel::notice, "without Expires, the asked value counts");
      }
      count_.grants_too_long += reply.expires > r.pub->asked;
      break;
    case ReplyClass::LostState: count_.replies_412++; break;
    case ReplyClass::TooBrief:
      count_.replies_423++;
      if (!longer_to_ask(r.pub->asked, reply.min_expires, expires_rule(settings_, r.event).most)) say(brief_gate_, LogLevel::warning, kWantsLonger);
      break;
    case ReplyClass::Forbidden:
      count_.refused_403_404++;
      say(forbidden_gate_, LogLevel::error, "kept and tried again; is the server complete?");
      break;
    case ReplyClass::Auth:
      count_.auth_failures++;
      say(auth_gate_, LogLevel::error, "credentials are missing or wrong");
      break;
    case ReplyClass::Fatal:
      count_.refused_final++;
      say(fatal_gate_, LogLevel::warning, "the record ends");
      break;
    case ReplyClass::Transient:   // 5xx: the destination is named (core/destination_log.h)
      if (reply.status < 500 || reply.status > 599) say(transient_gate_, LogLevel::notice, "kept and tried again");
      break;
    default: break;
  }
}

// What a final reply says of its destination. Failures that are our own say nothing.
static Outbox::Answer answer_of(const SipReply& r) {
  if (r.origin == ReplyOrigin::Wire) return Outbox::Answer::Yes;
  if (r.origin == ReplyOrigin::Timeout) return Outbox::Answer::No;
  return r.origin == ReplyOrigin::Transport && !r.ours ? Outbox::Answer::No : Outbox::Answer::Neutral;
}

// For how many ms the server is to be left alone, by all requests: RFC 3261 section 21.5.4 says so of a 503. Of other replies
// Retry-After is about what was asked.
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
  if (entity->kind == Kind::Subscription) {
    subs_.on_reply(static_cast<Subscription&>(*entity), reply, now);
    return announce();
  }
  Record* r = static_cast<Record*>(entity);
  r->last_status = static_cast<uint16_t>(reply.status);
  count_reply(reply, *r, now);
  Event e{.input = input_of(classify(reply))};
  e.etag = no_use_of_etag(reply) ? Tag::Unusable : reply.etag.empty() ? Tag::Missing : Tag::Usable;
  e.answered = reply.origin == ReplyOrigin::Wire;
  e.expires = reply.expires;
  e.min_expires = reply.min_expires;
  e.retry_after = reply.retry_after;
  apply(*r, e, &reply, now);
  start_waiting(*r, now);
  reap();
  announce();
}

// Frees ended records that nothing refers to any more.
void Engine::reap() {
  for (size_t i = 0; i < reap_.size(); i++) {
    Record& r = *reap_[i];
    r.reaping = false;
    if (r.pub->state != State::Gone || r.queue != StoreHook::Queue::None) continue;  // born again meanwhile
    settle_acks(r, r.version, true);
    deadlines_.remove(r);
    by_state_[static_cast<int>(State::Gone)]--;
    table_.remove(r);
  }
  reap_.clear();
}

void Engine::to_reap(Record& r) {
  if (r.reaping) return;
  r.reaping = true;
  if (loading_) ended_rows_.insert(r.id);
  reap_.push_back(&r);
}

}  // namespace pua
