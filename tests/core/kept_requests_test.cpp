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
