// The end of an engine, its observers, its counters, its lists, and when it wants to run.
#include <set>
#include <string>
#include <vector>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Lifecycle) {
  Rig rig;
  std::string uri(int i) { return "sip:u" + std::to_string(i) + "@example.com"; }
  void publish(int from, int to) {
    for (int i = from; i < to; i++) {
      rig.ask({.uri = uri(i), .expires = kForEver, .body = "b"});
      rig.settle();
      rig.ok("e" + std::to_string(i));
    }
  }
  std::vector<std::string> list(const ListFilter& f, uint32_t limit = 1000) {
    std::vector<std::string> all;
    uint64_t cursor = 0;
    do {
      ListPage page = rig.engine->list(f, cursor, limit, [&](const RecordView& v) { all.emplace_back(v.pres_uri); }, rig.now);
      cursor = page.next;
    } while (cursor);
    return all;
  }
};

// --- shutdown ----------------------------------------------------------------------------------------------------

TEST(Lifecycle, shutdown_completes_everything_open_exactly_once) {
  rig.settings.max_in_flight = 2;
  rig.boot();
  rig.live("e1");
  rig.store->delay_ms = 30;
  rig.publish("b2");                                       // its intent is being committed
  rig.ask({.uri = uri(1), .body = "b"});                   // out
  rig.ask({.uri = uri(1), .body = "c"});                   // waits behind it
  rig.ask({.uri = uri(1), .expires = 0});                  // replaced that
  rig.ask({.uri = uri(2), .body = "b"});                   // out
  rig.settle();
  rig.ask({.uri = uri(3), .body = "b"});                   // queued
  rig.answer(rig.sent[1], {.etag = "e2", .expires = 600}); // waits for its commit
  rig.engine->shutdown();
  for (const Call& c : rig.calls) {
    LONGS_EQUAL(0, static_cast<int>(c.code));
    LONGS_EQUAL(1, c.completed);
  }
  LONGS_EQUAL(487, rig.calls[1].status);
  CHECK(rig.calls[1].origin == ReplyOrigin::Shutdown);
  LONGS_EQUAL(200, rig.calls[2].status);  // its reply had come before the shutdown
  CHECK_FALSE(rig.calls[2].durable);
  rig.engine->shutdown();
  rig.advance(10 * kSecond);
  for (const Call& c : rig.calls) LONGS_EQUAL(1, c.completed);
}

TEST(Lifecycle, after_shutdown_nothing_is_taken_and_late_events_are_harmless) {
  rig.publish("b1");
  Sent& out = rig.last();
  rig.engine->shutdown();
  Call& c = rig.publish("b2");
  LONGS_EQUAL(static_cast<int>(Errc::shutting_down), static_cast<int>(c.code));
  SipReply late;
  late.status = 200;
  rig.engine->on_reply(out.txn, late, rig.now);
  rig.engine->run(rig.now);
  LONGS_EQUAL(1, rig.completions);
}

TEST(Lifecycle, shutdown_inside_a_completion_is_legal_and_completes_the_others) {
  rig.publish("b1");
  rig.publish("b2");
  rig.publish("b3");
  rig.ask({.uri = uri(1), .body = "b"});
  bool once = true;
  rig.when_completed = [&](Call&) {
    if (std::exchange(once, false)) rig.engine->shutdown();
  };
  rig.ok("e1");
  for (const Call& c : rig.calls) LONGS_EQUAL(1, c.completed);
}

TEST(Lifecycle, shutdown_inside_a_completion_leaves_nothing_to_be_called_after_it) {
  rig.publish("b1");
  rig.publish("b2");
  rig.publish("b3");
  rig.ask({.uri = uri(1), .body = "b"});
  std::string ran;
  rig.when_completed = [&](Call& c) {
    ran += std::to_string(c.status) + (c.superseded ? "s " : " ");
    if (rig.completions != 1) return;
    rig.engine->shutdown();
    ran += "over ";
    LONGS_EQUAL(4, rig.completions);
  };
  rig.ok("e1");    // b1 is answered; b2 was replaced by b3
  rig.settle();
  TEXT_EQUAL("200 487s 487 487 over ", ran);
}

TEST(Lifecycle, the_callers_of_one_outcome_get_it_though_the_first_one_shuts_down) {
  for (const char* body : {"b1", "b2", "b3"}) rig.ask({.body = body});   // the last one replaces the others before it is sent
  rig.settle();
  std::string ran;
  rig.when_completed = [&](Call& c) {
    ran += std::to_string(c.status) + c.etag + (c.superseded ? "s " : " ");
    if (rig.completions != 1) return;
    rig.engine->shutdown();
    ran += "over ";
  };
  rig.ok("e1");
  rig.settle();
  TEXT_EQUAL("200e1s 200e1s 200e1 over ", ran);
  LONGS_EQUAL(3, rig.stats().completed);
  LONGS_EQUAL(2, rig.stats().superseded);
}

TEST(Lifecycle, shutdown_inside_what_a_shutdown_completes_leaves_nothing_either) {
  rig.settings.max_in_flight = 1;
  rig.boot();
  for (int i = 0; i < 3; i++) {
    rig.ask({.uri = uri(i), .body = "b"});
    rig.ask({.uri = uri(i), .body = "c"});
  }
  int at_the_end = 0;
  rig.when_completed = [&](Call&) {
    if (rig.completions != 2) return;      // in the middle of the first record's callers, or between two records
    rig.engine->shutdown();
    at_the_end = rig.completions;
  };
  CHECK(rig.engine->shutdown_some() || rig.engine->shutdown_some());
  LONGS_EQUAL(6, at_the_end);
  for (const Call& c : rig.calls) LONGS_EQUAL(1, c.completed);
}

TEST(Lifecycle, shutdown_inside_an_observer_completes_the_outcomes_behind_it) {
  std::string ran;
  for (int i = 0; i < 2; i++) {
    rig.engine->observe(64, [&, i](const RecordView&, const Outcome&) {
      ran += "observer" + std::to_string(i) + " ";
      rig.engine->shutdown();
      ran += "over ";
    });
  }
  rig.when_completed = [&](Call& c) { ran += std::to_string(c.status) + " "; };
  rig.ask({.uri = uri(1), .body = "b"});
  rig.settle();
  rig.ask({.uri = uri(2), .body = "b"});
  rig.ok("e1");
  rig.settle();
  TEXT_EQUAL("200 observer0 487 over ", ran);
}

TEST(Lifecycle, shutdown_of_a_large_table_takes_several_calls_and_completes_each_once) {
  constexpr int kOpen = 20000;
  rig.settings.max_in_flight = 2;
  rig.boot();
  for (int i = 0; i < kOpen; i++) rig.ask({.uri = uri(i), .body = "b"});
  int calls = 0, before = 0;
  for (bool over = false; !over; calls++) {
    over = rig.engine->shutdown_some();
    CHECK(rig.completions - before < 1024 + 16);  // the table is walked in whole buckets, so that there may be some more
    before = rig.completions;
  }
  LONGS_EQUAL(kOpen, rig.completions);
  LONGS_EQUAL(20, calls);
  CHECK(rig.engine->shutdown_some());
  LONGS_EQUAL(kOpen, rig.completions);
}

TEST(Lifecycle, shutdown_does_not_withdraw) {
  publish(0, 3);
  rig.engine->shutdown();
  rig.advance(kSecond);
  LONGS_EQUAL(3, rig.sent.size());
  LONGS_EQUAL(3, rig.rows().size());
}

TEST(Lifecycle, remove_all_withdraws_every_publication) {
  publish(0, 5);
  rig.ask({.uri = uri(5), .body = "b"});  // out
  rig.settle();
  rig.engine->stop_taking();
  CHECK(rig.publish("b9").code == Errc::shutting_down);
  rig.engine->remove_all();
  rig.settle();
  LONGS_EQUAL(6, rig.open());
  CHECK_FALSE(rig.engine->quiet());
  rig.answer(rig.sent[5], {.etag = "e5", .expires = 600});
  std::set<std::string> removed;
  for (Sent& s : rig.sent) {
    if (s.answered) continue;
    TEXT_EQUAL("remove", s.kind());
    removed.insert(s.uri);
    rig.answer(s, {});
  }
  LONGS_EQUAL(6, removed.size());
  rig.advance(200);
  CHECK(rig.engine->quiet());
  LONGS_EQUAL(0, rig.engine->records());
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(Lifecycle, what_is_out_while_all_is_removed_has_an_outcome_of_its_own) {
  rig.live();
  Call& c = rig.publish("b2");
  rig.engine->remove_all();
  rig.settle();
  rig.ok("e2");
  LONGS_EQUAL(200, c.status);
  CHECK_FALSE(c.superseded);
  TEXT_EQUAL("initial modify remove", rig.kinds());
  TEXT_EQUAL("e2", rig.last().if_match);
}

// The server granted an hour where four seconds were asked for: the removal is tried for as long as it may hold the state.
TEST(Lifecycle, a_removal_is_tried_until_the_end_of_what_was_granted) {
  rig.publish("b1", 4);
  rig.ok("e1", 3600);
  rig.advance(4 * kSecond);
  for (int i = 0; i < 600; i++) {
    if (rig.open()) rig.reject(480);
    rig.advance(kSecond);
  }
  TEXT_EQUAL("backoff", rig.state());
  LONGLONGS_EQUAL(3600, rig.row().row().expires - (rig.now + rig.epoch_offset) / 1000 + 604);   // also after a restart
  for (int i = 0; i < 400 && !rig.open(); i++) rig.advance(kSecond);
  rig.ok("", 0);
  rig.advance(kSecond);
  TEXT_EQUAL("none", rig.state());
}

TEST(Lifecycle, remove_all_also_stops_what_waits_behind_a_removal) {
  rig.live("e1");
  rig.remove();
  Call& c = rig.publish("b2");
  rig.engine->remove_all();
  rig.settle();
  rig.ok("", 0);
  rig.advance(200);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(0, rig.engine->records());
}

// --- observers ---------------------------------------------------------------------------------------------------

TEST(Lifecycle, observers_see_the_sources_of_their_mask_and_the_record_as_it_was) {
  struct Seen { std::string uri, etag, state, event; int status; bool by_timer; void* param; int64_t expires_in; };
  std::vector<Seen> seen;
  rig.engine->observe(64 | 1024, [&](const RecordView& v, const Outcome& o) {
    seen.push_back({std::string(v.pres_uri), std::string(v.etag), std::string(v.state), std::string(v.event_name), o.status,
                    o.by_timer, v.cb_param, v.expires_in});
  });
  int others = 0;
  rig.engine->observe(1, [&](const RecordView&, const Outcome&) { others++; });
  int param = 0;
  rig.ask({.expires = kForEver, .body = "b1", .cb_param = &param});
  rig.settle();
  rig.ok("e1", 600);
  LONGS_EQUAL(1, seen.size());
  TEXT_EQUAL(kAlice, seen[0].uri);
  TEXT_EQUAL("e1", seen[0].etag);
  TEXT_EQUAL("live", seen[0].state);
  TEXT_EQUAL("presence", seen[0].event);
  LONGLONGS_EQUAL(600, seen[0].expires_in);
  POINTERS_EQUAL(&param, seen[0].param);
  CHECK_FALSE(seen[0].by_timer);
  rig.advance(480 * kSecond);
  rig.ok("e2", 600);
  LONGS_EQUAL(2, seen.size());
  CHECK(seen[1].by_timer);  // a refresh by timer says so, and has the owner's callback parameter
  POINTERS_EQUAL(&param, seen[1].param);
  LONGS_EQUAL(0, others);
  rig.remove();
  rig.ok("", 0);
  LONGS_EQUAL(3, seen.size());
}

TEST(Lifecycle, observers_see_failures_too) {
  std::vector<int> seen;
  rig.engine->observe(64, [&](const RecordView&, const Outcome& o) { seen.push_back(o.status); });
  rig.publish("b1");
  rig.reject(503);
  rig.advance(3 * kSecond);
  rig.time_out();
  LONGS_EQUAL(2, seen.size());
  LONGS_EQUAL(503, seen[0]);
  LONGS_EQUAL(408, seen[1]);
}

TEST(Lifecycle, an_observer_may_shut_the_engine_down) {
  int first = 0, second = 0;
  rig.engine->observe(64, [&](const RecordView&, const Outcome&) {
    first++;
    rig.engine->shutdown();
  });
  rig.engine->observe(64, [&](const RecordView&, const Outcome&) { second++; });
  rig.live("e1");
  LONGS_EQUAL(1, first);
  LONGS_EQUAL(0, second);
}

// --- counters ----------------------------------------------------------------------------------------------------

TEST(Lifecycle, gauges_add_up_to_the_records_in_every_state) {
  rig.settings.max_in_flight = 2;
  rig.boot();
  publish(0, 2);
  rig.store->delay_ms = 30;
  rig.ask({.uri = uri(0), .body = "b2"});  // intent
  rig.ask({.uri = uri(2), .body = "b"});   // out, then backing off
  rig.settle();
  rig.reject(500);
  for (int i = 3; i < 6; i++) rig.ask({.uri = uri(i), .body = "b"});
  rig.settle();
  Stats s = rig.stats();
  LONGS_EQUAL(6, s.records);
  LONGS_EQUAL(1, s.live);
  LONGS_EQUAL(1, s.intent);
  LONGS_EQUAL(1, s.backoff);
  LONGS_EQUAL(2, s.sending);
  LONGS_EQUAL(1, s.queued);
  LONGS_EQUAL(0, s.gone);
  LONGS_EQUAL(2, s.in_flight);
}

TEST(Lifecycle, counters_count_what_went_out_and_what_came_back) {
  rig.live("e1");
  rig.publish("b2");
  rig.ok("e2");
  rig.refresh();
  rig.reject(302);
  rig.advance(3 * kSecond);
  rig.reject(603);
  rig.remove();
  rig.reject(500);
  rig.advance(3 * kSecond);
  rig.reject(412);
  Stats s = rig.stats();
  LONGS_EQUAL(1, s.requests_initial);
  LONGS_EQUAL(1, s.requests_modify);
  LONGS_EQUAL(2, s.requests_refresh);
  LONGS_EQUAL(2, s.requests_remove);
  LONGS_EQUAL(2, s.replies_2xx);
  LONGS_EQUAL(1, s.replies_3xx);
  LONGS_EQUAL(1, s.replies_4xx);
  LONGS_EQUAL(1, s.replies_5xx);
  LONGS_EQUAL(1, s.replies_6xx);
  LONGS_EQUAL(1, s.replies_412);
  LONGS_EQUAL(4, s.accepted);
  LONGS_EQUAL(4, s.completed);
}

// --- lists -------------------------------------------------------------------------------------------------------

TEST(Lifecycle, a_list_in_pages_shows_each_record_once) {
  publish(0, 200);
  for (uint32_t limit : {0u, 1u, 7u, 50u, 1000u}) {
    auto all = list({}, limit);
    LONGS_EQUAL(200, all.size());
    LONGS_EQUAL(200, std::set<std::string>(all.begin(), all.end()).size());
  }
}

TEST(Lifecycle, a_list_can_be_filtered) {
  publish(0, 12);
  rig.ask({.uri = uri(3), .body = "d", .event = kDialog});
  rig.settle();
  rig.reject(500);
  rig.ask({.uri = uri(4), .body = "b", .source = 1});
  LONGS_EQUAL(14, list({}).size());
  LONGS_EQUAL(2, list({"sip:u3@example.com", 0, 0, {}}).size());
  LONGS_EQUAL(4, list({"sip:u1*", 0, 0, {}}).size() + list({"sip:u11@*", 0, 0, {}}).size());
  LONGS_EQUAL(14, list({"*", 0, 0, {}}).size());
  LONGS_EQUAL(0, list({"sip:u", 0, 0, {}}).size());
  LONGS_EQUAL(1, list({{}, kDialog, 0, {}}).size());
  LONGS_EQUAL(1, list({{}, 0, 1, {}}).size());
  LONGS_EQUAL(12, list({{}, 0, 0, "live"}).size());
  LONGS_EQUAL(1, list({{}, 0, 0, "backoff"}).size());
}

TEST(Lifecycle, what_header_lines_say_of_the_document_goes_with_it_only) {
  rig.ask({.body = "b1", .headers = "Content-Disposition: render\r\nX-A: 1\r\n"});
  rig.settle();
  TEXT_EQUAL("Content-Disposition: render\r\nX-A: 1\r\n", rig.last().extra_headers);
  rig.ok("e1");
  rig.refresh();
  TEXT_EQUAL("", rig.last().body);
  TEXT_EQUAL("X-A: 1\r\n", rig.last().extra_headers);
}

TEST(Lifecycle, show_finds_all_records_of_a_uri_and_says_what_is_known) {
  rig.several_ids = true;
  rig.ask({.expires = 600, .body = "b1", .id = "phone", .headers = "X-A: 1\r\n", .proxy = "sip:10.0.0.1"});
  rig.settle();
  rig.ok("e1", 500);
  rig.ask({.body = "d", .event = kDialog});
  rig.advance(10 * kSecond);
  int n = 0;
  CHECK(rig.engine->show(kAlice, 0, 0, [&](const RecordView&) { n++; }, rig.now).ok());
  LONGS_EQUAL(2, n);
  CHECK(rig.engine->show(kAlice, kPresence, 64, [&](const RecordView& v) {
    TEXT_EQUAL("phone", v.pres_id);
    TEXT_EQUAL("presence", v.event_name);
    TEXT_EQUAL("e1", v.etag);
    TEXT_EQUAL("live", v.state);
    TEXT_EQUAL("b1", v.body);
    TEXT_EQUAL("application/pidf+xml", v.content_type);
    TEXT_EQUAL("X-A: 1\r\n", v.extra_headers);
    TEXT_EQUAL("sip:10.0.0.1", v.outbound_proxy);
    LONGLONGS_EQUAL(490, v.expires_in);
    LONGLONGS_EQUAL(590, v.wanted_in);
    CHECK(v.next_in_ms > 0);
    LONGS_EQUAL(200, v.last_status);
    LONGS_EQUAL(1, v.cseq);
    CHECK(v.stored);
    CHECK_FALSE(v.removing);
  }, rig.now).ok());
  LONGS_EQUAL(static_cast<int>(Errc::not_found),
              static_cast<int>(rig.engine->show("sip:nobody@example.com", 0, 0, [](const RecordView&) {}, rig.now).code()));
  LONGS_EQUAL(static_cast<int>(Errc::not_found),
              static_cast<int>(rig.engine->show(kAlice, kCallInfo, 0, [](const RecordView&) {}, rig.now).code()));
}

// --- turns -------------------------------------------------------------------------------------------------------

TEST(Lifecycle, an_idle_engine_wants_no_turn_before_its_first_deadline) {
  publish(0, 100);
  rig.advance(kSecond);
  MonoMs due = rig.engine->next_due();
  CHECK(due > rig.now + 2000 * kSecond);
  CHECK(due < rig.now + 3600 * kSecond);
  LONGLONGS_EQUAL(kNever, rig.behind->next_due());
}

TEST(Lifecycle, wake_is_called_when_something_becomes_due_sooner) {
  publish(0, 1);
  rig.wakes.clear();
  rig.ask({.uri = uri(5), .body = "b"});
  CHECK_FALSE(rig.wakes.empty());
  CHECK(rig.wakes.back() <= rig.now);
}

TEST(Lifecycle, a_turn_is_a_bounded_piece_of_work) {
  for (int i = 0; i < 1000; i++) rig.ask({.uri = uri(i), .expires = kForEver, .body = "b"});
  size_t most = 0, turns = 0;
  while (rig.engine->next_due() <= rig.now) {
    size_t before = rig.sent.size();
    rig.engine->run(rig.now);
    most = std::max(most, rig.sent.size() - before);
    turns++;
  }
  LONGS_EQUAL(1000, rig.sent.size());
  CHECK(most <= 64);
  CHECK(turns >= 1000 / 64);
}
