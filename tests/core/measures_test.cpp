// Measures: how requests ended, by method; how long replies and owners took; how many records are in each state.
#include <string>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(Measures) {
  SubsRig rig;

  const Measures& m() { return rig.engine->measures(); }
  int64_t ended(Method method, Final f) { return m().of(method).of(f); }
  const Histogram& latency(Method method) { return m().of(method).latency; }
  // How requests of both methods ended, in one line: "PUBLISH 2xx 1, SUBSCRIBE timeout 2".
  std::string ends() {
    std::string all;
    for (Method method : {Method::Publish, Method::Subscribe}) {
      for (size_t f = 0; f < kFinals; f++) {
        int64_t n = ended(method, static_cast<Final>(f));
        if (n == 0) continue;
        if (!all.empty()) all += ", ";
        all += std::string(method_name(method)) + ' ' + final_name(static_cast<Final>(f)) + ' ' + std::to_string(n);
      }
    }
    return all;
  }
  int64_t in(const auto& states, const std::string& state) {
    for (const StateCount& s : states) {
      if (s.state == state) return s.records;
    }
    FAIL(("no state " + state).c_str());
    return 0;
  }
  int64_t publications(const std::string& state) { return in(rig.engine->publications_by_state(), state); }
  int64_t subscriptions(const std::string& state) { return in(rig.engine->subscriptions_by_state(), state); }
};

TEST(Measures, nothing_happened_nothing_counted) {
  TEXT_EQUAL("", ends());
  UNSIGNED_LONGS_EQUAL(0, latency(Method::Publish).count());
  UNSIGNED_LONGS_EQUAL(0, m().waits.count());
}

TEST(Measures, final_replies_are_counted_by_method_and_class) {
  rig.Rig::live("e1");
  for (int status : {302, 603, 500, 480}) {
    rig.publish("b" + std::to_string(status));
    rig.reject(status);
    rig.advance(10 * kSecond);   // until after the back-off, when the request is tried again and answered
    rig.ok("e" + std::to_string(status));
  }
  rig.subscribe();
  rig.reject(403);
  TEXT_EQUAL("PUBLISH 2xx 5, PUBLISH 3xx 1, PUBLISH 4xx 1, PUBLISH 5xx 1, PUBLISH 6xx 1, SUBSCRIBE 4xx 1", ends());
  Stats s = rig.stats();
  LONGS_EQUAL(5, s.replies_2xx);
  LONGS_EQUAL(1, s.replies_3xx);
  LONGS_EQUAL(2, s.replies_4xx);   // the sum of both
  LONGS_EQUAL(1, s.replies_5xx);
  LONGS_EQUAL(1, s.replies_6xx);
}

TEST(Measures, what_stands_for_a_reply_has_a_class_of_its_own_and_no_latency) {
  rig.publish("b1");
  rig.time_out();
  rig.subscribe();
  rig.answer({.status = 503, .origin = ReplyOrigin::Transport});
  rig.subscribe({.watcher = "sip:w2@example.com"});
  rig.answer({.status = 487, .origin = ReplyOrigin::Shutdown});
  rig.subscribe({.watcher = "sip:w3@example.com"});
  rig.answer({.status = 400, .origin = ReplyOrigin::Local});
  TEXT_EQUAL("PUBLISH timeout 1, SUBSCRIBE transport_error 1, SUBSCRIBE local 2", ends());
  Stats s = rig.stats();
  LONGS_EQUAL(1, s.timeouts);
  LONGS_EQUAL(1, s.transport_errors);
  LONGS_EQUAL(0, s.replies_4xx);
  UNSIGNED_LONGS_EQUAL(0, latency(Method::Publish).count());
  UNSIGNED_LONGS_EQUAL(0, latency(Method::Subscribe).count());
}

TEST(Measures, a_request_that_could_not_be_sent_is_a_transport_error_of_its_method) {
  rig.send_error = "no way";
  rig.publish("b1");
  rig.subscribe();
  TEXT_EQUAL("PUBLISH transport_error 1, SUBSCRIBE transport_error 1", ends());
}

// owner --publish--> engine --PUBLISH--> 3 ms --> 200;  SUBSCRIBE --> 1.5 s --> 200
TEST(Measures, latency_is_from_the_request_to_its_final_reply) {
  rig.publish("b1");
  rig.advance(3);
  rig.ok("e1");
  rig.subscribe();
  rig.advance(1500);
  rig.accept();
  UNSIGNED_LONGS_EQUAL(1, latency(Method::Publish).count());
  UNSIGNED_LONGS_EQUAL(1, latency(Method::Publish).in_bucket(0));
  LONGLONGS_EQUAL(3000, latency(Method::Publish).sum_us());
  UNSIGNED_LONGS_EQUAL(1, latency(Method::Subscribe).count());
  UNSIGNED_LONGS_EQUAL(1, latency(Method::Subscribe).in_bucket(8));   // 1 s ... 2 s
  LONGLONGS_EQUAL(1500000, latency(Method::Subscribe).sum_us());
}

// The second request leaves after the first was answered: each is timed from its own start.
TEST(Measures, time_in_the_queue_counts_for_the_owner_and_not_for_the_server) {
  rig.settings.max_in_flight = 1;
  rig.boot();
  rig.Rig::ask({.uri = "sip:a@example.com", .body = "b"});
  rig.Rig::ask({.uri = "sip:b@example.com", .body = "b"});
  rig.settle();
  rig.advance(200);
  rig.ok("e1");
  rig.advance(20);
  rig.ok("e2");
  LONGLONGS_EQUAL(220000, latency(Method::Publish).sum_us());
  LONGLONGS_EQUAL(420000, m().waits.sum_us());
  UNSIGNED_LONGS_EQUAL(2, m().waits.count());
}

TEST(Measures, each_owner_waits_from_its_own_request_on) {
  rig.publish("b1");
  rig.advance(100);
  rig.publish("b2");              // waits, and is replaced
  rig.advance(100);
  rig.publish("b3");
  rig.advance(100);
  rig.ok("e1");                   // 300
  rig.advance(50);
  rig.ok("e2");                   // 250 and 150
  UNSIGNED_LONGS_EQUAL(3, m().waits.count());
  LONGLONGS_EQUAL(700000, m().waits.sum_us());
  LONGS_EQUAL(3, rig.stats().completed);
}

TEST(Measures, the_wait_for_the_commit_is_part_of_it) {
  rig.publish("b1");
  rig.store->delay_ms = 40;
  rig.ok("e1");
  UNSIGNED_LONGS_EQUAL(0, m().waits.count());
  rig.advance(kSecond);
  UNSIGNED_LONGS_EQUAL(1, m().waits.count());
  CHECK(m().waits.sum_us() >= 40000 && m().waits.sum_us() <= 100000);
}

TEST(Measures, a_wait_is_right_where_the_low_half_of_the_clock_turns_over) {
  rig.kill();
  rig.now = (int64_t{3} << 32) - 10;
  rig.boot();
  rig.publish("b1");
  rig.advance(30);
  rig.ok("e1");
  LONGLONGS_EQUAL(30000, m().waits.sum_us());
}

// The clock goes on while completions are being delivered, and this one is delivered at once.
TEST(Measures, a_request_made_inside_a_completion_has_waited_for_nothing) {
  rig.live();
  int calls = 0;
  rig.when_completed = [&](Call&) {
    if (calls++ > 0) return;
    rig.now += 3;
    rig.ask(Want{.keep_existing = true});
  };
  rig.publish("b1");
  rig.ok("e1");
  rig.settle();
  LONGS_EQUAL(2, calls);
  UNSIGNED_LONGS_EQUAL(3, m().waits.count());
  LONGLONGS_EQUAL(0, m().waits.sum_us());
}

TEST(Measures, every_record_is_counted_in_its_state) {
  rig.Rig::live("e1");
  rig.publish("b2");
  rig.Rig::ask({.uri = "sip:x@example.com", .body = "b"});
  rig.settle();
  rig.reject(500);
  rig.live();
  rig.subscribe({.watcher = "sip:w2@example.com"});
  LONGS_EQUAL(0, publications("live"));
  LONGS_EQUAL(1, publications("sending"));
  LONGS_EQUAL(1, publications("backoff"));
  LONGS_EQUAL(1, subscriptions("live"));
  LONGS_EQUAL(1, subscriptions("sending"));
  rig.accept();
  LONGS_EQUAL(1, subscriptions("waiting"));
  LONGS_EQUAL(0, subscriptions("sending"));
}

// A scrape of the metrics must not cost more with more records: the numbers are counters, and no table is walked.
TEST(Measures, reading_the_numbers_looks_at_no_record) {
  for (int i = 0; i < 2000; i++) {
    rig.Rig::ask({.uri = "sip:p" + std::to_string(i) + "@example.com", .body = "b"});
    rig.ask({.watcher = "sip:w" + std::to_string(i) + "@example.com"});
  }
  uint64_t before = rig.engine->looked_at();
  LONGS_EQUAL(2000, rig.stats().records);
  LONGS_EQUAL(2000, rig.stats().subscriptions);
  int64_t all = 0;
  for (const StateCount& s : rig.engine->publications_by_state()) all += s.records;
  for (const StateCount& s : rig.engine->subscriptions_by_state()) all += s.records;
  LONGS_EQUAL(4000, all);
  m();
  UNSIGNED_LONGS_EQUAL(before, rig.engine->looked_at());
  rig.engine->list({}, 0, 10, [](const RecordView&) {}, rig.now);
  CHECK(rig.engine->looked_at() >= before + 10);
}
