// What the tests of the driver share: sockets and timers on a root, and a fixture that turns the loop. Nothing sleeps: a
// test turns the loop until what it waits for has come, or moves sofia's clock by hand.
#pragma once

#include <event2/event.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_wait.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/watchdog.h"
#include "sip/su_driver.h"

#include <CppUTest/TestHarness.h>

namespace su_test {

using pua::SuDriver;
using Mode = pua::SuDriver::Mode;

inline int64_t real_ms() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
}

inline int64_t g_fake_us;
inline int64_t fake_clock() { return g_fake_us; }

// A socket on a root; calls `on` for each event.
struct Socket {
  SuDriver* driver = nullptr;
  int fd = -1;
  int id = -1;
  std::function<void(int revents)> on;

  Socket(SuDriver& d, int f, int events = SU_WAIT_IN) : driver(&d), fd(f) {
    su_wait_t wait[1] = {SU_WAIT_INIT};
    su_wait_create(wait, fd, events);
    id = su_root_register(d.root(), wait, cb, this, 0);
    d.kick();
  }
  ~Socket() {
    drop();
    close(fd);
  }
  void drop() {
    if (id > 0) su_root_deregister(driver->root(), id);
    id = -1;
  }
  static int cb(su_root_magic_t*, su_wait_t* w, su_wakeup_arg_t* a) {
    auto* self = static_cast<Socket*>(a);
    self->on(w->revents);
    return 0;
  }
  std::string take() const {
    char buf[256];
    ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
    return n > 0 ? std::string(buf, static_cast<size_t>(n)) : std::string();
  }
};

struct SuTimer {
  SuDriver* driver;
  su_timer_t* t;
  std::function<void()> on;

  SuTimer(SuDriver& d, su_duration_t ms, std::function<void()> fn)
      : driver(&d), t(su_timer_create(su_root_task(d.root()), ms)), on(std::move(fn)) {}
  ~SuTimer() { su_timer_destroy(t); }
  void set() {
    su_timer_set(t, cb, this);
    driver->kick();
  }
  void set(su_duration_t ms) {
    su_timer_set_interval(t, cb, this, ms);
    driver->kick();
  }
  static void cb(su_root_magic_t*, su_timer_t*, su_timer_arg_t* a) { static_cast<SuTimer*>(a)->on(); }
};

inline std::function<void()> g_on_message;

inline void post_message(SuDriver& d) {
  su_msg_r msg = SU_MSG_R_INIT;
  su_msg_create(msg, su_root_task(d.root()), su_root_task(d.root()),
                [](su_root_magic_t*, su_msg_r, su_msg_arg_t*) { g_on_message(); }, 0);
  su_msg_send(msg);
  d.kick();
}

TEST_BASE(SuDriverTest) {
  std::vector<std::string> lines;
  pua::Log log{[this](pua::LogLevel, std::string_view s) { lines.emplace_back(s); }};
  event_base* base = nullptr;
  event* guard = nullptr;  // ends a turn in which nothing comes
  std::unique_ptr<SuDriver> driver;

  std::unique_ptr<SuDriver> make(Mode mode, pua::Watchdog* wd = nullptr, SuDriver::SelfTest self_test = {}) {
    auto made = SuDriver::create(base, mode, log, wd, std::move(self_test));
    CHECK_TEXT(made.ok(), made.ok() ? "" : made.error().message.c_str());
    return std::move(*made);
  }
  void setup() override {
    su_log_set_level(nullptr, 0);  // sofia comments on the ends that these tests bring about
    base = event_base_new();
    guard = evtimer_new(base, [](evutil_socket_t, short, void*) {}, nullptr);
  }
  void teardown() override {
    driver.reset();
    event_free(guard);
    LONGS_EQUAL(0, events_left());
    event_base_free(base);
    g_on_message = nullptr;
  }
  int events_left() { return event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE); }

  void turn() {
    timeval most{2, 0};
    evtimer_add(guard, &most);
    event_base_loop(base, EVLOOP_ONCE);
    evtimer_del(guard);
  }
  void turn_without_waiting() { event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK); }
  void turn_until(const std::function<bool()>& done) {
    int64_t give_up = real_ms() + 5000;
    while (!done() && real_ms() < give_up) turn();
    CHECK_TRUE(done());
  }
  // Turns of the loop within the window, the one that ends it not counted.
  int wakeups_within(int64_t ms) {
    bool over = false;
    event* end = evtimer_new(base, [](evutil_socket_t, short, void* o) { *static_cast<bool*>(o) = true; }, &over);
    timeval window{static_cast<time_t>(ms / 1000), static_cast<suseconds_t>(ms % 1000 * 1000)};
    evtimer_add(end, &window);
    int turns = 0;
    while (!over) {
      event_base_loop(base, EVLOOP_ONCE);
      turns++;
    }
    event_free(end);
    return turns - 1;
  }
  void pair(int fds[2], int type = SOCK_DGRAM) {
    LONGS_EQUAL(0, socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
  }
};

}  // namespace su_test

// A test that runs in a group of each mode: groups P and N, made by SU_GROUPS.
#define SU_GROUPS(P, N)                           \
  TEST_GROUP_BASE(P, su_test::SuDriverTest) {     \
    void setup() override {                       \
      SuDriverTest::setup();                      \
      driver = make(su_test::Mode::Port);         \
    }                                             \
  };                                              \
  TEST_GROUP_BASE(N, su_test::SuDriverTest) {     \
    void setup() override {                       \
      SuDriverTest::setup();                      \
      driver = make(su_test::Mode::Nested);       \
    }                                             \
  }
#define SU_TEST_IN(P, N, name)                    \
  static void name(su_test::SuDriverTest& t);     \
  TEST(P, name) { ::name(*this); }                \
  TEST(N, name) { ::name(*this); }                \
  static void name(su_test::SuDriverTest& t)
