// Dialogs that the notifier ends as soon as they are made, time and again (src/core/subscription.cpp).
#include <algorithm>
#include <string>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SubscriptionLoops) {
  SubsRig rig;
};

// The NOTIFY that ends each dialog overtakes the 200, so that no dialog is ever known. That an earlier dialog stood for long
// does not count for these.
TEST(SubscriptionLoops, one_that_ends_before_its_200_time_and_again_is_not_made_in_a_loop) {
  rig.live({.expires = kForEver}, 3600);
  rig.advance(60 * kSecond);
  rig.notify({.state = "terminated", .reason = "deactivated"});
  size_t before = rig.sent.size();
  for (int i = 0; i < 600; i++) {
    for (int n = 0; rig.open() && n < 5; n++) {
      rig.notify({.state = "terminated", .reason = "deactivated", .cseq = 1});
      rig.accept();
    }
    rig.advance(kSecond / 10);
  }
  CHECK(rig.sent.size() - before > 3);
  CHECK(rig.sent.size() - before < 12);
}

TEST(SubscriptionLoops, dialogs_that_end_time_and_again_are_told_once_and_so_is_the_end_of_that) {
  auto told = [&](const char* what) {
    return std::count_if(rig.lines.begin(), rig.lines.end(), [&](const auto& l) { return l.second.find(what) != std::string::npos; });
  };
  const char *ends = "SUBSCRIBE for sip:alice@example.com: the notifier ends its dialogs as soon as they are made: new ones are made more and more seldom",
             *stand = "SUBSCRIBE for sip:alice@example.com: its dialogs stand again";
  rig.live({.expires = kForEver}, 3600);
  rig.advance(60 * kSecond);
  rig.notify({.state = "terminated", .reason = "deactivated"});
  LONGS_EQUAL(0, told(ends));   // once may happen any day
  for (int i = 0; i < 10; i++) {
    while (!rig.open()) rig.advance(kSecond / 10);
    rig.accept(3600);
    rig.notify({.state = "terminated", .reason = "deactivated", .cseq = 1});
  }
  LONGS_EQUAL(1, told(ends));
  while (!rig.open()) rig.advance(kSecond / 10);
  rig.accept(3600);
  rig.notify({.cseq = 1});
  rig.advance(29 * kSecond);
  rig.notify();
  LONGS_EQUAL(0, told(stand));
  rig.advance(kSecond);
  rig.notify();
  rig.notify();
  LONGS_EQUAL(1, told(stand));
  rig.notify({.state = "terminated", .reason = "deactivated"});   // a new dialog is made at once, as on any day
  CHECK(rig.open());
  LONGS_EQUAL(1, told(ends));
}
