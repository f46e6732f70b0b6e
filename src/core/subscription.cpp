#include "core/subscription.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/subscription_actions.h"

namespace pua::sub {

const char* state_name(State s) {
  static constexpr const char* names[] = {"idle", "intent",  "queued", "sending", "waiting",
                                          "live", "backoff", "ending", "gone"};
  return names[static_cast<int>(s)];
}
const char* input_name(Input i) {
  static constexpr const char* names[] = {"request",   "proceed",   "slot",   "due",     "success", "dialog_lost", "too_brief",
                                          "transient", "forbidden", "auth",   "fatal",   "shutdown", "notify",     "refused",
                                          "terminated", "restored", "loaded", "stored",  "told"};
  return names[static_cast<int>(i)];
}

Op next_op(const Subscription& m) {
  bool there = m.dialog == Dialog::Confirmed;
  switch (m.wanted) {
    case Wanted::Something: return !there ? Op::Initial : m.renew ? Op::Remove : Op::Refresh;
    case Wanted::Once: return there ? Op::None : Op::Fetch;
    case Wanted::Nothing:
    case Wanted::Leaving: break;
  }
  return there ? Op::Remove : Op::None;
}

MonoMs removal_end(const Subscription& m) { return m.grant_end + MonoMs{m.beyond} * 1000; }

bool row_over(const Subscription& m) {
  if (m.state == State::Gone || m.state == State::Ending || m.wanted == Wanted::Once) return true;
  return m.wanted != Wanted::Something && m.dialog != Dialog::Confirmed && m.state != State::Idle;
}

namespace {

using Step = SubscriptionStep;

constexpr uint8_t kMostGaps = 6;         // 5 s doubled six times are some 5 minutes
constexpr int64_t kMaxDelta = 0xffffffff;  // s: the most that a header field can say (RFC 3261 section 20.19)
constexpr int kMostUseless = 9;          // 5 s doubled nine times are some 43 minutes

// A notifier may not grant more than was asked (RFC 6665 section 4.1.2.1). If it does, what was asked counts: else a grant of
// years would keep us from asking again. What was asked for in a restored dialog that was not refreshed yet is not known, but
// it was no more than the most that we may ask for.
void take_grant(Step& s, int64_t expires, MonoMs from) {
  int64_t most = s.m.asked ? s.m.asked : s.e.ask.most > 0 ? s.e.ask.most : kMaxDelta;
  int64_t granted = std::min(expires, most);
  s.m.grant_end = from + granted * 1000;
  s.m.beyond = static_cast<uint32_t>(std::min(expires - granted, kMaxBeyond));
}

// If the dialog has stood for a while, failures of the dialogs before it do not count any more.
void note_standing(Step& s) {
  Subscription& m = s.m;
  if (!stood(m, s.now)) return;
  m.attempts = 0;
  m.quick_try = false;
  if (m.looping && s.fx.note == Note::No) m.looping = false, s.fx.note = Note::Stands;
}

void forget_dialog(Step& s) {
  Subscription& m = s.m;
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

// --- what an input says by itself ------------------------------------------------------------------------------------

// A removal where there is no subscription, or where there was only a fetch, is a fetch (RFC 6665 section 4.4.3).
void hear_request(Step& s) {
  Subscription& m = s.m;
  if (m.state == State::Gone) {
    if (s.e.removal && (s.e.has_row || s.e.waited)) return;
    m = Subscription{.state = State::Gone, .wanted = Wanted::Once, .wanted_end = m.wanted_end};
    s.fx.new_names = true;
  }
  if (s.e.first && s.e.removal) m.wanted = Wanted::Once;
  if (!s.e.removal) {
    m.wanted = Wanted::Something;
    m.wanted_end = s.e.wanted_end;
  } else if (m.wanted == Wanted::Something) {
    m.wanted = Wanted::Nothing;
  }
  // The dialog that is ending has its last NOTIFY still to come, so that the new subscription gets a dialog of its own.
  if (m.state == State::Ending && (m.wanted == Wanted::Something || m.wanted == Wanted::Once)) forget_dialog(s);
}

// The request leaves now: which one it is, and what it asks for, is settled here.
void hear_slot(Step& s) {
  Subscription& m = s.m;
  m.op = next_op(m);
  if (m.op != Op::Initial && m.build == Build::Replay) {
    m.build = Build::Fresh;
    s.fx.skip_cseqs = true;
  }
  if (m.op == Op::Remove || m.op == Op::Fetch) m.asked = 0;
  else if (m.build == Build::Fresh)
    m.asked = expires_to_ask(s.e.ask, m.wanted_end == kNever ? kNever : m.wanted_end - s.now, m.server_min);
  m.sent_at = s.now;
  m.probe = std::exchange(m.ask, false);
  if (!m.probe) m.useless = 0;
  if (m.gap == Gap::Missed) m.gap = Gap::Asked;
  m.refetch = m.told = m.heard = false;
  if (m.dialog == Dialog::None) m.dialog = Dialog::Early;
}

// A 2xx. What follows counts if the request was to make or keep the subscription, and no NOTIFY has ended the dialog meanwhile.
void hear_success(Step& s) {
  Subscription& m = s.m;
  if (m.op == Op::Remove || m.op == Op::Fetch || terminated(m)) return;
  m.hold_until = 0;
  bool first = m.op == Op::Initial;
  if (first && m.dialog == Dialog::Early && s.e.has_dialog) {
    m.dialog = Dialog::Confirmed;
    m.since = s.now;
    s.fx.take_dialog = true;
  } else if (!first) {
    s.fx.take_dialog = true;      // a target refresh (RFC 6665 section 4.4.1): the remote tag stays
    note_standing(s);
  }
  // A NOTIFY that came before this 2xx counts for the grant (RFC 6665 section 4.1.2.1), unless this is the answer to a refresh
  // and has an Expires.
  if (!m.told || (!first && s.e.expires >= 0)) take_grant(s, s.e.expires < 0 ? m.asked : s.e.expires, m.sent_at);
  if (first && m.notified == Notified::No) m.notify_by = m.sent_at + s.e.timer_n;
}

void hear_notify(Step& s) {
  Subscription& m = s.m;
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
  // A NOTIFY with expires=0 that does not say "terminated" contradicts itself: the grant stays as it was.
  m.told |= s.e.expires > 0;
  if (s.e.expires > 0) take_grant(s, s.e.expires, s.now);
  else if (!m.grant_end) m.grant_end = s.now + static_cast<MonoMs>(m.asked) * 1000;
  // The row is written if the grant has changed, but not for the few seconds by which NOTIFYs round it.
  if (made || std::abs(removal_end(m) - s.removal_end) > 10000) s.fx.write = Write::Bulk;
  if (s.e.full) m.gap = Gap::No, m.gaps = 0;
  if (!s.e.refetch) return;
  if (std::exchange(m.gap, Gap::Missed) == Gap::Asked) m.gaps = std::min<uint8_t>(m.gaps + 1, kMostGaps);
  m.refetch = true;
}

void hear_refused(Step& s) {
  Subscription& m = s.m;
  m.refused = static_cast<uint8_t>(std::min(m.refused + 1, 255));
  // While a refresh is out, a refused NOTIFY stands in place of the one that answers it, or is the last one of the dialog.
  if (m.state == State::Sending && m.op == Op::Refresh && (!m.heard || s.e.ended)) m.ask = true;
}

void hear_restored(Step& s) {
  Subscription& m = s.m;
  const RestoredDialog& row = *s.e.row;
  if (!row.requested) m.wanted = row.wanted ? Wanted::Something : Wanted::Leaving;
  else if (m.wanted == Wanted::Once) m.wanted = Wanted::Nothing;
  if (!row.requested || row.existing) m.wanted_end = row.wanted_end;
  m.grant_end = row.grant_end;
  m.since = m.sent_at = s.now;
  // Early: the NOTIFY that answers the first request, which may have been sent by the last run, makes the dialog.
  m.dialog = row.dialog ? Dialog::Confirmed : row.replay ? Dialog::Early : Dialog::None;
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

bool is_reply(Input i) { return i >= Input::Success && i <= Input::Shutdown; }

// What is done after every rule.
void finish(Step& s, State before, Dialog dialog_before, bool over_before) {
  Subscription& m = s.m;
  Effects& fx = s.fx;
  // A reply to the repeated request of the last run is here. That run may have used further CSeqs under these names: skip them.
  if (m.build == Build::Replay && is_reply(s.e.input)) {
    m.build = Build::Fresh;
    fx.skip_cseqs = true;
  }
  if (fx.new_names) m.build = Build::Fresh;
  fx.dialog_changed = m.dialog != dialog_before;
  // Loaded with a time to refresh (due) means that no owner has asked for the row. Without one, an owner may have been told
  // already that the request is kept, so that it must be written.
  bool asked = s.e.input == Input::Loaded ? s.e.due < 0 : s.e.input == Input::Request && s.e.owner;
  bool over = row_over(m);
  if (fx.write == Write::No && over != over_before) fx.write = Write::Bulk;
  // The row must hold what is wanted, and the names of the dialog that is being made.
  if (fx.write == Write::No && fx.enqueue && asked && !over) fx.write = Write::Wish;
  if (fx.write == Write::Bulk && s.e.owner) fx.write = Write::Fast;
  if (over && !s.e.has_row) fx.write = Write::No;
  fx.leave_queue = (before == State::Queued || before == State::Idle) && m.state != before;
  fx.free = m.state == State::Gone && !s.e.has_row;
  fx.not_kept = s.e.input == Input::Loaded && s.e.no_row && m.state == State::Gone;
  if (fx.complete && m.wanted == Wanted::Nothing) m.wanted = Wanted::Leaving;   // the owner is being told
}

}  // namespace

// --- the actions of the rules ---------------------------------------------------------------------------------------

namespace act {

void tell(Step& s, int status, const char* reason) {
  s.fx.complete = true;
  s.fx.local_status = status;
  s.fx.local_reason = reason;
}
void tell_reply(Step& s) { tell(s, 0, ""); }
void write_row(Step& s) { s.fx.write = Write::Bulk; }

// Ends the record. status 0: the outcome is that of the reply.
void end(Step& s, Note why, int status, const char* reason) {
  tell(s, status, reason);
  write_row(s);
  s.fx.note = why;
  forget_dialog(s);
  s.m.wanted = Wanted::Leaving;
  s.m.hold_until = 0;
  s.m.deadline = kNever;
}

void queue(Step& s) {
  s.m.deadline = end_of_interest(s.m);
  s.fx.enqueue = true;
}

// The subscription is not wanted, and ends at the notifier by itself: there is nothing to send, but the last NOTIFY of the
// dialog is still to come (RFC 6665 section 4.4.1).
void let_end(Step& s, Note why, int status, const char* reason) {
  tell(s, status, reason);
  write_row(s);
  s.fx.note = why;
  s.m.wanted = Wanted::Leaving;
  s.m.deadline = s.now + s.e.timer_n;
}

void back_off(Step& s, int64_t retry_after) {
  Subscription& m = s.m;
  m.attempts = static_cast<uint8_t>(std::min(m.attempts + 1, 255));
  MonoMs retry = s.now + backoff(m.attempts, retry_after, s.random);
  m.hold_until = retry_after > 0 ? s.now + std::min(retry_after, kMaxRetryAfter) * 1000 : 0;
  MonoMs end = end_of_interest(m);
  // When the grant ends a new dialog is due, but not before the time that the other side asked for.
  if (m.dialog == Dialog::Confirmed && m.wanted == Wanted::Something && !m.hold_until) end = std::min(end, m.grant_end);
  m.deadline = std::min(retry, end);
  write_row(s);
}

// The dialog is lost, and the subscription still wanted: a new dialog is made at once, or later.
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
// As subscribe_anew_later(), where the notifier has ended the dialog. welcome: the NOTIFY allows a new one at once. If that is
// put off only because one was tried a moment ago, the notifier ends dialogs as soon as they are made, and the log is told so.
void subscribe_after_end_later(Step& s, bool welcome, int64_t retry_after) {
  bool again = welcome && s.m.quick_try && !stood(s.m, s.now) && retry_after <= 0 && !quiet(s);
  subscribe_anew_later(s, retry_after);
  if (!again || s.m.looping || s.fx.note != Note::No) return;
  s.m.looping = true;
  s.fx.note = Note::EndsAgain;
}

void live(Step& s, MonoMs from) {
  Subscription& m = s.m;
  m.deadline = m.wanted_end;
  if (m.grant_end < m.wanted_end) {
    MonoMs left = std::max<MonoMs>(m.grant_end - from, 0);
    m.deadline = std::min(m.wanted_end, from + refresh_after(static_cast<uint32_t>(left / 1000), s.random));
  }
  if (m.refetch) m.deadline = std::min(m.deadline, refetch_at(m));
}

// NOTIFYs were refused: the next request leaves sooner.
void ask_for_state(Step& s) {
  s.m.ask = true;
  s.m.deadline = std::min(s.m.deadline, s.m.sent_at + (kRefetchEvery << s.m.useless));
}

void wait_for_row(Step& s) { s.m.deadline = s.now + kIdlePatience; }
void ended_already(Step& s) { tell(s, 200, "Ended already"); }
void ending_already(Step& s) { tell(s, 200, "Ending already"); }
void never_sent(Step& s) { end(s, Note::NeverSent, 200, "Nothing subscribed"); }
void no_subscription(Step& s) { end(s, Note::NeverSent, 404, "No such subscription"); }

void keep_for_later(Step& s) {   // the other side asked for quiet: the change is kept, and its owner told that it leaves later
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
// The row must say that the subscription is being removed before the removal leaves, so that a restart does not bring it back.
void commit_first(Step& s) {
  begin_again(s);
  s.fx.write = Write::Intent;
  s.m.deadline = s.e.patience;
}
void send_now(Step& s) {
  begin_again(s);
  queue(s);
}

void await_reply(Step& s) { s.m.deadline = kNever; }
void give_up_waiting(Step& s) {
  tell(s, 503, "Table not loaded yet, kept");
  s.m.deadline = kNever;
}
void last_notify_missing(Step& s) {
  end(s, s.m.wanted == Wanted::Once && s.m.notified == Notified::No ? Note::NotifyMissing : Note::Removed, 0, "");
  s.fx.complete = false;   // the owner was told when the reply came
}
void expire(Step& s) { end(s, Note::Expired, 480, "Lifetime ended"); }
void expire_by_itself(Step& s) { let_end(s, Note::Expired, 480, "Lifetime ended"); }
void withdraw_later(Step& s) {
  write_row(s);
  s.fx.note = Note::Expired;
  s.m.wanted = Wanted::Leaving;
  s.m.deadline = std::min(s.m.hold_until, removal_end(s.m));
}
void withdraw(Step& s) {
  write_row(s);
  s.fx.note = Note::Expired;
  s.m.wanted = Wanted::Leaving;
  queue(s);
  if (s.m.state == State::Queued) tell(s, 480, "Lifetime ended");   // the lifetime ended before the request could leave
}
void lapse(Step& s) { end(s, Note::Removed, 200, "Ended by itself"); }
void lapse_by_itself(Step& s) { let_end(s, Note::Removed, 200, "Ended by itself"); }
void end_deaf_dialog(Step& s) {   // else the notifier would keep its subscription until the grant ends
  s.fx.note = Note::Deaf;
  s.m.renew = true;
  queue(s);
}
void notify_missing(Step& s) {    // timer N
  s.fx.note = Note::NotifyMissing;
  forget_dialog(s);
  back_off(s, -1);
}
void dialog_lapsed_anew(Step& s) {
  s.fx.note = Note::DialogLost;
  subscribe_anew(s);
}
void dialog_lapsed_later(Step& s) {
  s.fx.note = Note::DialogLost;
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
void removed(Step& s) { end(s, Note::Removed, 0, ""); }
void await_last_notify(Step& s) {
  tell_reply(s);
  write_row(s);
  if (s.m.op == Op::Remove) s.m.wanted = Wanted::Leaving;
  s.m.deadline = s.now + s.e.timer_n;
}
void terminated_by_notifier(Step& s) { end(s, Note::No, 603, "Terminated by the notifier"); }
void ended_meanwhile(Step& s) { end(s, Note::Expired, 0, ""); }
void ends_by_itself_meanwhile(Step& s) { let_end(s, Note::Expired, 0, ""); }
void withdraw_at_once(Step& s) {
  withdraw(s);
  tell_reply(s);
}
// Timer N runs from the first request on, even where an owner has asked for a refresh before the first NOTIFY.
void await_notify(Step& s) {
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
void had_ended(Step& s) { end(s, Note::Removed, 200, "OK, it had ended"); }
void dialog_lost_anew(Step& s) {  // the owner's outcome is that of the request that makes the new dialog
  s.fx.note = Note::DialogLost;
  subscribe_anew(s);
}
void dialog_lost_later(Step& s) {
  s.fx.note = Note::DialogLost;
  anew_later_as_asked(s);
}
// At once, but for the first 423 in a row only; under the same Call-ID (RFC 3261 section 8.1.3.5).
void ask_for_longer(Step& s) {
  s.m.attempts = 1;
  queue(s);
}
void back_off_as_asked(Step& s) {
  tell_reply(s);
  back_off(s, s.e.retry_after);
}
void refused(Step& s) { end(s, Note::Refused, 0, ""); }
void withdraw_made(Step& s) {
  tell_reply(s);
  write_row(s);
  queue(s);
}
// The request failed (the reply was lost, or came from another branch), but a NOTIFY has made the dialog, and that counts.
void live_made(Step& s) {
  tell_reply(s);
  write_row(s);
  live(s, s.now);
}
void fail(Step& s) {
  tell_reply(s);
  if (s.m.op == Op::Initial) forget_dialog(s);   // if a lost answer has made a dialog, 481 to its NOTIFYs will end it
  back_off(s, s.e.retry_after);
}

void live_by_notify(Step& s) {
  live(s, s.now);
  if (s.m.wanted_end <= s.now) s.m.deadline = s.now;
}
// Sets the time of the next refresh after a NOTIFY was taken.
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
void terminated_while_out(Step& s) {   // what comes next is decided when the reply is here
  note_standing(s);
  forget_dialog(s);
  s.fx.new_names = false;              // the request that is out keeps its Call-ID and tag
  if (wanted(s) && ended_for_good(s)) {
    s.m.wanted = Wanted::Leaving;
    s.fx.note = Note::Rejected;
  }
  if (pause_of(s.e) > 0) s.m.hold_until = s.now + std::min(pause_of(s.e), kMaxRetryAfter) * 1000;
  else if (asks_for_a_pause(s.e.reason)) s.m.hold_until = s.now + backoff(1, -1, s.random);
}
void ended_as_told(Step& s) {
  end(s, Note::Removed, 0, "");
  s.fx.complete = false;
}
void rejected(Step& s) { end(s, Note::Rejected, 603, "Terminated by the notifier"); }
void pause_queued(Step& s) {
  forget_dialog(s);
  tell(s, 480, "Ended by the notifier for now, kept");
  back_off(s, pause_of(s.e));
}
void stay_queued_anew(Step& s) {       // the request that waits is an initial one now
  forget_dialog(s);
  queue(s);
  write_row(s);
}
void anew_after_pause(Step& s) { subscribe_after_end_later(s, !asks_for_a_pause(s.e.reason), pause_of(s.e)); }

void live_until_due(Step& s) {
  s.m.refetch = true;   // even if a NOTIFY comes before that: it may bring less than the full state
  s.m.deadline = std::min({s.m.wanted_end, s.m.grant_end, s.e.due});
}
// The grant has ended meanwhile. The new dialog is made at a time that is spread like that of refreshes.
void make_when_due(Step& s) { s.m.deadline = std::min(s.m.wanted_end, s.e.due); }
void tell_as_said(Step& s) { tell(s, s.e.status, s.e.phrase); }

}  // namespace act

// --- step -----------------------------------------------------------------------------------------------------------

Effects Subscription::step(Subscription& m, const Event& e, Random& random, MonoMs now) {
  Step s{m, e, random, now, m.grant_end, sub::removal_end(m), m.ask};
  State before = m.state;
  Dialog dialog_before = m.dialog;
  bool over_before = row_over(m);
  hear(s);
  // These two change what is wanted, which by itself is no reason to write or delete the row: finish() looks for other changes
  // only.
  if (e.input == Input::Request || e.input == Input::Restored) over_before = row_over(m);
  const auto* rule = find_rule(subscription_rules(), before, e.input, s);
  if (!rule) return {};
  if (rule->act) rule->act(s);
  m.state = next_state(before, rule->to);
  if (e.input == Input::Notify && m.looping) note_standing(s);
  finish(s, before, dialog_before, over_before);
  return s.fx;
}

}  // namespace pua::sub
