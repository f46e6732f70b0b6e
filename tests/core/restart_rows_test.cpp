// Rows that another program has written, or that are damaged, and the ids of new rows.
#include <string>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(RestartRows) {
  Rig rig;
  Row foreign(int64_t id, std::string_view uri) {
    Row r;
    r.id = id;
    r.flag = 64;
    r.event = kPresence;
    r.pres_uri = uri;
    r.etag = "e1";
    r.expires = in(600);
    r.body = "b1";
    r.call_id = "some-other-call@host";
    r.cseq = 1;
    return r;
  }
  int64_t in(int64_t seconds) { return (rig.now + rig.epoch_offset) / 1000 + seconds; }
};

TEST(RestartRows, no_cseq_is_used_twice_in_one_call_with_different_content) {
  // Refreshes do not wait for the disk, so that after a kill nobody knows the last CSeq.
  rig.publish("b1", kForEver);
  rig.ok("e1");
  for (int i = 2; i < 5; i++) {
    rig.refresh(kForEver);
    rig.kill();
    rig.boot();
    rig.refresh(kForEver);
    rig.ok("e" + std::to_string(i));
  }
  std::set<std::string> used;
  for (const Sent& s : rig.sent) CHECK(used.insert(s.call_id + " " + std::to_string(s.cseq)).second);
}

TEST(RestartRows, a_row_without_a_body_is_refreshed_and_its_412_means_state_lost) {
  Row r = foreign(5, kAlice);  // as migrated from a table that keeps no bodies
  r.body = {};
  rig.insert(r);
  rig.restart();
  TEXT_EQUAL("live", rig.state());
  std::vector<int> seen;
  rig.engine->observe(64, [&](const RecordView& v, const Outcome& o) {
    seen.push_back(o.status);
    CHECK(o.by_timer);
    TEXT_EQUAL(kAlice, v.pres_uri);
  });
  rig.advance(600 * kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL("e1", rig.last().if_match);
  rig.reject(412);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(1, rig.sent.size());
  LONGS_EQUAL(1, seen.size());  // the owner was told
  LONGS_EQUAL(412, seen[0]);
  CHECK(rig.logged(LogLevel::warning, "lost the state"));
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(RestartRows, a_row_without_a_body_takes_a_new_body_as_a_modify) {
  Row r = foreign(5, kAlice);
  r.body = {};
  rig.insert(r);
  rig.restart();
  rig.publish("b2");
  TEXT_EQUAL("modify", rig.kinds());
  TEXT_EQUAL("e1", rig.last().if_match);
}

TEST(RestartRows, bad_rows_are_refused_counted_and_left_alone) {
  struct { const char* what; void (*spoil)(Row&); } rows[] = {
      {"CR in the URI", [](Row& r) { r.pres_uri = "sip:a@example.com\r\nX: y"; }},
      {"no scheme", [](Row& r) { r.pres_uri = "alice"; }},
      {"line break in the entity-tag", [](Row& r) { r.etag = "e\n1"; }},
      {"header without a name", [](Row& r) { r.extra_headers = "nonsense\r\n"; }},
      {"Via injected", [](Row& r) { r.extra_headers = "Via: SIP/2.0/UDP h\r\n"; }},
      {"proxy is no URI", [](Row& r) { r.outbound_proxy = "10.0.0.1"; }},
      {"control character in the content type", [](Row& r) { r.content_type = "a/b\r\n"; }},
      {"source 0", [](Row& r) { r.flag = 0; }},
      {"a version that no newer one can follow", [](Row& r) { r.record_version = 0x80000000u; }},
      {"a node's", [](Row& r) { r.owner_epoch = 1; }},
  };
  int64_t id = 10;
  for (auto& row : rows) {
    std::string uri = "sip:u" + std::to_string(id) + "@example.com";
    Row r = foreign(id++, uri);
    row.spoil(r);
    rig.insert(r);
  }
  rig.insert(foreign(99, kAlice));
  rig.restart();
  LONGS_EQUAL(1, rig.engine->records());  // the good one
  LONGS_EQUAL(10, rig.stats().load_bad);
  rig.advance(700 * kSecond);
  LONGS_EQUAL(11, rig.rows().size());
}

TEST(RestartRows, new_ids_follow_the_largest_one_but_not_one_that_is_damage) {
  rig.insert(foreign(kMaxCountedId - 5, kAlice));
  rig.insert(foreign(kMaxRowId, "sip:far@example.com"));
  rig.restart();
  LONGS_EQUAL(2, rig.engine->records());
  rig.ask({.uri = "sip:new@example.com", .body = "b"});
  rig.settle();
  rig.advance(kSecond);
  int64_t id = 0;
  for (const StoredRow& r : rig.rows()) {
    if (r.row().pres_uri == "sip:new@example.com") id = r.row().id;
  }
  LONGLONGS_EQUAL(kMaxCountedId - 4, id);
}

TEST(RestartRows, rows_of_subscriptions_are_not_publications) {
  Row r = foreign(5, kAlice);
  r.watcher_uri = "sip:bob@example.com";
  rig.insert(r);
  rig.restart();
  LONGS_EQUAL(0, rig.engine->records());
  LONGS_EQUAL(0, rig.stats().load_bad);
  LONGS_EQUAL(1, rig.rows().size());
}

TEST(RestartRows, an_intent_of_an_unknown_number_is_none) {
  Row r = foreign(5, kAlice);
  r.intent = 77;
  rig.insert(r);
  rig.restart();
  TEXT_EQUAL("live", rig.state());
}

TEST(RestartRows, what_a_request_has_made_during_the_load_is_not_said_to_be_loaded) {
  for (int i = 0; i < 6; i++) {
    rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .body = "b"});
    rig.settle();
    rig.ok("e" + std::to_string(i));
  }
  rig.advance(500);
  rig.kill();
  rig.settings.load_page = 1;
  rig.load_delay_ms = 50;
  rig.boot();
  rig.publish("new");
  for (int ms = 0; ms < 1000 && rig.state() == "idle"; ms++) rig.advance(1);
  CHECK(rig.engine->loading());   // the store was asked for its row, has none, and goes on with the pages
  rig.advance(10 * kSecond);
  LONGS_EQUAL(7, rig.engine->records());
  CHECK(rig.logged(LogLevel::notice, "load: 6 publications, 0 subscriptions"));
}
