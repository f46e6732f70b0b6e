// What the rules of the subscription machine (subscription_rules.cpp) and its step (subscription.cpp) share: a step under way,
// and helpers.
#pragma once

#include <algorithm>

#include "core/subscription.h"

namespace pua::sub {

struct SubscriptionStep {
  Subscription& m;
  const Event& e;
  Random& random;
  MonoMs now;
  // As they were before the input:
  MonoMs grant_end;
  MonoMs removal_end;
  bool asked;          // Subscription::ask
  Effects fx = {};
};

constexpr MonoMs kRefetchEvery = 5000;   // the least time between two refreshes that ask for full state
// A dialog that ends sooner, or never brought a NOTIFY, counts as a failure: else new dialogs would be made in a loop.
constexpr MonoMs kStood = 30000;

// From when on it is of no use to send what waits. This bounds the deadline while a record is queued or backs off.
inline MonoMs end_of_interest(const Subscription& m) {
  return m.wanted == Wanted::Something ? m.wanted_end : m.wanted == Wanted::Once ? kNever : removal_end(m);
}

inline bool stood(const Subscription& m, MonoMs now) {
  return m.since != 0 && m.notified != Notified::No && now - m.since >= kStood;
}

// When to ask for full state: less and less often, where the notifier never sends any.
inline MonoMs refetch_at(const Subscription& m) { return m.sent_at + (kRefetchEvery << m.gaps); }

inline bool wanted(const SubscriptionStep& s) { return s.m.wanted == Wanted::Something; }
inline bool to_end(const SubscriptionStep& s) { return s.m.wanted == Wanted::Nothing || s.m.wanted == Wanted::Leaving; }
inline bool quiet(const SubscriptionStep& s) { return s.m.hold_until > s.now; }
inline bool ended_for_good(const SubscriptionStep& s) {
  return s.e.reason == Reason::Rejected || s.e.reason == Reason::Noresource || s.e.reason == Reason::Invariant;
}

// What to ask for after a 423 (RFC 3261 section 21.4.17); 0: we may ask for nothing longer.
inline uint32_t longer_expires(const SubscriptionStep& s) {
  bool asks = s.m.op == Op::Initial || s.m.op == Op::Refresh;
  return asks ? longer_to_ask(s.m.asked, s.e.min_expires, s.e.ask.most) : 0;
}

// Whether a NOTIFY has ended the dialog while the request was out.
inline bool terminated(const Subscription& m) {
  return m.op == Op::Initial || m.op == Op::Fetch ? m.dialog == Dialog::None : m.dialog != Dialog::Confirmed;
}

// After these two reasons a new subscription may be made at once, whatever the NOTIFY's retry-after is (RFC 6665 section
// 4.1.3).
inline bool welcome_at_once(Reason r) { return r == Reason::Deactivated || r == Reason::Timeout; }
inline bool asks_for_a_pause(Reason r) { return r == Reason::Probation || r == Reason::Giveup; }
inline int64_t pause_of(const Event& e) { return welcome_at_once(e.reason) ? -1 : e.retry_after; }

}  // namespace pua::sub
