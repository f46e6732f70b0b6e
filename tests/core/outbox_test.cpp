// Outbox: how many requests are out, whose turn it is, and what a destination that does not answer gets.
//
//   records ... --enqueue--> [destination A: owners | refreshes] --take--> out (at most max_in_flight)
//                            [destination B: owners | refreshes] --take--> out
//                            [destination C: open breaker      ] --probe-> one at a time
#include <memory>
#include <string>
#include <vector>

#include "core/outbox.h"
#include "core/publication_record.h"
#include "core/policy.h"
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Outbox) {
  Outbox box{100};
  std::vector<std::unique_ptr<PublicationRecord>> records;
  MonoMs now = 1000;

  PublicationRecord& add(const std::string& destination, bool owner = true) {
    auto r = std::make_unique<PublicationRecord>();
    r->id = static_cast<int64_t>(records.size());
    records.push_back(std::move(r));
    box.enqueue(*records.back(), destination, owner);
    return *records.back();
  }
  // Takes a record: returns its number, or -1; txn is its transaction.
  TxnId txn = 0;
  int64_t take() {
    Entity* r = box.take(now, txn);
    return r ? r->id : -1;
  }
  // Sends n requests to this destination, each of which fails.
  void fail(const std::string& destination, int n) {
    for (int i = 0; i < n; i++) {
      add(destination);
      CHECK(take() >= 0);
      box.finish(txn, Outbox::Answer::No, now);
    }
  }
};

TEST(Outbox, a_record_comes_out_once_and_its_transaction_finds_it_once) {
  PublicationRecord& r = add("d");
  CHECK(box.queued(r));
  LONGS_EQUAL(0, take());
  CHECK_FALSE(box.queued(r));
  LONGS_EQUAL(1, box.in_flight());
  LONGS_EQUAL(-1, take());
  POINTERS_EQUAL(&r, box.finish(txn, Outbox::Answer::Yes, now));
  LONGS_EQUAL(0, box.in_flight());
  POINTERS_EQUAL(nullptr, box.finish(txn, Outbox::Answer::Yes, now));
}

TEST(Outbox, transactions_are_never_the_same_twice) {
  std::vector<TxnId> seen;
  for (int i = 0; i < 1000; i++) {
    add("d");
    take();
    for (TxnId t : seen) CHECK(t != txn);
    if (i % 100 == 0) seen.push_back(txn);
    CHECK(txn != 0);
    box.finish(txn, Outbox::Answer::Yes, now);
  }
}

TEST(Outbox, no_more_than_max_in_flight_are_out) {
  box.set_max(3);
  for (int i = 0; i < 10; i++) add("d" + std::to_string(i));
  TxnId first = 0;
  for (int i = 0; i < 3; i++) {
    CHECK(take() >= 0);
    if (i == 0) first = txn;
  }
  LONGS_EQUAL(-1, take());
  LONGLONGS_EQUAL(kNever, box.next_due());
  box.finish(first, Outbox::Answer::Yes, now);
  LONGLONGS_EQUAL(0, box.next_due());
  CHECK(take() >= 0);
  LONGS_EQUAL(-1, take());
}

TEST(Outbox, a_record_that_is_queued_again_moves_and_one_taken_out_stays_out) {
  PublicationRecord& a = add("d");
  add("d");
  box.enqueue(a, "d", true);
  LONGS_EQUAL(1, take());
  LONGS_EQUAL(0, take());
  PublicationRecord& c = add("d");
  box.remove(c);
  box.remove(c);
  LONGS_EQUAL(-1, take());
}

TEST(Outbox, destinations_take_turns) {
  for (int i = 0; i < 50; i++) add("busy");  // 0 ... 49
  add("small");                              // 50
  add("small");                              // 51
  LONGS_EQUAL(0, take());
  LONGS_EQUAL(50, take());
  LONGS_EQUAL(1, take());
  LONGS_EQUAL(51, take());
  LONGS_EQUAL(2, take());
}

TEST(Outbox, owners_go_first_and_never_starve_the_refreshes) {
  for (int i = 0; i < 20; i++) add("d", true);   // 0 ... 19
  for (int i = 0; i < 20; i++) add("d", false);  // 20 ... 39
  int refreshes = 0;
  for (int i = 0; i < 20; i++) refreshes += take() >= 20;
  LONGS_EQUAL(5, refreshes);  // one of four
  for (int i = 0; i < 20; i++) CHECK(take() >= 0);
  LONGS_EQUAL(-1, take());
}

TEST(Outbox, requests_without_any_answer_open_the_breaker) {
  fail("d", static_cast<int>(kBreakerTrips) - 1);
  CHECK(box.held("d") == Outbox::Held::No);
  fail("d", 1);
  CHECK(box.held("d") == Outbox::Held::Silent);
  LONGS_EQUAL(1, box.open_count());
  LONGS_EQUAL(1, box.trips());
  add("d");
  LONGS_EQUAL(-1, take());
  add("other");
  LONGS_EQUAL(static_cast<long>(records.size()) - 1, take());  // others go on
}

TEST(Outbox, an_answer_in_between_keeps_the_breaker_closed) {
  for (int i = 0; i < 10; i++) {
    fail("d", static_cast<int>(kBreakerTrips) - 1);
    add("d");
    take();
    box.finish(txn, Outbox::Answer::Yes, now);
  }
  CHECK(box.held("d") == Outbox::Held::No);
}

TEST(Outbox, an_open_breaker_lets_one_probe_through_at_a_time_later_and_later) {
  fail("d", static_cast<int>(kBreakerTrips));
  for (int i = 0; i < 10; i++) add("d");
  MonoMs wait = kBreakerFirst;
  for (int i = 0; i < 6; i++) {
    LONGLONGS_EQUAL(now + wait, box.next_due());
    now += wait - 1;
    LONGS_EQUAL(-1, take());
    now++;
    CHECK(take() >= 0);
    LONGS_EQUAL(-1, take());  // no second probe
    LONGLONGS_EQUAL(kNever, box.next_due());
    box.finish(txn, Outbox::Answer::No, now);
    wait = std::min(wait * 2, kBreakerMax);
  }
}

TEST(Outbox, a_probe_that_is_answered_closes_the_breaker_and_all_go_on) {
  fail("d", static_cast<int>(kBreakerTrips));
  for (int i = 0; i < 10; i++) add("d");
  now += kBreakerFirst;
  take();
  box.finish(txn, Outbox::Answer::Yes, now);
  CHECK(box.held("d") == Outbox::Held::No);
  LONGS_EQUAL(0, box.open_count());
  for (int i = 0; i < 9; i++) CHECK(take() >= 0);
  fail("d", 1);
  CHECK(box.held("d") == Outbox::Held::No);  // failures are counted from the start again
}

TEST(Outbox, a_late_answer_of_an_earlier_request_closes_the_breaker_too) {
  add("d");
  take();
  TxnId early = txn;
  fail("d", static_cast<int>(kBreakerTrips));
  CHECK(box.held("d") == Outbox::Held::Silent);
  box.finish(early, Outbox::Answer::Yes, now);
  CHECK(box.held("d") == Outbox::Held::No);
}

TEST(Outbox, a_failure_of_our_own_says_nothing_of_the_destination) {
  for (int i = 0; i < 20; i++) {
    add("d");
    take();
    box.finish(txn, Outbox::Answer::Neutral, now);
  }
  CHECK(box.held("d") == Outbox::Held::No);
  LONGLONGS_EQUAL(kNever, box.next_due());
  fail("d", static_cast<int>(kBreakerTrips));
  add("d");
  now += kBreakerFirst;
  take();
  box.finish(txn, Outbox::Answer::Neutral, now);  // the probe could not be sent, so that another one leaves later
  CHECK(box.held("d") == Outbox::Held::Silent);
  add("d");
  CHECK(box.next_due() > now);
  CHECK(box.next_due() <= now + kBreakerMax);
}

TEST(Outbox, owners_held_back_are_handed_out_once_each_and_go_on_waiting) {
  add("d", false);  // a refresh, of which no owner has to be told
  for (int i = 0; i < 3; i++) add("d", true);
  for (int i = 0; i < static_cast<int>(kBreakerTrips); i++) {
    Entity* r = box.take(now, txn);
    box.enqueue(*r, "d", r->id > 0);  // tried again later
    box.finish(txn, Outbox::Answer::No, now);
  }
  CHECK(box.held("d") == Outbox::Held::Silent);
  std::vector<int64_t> told;
  while (Entity* r = box.next_held()) {
    CHECK(box.queued(*r));
    told.push_back(r->id);
  }
  LONGS_EQUAL(3, told.size());
  CHECK_FALSE(box.any_held());
}

TEST(Outbox, an_open_destination_that_nothing_waits_for_is_forgotten_after_a_while) {
  fail("d", static_cast<int>(kBreakerTrips));
  LONGS_EQUAL(1, box.open_count());
  for (int i = 0; i < 100 && box.open_count(); i++) {
    now += kBreakerMax;
    LONGS_EQUAL(-1, take());
  }
  LONGS_EQUAL(0, box.open_count());
  CHECK(now > 1000 + kBreakerForget);
  LONGLONGS_EQUAL(kNever, box.next_due());
}

TEST(Outbox, a_destination_that_is_done_is_forgotten) {
  for (int i = 0; i < 1000; i++) {
    add("d" + std::to_string(i));
    take();
    box.finish(txn, Outbox::Answer::Yes, now);
  }
  LONGLONGS_EQUAL(kNever, box.next_due());
  LONGS_EQUAL(-1, take());
}

// --- Retry-After of the server ------------------------------------------------------------------------------------
//
//   |<-- 503, Retry-After: 60 --|   everything for the server waits; after 60 s one request goes first

TEST(Outbox, a_server_that_asks_for_quiet_gets_none_of_the_requests_until_then) {
  add("d");
  take();
  for (int i = 0; i < 3; i++) add("d", i == 0);   // 1 ... 3
  add("other");                                   // 4
  box.finish(txn, Outbox::Answer::Yes, now, 60000);
  CHECK(box.held("d") == Outbox::Held::Quiet);
  CHECK(box.held("other") == Outbox::Held::No);
  LONGS_EQUAL(1, box.quiet_count());
  LONGS_EQUAL(1, box.holds());
  LONGS_EQUAL(0, box.open_count());
  LONGS_EQUAL(0, box.trips());
  LONGS_EQUAL(4, take());
  LONGS_EQUAL(-1, take());
  LONGLONGS_EQUAL(now + 60000, box.next_due());
  LONGS_EQUAL(1, box.next_held()->id);            // its owner is to be told
  CHECK_FALSE(box.next_held());
  now += 59999;
  LONGS_EQUAL(-1, take());
  now++;
  LONGS_EQUAL(2, take());                         // 1 waits behind the refreshes
  LONGS_EQUAL(-1, take());                        // the others wait for its answer
  box.finish(txn, Outbox::Answer::Yes, now);
  CHECK(box.held("d") == Outbox::Held::No);
  LONGS_EQUAL(0, box.quiet_count());
  CHECK(take() >= 0);
  CHECK(take() >= 0);
}

TEST(Outbox, a_later_reply_can_only_lengthen_the_quiet) {
  TxnId out[3];
  for (TxnId& t : out) {
    add("d");
    take();
    t = txn;
  }
  box.finish(out[0], Outbox::Answer::Yes, now, 60000);
  box.finish(out[1], Outbox::Answer::Yes, now, 10000);
  add("d");
  LONGLONGS_EQUAL(now + 60000, box.next_due());
  box.finish(out[2], Outbox::Answer::Yes, now, 90000);
  LONGLONGS_EQUAL(now + 90000, box.next_due());
  LONGS_EQUAL(1, box.holds());
}

TEST(Outbox, an_answer_to_a_request_from_before_does_not_end_the_quiet) {
  add("d");
  take();
  TxnId early = txn;
  add("d");
  take();
  box.finish(txn, Outbox::Answer::Yes, now, 60000);
  box.finish(early, Outbox::Answer::Yes, now);
  CHECK(box.held("d") == Outbox::Held::Quiet);
  add("d");
  LONGS_EQUAL(-1, take());
}

TEST(Outbox, one_that_goes_first_may_be_asked_for_quiet_again_or_find_silence) {
  add("d");
  take();
  add("d");
  add("d");
  add("d");
  box.finish(txn, Outbox::Answer::Yes, now, 60000);
  now += 60000;
  CHECK(take() >= 0);
  box.finish(txn, Outbox::Answer::Yes, now, 30000);
  LONGS_EQUAL(1, box.holds());                    // the quiet has not ended in between, so that it counts once
  now += 30000;
  CHECK(take() >= 0);
  LONGS_EQUAL(1, box.quiet_count());
  box.finish(txn, Outbox::Answer::No, now);
  CHECK(box.held("d") == Outbox::Held::Silent);
  LONGS_EQUAL(0, box.quiet_count());
  LONGS_EQUAL(1, box.open_count());
  LONGS_EQUAL(1, box.trips());
  LONGLONGS_EQUAL(now + kBreakerFirst, box.next_due());
}

TEST(Outbox, one_that_goes_first_and_never_left_is_followed_by_another) {
  add("d");
  take();
  add("d");
  add("d");
  box.finish(txn, Outbox::Answer::Yes, now, 60000);
  now += 60000;
  take();
  box.finish(txn, Outbox::Answer::Neutral, now);
  CHECK(box.held("d") == Outbox::Held::Quiet);
  LONGLONGS_EQUAL(now + kBreakerFirst, box.next_due());
  now += kBreakerFirst;
  CHECK(take() >= 0);
}

TEST(Outbox, quiet_that_nothing_has_waited_for_is_over_and_forgotten) {
  add("d");
  take();
  box.finish(txn, Outbox::Answer::Yes, now, 60000);
  now += 60000;
  LONGS_EQUAL(-1, take());
  CHECK(box.held("d") == Outbox::Held::No);
  LONGS_EQUAL(0, box.quiet_count());
  LONGS_EQUAL(0, box.known());
  LONGLONGS_EQUAL(kNever, box.next_due());
}

TEST(Outbox, a_silent_destination_that_answers_with_a_wish_for_quiet_is_not_silent_any_more) {
  fail("d", static_cast<int>(kBreakerTrips));
  add("d");
  add("d");
  now += kBreakerFirst;
  take();
  box.finish(txn, Outbox::Answer::Yes, now, 5000);
  CHECK(box.held("d") == Outbox::Held::Quiet);
  LONGS_EQUAL(0, box.open_count());
  LONGS_EQUAL(1, box.quiet_count());
  now += 5000;
  CHECK(take() >= 0);
  box.finish(txn, Outbox::Answer::Yes, now);
  fail("d", static_cast<int>(kBreakerTrips) - 1);
  CHECK(box.held("d") == Outbox::Held::No);       // failures are counted from the start again
}

// --- the same through the engine ---------------------------------------------------------------------------------

TEST(Outbox, a_destination_that_failed_a_few_times_is_forgotten_in_time_and_its_failures_are_not_before) {
  auto fail_alone = [&](const std::string& host) {
    add(host);
    CHECK(take() >= 0);
    TxnId out = txn;
    LONGS_EQUAL(-1, take());      // the destination stands in the queue still, but nothing of it is queued
    box.finish(out, Outbox::Answer::No, now);
  };
  for (int i = 0; i < 100; i++) fail_alone("host" + std::to_string(i));
  LONGS_EQUAL(100, box.known());
  now += kBreakerForget - 1000;
  for (uint32_t i = 1; i < kBreakerTrips; i++) fail_alone("host7");
  CHECK(box.held("host7") == Outbox::Held::Silent);       // the first failure counts
  now += 2000;
  CHECK(box.next_due() <= now);
  LONGS_EQUAL(-1, take());
  LONGS_EQUAL(1, box.known());
  CHECK(box.held("host7") == Outbox::Held::Silent);
}

TEST_GROUP(OutboxEngine) {
  Rig rig;
  std::string uri(int i) { return "sip:u" + std::to_string(i) + "@example.com"; }
  void publish(int from, int to) {
    for (int i = from; i < to; i++) rig.ask({.uri = uri(i), .expires = kForEver, .body = "b"});
    rig.settle();
  }
};

TEST(OutboxEngine, max_in_flight_holds_and_everyone_gets_a_turn) {
  rig.settings.max_in_flight = 5;
  rig.boot();
  publish(0, 100);
  for (size_t i = 0; i < rig.sent.size(); i++) {
    CHECK(rig.open() <= 5);
    LONGS_EQUAL(rig.open(), rig.stats().in_flight);
    rig.answer(rig.sent[i], {.etag = "e", .expires = 3600});
  }
  LONGS_EQUAL(100, rig.sent.size());
  LONGS_EQUAL(100, rig.stats().live);
}

TEST(OutboxEngine, max_in_flight_can_be_changed_while_it_runs) {
  rig.settings.max_in_flight = 2;
  rig.boot();
  publish(0, 10);
  LONGS_EQUAL(2, rig.open());
  rig.settings.max_in_flight = 6;
  rig.engine->reconfigure(rig.settings);
  rig.settle();
  LONGS_EQUAL(6, rig.open());
}

TEST(OutboxEngine, owners_whose_destination_does_not_answer_are_told_at_once_and_their_requests_kept) {
  publish(0, 5);
  for (int i = 0; i < 5; i++) rig.time_out(rig.sent[static_cast<size_t>(i)]);
  LONGS_EQUAL(1, rig.stats().breaker_open);
  Call& c = rig.ask({.uri = uri(9), .expires = kForEver, .body = "b9"});
  rig.advance(100);  // the time for the commit of what is kept
  LONGS_EQUAL(5, rig.sent.size());
  LONGS_EQUAL(1, c.completed);
  CHECK(c.durable);
  LONGS_EQUAL(503, c.status);
  CHECK(c.origin == ReplyOrigin::Local);
  LONGS_EQUAL(1, rig.engine->stats().breaker_trips);
  // One probe at a time, and when it is answered all others follow.
  rig.advance(1000);
  LONGS_EQUAL(6, rig.sent.size());
  rig.ok("e1");
  rig.advance(10 * kSecond);
  LONGS_EQUAL(11, rig.sent.size());
  LONGS_EQUAL(0, rig.stats().breaker_open);
  bool nine = false;
  for (const Sent& s : rig.sent) nine |= s.uri == uri(9) && s.body == "b9";
  CHECK(nine);
}

TEST(OutboxEngine, owners_that_were_queued_when_the_breaker_opened_are_told_too) {
  rig.settings.max_in_flight = 5;
  rig.boot();
  publish(0, 8);
  LONGS_EQUAL(0, rig.completions);
  for (int i = 0; i < 5; i++) {
    // The slots that become free are taken by the waiting three, until the breaker opens.
    Sent& s = rig.sent[static_cast<size_t>(i)];
    if (!s.answered) rig.time_out(s);
  }
  LONGS_EQUAL(1, rig.stats().breaker_open);
  publish(10, 12);
  rig.advance(100);
  int told = 0;
  for (const Call& c : rig.calls) told += c.completed;
  LONGS_EQUAL(rig.calls.size() - rig.open(), told);
}

TEST(OutboxEngine, a_removal_to_a_destination_that_does_not_answer_is_kept_too) {
  rig.ask({.uri = uri(7), .expires = kForEver, .body = "b"});
  rig.settle();
  rig.ok("e7");
  publish(0, 5);
  for (size_t i = 1; i < 6; i++) rig.time_out(rig.sent[i]);
  Call& c = rig.ask({.uri = uri(7), .expires = 0});
  rig.advance(100);
  LONGS_EQUAL(503, c.status);
  CHECK(c.durable);
  CHECK(rig.record(uri(7))->m->wanted != Wanted::Something);
  rig.kill();
  rig.boot();  // and it goes out after a restart
  bool removed = false;
  for (const Sent& s : rig.sent) removed |= s.kind() == "remove" && s.uri == uri(7);
  CHECK(removed);
}

// --- whose failures count -------------------------------------------------------------------------------------------

//   Six requests with ;transport=sctp fail here, as there is no SCTP: the server is not to blame
TEST(OutboxEngine, failures_of_our_own_close_no_destination) {
  for (int i = 0; i < 6; i++) {
    rig.ask({.uri = uri(i), .expires = kForEver, .body = "b", .proxy = "sip:proxy.example.com;transport=sctp"});
    rig.settle();
    rig.answer({.status = 503, .origin = ReplyOrigin::Transport, .ours = true});
  }
  LONGS_EQUAL(0, rig.stats().breaker_open);
  rig.ask({.uri = uri(7), .expires = kForEver, .body = "b", .proxy = "sip:proxy.example.com"});
  rig.settle();
  TEXT_EQUAL("sip:proxy.example.com", rig.last().proxy);
}

TEST(OutboxEngine, another_transport_to_the_same_host_is_another_destination) {
  for (int i = 0; i < 5; i++) {
    rig.ask({.uri = uri(i), .expires = kForEver, .body = "b", .proxy = "sip:10.0.0.1;transport=tcp"});
    rig.settle();
    rig.answer({.status = 503, .origin = ReplyOrigin::Transport});   // the server refuses connections
  }
  LONGS_EQUAL(1, rig.stats().breaker_open);
  Call& tcp = rig.ask({.uri = uri(8), .expires = kForEver, .body = "b", .proxy = "sip:10.0.0.1;transport=tcp"});
  rig.advance(100);
  LONGS_EQUAL(503, tcp.status);
  for (const char* way : {"sip:10.0.0.1", "sip:10.0.0.1:5070;transport=tcp", "sip:10.0.0.1;transport=tcp;maddr=10.0.0.2"}) {
    size_t before = rig.sent.size();
    rig.ask({.uri = "sip:way" + std::to_string(before) + "@example.com", .expires = kForEver, .body = "b", .proxy = way});
    rig.settle();
    LONGS_EQUAL(before + 1, rig.sent.size());
  }
}

TEST(OutboxEngine, a_local_refusal_says_nothing_of_the_destination) {
  for (int i = 0; i < 10; i++) {
    rig.ask({.uri = uri(i), .expires = kForEver, .body = "b"});
    rig.settle();
    rig.answer({.status = 500, .origin = ReplyOrigin::Local});
  }
  LONGS_EQUAL(0, rig.stats().breaker_open);
}

// --- Retry-After holds the server ------------------------------------------------------------------------------------

TEST(OutboxEngine, retry_after_of_a_503_holds_all_requests_to_that_server) {
  publish(0, 2);
  rig.answer(rig.sent[0], {.etag = "e0", .expires = 3600});
  rig.answer(rig.sent[1], {.status = 503, .retry_after = 60});
  LONGS_EQUAL(1, rig.stats().servers_quiet);
  LONGS_EQUAL(1, rig.stats().server_holds);
  LONGS_EQUAL(0, rig.stats().breaker_open);
  Call& other = rig.ask({.uri = uri(5), .expires = kForEver, .body = "b5"});
  Call& removal = rig.ask({.uri = uri(0), .expires = 0});
  rig.advance(100);
  for (Call* c : {&other, &removal}) {   // told at once, and kept
    LONGS_EQUAL(1, c->completed);
    LONGS_EQUAL(503, c->status);
    CHECK(c->origin == ReplyOrigin::Local);
    TEXT_EQUAL("Destination asked for quiet by Retry-After, kept", c->reason);
    CHECK(c->durable);
  }
  LONGS_EQUAL(2, rig.sent.size());
  rig.ask({.uri = "sip:elsewhere@example.net", .expires = kForEver, .body = "b"});
  rig.settle();
  LONGS_EQUAL(3, rig.sent.size());       // others go on
  rig.advance(60 * kSecond - 101);
  LONGS_EQUAL(3, rig.sent.size());
  rig.advance(1);
  LONGS_EQUAL(4, rig.sent.size());       // one request goes first,
  rig.advance(kSecond);
  LONGS_EQUAL(4, rig.sent.size());
  rig.answer({.etag = "e", .expires = 3600});
  LONGS_EQUAL(6, rig.sent.size());       // ... and all others after its answer
  LONGS_EQUAL(0, rig.stats().servers_quiet);
}

TEST(OutboxEngine, retry_after_of_a_503_is_believed_up_to_an_hour) {
  publish(0, 1);
  rig.answer({.status = 503, .retry_after = 1000000});
  rig.ask({.uri = uri(5), .expires = kForEver, .body = "b5"});
  rig.advance(3600 * kSecond - 1);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(1);
  LONGS_EQUAL(2, rig.sent.size());
}

TEST(OutboxEngine, retry_after_of_another_reply_holds_the_record_only) {
  for (int status : {404, 480, 486, 500, 600}) {
    Rig r;
    r.live("e1");
    r.refresh();
    r.answer({.status = status, .retry_after = 60});
    LONGS_EQUAL(0, r.stats().servers_quiet);
    r.ask({.uri = uri(5), .expires = kForEver, .body = "b5"});
    r.settle();
    LONGS_EQUAL(3, r.sent.size());
    r.advance(59 * kSecond);
    LONGS_EQUAL(3, r.sent.size());
  }
}

TEST(OutboxEngine, a_503_without_retry_after_holds_nobody) {
  publish(0, 1);
  rig.reject(503);
  publish(1, 2);
  LONGS_EQUAL(2, rig.sent.size());
}
