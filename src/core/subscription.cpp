#include "core/subscription.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace pua::sub {

const char* state_name(State s) {
  static constexpr const char* names[] = {"idle", "intent", "queued", "sending", "waiting", "live", "backoff", "ending", "gone"};
  return names[static_cast<int>(s)];
}
const char* input_name(Input i) {
  static constexpr const char* names[] = {"request", "proceed", "slot", "due", "success", "dialog_lost", "too_brief", "transient",
                                          "forbidden", "auth", "fatal", "shutdown", "notify", "refused", "terminated", "restored",
                                          "loaded", "stored", "told"};
  return names[static_cast<int>(i)];
}

Reason reason_of(std::string_view s) {
  static constexpr std::pair<std::string_view, Reason> names[] = {
      {"", Reason::None}, {"deactivated", Reason::Deactivated}, {"timeout", Reason::Timeout},
      {"probation", Reason::Probation}, {"giveup", Reason::Giveup}, {"rejected", Reason::Rejected},
      {"noresource", Reason::Noresource}, {"invariant", Reason::Invariant}};
  for (auto& [name, reason] : names)
    if (name == s) return reason;
  return Reason::Unknown;
}

// RFC 6665 section 4.1.2.2, RFC 5057 section 5.1: these end the subscription of the dialog they come in. (502 stands in the second
// alone: the way to the remote target is gone. A new dialog finds another, and costs little where the old one goes on over there.)
static bool ends_dialog(int status) {
  switch (status) {
    case 404: case 405: case 410: case 416: case 480: case 481: case 482: case 483: case 484: case 485: case 489: case 501:
    case 502: case 604:
      return true;
    default: return false;
  }
}

Input input_of(const SipReply& r, Op op) {
  if (r.origin == ReplyOrigin::Wire && ends_dialog(r.status) && (op == Op::Refresh || op == Op::Remove)) return Input::DialogLost;
  switch (classify(r)) {
    case ReplyClass::Success: return Input::Success;
    case ReplyClass::TooBrief: return Input::TooBrief;
    case ReplyClass::Forbidden: return Input::Forbidden;
    case ReplyClass::Auth: return Input::Auth;
    case ReplyClass::Fatal: return Input::Fatal;
    case ReplyClass::Shutdown: return Input::Shutdown;
    case ReplyClass::LostState:
    case ReplyClass::Transient: break;
  }
  return Input::Transient;
}

Op next_op(const Dialogue& m) {
  bool there = m.dialog == Dialog::Confirmed;
  switch (m.wanted) {
    case Wanted::Something: return !there ? Op::Initial : m.renew ? Op::Remove : Op::Refresh;
    case Wanted::Once: return there ? Op::None : Op::Fetch;
    case Wanted::Nothing:
    case Wanted::Leaving: break;
  }
  return there ? Op::Remove : Op::None;
}

MonoMs removal_end(const Dialogue& m) { return m.grant_end + MonoMs{m.beyond} * 1000; }

bool row_over(const Dialogue& m) {
  if (m.state == State::Gone || m.state == State::Ending || m.wanted == Wanted::Once) return true;
  return m.wanted != Wanted::Something && m.dialog != Dialog::Confirmed && m.state != State::Idle;
}

struct DialogueStep {
  Dialogue& m;
  const Event& e;
  Random& random;
  MonoMs now;
  // Before the input:
  MonoMs grant_end;
  MonoMs removal_end;
  bool asked;          // refused NOTIFYs had brought the next request forward
  Effects fx = {};
};

namespace {

using Step = DialogueStep;

constexpr MonoMs kIdlePatience = 5000;   // a request that came while the table is being loaded is answered by then
constexpr MonoMs kRefetchEvery = 5000;   // between two refreshes for the sake of a partial document's gap, or of refused NOTIFYs
constexpr uint8_t kMostGaps = 6;         // 5 s doubled so often is 5 minutes
constexpr int64_t kMaxDelta = 0xffffffff;  // s: what a header field can say (RFC 3261 section 20.19)
constexpr int64_t kMaxBeyond = 3600;     // s: no longer is an end worth sending because more was granted than asked
constexpr int kMostUseless = 9;          // 5 s doubled so often is 43 minutes
constexpr MonoMs kStood = 30000;         // a dialog that ends sooner, or never brought a NOTIFY, counts as a failure: no loop of new ones
constexpr MonoMs kMoment = 1000;         // a notifier that counts in whole seconds is early by no more than this

// While queued or backing off: when there is no more use in sending what waits.
MonoMs end_of_interest(const Dialogue& m) {
  return m.wanted == Wanted::Something ? m.wanted_end : m.wanted == Wanted::Once ? kNever : removal_end(m);
}

// A grant above what was asked counts as asked (RFC 6665 section 4.1.2.1): it must not keep us from asking again for years. In a
// restored dialog that was not refreshed yet nobody knows what was asked: not more than we ever may.
void take_grant(Step& s, int64_t expires, MonoMs from) {
  int64_t most = s.m.asked ? s.m.asked : s.e.ask.most > 0 ? s.e.ask.most : kMaxDelta;
  int64_t granted = std::min(expires, most);
  s.m.grant_end = from + granted * 1000;
  s.m.beyond = static_cast<uint32_t>(std::min(expires - granted, kMaxBeyond));
}

bool stood(const Dialogue& m, MonoMs now) { return m.since != 0 && m.notified != Notified::No && now - m.since >= kStood; }

// A dialog that stood for a while ends what was held against those before it.
void note_standing(Step& s) {
  Dialogue& m = s.m;
  if (!stood(m, s.now)) return;
  m.attempts = 0;
  m.quick_try = false;
  if (m.looping && s.fx.outcome == Outcome::No) m.looping = false, s.fx.outcome = Outcome::Stands;
}

// Not in step with a notifier that never sends full state.
MonoMs refetch_at(const Dialogue& m) { return m.sent_at + (kRefetchEvery << m.gaps); }

void forget_dialog(Step& s) {
  Dialogue& m = s.m;
  m.dialog = Dialog::None;
  m.notified = Notified::No;
  m.notify_by = 0;
  m.grant_end = 0;
  m.since = 0;
  m.beyond = 0;
  m.gap = Gap::No;
  m.gaps = 0;
  m.renew = m.ask = m.probe = false;
  m.refused = m.useless = 0;
  s.fx.new_names = true;
}

// After a 423; 0: there is nothing longer to ask for.
uint32_t longer_expires(const Step& s) {
  bool asks = s.m.op == Op::Initial || s.m.op == Op::Refresh;
  return asks ? longer_to_ask(s.m.asked, s.e.min_expires, s.e.ask.most) : 0;
}

// The dialog was ended by a NOTIFY while its request was out.
bool terminated(const Dialogue& m) {
  return m.op == Op::Initial || m.op == Op::Fetch ? m.dialog == Dialog::None : m.dialog != Dialog::Confirmed;
}

// These mean that a new subscription is welcome at once, whatever else stands there (RFC 6665 section 4.1.3).
bool welcome_at_once(Reason r) { return r == Reason::Deactivated || r == Reason::Timeout; }
bool asks_for_a_pause(Reason r) { return r == Reason::Probation || r == Reason::Giveup; }
int64_t pause_of(const Event& e) { return welcome_at_once(e.reason) ? -1 : e.retry_after; }

// --- what an input says by itself ------------------------------------------------------------------------------------

// A removal of what is not there, or was fetched once, is a fetch (RFC 6665 section 4.4.3).
void hear_request(Step& s) {
  Dialogue& m = s.m;
  if (m.state == State::Gone) {
    if (s.e.removal && (s.e.has_row || s.e.waited)) return;
    m = Dialogue{.state = State::Gone, .wanted = Wanted::Once, .wanted_end = m.wanted_end};
    s.fx.new_names = true;
  }
  if (s.e.first && s.e.removal) m.wanted = Wanted::Once;
  if (!s.e.removal) {
    m.wanted = Wanted::Something;
    m.wanted_end = s.e.wanted_end;
  } else if (m.wanted == Wanted::Something) {
    m.wanted = Wanted::Nothing;
  }
  // What ends there has its own NOTIFYs to come: this is another dialog.
  if (m.state == State::Ending && (m.wanted == Wanted::Something || m.wanted == Wanted::Once)) forget_dialog(s);
}

void hear_slot(Step& s) {
  Dialogue& m = s.m;
  m.op = next_op(m);
  if (m.op != Op::Initial && m.build == Build::Replay) {
    m.build = Build::Fresh;
    s.fx.skip_cseqs = true;
  }
  if (m.op == Op::Remove || m.op == Op::Fetch) m.asked = 0;
  else if (m.build == Build::Fresh) m.asked = expires_to_ask(s.e.ask, m.wanted_end == kNever ? kNever : m.wanted_end - s.now, m.server_min);
  m.sent_at = s.now;
  m.probe = std::exchange(m.ask, false);
  if (!m.probe) m.useless = 0;
  if (m.gap == Gap::Missed) m.gap = Gap::Asked;
  m.refetch = m.told = m.heard = false;
  if (m.dialog == Dialog::None) m.dialog = Dialog::Early;
}

// A 2xx to a request that is to keep a subscription, whose dialog stands.
void hear_success(Step& s) {
  Dialogue& m = s.m;
  if (m.op == Op::Remove || m.op == Op::Fetch || terminated(m)) return;
  m.hold_until = 0;
  bool first = m.op == Op::Initial;
  if (first && m.dialog == Dialog::Early && s.e.has_dialog) {
    m.dialog = Dialog::Confirmed;
    m.since = s.now;
    s.fx.take_dialog = true;
  } else if (!first) {
    s.fx.take_dialog = true;      // target refresh: the remote tag stays
    note_standing(s);
  }
  // An earlier NOTIFY has said it better, but for a refresh that is answered in full.
  if (!m.told || (!first && s.e.expires >= 0)) take_grant(s, s.e.expires < 0 ? m.asked : s.e.expires, m.sent_at);
  if (first && m.notified == Notified::No) m.notify_by = m.sent_at + s.e.timer_n;
}

void hear_notify(Step& s) {
  Dialogue& m = s.m;
  if (m.probe && !m.heard) m.useless = static_cast<uint8_t>(std::min(m.useless + 1, kMostUseless));
  m.ask = false;
  m.refused = 0;
  m.heard = true;
  bool made = m.dialog != Dialog::Confirmed;
  if (made) {
    m.dialog = Dialog::Confirmed;
    m.since = s.now;
  }
  m.notified = s.e.notified;
  m.notify_by = 0;
  // One that says in one breath that the subscription goes on and that nothing is left of it says nothing of its end.
  m.told |= s.e.expires > 0;
  if (s.e.expires > 0) take_grant(s, s.e.expires, s.now);
  else if (!m.grant_end) m.grant_end = s.now + static_cast<MonoMs>(m.asked) * 1000;
  // A whole new grant is worth a row; a rounded one is not.
  if (made || std::abs(removal_end(m) - s.removal_end) > 10000) s.fx.write = Write::Bulk;
  if (s.e.full) m.gap = Gap::No, m.gaps = 0;
  if (!s.e.refetch) return;
  if (std::exchange(m.gap, Gap::Missed) == Gap::Asked) m.gaps = std::min<uint8_t>(m.gaps + 1, kMostGaps);
  m.refetch = true;
}

void hear_refused(Step& s) {
  Dialogue& m = s.m;
  m.refused = static_cast<uint8_t>(std::min(m.refused + 1, 255));
  // While a refresh is out: in place of its answer, or the last one of the dialog.
  if (m.state == State::Sending && m.op == Op::Refresh && (!m.heard || s.e.ended)) m.ask = true;
}

void hear_restored(Step& s) {
  Dialogue& m = s.m;
  const RestoredDialog& row = *s.e.row;
  if (!row.requested) m.wanted = row.wanted ? Wanted::Something : Wanted::Leaving;
  else if (m.wanted == Wanted::Once) m.wanted = Wanted::Nothing;
  if (!row.requested || row.existing) m.wanted_end = row.wanted_end;
  m.grant_end = row.grant_end;
  m.since = m.sent_at = s.now;
  m.dialog = row.dialog ? Dialog::Confirmed : row.replay ? Dialog::Early : Dialog::None;   // Early: a NOTIFY to its first request makes it
  if (row.replay) {
    m.build = Build::Replay;
    m.asked = row.asked;
  }
  s.fx.new_names = m.dialog == Dialog::None;
}

void hear(Step& s) {
  switch (s.e.input) {
    case Input::Request: return hear_request(s);
    case Input::Slot: return hear_slot(s);
    case Input::Success: return hear_success(s);
    case Input::TooBrief:
      if (uint32_t longer = longer_expires(s)) s.m.server_min = longer;
      return;
    case Input::Notify: return hear_notify(s);
    case Input::Refused: return hear_refused(s);
    case Input::Restored: return hear_restored(s);
    case Input::Loaded:
      if (s.m.dialog == Dialog::Confirmed && s.m.grant_end <= s.now) forget_dialog(s);
      return;
    default: return;
  }
}

// --- guards ----------------------------------------------------------------------------------------------------------

bool wanted(const Step& s) { return s.m.wanted == Wanted::Something; }
bool not_wanted(const Step& s) { return !wanted(s); }
bool to_end(const Step& s) { return s.m.wanted == Wanted::Nothing || s.m.wanted == Wanted::Leaving; }
bool confirmed(const Step& s) { return s.m.dialog == Dialog::Confirmed; }
bool over_there(const Step& s) { return removal_end(s.m) <= s.now; }
bool quiet(const Step& s) { return s.m.hold_until > s.now; }
bool nothing_to_send(const Step& s) { return next_op(s.m) == Op::None; }
bool intent_first(const Step& s) { return next_op(s.m) == Op::Remove && not_wanted(s); }

bool loaded(const Step& s) { return s.e.no_row; }
bool removal_of_what_ended(const Step& s) { return s.e.removal && (s.e.has_row || s.e.waited); }

bool at_end(const Step& s) { return wanted(s) && s.m.wanted_end <= s.now; }
bool at_end_no_dialog(const Step& s) { return at_end(s) && !confirmed(s); }
bool at_end_over_there(const Step& s) { return at_end(s) && over_there(s); }
bool at_end_quiet(const Step& s) { return at_end(s) && quiet(s); }
bool lapsed_no_dialog(const Step& s) { return to_end(s) && over_there(s) && !confirmed(s); }
bool lapsed(const Step& s) { return to_end(s) && over_there(s); }
bool deaf_from_the_start(const Step& s) { return s.m.refused > 0 && wanted(s); }
bool deaf(const Step& s) { return s.m.probe && !s.m.heard && s.m.refused >= kDeaf && wanted(s); }

// Whether a new dialog may be tried at once: not where that was done a moment ago, nor before the other side's time.
bool at_once(const Step& s, int64_t retry_after) {
  return (!s.m.quick_try || stood(s.m, s.now)) && !quiet(s) && retry_after <= 0;
}
bool dialog_lapsed(const Step& s) { return confirmed(s) && wanted(s) && s.m.grant_end <= s.now; }
bool dialog_lapsed_at_once(const Step& s) { return dialog_lapsed(s) && at_once(s, -1); }

bool was_removal(const Step& s) { return s.m.op == Op::Remove; }
bool was_end(const Step& s) { return s.m.op == Op::Remove || s.m.op == Op::Fetch; }
bool was_fetch(const Step& s) { return s.m.op == Op::Fetch; }
bool deaf_dialog_ended(const Step& s) { return was_removal(s) && wanted(s); }
bool deaf_dialog_ended_at_once(const Step& s) { return deaf_dialog_ended(s) && s.m.notified != Notified::No && at_once(s, -1); }
bool was_end_terminated(const Step& s) { return was_end(s) && terminated(s.m); }
bool terminated_not_wanted(const Step& s) { return terminated(s.m) && not_wanted(s); }
bool terminated_at_once(const Step& s) { return terminated(s.m) && at_once(s, -1); }
bool was_terminated(const Step& s) { return terminated(s.m); }
bool granted_nothing(const Step& s) { return (s.e.expires < 0 ? int64_t{s.m.asked} : s.e.expires) == 0 && wanted(s); }
bool not_wanted_any_more(const Step& s) { return s.m.wanted_end <= s.now || not_wanted(s); }
bool not_wanted_no_dialog(const Step& s) { return not_wanted_any_more(s) && !confirmed(s); }
bool not_wanted_over_there(const Step& s) { return not_wanted_any_more(s) && over_there(s); }
bool notify_awaited(const Step& s) { return s.m.notify_by != 0; }

bool not_wanted_after_end(const Step& s) { return not_wanted(s) && was_end(s); }
bool lost_at_once(const Step& s) { return at_once(s, s.e.retry_after); }
bool no_dialog_not_wanted_after_end(const Step& s) { return s.m.dialog == Dialog::None && not_wanted_after_end(s); }
bool no_dialog_not_wanted(const Step& s) { return s.m.dialog == Dialog::None && not_wanted(s); }
bool no_dialog_at_once(const Step& s) { return s.m.dialog == Dialog::None && at_once(s, s.e.retry_after); }
bool no_dialog(const Step& s) { return s.m.dialog == Dialog::None; }
bool longer_at_once(const Step& s) { return longer_expires(s) && s.m.attempts == 0; }
bool made_by_notify(const Step& s) { return s.m.op == Op::Initial && confirmed(s); }
bool made_by_notify_not_wanted(const Step& s) { return made_by_notify(s) && not_wanted(s); }

bool grant_moved(const Step& s) { return std::abs(s.m.grant_end - s.grant_end) > 2000; }
bool asks_now(const Step& s) {
  bool in_place_of_an_answer = !s.m.heard && s.now < s.m.sent_at + kRefetchEvery;
  return wanted(s) && (s.m.refused >= kDeaf || in_place_of_an_answer || s.e.ended);
}
bool ended_for_good(const Step& s) {
  return s.e.reason == Reason::Rejected || s.e.reason == Reason::Noresource || s.e.reason == Reason::Invariant;
}
bool at_end_by_notifier(const Step& s) {
  MonoMs early = s.e.reason == Reason::Timeout || s.e.reason == Reason::None ? kMoment : 0;
  return s.m.wanted_end - early <= s.now;   // before our own timer
}
bool pause_asked(const Step& s) { return asks_for_a_pause(s.e.reason) || pause_of(s.e) > 0; }
bool anew_at_once(const Step& s) { return !asks_for_a_pause(s.e.reason) && at_once(s, pause_of(s.e)); }

bool as_it_stands(const Step& s) { return next_op(s.m) == Op::Refresh && s.e.due >= 0; }
bool to_be_made_anew(const Step& s) { return next_op(s.m) == Op::Initial && s.e.due >= 0 && s.m.build == Build::Fresh; }

// --- actions ---------------------------------------------------------------------------------------------------------

void tell(Step& s, int status, const char* reason) {
  s.fx.complete = true;
  s.fx.local_status = status;
  s.fx.local_reason = reason;
}
void tell_reply(Step& s) { tell(s, 0, ""); }
void write_row(Step& s) { s.fx.write = Write::Bulk; }

// status 0: the reply says it.
void end(Step& s, Outcome why, int status, const char* reason) {
  tell(s, status, reason);
  write_row(s);
  s.fx.outcome = why;
  forget_dialog(s);
  s.m.wanted = Wanted::Leaving;
  s.m.hold_until = 0;
  s.m.deadline = kNever;
}

void queue(Step& s) {
  s.m.deadline = end_of_interest(s.m);
  s.fx.enqueue = true;
}

// It is not wanted, and over there it ends by itself: nothing to send, but of a dialog the last NOTIFY is still to come.
void let_end(Step& s, Outcome why, int status, const char* reason) {
  tell(s, status, reason);
  write_row(s);
  s.fx.outcome = why;
  s.m.wanted = Wanted::Leaving;
  s.m.deadline = s.now + s.e.timer_n;
}

void back_off(Step& s, int64_t retry_after) {
  Dialogue& m = s.m;
  m.attempts = static_cast<uint8_t>(std::min(m.attempts + 1, 255));
  MonoMs retry = s.now + backoff(m.attempts, retry_after, s.random);
  m.hold_until = retry_after > 0 ? s.now + std::min(retry_after, kMaxRetryAfter) * 1000 : 0;
  MonoMs end = end_of_interest(m);
  // When the dialog lapses a new one is due, but not sooner than the other side asked for.
  if (m.dialog == Dialog::Confirmed && m.wanted == Wanted::Something && !m.hold_until) end = std::min(end, m.grant_end);
  m.deadline = std::min(retry, end);
  write_row(s);
}

// The dialog is lost, the subscription still wanted.
void subscribe_anew(Step& s) {
  note_standing(s);
  forget_dialog(s);
  s.m.quick_try = true;
  write_row(s);
  queue(s);
}
void subscribe_anew_later(Step& s, int64_t retry_after) {
  note_standing(s);
  forget_dialog(s);
  if (s.m.hold_until > s.now) retry_after = std::max(retry_after, (s.m.hold_until - s.now + 999) / 1000);
  back_off(s, retry_after);
}
// The same where the notifier has ended the dialog, and a new one would be welcome but for the one that was tried a moment ago.
void subscribe_after_end_later(Step& s, bool welcome, int64_t retry_after) {
  bool again = welcome && s.m.quick_try && !stood(s.m, s.now) && retry_after <= 0 && !quiet(s);
  subscribe_anew_later(s, retry_after);
  if (!again || s.m.looping || s.fx.outcome != Outcome::No) return;
  s.m.looping = true;
  s.fx.outcome = Outcome::EndsAgain;
}

void live(Step& s, MonoMs from) {
  Dialogue& m = s.m;
  m.deadline = m.wanted_end;
  if (m.grant_end < m.wanted_end) {
    MonoMs left = std::max<MonoMs>(m.grant_end - from, 0);
    m.deadline = std::min(m.wanted_end, from + refresh_after(static_cast<uint32_t>(left / 1000), s.random));
  }
  if (m.refetch) m.deadline = std::min(m.deadline, refetch_at(m));
}

// NOTIFYs were refused: the next request comes sooner.
void ask_for_state(Step& s) {
  s.m.ask = true;
  s.m.deadline = std::min(s.m.deadline, s.m.sent_at + (kRefetchEvery << s.m.useless));
}

void wait_for_row(Step& s) { s.m.deadline = s.now + kIdlePatience; }
void ended_already(Step& s) { tell(s, 200, "Ended already"); }
void ending_already(Step& s) { tell(s, 200, "Ending already"); }
void never_sent(Step& s) { end(s, Outcome::NeverSent, 200, "Nothing subscribed"); }
void no_subscription(Step& s) { end(s, Outcome::NeverSent, 404, "No such subscription"); }

void keep_for_later(Step& s) {   // the other side asked for quiet: the change is kept and goes out then
  tell(s, 503, "Retry-After not over yet, kept");
  write_row(s);
  s.m.deadline = std::min(s.m.hold_until, end_of_interest(s.m));
}

void begin_again(Step& s) {
  s.m.hold_until = 0;
  if (s.e.input != Input::Request) return;
  s.m.attempts = 0;
  s.m.quick_try = false;
}
// A removal that somebody wants must be in the row before it leaves: a restart must not bring the subscription back.
void commit_first(Step& s) {
  begin_again(s);
  s.fx.write = Write::Intent;
  s.m.deadline = s.e.patience;
}
void send_now(Step& s) {
  begin_again(s);
  queue(s);
}

void leave_for_good(Step& s) { s.m.deadline = kNever; }
void give_up_waiting(Step& s) {
  tell(s, 503, "Table not loaded yet, kept");
  s.m.deadline = kNever;
}
void last_notify_missing(Step& s) {
  end(s, s.m.wanted == Wanted::Once && s.m.notified == Notified::No ? Outcome::NotifyMissing : Outcome::Removed, 0, "");
  s.fx.complete = false;   // its owner was told when the reply came
}
void expire(Step& s) { end(s, Outcome::Expired, 480, "Lifetime ended"); }
void expire_by_itself(Step& s) { let_end(s, Outcome::Expired, 480, "Lifetime ended"); }
void withdraw_later(Step& s) {
  write_row(s);
  s.fx.outcome = Outcome::Expired;
  s.m.wanted = Wanted::Leaving;
  s.m.deadline = std::min(s.m.hold_until, removal_end(s.m));
}
void withdraw(Step& s) {
  write_row(s);
  s.fx.outcome = Outcome::Expired;
  s.m.wanted = Wanted::Leaving;
  queue(s);
  if (s.m.state == State::Queued) tell(s, 480, "Lifetime ended");   // it ended before the request could leave
}
void lapse(Step& s) { end(s, Outcome::Removed, 200, "Ended by itself"); }
void lapse_by_itself(Step& s) { let_end(s, Outcome::Removed, 200, "Ended by itself"); }
void end_deaf_dialog(Step& s) {   // the other side has a subscription that nobody else would end
  s.fx.outcome = Outcome::Deaf;
  s.m.renew = true;
  queue(s);
}
void notify_missing(Step& s) {    // timer N
  s.fx.outcome = Outcome::NotifyMissing;
  forget_dialog(s);
  back_off(s, -1);
}
void dialog_lapsed_anew(Step& s) {
  s.fx.outcome = Outcome::DialogLost;
  subscribe_anew(s);
}
void dialog_lapsed_later(Step& s) {
  s.fx.outcome = Outcome::DialogLost;
  subscribe_anew_later(s, -1);
}
void stay_queued(Step& s) { s.m.deadline = end_of_interest(s.m); }

void anew_later(Step& s) {
  tell_reply(s);
  subscribe_anew_later(s, -1);
}
void ended_anew_later(Step& s) {
  tell_reply(s);
  subscribe_after_end_later(s, true, -1);
}
void ended_anew_later_as_asked(Step& s) {
  tell_reply(s);
  subscribe_after_end_later(s, true, s.e.retry_after);
}
void anew_told(Step& s) {
  tell_reply(s);
  subscribe_anew(s);
}
void anew_later_as_asked(Step& s) {
  tell_reply(s);
  subscribe_anew_later(s, s.e.retry_after);
}
void removed(Step& s) { end(s, Outcome::Removed, 0, ""); }
void await_last_notify(Step& s) {
  tell_reply(s);
  write_row(s);
  if (s.m.op == Op::Remove) s.m.wanted = Wanted::Leaving;
  s.m.deadline = s.now + s.e.timer_n;
}
void terminated_by_notifier(Step& s) { end(s, Outcome::No, 603, "Terminated by the notifier"); }
void ended_meanwhile(Step& s) { end(s, Outcome::Expired, 0, ""); }
void ends_by_itself_meanwhile(Step& s) { let_end(s, Outcome::Expired, 0, ""); }
void withdraw_at_once(Step& s) {
  withdraw(s);
  tell_reply(s);
}
void await_notify(Step& s) {      // also after a refresh that an owner asked for meanwhile: timer N is that of the first request
  tell_reply(s);
  write_row(s);
  s.m.deadline = std::min(s.m.notify_by, s.m.wanted_end);
}
void be_live(Step& s) {
  tell_reply(s);
  write_row(s);
  live(s, s.m.sent_at);
  if (s.m.ask) ask_for_state(s);
}
void had_ended(Step& s) { end(s, Outcome::Removed, 200, "OK, it had ended"); }
void dialog_lost_anew(Step& s) {  // its owner hears of the new dialog
  s.fx.outcome = Outcome::DialogLost;
  subscribe_anew(s);
}
void dialog_lost_later(Step& s) {
  s.fx.outcome = Outcome::DialogLost;
  anew_later_as_asked(s);
}
void ask_for_longer(Step& s) {    // at once for the first in a row only, under the same Call-ID (RFC 3261 section 8.1.3.5)
  s.m.attempts = 1;
  queue(s);
}
void back_off_as_asked(Step& s) {
  tell_reply(s);
  back_off(s, s.e.retry_after);
}
void refused(Step& s) { end(s, Outcome::Refused, 0, ""); }
void withdraw_made(Step& s) {
  tell_reply(s);
  write_row(s);
  queue(s);
}
void live_made(Step& s) {         // the reply was lost or came from another branch, but a NOTIFY made the dialog: it stands
  tell_reply(s);
  write_row(s);
  live(s, s.now);
}
void fail(Step& s) {
  tell_reply(s);
  if (s.m.op == Op::Initial) forget_dialog(s);   // whatever an unheard answer made gets 481 to its NOTIFYs
  back_off(s, s.e.retry_after);
}

void live_by_notify(Step& s) {
  live(s, s.now);
  if (s.m.wanted_end <= s.now) s.m.deadline = s.now;
}
// What a NOTIFY that was taken means for the next refresh of a dialog that is live.
void after_notify(Step& s) {
  if (s.asked) live(s, s.m.sent_at);
  if (s.m.refetch) s.m.deadline = std::min(s.m.deadline, refetch_at(s.m));
}
void first_notify(Step& s) {
  live_by_notify(s);
  after_notify(s);
}
void shorter_removal(Step& s) {
  if (to_end(s)) s.m.deadline = std::min(s.m.deadline, removal_end(s.m));
}
void terminated_while_out(Step& s) {   // the reply says what comes next
  note_standing(s);
  forget_dialog(s);
  s.fx.new_names = false;              // the request that is out keeps its names
  if (wanted(s) && ended_for_good(s)) {
    s.m.wanted = Wanted::Leaving;
    s.fx.outcome = Outcome::Rejected;
  }
  if (pause_of(s.e) > 0) s.m.hold_until = s.now + std::min(pause_of(s.e), kMaxRetryAfter) * 1000;
  else if (asks_for_a_pause(s.e.reason)) s.m.hold_until = s.now + backoff(1, -1, s.random);
}
void ended_as_told(Step& s) {
  end(s, Outcome::Removed, 0, "");
  s.fx.complete = false;
}
void rejected(Step& s) { end(s, Outcome::Rejected, 603, "Terminated by the notifier"); }
void pause_queued(Step& s) {
  forget_dialog(s);
  tell(s, 480, "Ended by the notifier for now, kept");
  back_off(s, pause_of(s.e));
}
void stay_queued_anew(Step& s) {       // what goes out is an initial request now
  forget_dialog(s);
  queue(s);
  write_row(s);
}
void anew_after_pause(Step& s) { subscribe_after_end_later(s, !asks_for_a_pause(s.e.reason), pause_of(s.e)); }

void live_until_due(Step& s) {
  s.m.refetch = true;   // also where a NOTIFY comes before that: it may bring less than the state
  s.m.deadline = std::min({s.m.wanted_end, s.m.grant_end, s.e.due});
}
void make_when_due(Step& s) { s.m.deadline = std::min(s.m.wanted_end, s.e.due); }   // its grant has ended meanwhile: spread like the others
void tell_as_said(Step& s) { tell(s, s.e.status, s.e.phrase); }

// --- the rules -------------------------------------------------------------------------------------------------------

constexpr State Idle = State::Idle, Intent = State::Intent, Queued = State::Queued, Sending = State::Sending, Waiting = State::Waiting,
                Live = State::Live, Backoff = State::Backoff, Ending = State::Ending, Gone = State::Gone, Stay = State{kStay};
constexpr uint32_t kStanding = states(Intent, Queued, Waiting, Live, Backoff);   // nothing is out, and it has not ended

using DialogueRule = Rule<State, Input, Step>;

constexpr DialogueRule kRules[] = {
    // Request: an owner wants something else. While a request is out it waits.
    {states(Idle), on(Input::Request), "the table has been loaded", loaded, Idle, nullptr, ""},   // and Loaded follows
    {states(Idle), on(Input::Request), "", nullptr, Idle, wait_for_row, ""},
    {states(Gone), on(Input::Request), "a removal, and its row is still to be deleted", removal_of_what_ended, Gone, ended_already, ""},
    {states(Ending), on(Input::Request), "it is still not wanted", to_end, Ending, ending_already, ""},
    {kStanding, on(Input::Request), "nothing to send", nothing_to_send, Gone, never_sent, ""},
    {states(Backoff), on(Input::Request), "the other side asked for quiet", quiet, Backoff, keep_for_later, "RFC 3261 20.33"},
    {kStanding, on(Input::Request), "a removal", intent_first, Intent, commit_first, ""},
    {kStanding | states(Ending, Gone), on(Input::Request), "", nullptr, Queued, send_now, "RFC 6665 4.1.2"},

    {states(Intent), on(Input::Proceed), "", nullptr, Queued, queue, ""},
    {states(Queued), on(Input::Slot), "", nullptr, Sending, leave_for_good, "RFC 6665 4.1.2"},

    // Due: the record's own deadline.
    {states(Idle), on(Input::Due), "", nullptr, Idle, give_up_waiting, ""},
    {states(Ending), on(Input::Due), "", nullptr, Gone, last_notify_missing, "RFC 6665 4.1.2.4"},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "at the wanted end, without a dialog", at_end_no_dialog, Gone, expire, ""},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "at the wanted end, and it has ended over there", at_end_over_there, Ending, expire_by_itself, ""},
    {states(Backoff), on(Input::Due), "at the wanted end, and the other side asked for quiet", at_end_quiet, Backoff, withdraw_later, "RFC 3261 20.33"},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "at the wanted end", at_end, Queued, withdraw, "RFC 6665 4.1.2.3"},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "not wanted, ended over there, without a dialog", lapsed_no_dialog, Gone, lapse, ""},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "not wanted, and it has ended over there", lapsed, Ending, lapse_by_itself, ""},
    {states(Waiting), on(Input::Due), "NOTIFYs came, and were refused", deaf_from_the_start, Queued, end_deaf_dialog, ""},
    {states(Waiting), on(Input::Due), "", nullptr, Backoff, notify_missing, "RFC 6665 4.1.2.4"},
    {states(Live, Backoff), on(Input::Due), "the grant has ended", dialog_lapsed_at_once, Queued, dialog_lapsed_anew, "RFC 6665 4.1.2.2"},
    {states(Live, Backoff), on(Input::Due), "the grant has ended a second time", dialog_lapsed, Backoff, dialog_lapsed_later, ""},
    {states(Live), on(Input::Due), "deaf: asked for state, and nothing that can be taken came", deaf, Queued, end_deaf_dialog, ""},
    {states(Live, Backoff), on(Input::Due), "", nullptr, Queued, queue, "RFC 6665 4.1.2.2"},
    {states(Queued), on(Input::Due), "", nullptr, Queued, stay_queued, ""},

    // Replies.
    {states(Sending), on(Input::Success), "the deaf dialog is ended", deaf_dialog_ended_at_once, Queued, subscribe_anew, ""},
    {states(Sending), on(Input::Success), "the deaf dialog is ended, which brought no NOTIFY or not for the first time", deaf_dialog_ended, Backoff, anew_later, ""},
    {states(Sending), on(Input::Success), "to a removal or fetch, and the last NOTIFY has come", was_end_terminated, Gone, removed, "RFC 6665 4.1.2.3"},
    {states(Sending), on(Input::Success), "to a removal or fetch", was_end, Ending, await_last_notify, "RFC 6665 4.1.2.3"},
    {states(Sending), on(Input::Success), "a NOTIFY has ended it for good", terminated_not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Success), "a NOTIFY has ended the dialog", terminated_at_once, Queued, anew_told, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Success), "a NOTIFY has ended the dialog, and a pause is due", was_terminated, Backoff, ended_anew_later, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Success), "it grants nothing", granted_nothing, Backoff, anew_later, ""},
    {states(Sending), on(Input::Success), "not wanted any more, without a dialog", not_wanted_no_dialog, Gone, ended_meanwhile, ""},
    {states(Sending), on(Input::Success), "not wanted any more, and it has ended over there", not_wanted_over_there, Ending, ends_by_itself_meanwhile, ""},
    {states(Sending), on(Input::Success), "not wanted any more", not_wanted_any_more, Queued, withdraw_at_once, "RFC 6665 4.1.2.3"},
    {states(Sending), on(Input::Success), "the first NOTIFY has not come", notify_awaited, Waiting, await_notify, "RFC 6665 4.1.2.4"},
    {states(Sending), on(Input::Success), "", nullptr, Live, be_live, "RFC 6665 4.1.2.1"},
    {states(Sending), on(Input::DialogLost), "not wanted, to a removal", not_wanted_after_end, Gone, had_ended, "RFC 5057 5.1"},
    {states(Sending), on(Input::DialogLost), "a NOTIFY has ended it for good", not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::DialogLost), "", lost_at_once, Queued, dialog_lost_anew, "RFC 6665 4.1.2.2"},
    {states(Sending), on(Input::DialogLost), "not for the first time, or a pause is due", nullptr, Backoff, dialog_lost_later, ""},
    {states(Sending), on(Input::TooBrief), "a NOTIFY has ended it, to a removal or fetch", no_dialog_not_wanted_after_end, Gone, removed, ""},
    {states(Sending), on(Input::TooBrief), "a NOTIFY has ended it for good", no_dialog_not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::TooBrief), "a NOTIFY has ended the dialog", no_dialog_at_once, Queued, anew_told, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::TooBrief), "a NOTIFY has ended the dialog, and a pause is due", no_dialog, Backoff, ended_anew_later_as_asked, ""},
    {states(Sending), on(Input::TooBrief), "for the first time", longer_at_once, Queued, ask_for_longer, "RFC 3261 21.4.17"},
    {states(Sending), on(Input::TooBrief), "nothing longer may be asked for, or again", nullptr, Backoff, back_off_as_asked, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "to the end of a deaf dialog", deaf_dialog_ended, Backoff, anew_later_as_asked, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "to a fetch", was_fetch, Gone, refused, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has made the dialog, which is not wanted", made_by_notify_not_wanted, Queued, withdraw_made, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has made the dialog", made_by_notify, Live, live_made, "RFC 6665 4.1.2.4"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended it, to a removal", no_dialog_not_wanted_after_end, Gone, removed, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended it for good", no_dialog_not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended the dialog", no_dialog_at_once, Queued, anew_told, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended the dialog, and a pause is due", no_dialog, Backoff, ended_anew_later_as_asked, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "", nullptr, Backoff, fail, ""},
    {states(Sending), on(Input::Fatal), "to the end of a deaf dialog", deaf_dialog_ended, Backoff, anew_later_as_asked, ""},
    {states(Sending), on(Input::Fatal), "a NOTIFY has made the dialog, which is not wanted", made_by_notify_not_wanted, Queued, withdraw_made, ""},
    {states(Sending), on(Input::Fatal), "a NOTIFY has made the dialog", made_by_notify, Live, live_made, "RFC 6665 4.1.2.4"},
    {states(Sending), on(Input::Fatal), "", nullptr, Gone, refused, "RFC 5057 5.1"},
    {states(Sending), on(Input::Shutdown), "", nullptr, Sending, tell_reply, ""},

    // NOTIFYs.
    {states(Waiting), on(Input::Notify), "", nullptr, Live, first_notify, "RFC 6665 4.1.2.4"},
    {states(Live), on(Input::Notify), "the grant is another one", grant_moved, Live, first_notify, "RFC 6665 4.1.2.1"},
    {states(Live), on(Input::Notify), "", nullptr, Live, after_notify, "RFC 6665 4.1.3"},
    {states(Queued), on(Input::Notify), "", nullptr, Queued, stay_queued, ""},   // a deadline in the queue either ends it or queues it again
    {states(Backoff), on(Input::Notify), "", nullptr, Backoff, shorter_removal, ""},
    {states(Intent, Sending, Ending), on(Input::Notify), "", nullptr, Stay, nullptr, "RFC 6665 4.1.3"},
    {states(Live), on(Input::Refused), "one too many, in place of an answer, or the last one of its dialog", asks_now, Live, ask_for_state, ""},
    {kStanding | states(Sending, Ending), on(Input::Refused), "", nullptr, Stay, nullptr, ""},
    {states(Sending), on(Input::Terminated), "", nullptr, Sending, terminated_while_out, "RFC 6665 4.1.3"},
    {states(Ending), on(Input::Terminated), "", nullptr, Gone, ended_as_told, "RFC 6665 4.1.2.3"},
    {kStanding, on(Input::Terminated), "not wanted", not_wanted, Gone, had_ended, "RFC 6665 4.1.3"},
    {kStanding, on(Input::Terminated), "at the wanted end", at_end_by_notifier, Gone, expire, "RFC 6665 4.1.3"},
    {kStanding, on(Input::Terminated), "rejected, noresource, invariant", ended_for_good, Gone, rejected, "RFC 6665 4.1.3"},
    {states(Queued), on(Input::Terminated), "probation, giveup, or retry-after", pause_asked, Backoff, pause_queued, "RFC 6665 4.1.3"},
    {states(Queued), on(Input::Terminated), "", nullptr, Queued, stay_queued_anew, "RFC 6665 4.1.3"},
    {states(Intent, Waiting, Live, Backoff), on(Input::Terminated), "deactivated, timeout, or without a reason", anew_at_once, Queued, subscribe_anew, "RFC 6665 4.1.3"},
    {states(Intent, Waiting, Live, Backoff), on(Input::Terminated), "probation, giveup, retry-after, or soon after the last one", nullptr, Backoff, anew_after_pause, "RFC 6665 4.1.3"},

    // Rows.
    {states(Idle), on(Input::Restored), "", nullptr, Idle, nullptr, ""},
    {states(Idle), on(Input::Loaded), "at the wanted end, without a dialog", at_end_no_dialog, Gone, expire, ""},
    {states(Idle), on(Input::Loaded), "at the wanted end, and it has ended over there", at_end_over_there, Ending, expire_by_itself, ""},
    {states(Idle), on(Input::Loaded), "at the wanted end", at_end, Queued, withdraw, "RFC 6665 4.1.2.3"},
    {states(Idle), on(Input::Loaded), "nothing to send", nothing_to_send, Gone, no_subscription, ""},
    {states(Idle), on(Input::Loaded), "its dialog stands", as_it_stands, Live, live_until_due, ""},
    {states(Idle), on(Input::Loaded), "its dialog has ended meanwhile", to_be_made_anew, Backoff, make_when_due, ""},
    {states(Idle), on(Input::Loaded), "a removal", intent_first, Intent, commit_first, ""},
    {states(Idle), on(Input::Loaded), "", nullptr, Queued, send_now, ""},
    {states(Ending, Gone), on(Input::Stored), "", nullptr, Stay, nullptr, ""},

    // The request under way has an outcome that is not the machine's.
    {states(Queued, Live, Backoff), on(Input::Told), "", nullptr, Stay, tell_as_said, ""},
};

bool is_reply(Input i) { return i >= Input::Success && i <= Input::Shutdown; }

// What holds for every rule.
void finish(Step& s, State before, Dialog dialog_before, bool over_before) {
  Dialogue& m = s.m;
  Effects& fx = s.fx;
  // The request of the last run was repeated, or its dialog is there: that run may have gone on under these names.
  if (m.build == Build::Replay && is_reply(s.e.input)) {
    m.build = Build::Fresh;
    fx.skip_cseqs = true;
  }
  if (fx.new_names) m.build = Build::Fresh;
  fx.dialog_changed = m.dialog != dialog_before;
  // Loaded with a time to refresh is a row that nobody asked for; else an owner may have been told already that it is kept.
  bool asked = s.e.input == Input::Loaded ? s.e.due < 0 : s.e.input == Input::Request && s.e.owner;
  bool over = row_over(m);
  if (fx.write == Write::No && over != over_before) fx.write = Write::Bulk;
  if (fx.write == Write::No && fx.enqueue && asked && !over) fx.write = Write::Wish;   // what is wanted, and the names of its dialog
  if (fx.write == Write::Bulk && s.e.owner) fx.write = Write::Fast;
  if (over && !s.e.has_row) fx.write = Write::No;
  fx.leave_queue = (before == State::Queued || before == State::Idle) && m.state != before;
  fx.free = m.state == State::Gone && !s.e.has_row;
  fx.not_kept = s.e.input == Input::Loaded && s.e.no_row && m.state == State::Gone;
  if (fx.complete && m.wanted == Wanted::Nothing) m.wanted = Wanted::Leaving;   // its owner knows now
}

}  // namespace

std::span<const DialogueRule> subscription_rules() { return kRules; }

bool legal(State s, Input i) {
  for (const auto& r : kRules)
    if (is_for(r, s, i)) return true;
  return false;
}

Effects Dialogue::step(Dialogue& m, const Event& e, Random& random, MonoMs now) {
  Step s{m, e, random, now, m.grant_end, sub::removal_end(m), m.ask};
  State before = m.state;
  Dialog dialog_before = m.dialog;
  bool over_before = row_over(m);
  hear(s);
  if (e.input == Input::Request || e.input == Input::Restored) over_before = row_over(m);   // what is wanted now is no news of the dialog
  const DialogueRule* rule = find_rule(subscription_rules(), before, e.input, s);
  if (!rule) return {};
  if (rule->act) rule->act(s);
  m.state = next_state(before, rule->to);
  if (e.input == Input::Notify && m.looping) note_standing(s);
  finish(s, before, dialog_before, over_before);
  return s.fx;
}

}  // namespace pua::sub
