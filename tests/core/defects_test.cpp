// One test for each defect of the two existing implementations that was seen on the wire and concerns publications.
// Those known from their trackers and their code: defects_opensips_test.cpp, defects_kamailio_test.cpp.
#include <map>
#include <string>
#include <vector>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Defects) {
  Rig rig;
  const std::string kBob = "sip:bob@example.com";

  // A refresh by timer of a record that is live for ever gets this reply: the record is still there and comes back.
  void refresh_gets(const Answer& a) {
    rig.publish("b1", kForEver);
    rig.ok("e1", 600);
    rig.advance(480 * kSecond);
    TEXT_EQUAL("initial refresh", rig.kinds());
    rig.answer(a);
    CHECK(rig.record() != nullptr);
    LONGS_EQUAL(1, rig.rows().size());
    if (!rig.open()) rig.advance(3 * kSecond);
    CHECK(rig.last().at < rig.sent[0].at + 600 * kSecond);  // before the grant ends
    rig.ok("e2", 600);
    TEXT_EQUAL("live", rig.state());
    TEXT_EQUAL("e2", rig.record()->etag());
    TEXT_EQUAL("b1", rig.record()->body());
  }
};

// seen: a 412, 423, 500, 503 or 408 to a refresh deletes the record silently; 423's Min-Expires is ignored
TEST(Defects, a_412_to_a_refresh_does_not_delete_the_record) { refresh_gets({.status = 412}); }
TEST(Defects, a_423_to_a_refresh_does_not_delete_the_record) {
  refresh_gets({.status = 423, .min_expires = 7200});
  LONGLONGS_EQUAL(7200, rig.last().expires);
}
TEST(Defects, a_500_to_a_refresh_does_not_delete_the_record) { refresh_gets({.status = 500}); }
TEST(Defects, a_503_to_a_refresh_does_not_delete_the_record) { refresh_gets({.status = 503}); }
TEST(Defects, a_408_to_a_refresh_does_not_delete_the_record) { refresh_gets({.status = 408}); }
TEST(Defects, silence_to_a_refresh_does_not_delete_the_record) {
  refresh_gets({.status = 408, .origin = ReplyOrigin::Timeout});
}

// seen: a grant of 60 s with the default period is first refreshed at 95 s
TEST(Defects, a_short_grant_is_refreshed_before_it_ends) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 60);
  rig.advance(59 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  CHECK(rig.last().at <= rig.sent[0].at + 30 * kSecond);
}

// seen: OpenSIPS withdraws a finite publication 5 s early ... (os #3125, #2862: up to update_period)
TEST(Defects, a_finite_publication_is_not_withdrawn_early) {
  rig.live("e1", 120);
  rig.advance(120 * kSecond - 1);
  TEXT_EQUAL("initial", rig.kinds());
}

// seen: ... Kamailio never withdraws it (os #16, #130: the final PUBLISH is missing)
TEST(Defects, a_finite_publication_is_withdrawn_at_its_end) {
  rig.live("e1", 120);
  rig.advance(120 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

// seen: expires=-1 becomes 301 s (OpenSIPS)
TEST(Defects, expires_minus_one_is_for_ever) {
  rig.settings.min_expires = 300;
  rig.boot();
  rig.publish("b1", -1);
  LONGLONGS_EQUAL(3600, rig.last().expires);
  for (int i = 0; i < 100; i++) {
    rig.ok("e" + std::to_string(i));
    rig.advance(3600 * kSecond);
    TEXT_EQUAL("refresh", rig.last().kind());
  }
}

// c (os): with min_expires=0, -1 becomes a removal
TEST(Defects, expires_minus_one_is_no_removal_without_a_min_expires) {
  rig.live("e1");
  rig.publish("b2", -1);
  TEXT_EQUAL("initial modify", rig.kinds());
  LONGLONGS_EQUAL(3600, rig.last().expires);
}

// seen: a removal goes out as `Expires: 10` with min_expires=10 (Kamailio; also c)
TEST(Defects, a_removal_goes_out_with_expires_0_whatever_min_expires) {
  rig.settings.min_expires = 10;
  rig.boot();
  rig.live("e1");
  rig.remove();
  LONGLONGS_EQUAL(0, rig.last().expires);
  rig.ok("", 0);
  rig.publish("b2", 60);
  rig.answer({.status = 423, .min_expires = 900});  // nor whatever the server's
  rig.ok("e2");
  rig.remove();
  LONGLONGS_EQUAL(0, rig.last().expires);
}

// seen: while the server is silent, a new parallel refresh starts every period ...
TEST(Defects, a_silent_server_gets_one_request_per_record) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 60);
  rig.advance(59 * kSecond);
  for (int i = 0; i < 20; i++) {
    CHECK(rig.open() <= 1);
    rig.advance(10 * kSecond);
    if (rig.open() && rig.now - rig.last().at >= 32 * kSecond) rig.time_out(rig.last());
  }
}

// seen: ... and when it comes back, each 200 becomes a duplicate record, refreshed for ever (Kamailio)
TEST(Defects, when_a_silent_server_comes_back_there_is_one_record_and_one_row) {
  for (int i = 0; i < 50; i++) {
    rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .expires = kForEver, .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i), 60);
  }
  for (int round = 0; round < 10; round++) {  // all that is sent times out
    rig.advance(32 * kSecond);
    for (Sent& s : rig.sent) {
      if (!s.answered && rig.now - s.at >= 32 * kSecond) rig.time_out(s);
    }
  }
  std::map<std::string, std::string> server;  // state by URI: one who answers all
  for (int i = 0; i < 600; i++) {
    for (size_t n = 0; n < rig.sent.size(); n++) {
      if (!rig.sent[n].answered) rig.answer(rig.sent[n], {.etag = server[rig.sent[n].uri] = "n" + std::to_string(n), .expires = 600});
    }
    rig.advance(kSecond / 2);
  }
  LONGS_EQUAL(50, rig.engine->records());
  LONGS_EQUAL(50, rig.rows().size());
  LONGS_EQUAL(50, rig.stats().live);
  size_t before = rig.sent.size();
  rig.advance(480 * kSecond);
  CHECK(rig.sent.size() - before <= 50);
}

// seen: Kamailio empties the table after loading it and loses everything if it dies within the next period ...
TEST(Defects, a_kill_right_after_a_restart_loses_nothing) {
  rig.live("e1");
  for (int i = 0; i < 5; i++) {
    rig.restart();
    LONGS_EQUAL(1, rig.rows().size());
    TEXT_EQUAL("e1", rig.row().row().etag);
  }
  rig.publish("b2");
  TEXT_EQUAL("e1", rig.last().if_match);
}

// seen: ... it does not flush on SIGTERM
TEST(Defects, what_is_unwritten_at_the_end_is_flushed) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 600);
  rig.advance(480 * kSecond);
  rig.ok("e2", 600);  // nobody waits for this row
  CHECK_FALSE(rig.behind->clean());
  rig.engine->shutdown();
  rig.behind->flush(rig.now);
  rig.behind->run(rig.now);
  CHECK(rig.behind->clean());
  TEXT_EQUAL("e2", rig.row().row().etag);
}

// seen: one row with a duplicate key blocks all later rows of every pass (Kamailio; kam #377, #104; c: poison pill)
TEST(Defects, one_bad_row_never_blocks_the_others) {
  rig.store->bad_row = [this](const Row& r) { return r.pres_uri == kBob; };
  rig.ask({.uri = kBob, .expires = kForEver, .body = "b"});
  rig.settle();
  rig.ok("e0");
  for (int i = 0; i < 20; i++) {
    Call& c = rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .expires = kForEver, .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i));
    CHECK(c.durable);
    rig.advance(kSecond);
  }
  LONGS_EQUAL(20, rig.rows().size());
}
