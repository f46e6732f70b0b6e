// What an owner is told of a request that failed: whether it is kept and tried again (`kept`).
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(KeptAfterAFailure) {
  SubsRig rig;
};

TEST(KeptAfterAFailure, a_publication_that_is_tried_again_says_so_and_one_that_ends_does_not) {
  Rig only;
  Call& silent = only.publish("b1");
  only.time_out();
  CHECK(silent.kept);
  Call& refused = only.publish("b2");
  only.reject(503);
  CHECK(refused.kept);
  Call& good = only.publish("b3");
  only.ok("e1");
  CHECK_FALSE(good.kept);
  Call& removal = only.remove();
  only.reject(500);
  CHECK(removal.kept);
  Call& over = only.publish("b4");
  only.reject(400);
  LONGS_EQUAL(400, over.status);
  CHECK_FALSE(over.kept);
}

TEST(KeptAfterAFailure, so_does_one_that_could_not_be_sent_or_is_held_back) {
  Rig only;
  only.send_error = "no address";
  Call& unsent = only.publish("b1");
  LONGS_EQUAL(503, unsent.status);
  CHECK(unsent.kept);
  only.send_error.clear();
  only.advance(60 * kSecond);
  only.answer({.status = 503, .retry_after = 100});
  Call& held = only.publish("b2");
  LONGS_EQUAL(503, held.status);
  CHECK(held.kept);
}

TEST(KeptAfterAFailure, a_subscription_that_is_tried_again_says_so_and_one_that_ends_does_not) {
  Call& failed = rig.subscribe();
  rig.time_out();
  LONGS_EQUAL(408, failed.status);
  CHECK(failed.kept);
  Call& refused = rig.subscribe();
  rig.reject(489);
  LONGS_EQUAL(489, refused.status);
  CHECK_FALSE(refused.kept);
}

// The server says 200 and keeps nothing.
TEST(KeptAfterAFailure, a_2xx_that_grants_nothing_is_kept_and_tried_again) {
  Rig only;
  Call& published = only.publish("b1");
  only.ok("e1", 0);
  LONGS_EQUAL(200, published.status);
  LONGLONGS_EQUAL(0, published.granted);
  CHECK(published.kept);
  TEXT_EQUAL("backoff", only.state());
  Call& subscribed = rig.subscribe();
  rig.accept(0);
  LONGS_EQUAL(200, subscribed.status);
  CHECK(subscribed.kept);
  TEXT_EQUAL("backoff", rig.state());
}

// The answer to a removal, to a fetch and to the end of a subscription says Expires: 0 as well, and is all that was wanted.
TEST(KeptAfterAFailure, a_2xx_that_ends_what_was_to_end_is_final) {
  Rig only;
  only.live("e1");
  Call& removed = only.remove();
  only.ok("", 0);
  LONGS_EQUAL(200, removed.status);
  CHECK_FALSE(removed.kept);
  rig.live();
  Call& ended = rig.unsubscribe();
  rig.accept(0);
  LONGS_EQUAL(200, ended.status);
  CHECK_FALSE(ended.kept);
  Call& fetched = rig.unsubscribe({.id = "f"});
  rig.accept(0);
  LONGS_EQUAL(200, fetched.status);
  CHECK_FALSE(fetched.kept);
}

//   |-- SUBSCRIBE ---------->|
//   |<-- NOTIFY, terminated -|   ended as soon as it was made
//   |<-- 200 ----------------|
//   |-- SUBSCRIBE ---------->|   anew
TEST(KeptAfterAFailure, a_subscription_that_has_ended_again_before_its_answer_is_kept_whatever_that_is) {
  for (int status : {200, 408, 423, 480, 503}) {
    SubsRig r;
    Call& c = r.subscribe();
    r.notify({.state = "terminated", .reason = "deactivated"});
    if (status == 200) r.accept();
    else r.reject(status);
    LONGS_EQUAL(status, c.status);
    LONGLONGS_EQUAL(0, c.granted);
    CHECK_TRUE(c.kept);
    TEXT_EQUAL("initial initial", r.kinds());
  }
}

TEST(KeptAfterAFailure, one_that_the_notifier_ended_for_good_is_not) {
  Call& c = rig.subscribe();
  rig.notify({.state = "terminated", .reason = "rejected"});
  rig.accept();
  LONGS_EQUAL(603, c.status);
  CHECK_FALSE(c.kept);
}

// The answer was lost, or came from another branch of a fork; the NOTIFY counts.
TEST(KeptAfterAFailure, one_whose_dialog_a_notify_has_made_all_the_same_goes_on) {
  for (int status : {400, 403, 408}) {
    SubsRig r;
    Call& c = r.subscribe();
    r.notify();
    r.reject(status);
    LONGS_EQUAL(status, c.status);
    CHECK_TRUE(c.kept);
    TEXT_EQUAL("live", r.state());
  }
}

TEST(KeptAfterAFailure, what_a_removal_that_waits_takes_the_place_of_is_not) {
  Rig only;
  only.live("e1");
  Call& refresh = only.refresh();
  Call& removal = only.remove();
  only.reject(503);
  LONGS_EQUAL(503, refresh.status);
  CHECK_FALSE(refresh.kept);
  TEXT_EQUAL("initial refresh remove", only.kinds());
  only.reject(503);
  CHECK(removal.kept);   // it is tried again
  rig.live();
  Call& again = rig.subscribe();
  rig.unsubscribe();
  rig.reject(503);
  LONGS_EQUAL(503, again.status);
  CHECK_FALSE(again.kept);
}

// Nothing failed: the owner only wanted it to exist, and it does, though its dialog has ended meanwhile and is made anew later.
TEST(KeptAfterAFailure, what_exists_already_is_no_failure) {
  rig.live({.expires = kForEver}, 600);
  rig.advance(kSecond);
  rig.kill();
  rig.now += 700 * kSecond;
  rig.load_delay_ms = 50;
  rig.boot();
  Call& c = rig.subscribe({.expires = kForEver, .keep_existing = true});
  rig.advance(200);
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("Exists already", c.reason);
  CHECK_FALSE(c.kept);
  TEXT_EQUAL("initial initial", rig.kinds());
}

// The SIP stack ends before the engine: nothing is tried any more in this run.
TEST(KeptAfterAFailure, what_the_end_of_the_stack_cuts_short_is_not_said_to_be_kept) {
  Rig only;
  Call& c = only.publish("b1");
  only.answer({.status = 487, .origin = ReplyOrigin::Shutdown});
  only.advance(kSecond);
  LONGS_EQUAL(487, c.status);
  CHECK_FALSE(c.kept);
}

// A NOTIFY ends the subscription while an owner's refresh waits for a slot; the phrase has always said "kept".
TEST(KeptAfterAFailure, what_the_notifier_ends_for_now_says_so) {
  rig.settings.max_in_flight = 1;
  rig.restart();
  rig.live({.expires = kForEver});
  rig.subscribe({.uri = "sip:carol@example.com"});   // takes the only slot
  Call& c = rig.subscribe({.expires = kForEver});
  TEXT_EQUAL("queued", rig.state());
  const Sent first = rig.sent[0];
  rig.notify({.state = "terminated", .reason = "probation", .call_id = first.call_id, .local_tag = first.from_tag});
  LONGS_EQUAL(480, c.status);
  TEXT_EQUAL("Ended by the notifier for now, kept", c.reason);
  CHECK(c.kept);
}
