// Acks: an outcome that waits for a commit comes out once, oldest first, and not before the version that it waits for.
#include <memory>
#include <string>
#include <vector>

#include "core/acks.h"
#include "core/publication_record.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Acks) {
  PublicationRecord a, b;
  Acks acks;
  void add(PublicationRecord& r, uint32_t version, int status, MonoMs deadline = 100) {
    Delivery d;
    d.result.status = status;
    acks.add(r, version, deadline, std::move(d));
  }
  int pop(PublicationRecord& r, uint32_t version) {
    auto ack = acks.pop(r, version);
    return ack ? ack->delivery.result.status : 0;
  }
  int pop() {
    auto ack = acks.pop();
    return ack ? ack->delivery.result.status : 0;
  }
};

TEST(Acks, one_comes_out_when_its_version_or_a_newer_one_was_committed) {
  add(a, 5, 200);
  LONGS_EQUAL(0, pop(a, 4));
  LONGS_EQUAL(200, pop(a, 5));
  LONGS_EQUAL(0, pop(a, 5));
  add(a, 5, 202);
  LONGS_EQUAL(202, pop(a, 9));
  CHECK(acks.empty());
}

TEST(Acks, those_of_one_record_come_in_order_and_do_not_touch_another) {
  add(a, 1, 201);
  add(b, 1, 301);
  add(a, 2, 202);
  add(a, 3, 203);
  LONGS_EQUAL(201, pop(a, 2));
  LONGS_EQUAL(202, pop(a, 2));
  LONGS_EQUAL(0, pop(a, 2));
  LONGS_EQUAL(301, pop(b, 1));
  LONGS_EQUAL(203, pop(a, 3));
}

TEST(Acks, the_oldest_of_all_is_due_first) {
  LONGLONGS_EQUAL(kNever, acks.next_due());
  LONGS_EQUAL(0, pop());
  add(a, 1, 201, 100);
  add(b, 1, 301, 110);
  add(a, 2, 202, 120);
  LONGLONGS_EQUAL(100, acks.next_due());
  LONGS_EQUAL(201, pop());
  LONGLONGS_EQUAL(110, acks.next_due());
  LONGS_EQUAL(202, pop(a, 2));  // from the middle
  LONGS_EQUAL(301, pop());
  CHECK(acks.empty());
}

TEST(Acks, versions_may_wrap) {
  add(a, UINT32_MAX, 201);
  LONGS_EQUAL(0, pop(a, UINT32_MAX - 1));
  LONGS_EQUAL(201, pop(a, 1));
}

TEST(Acks, what_still_waits_at_the_end_is_freed) {  // AddressSanitizer would find a leak
  add(a, 1, 200);
  add(b, 1, 200);
}
