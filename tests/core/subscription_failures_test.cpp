// One test for each rule of the subscription machine about failures: replies of 300 and more, silence, no NOTIFY.
//
//   owner              engine                 notifier
//     |                  |-- SUBSCRIBE, to-tag->|
//     |                  |<-- 503 --------------|   the dialog is kept until its grant ends
//     |                  |   2 s, 4 s, 8 s ...  |
//     |                  |-- SUBSCRIBE, to-tag->|
//     |                  |<-- 481 --------------|   only this ends it ...
//     |                  |-- SUBSCRIBE -------->|   ... and a new one is made, as long as it is wanted
#include <string>

#include "core/subscription.h"
#include "tests/core/retrying_test.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(SubscriptionFailures, RetryingTest<SubsRig>) {
  void until_next_request() {
    size_t before = rig.sent.size();
    for (int i = 0; i < 5000 && rig.sent.size() == before; i++) rig.advance(kSecond);
    LONGS_EQUAL(before + 1, rig.sent.size());
  }
  // A refresh that is answered so keeps its dialog and is tried again in it.
  void keeps_the_dialog(const Answer& a) {
    rig.live({.expires = kForEver}, 3600);
    Call& c = rig.subscribe({.expires = kForEver});
    const Sent first = rig.last();
    rig.answer(a);
    LONGS_EQUAL(1, c.completed);
    LONGS_EQUAL(a.status, c.status);
    CHECK(c.origin == a.origin);
    TEXT_EQUAL("backoff", rig.state());
    TEXT_EQUAL("active", rig.dialog());
    LONGS_EQUAL(200, rig.notify({.call_id = first.call_id, .local_tag = first.from_tag}).status);
    next_leaves_within(1500, 2500);
    TEXT_EQUAL("refresh", rig.last().kind());
    TEXT_EQUAL(first.call_id, rig.last().call_id);
    LONGS_EQUAL(first.cseq + 1, rig.last().cseq);
    rig.accept();
    TEXT_EQUAL("live", rig.state());
  }
  // Checks that after this answer to an initial request another one is tried, for a new dialog.
  void tries_again(const Answer& a) {
    Call& c = rig.subscribe();
    const Sent first = rig.last();
    rig.answer(a);
    LONGS_EQUAL(1, c.completed);
    LONGS_EQUAL(a.status, c.status);
    TEXT_EQUAL("backoff", rig.state());
    TEXT_EQUAL("none", rig.dialog());
    next_leaves_within(1500, 2500);
    TEXT_EQUAL("initial", rig.last().kind());
    CHECK(first.call_id != rig.last().call_id);
    rig.accept();
    rig.notify();
    TEXT_EQUAL("live", rig.state());
  }
  // Checks that after this answer to a refresh a new dialog is made at once.
  void makes_a_new_dialog(int status) {
    rig.live({.expires = kForEver}, 3600);
    const Sent first = rig.last();
    rig.advance(60 * kSecond);
    Call& c = rig.subscribe({.expires = kForEver});
    rig.reject(status);
    TEXT_EQUAL("initial refresh initial", rig.kinds());
    const Sent& again = rig.last();
    CHECK(first.call_id != again.call_id);
    CHECK(first.from_tag != again.from_tag);
    TEXT_EQUAL("", again.to_tag);
    TEXT_EQUAL("", again.route_set);
    TEXT_EQUAL(kAlice, again.uri);
    LONGS_EQUAL(1, again.cseq);
    LONGS_EQUAL(0, c.completed);       // its owner will hear how the new dialog is made
    LONGS_EQUAL(481, rig.notify({.call_id = first.call_id, .local_tag = first.from_tag}).status);
    rig.accept();
    LONGS_EQUAL(200, c.status);
    LONGS_EQUAL(1, c.completed);
    rig.notify({.cseq = 1});           // the CSeqs of a new dialog begin anew
    TEXT_EQUAL("live", rig.state());
    LONGS_EQUAL(1, rig.stats().dialogs_lost);
    CHECK(rig.logged(LogLevel::notice, "a new one is made"));
  }
  // Checks that this answer to an initial request ends the subscription.
  void ends(int status) {
    Call& c = rig.subscribe();
    rig.reject(status);
    LONGS_EQUAL(1, c.completed);
    LONGS_EQUAL(status, c.status);
    rig.advance(200);
    TEXT_EQUAL("none", rig.state());
    LONGS_EQUAL(0, rig.rows().size());
    rig.advance(7200 * kSecond);
    TEXT_EQUAL("initial", rig.kinds());
    LONGS_EQUAL(1, rig.stats().refused_final);
  }
};

// --- the dialog is kept ------------------------------------------------------------------------------------------

TEST(SubscriptionFailures, a_3xx_keeps_the_dialog) { keeps_the_dialog({.status = 302}); }
TEST(SubscriptionFailures, a_401_keeps_the_dialog_and_says_what_is_missing) {
  keeps_the_dialog({.status = 401});
  LONGS_EQUAL(1, rig.stats().auth_failures);
  CHECK(rig.logged(LogLevel::error, "401 to SUBSCRIBE for sip:alice@example.com: credentials"));
}
TEST(SubscriptionFailures, a_407_keeps_the_dialog) { keeps_the_dialog({.status = 407}); }
TEST(SubscriptionFailures, a_403_keeps_the_dialog_with_a_loud_counter) {
  keeps_the_dialog({.status = 403});
  LONGS_EQUAL(1, rig.stats().refused_403_404);
  CHECK(rig.logged(LogLevel::error, "403 to SUBSCRIBE for sip:alice@example.com"));
}
TEST(SubscriptionFailures, a_408_keeps_the_dialog) { keeps_the_dialog({.status = 408}); }
TEST(SubscriptionFailures, a_429_keeps_the_dialog) { keeps_the_dialog({.status = 429}); }
TEST(SubscriptionFailures, a_500_keeps_the_dialog) { keeps_the_dialog({.status = 500}); }
TEST(SubscriptionFailures, a_503_keeps_the_dialog) { keeps_the_dialog({.status = 503}); }
TEST(SubscriptionFailures, a_603_keeps_the_dialog) { keeps_the_dialog({.status = 603}); }
TEST(SubscriptionFailures, a_transport_error_keeps_the_dialog) {
  keeps_the_dialog({.status = 503, .origin = ReplyOrigin::Transport});
}
TEST(SubscriptionFailures, a_timeout_keeps_the_dialog) {
  keeps_the_dialog({.status = 408, .origin = ReplyOrigin::Timeout});
  LONGS_EQUAL(1, rig.stats().timeouts);
}

TEST(SubscriptionFailures, a_request_that_could_not_be_sent_keeps_the_dialog) {
  rig.live({.expires = kForEver}, 3600);
  rig.send_error = "no socket";
  Call& c = rig.subscribe({.expires = kForEver});
  LONGS_EQUAL(503, c.status);
  CHECK(c.origin == ReplyOrigin::Transport);
  TEXT_EQUAL("no socket", c.reason);
  rig.send_error = "";
  next_leaves_within(1500, 2500);
  TEXT_EQUAL("refresh", rig.last().kind());
  LONGS_EQUAL(3, rig.last().cseq);   // the CSeq of the request that did not leave is not used again
}

//   |-- SUBSCRIBE, to-tag -->|
//   |   (nothing) ...        |   again and again, until the grant has ended
//   |-- SUBSCRIBE ---------->|   a new dialog
TEST(SubscriptionFailures, a_dialog_that_is_never_answered_is_given_up_when_its_grant_ends) {
  MonoMs began = rig.now;
  rig.live({.expires = kForEver}, 300);
  const Sent first = rig.last();
  rig.subscribe({.expires = kForEver});
  while (rig.last().kind() != "initial" || rig.sent.size() == 1) {
    if (rig.open()) rig.time_out();
    rig.advance(kSecond);
    CHECK(rig.now < began + 400 * kSecond);
    if (rig.now < began + 299 * kSecond) TEXT_EQUAL("active", rig.dialog());
  }
  CHECK(rig.last().at >= began + 300 * kSecond);
  CHECK(rig.last().call_id != first.call_id);
  LONGS_EQUAL(1, rig.stats().dialogs_lost);
}

// --- an initial request is tried again ---------------------------------------------------------------------------

TEST(SubscriptionFailures, a_3xx_to_the_first_request) { tries_again({.status = 302}); }
TEST(SubscriptionFailures, a_401_to_the_first_request) { tries_again({.status = 401}); }
TEST(SubscriptionFailures, a_403_to_the_first_request) { tries_again({.status = 403}); }
TEST(SubscriptionFailures, a_404_to_the_first_request_is_not_the_end_of_it) {
  tries_again({.status = 404});
  LONGS_EQUAL(1, rig.stats().refused_403_404);
}
TEST(SubscriptionFailures, a_480_to_the_first_request) { tries_again({.status = 480}); }
TEST(SubscriptionFailures, a_481_to_the_first_request) { tries_again({.status = 481}); }
TEST(SubscriptionFailures, a_503_to_the_first_request) { tries_again({.status = 503}); }
TEST(SubscriptionFailures, silence_to_the_first_request) { tries_again({.status = 408, .origin = ReplyOrigin::Timeout}); }

TEST(SubscriptionFailures, back_off_grows_with_each_failure_and_ends_with_success) {
  rig.subscribe({.expires = kForEver});
  rig.reject(500);
  for (MonoMs base = 2000; base < 100000; base *= 2) {
    next_leaves_within(base * 3 / 4, base * 5 / 4);
    rig.reject(500);
  }
  until_next_request();
  rig.accept();
  rig.notify();
  rig.subscribe({.expires = kForEver});
  rig.accept();
  rig.subscribe({.expires = kForEver});
  rig.reject(500);
  next_leaves_within(1500, 2500);
}

TEST(SubscriptionFailures, one_that_is_never_answered_is_given_up_at_the_wanted_end) {
  rig.subscribe({.expires = 100});
  for (int i = 0; i < 110; i++) {
    if (rig.open()) rig.reject(503);
    rig.advance(kSecond);
  }
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
  CHECK(rig.last().at < rig.sent[0].at + 100 * kSecond);
}

// --- Retry-After -------------------------------------------------------------------------------------------------

//   |<-- 503, Retry-After: 120 --|
//   |   (120 s)                  |
//   |-- SUBSCRIBE -------------->|
TEST(SubscriptionFailures, retry_after_is_honoured) {
  rig.subscribe();
  rig.answer({.status = 503, .retry_after = 120});
  next_leaves_within(120 * kSecond, 120 * kSecond);
}

TEST(SubscriptionFailures, nothing_leaves_under_retry_after_not_even_a_new_request) {
  rig.live();
  rig.subscribe();
  rig.answer({.status = 503, .retry_after = 120});
  rig.advance(10 * kSecond);
  Call& c = rig.subscribe({.expires = kForEver});
  LONGS_EQUAL(503, c.status);
  CHECK(c.origin == ReplyOrigin::Local);
  CHECK(c.durable);
  LONGS_EQUAL(2, rig.sent.size());
  next_leaves_within(110 * kSecond, 110 * kSecond);
  LONGLONGS_EQUAL(3600, rig.last().expires);
}

TEST(SubscriptionFailures, nothing_leaves_under_retry_after_not_even_when_the_grant_ends_meanwhile) {
  rig.live({.expires = kForEver}, 60);
  rig.subscribe({.expires = kForEver});
  rig.answer({.status = 503, .retry_after = 120});
  next_leaves_within(120 * kSecond, 120 * kSecond);
  TEXT_EQUAL("initial", rig.last().kind());
}

// --- 423 ---------------------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE, 100 ---------->|
//   |<-- 423, Min-Expires: 1800 --|
//   |-- SUBSCRIBE, 1800, CSeq 2 ->|   the same Call-ID
TEST(SubscriptionFailures, a_423_is_answered_with_min_expires_at_once) {
  Call& c = rig.subscribe({.expires = 100});
  const Sent first = rig.last();
  rig.answer({.status = 423, .min_expires = 1800});
  LONGS_EQUAL(2, rig.sent.size());
  LONGLONGS_EQUAL(1800, rig.last().expires);
  TEXT_EQUAL(first.call_id, rig.last().call_id);
  LONGS_EQUAL(2, rig.last().cseq);
  LONGS_EQUAL(0, c.completed);
  rig.accept();
  LONGS_EQUAL(200, c.status);
  LONGS_EQUAL(1, rig.stats().replies_423);
  rig.notify();
  rig.advance(100 * kSecond);
  TEXT_EQUAL("remove", rig.last().kind());   // it still ends at the wanted end
}

TEST(SubscriptionFailures, a_423_to_a_refresh_goes_on_in_the_dialog) {
  rig.live({.expires = kForEver}, 600);
  until_next_request();
  const Sent first = rig.last();
  rig.answer({.status = 423, .min_expires = 7200});
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL(first.call_id, rig.last().call_id);
  LONGLONGS_EQUAL(7200, rig.last().expires);
  LONGS_EQUAL(first.cseq + 1, rig.last().cseq);
}

TEST(SubscriptionFailures, min_expires_is_remembered_for_the_next_requests) {
  rig.subscribe({.expires = 100});
  rig.answer({.status = 423, .min_expires = 1800});
  rig.accept();
  rig.notify();
  rig.subscribe({.expires = 60});
  LONGLONGS_EQUAL(1800, rig.last().expires);
}

TEST(SubscriptionFailures, a_second_423_in_a_row_backs_off) {
  Call& c = rig.subscribe({.expires = 100});
  rig.answer({.status = 423, .min_expires = 200});
  rig.answer({.status = 423, .min_expires = 400});
  LONGS_EQUAL(2, rig.sent.size());
  LONGS_EQUAL(423, c.status);
  rig.advance(6 * kSecond);
  LONGS_EQUAL(3, rig.sent.size());
  LONGLONGS_EQUAL(400, rig.last().expires);
}

TEST(SubscriptionFailures, a_423_beyond_max_expires_or_without_min_expires_backs_off) {
  Call& c = rig.subscribe();
  rig.answer({.status = 423, .min_expires = 90000});
  LONGS_EQUAL(423, c.status);
  TEXT_EQUAL("backoff", rig.state());
  rig.advance(3 * kSecond);
  CHECK(rig.last().expires <= 3600);
  rig.answer({.status = 423});
  TEXT_EQUAL("backoff", rig.state());
}

// --- the dialog is lost ------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE, to-tag -->|
//   |<-- 481 ----------------|
//   |-- SUBSCRIBE ---------->|   another Call-ID, CSeq 1
TEST(SubscriptionFailures, a_404_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(404); }
TEST(SubscriptionFailures, a_405_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(405); }
TEST(SubscriptionFailures, a_410_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(410); }
TEST(SubscriptionFailures, a_416_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(416); }
TEST(SubscriptionFailures, a_480_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(480); }
TEST(SubscriptionFailures, a_481_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(481); }
TEST(SubscriptionFailures, a_482_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(482); }
TEST(SubscriptionFailures, a_483_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(483); }
TEST(SubscriptionFailures, a_484_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(484); }
TEST(SubscriptionFailures, a_485_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(485); }
TEST(SubscriptionFailures, a_489_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(489); }
TEST(SubscriptionFailures, a_501_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(501); }
TEST(SubscriptionFailures, a_502_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(502); }
TEST(SubscriptionFailures, a_604_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(604); }

//   |-- SUBSCRIBE, to-tag -->|
//   |<-- 480 ----------------|
//   |-- SUBSCRIBE ---------->|   once at once: the new one may find another way
//   |<-- 480 ----------------|
//   |   (2 s, 4 s ...)       |   then it backs off
TEST(SubscriptionFailures, a_480_to_the_new_dialog_too_backs_off) {
  rig.live({.expires = kForEver}, 3600);
  rig.advance(60 * kSecond);
  rig.subscribe({.expires = kForEver});
  rig.reject(480);
  rig.reject(480);
  TEXT_EQUAL("backoff", rig.state());
  next_leaves_within(1500, 2500);
  rig.reject(480);
  next_leaves_within(3000, 5000);
  TEXT_EQUAL("initial refresh initial initial initial", rig.kinds());
}

TEST(SubscriptionFailures, a_481_under_retry_after_waits) {
  rig.live({.expires = kForEver}, 3600);
  rig.subscribe({.expires = kForEver});
  rig.answer({.status = 481, .retry_after = 60});
  next_leaves_within(60 * kSecond, 60 * kSecond);
  TEXT_EQUAL("initial", rig.last().kind());
}

TEST(SubscriptionFailures, dialogs_that_are_lost_one_after_the_other_are_not_made_in_a_loop) {
  rig.live({.expires = kForEver}, 3600);
  for (int i = 0; i < 60; i++) {
    rig.subscribe({.expires = kForEver});
    while (rig.open()) rig.last().to_tag.empty() ? rig.accept() : rig.reject(481);
    rig.advance(kSecond / 10);
    if (i == 10) break;
  }
  size_t before = rig.sent.size();
  for (int i = 0; i < 600; i++) {   // for a minute no owner asks
    if (rig.open()) rig.last().to_tag.empty() ? rig.accept() : rig.reject(481);
    if (rig.state() == "waiting") rig.notify({.expires = 1, .cseq = static_cast<uint32_t>(1000 + i)});
    rig.advance(kSecond / 10);
  }
  CHECK(rig.sent.size() - before < 40);
}

//   |<-- 200 -----------------------|
//   |<-- NOTIFY, active;expires=1 --|   ends as soon as it is made, time and again
TEST(SubscriptionFailures, grants_that_end_as_soon_as_they_begin_are_not_asked_for_in_a_loop) {
  rig.subscribe({.expires = kForEver});
  for (int i = 0; i < 600; i++) {
    for (int n = 0; rig.open() && n < 5; n++) {
      rig.accept(3600);
      rig.notify({.expires = 1, .cseq = 1});
    }
    rig.advance(kSecond / 10);
  }
  CHECK(rig.sent.size() < 12);
  CHECK(rig.sent.size() > 2);
}

//   |<-- 200, Expires: 3600 ---------|
//   |<-- NOTIFY, active;expires=0 ---|   it goes on, and nothing is left of it: what the 200 says counts
TEST(SubscriptionFailures, an_active_notify_that_expires_at_once_does_not_make_dialogs_that_nobody_ends) {
  rig.subscribe({.expires = kForEver});
  rig.accept(3600);
  for (int i = 1; i < 20; i++) {
    LONGS_EQUAL(200, rig.notify({.expires = 0, .cseq = static_cast<uint32_t>(i)}).status);
    rig.advance(10 * kSecond);
  }
  TEXT_EQUAL("initial", rig.kinds());
  TEXT_EQUAL("live", rig.state());
}

TEST(SubscriptionFailures, a_new_dialog_is_made_only_while_it_is_wanted) {
  rig.live();
  rig.subscribe();
  Call& c = rig.unsubscribe();   // waits for the refresh
  rig.reject(481);
  LONGS_EQUAL(200, c.status);
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL("none", rig.state());
}

TEST(SubscriptionFailures, a_400_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(400); }
TEST(SubscriptionFailures, a_406_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(406); }
TEST(SubscriptionFailures, a_413_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(413); }
TEST(SubscriptionFailures, a_415_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(415); }
TEST(SubscriptionFailures, a_420_to_a_refresh_makes_a_new_dialog) { makes_a_new_dialog(420); }

// --- the end of it -----------------------------------------------------------------------------------------------

TEST(SubscriptionFailures, a_400_to_the_first_request_ends_it) { ends(400); }
TEST(SubscriptionFailures, a_405_to_the_first_request_ends_it) { ends(405); }
TEST(SubscriptionFailures, a_406_to_the_first_request_ends_it) { ends(406); }
TEST(SubscriptionFailures, a_413_to_the_first_request_ends_it) { ends(413); }
TEST(SubscriptionFailures, a_415_to_the_first_request_ends_it) { ends(415); }
TEST(SubscriptionFailures, a_420_to_the_first_request_ends_it) { ends(420); }
TEST(SubscriptionFailures, a_489_to_the_first_request_ends_it) { ends(489); }

TEST(SubscriptionFailures, one_that_was_refused_can_be_subscribed_anew) {
  rig.subscribe();
  rig.reject(489);
  rig.subscribe();
  TEXT_EQUAL("initial initial", rig.kinds());
  CHECK(rig.sent[0].call_id != rig.sent[1].call_id);
  rig.accept();
  rig.notify();
  TEXT_EQUAL("live", rig.state());
}

// --- timer N -----------------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE ---->|
//   |<-- 200 ----------|
//   |   (32 s)         |   no NOTIFY: the log says where it was to come
//   |-- SUBSCRIBE ---->|   after a back-off, as a new dialog
TEST(SubscriptionFailures, without_a_notify_within_timer_n_it_backs_off_and_the_log_names_the_contact) {
  rig.subscribe({.expires = kForEver, .contact = "sip:me@192.168.1.5"});
  const Sent first = rig.last();
  rig.accept();
  rig.advance(32 * kSecond - 1);
  TEXT_EQUAL("waiting", rig.state());
  LONGS_EQUAL(0, rig.stats().notifies_missing);
  rig.advance(1);
  TEXT_EQUAL("backoff", rig.state());
  LONGS_EQUAL(1, rig.stats().notifies_missing);
  CHECK(rig.logged(LogLevel::warning, "sip:alice@example.com"));
  CHECK(rig.logged(LogLevel::warning, "no NOTIFY came to sip:me@192.168.1.5"));
  CHECK(rig.logged(LogLevel::warning, "NAT"));
  LONGS_EQUAL(481, rig.notify().status);
  until_next_request();
  TEXT_EQUAL("initial", rig.last().kind());
  CHECK(rig.last().call_id != first.call_id);
}

TEST(SubscriptionFailures, timer_n_is_64_t1) {
  rig.settings.t1_ms = 100;
  rig.restart();
  rig.subscribe();
  rig.accept();
  rig.advance(6400 - 1);
  TEXT_EQUAL("waiting", rig.state());
  rig.advance(1);
  TEXT_EQUAL("backoff", rig.state());
}

TEST(SubscriptionFailures, a_notifier_that_never_notifies_is_asked_less_and_less_often) {
  rig.subscribe({.expires = kForEver});
  for (int i = 0; i < 3600; i++) {
    if (rig.open()) rig.accept();
    rig.advance(kSecond);
  }
  CHECK(rig.sent.size() < 30);
  CHECK(rig.sent.size() > 5);
}

TEST(SubscriptionFailures, one_answered_late_still_has_until_timer_n) {
  rig.subscribe();
  rig.advance(20 * kSecond);
  rig.accept();
  rig.advance(12 * kSecond - 1);
  TEXT_EQUAL("waiting", rig.state());
  rig.advance(1);
  TEXT_EQUAL("backoff", rig.state());
}

TEST(SubscriptionFailures, a_second_subscribe_before_the_first_notify_does_not_stop_timer_n) {
  rig.subscribe({.expires = kForEver});
  rig.accept();
  rig.advance(10 * kSecond);
  rig.subscribe({.expires = kForEver});
  rig.accept();
  TEXT_EQUAL("waiting", rig.state());
  rig.advance(22 * kSecond - 1);
  LONGS_EQUAL(0, rig.stats().notifies_missing);
  rig.advance(1);
  LONGS_EQUAL(1, rig.stats().notifies_missing);
  TEXT_EQUAL("backoff", rig.state());
}

// --- taken, and ended in the same breath --------------------------------------------------------------------------

TEST(SubscriptionFailures, a_2xx_that_grants_nothing_backs_off) {
  Call& c = rig.subscribe({.expires = kForEver});
  rig.accept(0);
  LONGS_EQUAL(200, c.status);
  LONGLONGS_EQUAL(0, c.granted);
  TEXT_EQUAL("backoff", rig.state());
  next_leaves_within(1500, 2500);
}

TEST(SubscriptionFailures, a_failure_of_one_branch_does_not_end_the_dialog_that_a_notify_made) {
  Call& c = rig.subscribe();
  rig.notify({.expires = 600});
  rig.reject(408);
  LONGS_EQUAL(408, c.status);
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(200, rig.notify({.expires = 600}).status);
  rig.unsubscribe();
  TEXT_EQUAL("remove", rig.last().kind());
}

// --- a destination that does not answer --------------------------------------------------------------------------

TEST(SubscriptionFailures, owners_are_told_at_once_while_a_destination_is_silent) {
  for (int i = 0; i < 5; i++) rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com"});
  rig.settle();
  for (Sent& s : rig.sent) rig.time_out(s);
  LONGS_EQUAL(1, rig.stats().breaker_open);
  Call& c = rig.subscribe();
  rig.advance(100);                    // the time for the commit of what is kept
  LONGS_EQUAL(503, c.status);
  CHECK(c.origin == ReplyOrigin::Local);
  TEXT_EQUAL("queued", rig.state());   // and kept
}
