// Keeper: what is done alike for all records of one kind, whichever kind it is. It owns their table, has their machines take
// steps and carries out the effects: one request in flight and one that waits behind it, outcomes that wait for a commit,
// deadlines, the queue, rows that are written and rows that come back, walks over the whole table. What differs by kind (key,
// checks, the text of a request, what the columns of a row mean, views) is in the class that derives from it: Self. What the
// kinds share is in EngineCommon.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/engine_common.h"
#include "core/failure_log.h"
#include "core/identifiers.h"
#include "core/notify_fields.h"
#include "core/policy.h"
#include "core/table.h"

namespace pua {

// Self has these for the functions below, beside what it offers to owners:
//   change(r, fx, reply, row)       carries out effects on texts and names; called before the row is marked
//   report(r, fx, reply, now)       counters and lines of the log, after everything else: a log callback is the host's code
//   fill(r, q, scratch, now)        writes the request that leaves now, but for txn, method, CSeq, Expires and branch
//   heard(r, reply, now)            makes a machine's event of a final reply
//   resume(r, waiting, now)         a request that waited takes effect
//   born(r), dies(r)                the record was put into the table, is being taken out of it
//   view(r, now), granted(r), etag(r), destination(r), wanted(r)
//   ended(r)                        its row is to be deleted
//   key_of(row), row_key(r, row), put_row(text, row), fill_row(r, row)      columns of a row
//   unreadable(row), adopt(r, row, asked, now)                              a row that was loaded
//   kKind, kMethod, kMethodName, kKindName
template <class Self, class R>
class Keeper {
 public:
  using Key = typename R::Key;
  using State = typename R::State;
  using Input = typename R::Input;
  using Event = typename R::Event;
  using Effects = typename R::Effects;
  using Waiting = typename R::Waiting;
  static constexpr int kStates = R::kStates, kInputs = R::kInputs;
  using Coverage = std::array<std::array<uint64_t, kInputs>, kStates>;

  Keeper(EngineCommon& common, HashKey key) : c_(common), table_(std::clamp(common.settings_.hash_size, 1u, 24u), key) {}

  // --- what happens to one record; Engine::of_kind has found the keeper of its kind
  void due(R& r, MonoMs now) {
    c_.deadlines_.remove(r);
    // In state Intent the deadline says how long we wait for the commit: the request leaves now all the same.
    apply(r, {.input = r.m->state == State::Intent ? Input::Proceed : Input::Due}, nullptr, now);
  }
  void send(R& r, TxnId txn, MonoMs now);
  // The caller has told the outbox already what the reply says of the destination.
  void on_reply(R& r, const SipReply& reply, MonoMs now);
  std::string_view destination_of(const R& r) const { return self().destination(r); }   // valid until the next call
  // Its destination is held back: the record stays queued, and its owner is told now.
  void unreachable(R& r, const char* why, MonoMs now) {
    if (owned(r)) tell(r, 503, why, now);
  }
  void on_stored(R& r, uint32_t version, bool ok, MonoMs now);
  RowOp row_of(const R& r, Row& out) const;
  void load_row(const Row& row, MonoMs now);
  // The store has looked for the row of this key, while the table is being loaded, and there is none: the request need not wait
  // for the end of the load.
  void not_in_table(const Row& row, MonoMs now) {
    Key k = Self::key_of(row);
    if (R* r = table_.find(k, table_.hash_of(k)); r && r->m->state == State::Idle) leave_idle(*r, now);
  }
  // Whether the table holds this row by right. If the row has a later version than its record (the table was written to by
  // somebody else), the record gets a still later one and is written.
  bool stands(const Row& row, MonoMs now);

  // --- walks, piece by piece
  bool waits_for_load() const { return !c_.loading_ && !idle_.empty(); }
  void leave_some(int limit, MonoMs now) {   // up to `limit` records whose row did not come go on without one
    for (int n = 0; n < limit && waits_for_load(); n++) leave_idle(*idle_.front(), now);
  }
  // Withdraws up to `limit` more records; true: all were looked at.
  bool remove_some(uint32_t limit, MonoMs now);
  void remove_from_the_first() { remove_cursor_ = 0; }
  // Marks the rows of up to `limit` records to be written again, from `cursor` on (0: the beginning). Returns where to go on;
  // 0: all were looked at.
  uint64_t rewrite_some(uint64_t cursor, uint32_t limit, MonoMs now);
  // Moves the callers of up to `limit` more records to `out`; true: all were looked at.
  bool take_callers(uint32_t limit, std::deque<Delivery>& out);
  void reap();   // frees ended records that have no row and nothing to do any more

  // --- looking in
  size_t size() const { return table_.size(); }
  size_t loaded() const { return loaded_; }   // rows that have become records
  int64_t in(State s) const { return by_state_[static_cast<int>(s)]; }
  uint64_t looked_at() const { return table_.looked_at(); }
  const Coverage& coverage() const { return coverage_; }
  // What owners have asked for and no row holds or is marked to hold: how many requests wait for their row or behind one that
  // is out, and since when the oldest one does (kNever: none).
  size_t unplaced() const { return static_cast<size_t>(in(State::Idle)) + parked_count_; }
  MonoMs unplaced_since() const {
    R* idle = const_cast<List<R, QueueHook>&>(idle_).front();
    Waiting* parked = const_cast<List<Waiting>&>(parked_).front();
    return std::min(idle ? idle->dirty_since : kNever, parked ? parked->since : kNever);
  }
  const R* find(const Key& k) const { return table_.find(k, table_.hash_of(k)); }
  bool quiet() const { return in(State::Idle) + in(State::Intent) + in(State::Queued) + in(State::Sending) == 0; }
  std::array<StateCount, kStates> by_state() const;
  // Shows records that match, from `cursor` on, until `limit` were shown or `scan` were looked at (counted in shown and page).
  // Returns where to go on; 0: that was all.
  uint64_t list(const ListFilter& f, uint64_t cursor, uint32_t limit, uint32_t scan, ListPage& page, uint32_t& shown,
                const std::function<void(const RecordView&)>& show_one, MonoMs now) const;
  bool show(std::string_view pres_uri, int32_t event, int32_t source, const std::function<void(const RecordView&)>& fn,
            MonoMs now) const;

 protected:
  static bool owned(const R& r) { return r.extra && !r.extra->callers.empty(); }
  // Its owner has asked for its end while a request is out.
  static bool removal_waits(const R& r) { return r.extra && r.extra->waiting && r.extra->waiting->removal; }
  static uint32_t waiters(const R& r) {
    return r.extra ? r.extra->callers.size() + (r.extra->waiting ? r.extra->waiting->callers.size() : 0) : 0;
  }
  // r = nullptr: whether a new record may be made; else whether one more caller may wait for r. Errors: too_many_records,
  // backlog_full, too_many_waiters.
  Status room_for(const R* r, bool with_row) const;
  // An initial request leaves now. If its row was written while it waited for a slot, the row is written again, so that after a
  // kill the same request goes out, and no second state is made.
  void row_says_it_is_out(R& r, MonoMs now) {
    bool written = r.queue == StoreHook::Queue::Batch || (r.queue == StoreHook::Queue::None && r.written_version != 0);
    if (!written) return;
    r.version++;
    mark(r, Lane::Bulk, now);
  }
  bool maybe_in_table(const R* r) const { return c_.loading_ && (!r || r->m->state == State::Idle); }
  R& make(int32_t source, int32_t event, uint32_t hash, const std::array<std::string_view, R::kFields>& text);
  void wait_for_row(R& r, MonoMs now);
  // The caller's request takes effect now: it replaces those of earlier callers that are still under way.
  void join(R& r, RequestDone done, void* cb_param, MonoMs now);
  // The caller's request waits, because one is out. It replaces the one that waited before it.
  Waiting& park(R& r, RequestDone done, void* cb_param, bool removal, MonoMs now);
  void start_waiting(R& r, MonoMs now);
  void leave_idle(R& r, MonoMs now) {   // the table holds no row of it: it goes on as a new record
    r.id = c_.next_id_++;
    apply(r, {.input = Input::Loaded, .no_row = true}, nullptr, now);
  }
  // Completes the request under way with this outcome.
  void tell(R& r, int status, const char* phrase, MonoMs now) {
    apply(r, {.input = Input::Told, .status = status, .phrase = phrase}, nullptr, now);
  }
  // The only place where a machine takes a step.
  void apply(R& r, Event e, const SipReply* reply, MonoMs now, const Row* row = nullptr);
  void mark(R& r, Lane lane, MonoMs now) { c_.ports_.store.mark(r, lane, now); }
  void count_reply(const R& r, const SipReply& reply, Input input, MonoMs now);
  void say(LogGate& gate, LogLevel level, const R& r, int status, const char* what, MonoMs now) {
    c_.log_reply(gate, level, Self::kMethodName, r.pres_uri(), status, what, now);
  }

  EngineCommon& c_;
  Table<R> table_;
  List<R, QueueHook> idle_;                 // records that wait for their row, or for the end of the load, oldest first

 private:
  Self& self() { return static_cast<Self&>(*this); }
  const Self& self() const { return static_cast<const Self&>(*this); }
  void write(R& r, Write how, MonoMs now);
  void complete(R& r, const Effects& fx, const SipReply* reply, bool by_timer, MonoMs now);
  // Whether what is wanted is tried again by itself, after a request that failed. A removal that waits takes its place.
  static bool tried_again(const R& r) {
    State s = r.m->state;
    return !removal_waits(r) && (s == State::Backoff || (s == State::Queued && Self::wanted(r)));
  }
  static bool kept(const R& r, int local_status, int status);   // Outcome::kept
  static FailureLog::Fate fate(const R& r) {
    if (tried_again(r)) return FailureLog::Fate::TriedAgain;
    bool next = r.extra && r.extra->waiting && !r.extra->waiting->removal;
    return next || (Self::wanted(r) && !removal_waits(r)) ? FailureLog::Fate::GoesOn : FailureLog::Fate::Ends;
  }
  static ReplyClass class_of(Input);
  // What the log is told of a reply. That the server wants another lifetime, or full state, is a failure only where the next
  // request does not leave at once with what it wants.
  static ReplyClass kind_of(Input i, const R& r) {
    ReplyClass c = class_of(i);
    bool wished = c == ReplyClass::TooBrief || c == ReplyClass::LostState;
    if (wished && r.m->state != State::Backoff) return ReplyClass::LostState;
    return c == ReplyClass::LostState && Self::kKind == Kind::Publication ? ReplyClass::Transient : c;
  }
  void enqueue(R& r, MonoMs now);
  void to_reap(R& r);

  List<Waiting> parked_;                    // owners' requests that wait behind one that is out, oldest first
  size_t parked_count_ = 0, loaded_ = 0;
  std::vector<R*> reap_;
  Coverage coverage_{};
  std::array<int64_t, kStates> by_state_{};
  uint64_t remove_cursor_ = 0, end_cursor_ = 0;
  FailureLog failures_{c_, Self::kMethodName, Self::kKindName};
  LogGate bad_row_gate_;
};

// --- steps -----------------------------------------------------------------------------------------------------------

template <class Self, class R>
void Keeper<Self, R>::apply(R& r, Event e, const SipReply* reply, MonoMs now, const Row* row) {
  State before = r.m->state;
  if (!legal(before, e.input)) {
    c_.ports_.log.error("bug: input %s in state %s of %s %lld was ignored", input_name(e.input), state_name(before),
                        Self::kKindName, static_cast<long long>(r.id));
    return;
  }
  coverage_[static_cast<int>(before)][static_cast<int>(e.input)]++;
  e.owner = owned(r);
  e.has_row = EngineCommon::has_row(r);
  e.patience = c_.store_up_ ? now + c_.settings_.ack_wait_ms : now;   // a store that is known to be down is not waited for
  e.ask = expires_rule(c_.settings_, r.event);
  if constexpr (requires { e.timer_n; }) e.timer_n = 64 * static_cast<MonoMs>(c_.settings_.t1_ms);
  Effects fx = r.m.step(e, c_.random_, now);
  by_state_[static_cast<int>(before)]--;
  by_state_[static_cast<int>(r.m->state)]++;

  if (fx.leave_queue) c_.outbox_.remove(r);
  if (reply && reply->cseq > r.cseq) r.cseq = reply->cseq;   // the repetition with credentials had the next CSeq
  self().change(r, fx, reply, row);
  write(r, fx.write, now);
  if (fx.free) to_reap(r);
  if (fx.complete) complete(r, fx, reply, !e.owner, now);
  if (fx.not_kept) c_.settle_acks(r, r.version, false);
  if (fx.enqueue) enqueue(r, now);
  c_.deadlines_.set(r, r.m->deadline);
  self().report(r, fx, reply, now);
  if (reply) failures_.reply(r, r.pres_uri(), kind_of(e.input, r), *reply, r.m->asked, fate(r), now);
}

template <class Self, class R>
void Keeper<Self, R>::write(R& r, Write how, MonoMs now) {
  if (how == Write::No) return;
  r.version++;
  if (how == Write::Intent) r.intent_version = r.version;
  mark(r, how == Write::Fast || how == Write::Intent ? Lane::Fast : Lane::Bulk, now);
}

// The request under way has its outcome. Its callers and the observers get it once the row is committed, or cannot be
// (EngineCommon::deliver).
template <class Self, class R>
void Keeper<Self, R>::complete(R& r, const Effects& fx, const SipReply* reply, bool by_timer, MonoMs now) {
  Delivery d;
  if (r.extra) d.callers.append(std::move(r.extra->callers));
  bool seen = c_.watched(r.source);
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
  out.etag = Self::etag(r);
  out.granted = Self::granted(r);
  out.by_timer = by_timer;
  out.kept = kept(r, fx.local_status, out.status);
  if (seen) d.seen = std::make_unique<Snapshot>(self().view(r, now));
  // In state Idle the table may hold a row that is not known yet.
  bool nothing_to_store = r.m->state != State::Idle && Self::ended(r) && !EngineCommon::has_row(r);
  c_.deliver(r, std::move(d), nothing_to_store, now);
}

// An outcome that we make up says by its status whether it was what was wanted. One of a reply does not: after a 2xx the server
// may keep nothing (it granted nothing, or a NOTIFY has ended the subscription again), and after a failure the subscription may
// stand all the same, because a NOTIFY has made its dialog. State Live with a failure is nothing else.
template <class Self, class R>
bool Keeper<Self, R>::kept(const R& r, int local_status, int status) {
  if (local_status) return local_status == 503 || (local_status >= 300 && tried_again(r));
  return tried_again(r) || (status >= 300 && r.m->state == State::Live && Self::wanted(r) && !removal_waits(r));
}

template <class Self, class R>
void Keeper<Self, R>::enqueue(R& r, MonoMs now) {
  bool owner = owned(r);
  std::string_view to = self().destination(r);
  const char* why = owner ? c_.why_held(to) : "";
  c_.outbox_.enqueue(r, to, owner && !*why);
  if (*why) unreachable(r, why, now);
}

// --- requests --------------------------------------------------------------------------------------------------------

template <class Self, class R>
Status Keeper<Self, R>::room_for(const R* r, bool with_row) const {
  if (!r) return c_.room_for_new(table_.size(), with_row);
  if (waiters(*r) >= c_.settings_.max_waiters)
    return {Errc::too_many_waiters, "max_waiters (" + std::to_string(c_.settings_.max_waiters) + ") is reached"};
  return success();
}

template <class Self, class R>
R& Keeper<Self, R>::make(int32_t source, int32_t event, uint32_t hash, const std::array<std::string_view, R::kFields>& text) {
  auto fresh = std::make_unique<R>();
  fresh->source = source;
  fresh->event = event;
  fresh->hash = hash;
  fresh->put(text);
  by_state_[static_cast<int>(State::Idle)]++;
  R& r = table_.insert(std::move(fresh));
  self().born(r);
  return r;
}

// The record waits for its row. The store is asked for it at once, instead of when its page comes.
template <class Self, class R>
void Keeper<Self, R>::wait_for_row(R& r, MonoMs now) {
  if (c_.outbox_.queued(r)) return;
  r.dirty_since = now;
  idle_.push_back(r);
  Row key;
  Self::row_key(r, key);
  c_.ports_.store.find(key);
}

template <class Self, class R>
void Keeper<Self, R>::join(R& r, RequestDone done, void* cb_param, MonoMs now) {
  auto& x = r.need_extra();
  x.callers.mark_superseded();
  x.callers.push(std::move(done), now);
  if (cb_param) x.cb_param = cb_param;
}

template <class Self, class R>
typename R::Waiting& Keeper<Self, R>::park(R& r, RequestDone done, void* cb_param, bool removal, MonoMs now) {
  auto& x = r.need_extra();
  if (!x.waiting) x.waiting = std::make_unique<Waiting>();
  Waiting& w = *x.waiting;
  if (!w.linked()) {
    w.since = now;
    parked_.push_back(w);
    parked_count_++;
  }
  w.callers.mark_superseded();
  w.callers.push(std::move(done), now);
  w.removal = removal;
  if (cb_param) w.cb_param = cb_param;
  return w;
}

// If the request that was out is done, the one that waited takes effect.
template <class Self, class R>
void Keeper<Self, R>::start_waiting(R& r, MonoMs now) {
  if (!r.extra || !r.extra->waiting || r.m->state == State::Sending) return;
  std::unique_ptr<Waiting> w = std::move(r.extra->waiting);
  if (w->linked()) {
    parked_.erase(*w);
    parked_count_--;
  }
  r.extra->callers.mark_superseded();
  r.extra->callers.append(std::move(w->callers));
  if (w->cb_param) r.extra->cb_param = w->cb_param;
  self().resume(r, *w, now);
}

// --- going out, and what comes of it ---------------------------------------------------------------------------------

template <class Self, class R>
void Keeper<Self, R>::send(R& r, TxnId txn, MonoMs now) {
  apply(r, {.input = Input::Slot}, nullptr, now);
  SipRequest q;
  q.txn = txn;
  q.method = Self::kMethodName;
  std::string scratch[2];
  self().fill(r, q, scratch, now);
  q.cseq = r.cseq;
  q.expires = r.m->asked;
  std::string fewer;
  if (q.body.empty()) q.extra_headers = without_content_fields(q.extra_headers, fewer);
  char branch[kBranchSize];
  // After a quick restart the same request has the same branch, by which the server knows it for a retransmission.
  q.branch = write_branch(c_.branch_key_, q, branch);
  if (auto s = c_.ports_.sip.send(q); !s) {
    SipReply failed;
    failed.status = 503;
    failed.reason = s.error().message;
    failed.origin = ReplyOrigin::Transport;
    failed.unsent = true;
    c_.outbox_.finish(txn, Outbox::Answer::Neutral, now);   // that says nothing of the destination
    on_reply(r, failed, now);
  }
}

template <class Self, class R>
void Keeper<Self, R>::on_reply(R& r, const SipReply& reply, MonoMs now) {
  r.last_status = static_cast<uint16_t>(reply.status);
  Event e = self().heard(r, reply, now);
  e.expires = reply.expires;
  e.min_expires = reply.min_expires;
  e.retry_after = reply.retry_after;
  apply(r, e, &reply, now);
  start_waiting(r, now);
  reap();
}

template <class Self, class R>
void Keeper<Self, R>::count_reply(const R& r, const SipReply& reply, Input input, MonoMs now) {
  c_.count_final(Self::kMethod, reply, r.m->sent_at, now);
  if (reply.origin != ReplyOrigin::Wire) return;
  c_.count_.replies_423 += reply.status == 423;
  switch (class_of(input)) {
    case ReplyClass::Success: c_.count_.grants_too_long += r.m->asked > 0 && reply.expires > r.m->asked; break;
    case ReplyClass::Forbidden: c_.count_.refused_403_404++; break;
    case ReplyClass::Auth: c_.count_.auth_failures++; break;
    case ReplyClass::Fatal: c_.count_.refused_final++; break;
    default: break;
  }
}

// The inputs that both machines have. The others (LostState, DialogLost) are told by report().
template <class Self, class R>
ReplyClass Keeper<Self, R>::class_of(Input i) {
  switch (i) {
    case Input::Success: return ReplyClass::Success;
    case Input::TooBrief: return ReplyClass::TooBrief;
    case Input::Transient: return ReplyClass::Transient;
    case Input::Forbidden: return ReplyClass::Forbidden;
    case Input::Auth: return ReplyClass::Auth;
    case Input::Fatal: return ReplyClass::Fatal;
    case Input::Shutdown: return ReplyClass::Shutdown;
    default: return ReplyClass::LostState;
  }
}

// --- rows ------------------------------------------------------------------------------------------------------------

template <class Self, class R>
RowOp Keeper<Self, R>::row_of(const R& r, Row& out) const {
  out = Row{};
  out.id = r.id;
  out.record_version = r.version;
  out.updated_at = to_epoch(r.dirty_since, c_.epoch_offset_);
  if (Self::ended(r)) return RowOp::Delete;
  Self::row_key(r, out);
  out.sharing_tag = c_.settings_.sharing_tag;
  out.cseq = r.cseq;
  self().fill_row(r, out);
  return RowOp::Upsert;
}

template <class Self, class R>
void Keeper<Self, R>::on_stored(R& r, uint32_t version, bool ok, MonoMs now) {
  if (r.m->state == State::Intent && (!ok || static_cast<int32_t>(version - r.intent_version) >= 0))
    apply(r, {.input = Input::Proceed}, nullptr, now);
  c_.settle_acks(r, version, ok);
  if (ok && version == r.version && r.queue == StoreHook::Queue::None) {
    if (Self::ended(r)) r.written_version = 0;   // it has no row any more
    if (Self::ended(r) && legal(r.m->state, Input::Stored)) {
      apply(r, {.input = Input::Stored}, nullptr, now);
    } else if (r.extra && r.extra->callers.empty() && !r.extra->waiting && !r.acks && !r.extra->cb_param &&
               r.m->state == State::Live) {
      r.extra.reset();  // most live records have none, which saves memory
    }
  }
  reap();
}

template <class Self, class R>
void Keeper<Self, R>::load_row(const Row& row, MonoMs now) {
  if (const char* column = self().unreadable(row)) {
    c_.count_.load_bad++;
    uint64_t more = 0;
    if (bad_row_gate_.pass(now, more))
      c_.ports_.log.warning("load: row %lld stays as it is, its %s is not readable", static_cast<long long>(row.id), column);
    return;
  }
  if (!c_.ports_.bodies.by_flag(row.event)) {
    if (c_.kept_aside_[row.event]++ == 0)
      c_.ports_.log.notice("load: rows of event %d are kept aside until it is registered", row.event);
    return;
  }
  Key key = Self::key_of(row);
  uint32_t hash = table_.hash_of(key);
  R* known = table_.find(key, hash);
  if (known && known->m->state != State::Idle) return;
  bool asked = known != nullptr;   // an owner's request for this record came before its row
  if (!known) {
    std::array<std::string_view, R::kFields> text{};
    Self::put_row(text, row);
    known = &make(row.flag, row.event, hash, text);
  }
  c_.count_.loaded++;
  loaded_++;
  known->id = row.id;
  known->version = std::max({known->version, row.record_version, 1u});  // not 0, which would mean that there is no row
  known->written_version = known->version;
  self().adopt(*known, row, asked, now);
  if (!c_.lost_in_load_) return;   // else the walk over all records (rewrite_some) may be past this one
  known->whole = true;
  mark(*known, Lane::Bulk, now);
}

template <class Self, class R>
bool Keeper<Self, R>::stands(const Row& row, MonoMs now) {
  if (self().unreadable(row)) return true;
  Key key = Self::key_of(row);
  R* r = table_.find(key, table_.hash_of(key));
  if (!r || r->id != row.id || !EngineCommon::has_row(*r)) return false;
  if (row.record_version <= r->version) return true;
  r->version = row.record_version + 1;
  r->whole = true;
  mark(*r, Lane::Bulk, now);
  return true;
}

// --- the end of a record ---------------------------------------------------------------------------------------------

template <class Self, class R>
void Keeper<Self, R>::to_reap(R& r) {
  if (r.reaping) return;
  r.reaping = true;
  if (c_.loading_) c_.ended_rows_.insert(r.id);
  reap_.push_back(&r);
}

template <class Self, class R>
void Keeper<Self, R>::reap() {
  if (c_.in_log_) return;   // a call out of the log's callback, amid the step of a record: it is done after that
  for (size_t i = 0; i < reap_.size(); i++) {
    R& r = *reap_[i];
    r.reaping = false;
    if (r.m->state != State::Gone || r.queue != StoreHook::Queue::None) continue;  // a request has brought it back meanwhile
    c_.settle_acks(r, r.version, true);
    c_.deadlines_.remove(r);
    self().dies(r);
    by_state_[static_cast<int>(State::Gone)]--;
    table_.remove(r);
  }
  reap_.clear();
}

// --- walks -----------------------------------------------------------------------------------------------------------

template <class Self, class R>
bool Keeper<Self, R>::remove_some(uint32_t limit, MonoMs now) {
  std::vector<R*> some;
  remove_cursor_ = table_.walk(remove_cursor_, limit, [&](R& r) { some.push_back(&r); });
  for (R* r : some) {
    bool revived = r->extra && r->extra->waiting;   // a removal is out, and a request that waits behind it would bring it back
    if (r->m->state == State::Gone || (!Self::wanted(*r) && !revived)) continue;
    if (r->m->state == State::Sending) {   // what is out has an outcome of its own
      auto& x = r->need_extra();
      if (!x.waiting) x.waiting = std::make_unique<Waiting>();
      x.waiting->callers.mark_superseded();
      x.waiting->make_removal();
    } else {
      if (r->extra) r->extra->callers.mark_superseded();
      apply(*r, {.input = Input::Request, .removal = true, .no_row = !c_.loading_}, nullptr, now);
    }
  }
  reap();
  return remove_cursor_ == 0;
}

template <class Self, class R>
uint64_t Keeper<Self, R>::rewrite_some(uint64_t cursor, uint32_t limit, MonoMs now) {
  return table_.walk(cursor, limit, [&](R& r) {
    if (!EngineCommon::has_row(r)) return;
    r.whole = true;
    mark(r, Lane::Bulk, now);
  });
}

template <class Self, class R>
bool Keeper<Self, R>::take_callers(uint32_t limit, std::deque<Delivery>& out) {
  end_cursor_ = table_.walk(end_cursor_, limit, [&](R& r) {
    if (!r.extra) return;
    Delivery d;
    d.callers.append(std::move(r.extra->callers));
    if (r.extra->waiting) d.callers.append(std::move(r.extra->waiting->callers));
    if (!d.callers.empty()) out.push_back(std::move(d));
  });
  return end_cursor_ == 0;
}

}  // namespace pua

#include "core/keeper_view.h"
