// One test for each defect of OpenSIPS that concerns publications: the issue of its tracker, or "c": by reading the code.
#include <map>
#include <string>
#include <vector>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(DefectsOpenSips) {
  Rig rig;
  const std::string kBob = "sip:bob@example.com";
};

// #3125: the removal comes before the end of the lifetime, so that the last body is lost
TEST(DefectsOpenSips, the_last_body_before_the_end_is_published) {
  rig.live("e1", 120);
  rig.advance(119 * kSecond);
  rig.publish("terminated", 10);
  TEXT_EQUAL("terminated", rig.last().body);
  rig.ok("e2");
  rig.advance(10 * kSecond - 1);
  TEXT_EQUAL("initial modify", rig.kinds());
  rig.advance(1);
  TEXT_EQUAL("initial modify remove", rig.kinds());
}

// #16, #130: rows deleted before the record's end was sent
TEST(DefectsOpenSips, the_row_stays_until_the_removal_was_answered) {
  rig.live("e1", 120);
  rig.advance(120 * kSecond + 500);
  LONGS_EQUAL(1, rig.rows().size());
  rig.ok("", 0);
  rig.advance(200);
  LONGS_EQUAL(0, rig.rows().size());
}

// #130: a row whose refresh is not flushed yet is deleted as expired
TEST(DefectsOpenSips, a_refreshed_row_is_never_deleted_as_expired) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 60);
  rig.advance(59 * kSecond);
  rig.store->down = true;
  rig.ok("e2", 3600);
  rig.advance(60 * kSecond);
  rig.store->down = false;
  rig.advance(60 * kSecond);
  TEXT_EQUAL("e2", rig.row().row().etag);
}

// #995: deletes inline, under the lock
TEST(DefectsOpenSips, no_call_and_no_reply_writes_to_the_store_by_itself) {
  rig.live("e1");
  size_t batches = rig.store->batch_sizes.size();
  rig.ask({.body = "b2"});
  rig.ask({.expires = 0});
  rig.ask({.uri = kBob, .body = "b"});
  LONGS_EQUAL(batches, rig.store->batch_sizes.size());
  rig.settle();
  SipReply r;
  r.status = 200;
  r.expires = 0;
  batches = rig.store->batch_sizes.size();
  rig.engine->on_reply(rig.last().txn, r, rig.now);
  LONGS_EQUAL(batches, rig.store->batch_sizes.size());
}

// #240, #241: nothing republished after a restart; "No E_Tag match" for ever
TEST(DefectsOpenSips, after_a_restart_of_both_full_state_appears_again) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 60);
  rig.restart();
  rig.advance(59 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("b1", rig.last().body);
}

// #2249: rapid PUBLISHes, 412, duplicates
TEST(DefectsOpenSips, rapid_publishes_are_serialised_and_coalesced) {
  for (int i = 0; i < 20; i++) rig.publish("b" + std::to_string(i));
  rig.ok("e1");
  LONGS_EQUAL(2, rig.sent.size());
  TEXT_EQUAL("b19", rig.last().body);
  TEXT_EQUAL("e1", rig.last().if_match);
}

// #3801: etag apparently not reused
TEST(DefectsOpenSips, each_request_carries_the_entity_tag_of_the_last_reply) {
  rig.live("e0");
  for (int i = 1; i < 10; i++) {
    if (i % 2) rig.publish("b" + std::to_string(i));
    else rig.refresh();
    TEXT_EQUAL("e" + std::to_string(i - 1), rig.last().if_match);
    rig.ok("e" + std::to_string(i));
  }
}

// #3802: a dangling early state
TEST(DefectsOpenSips, a_state_with_a_finite_lifetime_ends_though_nobody_comes_back_to_it) {
  rig.live("e1", 30);
  rig.kill();
  rig.now += 31 * kSecond;
  rig.boot();
  TEXT_EQUAL("initial remove", rig.kinds());
}

// #142: errors where a state is ended that was never there
TEST(DefectsOpenSips, ending_what_was_never_there_is_a_plain_answer) {
  LONGS_EQUAL(-9, static_cast<int>(rig.ask({.expires = 0}).code));
  for (auto& [level, line] : rig.lines) CHECK(level > LogLevel::warning);
}

// #124: the callback parameter is NULL on a refresh
TEST(DefectsOpenSips, the_callback_parameter_is_still_there_on_a_refresh) {
  int mine = 0;
  std::vector<void*> seen;
  rig.engine->observe(64, [&](const RecordView& v, const Outcome&) { seen.push_back(v.cb_param); });
  rig.ask({.expires = kForEver, .body = "b", .cb_param = &mine});
  rig.settle();
  rig.ok("e1", 60);
  for (int i = 0; i < 3; i++) {
    rig.advance(59 * kSecond);
    rig.ok("e2", 60);
  }
  LONGS_EQUAL(4, seen.size());
  for (void* p : seen) POINTERS_EQUAL(&mine, p);
}

// #3377: sharing_tag not written (c: nor in later rows)
TEST(DefectsOpenSips, the_sharing_tag_is_written_in_every_row) {
  rig.settings.sharing_tag = "vip";
  rig.boot();
  for (const char* uri : {"sip:a@h", "sip:b@h", "sip:c@h"}) {
    rig.ask({.uri = uri, .body = "b"});
    rig.settle();
    rig.ok("e");
  }
  for (const StoredRow& r : rig.rows()) TEXT_EQUAL("vip", r.row().sharing_tag);
}

// #55, #58, #70: crashes on over-long names
TEST(DefectsOpenSips, over_long_names_are_refused) {
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), static_cast<int>(rig.ask({.uri = "sip:" + std::string(100000, 'a') + "@h", .body = "b"}).code));
  LONGS_EQUAL(static_cast<int>(Errc::too_large), static_cast<int>(rig.ask({.body = "b", .id = std::string(100000, 'a')}).code));
}

// #1883: a callback that is not there is called
TEST(DefectsOpenSips, a_request_without_a_callback_is_legal) {
  PublishRequest q;
  q.source = 64;
  q.event = kPresence;
  q.pres_uri = kAlice;
  q.body = "b";
  CHECK(rig.engine->publish(q, nullptr, rig.now).ok());
  rig.settle();
  rig.ok("e1");
  LONGS_EQUAL(1, rig.stats().completed);
}

// c: a record is wedged by a send failure ...
TEST(DefectsOpenSips, a_send_failure_does_not_wedge_the_record) {
  rig.live("e1");
  rig.send_error = "no socket";
  Call& c = rig.publish("b2");
  LONGS_EQUAL(503, c.status);
  rig.send_error = "";
  rig.publish("b3");
  TEXT_EQUAL("b3", rig.last().body);
  rig.ok("e2");
  TEXT_EQUAL("live", rig.state());
}

// ... or by a 2xx without ETag or Expires
TEST(DefectsOpenSips, a_2xx_without_entity_tag_and_expires_does_not_wedge_the_record) {
  rig.publish("b1", kForEver);
  rig.answer({});
  TEXT_EQUAL("live", rig.state());
  rig.publish("b2", kForEver);
  TEXT_EQUAL("b2", rig.last().body);
  rig.answer({});
  rig.advance(3600 * kSecond);
  CHECK(rig.sent.size() >= 3);
}

// c: 300 and above: no callback, the queue behind is leaked
TEST(DefectsOpenSips, every_caller_is_told_of_a_refusal_and_the_queue_goes_on) {
  Call& c1 = rig.publish("b1");
  Call& c2 = rig.publish("b2");
  rig.reject(415);
  LONGS_EQUAL(415, c1.status);
  TEXT_EQUAL("b2", rig.last().body);
  rig.reject(404);
  LONGS_EQUAL(404, c2.status);
}

// c: DELETE too broad: siblings go too
TEST(DefectsOpenSips, deleting_one_row_leaves_its_siblings) {
  rig.several_ids = true;
  for (const char* id : {"", "a", "b"}) {
    rig.ask({.body = "b", .id = id});
    rig.settle();
    rig.ok(std::string("e") + id);
  }
  rig.remove();  // the one without an id
  rig.ok("", 0);
  rig.advance(200);
  LONGS_EQUAL(2, rig.rows().size());
  LONGS_EQUAL(2, rig.engine->records());
}

// c: DELETE too narrow: a stale etag, and the row is restored at the next start
TEST(DefectsOpenSips, a_delete_finds_its_row_though_the_entity_tag_on_the_disk_is_an_older_one) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 60);
  rig.advance(30 * kSecond);
  rig.ok("e2", 60);
  TEXT_EQUAL("e1", rig.row().row().etag);
  rig.remove();
  rig.ok("", 0);
  rig.advance(200);
  LONGS_EQUAL(0, rig.rows().size());
  rig.restart();
  LONGS_EQUAL(0, rig.engine->records());
}

// c: UPDATE without the event: one event's row overwrites another's
TEST(DefectsOpenSips, two_events_of_one_presentity_have_a_row_each) {
  rig.ask({.body = "p", .event = kPresence});
  rig.settle();
  rig.ok("ep");
  rig.ask({.body = "d", .event = kDialog});
  rig.settle();
  rig.ok("ed");
  rig.publish("p2");
  rig.ok("ep2");
  std::map<int, std::string> tags;
  for (const StoredRow& r : rig.rows()) tags[r.row().event] = r.row().etag;
  TEXT_EQUAL("ep2", tags[kPresence]);
  TEXT_EQUAL("ed", tags[kDialog]);
}

// c: a failed UPDATE is not repeated
TEST(DefectsOpenSips, a_failed_write_is_repeated) {
  rig.live("e1");
  rig.store->fail_writes = 2;
  rig.refresh();
  rig.ok("e2");
  rig.advance(5 * kSecond);
  TEXT_EQUAL("e2", rig.row().row().etag);
}

// c: 3000 and 256 byte buffers
TEST(DefectsOpenSips, large_bodies_and_headers_arrive_whole) {
  std::string body(16000, 'b'), headers = "X-A: " + std::string(4000, 'h') + "\r\n";
  rig.ask({.body = body, .headers = headers});
  rig.settle();
  TEXT_EQUAL(body, rig.last().body);
  TEXT_EQUAL(headers, rig.last().extra_headers);
}

// c: register_puacb stops at 512
TEST(DefectsOpenSips, observers_take_every_source_bit) {
  for (int bit = 0; bit < 31; bit++) {
    int32_t source = int32_t{1} << bit, seen = 0;
    rig.engine->observe(source, [&seen](const RecordView&, const Outcome&) { seen++; });
    rig.ask({.uri = "sip:s" + std::to_string(bit) + "@h", .body = "b", .source = source});
    rig.settle();
    rig.ok("e");
    LONGS_EQUAL(1, seen);
  }
}

// c: unbounded copy of the tuple id into 128 octets
TEST(DefectsOpenSips, a_long_tuple_id_does_no_harm) {
  std::string id(3000, 't');
  rig.processor = [&](const BodyRequest&, std::string&, bool& unchanged, std::string& tuple) -> Result<Unit> {
    tuple = id;
    unchanged = true;
    return success();
  };
  rig.live("e1");
  TEXT_EQUAL(id, rig.row().row().tuple_id);
}

// c: no result for an unpublish, and no retry
TEST(DefectsOpenSips, a_removal_has_a_result_and_is_tried_again) {
  rig.live("e1");
  Call& c = rig.remove();
  rig.time_out();
  LONGS_EQUAL(408, c.status);
  rig.advance(3 * kSecond);
  TEXT_EQUAL("initial remove remove", rig.kinds());
}

// c: INSERT_TYPE makes a new record every time
TEST(DefectsOpenSips, insert_type_never_makes_a_second_record) {
  for (int i = 0; i < 5; i++) {
    rig.ask({.body = "b", .type = RequestType::Insert});
    rig.settle();
    rig.ok("e" + std::to_string(i));
  }
  TEXT_EQUAL("initial modify modify modify modify", rig.kinds());
  LONGS_EQUAL(1, rig.engine->records());
}

// c: an empty SIP-If-Match line where there is no entity-tag
TEST(DefectsOpenSips, without_an_entity_tag_there_is_no_if_match) {
  rig.publish("b1", kForEver);
  rig.answer({.expires = 60});
  rig.advance(60 * kSecond);
  TEXT_EQUAL("", rig.last().if_match);
  TEXT_EQUAL("b1", rig.last().body);
}

// c: extra_headers are cleared by a request that names none
TEST(DefectsOpenSips, a_refresh_keeps_the_headers_of_its_publication) {
  rig.ask({.expires = kForEver, .body = "b", .headers = "X-A: 1\r\n"});
  rig.settle();
  rig.ok("e1", 60);
  rig.advance(59 * kSecond);
  TEXT_EQUAL("X-A: 1\r\n", rig.last().extra_headers);
}
