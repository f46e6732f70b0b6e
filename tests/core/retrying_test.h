// What tests of back-off share: when the next request leaves.
#pragma once

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {

template <class R>
struct RetryingTest : Utest {
  R rig;
  // The next request leaves within [low, high] ms from now.
  void next_leaves_within(MonoMs low, MonoMs high) {
    size_t before = rig.sent.size();
    rig.advance(low - 1);
    LONGS_EQUAL(before, rig.sent.size());
    rig.advance(high - low + 2);
    LONGS_EQUAL(before + 1, rig.sent.size());
  }
};

// A publication that is changed while a server answers so.
struct KeptPublicationTest : RetryingTest<Rig> {
  // Answers with this status; the record is kept and tried again after a first back-off.
  void keeps_the_record(const Answer& a) {
    Call& c = rig.publish("b2");
    Sent first = rig.last();
    rig.answer(a);
    LONGS_EQUAL(1, c.completed);
    LONGS_EQUAL(a.status, c.status);
    TEXT_EQUAL("backoff", rig.state());
    next_leaves_within(1500, 2500);
    TEXT_EQUAL(first.body, rig.last().body);
    TEXT_EQUAL(first.if_match, rig.last().if_match);
    rig.ok("e9");
    TEXT_EQUAL("live", rig.state());
  }
  void keeps_the_record(int status) { keeps_the_record(Answer{.status = status}); }
};

}  // namespace pua::test
