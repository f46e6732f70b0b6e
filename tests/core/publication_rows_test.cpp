// One test for each rule of the publication machine, with the messages that go with it: requests, 2xx, 412, 423, 401/407. The
// rules for other failures are in publication_failures_test.cpp.
//
//   owner            engine              server
//     |--- publish -->|--- PUBLISH ------->|        initial: body, no SIP-If-Match
//     |<-- completed -|<-- 200 e1 ---------|
//     |               |--- PUBLISH e1 ---->|        refresh: no body
//     |               |<-- 200 e2 ---------|
//     |--- publish -->|--- PUBLISH e2 ---->|        modify: body
//     |<-- completed -|<-- 200 e3 ---------|
//     |--- remove --->|--- PUBLISH e3 ---->|        remove: Expires: 0, no body
//     |<-- completed -|<-- 200 ------------|
#include <string>
#include <vector>

#include "core/publication.h"
#include "tests/core/retrying_test.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(PublicationRows, KeptPublicationTest) {
};

// --- initial, refresh, modify, remove ----------------------------------------------------------------------------

TEST(PublicationRows, initial_has_a_body_and_no_if_match) {
  Call& c = rig.ask({.expires = 600, .body = "<presence/>", .headers = "X-A: 1\r\n", .proxy = "sip:10.0.0.1:5080;lr"});
  rig.settle();
  LONGS_EQUAL(1, rig.sent.size());
  const Sent& s = rig.last();
  TEXT_EQUAL("PUBLISH", s.method);
  TEXT_EQUAL(kAlice, s.uri);
  TEXT_EQUAL("presence", s.event);
  LONGLONGS_EQUAL(600, s.expires);
  TEXT_EQUAL("", s.if_match);
  TEXT_EQUAL("application/pidf+xml", s.content_type);
  TEXT_EQUAL("<presence/>", s.body);
  TEXT_EQUAL("X-A: 1\r\n", s.extra_headers);
  TEXT_EQUAL("sip:10.0.0.1:5080;lr", s.proxy);
  LONGS_EQUAL(1, s.cseq);
  STRCMP_CONTAINS("@pua.example.net", s.call_id.c_str());
  STRCMP_CONTAINS("z9hG4bK", s.branch.c_str());
  CHECK_FALSE(s.from_tag.empty());
  LONGS_EQUAL(0, c.completed);
  rig.ok("e1");
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("e1", c.etag);
  LONGLONGS_EQUAL(600, c.granted);
  CHECK(c.durable);
  CHECK_FALSE(c.superseded);
}

TEST(PublicationRows, a_content_type_of_the_caller_replaces_the_default) {
  rig.ask({.body = "x", .content_type = "text/plain"});
  rig.settle();
  TEXT_EQUAL("text/plain", rig.last().content_type);
}

TEST(PublicationRows, the_configured_proxy_is_the_next_hop_where_the_request_names_none) {
  rig.settings.outbound_proxy = "sip:proxy.example.com";
  rig.boot();
  rig.publish("b1");
  TEXT_EQUAL("sip:proxy.example.com", rig.last().proxy);
}

TEST(PublicationRows, refresh_comes_before_the_granted_expiry_with_if_match_and_no_body) {
  rig.publish("b1", kForEver);
  Sent first = rig.last();
  LONGLONGS_EQUAL(3600, first.expires);
  rig.ok("e1", 600);
  next_leaves_within(420 * kSecond, 480 * kSecond);  // a fifth of the grant before its end, less a tenth of jitter
  const Sent& s = rig.last();
  TEXT_EQUAL("e1", s.if_match);
  TEXT_EQUAL("", s.body);
  TEXT_EQUAL("", s.content_type);
  TEXT_EQUAL("presence", s.event);
  LONGLONGS_EQUAL(3600, s.expires);
  TEXT_EQUAL(first.call_id, s.call_id);
  TEXT_EQUAL(first.from_tag, s.from_tag);
  LONGS_EQUAL(first.cseq + 1, s.cseq);
  CHECK(first.branch != s.branch);
}

TEST(PublicationRows, refresh_asked_for_by_an_owner_goes_out_at_once) {
  rig.live("e1", 600);
  Call& c = rig.refresh(1200);
  TEXT_EQUAL("initial refresh", rig.kinds());
  LONGLONGS_EQUAL(1200, rig.last().expires);
  rig.ok("e2");
  LONGS_EQUAL(1, c.completed);
  TEXT_EQUAL("e2", c.etag);
}

TEST(PublicationRows, refresh_needs_no_scan_each_record_has_its_own_timer) {
  for (int i = 0; i < 20; i++) {
    rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .expires = kForEver, .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i), 600 + 60 * i);
  }
  size_t before = rig.sent.size();
  for (int i = 0; i < 20; i++) {
    MonoMs end = rig.sent[static_cast<size_t>(i)].at + (600 + 60 * i) * kSecond;
    rig.advance(std::max<MonoMs>(0, end - rig.now));
    bool refreshed = false;
    for (size_t j = before; j < rig.sent.size(); j++) {
      Sent& s = rig.sent[j];
      refreshed |= s.if_match == "e" + std::to_string(i);
      if (!s.answered) rig.answer(s, {.etag = s.if_match, .expires = 86400});
    }
    CHECK(refreshed);
  }
}

TEST(PublicationRows, modify_has_if_match_and_body) {
  rig.live("e1");
  Call& c = rig.publish("b2", 900);
  TEXT_EQUAL("initial modify", rig.kinds());
  const Sent& s = rig.last();
  TEXT_EQUAL("e1", s.if_match);
  TEXT_EQUAL("b2", s.body);
  TEXT_EQUAL("application/pidf+xml", s.content_type);
  LONGLONGS_EQUAL(900, s.expires);
  LONGS_EQUAL(2, s.cseq);
  rig.ok("e2");
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("e2", c.etag);
  TEXT_EQUAL("e2", rig.record()->etag());
}

TEST(PublicationRows, remove_has_expires_0_and_if_match_and_no_body) {
  rig.ask({.body = "b1", .headers = "X-A: 1\r\n"});
  rig.settle();
  rig.ok("e1");
  Call& c = rig.remove();
  const Sent& s = rig.last();
  LONGLONGS_EQUAL(0, s.expires);
  TEXT_EQUAL("e1", s.if_match);
  TEXT_EQUAL("", s.body);
  TEXT_EQUAL("", s.content_type);
  TEXT_EQUAL("", s.extra_headers);
  rig.ok("", 0);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(PublicationRows, remove_is_tried_again_until_it_is_answered) {
  rig.live("e1");
  Call& c = rig.remove();
  rig.time_out();
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(408, c.status);
  next_leaves_within(1500, 2500);
  TEXT_EQUAL("remove", rig.last().kind());
  rig.reject(503);
  next_leaves_within(3000, 5000);
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("", 0);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
}

TEST(PublicationRows, remove_is_dropped_once_the_state_has_expired_at_the_server) {
  rig.live("e1", 300);
  rig.remove();
  for (int i = 0; i < 30 && rig.record(); i++) {
    if (rig.open()) rig.time_out();
    rig.advance(10 * kSecond);
  }
  TEXT_EQUAL("none", rig.state());
  CHECK(rig.sent.back().at <= rig.sent.front().at + 305 * kSecond);
  LONGS_EQUAL(0, rig.rows().size());
  size_t before = rig.sent.size();
  rig.advance(3600 * kSecond);
  LONGS_EQUAL(before, rig.sent.size());
}

TEST(PublicationRows, a_412_to_a_removal_is_success) {
  rig.live("e1");
  Call& c = rig.remove();
  rig.reject(412);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(412, c.status);  // the reply's own status; the record is gone
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
}

TEST(PublicationRows, a_412_to_a_removal_at_the_wanted_end_is_success_too) {
  rig.live("e1", 60);
  rig.advance(60 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  rig.reject(412);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
}

// --- 2xx ---------------------------------------------------------------------------------------------------------

TEST(PublicationRows, a_2xx_brings_the_new_entity_tag_and_the_grant) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 1000);
  rig.advance(900 * kSecond);
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.ok("e2", 500);
  LONGLONGS_EQUAL(rig.last().at + 500 * kSecond, rig.record()->m->grant_end);
  rig.advance(450 * kSecond);
  TEXT_EQUAL("e2", rig.last().if_match);
}

TEST(PublicationRows, a_202_and_a_204_are_success) {
  for (int status : {202, 204}) {
    Call& c = rig.publish("b" + std::to_string(status));
    rig.answer({.status = status, .etag = "e" + std::to_string(status), .expires = 600});
    LONGS_EQUAL(status, c.status);
    TEXT_EQUAL("live", rig.state());
  }
}

TEST(PublicationRows, a_2xx_without_expires_grants_what_was_asked_for) {
  rig.publish("b1", kForEver);
  rig.answer({.etag = "e1"});
  TEXT_EQUAL("live", rig.state());
  LONGLONGS_EQUAL(rig.last().at + 3600 * kSecond, rig.record()->m->grant_end);
  next_leaves_within(2520 * kSecond, 2880 * kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  LONGS_EQUAL(1, rig.stats().missing_expires);
  CHECK(rig.logged(LogLevel::notice, "without Expires"));
}

TEST(PublicationRows, a_2xx_without_an_entity_tag_keeps_the_old_one) {
  rig.live("e1");
  Call& c = rig.publish("b2");
  rig.answer({.expires = 600});
  TEXT_EQUAL("e1", c.etag);
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(1, rig.stats().missing_etag);
  CHECK(rig.logged(LogLevel::warning, "without SIP-ETag"));
  rig.advance(480 * kSecond);
  TEXT_EQUAL("initial modify refresh", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(PublicationRows, a_2xx_without_an_entity_tag_and_none_yet_is_published_in_full_at_the_refresh_point_and_no_sooner) {
  Call& c = rig.publish("b1", kForEver);
  rig.answer({.expires = 600});
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("", c.etag);
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(1, rig.stats().missing_etag);
  LONGS_EQUAL(1, rig.stats().orphans_suspected);
  CHECK(rig.logged(LogLevel::warning, "without SIP-ETag"));
  next_leaves_within(420 * kSecond, 480 * kSecond);
  TEXT_EQUAL("initial initial", rig.kinds());
  TEXT_EQUAL("b1", rig.last().body);
}

//   |<-- 200, SIP-ETag: "not a token" --|
//   |-- SIP-If-Match: "not a token" --->|   refreshed, changed, removed by it, after a restart too
TEST(PublicationRows, an_entity_tag_that_is_no_token_goes_back_to_the_octet) {
  for (const char* tag : {"not a token", "\"quoted\"", "a:b@c;d=e,f", "\xc3\xbc", "\xff"}) {
    Rig r;
    Call& c = r.publish("b1");
    r.ok(tag);
    TEXT_EQUAL(tag, c.etag);
    r.publish("b2");
    TEXT_EQUAL(tag, r.last().if_match);
    r.ok(tag);
    r.advance(kSecond);
    r.restart();
    LONGS_EQUAL(0, r.stats().load_bad);
    Call& asked = r.ask({.etag = tag});      // the caller may name it
    CHECK(asked.code == Errc::ok);
    r.settle();
    r.ok(tag);
    r.remove();
    TEXT_EQUAL("initial modify refresh remove", r.kinds());
    TEXT_EQUAL(tag, r.last().if_match);
    LONGS_EQUAL(0, r.stats().unusable_etag);
  }
}

TEST(PublicationRows, an_entity_tag_that_cannot_be_sent_back_is_none_and_counted_and_logged) {
  for (const std::string& tag : {std::string(256, 'a'), std::string("a\r\nX: y"), std::string("a\0b", 3), std::string(" a")}) {
    Rig r;
    Call& c = r.publish("b1", kForEver);
    r.ok(tag, 600);
    LONGS_EQUAL(200, c.status);
    TEXT_EQUAL("", c.etag);
    TEXT_EQUAL("live", r.state());
    TEXT_EQUAL("", r.record()->etag());
    LONGS_EQUAL(1, r.stats().unusable_etag);
    LONGS_EQUAL(0, r.stats().missing_etag);
    LONGS_EQUAL(1, r.stats().orphans_suspected);
    CHECK(r.logged(LogLevel::warning, "SIP-ETag that cannot be sent back"));
    r.advance(480 * kSecond);
    TEXT_EQUAL("initial initial", r.kinds());   // in full, at the refresh point
    r.restart();
    LONGS_EQUAL(0, r.stats().load_bad);
  }
}

// A SIP-ETag that the SIP stack has found, and could not hand on.
TEST(PublicationRows, an_entity_tag_that_came_and_is_unusable_is_not_one_that_is_missing) {
  rig.publish("b1", kForEver);
  rig.answer({.expires = 600, .etag_unusable = true});
  LONGS_EQUAL(1, rig.stats().unusable_etag);
  LONGS_EQUAL(0, rig.stats().missing_etag);
}

//   |<-- 200, SIP-ETag: e1 ------------|
//   |-- modify, SIP-If-Match: e1 ----->|
//   |<-- 200, SIP-ETag: (300 octets) --|   the server does not know e1 any more
TEST(PublicationRows, an_unusable_entity_tag_takes_the_place_of_the_one_before) {
  rig.live("e1", kForEver);
  rig.publish("b2", kForEver);
  rig.ok(std::string(300, 'a'), 600);
  TEXT_EQUAL("", rig.record()->etag());
  TEXT_EQUAL("live", rig.state());
  rig.advance(480 * kSecond);
  TEXT_EQUAL("initial modify initial", rig.kinds());
  TEXT_EQUAL("b2", rig.last().body);
}

// Nothing can remove such a state, and its owner must not be told that nothing was published.
TEST(PublicationRows, a_removal_of_what_has_no_usable_entity_tag_says_that_it_ends_by_itself) {
  for (bool restarted : {false, true}) {
    Rig r;
    r.publish("b1", kForEver);
    r.ok(std::string(256, 'a'), 600);
    r.advance(kSecond);
    if (restarted) r.restart();
    Call& c = r.remove();
    r.advance(kSecond);
    LONGS_EQUAL(202, c.status);
    CHECK(c.origin == ReplyOrigin::Local);
    TEXT_EQUAL("No usable SIP-ETag to remove it by: ends with its grant", c.reason);
    CHECK(c.durable);
    TEXT_EQUAL("none", r.state());
    LONGS_EQUAL(0, r.rows().size());
    r.advance(3600 * kSecond);
    TEXT_EQUAL("initial", r.kinds());
  }
}

TEST(PublicationRows, a_removal_of_what_the_server_has_lost_says_that_nothing_is_there) {
  rig.live("e1", kForEver);
  rig.refresh(kForEver);
  rig.reject(412);
  rig.reject(500);          // the answer to the full state that followed
  Call& c = rig.remove();
  rig.advance(kSecond);
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("Nothing published", c.reason);
}

TEST(PublicationRows, a_2xx_with_expires_0_is_published_again_after_a_back_off) {
  Call& c = rig.publish("b1");
  rig.ok("e1", 0);
  LONGS_EQUAL(1, c.completed);
  TEXT_EQUAL("backoff", rig.state());
  next_leaves_within(1500, 2500);
  TEXT_EQUAL("initial initial", rig.kinds());
}

// --- 412 ---------------------------------------------------------------------------------------------------------

//   engine                server
//     |-- PUBLISH e1 ------>|   (refresh)
//     |<-- 412 -------------|
//     |-- PUBLISH, body --->|   once, at once, without SIP-If-Match
//     |<-- 412 -------------|
//     |        ...          |   backs off, each try in full
TEST(PublicationRows, a_412_publishes_full_state_once_then_backs_off) {
  rig.live("e1");
  Call& c = rig.refresh();
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("b1", rig.last().body);
  TEXT_EQUAL("", rig.last().if_match);
  LONGS_EQUAL(0, c.completed);  // its outcome is not known yet
  rig.reject(412);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(412, c.status);
  TEXT_EQUAL("backoff", rig.state());
  next_leaves_within(1500, 2500);
  TEXT_EQUAL("initial", rig.last().kind());
  rig.reject(412);
  next_leaves_within(3000, 5000);
  rig.reject(412);
  next_leaves_within(6000, 10000);
  rig.ok("e2");
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(4, rig.stats().replies_412);
}

TEST(PublicationRows, a_412_then_success_completes_the_caller_with_the_new_entity_tag) {
  rig.live("e1");
  Call& c = rig.publish("b2");
  rig.reject(412);
  TEXT_EQUAL("b2", rig.last().body);
  rig.ok("e2");
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("e2", c.etag);
  rig.refresh();
  rig.reject(412);  // a later 412 is answered by a full publication again
  TEXT_EQUAL("initial modify initial refresh initial", rig.kinds());
}

TEST(PublicationRows, a_412_to_an_initial_publication_backs_off) {
  keeps_the_record(412);
  TEXT_EQUAL("initial initial", rig.kinds());
}

TEST(PublicationRows, a_412_by_timer_loses_no_record) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 600);
  rig.advance(480 * kSecond);
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  rig.ok("e2", 600);
  TEXT_EQUAL("live", rig.state());
  rig.advance(200);  // nobody waits for this row
  TEXT_EQUAL("e2", rig.row().row().etag);
}

// --- 423 ---------------------------------------------------------------------------------------------------------

TEST(PublicationRows, a_423_is_tried_again_with_min_expires) {
  Call& c = rig.publish("b1", 60);
  rig.answer({.status = 423, .min_expires = 600});
  TEXT_EQUAL("initial initial", rig.kinds());
  LONGLONGS_EQUAL(600, rig.last().expires);
  TEXT_EQUAL("b1", rig.last().body);
  LONGS_EQUAL(0, c.completed);
  rig.ok("e1");
  LONGS_EQUAL(200, c.status);
  LONGS_EQUAL(1, rig.stats().replies_423);
  rig.advance(60 * kSecond);  // it is withdrawn at the wanted end all the same
  TEXT_EQUAL("initial initial remove", rig.kinds());
}

TEST(PublicationRows, a_423_is_remembered_for_the_next_requests) {
  rig.publish("b1", 60);
  rig.answer({.status = 423, .min_expires = 600});
  rig.ok("e1");
  rig.publish("b2", 60);
  LONGLONGS_EQUAL(600, rig.last().expires);
}

TEST(PublicationRows, a_423_that_asks_for_no_more_than_it_got_is_no_loop) {
  for (int64_t min : {0, 59, 60}) {
    Rig other;
    Call& c = other.publish("b1", 60);
    other.answer({.status = 423, .min_expires = min});
    LONGS_EQUAL(1, other.sent.size());
    LONGS_EQUAL(423, c.status);
    TEXT_EQUAL("backoff", other.state());
  }
}

// Asterisk does this.
TEST(PublicationRows, a_423_that_says_no_more_is_asked_for_twice_as_much_in_time) {
  rig.publish("b1", 60);
  rig.answer({.status = 423});
  LONGLONGS_EQUAL(120, rig.last().expires);
  rig.answer({.status = 423});               // a second one in a row is not answered at once
  LONGS_EQUAL(2, rig.sent.size());
  TEXT_EQUAL("backoff", rig.state());
}

TEST(PublicationRows, a_423_above_our_max_expires_is_no_loop) {
  rig.publish("b1", 60);
  rig.answer({.status = 423, .min_expires = 86401});
  LONGS_EQUAL(1, rig.sent.size());
  TEXT_EQUAL("backoff", rig.state());
}

TEST(PublicationRows, a_server_that_raises_min_expires_each_time_gets_no_storm) {
  rig.publish("b1", kForEver);
  for (int i = 0; i < 5; i++) {
    if (!rig.open()) rig.advance(400 * kSecond);
    rig.answer({.status = 423, .min_expires = rig.last().expires + 1});
  }
  // The first is answered at once, the others wait longer and longer.
  CHECK(rig.sent[2].at >= rig.sent[1].at + 1500);
  CHECK(rig.sent[4].at >= rig.sent[3].at + 3000);
}

// --- 401, 407 ----------------------------------------------------------------------------------------------------

// The SIP stack answers challenges (tests/sip): only those for which its credentials are not enough reach the engine.
TEST(PublicationRows, a_401_or_407_that_credentials_could_not_answer_keeps_the_record) {
  keeps_the_record(401);
  keeps_the_record(407);
  LONGS_EQUAL(2, rig.stats().auth_failures);
  CHECK(rig.logged(LogLevel::error, "credentials"));
}

TEST(PublicationRows, a_cseq_that_digest_made_grow_is_counted_on) {
  rig.publish("b1");
  rig.answer({.etag = "e1", .expires = 600, .cseq = 2});
  rig.publish("b2");
  LONGS_EQUAL(3, rig.last().cseq);
}
