// Restarts: what comes back from the table, and what then goes out.
//
//   engine                         server
//     |-- PUBLISH ------------------>|
//     |<-- 200 e1 -------------------|
//     X  SIGKILL
//     |  rows are read
//     |-- PUBLISH, SIP-If-Match e1 ->|    the same publication goes on
#include <set>
#include <string>
#include <vector>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Restart) {
  Rig rig;
};

TEST(Restart, the_publication_goes_on_with_the_same_entity_tag_and_no_second_initial) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 600);
  rig.restart();
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(1, rig.sent.size());
  TEXT_EQUAL("e1", rig.record()->etag());
  rig.advance(600 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  CHECK(rig.last().at < rig.sent[0].at + 600 * kSecond);
}

TEST(Restart, everything_of_the_request_comes_back) {
  rig.ask({.expires = 6000, .body = "b1", .id = "phone", .content_type = "text/plain", .headers = "X-A: 1\r\n",
           .proxy = "sip:10.0.0.1"});
  rig.settle();
  Sent before = rig.last();
  rig.ok("e1", 600);
  rig.restart();
  rig.ask({.id = "phone", .proxy = "sip:10.0.0.1"});   // each request names its way, or none
  rig.settle();
  rig.reject(412);
  const Sent& s = rig.last();
  TEXT_EQUAL("initial", s.kind());
  TEXT_EQUAL(before.body, s.body);
  TEXT_EQUAL(before.content_type, s.content_type);
  TEXT_EQUAL(before.extra_headers, s.extra_headers);
  TEXT_EQUAL(before.proxy, s.proxy);
}

TEST(Restart, after_a_restart_the_412_of_a_restarted_server_gets_full_state) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 600);
  rig.restart();
  rig.advance(600 * kSecond);
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("b1", rig.last().body);
}

TEST(Restart, the_wanted_end_is_kept) {
  MonoMs began = rig.now;
  rig.live("e1", 100);
  rig.restart();
  rig.advance(200 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  CHECK(rig.last().at >= began + 100 * kSecond);  // rows hold whole seconds, rounded up
  CHECK(rig.last().at < began + 102 * kSecond);
}

TEST(Restart, a_wanted_end_that_passed_meanwhile_withdraws) {
  rig.live("e1", 100);
  rig.kill();
  rig.now += 101 * kSecond;
  rig.boot();
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(Restart, expired_rows_are_dropped_and_deleted) {
  rig.live("e1", 100);
  rig.kill();
  rig.now += 1000 * kSecond;
  rig.boot();
  rig.advance(kSecond);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(1, rig.sent.size());
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(1, rig.stats().load_expired);
}

TEST(Restart, one_for_ever_whose_grant_has_ended_is_refreshed_soon) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 600);
  rig.kill();
  rig.now += 5000 * kSecond;
  rig.boot();
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
}

// --- the intent --------------------------------------------------------------------------------------------------

TEST(Restart, a_modify_that_may_have_been_out_is_repeated_to_the_octet) {
  rig.ask({.body = "b1", .headers = "X-A: 1\r\n", .proxy = "sip:10.0.0.1"});
  rig.settle();
  rig.ok("e1");
  rig.publish("b2", 900);
  Sent out = rig.last();
  rig.restart();
  TEXT_EQUAL("initial modify modify", rig.kinds());
  TEXT_EQUAL(out.wire(), rig.last().wire());
  rig.ok("e2");
  TEXT_EQUAL("live", rig.state());
  rig.advance(200);
  TEXT_EQUAL("e2", rig.row().row().etag);
}

TEST(Restart, an_initial_publication_that_may_have_been_out_is_repeated_to_the_octet) {
  rig.publish("b1");
  rig.advance(200);  // its intent was written
  Sent out = rig.last();
  rig.restart();
  TEXT_EQUAL("initial initial", rig.kinds());
  TEXT_EQUAL(out.wire(), rig.last().wire());
}

TEST(Restart, a_removal_that_may_have_been_out_is_repeated_to_the_octet) {
  rig.live("e1");
  rig.remove();
  Sent out = rig.last();
  rig.restart();
  TEXT_EQUAL("initial remove remove", rig.kinds());
  TEXT_EQUAL(out.wire(), rig.last().wire());
  rig.reject(412);  // the first one had arrived: success
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(Restart, the_next_request_after_a_repeated_one_is_another_call) {
  rig.live("e1");
  rig.publish("b2");
  rig.restart();
  Sent replay = rig.last();
  rig.ok("e2");
  rig.publish("b3");
  CHECK(replay.call_id != rig.last().call_id);
  LONGS_EQUAL(1, rig.last().cseq);
}

TEST(Restart, a_commit_under_way_when_it_was_killed_may_be_there_or_not) {
  for (bool committed : {false, true}) {
    Rig other;
    other.live("e1");
    other.store->delay_ms = 30;
    other.publish("b2");  // the intent is under way, nothing has left
    other.kill(committed);
    other.boot();
    other.advance(100);
    TEXT_EQUAL(committed ? "initial modify" : "initial", other.kinds());
    TEXT_EQUAL(committed ? "b2" : "b1", other.record()->body());
  }
}

TEST(Restart, a_request_after_the_restart_replaces_the_stored_intent) {
  rig.live("e1");
  rig.publish("b2");
  Sent old = rig.last();
  rig.settings.max_in_flight = 0;  // nothing leaves yet
  rig.restart();
  rig.publish("b3");
  rig.settings.max_in_flight = 10;
  rig.engine->reconfigure(rig.settings);
  rig.settle();
  TEXT_EQUAL("b3", rig.last().body);
  CHECK(old.call_id != rig.last().call_id);
}

// --- while loading -----------------------------------------------------------------------------------------------

TEST(Restart, a_request_that_comes_before_its_row_waits_for_it) {
  rig.live("e1");
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  CHECK(rig.engine->loading());
  Call& modify = rig.publish("b2");
  LONGS_EQUAL(0, static_cast<int>(modify.code));
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(200);
  TEXT_EQUAL("initial modify", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  TEXT_EQUAL("b2", rig.last().body);
  rig.ok("e2");
  rig.advance(100);
  LONGS_EQUAL(200, modify.status);
  LONGS_EQUAL(1, rig.rows().size());
}

TEST(Restart, a_removal_that_comes_before_its_row_removes_it) {
  rig.live("e1");
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  Call& c = rig.remove();
  rig.advance(200);
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("", 0);
  rig.advance(200);
  LONGS_EQUAL(200, c.status);
  LONGS_EQUAL(0, rig.rows().size());
}

// The first removal was answered as durable. The second one, which waits for the row, must not undo that.
TEST(Restart, a_removal_that_comes_before_the_row_of_a_removed_one_does_not_bring_it_back) {
  rig.live("e1");
  rig.advance(500);
  Call& removal = rig.remove();
  rig.answer({.status = 503, .retry_after = 30});
  rig.advance(500);
  CHECK(removal.durable);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  rig.remove();
  for (int ms = 0; ms < 200 && rig.state() == "idle"; ms++) rig.advance(1);
  TEXT_EQUAL("intent", rig.state());
  Call& refresh = rig.refresh(400);
  LONGS_EQUAL(static_cast<int>(Errc::no_body), static_cast<int>(refresh.code));
  rig.advance(500);
  rig.kill();
  LONGS_EQUAL(1, rig.row().row().desired_expires);
}

TEST(Restart, a_refresh_does_not_undo_a_removal_that_was_told_to_be_kept_while_nothing_can_be_loaded) {
  rig.live("e1");
  rig.advance(500);
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  rig.store->fail_finds = true;
  Call& removal = rig.remove();
  rig.advance(kIdlePatience + 1000);
  LONGS_EQUAL(503, removal.status);
  LONGS_EQUAL(static_cast<int>(Errc::no_body), static_cast<int>(rig.refresh(400).code));
  rig.store->fail_loads = 0;
  rig.advance(60 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
}

// The owner is told that its request is kept, and a moment later the load ends without a row: nothing is kept after all.
TEST(Restart, a_refresh_that_was_just_told_to_be_kept_is_not_durable_where_no_row_comes) {
  rig.kill();
  rig.load_delay_ms = kIdlePatience + 50;
  rig.boot();
  rig.store->fail_finds = true;
  Call& refresh = rig.ask({.expires = 400});
  rig.advance(10 * kSecond);
  LONGS_EQUAL(503, refresh.status);
  CHECK_FALSE(refresh.durable);
  LONGS_EQUAL(0, rig.engine->records());
}

TEST(Restart, headers_of_a_refresh_that_comes_before_its_row_are_the_new_ones) {
  rig.ask({.body = "b1", .headers = "X-A: old\r\n"});
  rig.settle();
  rig.ok("e1", 600);
  rig.advance(500);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  rig.ask({.headers = "X-A: new\r\n"});
  rig.advance(200);
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL("X-A: new\r\n", rig.last().extra_headers);
}

// The state is in header fields: after a 412 they must be sent again.
TEST(Restart, a_refresh_that_comes_before_its_row_keeps_the_state_of_an_event_without_a_document) {
  const char* state = "Call-Info: <x>;appearance-index=1\r\n";
  rig.ask({.headers = state, .event = kCallInfo});
  rig.settle();
  rig.ok("e1", 600);
  rig.advance(500);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  Call& c = rig.ask({.expires = 7200, .event = kCallInfo});
  rig.advance(200);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.reject(412);
  rig.advance(200);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL(state, rig.last().extra_headers);
  rig.ok("e2", 600);
  rig.advance(500);
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL(state, rig.row().row().extra_headers);
}

TEST(Restart, requests_whose_row_never_comes_are_new_or_are_told) {
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  Call& fresh = rig.ask({.uri = "sip:a@example.com", .body = "b"});
  Call& bodyless = rig.ask({.uri = "sip:b@example.com"});
  Call& removal = rig.ask({.uri = "sip:c@example.com", .expires = 0});
  Call& tagged = rig.ask({.uri = "sip:d@example.com", .body = "b", .etag = "e7"});
  rig.advance(500);
  TEXT_EQUAL("initial", rig.kinds());
  TEXT_EQUAL("sip:a@example.com", rig.last().uri);
  rig.ok("e1");
  rig.advance(100);
  LONGS_EQUAL(200, fresh.status);
  LONGS_EQUAL(404, bodyless.status);
  LONGS_EQUAL(1, removal.completed);
  LONGS_EQUAL(static_cast<int>(Errc::loading), static_cast<int>(tagged.code));  // nothing to compare it with yet
  LONGS_EQUAL(1, rig.engine->records());
}

TEST(Restart, a_load_that_does_not_end_does_not_keep_an_owner_waiting) {
  rig.live("e1");
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  rig.store->fail_finds = true;
  Call& c = rig.publish("b2");
  rig.advance(kIdlePatience - 100);
  LONGS_EQUAL(0, c.completed);
  rig.advance(200);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(503, c.status);
  CHECK_FALSE(c.durable);
  rig.store->fail_loads = 0;  // the table can be read after all, and the request goes out
  rig.advance(60 * kSecond);
  TEXT_EQUAL("initial modify", rig.kinds());
  TEXT_EQUAL("b2", rig.last().body);
}

//  owner                  engine                 store
//    |-- publish ----------->|-- find its row ------>|   the load may go on for long
//    |                       |<-- the row -----------|
//    |                       |-- modify, If-Match ---> at once
TEST(Restart, a_request_during_a_long_load_goes_on_with_its_row_at_once) {
  rig.live("e1");
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  Call& c = rig.publish("b2");
  rig.settle();
  CHECK(rig.engine->loading());
  TEXT_EQUAL("initial modify", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("e2");
  rig.advance(100);
  LONGS_EQUAL(200, c.status);
  CHECK(c.durable);
}

TEST(Restart, a_new_request_during_a_long_load_goes_out_at_once_with_an_id_of_its_own) {
  rig.live("e1");
  int64_t taken = rig.row().row().id;
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  Call& c = rig.ask({.uri = "sip:new@example.com", .body = "b"});
  rig.settle();
  TEXT_EQUAL("sip:new@example.com", rig.last().uri);
  rig.ok("n1");
  rig.advance(100);
  LONGS_EQUAL(200, c.status);
  LONGS_EQUAL(2, rig.rows().size());
  LONGLONGS_EQUAL(taken + 1, rig.rows()[1].row().id);
  rig.store->fail_loads = 0;
  rig.advance(60 * kSecond);
  LONGS_EQUAL(2, rig.engine->records());   // its own row, which the load finds too, makes no second record
}

TEST(Restart, what_was_removed_during_the_load_is_not_brought_back_by_a_page_that_was_read_before) {
  rig.live("e1");
  StoredRow old = rig.row();
  rig.kill();
  rig.loads_to_fail = 1000000;
  rig.boot();
  rig.remove();
  rig.settle();
  rig.ok("", 0);
  rig.advance(1000);
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(0, rig.engine->records());
  CHECK(rig.engine->loading());
  rig.engine->on_page(std::span(&old.row(), 1), true, {}, rig.now);
  LONGS_EQUAL(0, rig.engine->records());
  CHECK_FALSE(rig.engine->loading());
}

TEST(Restart, a_document_that_comes_before_its_row_counts_on_from_it) {
  rig.live("e1");
  uint32_t before = rig.record()->doc_version;
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  rig.publish("b2");
  rig.advance(200);
  CHECK(rig.record()->doc_version > before);
}

TEST(Restart, a_load_that_fails_is_tried_again_and_requests_are_taken_meanwhile) {
  rig.live("e1");
  rig.kill();
  rig.loads_to_fail = 3;
  rig.boot();
  rig.advance(50);
  CHECK(rig.engine->loading());
  CHECK(rig.logged(LogLevel::error, "load"));
  rig.advance(5 * kSecond);
  CHECK_FALSE(rig.engine->loading());
  TEXT_EQUAL("live", rig.state());
}

TEST(Restart, rows_are_read_in_pages) {
  rig.settings.load_page = 3;
  for (int i = 0; i < 10; i++) {
    rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i));
  }
  rig.restart();
  LONGS_EQUAL(10, rig.engine->records());
  LONGS_EQUAL(10, rig.stats().loaded);
  CHECK(rig.store->loads >= 4);
  LONGS_EQUAL(10, rig.sent.size());
}

TEST(Restart, new_records_get_ids_above_all_that_were_loaded) {
  rig.live("e1");
  int64_t first = rig.row().row().id;
  rig.restart();
  rig.ask({.uri = "sip:bob@example.com", .body = "b"});
  rig.settle();
  rig.ok("e2");
  auto all = rig.rows();
  LONGS_EQUAL(2, all.size());
  CHECK(all[1].row().id > first);
}

// SQLite's journal may have lines of removed rows, whose versions are later than that of a new row.
TEST(Restart, new_records_get_ids_above_all_that_something_is_left_of) {
  int64_t left_over = rig.epoch_offset + rig.now + 1000 * kSecond;
  for (bool while_loading : {false, true}) {
    Rig r;
    r.left_over = left_over;
    r.load_delay_ms = while_loading ? 50 : 0;
    r.restart();
    r.ask({.uri = "sip:bob@example.com", .body = "b"});
    r.settle();
    r.advance(kSecond);
    r.ok("e2");
    CHECK(r.row().row().id > left_over);
  }
}

TEST(Restart, refreshes_are_spread_so_that_they_do_not_fire_at_once) {
  const int n = 300;
  for (int i = 0; i < n; i++) {
    rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .expires = kForEver, .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i), 3600);
  }
  rig.kill();
  rig.now += 3500 * kSecond;  // all of them are due
  rig.boot();
  LONGS_EQUAL(n, rig.engine->records());
  int most = 0, total = 0;
  for (int second = 0; second < 100; second++) {
    size_t before = rig.sent.size();
    rig.advance(kSecond);
    int now = static_cast<int>(rig.sent.size() - before);
    most = std::max(most, now);
    total += now;
  }
  LONGS_EQUAL(n, total);  // each was refreshed once, before its grant ended
  CHECK(most < n / 10);
}

TEST(Restart, what_the_server_has_lost_meanwhile_comes_back_at_a_bounded_rate) {
  const int n = 400;
  for (int i = 0; i < n; i++) {
    rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .expires = kForEver, .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i), 600);
  }
  rig.kill();
  rig.now += 5000 * kSecond;  // every grant has ended
  rig.boot();
  rig.advance(100);
  CHECK(rig.sent.size() < static_cast<size_t>(n + n * 3 / 4));
  rig.advance(400);
  LONGS_EQUAL(2 * n, rig.sent.size());
}

TEST(Restart, a_restart_sends_nothing_that_is_not_due) {
  for (int i = 0; i < 50; i++) {
    rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .expires = kForEver, .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i), 3600);
  }
  rig.restart();
  rig.advance(60 * kSecond);
  LONGS_EQUAL(50, rig.sent.size());
}

// --- rows that are odd -------------------------------------------------------------------------------------------

TEST(Restart, rows_of_an_event_not_registered_yet_are_parked_and_loaded_later) {
  rig.ask({.body = "d", .event = kDialog});
  rig.settle();
  rig.ok("e1", 600);
  rig.live("e2");
  EventInfo dialog = rig.events[kDialog];
  rig.events.erase(kDialog);
  rig.restart();
  LONGS_EQUAL(1, rig.engine->records());
  LONGS_EQUAL(1, rig.stats().parked);
  LONGS_EQUAL(2, rig.rows().size());  // kept
  CHECK(rig.logged(LogLevel::notice, "kept aside"));
  rig.events[kDialog] = dialog;
  rig.engine->event_added(kDialog);
  rig.settle();
  LONGS_EQUAL(0, rig.stats().parked);
  LONGS_EQUAL(2, rig.engine->records());
  rig.advance(600 * kSecond);
  TEXT_EQUAL("e1", rig.last().if_match);
  TEXT_EQUAL("dialog", rig.last().event);
}

TEST(Restart, an_event_added_without_parked_rows_reads_nothing) {
  rig.live("e1");
  rig.restart();
  int loads = rig.store->loads;
  rig.engine->event_added(kDialog);
  rig.settle();
  LONGS_EQUAL(loads, rig.store->loads);
}

// A delete of the first one may still be on its way to the table.
TEST(Restart, the_id_of_a_row_that_is_gone_is_not_given_again) {
  rig.live();
  int64_t id = rig.row().row().id;
  rig.remove();
  rig.ok("", 0);
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.rows().size());
  rig.restart();
  rig.live();
  CHECK(rig.row().row().id > id);
}

TEST(Restart, a_step_of_the_wall_clock_by_an_hour_between_two_runs_disturbs_no_deadline_of_this_run) {
  rig.live("e1", 600);
  MonoMs end = rig.sent[0].at + 600 * kSecond;
  rig.epoch_offset += 3600000;  // the offset counts for rows alone
  rig.engine->set_epoch_offset(rig.epoch_offset);
  rig.advance(end - rig.now - 1);
  TEXT_EQUAL("initial", rig.kinds());
  rig.advance(1);
  TEXT_EQUAL("initial remove", rig.kinds());
}

// The log says what was in the table, not what owners asked for while it was read.
TEST(Restart, the_load_counts_what_came_from_the_table) {
  rig.live("e1");
  rig.kill();
  rig.load_delay_ms = 2 * kSecond;
  rig.boot();
  rig.ask({.uri = "sip:new@example.com", .body = "b"});
  rig.advance(3 * kSecond);
  CHECK(rig.logged(LogLevel::notice, "load: 1 publications, 0 subscriptions"));
}
