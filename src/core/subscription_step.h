// What the rules of the subscription machine (subscription_rules.cpp) and its step share: a step under way, and what it looks at.
#pragma once

#include <algorithm>

#include "core/subscription.h"

namespace pua::sub {

struct SubscriptionStep {
  Subscription& m;
  const Event& e;
  Random& random;
  MonoMs now;
  // Before the input:
  MonoMs grant_end;
  MonoMs removal_end;
  bool asked;          // refused NOTIFYs had brought the next request forward
  Effects fx = {};
};

constexpr MonoMs kRefetchEvery = 5000;   // between two refreshes for the sake of a partial document's gap, or of refused NOTIFYs
constexpr MonoMs kStood = 30000;         // a dialog that ends sooner, or never brought a NOTIFY, counts as a failure: no loop of new ones

// While queued or backing off: when there is no more use in sending what waits.
inline MonoMs end_of_interest(const Subscription& m) {
  return m.wanted == Wanted::Something ? m.wanted_end : m.wanted == Wanted::Once ? kNever : removal_end(m);
}

inline bool stood(const Subscription& m, MonoMs now) { return m.since != 0 && m.notified != Notified::No && now - m.since >= kStood; }

// A dialog that stood for a while ends what was held against those before it.
inline void note_standing(SubscriptionStep& s) {
  Subscription& m = s.m;
  if (!stood(m, s.now)) return;
  m.attempts = 0;
  m.quick_try = false;
  if (m.looping && s.fx.note == Note::No) m.looping = false, s.fx.note = Note::Stands;
}

// Not in step with a notifier that never sends full state.
inline MonoMs refetch_at(const Subscription& m) { return m.sent_at + (kRefetchEvery << m.gaps); }

inline void forget_dialog(SubscriptionStep& s) {
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

// After a 423; 0: there is nothing longer to ask for.
inline uint32_t longer_expires(const SubscriptionStep& s) {
  bool asks = s.m.op == Op::Initial || s.m.op == Op::Refresh;
  return asks ? longer_to_ask(s.m.asked, s.e.min_expires, s.e.ask.most) : 0;
}

// The dialog was ended by a NOTIFY while its request was out.
inline bool terminated(const Subscription& m) {
  return m.op == Op::Initial || m.op == Op::Fetch ? m.dialog == Dialog::None : m.dialog != Dialog::Confirmed;
}

// These mean that a new subscription is welcome at once, whatever else stands there (RFC 6665 section 4.1.3).
inline bool welcome_at_once(Reason r) { return r == Reason::Deactivated || r == Reason::Timeout; }
inline bool asks_for_a_pause(Reason r) { return r == Reason::Probation || r == Reason::Giveup; }
inline int64_t pause_of(const Event& e) { return welcome_at_once(e.reason) ? -1 : e.retry_after; }

}  // namespace pua::sub
