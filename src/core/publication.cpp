#include "core/publication.h"

#include <algorithm>

namespace pua {

const char* state_name(State s) {
  static constexpr const char* names[] = {"idle", "intent", "queued", "sending", "live", "backoff", "gone"};
  return names[static_cast<int>(s)];
}
const char* op_name(Op o) {
  static constexpr const char* names[] = {"none", "initial", "refresh", "modify", "remove"};
  return names[static_cast<int>(o)];
}
const char* input_name(Input i) {
  static constexpr const char* names[] = {"request",   "proceed",   "slot", "due",   "success",  "lost_state", "too_brief",
                                          "transient", "forbidden", "auth", "fatal", "shutdown", "restored",   "loaded",
                                          "stored",    "told"};
  return names[static_cast<int>(i)];
}

Input input_of(ReplyClass c) {
  switch (c) {
    case ReplyClass::Success: return Input::Success;
    case ReplyClass::LostState: return Input::LostState;
    case ReplyClass::TooBrief: return Input::TooBrief;
    case ReplyClass::Transient: return Input::Transient;
    case ReplyClass::Forbidden: return Input::Forbidden;
    case ReplyClass::Auth: return Input::Auth;
    case ReplyClass::Fatal: return Input::Fatal;
    case ReplyClass::Shutdown: return Input::Shutdown;
  }
  return Input::Transient;
}

Op next_op(const Publication& p) {
  if (p.wanted != Wanted::Something) return p.known == Known::Never ? Op::None : Op::Remove;
  if (p.known == Known::Never) return p.publishable ? Op::Initial : Op::None;
  if (p.known == Known::Refused && p.publishable) return Op::Initial;
  return p.known == Known::Changed ? Op::Modify : Op::Refresh;
}

MonoMs held_until(const Publication& p) { return p.grant_end + MonoMs{p.beyond} * 1000; }

bool needs_intent(Op op) { return op == Op::Modify || op == Op::Remove; }

struct PublicationStep {
  Publication& p;
  const Event& e;
  Random& random;
  MonoMs now;
  Effects fx = {};
};

namespace {

using Step = PublicationStep;

MonoMs removal_end(const Publication& p) { return held_until(p) + kRemovalGrace; }
// When something else than the waiting request is due, because the wanted lifetime, or what the server holds, has ended. This
// bounds the deadline while a record is queued or backs off.
MonoMs end_of_interest(const Publication& p) { return p.wanted == Wanted::Something ? p.wanted_end : removal_end(p); }
int64_t granted(const Publication& p, const Event& e) {
  return e.expires < 0 ? p.asked : std::min<int64_t>(e.expires, p.asked);
}
// What to ask for after a 423 (RFC 3903 section 5); 0: we may ask for nothing longer.
uint32_t longer_expires(const Step& s) {
  return s.p.op == Op::Remove ? 0 : longer_to_ask(s.p.asked, s.e.min_expires, s.e.ask.most);
}

// --- what an input says by itself ------------------------------------------------------------------------------------

void hear_request(Step& s) {
  Publication& p = s.p;
  if (p.state == State::Gone && !s.e.removal) p = Publication{.state = State::Gone};
  if (!s.e.removal) {
    p.wanted = Wanted::Something;
    p.wanted_end = s.e.wanted_end;
  } else if (p.wanted == Wanted::Something) {
    p.wanted = Wanted::Nothing;
  }
  if (!s.e.new_body) return;
  p.publishable = true;
  if (p.known == Known::Current) p.known = Known::Changed;
}

// The request leaves now: which one it is, and what it asks for, is settled here.
void hear_slot(Step& s) {
  Publication& p = s.p;
  p.op = next_op(p);
  p.sent_at = s.now;
  if (p.op == Op::Remove) {
    p.asked = 0;
  } else if (p.build != Build::Replay) {
    uint32_t fresh = expires_to_ask(s.e.ask, p.wanted_end == kNever ? kNever : p.wanted_end - s.now, p.server_min);
    // The Expires that the intent in the row names is kept while it is right to two seconds. Else this is another request than
    // the row describes, and gets a new Call-ID.
    bool named = p.op == Op::Modify && p.build == Build::Named;
    bool keep = named && fresh <= p.asked && p.asked <= fresh + 2;
    s.fx.new_names = named && !keep;
    if (!keep) p.asked = fresh;
  }
  if (p.build == Build::Named) p.build = Build::Fresh;
}

// A 2xx. With Expires: 0 the server has stored the state and dropped it at once, so that it holds nothing, but for what may
// stand under a refused entity-tag.
void hear_success(Step& s) {
  Publication& p = s.p;
  if (p.op == Op::Remove) return;
  if (granted(p, s.e) == 0) {
    if (p.known == Known::Refused) return;
    s.fx.forget_etag = true;
    p.known = Known::Never;
    p.grant_end = p.beyond = 0;
    return;
  }
  s.fx.take_etag = s.e.etag == Tag::Usable;
  // Each 2xx must bring a SIP-ETag (RFC 3903 section 6). Where there is none, the old one is kept; without an old one, or where
  // that is refused, the publication is live until its refresh is due, and then publishes in full. One that cannot be sent back
  // has replaced the old one at the server.
  s.fx.forget_etag = s.e.etag == Tag::Unusable || (s.e.etag == Tag::Missing && p.known == Known::Refused);
  if (s.fx.forget_etag) p.known = Known::Never;
  else if (s.fx.take_etag || p.known != Known::Never) p.known = Known::Current;
  s.fx.orphan = p.known == Known::Never;
  p.attempts = 0;
  p.full_tried = false;
  p.hold_until = 0;
  p.grant_end = p.sent_at + granted(p, s.e) * 1000;
  p.beyond = s.e.expires > p.asked ? static_cast<uint32_t>(std::min<int64_t>(s.e.expires - p.asked, kMaxBeyond)) : 0;
}

void hear_lost_state(Step& s) {
  if (s.p.op == Op::Remove || s.p.op == Op::Initial) return;   // the latter named no entity-tag
  if (s.e.tag_refused) {
    s.p.known = Known::Refused;
    return;
  }
  s.p.known = Known::Never;
  s.p.grant_end = s.p.beyond = 0;
  s.fx.forget_etag = true;
}

void hear_too_brief(Step& s) {
  if (uint32_t longer = longer_expires(s)) s.p.server_min = longer;
}

// The row of an earlier run. If an owner has made a request meanwhile, that stays what is wanted.
void hear_restored(Step& s) {
  Publication& p = s.p;
  const RestoredPublication& row = *s.e.row;
  p.grant_end = row.grant_end;
  p.known = !row.etag ? Known::Never : row.intent == Op::Initial ? Known::Refused : Known::Current;
  p.sent_at = s.now;
  if (row.requested) {
    s.fx.new_names = true;
    // The publication had ended, or was being removed and its owner knows that. A second removal changes nothing about it; only
    // a request with a body brings it back.
    bool leaving = row.wanted_end <= row.requested_at;
    if (leaving && !p.publishable && p.wanted == Wanted::Nothing) p.wanted = Wanted::Leaving;
    if (p.publishable) {
      if (p.known == Known::Current) p.known = Known::Changed;
    } else if (!(leaving && p.wanted == Wanted::Something) && row.state) {
      p.publishable = s.fx.take_row = true;
      if (row.intent == Op::Modify) p.known = Known::Changed;
    }
    return;
  }
  p.wanted = row.wanted && row.intent != Op::Remove ? Wanted::Something : Wanted::Leaving;
  p.wanted_end = row.wanted_end;
  p.publishable = row.state;
  if (row.intent == Op::Modify && p.known == Known::Current) p.known = Known::Changed;
  if (row.named && (row.intent == Op::Remove || (row.intent != Op::None && row.asked > 0))) {
    // The request that may have been out when the last run ended goes out again, equal octet by octet.
    p.build = Build::Replay;
    p.op = row.intent;
    p.asked = row.asked;
  } else {
    // Under the old Call-ID nobody knows which CSeqs were used since the row was written, or we cannot write its names again.
    s.fx.new_names = true;
  }
}

void hear(Step& s) {
  switch (s.e.input) {
    case Input::Request: return hear_request(s);
    case Input::Slot: return hear_slot(s);
    case Input::Success: return hear_success(s);
    case Input::LostState: return hear_lost_state(s);
    case Input::TooBrief: return hear_too_brief(s);
    case Input::Restored: return hear_restored(s);
    default: return;
  }
}

// --- guards ----------------------------------------------------------------------------------------------------------

bool loaded(const Step& s) { return s.e.no_row; }
bool is_removal(const Step& s) { return s.e.removal; }
bool left_behind(const Step& s) { return next_op(s.p) == Op::None && s.p.grant_end > s.now; }
bool nothing_to_send(const Step& s) { return next_op(s.p) == Op::None; }
bool quiet(const Step& s) { return s.p.hold_until > s.now; }
bool intent_first(const Step& s) { return needs_intent(next_op(s.p)); }
bool at_wanted_end(const Step& s) { return s.p.wanted == Wanted::Something && s.p.wanted_end <= s.now; }
bool nothing_there(const Step& s) { return s.p.known == Known::Never || removal_end(s.p) <= s.now; }
bool at_wanted_end_nothing_there(const Step& s) { return at_wanted_end(s) && nothing_there(s); }
bool at_wanted_end_quiet(const Step& s) { return at_wanted_end(s) && quiet(s); }
bool lapsed(const Step& s) { return s.p.wanted != Wanted::Something && removal_end(s.p) <= s.now; }
bool was_removal(const Step& s) { return s.p.op == Op::Remove; }
bool granted_nothing(const Step& s) { return granted(s.p, s.e) == 0; }
bool no_state(const Step& s) { return !s.p.publishable; }
bool lost_twice(const Step& s) { return s.p.full_tried || s.p.op == Op::Initial; }
bool at_end_by_clock(const Step& s) { return s.p.wanted_end <= s.now && !s.e.extended; }
bool at_end_by_clock_nothing_there(const Step& s) { return at_end_by_clock(s) && nothing_there(s); }
bool no_longer_expires(const Step& s) { return !longer_expires(s) || s.p.attempts > 0; }
bool was_removal_or_none_known(const Step& s) { return s.p.op == Op::Remove || s.p.known == Known::Never; }
bool ended_before_request(const Step& s) {
  bool ended = s.e.row->wanted_end <= s.e.row->requested_at;
  return s.e.row->requested && ended && !s.p.publishable && s.p.wanted == Wanted::Something;
}
bool live_again(const Step& s) {   // without an entity-tag too (a 2xx without SIP-ETag), until the refresh is due
  Op op = next_op(s.p);
  return s.e.due >= 0 && (op == Op::Refresh || (op == Op::Initial && s.p.grant_end > s.now));
}

// --- actions ---------------------------------------------------------------------------------------------------------

void tell(Step& s, int status, const char* reason) {
  s.fx.complete = true;
  s.fx.local_status = status;
  s.fx.local_reason = reason;
}

void write_row(Step& s) { s.fx.write = s.e.owner ? Write::Fast : Write::Bulk; }

// Ends the record. status 0: the outcome is that of the reply.
void end(Step& s, Ending why, int status, const char* reason) {
  tell(s, status, reason);
  write_row(s);
  s.fx.ending = why;
  s.p.wanted = Wanted::Leaving;
  s.p.known = Known::Never;
  s.p.hold_until = 0;
  s.p.deadline = kNever;
}

void queue(Step& s) {
  s.p.deadline = end_of_interest(s.p);
  s.fx.enqueue = true;
}

void back_off(Step& s) {
  tell(s, 0, "");
  write_row(s);
  s.p.attempts = static_cast<uint8_t>(std::min(s.p.attempts + 1, 255));
  MonoMs retry = s.now + backoff(s.p.attempts, s.e.retry_after, s.random);
  s.p.hold_until = s.e.retry_after > 0 ? s.now + std::min(s.e.retry_after, kMaxRetryAfter) * 1000 : 0;
  s.p.deadline = std::min(retry, end_of_interest(s.p));
}

void wait_for_row(Step& s) { s.p.deadline = s.now + kIdlePatience; }
void ended_already(Step& s) { tell(s, 200, "Ended already"); }
void leave_behind(Step& s) { end(s, Ending::LeftBehind, 202, "No usable SIP-ETag to remove it by: ends with its grant"); }
// Should the server hold a state all the same, because its reply was lost, that lapses by itself.
void never_sent(Step& s) { end(s, Ending::NeverSent, 200, "Nothing published"); }
void no_record(Step& s) { end(s, Ending::NeverSent, 404, "No record"); }

void keep_for_later(Step& s) {   // the server asked for quiet: the change is kept, and its owner is told that it leaves later
  tell(s, 503, "Retry-After not over yet, kept");
  write_row(s);
  s.p.deadline = std::min(s.p.hold_until, end_of_interest(s.p));
}

void commit_first(Step& s) {
  if (s.e.input == Input::Request) s.p.attempts = 0;
  s.p.hold_until = 0;
  s.p.deadline = s.e.patience;
  s.fx.write = Write::Intent;
}

void send_now(Step& s) {
  if (s.e.input == Input::Request) s.p.attempts = 0;
  s.p.hold_until = 0;
  queue(s);
}

void give_up_waiting(Step& s) {
  tell(s, 503, "Table not loaded yet, kept");
  s.p.deadline = kNever;
}

void expire(Step& s) {
  bool failing = s.p.state == State::Backoff;
  end(s, failing && s.e.input == Input::Due ? Ending::GivenUp : Ending::Expired, 480, "Lifetime ended");
}

// Queues the removal of the state that the server holds.
void withdraw(Step& s) {
  s.p.wanted = Wanted::Leaving;
  queue(s);
  // An owner whose request is still queued is told that the lifetime ended before it could leave.
  if (s.p.state == State::Queued) tell(s, 480, "Lifetime ended");
}

void withdraw_later(Step& s) {
  s.p.wanted = Wanted::Leaving;
  s.p.deadline = std::min(s.p.hold_until, removal_end(s.p));
}

void lapse(Step& s) { end(s, Ending::Expired, 200, "Expired at the server"); }

void stay_queued(Step& s) {
  s.p.hold_until = 0;
  s.p.deadline = end_of_interest(s.p);
}

void try_again(Step& s) {
  s.p.hold_until = 0;
  queue(s);
}

void removed(Step& s) { end(s, Ending::Removed, 0, ""); }

void granted_none(Step& s) {
  tell(s, 0, "");
  write_row(s);
  s.p.attempts = static_cast<uint8_t>(std::min(s.p.attempts + 1, 255));
  s.p.deadline = std::min(s.p.wanted_end, s.now + backoff(s.p.attempts, -1, s.random));
}

void ended_while_out(Step& s) { end(s, Ending::Expired, 0, ""); }

void withdraw_at_once(Step& s) {
  tell(s, 0, "");
  write_row(s);
  s.p.wanted = Wanted::Leaving;
  queue(s);
}

void be_live(Step& s) {
  tell(s, 0, "");
  write_row(s);
  // A grant that reaches the wanted end needs no refresh: the publication is withdrawn then.
  if (s.p.grant_end >= s.p.wanted_end) s.p.deadline = s.p.wanted_end;
  else s.p.deadline = std::min(s.p.wanted_end, s.p.sent_at + refresh_after(static_cast<uint32_t>(granted(s.p, s.e)), s.random));
}

void state_lost(Step& s) { end(s, Ending::StateLost, 0, ""); }

void publish_in_full(Step& s) {
  s.p.full_tried = true;
  s.fx.tag_refused = s.e.tag_refused;
  write_row(s);
  queue(s);
}

// At once, but for the first 423 in a row only, so that a server which raises its bound each time gets no storm of requests.
void ask_for_longer(Step& s) {
  s.p.attempts = 1;
  queue(s);
}

void fail(Step& s) {
  back_off(s);
  s.fx.orphan = !s.e.answered && s.p.op != Op::Remove;   // the server may have stored the state, and its reply was lost
}

void refused(Step& s) { end(s, Ending::Refused, 0, ""); }

// The lifetime ended while the request was out that has failed.
void withdraw_ended(Step& s) {
  withdraw_at_once(s);
  tell(s, 480, "Lifetime ended");
}

// The record ends, but first the state that the server still holds, under an entity-tag that we know, is removed.
void refused_withdraw(Step& s) {
  withdraw_at_once(s);
  s.fx.ending = Ending::Refused;
}

void tell_reply(Step& s) { tell(s, 0, ""); }

void no_body_to_go_on_with(Step& s) {
  tell(s, 412, "Ended, a body is needed");
  s.fx.not_kept = true;
  s.p.wanted = Wanted::Leaving;
}

void live_until_due(Step& s) {
  s.p.deadline = std::min(s.p.wanted_end, s.p.grant_end >= s.p.wanted_end ? s.p.wanted_end : s.e.due);
}
void tell_as_said(Step& s) { tell(s, s.e.status, s.e.phrase); }

// --- the rules -------------------------------------------------------------------------------------------------------

constexpr State Idle = State::Idle, Intent = State::Intent, Queued = State::Queued, Sending = State::Sending,
                Live = State::Live, Backoff = State::Backoff, Gone = State::Gone;

using PublicationRule = Rule<State, Input, Step>;

constexpr PublicationRule kRules[] = {
    // Request: an owner wants something else. It does not come in Sending: Keeper lets it wait until the reply is there.
    {states(Idle), on(Input::Request), "the table has been loaded", loaded, Idle, nullptr, ""},   // the input Loaded follows
    {states(Idle), on(Input::Request), "", nullptr, Idle, wait_for_row, ""},
    {states(Gone), on(Input::Request), "it is a removal", is_removal, Gone, ended_already, ""},
    {states(Intent, Queued, Live, Backoff), on(Input::Request), "a removal of what the server holds without an entity-tag",
     left_behind, Gone, leave_behind, "RFC 3903 4.5"},
    {states(Intent, Queued, Live, Backoff, Gone), on(Input::Request), "nothing to send", nothing_to_send, Gone, never_sent, ""},
    {states(Backoff), on(Input::Request), "the server asked for quiet", quiet, Backoff, keep_for_later, "RFC 3261 20.33"},
    {states(Intent, Queued, Live, Backoff), on(Input::Request), "a modification or removal",
     intent_first, Intent, commit_first, "RFC 3903 4.4, 4.5"},
    {states(Intent, Queued, Live, Backoff, Gone), on(Input::Request), "", nullptr, Queued, send_now, "RFC 3903 4.2, 4.3"},

    {states(Intent), on(Input::Proceed), "", nullptr, Queued, queue, ""},
    {states(Queued), on(Input::Slot), "", nullptr, Sending, [](Step& s) { s.p.deadline = kNever; }, "RFC 3903 4"},

    // Due: the record's own deadline has come.
    {states(Idle), on(Input::Due), "", nullptr, Idle, give_up_waiting, ""},
    {states(Queued, Live, Backoff), on(Input::Due), "at the wanted end, and no server holds it",
     at_wanted_end_nothing_there, Gone, expire, ""},
    {states(Backoff), on(Input::Due), "at the wanted end, and the server asked for quiet",
     at_wanted_end_quiet, Backoff, withdraw_later, "RFC 3261 20.33"},
    {states(Queued, Live, Backoff), on(Input::Due), "at the wanted end", at_wanted_end, Queued, withdraw, "RFC 3903 4.5"},
    {states(Queued, Live, Backoff), on(Input::Due), "not wanted, and it has lapsed at the server", lapsed, Gone, lapse, ""},
    {states(Queued), on(Input::Due), "", nullptr, Queued, stay_queued, ""},
    {states(Live, Backoff), on(Input::Due), "", nullptr, Queued, try_again, "RFC 3903 4.3"},

    // Replies.
    {states(Sending), on(Input::Success), "to a removal", was_removal, Gone, removed, "RFC 3903 4.5"},
    {states(Sending), on(Input::Success), "it grants nothing", granted_nothing, Backoff, granted_none, ""},
    {states(Sending), on(Input::Success), "past the wanted end, and no server holds it",
     at_end_by_clock_nothing_there, Gone, ended_while_out, ""},
    {states(Sending), on(Input::Success), "past the wanted end", at_end_by_clock, Queued, withdraw_at_once, "RFC 3903 4.5"},
    {states(Sending), on(Input::Success), "", nullptr, Live, be_live, "RFC 3903 4.1, 5"},
    {states(Sending), on(Input::LostState), "to a removal", was_removal, Gone, removed, "RFC 3903 5"},
    {states(Sending), on(Input::LostState), "nothing to publish in full", no_state, Gone, state_lost, "RFC 3903 5"},
    {states(Sending), on(Input::LostState), "again, or no entity-tag was sent", lost_twice, Backoff, back_off, ""},
    {states(Sending), on(Input::LostState), "past the wanted end, and no server holds it",
     at_end_by_clock_nothing_there, Gone, expire, ""},
    {states(Sending), on(Input::LostState), "past the wanted end", at_end_by_clock, Queued, withdraw_ended, "RFC 3903 4.5"},
    {states(Sending), on(Input::LostState), "", nullptr, Queued, publish_in_full, "RFC 3903 5"},
    {states(Sending), on(Input::TooBrief), "nothing longer may be asked for, or again",
     no_longer_expires, Backoff, back_off, "RFC 3903 5"},
    {states(Sending), on(Input::TooBrief), "", nullptr, Queued, ask_for_longer, "RFC 3903 5"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "", nullptr, Backoff, fail, "RFC 3261 20.33"},
    {states(Sending), on(Input::Fatal), "to a removal, or no server holds it",
     was_removal_or_none_known, Gone, refused, "RFC 3261 21.4"},
    {states(Sending), on(Input::Fatal), "", nullptr, Queued, refused_withdraw, "RFC 3903 4.5"},
    {states(Sending), on(Input::Shutdown), "", nullptr, Sending, tell_reply, ""},

    // Rows.
    {states(Idle), on(Input::Restored), "it had ended, and its owner has asked for it again without a body",
     ended_before_request, Idle, no_body_to_go_on_with, ""},
    {states(Idle), on(Input::Restored), "", nullptr, Idle, nullptr, ""},
    {states(Idle), on(Input::Loaded), "at the wanted end, and no server holds it",
     at_wanted_end_nothing_there, Gone, expire, ""},
    {states(Idle), on(Input::Loaded), "at the wanted end", at_wanted_end, Queued, withdraw, "RFC 3903 4.5"},
    {states(Idle), on(Input::Loaded), "nothing to send", nothing_to_send, Gone, no_record, ""},
    {states(Idle), on(Input::Loaded), "as the server holds it", live_again, Live, live_until_due, ""},
    {states(Idle), on(Input::Loaded), "a modification or removal", intent_first, Intent, commit_first, "RFC 3903 4.4, 4.5"},
    {states(Idle), on(Input::Loaded), "", nullptr, Queued, send_now, "RFC 3903 4.2, 4.3"},
    {states(Gone), on(Input::Stored), "", nullptr, Gone, nullptr, ""},

    // Told: the engine has decided on the outcome of the request under way (Keeper::tell).
    {states(Queued), on(Input::Told), "", nullptr, Queued, tell_as_said, ""},
    {states(Gone), on(Input::Told), "", nullptr, Gone, tell_as_said, ""},
};

bool is_reply(Input i) { return i >= Input::Success && i <= Input::Shutdown; }

// What is done after every rule.
void finish(Step& s, State before, Op planned) {
  Publication& p = s.p;
  Effects& fx = s.fx;
  // The row may name the next CSeq for the request that was planned (its intent), so that any other request goes out under a
  // new Call-ID. So does the request that follows one of an earlier run that was repeated.
  bool waited = before == State::Intent || before == State::Queued || before == State::Backoff;
  bool replanned = waited && (s.e.input == Input::Request || next_op(p) != planned);
  bool repeated = p.build == Build::Replay && (is_reply(s.e.input) || (s.e.input == Input::Loaded && next_op(p) != p.op));
  fx.new_names = fx.new_names || replanned || repeated;
  if (fx.new_names) p.build = Build::Fresh;
  if (fx.write == Write::Intent && p.build == Build::Fresh) {
    p.asked = expires_to_ask(s.e.ask, p.wanted_end == kNever ? kNever : p.wanted_end - s.now, p.server_min);
    p.build = Build::Named;
  }
  // What an owner asks for with an initial publication or a new lifetime is written while its request is out. The bulk lane
  // does that within 200 ms; if the server answers sooner, one write holds both the wish and its result. An owner who asked
  // during the load may have been told already that the request is kept, so that none waits any more.
  bool asked = s.e.input == Input::Loaded ? s.e.asked || s.e.no_row : s.e.input == Input::Request && s.e.owner;
  if (fx.write == Write::No && fx.enqueue && asked) fx.write = Write::Wish;
  fx.leave_queue = (before == State::Queued || before == State::Idle) && p.state != before;
  fx.forget_etag = fx.forget_etag || p.state == State::Gone;
  fx.free = p.state == State::Gone && !s.e.has_row;
  if (fx.free) fx.write = Write::No;
  fx.not_kept = fx.not_kept || (s.e.input == Input::Loaded && s.e.no_row && p.state == State::Gone);
  if (fx.complete && p.wanted == Wanted::Nothing) p.wanted = Wanted::Leaving;   // the owner is being told
}

}  // namespace

std::span<const PublicationRule> publication_rules() { return kRules; }

bool legal(State s, Input i) {
  for (const auto& r : kRules)
    if (is_for(r, s, i)) return true;
  return false;
}

Effects Publication::step(Publication& p, const Event& e, Random& random, MonoMs now) {
  Step s{p, e, random, now};
  State before = p.state;
  Op planned = next_op(p);
  hear(s);
  const PublicationRule* rule = find_rule(publication_rules(), before, e.input, s);
  if (!rule) return {};
  if (rule->act) rule->act(s);
  p.state = rule->to;
  finish(s, before, planned);
  return s.fx;
}

}  // namespace pua
