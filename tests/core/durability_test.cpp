// The promise of durability: what durable=1 means, what is committed before a request leaves, and that a store that is
// down, slow, or refuses single rows stops no SIP traffic.
//
//   owner          engine           store           server
//     |-- modify -->|-- intent ------>|               |
//     |             |<-- committed ---|               |
//     |             |-- PUBLISH ----------------------->|
//     |             |<-- 200 e2 -----------------------|
//     |             |-- row, e2 ------>|              |
//     |             |<-- committed ---|               |
//     |<- durable --|                 |               |
#include <string>
#include <vector>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Durability) {
  Rig rig;
  // The row's entity-tag on the disk; "": there is no row.
  std::string on_disk() {
    auto all = rig.rows();
    return all.empty() ? "" : std::string(all[0].row().etag);
  }
  // A record that was removed: the server has answered, and the delete of its row takes this long from 10 ms ago on.
  void deleting(MonoMs ms) {
    rig.live("e1");
    rig.store->delay_ms = ms;
    rig.remove();
    rig.advance(ms);
    rig.ok("", 0);
    rig.advance(10);
  }
};

TEST(Durability, a_completion_is_durable_and_comes_after_the_commit) {
  rig.store->delay_ms = 30;
  Call& c = rig.publish("b1");
  rig.ok("e1");
  LONGS_EQUAL(0, c.completed);
  rig.advance(29);
  LONGS_EQUAL(0, c.completed);
  rig.when_completed = [&](Call&) { TEXT_EQUAL("e1", on_disk()); };
  rig.advance(1);
  LONGS_EQUAL(1, c.completed);
  CHECK(c.durable);
  LONGS_EQUAL(0, rig.stats().completed_not_durable);
}

TEST(Durability, an_initial_publication_is_committed_in_parallel) {
  rig.store->delay_ms = 30;
  Call& c = rig.publish("b1");
  LONGS_EQUAL(1, rig.sent.size());  // the refresh did not wait for a commit
  LONGS_EQUAL(0, rig.rows().size());
  rig.advance(200);
  TEXT_EQUAL("b1", rig.row().row().body);
  LONGS_EQUAL(static_cast<int>(Op::Initial), rig.row().row().intent);
  LONGS_EQUAL(0, c.completed);
  rig.ok("e1");
  rig.advance(30);
  CHECK(c.durable);
  LONGS_EQUAL(0, rig.row().row().intent);
}

TEST(Durability, intent_and_result_of_an_initial_publication_that_fall_together_are_one_write) {
  rig.live("e1");
  LONGS_EQUAL(1, rig.store->batch_sizes.size());
  rig.advance(kSecond);
  LONGS_EQUAL(1, rig.store->batch_sizes.size());
}

TEST(Durability, a_modify_leaves_only_after_its_intent_was_committed) {
  rig.live("e1");
  rig.store->delay_ms = 30;
  rig.publish("b2", 900);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(29);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(1);
  TEXT_EQUAL("initial modify", rig.kinds());
  StoredRow row = rig.row();
  LONGS_EQUAL(static_cast<int>(Op::Modify), row.row().intent);
  TEXT_EQUAL("b2", row.row().body);
  TEXT_EQUAL("e1", row.row().etag);
  LONGS_EQUAL(rig.last().cseq, row.row().cseq);
  LONGLONGS_EQUAL(rig.last().expires, row.row().intent_expires);
}

// The state of an event without documents is in header fields: to change them is a modification.
TEST(Durability, a_change_of_headers_that_are_the_state_leaves_only_after_its_intent_was_committed) {
  rig.ask({.headers = "Call-Info: <x>;state=seized\r\n", .event = kCallInfo});
  rig.settle();
  rig.ok("e1", 600);
  rig.advance(500);
  rig.store->delay_ms = 30;
  rig.ask({.headers = "Call-Info: <x>;state=idle\r\n", .event = kCallInfo});
  rig.advance(29);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(1);
  LONGS_EQUAL(2, rig.sent.size());
  rig.restart();
  rig.advance(601 * kSecond);
  rig.reject(412);                       // the server had taken the modification, so that e1 is no more
  rig.advance(kSecond);
  TEXT_EQUAL("Call-Info: <x>;state=idle\r\n", rig.last().extra_headers);
}

TEST(Durability, a_removal_leaves_only_after_its_intent_was_committed) {
  rig.live("e1");
  rig.store->delay_ms = 30;
  rig.remove();
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(30);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGS_EQUAL(static_cast<int>(Op::Remove), rig.row().row().intent);
  LONGLONGS_EQUAL(1, rig.row().row().desired_expires);
}

TEST(Durability, a_refresh_needs_no_intent) {
  rig.live("e1");
  rig.store->delay_ms = 30;
  rig.refresh();
  TEXT_EQUAL("initial refresh", rig.kinds());
}

TEST(Durability, a_removal_is_durable_when_its_row_is_deleted) {
  rig.live("e1");
  rig.store->delay_ms = 30;
  Call& c = rig.remove();
  rig.advance(30);
  rig.ok("", 0);
  LONGS_EQUAL(0, c.completed);
  rig.when_completed = [&](Call&) { LONGS_EQUAL(0, rig.rows().size()); };
  rig.advance(30);
  LONGS_EQUAL(1, c.completed);
  CHECK(c.durable);
  TEXT_EQUAL("none", rig.state());
}

TEST(Durability, a_removal_of_what_has_ended_is_durable_when_its_row_is_deleted) {
  deleting(30);
  TEXT_EQUAL("e1", on_disk());
  Call& c = rig.remove();      // to answer "no record" would be wrong: after a SIGKILL now the row would be back
  rig.advance(19);
  LONGS_EQUAL(0, c.completed);
  rig.advance(1);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("Ended already", c.reason);
  CHECK(c.durable);
  LONGS_EQUAL(0, rig.rows().size());
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(static_cast<int>(Errc::no_record), static_cast<int>(rig.remove().code));
}

TEST(Durability, a_removal_of_what_has_ended_does_not_wait_for_a_store_that_is_down) {
  rig.live("e1");
  rig.store->down = true;
  CHECK_FALSE(rig.remove().durable);
  rig.settle();
  rig.advance(200);
  rig.ok("", 0);
  rig.settle();
  Call& c = rig.remove();
  rig.settle();
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(200, c.status);
  CHECK_FALSE(c.durable);
  TEXT_EQUAL("e1", on_disk());
  rig.store->down = false;
  rig.advance(60 * kSecond);
  LONGS_EQUAL(0, rig.rows().size());
  TEXT_EQUAL("initial remove", rig.kinds());
}

TEST(Durability, a_commit_slower_than_ack_wait_completes_without_durable) {
  rig.store->delay_ms = 400;
  Call& c = rig.publish("b1");
  rig.ok("e1");
  MonoMs replied = rig.now;
  rig.advance(99);
  LONGS_EQUAL(0, c.completed);
  rig.advance(1);
  LONGS_EQUAL(1, c.completed);
  LONGLONGS_EQUAL(replied + 100, c.at);
  LONGS_EQUAL(200, c.status);
  CHECK_FALSE(c.durable);
  LONGS_EQUAL(1, rig.stats().completed_not_durable);
  rig.advance(2 * kSecond);
  TEXT_EQUAL("e1", on_disk());  // the row came late, and the owner was not told a second time
  LONGS_EQUAL(1, c.completed);
}

TEST(Durability, an_intent_slower_than_ack_wait_holds_nothing_up) {
  rig.live("e1");
  rig.store->delay_ms = 400;
  rig.publish("b2");
  rig.advance(99);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(1);
  TEXT_EQUAL("initial modify", rig.kinds());
}

TEST(Durability, ack_wait_is_a_setting) {
  rig.settings.ack_wait_ms = 20;
  rig.boot();
  rig.store->delay_ms = 400;
  Call& c = rig.publish("b1");
  rig.ok("e1");
  rig.advance(20);
  LONGS_EQUAL(1, c.completed);
}

TEST(Durability, a_store_that_is_down_stops_no_sip) {
  rig.store->down = true;
  Call& c1 = rig.publish("b1");
  rig.ok("e1");
  rig.advance(100);
  LONGS_EQUAL(1, c1.completed);
  LONGS_EQUAL(200, c1.status);
  CHECK_FALSE(c1.durable);
  Call& c2 = rig.publish("b2");
  TEXT_EQUAL("initial modify", rig.kinds());  // the store is known to be down, so that no request waits for it
  rig.ok("e2");
  CHECK_FALSE(c2.durable);
  LONGS_EQUAL(1, c2.completed);
  Call& c3 = rig.remove();
  TEXT_EQUAL("initial modify remove", rig.kinds());
  rig.ok("", 0);
  LONGS_EQUAL(1, c3.completed);
  CHECK_FALSE(c3.durable);
  LONGS_EQUAL(3, rig.stats().completed_not_durable);
}

TEST(Durability, what_a_store_missed_is_written_when_it_is_back) {
  rig.store->down = true;
  rig.live("e1");
  rig.publish("b2");
  rig.ok("e2");
  rig.advance(10 * kSecond);
  rig.store->down = false;
  rig.advance(30 * kSecond);
  TEXT_EQUAL("e2", on_disk());
  TEXT_EQUAL("b2", rig.row().row().body);
  CHECK(rig.behind->clean());
  Call& c = rig.publish("b3");
  rig.ok("e3");
  CHECK(c.durable);  // and completions are durable again
}

TEST(Durability, a_record_removed_while_the_store_was_down_is_not_resurrected) {
  rig.live("e1");
  rig.store->down = true;
  rig.remove();
  rig.advance(100);
  rig.ok("", 0);
  rig.advance(5 * kSecond);
  rig.store->down = false;
  rig.advance(40 * kSecond);
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(0, rig.engine->records());
}

TEST(Durability, a_failed_write_is_never_reported_durable) {
  rig.store->lose_acks = 1;  // the row was committed, but the store said that it was not
  Call& c = rig.publish("b1");
  rig.ok("e1");
  rig.advance(kSecond);
  LONGS_EQUAL(1, c.completed);
  CHECK_FALSE(c.durable);
}

TEST(Durability, one_bad_row_makes_no_other_completion_less_durable) {
  rig.store->bad_row = [](const Row& r) { return r.pres_uri == "sip:bad@example.com"; };
  Call& bad = rig.ask({.uri = "sip:bad@example.com", .body = "b"});
  rig.settle();
  rig.ok("e0");
  rig.advance(100);
  LONGS_EQUAL(1, bad.completed);
  CHECK_FALSE(bad.durable);
  Call& good = rig.live("e1");
  CHECK(good.durable);
  rig.store->delay_ms = 30;
  rig.publish("b2");
  LONGS_EQUAL(2, rig.sent.size());  // ... nor did a modification leave before its intent was committed
  rig.advance(30);
  LONGS_EQUAL(3, rig.sent.size());
}

TEST(Durability, rows_nobody_waits_for_are_written_within_200_ms) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 600);
  rig.advance(480 * kSecond);
  rig.ok("e2", 600);
  TEXT_EQUAL("e1", on_disk());
  rig.advance(200);
  TEXT_EQUAL("e2", on_disk());
}

TEST(Durability, a_superseded_caller_is_durable_with_the_one_that_replaced_it) {
  rig.publish("b1");
  Call& c2 = rig.publish("b2");
  Call& c3 = rig.publish("b3");
  rig.ok("e1");
  rig.ok("e2");
  CHECK(c2.durable && c2.superseded);
  CHECK(c3.durable);
  TEXT_EQUAL("b3", rig.row().row().body);
}

TEST(Durability, a_publication_that_never_reached_the_disk_leaves_no_row) {
  rig.publish("b1");
  rig.reject(415);
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(Durability, a_key_published_again_while_its_row_is_being_deleted_keeps_the_new_row) {
  deleting(50);
  Call& c = rig.publish("b2");
  rig.ok("e2");
  rig.advance(kSecond);
  CHECK(c.durable);
  LONGS_EQUAL(1, rig.rows().size());
  TEXT_EQUAL("b2", rig.row().row().body);
  TEXT_EQUAL("e2", rig.row().row().etag);
  rig.restart();
  TEXT_EQUAL("live", rig.state());
}

TEST(Durability, the_row_holds_all_that_full_recovery_needs) {
  rig.settings.sharing_tag = "vip";
  rig.boot();
  rig.ask({.expires = 600, .body = "b1", .id = "phone", .content_type = "text/plain", .headers = "X-A: 1\r\n",
           .proxy = "sip:10.0.0.1"});
  rig.settle();
  rig.ok("e1", 500);
  StoredRow stored = rig.row();
  const Row& r = stored.row();
  LONGS_EQUAL(64, r.flag);
  LONGS_EQUAL(kPresence, r.event);
  TEXT_EQUAL(kAlice, r.pres_uri);
  TEXT_EQUAL("phone", r.pres_id);
  TEXT_EQUAL("e1", r.etag);
  TEXT_EQUAL("b1", r.body);
  TEXT_EQUAL("text/plain", r.content_type);
  TEXT_EQUAL("X-A: 1\r\n", r.extra_headers);
  TEXT_EQUAL("sip:10.0.0.1", r.outbound_proxy);
  TEXT_EQUAL("vip", r.sharing_tag);
  TEXT_EQUAL(rig.last().call_id, r.call_id);
  TEXT_EQUAL(rig.last().from_tag, r.from_tag);
  LONGS_EQUAL(1, r.cseq);
  LONGLONGS_EQUAL((rig.last().at + rig.epoch_offset) / 1000 + 500, r.expires);
  LONGLONGS_EQUAL((rig.last().at + rig.epoch_offset) / 1000 + 600, r.desired_expires);
  LONGS_EQUAL(0, r.intent);
}

TEST(Durability, for_ever_is_0_in_the_row) {
  rig.live("e1", 600);
  rig.refresh(kForEver);
  rig.ok("e2");
  LONGLONGS_EQUAL(0, rig.row().row().desired_expires);
}

TEST(Durability, after_the_table_was_away_every_row_is_written_again) {
  SubsRig both;
  for (int n = 0; n < 600; n++) {   // more than one run looks at
    both.Rig::ask({.uri = "sip:u" + std::to_string(n) + "@example.com", .expires = 600, .body = "b1"});
    both.settle();
    both.ok("e" + std::to_string(n), 600);
  }
  both.live();
  LONGS_EQUAL(601, both.rows().size());
  both.disk.clear();
  both.store->down = both.store->table_lost = true;
  both.Rig::ask({.uri = "sip:u0@example.com", .expires = 0});
  both.settle();
  both.advance(200);   // the intent cannot be committed
  both.ok("e0", 0);
  both.advance(1000);
  LONGS_EQUAL(0, both.disk.rows());
  both.store->down = false;
  both.advance(60000);
  LONGS_EQUAL(600, both.disk.rows());
  CHECK(both.logged(LogLevel::warning, "all 600 records are written again"));
}

TEST(Durability, nothing_ends_before_what_the_table_lost_was_marked) {
  for (int n = 0; n < 600; n++) {   // more than one run looks at
    rig.ask({.uri = "sip:u" + std::to_string(n) + "@example.com", .expires = 600, .body = "b1"});
    rig.settle();
    rig.ok("e" + std::to_string(n), 600);
  }
  rig.advance(kSecond);
  CHECK(rig.engine->quiet());
  static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
  rig.engine->run(rig.now);
  CHECK(rig.engine->rewriting());
  CHECK_FALSE(rig.engine->quiet());
  rig.advance(kSecond);
  CHECK_FALSE(rig.engine->rewriting());
  CHECK(rig.engine->quiet());
}
