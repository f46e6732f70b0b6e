// Subscriptions: one step of a machine and what its effects mean. apply() is the only place that calls sub::step().
#include <algorithm>

#include "core/destination.h"
#include "core/identifiers.h"
#include "core/notify_fields.h"
#include "core/policy.h"
#include "core/subscriptions.h"
#include "core/validate.h"

namespace pua {

static constexpr std::string_view kAcceptLists = ", multipart/related, application/rlmi+xml";   // RFC 4662 section 5.1


void Subscriptions::apply(Subscription& s, sub::Event e, const SipReply* reply, MonoMs now) {
  sub::State before = s.m->state;
  if (!sub::legal(before, e.input)) {
    c_.ports_.log.error("bug: input %s in state %s of subscription %lld was ignored", sub::input_name(e.input),
                        sub::state_name(before), static_cast<long long>(s.id));
    return;
  }
  coverage_[static_cast<int>(before)][static_cast<int>(e.input)]++;
  e.owner = s.extra && !s.extra->callers.empty();
  e.has_row = EngineCommon::has_row(s);
  e.patience = c_.store_up_ ? now + c_.settings_.ack_wait_ms : now;
  e.ask = expires_rule(c_.settings_, s.event);
  e.timer_n = timer_n();
  sub::Effects fx = s.m.step(e, c_.random_, now);
  by_state_[static_cast<int>(before)]--;
  by_state_[static_cast<int>(s.m->state)]++;

  if (fx.dialog_changed) s.whole = true;   // only a confirmed dialog's tag, target and route set are in the row
  if (fx.leave_queue) c_.outbox_.remove(s);
  if (reply && reply->cseq > s.cseq) s.cseq = reply->cseq;   // digest retries count on
  if (fx.skip_cseqs) skip_cseqs(s);
  if (fx.new_names && s.m->state == sub::State::Gone) unindex(s);
  else if (fx.new_names) renew_dialog(s);
  if (fx.take_dialog && reply) take_dialog(s, *reply);
  write(s, fx.write, now);
  if (fx.free) to_reap(s);
  if (fx.outcome == sub::Outcome::Expired) c_.count_.expired++;
  if (fx.complete) complete(s, fx, reply, !e.owner, now);
  if (fx.not_kept) c_.settle_acks(s, s.version, false);
  if (fx.enqueue) enqueue(s, now);
  arm(s);
  if (fx.outcome != sub::Outcome::No) report(s, fx.outcome, reply ? reply->status : 0, now);   // last: a log callback is the host's code
}

void Subscriptions::take_dialog(Subscription& s, const SipReply& reply) {
  auto text = s.text.views();
  if (s.m->op == sub::Op::Initial) {
    text[Subscription::kRemoteTag] = reply.to_tag;
    text[Subscription::kRouteSet] = reply.route_set;
  }
  if (can_be_target(reply.contact)) text[Subscription::kRemote] = reply.contact;
  s.put(text);
}

void Subscriptions::write(Subscription& s, Write how, MonoMs now) {
  if (how == Write::No) return;
  s.version++;
  if (how == Write::Intent) s.intent_version = s.version;
  mark(s, how == Write::Fast || how == Write::Intent ? Lane::Fast : Lane::Bulk, now);
}

void Subscriptions::tell(Subscription& s, int status, const char* reason, MonoMs now) {
  apply(s, {.input = sub::Input::Told, .status = status, .phrase = reason}, nullptr, now);
}

void Subscriptions::complete(Subscription& s, const sub::Effects& fx, const SipReply* reply, bool by_timer, MonoMs now) {
  Delivery d;
  if (s.extra) d.callers.append(std::move(s.extra->callers));
  bool seen = c_.watched(s.source);
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
  bool granted = s.m->state == sub::State::Live || s.m->state == sub::State::Waiting;
  out.granted = granted ? std::max<int64_t>(0, (s.m->grant_end - s.m->sent_at) / 1000) : 0;
  out.by_timer = by_timer;
  out.kept = fx.local_status ? fx.local_status == 503 : s.m->state == sub::State::Backoff && out.status >= 300;
  if (seen) d.seen = std::make_unique<Snapshot>(view(s, now));
  bool nothing_to_store = s.m->state != sub::State::Idle && sub::row_over(*s.m) && !EngineCommon::has_row(s);   // Idle: there may be a row
  c_.deliver(s, std::move(d), nothing_to_store, now);
}

void Subscriptions::report(Subscription& s, sub::Outcome outcome, int status, MonoMs now) {
  auto say = [&](LogGate& gate, LogLevel level, const char* what) {
    c_.log_reply(gate, level, "SUBSCRIBE", s.pres_uri(), status, what, now);
  };
  switch (outcome) {
    case sub::Outcome::NotifyMissing: {
      c_.count_.notifies_missing++;
      std::string what = "no NOTIFY came to " + std::string(contact_of(s)) +
                         " in time. Can the notifier reach that address? Some send NOTIFYs to where the request came from (NAT fix-ups)";
      say(missing_gate_, LogLevel::warning, what.c_str());
      break;
    }
    case sub::Outcome::DialogLost:
      c_.count_.dialogs_lost++;
      say(ended_gate_, LogLevel::notice, "the dialog is lost, a new one is made");
      break;
    case sub::Outcome::Deaf:
      c_.count_.dialogs_deaf++;
      say(deaf_gate_, LogLevel::warning, "its NOTIFYs cannot be taken, one after the other: the dialog is ended, and a new one made");
      break;
    case sub::Outcome::EndsAgain:
      say(looping_gate_, LogLevel::warning, "the notifier ends its dialogs as soon as they are made: new ones are made more and more seldom");
      break;
    case sub::Outcome::Stands: say(stands_gate_, LogLevel::notice, "its dialogs stand again"); break;
    case sub::Outcome::Rejected:
      say(ended_gate_, LogLevel::notice, "the notifier ended the subscription for good");
      break;
    default: break;
  }
}

// --- the dialog's names --------------------------------------------------------------------------------------------

uint64_t Subscriptions::dialog_hash(std::string_view call_id) const {
  uint64_t h = SipHash(key_).add(call_id).finish();
  return h ? h : 1;
}

void Subscriptions::index(Subscription& s) {
  s.dialog_hash = dialog_hash(s.call_id());
  dialogs_.emplace(s.dialog_hash, &s);
}

void Subscriptions::unindex(Subscription& s) {
  if (!s.dialog_hash) return;
  for (auto [at, end] = dialogs_.equal_range(s.dialog_hash); at != end; ++at) {
    if (at->second != &s) continue;
    dialogs_.erase(at);
    break;
  }
  s.dialog_hash = 0;
}

// A dialog that nobody has seen yet. NOTIFYs of the old one are answered 481 from now on.
void Subscriptions::renew_dialog(Subscription& s) {
  unindex(s);
  uint64_t call = c_.entropy_();
  char call_id[kCallIdSize + 1], tag[9];
  write_names({call, static_cast<uint32_t>(c_.entropy_())}, c_.settings_.host, call_id, tag);
  auto text = s.text.views();
  text[Subscription::kCallId] = call_id;
  text[Subscription::kLocalTag] = tag;
  text[Subscription::kRemoteTag] = text[Subscription::kRemote] = text[Subscription::kRouteSet] = {};
  s.put(text);
  s.cseq = s.remote_cseq = 0;
  s.has_doc = s.has_remote_cseq = false;
  s.stale = 0;
  index(s);
}

// --- going out -----------------------------------------------------------------------------------------------------

std::string_view Subscriptions::contact_of(const Subscription& s) const {
  std::string_view own = s.text.get(Subscription::kContact);
  return own.empty() ? std::string_view(c_.settings_.contact) : own;
}

// That run may have gone on under these names.
void Subscriptions::skip_cseqs(Subscription& s) { s.cseq += s.extra->cseq_jump; }

// The server that the request goes to first.
std::string_view Subscriptions::destination(const Subscription& s) const {
  bool in_dialog = s.m->dialog == sub::Dialog::Confirmed;
  std::string_view hop = in_dialog ? first_route(s.text.get(Subscription::kRouteSet)) : std::string_view();
  std::string_view remote = s.text.get(Subscription::kRemote);
  if (hop.empty()) hop = next_hop(s.proxy(), c_.settings_.outbound_proxy, in_dialog && !remote.empty() ? remote : s.target());
  write_destination(hop, c_.destination_);
  return c_.destination_;
}

void Subscriptions::enqueue(Subscription& s, MonoMs now) {
  bool owner = s.extra && !s.extra->callers.empty();
  std::string_view to = destination(s);
  const char* why = owner ? c_.why_held(to) : "";
  c_.outbox_.enqueue(s, to, owner && !*why);
  if (*why) unreachable(s, why, now);
}

void Subscriptions::unreachable(Subscription& s, const char* why, MonoMs now) {
  if (!s.extra || s.extra->callers.empty()) return;
  tell(s, 503, why, now);
}

void Subscriptions::mark(Subscription& s, Lane lane, MonoMs now) { c_.ports_.store.mark(s, lane, now); }

void Subscriptions::arm(Subscription& s) {
  c_.deadlines_.set(s, s.m->deadline);
}

void Subscriptions::due(Subscription& s, MonoMs now) {
  // In state Intent it is the end of our patience with the store.
  apply(s, {.input = s.m->state == sub::State::Intent ? sub::Input::Proceed : sub::Input::Due}, nullptr, now);
}

void Subscriptions::send(Subscription& s, TxnId txn, MonoMs now) {
  const sub::Dialogue& m = *s.m;
  apply(s, {.input = sub::Input::Slot}, nullptr, now);
  if (m.build != sub::Build::Replay) s.cseq++;
  bool written = s.queue == StoreHook::Queue::Batch || (s.queue == StoreHook::Queue::None && s.written_version != 0);
  if (m.op == sub::Op::Initial && written) {
    s.version++;   // the row was written while the request waited for its turn: say that it is out now
    mark(s, Lane::Bulk, now);
  }
  const EventInfo* event = c_.ports_.bodies.by_flag(s.event);
  bool in_dialog = m.op == sub::Op::Refresh || m.op == sub::Op::Remove;
  std::string event_value(event ? event->name : std::string_view());
  if (!s.text.get(Subscription::kEventId).empty()) event_value.append(";id=").append(s.text.get(Subscription::kEventId));
  SipRequest q;
  q.txn = txn;
  q.method = "SUBSCRIBE";
  q.uri = in_dialog && !s.text.get(Subscription::kRemote).empty() ? s.text.get(Subscription::kRemote) : s.target();
  q.from = s.text.get(Subscription::kWatcher);
  q.to = s.to_uri();
  if (in_dialog) {
    q.to_tag = s.remote_tag();
    q.route_set = s.text.get(Subscription::kRouteSet);
  }
  q.from_tag = s.text.get(Subscription::kLocalTag);
  q.call_id = s.call_id();
  q.cseq = s.cseq;
  q.event = event_value;
  q.expires = m.asked;
  q.contact = contact_of(s);
  q.extra_headers = s.text.get(Subscription::kExtraHeaders);
  std::string with_lists;
  if (event && !has_header(q.extra_headers, "Accept")) {   // else the owner's says it all
    q.accept = event->accept;
    if (!event->accept.empty() && asks_for_list(q.extra_headers)) q.accept = with_lists.append(event->accept).append(kAcceptLists);
  }
  q.allow_events = c_.ports_.bodies.allow_events();
  if (m.op != sub::Op::Remove) {
    q.body = s.text.get(Subscription::kBody);
    q.content_type = s.text.get(Subscription::kContentType);
  }
  std::string fewer;
  if (q.body.empty()) q.extra_headers = without_content_fields(q.extra_headers, fewer);
  q.proxy = !s.proxy().empty() ? s.proxy() : std::string_view(c_.settings_.outbound_proxy);
  char branch[kBranchSize];
  q.branch = write_branch(c_.branch_key_, q, branch);
  switch (m.op) {
    case sub::Op::Initial: c_.count_.subscribes_initial++; break;
    case sub::Op::Refresh: c_.count_.subscribes_refresh++; break;
    case sub::Op::Fetch: c_.count_.subscribes_fetch++; break;
    case sub::Op::Remove: c_.count_.subscribes_remove++; break;
    case sub::Op::None: break;
  }
  if (auto st = c_.ports_.sip.send(q); !st) {
    SipReply failed;
    failed.status = 503;
    failed.reason = st.error().message;
    failed.origin = ReplyOrigin::Transport;
    c_.outbox_.finish(txn, Outbox::Answer::Neutral, now, 0, c_.failure_of(failed));   // never left: no fault of the destination's
    on_reply(s, failed, now);
  }
}

void Subscriptions::count_reply(const Subscription& s, const SipReply& reply, sub::Input input, MonoMs now) {
  c_.count_final(Method::Subscribe, reply, s.m->sent_at, now);
  if (reply.origin != ReplyOrigin::Wire) return;
  auto say = [&](LogGate& gate, LogLevel level, const char* what) {
    c_.log_reply(gate, level, "SUBSCRIBE", s.pres_uri(), reply.status, what, now);
  };
  switch (input) {
    case sub::Input::Success:
      c_.count_.grants_too_long += reply.expires > s.m->asked;
      if (s.m->asked > 0 && reply.expires == 0) say(nothing_gate_, LogLevel::warning, kGrantsNothing);
      break;
    case sub::Input::TooBrief:
      c_.count_.replies_423++;
      if (!longer_to_ask(s.m->asked, reply.min_expires, expires_rule(c_.settings_, s.event).most)) say(brief_gate_, LogLevel::warning, kWantsLonger);
      break;
    case sub::Input::Forbidden:
      c_.count_.refused_403_404++;
      say(forbidden_gate_, LogLevel::error, "kept and tried again; is the server complete?");
      break;
    case sub::Input::Auth:
      c_.count_.auth_failures++;
      say(auth_gate_, LogLevel::error, "credentials are missing or wrong");
      break;
    case sub::Input::Fatal:
      c_.count_.refused_final++;
      say(fatal_gate_, LogLevel::warning, "the subscription ends");
      break;
    case sub::Input::Transient:   // 5xx: the destination is named (core/destination_log.h)
      if (reply.status < 500 || reply.status > 599) say(transient_gate_, LogLevel::notice, "kept and tried again");
      break;
    default: break;
  }
}

void Subscriptions::on_reply(Subscription& s, const SipReply& reply, MonoMs now) {
  s.last_status = static_cast<uint16_t>(reply.status);
  sub::Event e{.input = sub::input_of(reply, s.m->op)};
  count_reply(s, reply, e.input, now);
  e.has_dialog = !reply.to_tag.empty() && reply.to_tag.size() <= kMaxToken;
  if (e.input == sub::Input::Success && s.m->op == sub::Op::Initial && s.m->dialog == sub::Dialog::Early && !e.has_dialog)
    c_.log_reply(no_dialog_gate_, LogLevel::warning, "SUBSCRIBE", s.pres_uri(), reply.status,
                 "no dialog can be made of its To tag and Record-Route, only of a NOTIFY", now);
  e.expires = reply.expires;
  e.min_expires = reply.min_expires;
  e.retry_after = reply.retry_after;
  apply(s, e, &reply, now);
  start_waiting(s, now);
  reap();
}

}  // namespace pua
