// How subscriptions end, and fetches (RFC 6665 sections 4.1.2.3 and 4.4.3).
#include <string>

#include "core/subscription.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SubscriptionEnds) {
  SubsRig rig;
};

// --- unsubscribe -------------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE, to-tag, Expires: 0 -->|
//   |<-- 200 ----------------------------|   the owner is told
//   |<-- NOTIFY, terminated -------------|   and nothing is left
TEST(SubscriptionEnds, unsubscribe) {
  rig.live();
  Call& c = rig.unsubscribe();
  TEXT_EQUAL("remove", rig.last().kind());
  LONGLONGS_EQUAL(0, rig.last().expires);
  LONGS_EQUAL(2, rig.last().cseq);
  TEXT_EQUAL(kNotifier, rig.last().uri);
  rig.accept(0);
  LONGS_EQUAL(200, c.status);
  CHECK(c.durable);
  TEXT_EQUAL("ending", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
  rig.end();
  TEXT_EQUAL("none", rig.state());
  TEXT_EQUAL("terminated", rig.heard.back().state);
  LONGS_EQUAL(0, rig.stats().notifies_terminated);   // we have ended it ourselves
  LONGS_EQUAL(481, rig.notify({.state = "terminated"}).status);
}

TEST(SubscriptionEnds, an_unsubscribe_whose_last_notify_never_comes_ends_after_timer_n) {
  rig.live();
  rig.unsubscribe();
  rig.accept(0);
  rig.advance(32 * kSecond - 1);
  TEXT_EQUAL("ending", rig.state());
  rig.advance(1);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(2, rig.sent.size());
}

//   |-- SUBSCRIBE, Expires: 600 -->|   600 s are wanted, 600 s are granted
//   |   (600 s)                     |   nothing leaves, it ends over there by itself
//   |<-- NOTIFY, terminated --------|   a moment behind our own timer: taken, and its handler is told
TEST(SubscriptionEnds, the_last_notify_of_a_subscription_that_ends_by_itself_is_taken) {
  rig.live({.expires = 600}, 600);
  rig.advance(600 * kSecond);
  TEXT_EQUAL("initial", rig.kinds());
  TEXT_EQUAL("ending", rig.state());
  rig.advance(200);
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(200, rig.notify({.state = "terminated", .reason = "timeout"}).status);
  TEXT_EQUAL("terminated", rig.heard.back().state);
  TEXT_EQUAL("timeout", rig.heard.back().reason);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  TEXT_EQUAL("initial", rig.kinds());
}

//   |-- SUBSCRIBE, Expires: 600 -->|   600 s are wanted, 600 s are granted
//   |   (599.4 s)                   |
//   |<-- NOTIFY, terminated --------|   a notifier that counts in whole seconds: that was all of it, and nothing leaves
TEST(SubscriptionEnds, a_notifier_that_counts_in_whole_seconds_may_end_it_a_moment_early) {
  for (const char* reason : {"timeout", ""}) {
    SubsRig r;
    r.live({.expires = 600}, 600);
    r.advance(599400);
    LONGS_EQUAL(200, r.notify({.state = "terminated", .reason = reason}).status);
    r.advance(200);
    TEXT_EQUAL("none", r.state());
    LONGS_EQUAL(0, r.rows().size());
    r.advance(3600 * kSecond);
    TEXT_EQUAL("initial", r.kinds());
    TEXT_EQUAL(reason, r.heard.back().reason);
    LONGS_EQUAL(1, r.stats().expired);
  }
}

//   |-- SUBSCRIBE, Expires: 600 -->|   600 s are wanted, 660 s are granted
//   |-- SUBSCRIBE, 0 ------------->|   at the wanted end; 503, and again, until the grant ends
//   |<-- NOTIFY, terminated --------|   a moment behind our own timer: taken, and its handler is told
TEST(SubscriptionEnds, the_last_notify_is_taken_where_no_unsubscribe_got_through) {
  rig.live({.expires = 600}, 660);
  rig.advance(600 * kSecond);
  for (int i = 0; i < 60; i++) {
    if (rig.open()) rig.reject(503);
    rig.advance(kSecond);
  }
  if (rig.open()) rig.reject(503);
  rig.settle();
  TEXT_EQUAL("ending", rig.state());
  size_t sent = rig.sent.size();
  rig.advance(200);
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(200, rig.notify({.state = "terminated", .reason = "timeout"}).status);
  TEXT_EQUAL("terminated", rig.heard.back().state);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(sent, rig.sent.size());
}

//   |-- SUBSCRIBE, Expires: 600 -->|   600 s are wanted, for ever is granted
//   |-- SUBSCRIBE, 0 ------------->|   at the wanted end; 503, and again, but not for ever
TEST(SubscriptionEnds, an_end_is_tried_for_an_hour_at_most_however_much_was_granted) {
  rig.live({.expires = 600}, 4294967295);
  MonoMs began = rig.now;
  for (int i = 0; i < 3 * 3600; i++) {
    if (rig.open()) rig.reject(503);
    rig.advance(kSecond);
  }
  TEXT_EQUAL("remove", rig.last().kind());
  CHECK(rig.last().at > began + 3600 * kSecond);
  CHECK(rig.last().at <= began + (600 + 3600) * kSecond);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

//   |-- SUBSCRIBE, 0 ------->|   at the wanted end
//   |<-- NOTIFY, terminated -|   before the answer: for its owner it is over with this
TEST(SubscriptionEnds, is_dialog_knows_of_an_end_whose_answer_is_still_to_come) {
  rig.live({.expires = 600}, 900);
  DialogQuery q;
  q.pres_uri = kAlice;
  LONGS_EQUAL(static_cast<int>(DialogFound::Established), static_cast<int>(rig.engine->find_dialog(q, nullptr)));
  rig.advance(600 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGS_EQUAL(static_cast<int>(DialogFound::Established), static_cast<int>(rig.engine->find_dialog(q, nullptr)));
  LONGS_EQUAL(200, rig.notify({.state = "terminated", .reason = "timeout"}).status);
  LONGS_EQUAL(static_cast<int>(DialogFound::No), static_cast<int>(rig.engine->find_dialog(q, nullptr)));
  rig.subscribe();   // it is wanted again, so that a dialog will be made
  LONGS_EQUAL(static_cast<int>(DialogFound::BeingMade), static_cast<int>(rig.engine->find_dialog(q, nullptr)));
}

TEST(SubscriptionEnds, a_subscription_that_ends_by_itself_is_gone_after_timer_n_without_a_notify) {
  rig.live({.expires = 600}, 600);
  rig.advance(632 * kSecond - 1);
  TEXT_EQUAL("ending", rig.state());
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  TEXT_EQUAL("initial", rig.kinds());
}

//   |-- SUBSCRIBE, 0 -->|
//   |<-- 481 -----------|   that is what was wanted
TEST(SubscriptionEnds, a_481_to_an_unsubscribe_is_success) {
  rig.live();
  Call& c = rig.unsubscribe();
  rig.reject(481);
  LONGS_EQUAL(200, c.status);
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

// RFC 6665 section 4.1.2.2, RFC 5057 section 5.1: whatever says that there is nothing to end.
TEST(SubscriptionEnds, every_reply_that_ends_a_dialog_is_success_of_an_unsubscribe_and_it_is_not_repeated) {
  for (int status : {404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604}) {
    SubsRig r;
    r.live();
    Call& c = r.unsubscribe();
    r.reject(status);
    LONGS_EQUAL(200, c.status);
    TEXT_EQUAL("OK, it had ended", c.reason);
    r.advance(7200 * kSecond);
    TEXT_EQUAL("initial remove", r.kinds());
    TEXT_EQUAL("none", r.state());
    LONGS_EQUAL(0, r.rows().size());
  }
}

//   |-- SUBSCRIBE, 0 -->|
//   |   (nothing)       |
//   |-- SUBSCRIBE, 0 -->|   until it is answered, or the grant has ended
TEST(SubscriptionEnds, an_unsubscribe_that_is_not_answered_is_repeated) {
  rig.live({}, 600);
  Call& c = rig.unsubscribe();
  rig.time_out();
  LONGS_EQUAL(408, c.status);
  rig.advance(3 * kSecond);
  TEXT_EQUAL("initial remove remove", rig.kinds());
  CHECK(rig.sent[2].cseq > rig.sent[1].cseq);
  LONGLONGS_EQUAL(1, rig.row().row().desired_expires);
  rig.accept(0);
  rig.end();
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(1, c.completed);
}

TEST(SubscriptionEnds, an_unsubscribe_that_is_never_answered_ends_with_the_grant) {
  rig.live({}, 100);
  rig.unsubscribe();
  for (int i = 0; i < 100; i++) {
    if (rig.open()) rig.reject(503);
    rig.advance(kSecond);
  }
  rig.advance(200);
  TEXT_EQUAL("ending", rig.state());   // its last NOTIFY may still come
  LONGS_EQUAL(0, rig.rows().size());
  rig.advance(32 * kSecond);
  TEXT_EQUAL("none", rig.state());
  size_t sent = rig.sent.size();
  rig.advance(3600 * kSecond);
  LONGS_EQUAL(sent, rig.sent.size());
}

//   |-- SUBSCRIBE ------>|
//   unsubscribe: waits
//   |<-- 200 ------------|
//   |-- SUBSCRIBE, 0 --->|
TEST(SubscriptionEnds, an_unsubscribe_that_meets_the_first_request_in_flight_follows_it) {
  Call& first = rig.subscribe();
  Call& c = rig.unsubscribe();
  LONGS_EQUAL(1, rig.sent.size());
  rig.accept();
  LONGS_EQUAL(200, first.status);
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("n1", rig.last().to_tag);
  LONGS_EQUAL(0, c.completed);
  rig.accept(0);
  LONGS_EQUAL(200, c.status);
  rig.end();
  TEXT_EQUAL("none", rig.state());
}

TEST(SubscriptionEnds, an_unsubscribe_that_meets_a_refresh_in_flight_follows_it) {
  rig.live();
  rig.subscribe();
  Call& c = rig.unsubscribe();
  LONGS_EQUAL(2, rig.sent.size());
  rig.accept();
  TEXT_EQUAL("initial refresh remove", rig.kinds());
  rig.accept(0);
  LONGS_EQUAL(200, c.status);
}

TEST(SubscriptionEnds, an_unsubscribe_that_meets_a_request_that_fails_ends_it) {
  Call& first = rig.subscribe();
  Call& c = rig.unsubscribe();
  rig.reject(503);
  LONGS_EQUAL(503, first.status);
  LONGS_EQUAL(200, c.status);
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("initial", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(SubscriptionEnds, an_unsubscribe_before_the_first_request_left_sends_nothing) {
  Call& first = rig.ask({});
  Call& c = rig.ask({.expires = 0});
  rig.settle();
  LONGS_EQUAL(0, rig.sent.size());
  LONGS_EQUAL(200, c.status);
  CHECK(first.superseded);
  TEXT_EQUAL("none", rig.state());
}

// --- fetch -------------------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE, Expires: 0 -->|   no to-tag
//   |<-- 200 --------------------|
//   |<-- NOTIFY, terminated -----|   the state, once
TEST(SubscriptionEnds, expires_0_without_a_subscription_fetches_the_state_once) {
  Call& c = rig.unsubscribe();
  TEXT_EQUAL("fetch", rig.last().kind());
  LONGLONGS_EQUAL(0, rig.last().expires);
  rig.accept(0);
  LONGS_EQUAL(200, c.status);
  rig.notify({.state = "terminated", .reason = "timeout", .body = "<presence/>"});
  TEXT_EQUAL("<presence/>", rig.heard[0].body);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(1, rig.stats().subscribes_fetch);
  rig.advance(3600 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
}

TEST(SubscriptionEnds, what_is_fetched_may_come_before_the_2xx) {
  rig.unsubscribe();
  rig.notify({.state = "terminated", .reason = "timeout", .body = "<presence/>"});
  LONGS_EQUAL(1, rig.heard.size());
  rig.accept(0);
  TEXT_EQUAL("none", rig.state());
  rig.advance(60 * kSecond);
  LONGS_EQUAL(0, rig.stats().notifies_missing);
}

TEST(SubscriptionEnds, a_fetch_that_fails_is_not_repeated) {
  Call& c = rig.unsubscribe();
  rig.reject(503);
  LONGS_EQUAL(503, c.status);
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("fetch", rig.kinds());
  TEXT_EQUAL("none", rig.state());
}

// A fetch asks for no lifetime: a 423 is a failure like any other, and the state that a NOTIFY brought before it makes no
// subscription.
TEST(SubscriptionEnds, a_423_to_a_fetch_ends_it) {
  Call& c = rig.unsubscribe();
  rig.notify({.expires = 600, .body = "<presence/>"});
  rig.answer({.status = 423, .min_expires = 60});
  LONGS_EQUAL(423, c.status);
  CHECK_FALSE(c.kept);
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("fetch", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(1, rig.stats().replies_423);
  CHECK(rig.logged(LogLevel::notice, "423 to SUBSCRIBE for sip:alice@example.com: the subscription ends"));
}

// The last NOTIFY is there, and the 200 to the removal is lost.
TEST(SubscriptionEnds, an_end_that_a_notify_has_told_is_no_failure) {
  rig.live();
  Call& c = rig.unsubscribe();
  rig.notify({.state = "terminated", .reason = "timeout"});
  rig.time_out();
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("OK, it had ended", c.reason);
  TEXT_EQUAL("none", rig.state());
}

TEST(SubscriptionEnds, a_fetch_that_brings_no_notify_is_diagnosed) {
  rig.unsubscribe();
  rig.accept(0);
  rig.advance(32 * kSecond);
  LONGS_EQUAL(1, rig.stats().notifies_missing);
  TEXT_EQUAL("none", rig.state());
}
