// One test for each rule of the publication machine about failures, and for what is kept after them.
//
//   owner            engine              server
//     |--- publish -->|--- PUBLISH ------->|
//     |<-- 503 -------|<-- 503 ------------|   told, and kept
//     |               |   2 s, 4 s, 8 s ...|
//     |               |--- PUBLISH ------->|   the same again
#include <string>
#include <vector>

#include "core/publication.h"
#include "tests/core/retrying_test.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(PublicationFailures, KeptPublicationTest) {
  // Answers an initial publication with this status: no record is left.
  void ends_the_record(int status) {
    Call& c = rig.publish("b1");
    rig.reject(status);
    LONGS_EQUAL(1, c.completed);
    LONGS_EQUAL(status, c.status);
    CHECK(c.origin == ReplyOrigin::Wire);
    rig.advance(kSecond);
    TEXT_EQUAL("none", rig.state());
    LONGS_EQUAL(0, rig.rows().size());
    rig.advance(7200 * kSecond);
    TEXT_EQUAL("initial", rig.kinds());
    LONGS_EQUAL(1, rig.stats().refused_final);
  }
};

// --- 3xx, 408, 429, 430, 480, 5xx, 6xx, timeout, transport ---------------------------------------------------------

TEST(PublicationFailures, a_3xx_keeps_the_record_and_backs_off) { keeps_the_record(302); }
TEST(PublicationFailures, a_408_keeps_the_record_and_backs_off) { keeps_the_record(408); }
TEST(PublicationFailures, a_429_keeps_the_record_and_backs_off) { keeps_the_record(429); }
TEST(PublicationFailures, a_430_keeps_the_record_and_backs_off) { keeps_the_record(430); }
TEST(PublicationFailures, a_480_keeps_the_record_and_backs_off) { keeps_the_record(480); }
TEST(PublicationFailures, a_500_keeps_the_record_and_backs_off) { keeps_the_record(500); }
TEST(PublicationFailures, a_503_keeps_the_record_and_backs_off) { keeps_the_record(503); }
TEST(PublicationFailures, a_6xx_keeps_the_record_and_backs_off) { keeps_the_record(603); }
TEST(PublicationFailures, a_status_nobody_listed_keeps_the_record_and_backs_off) { keeps_the_record(481); }

TEST(PublicationFailures, a_timeout_keeps_the_record_and_backs_off) {
  keeps_the_record({.status = 408, .origin = ReplyOrigin::Timeout});
  LONGS_EQUAL(1, rig.stats().timeouts);
  LONGS_EQUAL(1, rig.stats().orphans_suspected);
  LONGS_EQUAL(0, rig.stats().replies_4xx);  // no reply came
}

TEST(PublicationFailures, a_transport_error_keeps_the_record_and_backs_off) {
  keeps_the_record({.status = 503, .origin = ReplyOrigin::Transport});
  LONGS_EQUAL(1, rig.stats().transport_errors);
}

TEST(PublicationFailures, a_request_that_could_not_be_sent_keeps_the_record_and_backs_off) {
  rig.send_error = "no socket";
  Call& c = rig.publish("b1");
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(503, c.status);
  CHECK(c.origin == ReplyOrigin::Transport);
  TEXT_EQUAL("no socket", c.reason);
  TEXT_EQUAL("backoff", rig.state());
  rig.send_error = "";
  next_leaves_within(1500, 2500);
}

TEST(PublicationFailures, a_transient_failure_of_a_live_one_keeps_its_entity_tag) {
  rig.live("e1");
  keeps_the_record(503);
  TEXT_EQUAL("initial modify modify", rig.kinds());
  TEXT_EQUAL("e1", rig.sent[2].if_match);
}

TEST(PublicationFailures, back_off_grows_with_each_failure_and_ends_with_success) {
  rig.publish("b1", kForEver);
  rig.reject(500);
  MonoMs base = 2000;
  for (int i = 0; i < 6; i++, base *= 2) {
    next_leaves_within(base * 3 / 4, base * 5 / 4);
    rig.reject(500);
  }
  rig.advance(base * 5 / 4);
  rig.ok("e1");
  rig.publish("b2");
  rig.reject(500);
  next_leaves_within(1500, 2500);
}

TEST(PublicationFailures, retry_after_is_honoured) {
  rig.publish("b1");
  rig.answer({.status = 503, .retry_after = 120});
  next_leaves_within(120 * kSecond, 120 * kSecond);
}

TEST(PublicationFailures, nothing_leaves_under_retry_after_not_even_a_new_request) {
  rig.live("e1");
  rig.refresh();
  rig.answer({.status = 503, .retry_after = 120});
  rig.advance(10 * kSecond);
  Call& c = rig.publish("b2");
  LONGS_EQUAL(1, c.completed);  // its owner was told
  LONGS_EQUAL(503, c.status);
  CHECK(c.origin == ReplyOrigin::Local);
  CHECK(c.durable);
  LONGS_EQUAL(2, rig.sent.size());
  next_leaves_within(110 * kSecond, 110 * kSecond);
  TEXT_EQUAL("b2", rig.last().body);  // ... and it was kept
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(PublicationFailures, an_unanswered_one_is_given_up_at_the_wanted_end) {
  rig.publish("b1", 100);
  while (rig.record() && rig.now < 2000000) {
    if (rig.open()) rig.reject(503);
    rig.advance(kSecond);
  }
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(1, rig.stats().given_up);
  CHECK(rig.last().at < rig.sent.front().at + 100 * kSecond);
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(PublicationFailures, one_for_ever_is_never_given_up) {
  rig.publish("b1", kForEver);
  for (int i = 0; i < 2000; i++) {
    if (rig.open()) rig.reject(503);
    rig.advance(60 * kSecond);
  }
  if (!rig.open()) rig.advance(400 * kSecond);
  rig.ok("e1");
  TEXT_EQUAL("live", rig.state());
}

TEST(PublicationFailures, a_refresh_that_fails_is_tried_again_before_the_grant_ends) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 120);
  MonoMs end = rig.record()->m->grant_end;
  rig.advance(80 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.time_out();
  rig.advance(2500);
  TEXT_EQUAL("initial refresh refresh", rig.kinds());
  CHECK(rig.last().at < end);
}

// --- 403, 404 ----------------------------------------------------------------------------------------------------

TEST(PublicationFailures, a_403_or_404_keeps_the_record_with_a_loud_counter) {
  keeps_the_record(404);
  keeps_the_record(403);
  LONGS_EQUAL(2, rig.stats().refused_403_404);
  CHECK(rig.logged(LogLevel::error, "404 to PUBLISH for sip:alice@example.com"));
  CHECK(rig.logged(LogLevel::error, "403 to PUBLISH for sip:alice@example.com"));
}

// --- 400, 405, 406, 413, 415, 420, 489 ---------------------------------------------------------------------------

TEST(PublicationFailures, a_400_ends_the_record) { ends_the_record(400); }
TEST(PublicationFailures, a_405_ends_the_record) { ends_the_record(405); }
TEST(PublicationFailures, a_406_ends_the_record) { ends_the_record(406); }
TEST(PublicationFailures, a_413_ends_the_record) { ends_the_record(413); }
TEST(PublicationFailures, a_415_ends_the_record) { ends_the_record(415); }
TEST(PublicationFailures, a_420_ends_the_record) { ends_the_record(420); }
TEST(PublicationFailures, a_489_ends_the_record) { ends_the_record(489); }

//   owner            engine              server
//     |--- publish -->|--- PUBLISH e1 ---->|
//     |<-- 415 -------|<-- 415 ------------|
//     |               |--- PUBLISH e1, 0 ->|   what the server still holds is withdrawn
TEST(PublicationFailures, a_refused_modify_tells_the_owner_and_withdraws_what_the_server_still_holds) {
  rig.live("e1");
  Call& c = rig.publish("b2");
  rig.reject(415);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(415, c.status);
  TEXT_EQUAL("initial modify remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("", 0);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(PublicationFailures, a_refused_removal_ends_the_record) {
  rig.live("e1");
  Call& c = rig.remove();
  rig.reject(400);
  LONGS_EQUAL(400, c.status);
  TEXT_EQUAL("none", rig.state());
}

TEST(PublicationFailures, one_that_was_refused_can_be_published_anew) {
  rig.publish("b1");
  rig.reject(415);
  Call& c = rig.publish("b2");
  LONGS_EQUAL(0, static_cast<int>(c.code));
  TEXT_EQUAL("initial initial", rig.kinds());
  rig.ok("e1");
  LONGS_EQUAL(200, c.status);
}

//   |--- PUBLISH e1 ------>|   a refresh: no document, so that it is the entity-tag that is refused
//   |<-- 400 --------------|
//   |--- PUBLISH, full --->|   once, as after a 412
TEST(PublicationFailures, a_400_to_a_refresh_is_followed_by_full_state) {
  rig.live("e1");
  Call& c = rig.refresh();
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.reject(400);
  LONGS_EQUAL(0, c.completed);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("", rig.last().if_match);
  TEXT_EQUAL("b1", rig.last().body);
  CHECK(rig.logged(LogLevel::notice, "400 to PUBLISH for sip:alice@example.com: its entity-tag is refused; it is published in full"));
  rig.ok("e2");
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("e2", c.etag);
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(0, rig.stats().replies_412);
  LONGS_EQUAL(0, rig.stats().refused_final);
}

//   |--- PUBLISH e1 ------>|
//   |<-- 400 --------------|   it is the header field that is refused, and e1 stands
//   |--- PUBLISH, full --->|
//   |<-- 400 --------------|
//   |--- PUBLISH e1, 0 --->|   without the header field
TEST(PublicationFailures, a_400_to_the_full_state_as_well_ends_the_record_and_withdraws_what_may_stand) {
  rig.ask({.body = "b1", .headers = "X-Odd: 1\r\n"});
  rig.settle();
  rig.ok("e1");
  Call& c = rig.refresh();
  rig.reject(400);
  TEXT_EQUAL("X-Odd: 1\r\n", rig.last().extra_headers);
  rig.reject(400);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(400, c.status);
  TEXT_EQUAL("initial refresh initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  TEXT_EQUAL("", rig.last().extra_headers);
  CHECK(rig.logged(LogLevel::warning, "400 to PUBLISH for sip:alice@example.com: the record ends"));
  rig.ok("", 0);
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial refresh initial remove", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

// A server that cannot read its own entity-tags refuses the removal as well.
TEST(PublicationFailures, a_400_to_that_removal_too_is_the_end) {
  rig.live("e1");
  rig.refresh();
  for (int i = 0; i < 3; i++) rig.reject(400);
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial refresh initial remove", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(PublicationFailures, a_removal_that_waits_behind_a_refused_refresh_leaves) {
  rig.live("e1");
  rig.refresh();
  Call& removal = rig.remove();
  rig.reject(400);
  TEXT_EQUAL("initial refresh remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  CHECK_FALSE(rig.logged(LogLevel::notice, "published in full"));
  LONGS_EQUAL(0, removal.completed);
  rig.ok("", 0);
  LONGS_EQUAL(200, removal.status);
  CHECK(removal.origin == ReplyOrigin::Wire);
  TEXT_EQUAL("none", rig.state());
}

TEST(PublicationFailures, a_removal_while_the_full_state_is_tried_again_leaves) {
  rig.live("e1");
  rig.refresh();
  rig.reject(400);
  rig.reject(503);
  TEXT_EQUAL("backoff", rig.state());
  rig.remove();
  TEXT_EQUAL("initial refresh initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(PublicationFailures, a_lifetime_that_ended_before_the_refresh_was_refused_is_withdrawn) {
  rig.live("e1", 100);
  Call& c = rig.refresh(10);
  rig.advance(12 * kSecond);
  rig.reject(400);
  LONGS_EQUAL(480, c.status);
  TEXT_EQUAL("Lifetime ended", c.reason);
  CHECK_FALSE(c.kept);
  CHECK_FALSE(rig.logged(LogLevel::notice, "published in full"));
  TEXT_EQUAL("initial refresh remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("", 0);
  rig.advance(kSecond);
  TEXT_EQUAL("none", rig.state());
}

TEST(PublicationFailures, a_lifetime_that_ended_while_the_full_state_was_tried_is_withdrawn) {
  rig.live("e1", 100);
  rig.refresh(10);
  rig.reject(400);
  rig.advance(12 * kSecond);
  rig.reject(503);
  TEXT_EQUAL("initial refresh initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(PublicationFailures, a_refused_entity_tag_is_worth_a_removal_until_its_grant_ends) {
  rig.live("e1", kForEver);
  MonoMs end = rig.record()->m->grant_end + kRemovalGrace;
  rig.refresh(kForEver);
  rig.reject(400);
  while (rig.now < end) {
    if (rig.open()) rig.reject(503);
    rig.advance(kSecond);
  }
  if (rig.open()) rig.reject(503);
  size_t sent = rig.sent.size();
  Call& removal = rig.remove();
  LONGS_EQUAL(200, removal.status);
  LONGS_EQUAL(sent, rig.sent.size());
  TEXT_EQUAL("none", rig.state());
}

// By the first answer the server keeps nothing new; by the second nobody knows what the new state is called.
TEST(PublicationFailures, a_refused_entity_tag_is_kept_until_the_full_state_is_granted_something) {
  rig.live("e1");
  rig.refresh();
  rig.reject(400);
  rig.ok("e2", 0);
  TEXT_EQUAL("backoff", rig.state());
  rig.remove();
  TEXT_EQUAL("initial refresh initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("", 0);

  rig.live("e3");
  rig.refresh();
  rig.reject(400);
  rig.ok("");
  TEXT_EQUAL("live", rig.state());
  Call& removal = rig.remove();
  LONGS_EQUAL(202, removal.status);
  TEXT_EQUAL("initial", rig.last().kind());
}

TEST(PublicationFailures, a_new_body_behind_a_refused_refresh_is_published_in_full) {
  rig.live("e1");
  rig.refresh();
  rig.publish("b2");
  rig.reject(400);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("b2", rig.last().body);
  rig.ok("e2");
  rig.publish("b3");
  TEXT_EQUAL("modify", rig.last().kind());
  TEXT_EQUAL("e2", rig.last().if_match);
}

TEST(PublicationFailures, a_refused_entity_tag_is_known_after_a_restart) {
  rig.live("e1");
  rig.refresh();
  rig.reject(400);
  rig.advance(kSecond);
  TEXT_EQUAL("e1", rig.row().row().etag);
  rig.restart();
  TEXT_EQUAL("initial refresh initial initial", rig.kinds());
  rig.reject(400);
  TEXT_EQUAL("initial refresh initial initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(PublicationFailures, a_refused_entity_tag_is_known_to_a_request_that_comes_before_its_row) {
  rig.live("e1");
  rig.refresh();
  rig.reject(400);
  rig.advance(kSecond);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  rig.refresh();
  rig.advance(200);
  TEXT_EQUAL("initial refresh initial initial", rig.kinds());
  rig.reject(400);
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL("e1", rig.last().if_match);
}

// The full publication named no entity-tag, so that this answer says nothing of e1.
TEST(PublicationFailures, a_412_to_the_full_state_changes_nothing_about_a_refused_entity_tag) {
  rig.live("e1");
  rig.refresh();
  rig.reject(400);
  rig.reject(412);
  TEXT_EQUAL("backoff", rig.state());
  rig.remove();
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL("e1", rig.last().if_match);
}

// A server that takes no refresh at all gets one full publication for each grant.
TEST(PublicationFailures, a_server_that_always_says_400_to_a_refresh_gets_no_storm) {
  rig.publish("b1", kForEver);
  rig.ok("e0", 600);
  for (int i = 0; i < 3600; i++) {
    for (int n = 0; rig.open() && n < 5; n++) rig.last().if_match.empty() ? rig.ok("e" + std::to_string(i), 600) : rig.reject(400);
    rig.advance(kSecond);
  }
  CHECK(rig.sent.size() >= 13);
  CHECK(rig.sent.size() <= 21);
  TEXT_EQUAL("live", rig.state());
}

TEST(PublicationFailures, a_415_to_a_refresh_and_a_400_to_a_modification_end_the_record_and_withdraw_its_state) {
  rig.live("e1");
  rig.refresh();
  rig.reject(415);
  TEXT_EQUAL("initial refresh remove", rig.kinds());
  rig.ok("", 0);
  rig.live("e2");
  Call& c = rig.publish("b2");
  rig.reject(400);
  LONGS_EQUAL(400, c.status);
  TEXT_EQUAL("initial refresh remove initial modify remove", rig.kinds());
  TEXT_EQUAL("e2", rig.last().if_match);
}

// --- the last body is kept ---------------------------------------------------------------------------------------

TEST(PublicationFailures, the_last_body_is_kept_over_refreshes_for_a_412) {
  rig.live("e1");
  rig.publish("b2");
  rig.ok("e2");
  for (int i = 3; i < 6; i++) {
    rig.refresh();
    rig.ok("e" + std::to_string(i));
  }
  rig.refresh();
  rig.reject(412);
  TEXT_EQUAL("initial", rig.last().kind());
  TEXT_EQUAL("b2", rig.last().body);
}

TEST(PublicationFailures, a_document_version_counts_up_with_each_body_and_survives_a_restart) {
  rig.processor = [](const BodyRequest& b, std::string& out, bool&, std::string&) -> Result<Unit> {
    out = std::string(b.body) + " version " + std::to_string(b.version);
    return success();
  };
  auto publish = [&] {
    rig.ask({.body = "d", .event = kDialog});
    rig.settle();
    return rig.last().body;
  };
  TEXT_EQUAL("d version 1", publish());
  rig.ok("e1");
  TEXT_EQUAL("d version 2", publish());
  rig.ok("e2");
  rig.restart();
  TEXT_EQUAL("d version 3", publish());
}

TEST(PublicationFailures, a_tuple_id_is_kept_with_the_record_and_given_to_the_next_body) {
  std::vector<std::string> seen;
  rig.processor = [&](const BodyRequest&, std::string&, bool& unchanged, std::string& tuple) -> Result<Unit> {
    seen.push_back(tuple);
    if (tuple.empty()) tuple = "t-42";
    unchanged = true;
    return success();
  };
  rig.live("e1");
  rig.publish("b2");
  rig.ok("e2");
  rig.restart();
  rig.publish("b3");
  LONGS_EQUAL(3, seen.size());
  TEXT_EQUAL("", seen[0]);
  TEXT_EQUAL("t-42", seen[1]);
  TEXT_EQUAL("t-42", seen[2]);
  TEXT_EQUAL("t-42", rig.row().row().tuple_id);
}

TEST(PublicationFailures, an_event_without_a_document_is_published_by_its_headers) {
  Call& c = rig.ask({.headers = "Call-Info: <sip:a>;appearance=1\r\n", .event = kCallInfo});
  rig.settle();
  LONGS_EQUAL(0, static_cast<int>(c.code));
  TEXT_EQUAL("call-info", rig.last().event);
  TEXT_EQUAL("Call-Info: <sip:a>;appearance=1\r\n", rig.last().extra_headers);
  TEXT_EQUAL("", rig.last().body);
  rig.ok("e1");
  rig.ask({.headers = "Call-Info: <sip:a>;appearance=2\r\n", .event = kCallInfo});
  rig.settle();
  TEXT_EQUAL("e1", rig.last().if_match);
  TEXT_EQUAL("Call-Info: <sip:a>;appearance=2\r\n", rig.last().extra_headers);
}

// The refresh is answered 412, the full publication goes out, and its 200 is lost with the process: the next run repeats that request,
// octet by octet, so that the server makes no second state of it.
TEST(PublicationFailures, full_state_after_a_412_is_repeated_after_a_kill) {
  rig.live();
  rig.refresh();
  rig.advance(kSecond);
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  rig.advance(kSecond);
  const std::string full = rig.last().wire();
  LONGLONGS_EQUAL(rig.last().expires, rig.row().row().intent_expires);
  rig.restart();
  TEXT_EQUAL("initial refresh initial initial", rig.kinds());
  TEXT_EQUAL(full, rig.last().wire());
}
