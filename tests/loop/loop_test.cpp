// Loop and Timer on a real libevent base. Nothing sleeps: a test turns the loop until what it waits for has come.
#include <event2/event.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "loop/clock.h"
#include "loop/loop.h"

#include <CppUTest/TestHarness.h>

using pua::Errc;
using pua::kNever;
using pua::Loop;
using pua::Timer;

TEST_GROUP(Loop) {
  std::vector<std::string> lines;
  pua::Log log{[this](pua::LogLevel, std::string_view s) { lines.emplace_back(s); }};
  std::unique_ptr<Loop> loop;
  std::vector<int> seen;

  void setup() override { loop = std::move(*Loop::create(nullptr, log)); }
  void teardown() override { loop.reset(); }

  // Turns the loop once; if nothing is ready it waits for at most 2 s.
  void turn() {
    timeval most{2, 0};
    event_base_loopexit(loop->base(), &most);
    event_base_loop(loop->base(), EVLOOP_ONCE);
  }
  void turn_without_waiting() { event_base_loop(loop->base(), EVLOOP_ONCE | EVLOOP_NONBLOCK); }
  void turn_until(const std::function<bool()>& done) {
    int64_t give_up = pua::mono_ms() + 5000;
    while (!done() && pua::mono_ms() < give_up) turn();
    CHECK_TRUE(done());
  }
  int events_waiting() { return event_base_get_num_events(loop->base(), EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE); }
};

TEST(Loop, a_far_deadline_is_looked_at_again_soon_after_a_suspend) {
  LONGLONGS_EQUAL(250, pua::Timer::wait(1250, 1000));
  LONGLONGS_EQUAL(0, pua::Timer::wait(1000, 1250));
  LONGLONGS_EQUAL(60000, pua::Timer::wait(3600000, 1000));
}

TEST(Loop, time_goes_on_while_the_machine_is_suspended) {
  auto boot_ms = [] {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
  };
  int64_t before = boot_ms(), now = pua::mono_ms();
  CHECK(before <= now && now <= boot_ms());
}

TEST(Loop, it_makes_a_base_or_takes_the_hosts) {
  CHECK_TRUE(loop->owns_base());
  event_base* host = event_base_new();
  {
    auto guest = std::move(*Loop::create(host, log));
    CHECK_FALSE(guest->owns_base());
    POINTERS_EQUAL(host, guest->base());
  }
  LONGS_EQUAL(0, event_base_get_num_events(host, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE));
  event_base_free(host);
}

TEST(Loop, several_loops_live_on_one_base) {
  auto second = std::move(*Loop::create(loop->base(), log));
  loop->defer("t", [&] { seen.push_back(1); });
  second->defer("t", [&] { seen.push_back(2); });
  turn_without_waiting();
  CHECK_TRUE((seen == std::vector<int>{1, 2}));
  second.reset();
  loop->defer("t", [&] { seen.push_back(3); });
  turn_without_waiting();
  LONGS_EQUAL(3, seen.back());
}

// --- deferred calls

TEST(Loop, a_deferred_call_runs_later_and_once_and_in_order) {
  loop->defer("t", [&] { seen.push_back(1); });
  loop->defer("t", [&] { seen.push_back(2); });
  LONGS_EQUAL(0, seen.size());
  turn_without_waiting();
  CHECK_TRUE((seen == std::vector<int>{1, 2}));
  turn_without_waiting();
  LONGS_EQUAL(2, seen.size());
}

TEST(Loop, a_call_deferred_by_a_deferred_call_leaves_a_turn_to_the_sockets) {
  int n = 0;
  std::function<void()> again = [&] {
    n++;
    loop->defer("t", again);
  };
  loop->defer("t", again);
  turn_without_waiting();
  LONGS_EQUAL(1, n);
  turn_without_waiting();
  LONGS_EQUAL(2, n);
}

TEST(Loop, what_was_deferred_goes_with_the_loop) {
  auto token = std::make_shared<int>(1);
  loop->defer("t", [token] {});
  loop.reset();
  LONGS_EQUAL(1, token.use_count());
}

TEST(Loop, the_loop_may_go_inside_a_deferred_call) {
  event_base* host = event_base_new();
  loop = std::move(*Loop::create(host, log));
  loop->defer("t", [&] {
    loop.reset();
    seen.push_back(1);
  });
  loop->defer("t", [&] { seen.push_back(2); });
  event_base_loop(host, EVLOOP_NONBLOCK);
  CHECK_TRUE((seen == std::vector<int>{1}));
  event_base_free(host);
}

TEST(Loop, a_loop_that_owns_its_base_may_go_inside_a_callback_of_its_run) {
  loop->defer("t", [&] {
    loop.reset();
    seen.push_back(1);
  });
  CHECK_TRUE(loop->run().ok());
  CHECK_TRUE((seen == std::vector<int>{1}));
}

TEST(Loop, a_slow_callback_in_which_the_loop_went_is_not_logged) {  // the log may have gone with it
  event_base* host = event_base_new();
  loop = std::move(*Loop::create(host, log, -1));
  loop->defer("t", [&] { loop.reset(); });
  event_base_loop(host, EVLOOP_NONBLOCK);
  CHECK_TRUE(loop == nullptr);
  LONGS_EQUAL(0, lines.size());
  event_base_free(host);
}

TEST(Loop, stop_ends_run) {
  loop->defer("t", [&] { loop->stop(); });
  CHECK_TRUE(loop->run().ok());
}

// --- calls from other threads

TEST(Loop, post_runs_on_the_loops_thread_in_order) {
  std::thread::id where;
  std::thread other([&] {
    for (int i = 0; i < 100; i++) CHECK_TRUE(loop->post([this, i] { seen.push_back(i); }));
    loop->post([&] { where = std::this_thread::get_id(); });
  });
  turn_until([&] { return where != std::thread::id(); });
  other.join();
  LONGS_EQUAL(100, seen.size());
  for (int i = 0; i < 100; i++) LONGS_EQUAL(i, seen[static_cast<size_t>(i)]);
  CHECK_TRUE(where == std::this_thread::get_id());
}

TEST(Loop, posts_of_many_threads_all_arrive) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; i++) loop->post([this] { seen.push_back(0); });
    });
  }
  turn_until([&] { return seen.size() == 1000; });
  for (auto& t : threads) t.join();
}

TEST(Loop, after_close_nothing_is_taken_and_what_was_taken_runs) {
  CHECK_TRUE(loop->post([&] { seen.push_back(1); }));
  loop->close();
  CHECK_FALSE(loop->post([&] { seen.push_back(2); }));
  turn_without_waiting();
  turn_without_waiting();
  CHECK_TRUE((seen == std::vector<int>{1}));
}

TEST(Loop, dropped_posts_are_destroyed_at_once_and_in_order_without_running) {
  auto post = [&](int number) {   // a function that says when it is destroyed
    std::shared_ptr<int> n(new int(number), [this](int* p) {
      seen.push_back(-*p);
      delete p;
    });
    CHECK_TRUE(loop->post([this, n = std::move(n)] { seen.push_back(*n); }));
  };
  CHECK_TRUE(loop->post([&] {
    post(3);   // in another batch than 2
    loop->drop_posts();
    seen.push_back(100);
    CHECK_FALSE(loop->post([&] { seen.push_back(4); }));
  }));
  post(2);
  turn_until([&] { return !seen.empty() && seen.back() == 100; });
  turn_without_waiting();
  CHECK_TRUE((seen == std::vector<int>{-2, -3, 100}));
}

TEST(Loop, a_loop_does_not_run_inside_its_own_callback) {
  Errc code = Errc::ok;
  loop->post([&] {
    code = loop->run().code();
    loop->stop();
  });
  CHECK_TRUE(loop->run().ok());
  CHECK_TRUE(code == Errc::generic);
}

TEST(Loop, a_post_from_the_loop_itself_does_not_run_inside_the_call) {
  loop->post([&] {
    loop->post([&] { seen.push_back(2); });
    seen.push_back(1);
  });
  turn_until([&] { return seen.size() == 2; });
  CHECK_TRUE((seen == std::vector<int>{1, 2}));
}

TEST(Loop, the_loop_may_go_inside_a_posted_call) {
  event_base* host = event_base_new();
  loop = std::move(*Loop::create(host, log));
  loop->post([&] {
    loop.reset();
    seen.push_back(1);
  });
  loop->post([&] { seen.push_back(2); });
  event_base_loop(host, EVLOOP_NONBLOCK);
  CHECK_TRUE((seen == std::vector<int>{1}));
  event_base_free(host);
}

// --- checks

TEST(Loop, the_right_thread_passes_the_check) {
  CHECK_TRUE(loop->on_loop_thread());
  CHECK_TRUE(loop->check().ok());
}

TEST(Loop, another_thread_is_detected) {
  Errc code = Errc::ok;
  std::thread([&] { code = loop->check().code(); }).join();
  CHECK_TRUE(code == Errc::wrong_thread);
  CHECK_TRUE(loop->check().ok());
}

TEST(Loop, use_after_fork_is_detected_and_the_parent_is_not_disturbed) {
  CHECK_TRUE(loop->check().ok());
  pid_t child = fork();
  if (child == 0) {
    bool ok = loop->check().code() == Errc::after_fork && loop->forked() && !loop->post([] {});
    loop.reset();  // must not take the parent's events off the epoll set they share
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  LONGS_EQUAL(child, waitpid(child, &status, 0));
  LONGS_EQUAL(0, status);
  CHECK_TRUE(loop->check().ok());
  CHECK_TRUE(loop->post([&] { seen.push_back(1); }));
  turn_until([&] { return seen.size() == 1; });
}

TEST(Loop, a_loop_made_in_the_child_works_there) {
  pid_t child = fork();
  if (child == 0) {
    auto own = std::move(*Loop::create(nullptr, log));
    _exit(own->check().ok() ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  LONGS_EQUAL(0, status);
}

// --- timers

TEST(Loop, a_timer_fires_once_and_never_early) {
  pua::MonoMs at = loop->now() + 7, fired = 0;
  Timer t(*loop, "t", [&] {
    fired = pua::mono_ms();
    seen.push_back(1);
  });
  t.arm(at);
  LONGLONGS_EQUAL(at, t.armed_at());
  turn_until([&] { return fired != 0; });
  CHECK_TRUE(fired >= at);
  LONGLONGS_EQUAL(kNever, t.armed_at());
  turn_without_waiting();
  LONGS_EQUAL(1, seen.size());
}

TEST(Loop, a_deadline_in_the_past_fires_in_the_next_turn_not_inside_arm) {
  Timer t(*loop, "t", [&] { seen.push_back(1); });
  t.arm(loop->now() - 1000);
  LONGS_EQUAL(0, seen.size());
  turn_without_waiting();
  LONGS_EQUAL(1, seen.size());
}

TEST(Loop, the_same_deadline_again_costs_nothing) {
  Timer t(*loop, "t", [] {});
  pua::MonoMs at = loop->now() + 100000;
  for (int i = 0; i < 100; i++) t.arm(at);
  LONGS_EQUAL(1, t.sets());
}

TEST(Loop, a_new_deadline_replaces_the_old) {
  Timer t(*loop, "t", [&] { seen.push_back(1); });
  t.arm(loop->now() + 100000);
  t.arm(loop->now());
  turn_until([&] { return seen.size() == 1; });
  t.arm(loop->now());
  t.arm(loop->now() + 100000);
  turn_without_waiting();
  LONGS_EQUAL(1, seen.size());
}

TEST(Loop, a_disarmed_timer_is_silent_and_leaves_nothing_behind) {
  int before = events_waiting();
  Timer t(*loop, "t", [&] { seen.push_back(1); });
  t.arm(loop->now());
  t.disarm();
  LONGS_EQUAL(before, events_waiting());
  turn_without_waiting();
  LONGS_EQUAL(0, seen.size());
  t.arm(loop->now());
  t.arm(kNever);
  LONGS_EQUAL(before, events_waiting());
}

TEST(Loop, timers_fire_in_the_order_of_their_deadlines) {
  pua::MonoMs now = loop->now();
  Timer a(*loop, "a", [&] { seen.push_back(3); });
  Timer b(*loop, "b", [&] { seen.push_back(1); });
  Timer c(*loop, "c", [&] { seen.push_back(2); });
  a.arm(now + 12);
  b.arm(now + 2);
  c.arm(now + 7);
  turn_until([&] { return seen.size() == 3; });
  CHECK_TRUE((seen == std::vector<int>{1, 2, 3}));
}

TEST(Loop, a_timer_may_arm_itself_again) {
  std::unique_ptr<Timer> t;
  t = std::make_unique<Timer>(*loop, "t", [&] {
    seen.push_back(1);
    if (seen.size() < 3) t->arm(loop->now() + 1);
  });
  t->arm(loop->now());
  turn_until([&] { return seen.size() == 3; });
}

TEST(Loop, a_timer_may_go_in_its_own_callback) {
  auto token = std::make_shared<int>(5);
  std::unique_ptr<Timer> t;
  t = std::make_unique<Timer>(*loop, "t", [&, token] {
    t.reset();
    seen.push_back(*token);
  });
  t->arm(loop->now());
  turn_until([&] { return seen.size() == 1; });
  LONGS_EQUAL(5, seen[0]);
  LONGS_EQUAL(1, token.use_count());
}

TEST(Loop, a_far_deadline_is_kept) {
  Timer t(*loop, "t", [&] { seen.push_back(1); });
  t.arm(kNever - 1);
  LONGLONGS_EQUAL(kNever - 1, t.armed_at());
  turn_without_waiting();
  LONGS_EQUAL(0, seen.size());
}

// --- quiet

// The loop's own epoll set shows whether anything would wake it: with nothing armed, a turn that may wait for ever ends
// only by the timer of the test.
TEST(Loop, idle_it_wakes_nobody) {
  Timer armed_and_disarmed(*loop, "t", [] {});
  armed_and_disarmed.arm(loop->now() + 5);
  armed_and_disarmed.disarm();
  loop->defer("t", [] {});
  loop->post([] {});
  turn_without_waiting();
  turn_without_waiting();
  int wakeups = 0;
  bool done = false;
  event* stop = evtimer_new(loop->base(), [](evutil_socket_t, short, void* d) { *static_cast<bool*>(d) = true; }, &done);
  timeval window{0, 200000};
  evtimer_add(stop, &window);
  while (!done) {
    event_base_loop(loop->base(), EVLOOP_ONCE);
    wakeups++;
  }
  event_free(stop);
  LONGS_EQUAL(1, wakeups);
}

TEST(Loop, slow_callbacks_of_every_kind_are_named) {
  // The threshold is below zero, so that each callback counts as slow without any time passing.
  loop->watchdog().set_slow_ms(-1);
  Timer t(*loop, "engine.deadline", [] {});
  t.arm(loop->now());
  loop->defer("engine.deferred", [] {});
  loop->post([] {});
  turn_until([&] { return lines.size() == 3; });
  std::string all = lines[0] + lines[1] + lines[2];
  STRCMP_CONTAINS("engine.deadline", all.c_str());
  STRCMP_CONTAINS("engine.deferred", all.c_str());
  STRCMP_CONTAINS("loop.post", all.c_str());
  LONGS_EQUAL(3, loop->watchdog().report().slow);
}
