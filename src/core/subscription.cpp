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
                                          "forbidden", "auth", "fatal", "shutdown", "notify", "terminated", "loaded", "stored"};
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

bool legal(State s, Input i) {
  switch (i) {
    case Input::Request: return s != State::Sending;
    case Input::Proceed: return s == State::Intent;
    case Input::Slot: return s == State::Queued;
    case Input::Due: return s != State::Intent && s != State::Sending && s != State::Gone;
    case Input::Notify:
    case Input::Terminated: return s != State::Idle && s != State::Gone;
    case Input::Loaded: return s == State::Idle;
    case Input::Stored: return s == State::Gone || s == State::Ending;
    default: return s == State::Sending;
  }
}

Op next_op(const Machine& m) {
  bool there = m.dialog == Dialog::Confirmed;
  switch (m.wanted) {
    case Wanted::Something: return !there ? Op::Initial : m.renew ? Op::Remove : Op::Refresh;
    case Wanted::Once: return there ? Op::None : Op::Fetch;
    case Wanted::Nothing:
    case Wanted::Leaving: break;
  }
  return there ? Op::Remove : Op::None;
}

MonoMs removal_end(const Machine& m) { return m.grant_end + MonoMs{m.beyond} * 1000; }

bool row_over(const Machine& m) {
  if (m.state == State::Gone || m.state == State::Ending || m.wanted == Wanted::Once) return true;
  return m.wanted != Wanted::Something && m.dialog != Dialog::Confirmed && m.state != State::Idle;
}

namespace {

constexpr MonoMs kIdlePatience = 5000;   // a request that came while the table is being loaded is answered by then
constexpr MonoMs kRefetchEvery = 5000;   // between two refreshes for the sake of a partial document's gap, or of refused NOTIFYs
constexpr uint8_t kMostGaps = 6;         // 5 s doubled so often is 5 minutes
constexpr int64_t kMaxDelta = 0xffffffff;  // s: what a header field can say (RFC 3261 section 20.19)
constexpr int64_t kMaxBeyond = 3600;     // s: no longer is an end worth sending because more was granted than asked
constexpr int kMostUseless = 9;          // 5 s doubled so often is 43 minutes
constexpr MonoMs kStood = 30000;         // a dialog that ends sooner counts as a failure: no loop of new ones
constexpr MonoMs kMoment = 1000;         // a notifier that counts in whole seconds is early by no more than this

// A grant above what was asked counts as asked (RFC 6665 section 4.1.2.1): it must not keep us from asking again for years. In a
// restored dialog that was not refreshed yet nobody knows what was asked: not more than we ever may.
void take_grant(Machine& m, const Event& e, MonoMs from) {
  int64_t most = m.asked ? m.asked : e.max_expires > 0 ? e.max_expires : kMaxDelta;
  int64_t granted = std::min(e.expires, most);
  m.grant_end = from + granted * 1000;
  m.beyond = static_cast<uint32_t>(std::min(e.expires - granted, kMaxBeyond));
}

// The only writer of Machine::state.
void set_state(Machine& m, State s, MonoMs deadline) {
  m.state = s;
  m.deadline = deadline;
}

// A dialog that stood for a while ends what was held against those before it.
void note_standing(Machine& m, Effects& fx, MonoMs now) {
  if (m.since == 0 || now - m.since < kStood) return;
  m.attempts = 0;
  m.quick_try = false;
  if (m.looping && fx.outcome == Outcome::No) m.looping = false, fx.outcome = Outcome::Stands;
}

void forget_dialog(Machine& m, Effects& fx) {
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
  fx.new_dialog = true;
}

Effects end(Machine& m, Outcome why, int status, const char* reason) {
  Effects fx;
  fx.complete = fx.write_row = true;
  fx.local_status = status;
  fx.local_reason = reason;
  fx.outcome = why;
  forget_dialog(m, fx);
  m.wanted = Wanted::Leaving;
  m.hold_until = 0;
  set_state(m, State::Gone, kNever);
  return fx;
}

// While queued or backing off: when there is no more use in sending what waits.
MonoMs end_of_interest(const Machine& m) {
  return m.wanted == Wanted::Something ? m.wanted_end : m.wanted == Wanted::Once ? kNever : removal_end(m);
}

void queue(Machine& m, Effects& fx) {
  set_state(m, State::Queued, end_of_interest(m));
  fx.enqueue = true;
}

// A removal that somebody wants must be in the row before it leaves: a restart must not bring the subscription back.
void prepare(Machine& m, Effects& fx) {
  m.hold_until = 0;
  if (next_op(m) == Op::Remove && m.wanted != Wanted::Something) {
    fx.commit_intent = true;
    set_state(m, State::Intent, kNever);
  } else {
    queue(m, fx);
  }
}

// It is not wanted, and over there it ends by itself: nothing to send, but of a dialog the last NOTIFY is still to come.
Effects ends_by_itself(Machine& m, Outcome why, int status, const char* reason, MonoMs timer_n, MonoMs now) {
  if (m.dialog != Dialog::Confirmed) return end(m, why, status, reason);
  Effects fx;
  fx.complete = fx.write_row = true;
  fx.local_status = status;
  fx.local_reason = reason;
  fx.outcome = why;
  m.wanted = Wanted::Leaving;
  set_state(m, State::Ending, now + timer_n);
  return fx;
}

// The wanted end has come and nothing is out.
Effects lifetime_over(Machine& m, MonoMs timer_n, MonoMs now) {
  m.wanted = Wanted::Leaving;
  if (m.dialog != Dialog::Confirmed || removal_end(m) <= now)
    return ends_by_itself(m, Outcome::Expired, 480, "Lifetime ended", timer_n, now);
  Effects fx;
  fx.outcome = Outcome::Expired;
  fx.write_row = true;
  if (m.state == State::Backoff && m.hold_until > now) set_state(m, State::Backoff, std::min(m.hold_until, removal_end(m)));   // it asked for quiet
  else queue(m, fx);
  return fx;
}

void back_off(Machine& m, Effects& fx, int64_t retry_after, Random& random, MonoMs now) {
  m.attempts = static_cast<uint8_t>(std::min(m.attempts + 1, 255));
  MonoMs retry = now + backoff(m.attempts, retry_after, random);
  m.hold_until = retry_after > 0 ? now + std::min(retry_after, kMaxRetryAfter) * 1000 : 0;
  MonoMs end = end_of_interest(m);
  // When the dialog lapses a new one is due, but not sooner than the other side asked for.
  if (m.dialog == Dialog::Confirmed && m.wanted == Wanted::Something && !m.hold_until) end = std::min(end, m.grant_end);
  set_state(m, State::Backoff, std::min(retry, end));
  fx.write_row = true;
}

// The dialog is lost, the subscription still wanted: a new one at once, unless that was tried a moment ago.
void subscribe_anew(Machine& m, Effects& fx, bool at_once, int64_t retry_after, Random& random, MonoMs now) {
  note_standing(m, fx, now);
  forget_dialog(m, fx);
  if (m.hold_until > now) retry_after = std::max(retry_after, (m.hold_until - now + 999) / 1000);
  if (at_once && !m.quick_try && retry_after <= 0) {
    m.quick_try = true;
    fx.write_row = true;
    queue(m, fx);
  } else {
    back_off(m, fx, retry_after, random, now);
  }
}

// The same for a dialog that the notifier ended.
void subscribe_after_end(Machine& m, Effects& fx, bool at_once, int64_t retry_after, Random& random, MonoMs now) {
  bool stood = m.since != 0 && now - m.since >= kStood;
  bool again = at_once && m.quick_try && !stood && retry_after <= 0 && m.hold_until <= now;
  subscribe_anew(m, fx, at_once, retry_after, random, now);
  if (again && !m.looping && fx.outcome == Outcome::No) {
    m.looping = true;
    fx.outcome = Outcome::EndsAgain;
  }
}

// Not in step with a notifier that never sends full state.
MonoMs refetch_at(const Machine& m) { return m.sent_at + (kRefetchEvery << m.gaps); }

MonoMs live_deadline(const Machine& m, Random& random, MonoMs from) {
  if (m.grant_end >= m.wanted_end) return m.wanted_end;
  MonoMs left = std::max<MonoMs>(m.grant_end - from, 0);
  return std::min(m.wanted_end, from + refresh_after(static_cast<uint32_t>(left / 1000), random));
}

void live(Machine& m, Random& random, MonoMs from) {
  MonoMs refresh = live_deadline(m, random, from);
  if (m.refetch) refresh = std::min(refresh, refetch_at(m));
  set_state(m, State::Live, refresh);
}

Effects on_request(Machine& m, MonoMs now) {
  Effects fx;
  switch (m.state) {
    case State::Idle:
      m.deadline = now + kIdlePatience;
      return fx;
    case State::Ending:   // what ends there has its own NOTIFYs to come: this is another dialog
      if (m.wanted == Wanted::Something || m.wanted == Wanted::Once) {
        forget_dialog(m, fx);
        break;
      }
      fx.complete = true;
      fx.local_status = 200;
      fx.local_reason = "Ending already";
      return fx;
    case State::Gone: m = Machine{.wanted = m.wanted, .wanted_end = m.wanted_end}; fx.new_dialog = true; break;
    default: break;
  }
  if (next_op(m) == Op::None) return end(m, Outcome::NeverSent, 200, "Nothing subscribed");
  if (m.state == State::Backoff && m.hold_until > now) {
    fx.write_row = fx.complete = true;   // the other side asked for quiet: the change is kept and goes out then
    fx.local_status = 503;
    fx.local_reason = "Retry-After not over yet, kept";
    m.deadline = std::min(m.hold_until, end_of_interest(m));
    return fx;
  }
  m.attempts = 0;
  m.quick_try = false;
  prepare(m, fx);
  return fx;
}

Effects on_due(Machine& m, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  if (m.state == State::Idle) {
    fx.complete = true;
    fx.local_status = 503;
    fx.local_reason = "Table not loaded yet, kept";
    m.deadline = kNever;
    return fx;
  }
  if (m.state == State::Ending) {
    fx = end(m, m.wanted == Wanted::Once && m.notified == Notified::No ? Outcome::NotifyMissing : Outcome::Removed, 0, "");
    fx.complete = false;   // its owner was told when the reply came
    return fx;
  }
  if (m.wanted == Wanted::Something && m.wanted_end <= now) {
    bool queued = m.state == State::Queued;
    fx = lifetime_over(m, e.timer_n, now);
    if (m.state == State::Queued) {
      fx.complete = queued;  // callers still queued: their lifetime ended before the request could leave
      fx.local_status = 480;
      fx.local_reason = "Lifetime ended";
    }
    return fx;
  }
  if (m.wanted != Wanted::Something && m.wanted != Wanted::Once && removal_end(m) <= now)
    return ends_by_itself(m, Outcome::Removed, 200, "Ended by itself", e.timer_n, now);
  switch (m.state) {
    case State::Waiting:   // timer N
      fx.outcome = Outcome::NotifyMissing;
      if (m.refused > 0 && m.wanted == Wanted::Something) {   // they do come: the other side has a subscription that nobody would end
        fx.outcome = Outcome::Deaf;
        m.renew = true;
        queue(m, fx);
        return fx;
      }
      forget_dialog(m, fx);
      back_off(m, fx, -1, random, now);
      return fx;
    case State::Live:
    case State::Backoff:
      if (m.dialog == Dialog::Confirmed && m.wanted == Wanted::Something && m.grant_end <= now) {   // it has lapsed over there
        fx.outcome = Outcome::DialogLost;
        subscribe_anew(m, fx, true, -1, random, now);
        return fx;
      }
      if (m.state == State::Live && m.probe && !m.heard && m.refused >= kDeaf && m.wanted == Wanted::Something) {
        m.renew = true;
        fx.outcome = Outcome::Deaf;
      }
      queue(m, fx);
      return fx;
    default:               // Queued: what waits is still wanted, or still there
      m.deadline = end_of_interest(m);
      return fx;
  }
}

// A reply says that nothing is left: as it should be, or because a NOTIFY has ended for good what the request was to keep.
Effects over(Machine& m, int status, const char* reason) {
  if (m.op == Op::Remove || m.op == Op::Fetch) return end(m, Outcome::Removed, status, reason);
  return end(m, Outcome::No, 603, "Terminated by the notifier");
}

// The deaf dialog was ended, or its end was refused: there is a new one to make in any case.
Effects renewed(Machine& m, bool at_once, int64_t retry_after, Random& random, MonoMs now) {
  Effects fx;
  subscribe_anew(m, fx, at_once, retry_after, random, now);
  fx.complete = m.state == State::Backoff;   // else the owner hears of the new dialog
  return fx;
}

// A reply to a request whose dialog was ended by a NOTIFY while it was out.
Effects after_termination(Machine& m, int64_t retry_after, Random& random, MonoMs now) {
  if (m.wanted != Wanted::Something) return over(m, 0, "");
  Effects fx;
  fx.complete = true;
  subscribe_after_end(m, fx, true, retry_after, random, now);
  return fx;
}

Effects on_success(Machine& m, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  fx.complete = fx.write_row = true;
  if (m.op == Op::Remove && m.wanted == Wanted::Something) return renewed(m, m.notified != Notified::No, -1, random, now);
  bool terminated = m.op != Op::Initial && m.op != Op::Fetch ? m.dialog != Dialog::Confirmed : m.dialog == Dialog::None;
  if (m.op == Op::Remove || m.op == Op::Fetch) {
    if (terminated) return end(m, Outcome::Removed, 0, "");
    if (m.op == Op::Remove) m.wanted = Wanted::Leaving;
    set_state(m, State::Ending, now + e.timer_n);   // the last NOTIFY is still to come
    return fx;
  }
  if (terminated) return after_termination(m, -1, random, now);
  m.hold_until = 0;
  bool first = m.op == Op::Initial;
  Event grant = e;
  if (grant.expires < 0) grant.expires = m.asked;
  if (first && m.dialog == Dialog::Early && e.has_dialog) {
    m.dialog = Dialog::Confirmed;
    m.since = now;
    fx.take_dialog = true;
  } else if (!first) {
    fx.take_dialog = true;      // target refresh: the remote tag stays
    note_standing(m, fx, now);
  }
  // An earlier NOTIFY has said it better, but for a refresh that is answered in full.
  if (!m.told || (!first && e.expires >= 0)) take_grant(m, grant, m.sent_at);
  if (grant.expires == 0 && m.wanted == Wanted::Something) {   // taken, and ended in the same breath
    subscribe_anew(m, fx, false, -1, random, now);
    return fx;
  }
  if (first && m.notified == Notified::No) m.notify_by = m.sent_at + e.timer_n;
  // Also after a refresh that an owner asked for meanwhile: timer N is that of the first request.
  if (m.notify_by) set_state(m, State::Waiting, std::min(m.notify_by, m.wanted_end));
  else live(m, random, m.sent_at);
  if (m.wanted_end <= now || m.wanted != Wanted::Something) {   // it ended while its request was out
    Effects over = lifetime_over(m, e.timer_n, now);
    fx.enqueue = over.enqueue;
    fx.new_dialog = over.new_dialog;
    fx.outcome = over.outcome;
  }
  return fx;
}

Effects on_dialog_lost(Machine& m, const Event& e, Random& random, MonoMs now) {
  if (m.wanted != Wanted::Something) return over(m, 200, "OK, it had ended");
  Effects fx;
  fx.outcome = Outcome::DialogLost;
  subscribe_anew(m, fx, true, e.retry_after, random, now);
  fx.complete = m.state == State::Backoff;   // else the owner hears of the new dialog
  return fx;
}

Effects on_too_brief(Machine& m, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  uint32_t longer = m.op == Op::Initial || m.op == Op::Refresh ? longer_to_ask(m.asked, e.min_expires, e.max_expires) : 0;
  if (longer) m.server_min = longer;
  if (m.dialog == Dialog::None) return after_termination(m, e.retry_after, random, now);   // a NOTIFY ended it: not once more under these names
  if (longer && m.attempts == 0) {   // at once for the first in a row only, under the same Call-ID (RFC 3261 section 8.1.3.5)
    m.attempts = 1;
    queue(m, fx);
  } else {
    fx.complete = true;
    back_off(m, fx, e.retry_after, random, now);
  }
  return fx;
}

Effects on_failure(Machine& m, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  fx.complete = true;
  if (m.op == Op::Remove && m.wanted == Wanted::Something) return renewed(m, false, e.retry_after, random, now);
  if (m.op == Op::Fetch) return end(m, Outcome::Refused, 0, "");
  if (m.op == Op::Initial && m.dialog == Dialog::Confirmed) {
    // The reply was lost or came from another branch, but a NOTIFY made the dialog: it stands.
    fx.write_row = true;
    if (m.wanted != Wanted::Something) queue(m, fx);
    else live(m, random, now);
    return fx;
  }
  if (m.dialog == Dialog::None) return after_termination(m, e.retry_after, random, now);
  if (m.op == Op::Initial) forget_dialog(m, fx);   // whatever an unheard answer made gets 481 to its NOTIFYs
  back_off(m, fx, e.retry_after, random, now);
  return fx;
}

Effects on_fatal(Machine& m, Random& random, MonoMs now, const Event& e) {
  if (m.op == Op::Remove && m.wanted == Wanted::Something) return on_failure(m, e, random, now);
  if (m.op == Op::Remove || m.op == Op::Fetch || m.dialog != Dialog::Confirmed) return end(m, Outcome::Refused, 0, "");
  if (m.op == Op::Initial) return on_failure(m, e, random, now);   // another branch made the dialog
  return end(m, Outcome::Refused, 0, "");
}

Effects on_refused_notify(Machine& m, MonoMs now) {
  m.refused = static_cast<uint8_t>(std::min(m.refused + 1, 255));
  bool in_place_of_an_answer = !m.heard && now < m.sent_at + kRefetchEvery;
  if (m.state != State::Live || m.wanted != Wanted::Something || (m.refused < kDeaf && !in_place_of_an_answer)) return {};
  m.ask = true;
  m.deadline = std::min(m.deadline, m.sent_at + (kRefetchEvery << m.useless));
  return {};
}

Effects on_notify(Machine& m, const Event& e, Random& random, MonoMs now) {
  if (e.refused) return on_refused_notify(m, now);
  Effects fx;
  if (m.probe && !m.heard) m.useless = static_cast<uint8_t>(std::min(m.useless + 1, kMostUseless));
  bool asked = std::exchange(m.ask, false);
  m.refused = 0;
  m.heard = true;
  if (m.dialog != Dialog::Confirmed) {
    m.dialog = Dialog::Confirmed;
    m.since = now;
    fx.write_row = true;
  }
  m.notified = e.notified;
  m.notify_by = 0;
  MonoMs before = m.grant_end, end_before = removal_end(m);
  m.told |= e.expires >= 0;
  if (e.expires >= 0) take_grant(m, e, now);
  else if (!m.grant_end) m.grant_end = now + static_cast<MonoMs>(m.asked) * 1000;
  // A whole new grant is worth a row; a rounded one is not.
  if (std::abs(removal_end(m) - end_before) > 10000) fx.write_row = true;
  if (m.state == State::Waiting || (m.state == State::Live && (m.grant_end - before > 2000 || before - m.grant_end > 2000))) {
    live(m, random, now);
    if (m.wanted_end <= now) m.deadline = now;
  } else if (m.state == State::Queued) {
    m.deadline = end_of_interest(m);   // not before: a deadline in the queue either ends it or queues it again
  } else if (m.state == State::Backoff) {
    if (m.wanted != Wanted::Something && m.wanted != Wanted::Once) m.deadline = std::min(m.deadline, removal_end(m));
  }
  if (asked && m.state == State::Live) live(m, random, m.sent_at);
  if (e.full) m.gap = Gap::No, m.gaps = 0;
  if (e.refetch) {
    if (std::exchange(m.gap, Gap::Missed) == Gap::Asked) m.gaps = std::min<uint8_t>(m.gaps + 1, kMostGaps);
    m.refetch = true;
  }
  if (m.refetch && m.state == State::Live) m.deadline = std::min(m.deadline, refetch_at(m));
  if (m.looping) note_standing(m, fx, now);
  return fx;
}

// These mean that a new one is welcome at once, whatever else stands there (RFC 6665 section 4.1.3).
bool welcome_at_once(Reason r) { return r == Reason::Deactivated || r == Reason::Timeout; }

Effects on_terminated(Machine& m, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  bool wanted = m.wanted == Wanted::Something;
  bool over = e.reason == Reason::Rejected || e.reason == Reason::Noresource || e.reason == Reason::Invariant;
  if (m.state == State::Sending) {   // the reply says what comes next
    note_standing(m, fx, now);
    forget_dialog(m, fx);
    fx.new_dialog = false;           // the request that is out keeps its names
    if (wanted && over) {
      m.wanted = Wanted::Leaving;
      fx.outcome = Outcome::Rejected;
    }
    if (e.retry_after > 0 && !welcome_at_once(e.reason)) m.hold_until = now + std::min(e.retry_after, kMaxRetryAfter) * 1000;
    else if (e.reason == Reason::Probation || e.reason == Reason::Giveup) m.hold_until = now + backoff(1, -1, random);
    return fx;
  }
  if (m.state == State::Ending) {
    fx = end(m, Outcome::Removed, 0, "");
    fx.complete = false;
    return fx;
  }
  if (!wanted) return end(m, Outcome::Removed, 200, "OK, it had ended");
  int64_t wait = welcome_at_once(e.reason) ? -1 : e.retry_after;
  MonoMs early = e.reason == Reason::Timeout || e.reason == Reason::None ? kMoment : 0;
  if (m.wanted_end - early <= now) return end(m, Outcome::Expired, 480, "Lifetime ended");   // before our own timer
  if (over) return end(m, Outcome::Rejected, 603, "Terminated by the notifier");
  bool hold = e.reason == Reason::Probation || e.reason == Reason::Giveup;
  if (m.state == State::Queued) {    // it stays there; what goes out is an initial request now
    if (hold || wait > 0) {
      forget_dialog(m, fx);
      fx.complete = true;
      fx.local_status = 480;
      fx.local_reason = "Ended by the notifier for now, kept";
      back_off(m, fx, wait, random, now);
    } else {
      forget_dialog(m, fx);
      queue(m, fx);
      fx.write_row = true;
    }
    return fx;
  }
  subscribe_after_end(m, fx, !hold, wait, random, now);
  return fx;
}

Effects on_loaded(Machine& m, const Event& e, MonoMs now) {
  Effects fx;
  if (m.dialog == Dialog::Confirmed && m.grant_end <= now) forget_dialog(m, fx);
  if (m.wanted == Wanted::Something && m.wanted_end <= now) return lifetime_over(m, e.timer_n, now);
  if (next_op(m) == Op::None) return end(m, Outcome::NeverSent, 404, "No such subscription");
  if (next_op(m) == Op::Refresh && e.due >= 0) {
    m.refetch = true;   // also where a NOTIFY comes before that: it may bring less than the state
    set_state(m, State::Live, std::min({m.wanted_end, m.grant_end, e.due}));
    return fx;
  }
  if (next_op(m) == Op::Initial && e.due >= 0 && m.build == Build::Fresh) {   // its grant has ended meanwhile: spread like the others
    set_state(m, State::Backoff, std::min(m.wanted_end, e.due));
    return fx;
  }
  prepare(m, fx);
  return fx;
}

}  // namespace

Effects step(Machine& m, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  switch (e.input) {
    case Input::Request: return on_request(m, now);
    case Input::Proceed: queue(m, fx); return fx;
    case Input::Slot:
      m.op = next_op(m);
      m.sent_at = now;
      m.probe = std::exchange(m.ask, false);
      if (!m.probe) m.useless = 0;
      if (m.gap == Gap::Missed) m.gap = Gap::Asked;
      m.refetch = m.told = m.heard = false;
      if (m.dialog == Dialog::None) m.dialog = Dialog::Early;
      set_state(m, State::Sending, kNever);
      return fx;
    case Input::Due: return on_due(m, e, random, now);
    case Input::Success: return on_success(m, e, random, now);
    case Input::DialogLost: return on_dialog_lost(m, e, random, now);
    case Input::TooBrief: return on_too_brief(m, e, random, now);
    case Input::Transient:
    case Input::Forbidden:
    case Input::Auth: return on_failure(m, e, random, now);
    case Input::Fatal: return on_fatal(m, random, now, e);
    case Input::Shutdown: fx.complete = true; return fx;
    case Input::Notify: return on_notify(m, e, random, now);
    case Input::Terminated: return on_terminated(m, e, random, now);
    case Input::Loaded: return on_loaded(m, e, now);
    case Input::Stored: return fx;
  }
  return fx;
}

}  // namespace pua::sub
