// The small generator: repeatable, and even enough for jitter.
#include <set>
#include <vector>

#include "base/random.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Random) {};

TEST(Random, the_values_are_those_of_splitmix64) {
  Random r(1234567);  // the published test values
  UNSIGNED_LONGLONGS_EQUAL(6457827717110365317ull, r.next());
  UNSIGNED_LONGLONGS_EQUAL(3203168211198807973ull, r.next());
  UNSIGNED_LONGLONGS_EQUAL(9817491932198370423ull, r.next());
}

TEST(Random, a_seed_repeats_and_another_differs) {
  Random a(1), b(1), c(2);
  for (int i = 0; i < 100; i++) {
    uint64_t v = a.next();
    UNSIGNED_LONGLONGS_EQUAL(v, b.next());
    CHECK(v != c.next());
  }
}

TEST(Random, below_stays_below_and_reaches_every_value_about_as_often) {
  Random r(7);
  std::vector<int> seen(10);
  for (int i = 0; i < 20000; i++) {
    uint64_t v = r.below(10);
    CHECK(v < 10);
    seen[v]++;
  }
  for (int n : seen) CHECK(n > 1800 && n < 2200);
}

TEST(Random, below_1_is_0_and_large_bounds_work) {
  Random r(7);
  for (int i = 0; i < 100; i++) UNSIGNED_LONGLONGS_EQUAL(0, r.below(1));
  bool high = false;
  for (int i = 0; i < 100; i++) high |= r.below(UINT64_MAX) > UINT64_MAX / 2;
  CHECK(high);
}
