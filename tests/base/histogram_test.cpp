// Histogram: which bucket a duration falls into, and what they add up to.
#include "base/histogram.h"

#include <CppUTest/TestHarness.h>

using pua::Histogram;

namespace {
constexpr int64_t kBounds[] = {100, 1000, 10000};
}  // namespace

TEST_GROUP(Histogram) {
  Histogram h{kBounds};
  void counts(uint64_t a, uint64_t b, uint64_t c, uint64_t beyond) {
    UNSIGNED_LONGS_EQUAL(a, h.in_bucket(0));
    UNSIGNED_LONGS_EQUAL(b, h.in_bucket(1));
    UNSIGNED_LONGS_EQUAL(c, h.in_bucket(2));
    UNSIGNED_LONGS_EQUAL(beyond, h.in_bucket(3));
  }
};

TEST(Histogram, nothing_added_nothing_counted) {
  counts(0, 0, 0, 0);
  UNSIGNED_LONGS_EQUAL(0, h.count());
  LONGS_EQUAL(0, h.sum_us());
}

TEST(Histogram, a_bound_belongs_to_its_bucket) {
  h.add(100);
  h.add(101);
  h.add(1000);
  h.add(10000);
  h.add(10001);
  counts(1, 2, 1, 1);
}

TEST(Histogram, what_is_longer_than_every_bound_is_counted_and_summed_too) {
  h.add(0);
  h.add(5000000);
  counts(1, 0, 0, 1);
  UNSIGNED_LONGS_EQUAL(2, h.count());
  LONGS_EQUAL(5000000, h.sum_us());
}

TEST(Histogram, a_negative_duration_counts_as_none) {
  h.add(-5);
  counts(1, 0, 0, 0);
  LONGS_EQUAL(0, h.sum_us());
}

TEST(Histogram, it_may_have_as_many_buckets_as_there_is_room_for) {
  static int64_t many[Histogram::kMaxBounds];
  for (size_t i = 0; i < Histogram::kMaxBounds; i++) many[i] = static_cast<int64_t>(i + 1) * 10;
  Histogram full{many};
  for (int64_t us = 10; us <= 170; us += 10) full.add(us);
  for (size_t i = 0; i <= Histogram::kMaxBounds; i++) UNSIGNED_LONGS_EQUAL(1, full.in_bucket(i));
  UNSIGNED_LONGS_EQUAL(17, full.count());
}
