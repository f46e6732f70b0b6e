#include "core/subscription.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/subscription_step.h"

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

Reason reason_of(std::string_view s) {
  static constexpr std::pair<std::string_view, Reason> names[] = {
      {"", Reason::None}, {"deactivated", Reason::Deactivated}, {"timeout", Reason::Timeout},
      {"probation", Reason::Probation}, {"giveup", Reason::Giveup}, {"rejected", Reason::Rejected},
      {"noresource", Reason::Noresource}, {"invariant", Reason::Invariant}};
  for (auto& [name, reason] : names)
    if (name == s) return reason;
  return Reason::Unknown;
}

// These statuses end the subscription of the dialog in which they come (RFC 6665 section 4.1.2.2, RFC 5057 section 5.1). Only
// RFC 5057 lists 502: the way to the remote target is gone. A new dialog may find another way, and if the notifier keeps the
// old one too, that costs little.
static bool ends_dialog(int status) {
  switch (status) {
    case 404: case 405: case 410: case 416: case 480: case 481: case 482: case 483: case 484: case 485: case 489: case 501:
    case 502: case 604:
      return true;
    default: return false;
  }
}

// A refresh that can never succeed (400, 406, 413, 415, 420) ends neither dialog nor subscription at the notifier (RFC 5057
// section 5.1). But the notifier would refuse each refresh of this dialog until the grant ends: it may know other CSeqs or tags
// of it than we do. An initial request has none of these, so that a new dialog is tried. The old one ends with its
// grant, or by a 481 to a NOTIFY. If the initial request is refused as well, it is the subscription that is refused.
Input input_of(const SipReply& r, Op op) {
  if (r.origin == ReplyOrigin::Wire && ends_dialog(r.status) && (op == Op::Refresh || op == Op::Remove))
    return Input::DialogLost;
  ReplyClass what = classify(r);
  if (what == ReplyClass::Fatal && op == Op::Refresh) return Input::DialogLost;
  switch (what) {
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
constexpr int64_t kMaxBeyond = 3600;     // s: for no longer is a removal tried because more was granted than asked
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
