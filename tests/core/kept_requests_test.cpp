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
