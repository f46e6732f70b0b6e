// Restarts of subscriptions: the dialog goes on with all that belongs to it.
//
//   engine                            notifier
//     |-- SUBSCRIBE, CSeq 1 ------------>|
//     |<-- 200, n1, Record-Route --------|
//     X  SIGKILL
//     |  rows are read
//     |<-- NOTIFY -----------------------|   is taken
//     |-- SUBSCRIBE, n1, Route, CSeq +n->|   once, to fetch the state
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/subscription.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SubscriptionRestart) {
  SubsRig rig;
  std::string uri(int i) { return "sip:u" + std::to_string(i) + "@example.com"; }
  // Makes n subscriptions to these presentities, live and committed.
  void many(int n, int64_t grant = 3600) {
    for (int i = 0; i < n; i++) rig.live({.expires = kForEver, .uri = uri(i)}, grant);
    rig.advance(200);
    LONGS_EQUAL(n, rig.rows().size());
  }
  static Row foreign(const Rig& r) {
    Row row;
    row.id = 5;
    row.flag = kMiSubscribe;
    row.event = kPresence;
    row.pres_uri = kAlice;
    row.watcher_uri = kBob;
    row.expires = (r.now + r.epoch_offset) / 1000 + 600;
    row.call_id = "theirs@host";
    row.from_tag = "l1";
    row.to_tag = "n1";
    row.remote_contact = kNotifier;
    row.cseq = 17;
    return row;
  }
};

// --- the dialog goes on ------------------------------------------------------------------------------------------

TEST(SubscriptionRestart, the_same_dialog_goes_on_with_everything_that_belongs_to_it) {
  rig.subscribe({.expires = kForEver, .to = "sip:list@example.com", .contact = "sip:me@10.0.0.8",
                 .target = "sip:first@10.0.0.3", .event_id = "e", .id = "phone", .headers = "X-A: 1\r\n",
                 .proxy = "sip:10.0.0.7", .body = "<filter/>", .content_type = "text/x-filter"});
  rig.answer({.expires = 600, .to_tag = "n1", .contact = kNotifier, .route_set = "<sip:p1;lr>, <sip:p2;lr>"});
  rig.notify({.expires = 600, .event_id = "e"});
  const Sent first = rig.last();
  rig.advance(200);
  int64_t id = rig.row().row().id;
  rig.restart();
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  const Sent& s = rig.last();
  TEXT_EQUAL(kNotifier, s.uri);
  TEXT_EQUAL(first.call_id, s.call_id);
  TEXT_EQUAL(first.from_tag, s.from_tag);
  TEXT_EQUAL("n1", s.to_tag);
  TEXT_EQUAL("<sip:p1;lr>, <sip:p2;lr>", s.route_set);
  TEXT_EQUAL(first.from, s.from);
  TEXT_EQUAL(first.to, s.to);
  TEXT_EQUAL(first.contact, s.contact);
  TEXT_EQUAL(first.event, s.event);
  TEXT_EQUAL(first.extra_headers, s.extra_headers);
  TEXT_EQUAL(first.proxy, s.proxy);
  TEXT_EQUAL("<filter/>", s.body);
  TEXT_EQUAL("text/x-filter", s.content_type);
  CHECK(s.cseq > first.cseq);
  rig.reject(481);                       // ... and so do the texts that only a new dialog needs
  TEXT_EQUAL("sip:first@10.0.0.3", rig.last().uri);
  TEXT_EQUAL("phone", rig.row().row().pres_id);
  LONGLONGS_EQUAL(id, rig.row().row().id);
}

//   |<-- NOTIFY --|   before the refresh has left
TEST(SubscriptionRestart, a_notify_is_taken_before_the_first_refresh) {
  many(50);
  rig.restart();
  std::set<std::string> refreshed;
  for (size_t i = 50; i < rig.sent.size(); i++) refreshed.insert(rig.sent[i].call_id);
  int taken = 0;
  for (size_t i = 0; i < 50; i++) {
    if (refreshed.count(rig.sent[i].call_id)) continue;
    Bring n{.body = "after the restart", .cseq = 500, .call_id = rig.sent[i].call_id, .local_tag = rig.sent[i].from_tag};
    LONGS_EQUAL(200, rig.notify(n).status);
    TEXT_EQUAL("after the restart", rig.heard.back().body);
    TEXT_EQUAL(rig.sent[i].to, rig.heard.back().uri);
    taken++;
  }
  CHECK(taken > 20);
}

TEST(SubscriptionRestart, a_notify_of_another_branch_is_refused_after_a_restart_too) {
  rig.live({.expires = kForEver});
  const Sent first = rig.last();
  rig.advance(200);
  rig.restart();
  Bring other{.remote_tag = "n2", .call_id = first.call_id, .local_tag = first.from_tag};
  LONGS_EQUAL(481, rig.notify(other).status);
}

TEST(SubscriptionRestart, each_dialog_is_refreshed_once_and_not_all_at_the_same_time) {
  many(400);
  rig.restart();
  MonoMs began = rig.now;
  rig.advance(5 * kSecond);
  std::map<std::string, int> times;
  std::map<MonoMs, int> in_50_ms;
  for (size_t i = 400; i < rig.sent.size(); i++) {
    TEXT_EQUAL("refresh", rig.sent[i].kind());
    times[rig.sent[i].call_id]++;
    in_50_ms[(rig.sent[i].at - began) / 50]++;
    rig.answer(rig.sent[i], {.expires = 3600, .to_tag = "n1"});
  }
  LONGS_EQUAL(400, times.size());
  for (auto& [call_id, n] : times) LONGS_EQUAL(1, n);
  for (auto& [when, n] : in_50_ms) CHECK(n < 200);
  rig.advance(60 * kSecond);
  LONGS_EQUAL(800, rig.sent.size());
}

TEST(SubscriptionRestart, dialogs_whose_grant_ended_meanwhile_are_made_anew_and_not_all_at_the_same_time) {
  many(400, 600);
  rig.kill();
  rig.now += 1000 * kSecond;
  rig.boot();
  MonoMs began = rig.now;
  rig.advance(5 * kSecond);
  LONGS_EQUAL(800, rig.sent.size());
  std::map<MonoMs, int> in_50_ms;
  for (size_t i = 400; i < 800; i++) {
    TEXT_EQUAL("initial", rig.sent[i].kind());
    LONGS_EQUAL(1, rig.sent[i].cseq);
    in_50_ms[(rig.sent[i].at - began) / 50]++;
  }
  for (auto& [when, n] : in_50_ms) CHECK(n < 200);
}

TEST(SubscriptionRestart, the_wanted_end_is_kept) {
  MonoMs began = rig.now;
  rig.live({.expires = 100}, 3600);
  rig.advance(200);
  rig.restart();
  rig.advance(kSecond);
  rig.accept(3600);
  rig.advance(200 * kSecond);
  TEXT_EQUAL("initial refresh remove", rig.kinds());
  CHECK(rig.last().at >= began + 100 * kSecond);
  CHECK(rig.last().at < began + 102 * kSecond);   // rows hold whole seconds, rounded up
}

TEST(SubscriptionRestart, a_wanted_end_that_passed_meanwhile_unsubscribes) {
  rig.live({.expires = 100}, 3600);
  rig.advance(200);
  rig.kill();
  rig.now += 200 * kSecond;
  rig.boot();
  rig.advance(kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
}

TEST(SubscriptionRestart, one_whose_wanted_end_and_grant_passed_meanwhile_is_dropped) {
  rig.live({.expires = 100}, 100);
  rig.advance(200);
  rig.kill();
  rig.now += 200 * kSecond;
  rig.boot();
  rig.advance(kSecond);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(1, rig.sent.size());
  LONGS_EQUAL(0, rig.rows().size());
}

// --- CSeq --------------------------------------------------------------------------------------------------------

//   The rig fails where a CSeq of a dialog does not grow, over all lives of the process.
TEST(SubscriptionRestart, the_cseq_never_goes_back_wherever_the_process_is_killed) {
  for (uint64_t seed = 1; seed <= 100; seed++) {
    SubsRig r;
    Random random(seed);
    r.live({.expires = kForEver}, 300);
    for (int step = 0; step < 40; step++) {
      switch (random.below(8)) {
        case 0: r.ask({.expires = kForEver}); break;
        case 1: r.ask({.expires = random.below(2) ? 0 : 500}); break;
        case 2: r.settle(); break;
        case 3: r.store->delay_ms = static_cast<MonoMs>(random.below(150)); break;
        case 4: r.store->down = random.below(3) == 0; break;
        case 5: r.advance(static_cast<MonoMs>(random.below(200))); break;
        case 6: r.advance(static_cast<MonoMs>(random.below(120000))); break;
        case 7:
          r.kill(random.below(2) == 0);
          r.now += 100 + static_cast<MonoMs>(random.below(random.below(2) ? 100 : 10000));   // a start takes no less time
          r.boot();
          break;
      }
      if (r.open() && random.below(3)) {
        Sent& s = *std::find_if(r.sent.begin(), r.sent.end(), [](const Sent& x) { return !x.answered; });
        uint32_t digest = random.below(4) ? 0 : s.cseq + 1;
        if (s.expires == 0) r.answer(s, {.expires = 0, .cseq = digest});
        else if (random.below(5) == 0) r.answer(s, {.status = 481});
        else r.answer(s, {.expires = 300, .cseq = digest, .to_tag = "n1", .contact = kNotifier});
      }
      if (r.sent.size() && random.below(2)) r.notify({.expires = 300, .remote_tag = "n1"});
    }
  }
}

TEST(SubscriptionRestart, requests_of_the_last_run_that_no_row_knows_are_behind_the_next_cseq) {
  rig.live({.expires = kForEver}, 3600);
  rig.advance(200);
  rig.store->down = true;
  for (int i = 0; i < 500; i++) {
    rig.subscribe({.expires = kForEver});
    rig.answer({.expires = 3600, .cseq = rig.last().cseq + 1, .to_tag = "n1"});   // the repetition with credentials takes a second CSeq
  }
  uint32_t used = rig.last().cseq + 1;
  rig.restart();
  rig.advance(kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  CHECK(rig.last().cseq > used);
}

TEST(SubscriptionRestart, a_cseq_that_is_used_up_is_not_continued) {
  Row row = foreign(rig);
  row.cseq = 0x7fffffff;
  rig.insert(row);
  rig.restart();
  rig.advance(kSecond);
  TEXT_EQUAL("initial", rig.kinds());
  LONGS_EQUAL(1, rig.last().cseq);
  CHECK(rig.last().call_id != "theirs@host");
}

// --- what was under way ------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE ------>|
//   X  SIGKILL
//   |-- SUBSCRIBE ------>|   the same to the octet: a retransmission for the notifier
TEST(SubscriptionRestart, an_initial_request_that_was_out_is_repeated_to_the_octet) {
  rig.subscribe({.expires = 1800, .target = "sip:first@10.0.0.3", .event_id = "e", .headers = "X-A: 1\r\n"});
  rig.advance(200);
  std::string before = rig.last().wire();
  rig.restart();
  LONGS_EQUAL(2, rig.sent.size());
  TEXT_EQUAL(before, rig.last().wire());
  rig.accept();
  rig.notify({.event_id = "e"});
  TEXT_EQUAL("live", rig.state({.event_id = "e"}));
  rig.unsubscribe();
  CHECK(rig.last().cseq > 1);
}

TEST(SubscriptionRestart, an_initial_request_that_left_long_after_its_row_was_written_is_repeated_too) {
  rig.settings.max_in_flight = 1;
  rig.restart();
  rig.subscribe({.uri = uri(1)});
  rig.subscribe();
  rig.advance(kSecond);
  rig.accept();                        // now the second one leaves
  rig.notify({.call_id = rig.sent[0].call_id, .local_tag = rig.sent[0].from_tag});
  LONGS_EQUAL(2, rig.sent.size());
  rig.advance(200);
  std::string before = rig.last().wire();
  rig.restart();
  rig.advance(kSecond);
  for (size_t i = 2; i < rig.sent.size(); i++) {   // one at a time, in either order
    if (rig.sent[i].kind() != "refresh") TEXT_EQUAL(before, rig.sent[i].wire());
    rig.answer(rig.sent[i], {.expires = 3600, .to_tag = "n1"});
  }
  LONGS_EQUAL(4, rig.sent.size());
}

TEST(SubscriptionRestart, a_notify_to_the_request_of_the_last_run_makes_its_dialog) {
  rig.subscribe({.expires = kForEver});
  rig.advance(200);
  rig.restart();
  LONGS_EQUAL(200, rig.notify({.expires = 3600, .contact = kNotifier}).status);
  TEXT_EQUAL("active", rig.dialog());
  rig.accept();
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(2, rig.sent.size());
}

TEST(SubscriptionRestart, a_first_request_asked_for_again_after_the_restart_is_a_new_dialog_and_one_subscription) {
  rig.subscribe();
  rig.advance(200);
  const Sent first = rig.last();
  rig.load_delay_ms = 500;
  rig.restart();
  rig.subscribe();                     // comes before the row
  rig.advance(kSecond);
  LONGS_EQUAL(2, rig.sent.size());
  CHECK(rig.last().call_id != first.call_id);
  LONGS_EQUAL(481, rig.notify({.call_id = first.call_id, .local_tag = first.from_tag}).status);
  LONGS_EQUAL(1, rig.stats().subscriptions);
}

//   unsubscribe, intent committed
//   |-- SUBSCRIBE, 0 -->|
//   X  SIGKILL
//   |-- SUBSCRIBE, 0 -->|   never a refresh
TEST(SubscriptionRestart, a_removal_under_way_is_not_resurrected) {
  rig.live({.expires = kForEver});
  rig.unsubscribe();
  rig.restart();
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("initial remove remove", rig.kinds());
  TEXT_EQUAL("n1", rig.last().to_tag);
  CHECK(rig.sent[2].cseq > rig.sent[1].cseq);
  rig.now = rig.last().at;
  rig.accept(0);
  rig.advance(200);
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(SubscriptionRestart, a_removal_leaves_only_after_its_intent_was_committed) {
  rig.live({.expires = kForEver});
  rig.store->delay_ms = 30;
  rig.unsubscribe();
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(29);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(1);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGLONGS_EQUAL(1, rig.row().row().desired_expires);
}

TEST(SubscriptionRestart, a_store_that_is_slow_or_down_stops_no_removal) {
  rig.live({.expires = kForEver});
  rig.store->delay_ms = 5000;
  rig.unsubscribe();
  rig.advance(100);
  TEXT_EQUAL("initial remove", rig.kinds());
}

TEST(SubscriptionRestart, a_removed_one_does_not_come_back) {
  rig.live({.expires = kForEver});
  Call& c = rig.unsubscribe();
  rig.accept(0);
  CHECK(c.durable);
  rig.restart();
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("none", rig.state());
  TEXT_EQUAL("initial remove", rig.kinds());
}

TEST(SubscriptionRestart, one_that_the_notifier_ended_for_good_does_not_come_back) {
  rig.live({.expires = kForEver});
  rig.advance(200);
  rig.notify({.state = "terminated", .reason = "noresource"});
  rig.advance(200);
  rig.restart();
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("initial", rig.kinds());
}

TEST(SubscriptionRestart, a_fetch_leaves_no_row_at_any_time) {
  rig.unsubscribe();
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.rows().size());
  rig.restart();
  rig.advance(3600 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
}

TEST(SubscriptionRestart, a_durable_completion_means_that_the_dialog_comes_back) {
  for (MonoMs delay : {0, 10, 90}) {
    SubsRig r;
    r.store->delay_ms = delay;
    Call& c = r.subscribe({.expires = kForEver});
    r.accept(3600);
    while (!c.completed) r.advance(1);
    CHECK(c.durable);
    const Sent first = r.last();
    r.restart();
    LONGS_EQUAL(200, r.notify({.call_id = first.call_id, .local_tag = first.from_tag}).status);
    r.advance(kSecond);
    TEXT_EQUAL("initial refresh", r.kinds());
  }
}

TEST(SubscriptionRestart, a_completion_while_the_store_is_down_says_so) {
  rig.store->down = true;
  Call& c = rig.subscribe();
  rig.accept();
  rig.notify();
  rig.advance(200);
  LONGS_EQUAL(200, c.status);
  CHECK_FALSE(c.durable);
  rig.store->down = false;
  rig.advance(60 * kSecond);
  TEXT_EQUAL("n1", rig.row().row().to_tag);
}

// --- asked for while the table is being loaded --------------------------------------------------------------------

TEST(SubscriptionRestart, a_subscribe_while_loading_goes_on_in_the_dialog_of_its_row) {
  rig.live({.expires = kForEver, .event_id = "e"});
  const Sent first = rig.last();
  rig.advance(200);
  rig.load_delay_ms = 500;
  rig.restart();
  Call& c = rig.subscribe({.expires = 500, .event_id = "other"});
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL(first.call_id, rig.last().call_id);
  LONGLONGS_EQUAL(500, rig.last().expires);
  TEXT_EQUAL("presence;id=e", rig.last().event);   // the id is that of the dialog
  rig.accept(500);
  rig.advance(kSecond);
  LONGS_EQUAL(200, c.status);
}

TEST(SubscriptionRestart, an_unsubscribe_while_loading_ends_the_dialog_of_its_row) {
  rig.live({.expires = kForEver});
  rig.advance(200);
  rig.load_delay_ms = 500;
  rig.restart();
  Call& c = rig.unsubscribe();
  rig.advance(kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  rig.accept(0);
  rig.advance(kSecond);
  LONGS_EQUAL(200, c.status);
}

TEST(SubscriptionRestart, a_subscribe_while_loading_without_a_row_is_new) {
  rig.load_delay_ms = 500;
  rig.restart();
  Call& c = rig.subscribe();
  LONGS_EQUAL(0, rig.sent.size());
  rig.advance(kSecond);
  TEXT_EQUAL("initial", rig.kinds());
  rig.accept();
  rig.advance(kSecond);
  LONGS_EQUAL(200, c.status);
}

TEST(SubscriptionRestart, a_load_that_takes_long_is_told_after_5_s_and_the_request_kept) {
  rig.load_delay_ms = 20000;
  rig.restart();
  Call& c = rig.subscribe();
  rig.advance(6 * kSecond);
  LONGS_EQUAL(503, c.status);
  CHECK(c.origin == ReplyOrigin::Local);
  rig.advance(20 * kSecond);
  TEXT_EQUAL("initial", rig.kinds());
}

// --- rows --------------------------------------------------------------------------------------------------------

TEST(SubscriptionRestart, ids_are_kept_and_never_given_twice) {
  many(3);
  std::map<std::string, int64_t> ids;
  for (auto& r : rig.rows()) ids[std::string(r.row().pres_uri)] = r.row().id;
  rig.restart();
  rig.live({.uri = uri(9)});
  rig.advance(200);
  std::set<int64_t> all;
  for (auto& r : rig.rows()) {
    std::string u(r.row().pres_uri);
    if (ids.count(u)) LONGLONGS_EQUAL(ids[u], r.row().id);
    all.insert(r.row().id);
  }
  LONGS_EQUAL(4, all.size());
}

TEST(SubscriptionRestart, a_row_that_another_program_wrote_is_taken) {
  rig.insert(foreign(rig));
  rig.restart();
  rig.advance(kSecond);
  TEXT_EQUAL("refresh", rig.kinds());
  TEXT_EQUAL("theirs@host", rig.last().call_id);
  TEXT_EQUAL("l1", rig.last().from_tag);
  CHECK(rig.last().cseq > 17);
}

TEST(SubscriptionRestart, a_dialog_whose_tags_are_no_tokens_goes_on) {
  Row row = foreign(rig);
  row.to_tag = "[2001:db8::1]";   // a tag that the 2xx can have
  rig.insert(row);
  rig.restart();
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.stats().load_bad);
  TEXT_EQUAL("refresh", rig.kinds());
  TEXT_EQUAL("[2001:db8::1]", rig.last().to_tag);
}

TEST(SubscriptionRestart, a_row_with_a_broken_column_stays_as_it_is_and_the_log_names_the_column) {
  struct { const char* column; void (*spoil)(Row&); } rows[] = {
      {"id", [](Row& r) { r.id = 2000000000000000; }},
      {"flag", [](Row& r) { r.flag = -1; }},
      {"record_version", [](Row& r) { r.record_version = UINT32_MAX; }},
      {"owner_epoch", [](Row& r) { r.owner_epoch = 7; }},
      {"updated_at", [](Row& r) { r.updated_at = INT64_MAX; }},
      {"expires", [](Row& r) { r.expires = -5; }},
      {"desired_expires", [](Row& r) { r.desired_expires = INT64_MAX; }},
      {"pres_uri", [](Row& r) { r.pres_uri = "nonsense"; }},
      {"watcher_uri", [](Row& r) { r.watcher_uri = "bob"; }},
      {"to_uri", [](Row& r) { r.to_uri = "<sip:x@y>"; }},
      {"contact", [](Row& r) { r.contact = "10.0.0.1"; }},
      {"remote_contact", [](Row& r) { r.remote_contact = "sip:x@y\r\nVia: z"; }},
      {"target", [](Row& r) { r.target = "x"; }},
      {"outbound_proxy", [](Row& r) { r.outbound_proxy = "x"; }},
      {"pres_id", [](Row& r) { r.pres_id = "a\nb"; }},
      {"event_id", [](Row& r) { r.event_id = "a b"; }},
      {"call_id", [](Row& r) { r.call_id = "a\r\nVia: z"; }},
      {"from_tag", [](Row& r) { r.from_tag = "a;b"; }},
      {"to_tag", [](Row& r) { r.to_tag = "\r\n"; }},
      {"record_route", [](Row& r) { r.record_route = "<sip:p>\r\nVia: z"; }},
      {"extra_headers", [](Row& r) { r.extra_headers = "nonsense\r\n"; }},
      {"content_type", [](Row& r) { r.content_type = "a\r\nVia: z"; }},
  };
  for (auto& spoilt : rows) {
    SubsRig r;
    Row row = foreign(r);
    spoilt.spoil(row);
    r.insert(row);
    r.restart();
    r.advance(700 * kSecond);
    LONGS_EQUAL(1, r.stats().load_bad);
    LONGS_EQUAL(0, r.sent.size());
    LONGS_EQUAL(1, r.rows().size());
    std::string line = "its " + std::string(spoilt.column) + " is not readable";
    CHECK_TEXT(r.logged(LogLevel::warning, line), line.c_str());
  }
}

TEST(SubscriptionRestart, a_row_without_the_names_of_a_dialog_makes_a_new_one) {
  for (int i = 0; i < 3; i++) {
    SubsRig r;
    Row row = foreign(r);
    (i == 0 ? row.call_id : i == 1 ? row.from_tag : row.to_tag) = {};
    r.insert(row);
    r.restart();
    r.advance(kSecond);
    TEXT_EQUAL("initial", r.kinds());
    CHECK(r.last().call_id != "theirs@host");
  }
}

TEST(SubscriptionRestart, rows_of_an_event_that_is_registered_later_are_kept_aside_until_then) {
  Row row = foreign(rig);
  row.event = 4096;
  rig.insert(row);
  rig.restart();
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.sent.size());
  LONGS_EQUAL(1, rig.stats().parked);
  rig.events[4096] = {4096, "weather", "text/plain", ""};
  rig.engine->event_added(4096);
  rig.advance(kSecond);
  TEXT_EQUAL("refresh", rig.kinds());
  TEXT_EQUAL("weather", rig.last().event);
  LONGS_EQUAL(1, rig.rows().size());
}

TEST(SubscriptionRestart, a_step_of_the_wall_clock_by_an_hour_disturbs_no_deadline_of_this_run) {
  rig.live({.expires = kForEver}, 600);
  for (int64_t step : {3600000, -7200000}) {
    rig.epoch_offset += step;
    rig.engine->set_epoch_offset(rig.epoch_offset);
    rig.advance(kSecond);
    LONGS_EQUAL(1, rig.sent.size());
  }
}
