// The order rules: what happens when requests meet each other, and what a call is refused for.
//
//   owners           engine              server
//     |--- b1 ------->|--- PUBLISH b1 ---->|
//     |--- b2 ------->|                    |   waits: one in flight
//     |--- b3 ------->|                    |   replaces b2, whose caller is told at the end
//     |<-- b1 200 ----|<-- 200 e1 ---------|
//     |               |--- PUBLISH e1 b3 ->|
//     |<-- b2 200 s --|<-- 200 e2 ---------|   s: superseded
//     |<-- b3 200 ----|                    |
#include <string>
#include <vector>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Order) {
  Rig rig;
  void refused(Errc want, const Ask& a) {
    int completions = rig.completions;
    size_t requests = rig.sent.size();
    Call& c = rig.ask(a);
    LONGS_EQUAL(static_cast<int>(want), static_cast<int>(c.code));
    CHECK_FALSE(c.message.empty());
    rig.advance(kSecond);
    LONGS_EQUAL(requests, rig.sent.size());
    LONGS_EQUAL(completions, rig.completions);
  }
};

TEST(Order, one_request_is_in_flight_per_record) {
  rig.publish("b1");
  rig.publish("b2");
  rig.remove();
  rig.publish("b3");
  LONGS_EQUAL(1, rig.sent.size());
  rig.ok("e1");
  LONGS_EQUAL(2, rig.sent.size());
  rig.ok("e2");
  LONGS_EQUAL(2, rig.sent.size());
}

TEST(Order, records_do_not_wait_for_each_other) {
  rig.several_ids = true;
  rig.ask({.body = "b"});
  rig.ask({.body = "b", .id = "phone"});
  rig.ask({.body = "b", .event = kDialog});
  rig.ask({.body = "b", .source = 1});
  rig.ask({.uri = "sip:bob@example.com", .body = "b"});
  rig.settle();
  LONGS_EQUAL(5, rig.sent.size());
  LONGS_EQUAL(5, rig.engine->records());
}

TEST(Order, the_newest_waiting_replaces_those_before_it_and_they_are_completed_superseded) {
  Call& c1 = rig.publish("b1");
  Call& c2 = rig.publish("b2");
  Call& c3 = rig.publish("b3");
  Call& c4 = rig.publish("b4");
  rig.ok("e1");
  LONGS_EQUAL(1, c1.completed);
  CHECK_FALSE(c1.superseded);
  TEXT_EQUAL("e1", c1.etag);
  LONGS_EQUAL(0, c2.completed + c3.completed + c4.completed);
  TEXT_EQUAL("initial modify", rig.kinds());
  TEXT_EQUAL("b4", rig.last().body);
  rig.ok("e2");
  for (Call* c : {&c2, &c3, &c4}) {
    LONGS_EQUAL(1, c->completed);
    LONGS_EQUAL(200, c->status);
    TEXT_EQUAL("e2", c->etag);  // the outcome of the one that replaced them
    CHECK_EQUAL(c != &c4, c->superseded);
  }
  CHECK(c2.order < c3.order && c3.order < c4.order);
  LONGS_EQUAL(2, rig.stats().superseded);
}

TEST(Order, a_request_that_has_not_left_yet_is_replaced_as_well) {
  rig.settings.max_in_flight = 1;
  rig.boot();
  rig.ask({.uri = "sip:bob@example.com", .body = "b"});
  rig.settle();
  Call& c1 = rig.publish("b1");
  Call& c2 = rig.publish("b2");
  rig.answer(rig.sent[0], {.etag = "e1", .expires = 60});
  TEXT_EQUAL("b2", rig.last().body);
  rig.ok("e2");
  CHECK(c1.superseded);
  CHECK_FALSE(c2.superseded);
  LONGS_EQUAL(2, rig.sent.size());
}

TEST(Order, a_waiting_request_goes_out_whatever_became_of_the_one_before_it) {
  for (int status : {500, 404, 401, 412, 415, 302}) {
    Rig other;
    Call& c1 = other.publish("b1");
    Call& c2 = other.publish("b2");
    other.reject(status);
    LONGS_EQUAL(1, c1.completed);
    LONGS_EQUAL(status, c1.status);
    LONGS_EQUAL(2, other.sent.size());
    TEXT_EQUAL("b2", other.last().body);
    TEXT_EQUAL("initial initial", other.kinds());
    other.ok("e1");
    LONGS_EQUAL(200, c2.status);
  }
}

TEST(Order, a_waiting_request_takes_the_place_of_the_full_publication_after_a_412) {
  rig.live("e1");
  Call& c1 = rig.refresh();
  Call& c2 = rig.publish("b2");
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("b2", rig.last().body);
  rig.ok("e2");
  CHECK(c1.superseded);
  CHECK_FALSE(c2.superseded);
}

TEST(Order, a_publish_after_a_waiting_removal_replaces_it_and_goes_out_as_a_modify) {
  rig.live("e1");
  rig.publish("b2");
  Call& removal = rig.remove();
  Call& again = rig.publish("b3");
  rig.ok("e2");
  TEXT_EQUAL("initial modify modify", rig.kinds());
  TEXT_EQUAL("e2", rig.last().if_match);
  TEXT_EQUAL("b3", rig.last().body);
  rig.ok("e3");
  LONGS_EQUAL(200, removal.status);
  CHECK(removal.superseded);
  CHECK_FALSE(again.superseded);
  TEXT_EQUAL("live", rig.state());
}

TEST(Order, a_publish_while_the_removal_is_out_goes_out_after_it_as_a_new_one) {
  rig.live("e1");
  Call& removal = rig.remove();
  Call& again = rig.publish("b2");
  rig.ok("", 0);
  LONGS_EQUAL(1, removal.completed);
  CHECK_FALSE(removal.superseded);
  TEXT_EQUAL("initial remove initial", rig.kinds());
  TEXT_EQUAL("b2", rig.last().body);
  rig.ok("e2");
  TEXT_EQUAL("e2", again.etag);
  rig.advance(kSecond);
  LONGS_EQUAL(1, rig.rows().size());
  TEXT_EQUAL("e2", rig.row().row().etag);
}

TEST(Order, a_publish_after_a_removal_that_failed_goes_out_as_a_modify) {
  rig.live("e1");
  rig.remove();
  rig.reject(503);
  rig.publish("b2");
  TEXT_EQUAL("initial remove modify", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(Order, a_waiting_removal_goes_out_as_one) {
  rig.publish("b1");
  Call& removal = rig.remove();
  rig.ok("e1");
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("", 0);
  LONGS_EQUAL(200, removal.status);
}

TEST(Order, a_removal_that_waits_behind_a_failed_initial_publication_has_nothing_to_remove) {
  rig.publish("b1");
  Call& removal = rig.remove();
  rig.reject(503);
  LONGS_EQUAL(1, removal.completed);
  LONGS_EQUAL(200, removal.status);
  CHECK(removal.origin == ReplyOrigin::Local);
  rig.advance(kSecond);
  TEXT_EQUAL("none", rig.state());
  rig.advance(7200 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
}

TEST(Order, a_removal_asked_for_twice_is_sent_once_and_answers_both) {
  rig.live("e1");
  Call& r1 = rig.remove();
  Call& r2 = rig.remove();
  rig.ok("", 0);
  LONGS_EQUAL(200, r1.status);
  LONGS_EQUAL(200, r2.status);
  TEXT_EQUAL("initial remove", rig.kinds());
}

TEST(Order, a_refresh_after_a_waiting_modify_still_carries_its_body) {
  rig.publish("b1");
  rig.publish("b2");
  rig.refresh(1200);
  rig.ok("e1");
  TEXT_EQUAL("b2", rig.last().body);
  LONGLONGS_EQUAL(1200, rig.last().expires);
}

TEST(Order, a_refresh_without_a_body_does_not_revive_what_is_being_removed) {
  rig.live("e1");
  rig.remove();
  refused(Errc::no_body, {});
  rig.ok("", 0);
  refused(Errc::no_body, {});
}

TEST(Order, a_refresh_that_waits_behind_one_that_was_refused_for_good_is_told_so) {
  rig.live("e1");
  rig.publish("b2");
  Call& c = rig.refresh();
  rig.reject(415);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(412, c.status);
  CHECK(c.origin == ReplyOrigin::Local);
  TEXT_EQUAL("initial modify remove", rig.kinds());
}

//   owner              engine               server
//     |-- publish, 10 s ->|-- PUBLISH -------->|
//     |-- refresh, 600 s->|  accepted after 9 s, and waits
//     |<-- 200 -----------|<-- 200 after 12 s -|
//     |                   |-- PUBLISH, e1 ---->|   the ten seconds are over, and do not count any more
TEST(Order, a_longer_lifetime_that_was_accepted_in_time_goes_on_though_the_first_one_ended_meanwhile) {
  Call& first = rig.publish("b1", 10);
  rig.advance(9 * kSecond);
  MonoMs end = rig.now + 600 * kSecond;
  Call& longer = rig.refresh(600);
  rig.advance(3 * kSecond);
  rig.ok("e1", 10);
  LONGS_EQUAL(200, first.status);
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  LONGLONGS_EQUAL(597, rig.last().expires);
  rig.ok("e2");
  LONGS_EQUAL(200, longer.status);
  TEXT_EQUAL("live", rig.state());
  LONGLONGS_EQUAL(end, rig.record()->m->wanted_end);
}

// Nothing stands at the server, or nobody knows what it is called there; the body is at hand.
TEST(Order, so_it_does_where_the_server_lost_the_state_or_names_no_entity_tag) {
  rig.live("e1", 10);
  rig.advance(5 * kSecond);
  rig.refresh(10);
  rig.advance(5 * kSecond);
  Call& longer = rig.refresh(600);
  rig.advance(6 * kSecond);
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("b1", rig.last().body);
  LONGLONGS_EQUAL(594, rig.last().expires);
  rig.ok("e2");
  LONGS_EQUAL(200, longer.status);

  Rig other;
  other.publish("b1", 10);
  Call& more = other.refresh(600);
  other.advance(12 * kSecond);
  other.ok("", 10);
  TEXT_EQUAL("initial initial", other.kinds());
  TEXT_EQUAL("b1", other.last().body);
  other.ok("e1");
  LONGS_EQUAL(200, more.status);
}

TEST(Order, a_longer_lifetime_that_has_ended_as_well_is_over) {
  rig.publish("b1", 10);
  Call& longer = rig.refresh(11);
  rig.advance(12 * kSecond);
  rig.ok("e1", 10);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGS_EQUAL(412, longer.status);
  rig.ok("", 0);
  rig.advance(kSecond);
  TEXT_EQUAL("none", rig.state());
}

//   owner            engine              store
//     |                |-- load ----------->|   until 10 s
//     |-- 600 s ------>|  accepted at 9 s   |
//     |                |<-- row, at 12 s ---|
TEST(Order, a_lifetime_that_ended_while_the_row_was_awaited_goes_on_if_it_was_extended_before) {
  rig.live("e1", 10);
  rig.advance(kSecond);
  rig.kill();
  rig.load_delay_ms = 11 * kSecond;
  rig.boot();
  rig.advance(8 * kSecond);
  MonoMs end = rig.now + 600 * kSecond;
  Call& longer = rig.refresh(600);
  rig.advance(kSecond);
  rig.refresh(600 - 1);                   // the same end; it replaces the first one
  rig.advance(3 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("e2");
  rig.advance(kSecond);
  LONGS_EQUAL(200, longer.status);
  LONGLONGS_EQUAL(end, rig.record()->m->wanted_end);
}

TEST(Order, one_that_ended_before_it_was_extended_needs_a_body_also_behind_a_removal_that_came_in_time) {
  rig.live("e1", 10);
  rig.advance(kSecond);
  rig.kill();
  rig.load_delay_ms = 13 * kSecond;
  rig.boot();
  rig.advance(8 * kSecond);
  rig.remove();
  rig.advance(3 * kSecond);
  Call& late = rig.refresh(600);
  rig.advance(5 * kSecond);
  LONGS_EQUAL(412, late.status);
  TEXT_EQUAL("initial remove", rig.kinds());
}

TEST(Order, waiters_per_record_are_bounded) {
  rig.settings.max_waiters = 4;
  rig.boot();
  rig.publish("b1");
  for (int i = 0; i < 3; i++) LONGS_EQUAL(0, static_cast<int>(rig.publish("w").code));
  refused(Errc::too_many_waiters, {.body = "b5"});
  refused(Errc::too_many_waiters, {.expires = 0});
  Call& other = rig.ask({.uri = "sip:bob@example.com", .body = "b"});
  LONGS_EQUAL(0, static_cast<int>(other.code));
  rig.settle();
  rig.answer(rig.sent[0], {.etag = "e1", .expires = 600});
  LONGS_EQUAL(0, static_cast<int>(rig.publish("b6").code));
}

TEST(Order, records_are_bounded) {
  rig.settings.max_records = 2;
  rig.boot();
  rig.live("e1");
  rig.ask({.uri = "sip:bob@example.com", .body = "b"});
  rig.settle();
  refused(Errc::too_many_records, {.uri = "sip:carol@example.com", .body = "b"});
  LONGS_EQUAL(0, static_cast<int>(rig.publish("b2").code));  // those that exist go on
}

TEST(Order, what_waits_for_a_dead_store_is_bounded) {
  rig.settings.max_backlog = 2;
  rig.boot();
  rig.live("e1");
  rig.store->down = true;
  for (const char* uri : {"sip:bob@example.com", "sip:carol@example.com"}) {
    rig.ask({.uri = uri, .body = "b"});
    rig.settle();
    rig.advance(200);
  }
  refused(Errc::backlog_full, {.uri = "sip:dave@example.com", .body = "b"});
  LONGS_EQUAL(0, static_cast<int>(rig.publish("b2").code));  // those that exist go on
  rig.store->down = false;
  rig.advance(60000);
  LONGS_EQUAL(0, static_cast<int>(rig.ask({.uri = "sip:dave@example.com", .body = "b"}).code));
}

// --- types -------------------------------------------------------------------------------------------------------

TEST(Order, without_a_type_the_record_decides) {
  rig.ask({.body = "b1"});
  rig.settle();
  rig.ok("e1");
  rig.ask({.body = "b2"});
  rig.settle();
  TEXT_EQUAL("initial modify", rig.kinds());
}

TEST(Order, insert_type_on_a_key_that_exists_replaces_its_state_by_a_modify) {
  rig.live("e1");
  rig.ask({.body = "b2", .type = RequestType::Insert});
  rig.settle();
  TEXT_EQUAL("initial modify", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  LONGS_EQUAL(1, rig.engine->records());
}

TEST(Order, insert_type_while_the_first_one_is_out_makes_no_second_publication) {
  rig.publish("b1");
  rig.ask({.body = "b2", .type = RequestType::Insert});
  rig.settle();
  LONGS_EQUAL(1, rig.sent.size());
  rig.ok("e1");
  TEXT_EQUAL("initial modify", rig.kinds());
}

TEST(Order, update_type_without_a_record_inserts_if_there_is_a_body) {
  Call& c = rig.ask({.body = "b1", .type = RequestType::Update});
  rig.settle();
  LONGS_EQUAL(0, static_cast<int>(c.code));
  TEXT_EQUAL("initial", rig.kinds());
  refused(Errc::no_body, {.uri = "sip:bob@example.com", .type = RequestType::Update});
}

// --- return codes ------------------------------------------------------------------------------------------------

TEST(Order, removing_what_is_not_there_is_minus_9) {
  refused(Errc::no_record, {.expires = 0});
  LONGS_EQUAL(-9, static_cast<int>(Errc::no_record));
  rig.live("e1");
  refused(Errc::no_record, {.expires = 0, .id = "other"});
  rig.remove();
  rig.ok("", 0);
  rig.settle();
  refused(Errc::no_record, {.expires = 0});
}

TEST(Order, a_new_publication_without_a_body_is_minus_10) {
  refused(Errc::no_body, {});
  LONGS_EQUAL(-10, static_cast<int>(Errc::no_body));
}

TEST(Order, an_etag_that_is_not_the_confirmed_one_is_418) {
  LONGS_EQUAL(418, static_cast<int>(Errc::bad_etag));
  refused(Errc::bad_etag, {.body = "b", .etag = "e1"});  // no record
  rig.publish("b1");
  refused(Errc::bad_etag, {.body = "b2", .etag = "e1"});  // none confirmed yet
  rig.ok("e1");
  refused(Errc::bad_etag, {.body = "b2", .etag = "e0"});
  refused(Errc::bad_etag, {.expires = 0, .etag = "e0"});
  Call& c = rig.ask({.body = "b2", .etag = "e1"});
  rig.settle();
  LONGS_EQUAL(0, static_cast<int>(c.code));
  TEXT_EQUAL("initial modify", rig.kinds());
}

TEST(Order, an_etag_is_compared_when_the_request_is_accepted_not_when_it_leaves) {
  rig.live("e1");
  rig.refresh();
  Call& c = rig.ask({.body = "b2", .etag = "e1"});
  rig.ok("e2");
  TEXT_EQUAL("e2", rig.last().if_match);
  rig.ok("e3");
  LONGS_EQUAL(200, c.status);
}

TEST(Order, a_refused_call_changes_nothing) {
  rig.live("e1");
  std::string before = std::string(rig.record()->body());
  refused(Errc::bad_etag, {.body = "b2", .etag = "wrong"});
  refused(Errc::bad_header, {.body = "b2", .headers = "broken"});
  refused(Errc::too_large, {.body = std::string(20000, 'x')});
  TEXT_EQUAL(before, rig.record()->body());
  LONGS_EQUAL(3, rig.stats().rejected);
  LONGS_EQUAL(1, rig.stats().accepted);
}

// --- completion --------------------------------------------------------------------------------------------------

TEST(Order, nothing_is_completed_inside_a_call) {
  // The rig fails if a completion comes inside publish(). These calls would be the first to cause that.
  rig.send_error = "no socket";
  rig.ask({.body = "b1"});
  LONGS_EQUAL(0, rig.completions);
  rig.settle();
  LONGS_EQUAL(1, rig.completions);
  rig.ask({.expires = 0});  // nothing was ever published
  LONGS_EQUAL(1, rig.completions);
  rig.settle();
  LONGS_EQUAL(2, rig.completions);
}

TEST(Order, a_completion_may_publish_again) {
  int left = 5;
  rig.when_completed = [&](Call&) {
    if (left-- > 0) rig.ask({.body = "again"});
  };
  rig.publish("b1");
  for (int i = 0; i < 6; i++) rig.ok("e" + std::to_string(i));
  LONGS_EQUAL(6, rig.completions);
  TEXT_EQUAL("initial modify modify modify modify modify", rig.kinds());
}

TEST(Order, a_late_reply_of_a_transaction_that_is_over_is_ignored) {
  rig.publish("b1");
  Sent first = rig.last();
  rig.ok("e1");
  SipReply late;
  late.status = 200;
  late.etag = "e-late";
  late.expires = 60;
  rig.engine->on_reply(first.txn, late, rig.now);
  rig.engine->on_reply(first.txn + 1, late, rig.now);
  rig.engine->on_reply(0, late, rig.now);
  rig.engine->on_reply(~0ull, late, rig.now);
  rig.settle();
  TEXT_EQUAL("e1", rig.record()->etag());
  LONGS_EQUAL(1, rig.completions);
}
