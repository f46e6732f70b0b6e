// What was accepted and is in no row, nor marked to be written into one: it would be lost with the process, and whoever asks whether
// all is written must hear of it.
//
//   publish --> waits for its row            --the load is over------> a row
//   publish --> waits behind one that is out --the reply has come----> a row
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Unplaced) {
  Rig rig;
};

// "Kept" is said of what only memory holds: whoever asks whether all is written must hear of it until the rows are there.
TEST(Unplaced, what_was_accepted_while_nothing_can_be_loaded_counts_as_in_no_row) {
  rig.live("e1");
  rig.advance(500);
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  rig.store->fail_finds = true;
  LONGS_EQUAL(0, rig.engine->unplaced());
  LONGS_EQUAL(kNever, rig.engine->unplaced_since());
  MonoMs first = rig.now;
  Call& removal = rig.remove();
  rig.advance(100);
  Call& fresh = rig.ask({.uri = "sip:bob@example.com", .body = "b1"});
  rig.ask({.uri = "sip:bob@example.com", .body = "b2"});   // the same record
  LONGS_EQUAL(2, rig.engine->unplaced());
  rig.advance(kIdlePatience + 1000);
  LONGS_EQUAL(503, removal.status);
  LONGS_EQUAL(503, fresh.status);
  CHECK_FALSE(fresh.durable);
  LONGS_EQUAL(0, rig.behind->backlog());
  LONGS_EQUAL(2, rig.engine->unplaced());
  LONGS_EQUAL(first, rig.engine->unplaced_since());
  rig.store->fail_loads = 0;
  rig.advance(60 * kSecond);
  LONGS_EQUAL(0, rig.engine->unplaced());
  LONGS_EQUAL(kNever, rig.engine->unplaced_since());
}

TEST(Unplaced, a_store_that_keeps_nothing_lacks_nothing_that_waits_for_its_row) {
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  rig.store->keeps = false;
  rig.store->fail_finds = true;
  rig.publish("b1");
  TEXT_EQUAL("idle", rig.state());
  LONGS_EQUAL(0, rig.engine->unplaced());
  LONGS_EQUAL(kNever, rig.engine->unplaced_since());
}

TEST(Unplaced, a_request_that_waits_behind_another_is_in_no_row_until_it_takes_effect) {
  rig.publish("b1");
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.engine->unplaced());
  MonoMs first = rig.now;
  rig.publish("b2");
  rig.advance(kSecond);
  rig.publish("b3");   // replaces it
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.behind->backlog());
  LONGS_EQUAL(1, rig.engine->unplaced());
  LONGS_EQUAL(first, rig.engine->unplaced_since());
  rig.ok("e1");
  LONGS_EQUAL(0, rig.engine->unplaced());
  LONGS_EQUAL(kNever, rig.engine->unplaced_since());
  TEXT_EQUAL("initial modify", rig.kinds());
}

// What the engine itself wants, at its end, is no request of an owner.
TEST(Unplaced, a_removal_that_no_owner_asked_for_is_not_missed) {
  rig.publish("b1");
  rig.settle();
  rig.engine->remove_all();
  rig.settle();
  LONGS_EQUAL(0, rig.engine->unplaced());
  rig.publish("b2");   // takes its place
  LONGS_EQUAL(1, rig.engine->unplaced());
  rig.engine->shutdown();
  LONGS_EQUAL(1, rig.engine->unplaced());   // and is lost
}
