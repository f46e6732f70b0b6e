// Watchdog on a clock that only the test moves.
#include <string>
#include <vector>

#include "base/log.h"
#include "base/watchdog.h"

#include <CppUTest/TestHarness.h>

using pua::Watchdog;

namespace {
int64_t g_wall, g_cpu;
int g_cpu_reads;
constexpr int64_t kMs = 1000000;

void pass(int64_t wall_ms, int64_t cpu_ms) {
  g_wall += wall_ms * kMs;
  g_cpu += cpu_ms * kMs;
}
}  // namespace

TEST_GROUP(Watchdog) {
  std::vector<std::string> lines;
  pua::Log log{[this](pua::LogLevel, std::string_view s) { lines.emplace_back(s); }};
  Watchdog wd{log, 10, {[] { return g_wall; }, [] { return g_cpu_reads++, g_cpu; }}};

  void setup() override {
    g_wall = 1000 * kMs;
    g_cpu = 300 * kMs;
    g_cpu_reads = 0;
  }
  void callback(const char* name, int64_t wall_ms, int64_t cpu_ms) {
    Watchdog::Scope scope(&wd, name);
    pass(wall_ms, cpu_ms);
  }
};

TEST(Watchdog, a_quick_callback_is_not_worth_a_word) {
  callback("quick", 10, 10);
  LONGS_EQUAL(0, wd.report().slow);
  LONGS_EQUAL(0, lines.size());
}

TEST(Watchdog, a_slow_callback_is_counted_and_named_with_its_cpu_time) {
  callback("store.flush", 25, 4);
  LONGS_EQUAL(1, wd.report().slow);
  LONGS_EQUAL(1, lines.size());
  STRCMP_EQUAL("loop: store.flush ran 25.0 ms (4.0 ms of CPU)", lines[0].c_str());
}

TEST(Watchdog, the_longest_is_remembered_with_name_and_cpu_time) {
  callback("a", 5, 1);
  callback("b", 40, 2);
  callback("c", 30, 29);
  LONGLONGS_EQUAL(40 * kMs, wd.report().max_ns);
  STRCMP_EQUAL("b", wd.report().max_name);
  LONGLONGS_EQUAL(2 * kMs, wd.report().max_name_cpu_ns);
  LONGLONGS_EQUAL(29 * kMs, wd.report().max_cpu_ns);
}

TEST(Watchdog, maxima_can_be_forgotten_but_the_count_stays) {
  callback("b", 40, 2);
  wd.reset_max();
  LONGLONGS_EQUAL(0, wd.report().max_ns);
  LONGLONGS_EQUAL(0, wd.report().max_cpu_ns);
  STRCMP_EQUAL("", wd.report().max_name);
  LONGS_EQUAL(1, wd.report().slow);
}

TEST(Watchdog, a_name_that_is_always_slow_speaks_every_ten_seconds_and_says_how_often_it_held_back) {
  for (int i = 0; i < 5; i++) callback("again", 20, 20);
  LONGS_EQUAL(1, lines.size());
  pass(10000, 0);
  callback("again", 20, 20);
  LONGS_EQUAL(2, lines.size());
  STRCMP_EQUAL("loop: again ran 20.0 ms (20.0 ms of CPU), and was slow 4 more times", lines[1].c_str());
  LONGS_EQUAL(6, wd.report().slow);
}

TEST(Watchdog, one_noisy_name_does_not_silence_another) {
  callback("a", 20, 20);
  callback("b", 20, 20);
  LONGS_EQUAL(2, lines.size());
}

TEST(Watchdog, the_inner_part_that_took_the_time_is_blamed_alone) {
  {
    Watchdog::Scope outer(&wd, "sip.io");
    pass(2, 2);
    callback("owner callback", 50, 1);
    pass(2, 2);
  }
  LONGS_EQUAL(1, lines.size());
  STRCMP_CONTAINS("owner callback ran 50.0 ms", lines[0].c_str());
  LONGS_EQUAL(1, wd.report().slow);
  LONGLONGS_EQUAL(54 * kMs, wd.report().max_ns);
  STRCMP_EQUAL("owner callback", wd.report().max_name);
}

TEST(Watchdog, the_whole_is_blamed_too_if_it_was_slow_on_its_own) {
  {
    Watchdog::Scope outer(&wd, "sip.io");
    callback("inner", 12, 0);
    pass(30, 0);
  }
  LONGS_EQUAL(2, lines.size());
  STRCMP_CONTAINS("sip.io ran 42.0 ms", lines[1].c_str());
  STRCMP_EQUAL("sip.io", wd.report().max_name);
  LONGS_EQUAL(1, wd.report().slow);
}

TEST(Watchdog, many_quick_parts_of_a_slow_whole_leave_the_blame_with_the_whole) {
  {
    Watchdog::Scope outer(&wd, "sip.io");
    for (int i = 0; i < 30; i++) callback("reply", 1, 1);
  }
  LONGS_EQUAL(1, lines.size());
  STRCMP_CONTAINS("sip.io ran 30.0 ms", lines[0].c_str());
}

TEST(Watchdog, the_threshold_can_be_moved) {
  wd.set_slow_ms(100);
  callback("a", 60, 1);
  LONGS_EQUAL(0, wd.report().slow);
  wd.set_slow_ms(50);
  callback("a", 60, 1);
  LONGS_EQUAL(1, wd.report().slow);
}

TEST(Watchdog, cpu_time_of_others_between_callbacks_is_not_charged) {
  callback("warm up", 0, 0);
  pass(500, 400);  // the host's own work
  callback("slow", 20, 3);
  LONGLONGS_EQUAL(3 * kMs, wd.report().max_cpu_ns);
}

TEST(Watchdog, the_cpu_clock_is_read_at_most_once_a_millisecond_while_all_is_quick) {
  callback("first", 1, 1);
  int before = g_cpu_reads;
  for (int i = 0; i < 1000; i++) {
    Watchdog::Scope scope(&wd, "quick");
    g_wall += 1000;  // a microsecond each
  }
  CHECK_TRUE(g_cpu_reads - before <= 2);
}

TEST(Watchdog, every_callback_is_in_the_histogram_once_and_its_parts_are_not) {
  callback("quick", 1, 1);
  {
    Watchdog::Scope outer(&wd, "sip.io");
    callback("part", 3, 1);
    pass(1, 1);
  }
  callback("slow", 2000, 1);
  UNSIGNED_LONGS_EQUAL(3, wd.times().count());
  LONGLONGS_EQUAL(2005000, wd.times().sum_us());
  UNSIGNED_LONGS_EQUAL(1, wd.times().in_bucket(3));                              // 1 ms
  UNSIGNED_LONGS_EQUAL(1, wd.times().in_bucket(5));                              // 5 ms: the whole of 4
  UNSIGNED_LONGS_EQUAL(1, wd.times().in_bucket(wd.times().bounds().size()));     // beyond 1 s
  wd.reset_max();
  UNSIGNED_LONGS_EQUAL(3, wd.times().count());
}

TEST(Watchdog, slow_callbacks_are_counted_by_the_name_to_blame) {
  callback("store", 20, 1);
  callback("quick", 5, 1);
  callback("store", 30, 1);
  {
    Watchdog::Scope outer(&wd, "sip.io");
    callback("engine", 50, 1);
  }
  {
    Watchdog::Scope outer(&wd, "sip.io");
    callback("engine", 12, 1);
    pass(30, 1);
  }
  auto slow = wd.slow_by_name();
  LONGS_EQUAL(3, slow.size());
  STRCMP_EQUAL("store", slow[0].name);
  UNSIGNED_LONGS_EQUAL(2, slow[0].count);
  STRCMP_EQUAL("engine", slow[1].name);
  UNSIGNED_LONGS_EQUAL(1, slow[1].count);
  STRCMP_EQUAL("sip.io", slow[2].name);
  UNSIGNED_LONGS_EQUAL(1, slow[2].count);
  UNSIGNED_LONGS_EQUAL(4, wd.report().slow);
}

TEST(Watchdog, no_watchdog_is_fine) {
  {
    Watchdog::Scope scope(nullptr, "x");
    pass(50, 50);
  }
  LONGS_EQUAL(0, lines.size());
}

TEST(Watchdog, it_may_go_inside_a_callback) {
  auto* own = new Watchdog(log, 10, {[] { return g_wall; }, [] { return g_cpu; }});
  {
    Watchdog::Scope outer(own, "outer");
    Watchdog::Scope inner(own, "inner");
    CHECK_TRUE(own->inside());
    delete own;
    pass(50, 50);
  }
  LONGS_EQUAL(0, lines.size());
}

TEST(Watchdog, detached_it_forgets_the_open_scopes_and_goes_on_with_new_ones) {
  {
    Watchdog::Scope outer(&wd, "old");
    wd.detach();
    CHECK_FALSE(wd.inside());
    pass(50, 50);
  }
  LONGS_EQUAL(0, lines.size());
  callback("new", 50, 50);
  LONGS_EQUAL(1, lines.size());
}

TEST(Watchdog, the_system_clocks_run) {
  auto clocks = Watchdog::system_clocks();
  int64_t w = clocks.wall_ns(), c = clocks.cpu_ns();
  CHECK_TRUE(w > 0);
  CHECK_TRUE(c > 0);
  CHECK_TRUE(clocks.wall_ns() >= w);
  CHECK_TRUE(clocks.cpu_ns() >= c);
}
