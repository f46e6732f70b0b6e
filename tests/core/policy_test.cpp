// Policy: what each status means, what to ask for, when to refresh, how long to wait.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/policy.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

ReplyClass of(int status, ReplyOrigin origin = ReplyOrigin::Wire) {
  SipReply r;
  r.status = status;
  r.origin = origin;
  return classify(r);
}

struct Range {
  MonoMs low = kNever, high = -1;
  void add(MonoMs v) { low = std::min(low, v), high = std::max(high, v); }
};

Range refreshes(uint32_t granted) {
  Random random(3);
  Range r;
  for (int i = 0; i < 2000; i++) r.add(refresh_after(granted, random));
  return r;
}

Range waits(uint32_t attempts, int64_t retry_after = -1) {
  Random random(5);
  Range r;
  for (int i = 0; i < 2000; i++) r.add(backoff(attempts, retry_after, random));
  return r;
}

}  // namespace

TEST_GROUP(Policy) {
  EngineSettings settings;
  void setup() override {
    settings.min_expires = 300;
    settings.max_expires = 7200;
    settings.default_expires = 3600;
    settings.max_expires_by_event = {{64, 600}};
  }
  uint32_t ask(MonoMs remaining, uint32_t server_min = 0, int32_t event = 1) {
    return expires_to_ask(expires_rule(settings, event), remaining, server_min);
  }
};

TEST(Policy, every_status_of_the_wire_has_the_class_of_its_row) {
  const std::set<int> fatal = {400, 405, 406, 413, 415, 420, 489}, forbidden = {403, 404}, auth = {401, 407};
  for (int status = 200; status < 700; status++) {
    ReplyClass want = status < 300              ? ReplyClass::Success
                      : status == 412           ? ReplyClass::LostState
                      : status == 423           ? ReplyClass::TooBrief
                      : auth.count(status)      ? ReplyClass::Auth
                      : forbidden.count(status) ? ReplyClass::Forbidden
                      : fatal.count(status)     ? ReplyClass::Fatal
                                                : ReplyClass::Transient;
    if (of(status) != want) FAIL(("class of " + std::to_string(status)).c_str());
  }
}

TEST(Policy, the_transient_ones_of_the_specification_are_transient) {
  for (int status : {300, 302, 408, 429, 430, 480, 482, 500, 502, 503, 504, 600, 603, 699})
    CHECK(of(status) == ReplyClass::Transient);
}

TEST(Policy, a_synthetic_reply_is_transient_whatever_its_number) {
  for (int status : {200, 400, 404, 408, 412, 503}) {
    CHECK(of(status, ReplyOrigin::Timeout) == ReplyClass::Transient);
    CHECK(of(status, ReplyOrigin::Transport) == ReplyClass::Transient);
    CHECK(of(status, ReplyOrigin::Local) == ReplyClass::Transient);
    CHECK(of(status, ReplyOrigin::Shutdown) == ReplyClass::Shutdown);
  }
}

TEST(Policy, expires_is_the_remaining_time_within_its_bounds) {
  struct { MonoMs remaining; uint32_t server_min; int32_t event; uint32_t want; } rows[] = {
      {1000000, 0, 1, 1000},    // as it is, without one more second
      {1000001, 0, 1, 1001},    // a part of a second counts as one: never shorter than wanted
      {999001, 0, 1, 1000},
      {300000, 0, 1, 300},      // at the lower bound
      {299000, 0, 1, 300},      // raised to min_expires
      {1, 0, 1, 300},
      {-5000, 0, 1, 300},       // its end has passed while it was queued
      {1000000, 1800, 1, 1800}, // raised to the server's Min-Expires
      {1000000, 900, 1, 1000},  // which was met already
      {9000000, 0, 1, 7200},    // lowered to max_expires
      {7200000, 0, 1, 7200},
      {1000000, 9000, 1, 7200}, // max_expires is stronger than the server's wish
      {1000000, 0, 64, 600},    // max_expires of the event
      {400000, 0, 64, 400},
      {kNever, 0, 1, 3600},     // for ever: default_expires
      {kNever, 0, 64, 600},
      {kNever, 5000, 1, 5000},
  };
  for (auto& r : rows) LONGS_EQUAL(r.want, ask(r.remaining, r.server_min, r.event));
}

TEST(Policy, a_max_expires_below_min_expires_wins) {
  settings.max_expires = 60;
  LONGS_EQUAL(60, ask(1000000));
}

TEST(Policy, one_second_is_the_least_that_is_ever_asked_for) {
  settings.min_expires = 0;
  LONGS_EQUAL(1, ask(1));
  LONGS_EQUAL(1, ask(-100000));
}

TEST(Policy, max_expires_is_that_of_the_event_where_it_has_one) {
  LONGS_EQUAL(600, expires_rule(settings, 64).most);
  LONGS_EQUAL(7200, expires_rule(settings, 1).most);
}

TEST(Policy, a_long_grant_is_refreshed_a_fifth_before_its_end_less_jitter) {
  Range r = refreshes(3600);
  CHECK(r.high <= 2880000);
  CHECK(r.low >= 2520000);
  CHECK(r.high - r.low > 300000);  // so that records made together drift apart
}

TEST(Policy, a_refresh_leaves_room_for_a_whole_transaction_timeout_and_a_retry) {
  Range r = refreshes(120);
  CHECK(r.high <= 80000);  // 40 s before the end: 32 s of timer F, and time for one more try
  CHECK(r.low >= 68000);
}

TEST(Policy, a_short_grant_is_refreshed_about_half_way) {
  Range r = refreshes(60);
  CHECK(r.high <= 30000);
  CHECK(r.low >= 24000);
  r = refreshes(10);
  CHECK(r.high <= 5000);
  CHECK(r.low >= 4000);
}

TEST(Policy, every_grant_above_the_floor_is_refreshed_before_it_ends) {
  Random random(11);
  for (uint32_t granted = 3; granted < 100000; granted += granted / 7 + 1) {
    for (int i = 0; i < 20; i++) {
      MonoMs after = refresh_after(granted, random);
      CHECK(after >= kRefreshFloor);
      CHECK(after < static_cast<MonoMs>(granted) * 1000);
    }
  }
}

TEST(Policy, no_grant_however_short_is_refreshed_more_often_than_every_two_seconds) {
  LONGLONGS_EQUAL(2000, kRefreshFloor);
  for (uint32_t granted : {0u, 1u, 2u, 3u, 4u}) {
    Range r = refreshes(granted);
    LONGLONGS_EQUAL(2000, r.low);
    LONGLONGS_EQUAL(2000, r.high);
  }
}

TEST(Policy, back_off_doubles_from_two_seconds_to_five_minutes_with_a_quarter_of_jitter) {
  MonoMs bases[] = {2000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000};
  for (uint32_t attempts = 0; attempts < 11; attempts++) {
    Range r = waits(attempts);
    MonoMs base = bases[attempts];
    CHECK(r.low >= base - base / 4);
    CHECK(r.high <= base + base / 4);
    CHECK(r.high - r.low > base / 3);
  }
  CHECK(waits(255).high <= 375000);
}

TEST(Policy, retry_after_is_a_lower_bound_believed_up_to_an_hour) {
  LONGLONGS_EQUAL(120000, waits(1, 120).low);
  LONGLONGS_EQUAL(120000, waits(1, 120).high);
  LONGLONGS_EQUAL(3600000, waits(1, 1000000000).high);
  LONGLONGS_EQUAL(waits(1).low, waits(1, 0).low);  // Retry-After: 0 changes nothing
  CHECK(waits(9, 10).low >= 225000);               // a longer wait of our own stays
}
