// EpochClock: rows keep their time whatever the wall clock does. All times are given: no test reads a clock but the last.
#include <optional>
#include <string>

#include "loop/clock.h"

#include <CppUTest/TestHarness.h>

using pua::EpochClock;
using State = pua::EpochClock::State;

namespace {
constexpr int64_t kWall = 1700000000000;  // some day in 2023, ms
constexpr int64_t kHour = 3600000;
}  // namespace

TEST_GROUP(EpochClock) {
  EpochClock fresh(int64_t mono) const { return EpochClock(std::nullopt, "boot-a", mono, kWall); }
};

TEST(EpochClock, a_first_start_takes_the_wall_clock) {
  EpochClock c = fresh(5000);
  LONGLONGS_EQUAL(kWall / 1000, c.epoch_s(5000));
  LONGLONGS_EQUAL(kWall / 1000 + 7, c.epoch_s(12000));
  LONGLONGS_EQUAL(0, c.state().drift_ms);
}

TEST(EpochClock, a_wall_clock_step_forward_moves_no_row) {
  EpochClock c = fresh(5000);
  CHECK_TRUE(c.observe_wall(6000, kWall + 1000 + kHour));
  LONGLONGS_EQUAL(kWall / 1000 + 1, c.epoch_s(6000));
  LONGLONGS_EQUAL(kHour, c.state().drift_ms);
}

TEST(EpochClock, a_wall_clock_step_back_moves_no_row) {
  EpochClock c = fresh(5000);
  CHECK_TRUE(c.observe_wall(6000, kWall + 1000 - kHour));
  LONGLONGS_EQUAL(kWall / 1000 + 1, c.epoch_s(6000));
  LONGLONGS_EQUAL(-kHour, c.state().drift_ms);
}

TEST(EpochClock, the_drift_is_told_once_and_small_slips_add_up) {
  EpochClock c = fresh(0);
  CHECK_FALSE(c.observe_wall(1000, kWall + 1000 + 600));
  CHECK_TRUE(c.observe_wall(2000, kWall + 2000 + 1200));
  CHECK_FALSE(c.observe_wall(3000, kWall + 3000 + 1200));
  CHECK_TRUE(c.observe_wall(4000, kWall + 4000 + 100));
}

TEST(EpochClock, the_state_is_saved_every_ten_minutes_though_nothing_moved) {
  EpochClock c = fresh(0);
  int saves = 0;
  std::optional<State> saved;
  for (int64_t at = 10000; at <= 2 * kHour; at += 10000) {
    if (!c.observe_wall(at, kWall + at)) continue;
    saves++;
    saved = c.state();
    CHECK(saved->seen_ms >= kWall + at - 600000);
  }
  LONGS_EQUAL(12, saves);
  EpochClock after(saved, "boot-b", 300, 1000);  // a crash, a reboot, 1970
  CHECK(after.epoch_ms(300) > kWall + 2 * kHour - 600000);
}

TEST(EpochClock, a_restart_in_the_same_boot_goes_on_whatever_the_wall_clock_did_meanwhile) {
  EpochClock before = fresh(5000);
  for (int64_t step : {-kHour, int64_t{0}, kHour}) {
    EpochClock after(before.state(), "boot-a", 65000, kWall + 60000 + step);
    LONGLONGS_EQUAL(kWall / 1000 + 60, after.epoch_s(65000));
    LONGLONGS_EQUAL(step, after.state().drift_ms);
  }
}

TEST(EpochClock, a_new_boot_follows_the_wall_clock) {
  EpochClock before = fresh(5000);
  EpochClock after(before.state(), "boot-b", 300, kWall + kHour);
  LONGLONGS_EQUAL((kWall + kHour) / 1000, after.epoch_s(300));
  STRCMP_EQUAL("boot-b", after.state().boot_id.c_str());
}

TEST(EpochClock, a_new_boot_after_a_step_takes_the_step_off) {
  for (int64_t step : {-kHour, kHour}) {
    EpochClock before = fresh(5000);
    before.observe_wall(6000, kWall + 1000 + step);
    EpochClock after(before.state(), "boot-b", 300, kWall + 31000 + step);
    LONGLONGS_EQUAL((kWall + 31000) / 1000, after.epoch_s(300));
    LONGLONGS_EQUAL(step, after.state().drift_ms);
  }
}

TEST(EpochClock, a_new_boot_never_goes_behind_the_last_time_seen) {
  EpochClock before = fresh(5000);
  before.observe_wall(65000, kWall + 60000);
  EpochClock after(before.state(), "boot-b", 300, 1000);  // a board without a clock battery: it is 1970
  LONGLONGS_EQUAL((kWall + 60000) / 1000, after.epoch_s(300));
}

TEST(EpochClock, without_a_boot_id_each_start_counts_as_a_new_boot) {
  EpochClock before(std::nullopt, "", 5000, kWall);
  EpochClock after(before.state(), "", 300, kWall + kHour);
  LONGLONGS_EQUAL((kWall + kHour) / 1000, after.epoch_s(300));
}

TEST(EpochClock, a_row_time_and_back) {
  EpochClock c = fresh(5000);
  LONGLONGS_EQUAL(15000, c.mono_of(kWall / 1000 + 10));
  LONGLONGS_EQUAL(kWall / 1000 + 10, c.epoch_s(c.mono_of(kWall / 1000 + 10)));
  LONGLONGS_EQUAL(kWall / 1000 + 9, c.epoch_s(c.mono_of(kWall / 1000 + 10) - 1));
}

TEST(EpochClock, times_before_1970_round_down_too) {
  EpochClock c(std::nullopt, "b", 0, 0);
  LONGLONGS_EQUAL(-1, c.epoch_s(-1));
  LONGLONGS_EQUAL(-1, c.epoch_s(-1000));
  LONGLONGS_EQUAL(-2, c.epoch_s(-1001));
}

TEST(EpochClock, the_state_survives_its_text) {
  State s{"1b2c-44", 1699999995000, -3600000, 1700000060000};
  std::string text = EpochClock::encode(s);
  STRCMP_EQUAL("1b2c-44 1699999995000 -3600000 1700000060000", text.c_str());
  std::optional<State> back = EpochClock::decode(text);
  CHECK_TRUE(back.has_value());
  STRCMP_EQUAL("1b2c-44", back->boot_id.c_str());
  LONGLONGS_EQUAL(s.offset_ms, back->offset_ms);
  LONGLONGS_EQUAL(s.drift_ms, back->drift_ms);
  LONGLONGS_EQUAL(s.seen_ms, back->seen_ms);
}

TEST(EpochClock, an_unknown_boot_survives_its_text) {
  std::optional<State> back = EpochClock::decode(EpochClock::encode(State{"", 1, 2, 3}));
  CHECK_TRUE(back.has_value());
  CHECK_TRUE(back->boot_id.empty());
}

TEST(EpochClock, a_damaged_text_is_refused) {
  for (const char* bad : {"", "b", "b 1", "b 1 2", "b 1 2 3 4", "b 1 2 3 ", "b 1 2 x", "b 1 2 3x", " 1 2 3", "b  2 3",
                          "b 9223372036854775807 0 0", "b 99999999999999999999 0 0", "b 1 -2000000000000000 3"}) {
    CHECK_TEXT(!EpochClock::decode(bad).has_value(), bad);
  }
}

TEST(EpochClock, the_system_tells_its_times) {
  pua::MonoMs a = pua::mono_ms();
  CHECK_TRUE(a > 0);
  CHECK_TRUE(pua::mono_ms() >= a);
  CHECK_TRUE(pua::wall_ms() > kWall);
  STRCMP_EQUAL(pua::boot_id().c_str(), pua::boot_id().c_str());
  LONGS_EQUAL(36, pua::boot_id().size());
}
