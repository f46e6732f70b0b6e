// sofia-sip's reactor inside libevent: timers, messages, several drivers, the end, quiet, the clock; on the real library.
#include "sip/su_clock.h"
#include "tests/sip/su_driver_fixture.h"

using namespace su_test;

TEST_GROUP_BASE(SuClock, SuDriverTest) {};
SU_GROUPS(SuTurnsPort, SuTurnsNested);
#define IN_BOTH_MODES(name) SU_TEST_IN(SuTurnsPort, SuTurnsNested, name)

// --- timers and messages -----------------------------------------------------------------------------------------------

IN_BOTH_MODES(timers_fire_in_order_and_not_early) {
  std::string order;
  int64_t began = real_ms(), third = 0;
  SuTimer a(*t.driver, 12, [&] { order += 'a', third = real_ms(); });
  SuTimer b(*t.driver, 2, [&] { order += 'b'; });
  SuTimer c(*t.driver, 7, [&] { order += 'c'; });
  a.set();
  b.set();
  c.set();
  t.turn_until([&] { return order.size() == 3; });
  STRCMP_EQUAL("bca", order.c_str());
  CHECK_TRUE(third - began >= 11);  // sofia counts microseconds, we whole milliseconds
}

IN_BOTH_MODES(an_earlier_deadline_is_kept_though_a_later_one_was_armed) {
  bool fired = false;
  SuTimer timer(*t.driver, 100000, [&] { fired = true; });
  timer.set();
  t.turn_without_waiting();
  timer.set(1);
  t.turn_until([&] { return fired; });
}

IN_BOTH_MODES(a_reset_timer_does_not_fire) {
  bool fired = false;
  SuTimer timer(*t.driver, 2, [&] { fired = true; });
  timer.set();
  t.turn_without_waiting();
  su_timer_reset(timer.t);
  t.driver->kick();
  CHECK_TRUE(t.wakeups_within(20) <= 2);
  CHECK_FALSE(fired);
}

IN_BOTH_MODES(a_timer_may_set_itself_in_its_callback) {
  int n = 0;
  SuTimer timer(*t.driver, 1, [] {});
  timer.on = [&] {
    if (++n < 3) su_timer_set(timer.t, SuTimer::cb, &timer);
  };
  timer.set();
  t.turn_until([&] { return n == 3; });
}

IN_BOTH_MODES(a_timer_set_by_a_socket_callback_fires) {
  int fds[2];
  t.pair(fds);
  bool fired = false;
  SuTimer timer(*t.driver, 1, [&] { fired = true; });
  Socket s(*t.driver, fds[0]);
  s.on = [&](int) {
    s.take();
    su_timer_set(timer.t, SuTimer::cb, &timer);
  };
  LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  t.turn_until([&] { return fired; });
  close(fds[1]);
}

IN_BOTH_MODES(a_message_arrives_and_never_inside_the_call_that_sends_it) {
  int n = 0;
  g_on_message = [&] { n++; };
  post_message(*t.driver);
  post_message(*t.driver);
  LONGS_EQUAL(0, n);
  t.turn_until([&] { return n == 2; });
}

IN_BOTH_MODES(a_chain_of_messages_does_not_keep_the_loop) {
  int n = 0, fds[2];
  t.pair(fds);
  g_on_message = [&] {
    n++;
    post_message(*t.driver);
  };
  bool heard = false;
  Socket s(*t.driver, fds[0]);
  s.on = [&](int) {
    s.take();
    heard = true;
    g_on_message = [] {};
  };
  post_message(*t.driver);
  t.turn_without_waiting();
  CHECK_TRUE(n > 0 && n < 1000);
  LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  t.turn_until([&] { return heard; });
  for (int i = 0; i < 3; i++) t.turn_without_waiting();
  close(fds[1]);
}

// The deadline lies a fraction of a millisecond away, which sofia shows as 0 ms left.
IN_BOTH_MODES(the_last_millisecond_before_a_deadline_is_not_a_busy_loop) {
  int n = 0;
  SuTimer timer(*t.driver, 10, [&] { n++; });
  timer.set();
  CHECK_TRUE(t.wakeups_within(40) <= 6);
  LONGS_EQUAL(1, n);
}

// --- several, and the end ----------------------------------------------------------------------------------------------

IN_BOTH_MODES(two_drivers_on_one_base_do_not_meddle) {
  std::unique_ptr<SuDriver> second = t.make(t.driver->mode());
  int a = 0, b = 0, fds[2];
  t.pair(fds);
  {
    SuTimer ta(*t.driver, 1, [&] { a++; });
    SuTimer tb(*second, 1, [&] { b++; });
    Socket s(*second, fds[0]);
    s.on = [&](int) { s.take(), b++; };
    ta.set();
    tb.set();
    LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
    t.turn_until([&] { return a == 1 && b == 2; });
  }
  second.reset();
  SuTimer again(*t.driver, 1, [&] { a++; });
  again.set();
  t.turn_until([&] { return a == 2; });
  close(fds[1]);
}

IN_BOTH_MODES(the_end_leaves_nothing_in_the_base) {
  SuTimer* timer = new SuTimer(*t.driver, 1000, [] {});
  timer->set();
  t.turn_without_waiting();
  delete timer;
  t.driver->kick();
  t.driver.reset();
  LONGS_EQUAL(0, t.events_left());
}

TEST(SuTurnsPort, a_message_still_queued_at_the_end_is_run) {
  int n = 0;
  g_on_message = [&] { n++; };
  post_message(*driver);
  driver.reset();
  LONGS_EQUAL(1, n);
}

// sofia keeps a reference to the port for a timer that nobody destroyed, and forgets the timer.
IN_BOTH_MODES(a_timer_that_was_never_destroyed_does_no_harm) {
  SuTimer timer(*t.driver, 1, [] { FAIL("after the end"); });
  timer.set();
  su_task_r lost{};  // the reference that the timer held
  lost->sut_port = su_root_task(t.driver->root())->sut_port;
  lost->sut_root = t.driver->root();
  t.driver.reset();
  timer.t = nullptr;
  LONGS_EQUAL(0, t.wakeups_within(10));
  su_task_deinit(lost);
}

IN_BOTH_MODES(sockets_still_watched_go_with_the_driver) {
  int fds[2];
  t.pair(fds);
  Socket s(*t.driver, fds[0]);
  s.on = [](int) { FAIL("after the end"); };
  t.driver.reset();
  s.id = -1;
  LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  LONGS_EQUAL(0, t.wakeups_within(10));
  close(fds[1]);
}

IN_BOTH_MODES(the_driver_may_go_inside_a_socket_callback) {
  int fds[2], calls = 0;
  t.pair(fds);
  Socket s(*t.driver, fds[0]);
  s.on = [&](int) {
    calls++;
    s.take();
    t.driver.reset();
    s.id = -1;
  };
  for (int i = 0; i < 3; i++) LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  t.turn_until([&] { return !t.driver; });
  t.turn_without_waiting();
  LONGS_EQUAL(1, calls);
  close(fds[1]);
}

IN_BOTH_MODES(the_driver_may_go_inside_a_timer) {
  auto* timer = new SuTimer(*t.driver, 1, [] {});
  timer->on = [&] {
    SuTimer* mine = timer;
    timer = nullptr;
    auto end = std::move(t.driver);
    delete mine;
    end.reset();
  };
  timer->set();
  t.turn_until([&] { return !t.driver; });
}

IN_BOTH_MODES(the_driver_may_go_inside_a_message) {
  g_on_message = [&] { t.driver.reset(); };
  post_message(*t.driver);
  t.turn_until([&] { return !t.driver; });
}

// --- quiet and cheap ---------------------------------------------------------------------------------------------------

IN_BOTH_MODES(idle_it_wakes_nobody) {
  int fds[2];
  t.pair(fds);
  Socket s(*t.driver, fds[0]);
  s.on = [&](int) { s.take(); };
  SuTimer far(*t.driver, 100000, [] {});
  far.set();
  LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  t.turn();
  t.turn_without_waiting();
  t.turn_without_waiting();
  LONGS_EQUAL(0, t.wakeups_within(150));
  close(fds[1]);
}

// Housekeeping of sofia's comes every second for ever; as a deferrable timer it waits until something else wakes the loop.
IN_BOTH_MODES(a_deferrable_timer_wakes_nobody_but_runs_with_whatever_does) {
  int n = 0;
  SuTimer housekeeping(*t.driver, 20, [&] { n++; });
  su_timer_deferrable(housekeeping.t, 1);
  housekeeping.set();
  t.turn_without_waiting();
  t.turn_without_waiting();
  LONGS_EQUAL(0, t.wakeups_within(100));
  LONGS_EQUAL(0, n);
  SuTimer other(*t.driver, 1, [] {});
  other.set();
  t.turn_until([&] { return n == 1; });
}

IN_BOTH_MODES(a_shorter_patience_lets_deferrable_timers_run) {
  int n = 0;
  SuTimer housekeeping(*t.driver, 5, [&] { n++; });
  su_timer_deferrable(housekeeping.t, 1);
  su_root_set_max_defer(t.driver->root(), 10);
  housekeeping.set();
  t.turn_until([&] { return n == 1; });
}

IN_BOTH_MODES(deadlines_that_move_away_are_not_armed_again) {
  SuTimer timer(*t.driver, 50000, [] {});
  timer.set();
  t.turn_without_waiting();
  uint64_t arms = t.driver->stats().timer_arms;
  for (int i = 1; i <= 100; i++) {
    timer.set(50000 + i * 10);
    t.turn_without_waiting();
  }
  LONGS_EQUAL(arms, t.driver->stats().timer_arms);
}

TEST(SuTurnsPort, a_kick_is_free) {
  int64_t pumps = static_cast<int64_t>(driver->stats().pumps);
  driver->kick();
  LONGS_EQUAL(0, wakeups_within(10));
  LONGS_EQUAL(pumps, driver->stats().pumps);
}

TEST(SuTurnsPort, a_hundred_calls_from_outside_make_one_turn) {
  std::vector<std::unique_ptr<SuTimer>> timers;
  for (int i = 0; i < 100; i++) {
    timers.push_back(std::make_unique<SuTimer>(*driver, 50000, [] {}));
    timers.back()->set();
  }
  turn_without_waiting();
  LONGS_EQUAL(1, driver->stats().pumps);
  LONGS_EQUAL(1, driver->stats().timer_arms);
  timers.clear();
  turn_without_waiting();
}

IN_BOTH_MODES(slow_callbacks_are_named) {
  pua::Watchdog wd(t.log, -1);  // below zero: every callback counts as slow
  auto watched = t.make(t.driver->mode(), &wd);
  t.lines.clear();
  int fds[2], n = 0;
  t.pair(fds);
  {
    Socket s(*watched, fds[0]);
    s.on = [&](int) { s.take(), n++; };
    LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
    t.turn_until([&] { return n == 1; });
  }
  CHECK_TRUE(wd.report().slow > 0);
  std::string all;
  for (auto& l : t.lines) all += l;
  STRCMP_CONTAINS("sip.io", all.c_str());
  watched.reset();
  close(fds[1]);
}

// --- the clock ---------------------------------------------------------------------------------------------------------

IN_BOTH_MODES(timers_follow_a_clock_set_by_hand) {
  g_fake_us = 0;
  pua::su_clock_set_source(fake_clock);
  int fired = 0;
  {
    SuTimer timer(*t.driver, 3600000, [&] { fired++; });
    timer.set();
    t.turn_without_waiting();
    g_fake_us = 3599999000;
    t.driver->settle();
    LONGS_EQUAL(0, fired);
    g_fake_us = 3600000000;
    t.driver->settle();
    LONGS_EQUAL(1, fired);
  }
  pua::su_clock_set_source(nullptr);
}

TEST(SuClock, sofias_clock_is_the_monotonic_one_whatever_the_wall_clock_says) {
  pua::su_clock_install();
  g_fake_us = 77;
  pua::su_clock_set_source(fake_clock);
  su_time_t before = su_now();
  int64_t began = real_ms();
  while (real_ms() < began + 2) {  // the wall clock moves on, sofia's stands
  }
  LONGS_EQUAL(0, SU_TIME_CMP(before, su_now()));
  g_fake_us += 1500000;
  DOUBLES_EQUAL(1.5, su_time_diff(su_now(), before), 1e-9);
  pua::su_clock_set_source(nullptr);
}

TEST(SuClock, installing_the_clock_again_does_not_move_it) {
  pua::su_clock_install();
  su_time_t a = su_now();
  pua::su_clock_install();
  su_time_t b = su_now();
  CHECK_TRUE(SU_TIME_CMP(a, b) <= 0);
  CHECK_TRUE(su_time_diff(b, a) < 1.0);
}
