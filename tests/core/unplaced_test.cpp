// What was accepted and is in no row, nor marked to be written into one: it would be lost with the process, and whoever asks whether
// all is written must hear of it.
//
//   publish --> waits for its row            --the load is over------> a row
//   publish --> waits behind one that is out --the reply has come----> a row
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Unplaced) {
  Rig rig;
  // The next process starts, and cannot read the table until rig.store->fail_loads is 0 again.
  void restart_without_the_table() {
    rig.advance(500);
    rig.kill();
    rig.loads_to_fail = 1000000;
    rig.boot();
    rig.store->fail_finds = true;
  }
  // The owner of this request is told after some seconds that it is kept; then the table can be read, and the server is silent.
  void kept_until_the_table_is_there(Call& c) {
    rig.advance(kIdlePatience + kSecond);
    LONGS_EQUAL(503, c.status);
    CHECK(c.kept);
    rig.store->fail_loads = 0;
    rig.advance(60 * kSecond);
    LONGS_EQUAL(1, rig.open());
    LONGS_EQUAL(0, rig.engine->unplaced());
    LONGS_EQUAL(0, rig.behind->backlog());
  }
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

// Nobody waits for the outcome any more when the load is over, and the request is written all the same.
TEST(Unplaced, a_publication_that_was_told_to_be_kept_is_in_a_row_once_the_load_is_over) {
  restart_without_the_table();
  kept_until_the_table_is_there(rig.publish("b1"));
  TEXT_EQUAL("initial", rig.kinds());
  TEXT_EQUAL("b1", rig.row().row().body);
  const Sent first = rig.last();
  rig.restart();
  TEXT_EQUAL("initial initial", rig.kinds());
  TEXT_EQUAL(first.wire(), rig.last().wire());
}

TEST(Unplaced, so_is_a_new_lifetime_of_one_that_has_a_row) {
  rig.live("e1", 600);
  restart_without_the_table();
  MonoMs wanted_end = rig.now + 7200 * kSecond;
  kept_until_the_table_is_there(rig.refresh(7200));
  TEXT_EQUAL("initial refresh", rig.kinds());
  LONGLONGS_EQUAL(to_epoch(wanted_end, rig.epoch_offset), rig.row().row().desired_expires);
}

TEST(Unplaced, so_is_one_whose_lifetime_has_ended_by_then) {
  rig.live("e1", 600);
  restart_without_the_table();
  kept_until_the_table_is_there(rig.refresh(3));
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGS_EQUAL(1, rig.row().row().desired_expires);   // after a kill the six hundred seconds of before do not come back
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

// --- subscriptions -------------------------------------------------------------------------------------------------

TEST_GROUP(UnplacedSubscriptions) {
  SubsRig rig;
};

TEST(UnplacedSubscriptions, what_was_asked_for_while_nothing_can_be_loaded_counts_until_it_is_in_a_row) {
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  rig.store->fail_finds = true;
  MonoMs first = rig.now;
  Call& c = rig.subscribe();
  rig.advance(100);
  rig.subscribe({.uri = "sip:carol@example.com"});
  LONGS_EQUAL(2, rig.engine->unplaced());
  rig.advance(kIdlePatience + kSecond);
  LONGS_EQUAL(503, c.status);
  CHECK(c.kept);
  TEXT_EQUAL("idle", rig.state());
  LONGS_EQUAL(2, rig.engine->unplaced());
  LONGLONGS_EQUAL(first, rig.engine->unplaced_since());
  rig.store->fail_loads = 0;
  rig.advance(60 * kSecond);   // the notifier is silent
  LONGS_EQUAL(0, rig.engine->unplaced());
  LONGLONGS_EQUAL(kNever, rig.engine->unplaced_since());
  LONGS_EQUAL(0, rig.behind->backlog());
  LONGS_EQUAL(2, rig.rows().size());
}

TEST(UnplacedSubscriptions, what_waits_behind_a_subscribe_counts_until_that_is_answered) {
  rig.subscribe();
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.engine->unplaced());
  MonoMs first = rig.now;
  rig.subscribe({.expires = 600});
  rig.advance(kSecond);
  rig.unsubscribe();   // replaces it
  LONGS_EQUAL(0, rig.behind->backlog());
  LONGS_EQUAL(1, rig.engine->unplaced());
  LONGLONGS_EQUAL(first, rig.engine->unplaced_since());
  rig.accept();
  LONGS_EQUAL(0, rig.engine->unplaced());
  LONGLONGS_EQUAL(kNever, rig.engine->unplaced_since());
  TEXT_EQUAL("initial remove", rig.kinds());
}

// The reply is still to come when a NOTIFY of the same dialog is taken.
TEST(UnplacedSubscriptions, a_notify_alone_lets_nothing_that_waits_take_effect) {
  rig.subscribe();
  rig.unsubscribe();
  rig.notify();
  LONGS_EQUAL(1, rig.engine->unplaced());
  rig.accept();
  LONGS_EQUAL(0, rig.engine->unplaced());
}

// Both kinds are counted, and the oldest of both.
TEST(UnplacedSubscriptions, those_of_publications_are_counted_with_them) {
  rig.subscribe();
  rig.publish("b1");
  rig.advance(kSecond);
  MonoMs first = rig.now;
  rig.unsubscribe();
  rig.advance(kSecond);
  rig.publish("b2");
  LONGS_EQUAL(2, rig.engine->unplaced());
  LONGLONGS_EQUAL(first, rig.engine->unplaced_since());
  rig.answer(rig.sent[0], {.expires = 3600, .to_tag = "n1", .contact = kNotifier});
  LONGS_EQUAL(1, rig.engine->unplaced());
  LONGLONGS_EQUAL(first + kSecond, rig.engine->unplaced_since());
}
