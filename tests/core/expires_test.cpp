// Expires: what is asked for, for how long a publication lives, and when it is withdrawn.
#include <string>
#include <vector>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Expires) {
  Rig rig;
  int64_t asked(int64_t expires, int32_t event = kPresence) {
    rig.ask({.expires = expires, .body = "b", .event = event});
    rig.settle();
    return rig.last().expires;
  }
  // Keeps a publication alive with grants of `grant` s. Returns when it was withdrawn, in ms after the first request.
  MonoMs withdrawn_after(int64_t wanted, int64_t grant) {
    MonoMs began = rig.now;
    asked(wanted);
    for (int i = 0; i < 100000 && rig.now < began + (wanted + 100) * kSecond; i++) {
      if (rig.open()) {
        if (rig.last().expires == 0) return rig.last().at - began;
        rig.ok("e" + std::to_string(i), std::min(grant, rig.last().expires));
      }
      rig.advance(100);
    }
    return -1;
  }
};

TEST(Expires, a_lifetime_goes_on_the_wire_as_it_is_without_plus_one) {
  for (int64_t s : {1, 2, 60, 300, 3599, 3600, 86400}) {
    Rig other;
    other.publish("b", s);
    LONGLONGS_EQUAL(s, other.last().expires);
  }
}

TEST(Expires, min_expires_is_the_lower_bound_on_the_wire) {
  rig.settings.min_expires = 300;
  rig.boot();
  LONGLONGS_EQUAL(300, asked(10));
}

TEST(Expires, min_expires_is_never_applied_to_a_removal) {
  rig.settings.min_expires = 300;
  rig.boot();
  rig.live("e1");
  rig.remove();
  LONGLONGS_EQUAL(0, rig.last().expires);
}

TEST(Expires, min_expires_does_not_lengthen_the_wanted_lifetime) {
  rig.settings.min_expires = 300;
  rig.boot();
  LONGLONGS_EQUAL(10000, withdrawn_after(10, 3600));
}

TEST(Expires, max_expires_is_the_upper_bound_on_the_wire) {
  rig.settings.max_expires = 7200;
  rig.boot();
  LONGLONGS_EQUAL(7200, asked(86400));
}

TEST(Expires, max_expires_may_differ_per_event) {
  rig.settings.max_expires = 7200;
  rig.settings.max_expires_by_event = {{kDialog, 600}};
  rig.boot();
  LONGLONGS_EQUAL(600, asked(3600, kDialog));
  LONGLONGS_EQUAL(3600, asked(3600, kPresence));
}

TEST(Expires, a_max_expires_below_the_wanted_lifetime_does_not_shorten_it) {
  rig.settings.max_expires = 60;
  rig.boot();
  LONGLONGS_EQUAL(300000, withdrawn_after(300, 3600));
  CHECK(rig.sent.size() > 4);
}

TEST(Expires, for_ever_asks_for_default_expires_each_period) {
  rig.settings.default_expires = 900;
  rig.boot();
  LONGLONGS_EQUAL(900, asked(kForEver));
  for (int i = 0; i < 50; i++) {
    rig.ok("e" + std::to_string(i));
    rig.advance(900 * kSecond);
    LONGLONGS_EQUAL(900, rig.last().expires);
    TEXT_EQUAL("refresh", rig.last().kind());
    CHECK(rig.open() == 1);
  }
}

TEST(Expires, every_negative_value_is_for_ever) {
  for (int64_t s : {int64_t{-1}, int64_t{-300}, INT64_MIN}) {
    Rig other;
    other.publish("b", s);
    LONGLONGS_EQUAL(3600, other.last().expires);
    LONGLONGS_EQUAL(kNever, other.record()->m->wanted_end);
  }
}

TEST(Expires, a_value_that_no_header_could_carry_is_refused) {
  Call& c = rig.publish("b", int64_t{INT32_MAX} + 1);
  LONGS_EQUAL(static_cast<int>(Errc::bad_argument), static_cast<int>(c.code));
  STRCMP_CONTAINS("expires", c.message.c_str());
  LONGS_EQUAL(0, static_cast<int>(rig.publish("b", INT32_MAX).code));
}

TEST(Expires, the_removal_goes_out_exactly_at_the_wanted_end) {
  LONGLONGS_EQUAL(600000, withdrawn_after(600, 3600));
}

TEST(Expires, the_removal_goes_out_exactly_at_the_wanted_end_also_after_refreshes) {
  LONGLONGS_EQUAL(600000, withdrawn_after(600, 70));
  CHECK(rig.sent.size() > 10);
}

TEST(Expires, a_refresh_asks_for_the_remaining_time) {
  asked(1000);
  rig.ok("e1", 600);
  rig.advance(480 * kSecond);
  const Sent& s = rig.last();
  TEXT_EQUAL("refresh", s.kind());
  MonoMs remaining = rig.sent.front().at + 1000000 - s.at;
  LONGLONGS_EQUAL((remaining + 999) / 1000, s.expires);
}

TEST(Expires, a_new_request_sets_a_new_lifetime) {
  asked(100);
  rig.ok("e1");
  rig.advance(50 * kSecond);
  rig.refresh(1000);
  rig.ok("e2");
  rig.advance(999 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh remove", rig.kinds());
}

TEST(Expires, a_shorter_lifetime_shortens) {
  asked(kForEver);
  rig.ok("e1");
  rig.refresh(20);
  LONGLONGS_EQUAL(20, rig.last().expires);
  rig.ok("e2", 20);
  rig.advance(20 * kSecond);
  TEXT_EQUAL("initial refresh remove", rig.kinds());
}

TEST(Expires, a_lifetime_that_ends_while_the_request_is_out_is_withdrawn_with_the_reply) {
  asked(5);
  rig.advance(8 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
  rig.ok("e1");
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(Expires, a_lifetime_that_ends_in_the_queue_never_leaves) {
  rig.settings.max_in_flight = 1;
  rig.boot();
  rig.ask({.uri = "sip:bob@example.com", .body = "b"});
  rig.settle();
  Call& c = rig.publish("b1", 5);
  rig.advance(5 * kSecond);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(480, c.status);
  rig.answer(rig.sent[0], {.etag = "e1", .expires = 60});
  LONGS_EQUAL(1, rig.sent.size());
  LONGS_EQUAL(1, rig.stats().expired);
}

TEST(Expires, lifetimes_that_end_in_the_queue_as_a_place_is_free_never_leave) {
  rig.settings.max_in_flight = 1;
  rig.boot();
  rig.ask({.uri = "sip:first@example.com", .body = "b"});
  rig.settle();
  std::vector<Call*> calls;
  for (const char* uri : {"sip:bob@example.com", "sip:carol@example.com", "sip:dave@example.com"})
    calls.push_back(&rig.ask({.uri = uri, .expires = 5, .body = "b"}));
  rig.settle();
  rig.now += 5 * kSecond;      // nothing ran meanwhile: the deadline has come, and so has a slot
  rig.answer(rig.sent[0], {.etag = "e1", .expires = 60});
  LONGS_EQUAL(1, rig.sent.size());
  for (Call* c : calls) LONGS_EQUAL(480, c->status);
  LONGS_EQUAL(3, rig.stats().expired);
  LONGS_EQUAL(0, rig.stats().in_flight);
}

TEST(Expires, a_lifetime_counts_from_the_request_not_from_the_reply) {
  asked(100);
  rig.advance(20 * kSecond);
  rig.ok("e1", 100);
  rig.advance(80 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGLONGS_EQUAL(rig.sent[0].at + 100 * kSecond, rig.last().at);
}

TEST(Expires, an_expired_record_is_counted_and_its_row_deleted) {
  asked(60);
  rig.ok("e1");
  rig.advance(60 * kSecond);
  rig.ok("", 0);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

// --- grants that make no sense -------------------------------------------------------------------------------------

TEST(Expires, a_grant_above_what_was_asked_counts_as_asked_and_is_counted) {
  Call& c = rig.publish("b1", kForEver);
  rig.ok("e1", 4294967295);
  LONGLONGS_EQUAL(3600, c.granted);
  LONGS_EQUAL(1, rig.stats().grants_too_long);
  rig.advance(3000 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
}

TEST(Expires, a_grant_of_a_second_is_refreshed_no_more_often_than_every_two) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 1);
  MonoMs last = rig.now;
  for (int i = 2; i < 30; i++) {
    size_t before = rig.sent.size();
    rig.advance(kRefreshFloor - 1);
    LONGS_EQUAL(before, rig.sent.size());
    rig.advance(1);
    LONGS_EQUAL(before + 1, rig.sent.size());
    rig.ok("e" + std::to_string(i), 1);
    LONGLONGS_EQUAL(last + kRefreshFloor, rig.now);
    last = rig.now;
  }
}

// --- answers that come again and again: the log says why -----------------------------------------------------------

TEST(Expires, a_server_that_wants_more_than_we_may_ask_for_is_named_in_the_log) {
  rig.publish("b1", kForEver);
  rig.answer({.status = 423, .min_expires = 4294967295});
  CHECK(rig.logged(LogLevel::warning, "423 to PUBLISH for sip:alice@example.com: the server wants a longer lifetime than max_expires allows; kept and tried again"));
}

TEST(Expires, a_server_that_grants_nothing_is_named_in_the_log) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 0);
  CHECK(rig.logged(LogLevel::warning, "200 to PUBLISH for sip:alice@example.com: it grants nothing (Expires: 0); kept and tried again"));
}
