// sofia-sip's reactor inside libevent: every behaviour in both modes, on the real library. Nothing sleeps: a test turns the
// loop until what it waits for has come, or moves sofia's clock by hand.
#include <dlfcn.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_wait.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/watchdog.h"
#include "sip/su_clock.h"
#include "sip/su_driver.h"
#include "sip/su_port_abi.h"

#include <CppUTest/TestHarness.h>

using pua::SuDriver;
using Mode = pua::SuDriver::Mode;

namespace {

int64_t real_ms() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
}

int64_t g_fake_us;
int64_t fake_clock() { return g_fake_us; }

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

std::function<void()> g_on_message;

void post_message(SuDriver& d) {
  su_msg_r msg = SU_MSG_R_INIT;
  su_msg_create(msg, su_root_task(d.root()), su_root_task(d.root()),
                [](su_root_magic_t*, su_msg_r, su_msg_arg_t*) { g_on_message(); }, 0);
  su_msg_send(msg);
  d.kick();
}

}  // namespace

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

TEST_GROUP_BASE(SuPort, SuDriverTest) {
  void setup() override {
    SuDriverTest::setup();
    driver = make(Mode::Port);
  }
};

TEST_GROUP_BASE(SuNested, SuDriverTest) {
  void setup() override {
    SuDriverTest::setup();
    driver = make(Mode::Nested);
  }
};

TEST_GROUP_BASE(SuChoice, SuDriverTest) {};

#define IN_BOTH_MODES(name)                 \
  static void name(SuDriverTest& t);        \
  TEST(SuPort, name) { ::name(*this); }     \
  TEST(SuNested, name) { ::name(*this); }   \
  static void name(SuDriverTest& t)

// --- the choice --------------------------------------------------------------------------------------------------------

TEST(SuChoice, this_library_passes_the_self_test_and_gets_the_port) {
  driver = make(Mode::Auto);
  CHECK_TRUE(driver->mode() == Mode::Port);
  STRCMP_EQUAL("libevent", su_root_name(driver->root()));
  LONGS_EQUAL(0, lines.size());
}

TEST(SuChoice, a_library_that_fails_the_self_test_gets_the_nested_driver_and_a_warning) {
  driver = make(Mode::Auto, nullptr, [](SuDriver&, event_base*) { return "timers do not fire"; });
  CHECK_TRUE(driver->mode() == Mode::Nested);
  LONGS_EQUAL(1, lines.size());
  STRCMP_CONTAINS("timers do not fire", lines[0].c_str());
  bool fired = false;
  SuTimer timer(*driver, 1, [&] { fired = true; });
  timer.set();
  turn_until([&] { return fired; });
}

TEST(SuChoice, the_self_test_gets_a_port_on_a_base_of_its_own) {
  driver = make(Mode::Auto, nullptr, [this](SuDriver& d, event_base* b) {
    CHECK_TRUE(d.mode() == Mode::Port);
    CHECK_TRUE(b != base);
    return std::string();
  });
  CHECK_TRUE(driver->mode() == Mode::Port);
}

// A driver whose root nobody turns: what a library would look like whose calls have moved.
TEST(SuChoice, the_self_test_sees_a_driver_that_does_not_drive) {
  struct Deaf : SuDriver {
    su_root_t* r = su_root_create(nullptr);
    ~Deaf() override {
      su_root_step(r, 0);  // the message that waits
      su_root_destroy(r);
    }
    su_root_t* root() override { return r; }
    void kick() override {}
    void settle() override {}
    Mode mode() const override { return Mode::Port; }
    pua::SuStats stats() const override { return {}; }
  } deaf;
  STRCMP_EQUAL("socket events do not come", pua::su_self_test(deaf, base).c_str());
}

TEST(SuChoice, the_self_test_sees_when_driving_ends) {
  struct Polled : SuDriver {
    su_root_t* r = su_root_create(nullptr);
    event* tick = nullptr;
    explicit Polled(event_base* b) {
      tick = event_new(b, -1, EV_PERSIST, [](evutil_socket_t, short, void* self) {
        su_root_step(static_cast<Polled*>(self)->r, 0);
      }, this);
      timeval ms{0, 1000};
      event_add(tick, &ms);
    }
    ~Polled() override {
      event_free(tick);
      su_root_step(r, 0);
      su_root_destroy(r);
    }
    su_root_t* root() override { return r; }
    void kick() override {}
    void settle() override {}
    Mode mode() const override { return Mode::Port; }
    pua::SuStats stats() const override { return {}; }
  } polled(base);
  STRCMP_EQUAL("", pua::su_self_test(polled, base).c_str());
  event_del(polled.tick);
  CHECK_FALSE(pua::su_self_test(polled, base).empty());
}

TEST(SuChoice, the_self_test_also_passes_while_a_test_holds_the_clock) {
  g_fake_us = 1000;
  pua::su_clock_set_source(fake_clock);
  su_time_t before = su_now();
  driver = make(Mode::Auto);
  su_time_t after = su_now();
  pua::su_clock_set_source(nullptr);
  CHECK_TRUE(driver->mode() == Mode::Port);
  LONGS_EQUAL(0, SU_TIME_CMP(before, after));
}

TEST(SuChoice, the_words_of_the_setting) {
  Mode m = Mode::Auto;
  CHECK_TRUE(pua::su_driver_mode_from("port", m) && m == Mode::Port);
  CHECK_TRUE(pua::su_driver_mode_from("nested", m) && m == Mode::Nested);
  CHECK_TRUE(pua::su_driver_mode_from("auto", m) && m == Mode::Auto);
  CHECK_FALSE(pua::su_driver_mode_from("epoll", m));
}

// Built as -fPIE or plain, the linker would copy the table into the executable at the size it had then.
TEST(SuChoice, the_table_is_read_where_the_library_has_it) {
  Dl_info info{};
  CHECK_TRUE(dladdr(su_epoll_port_vtable, &info) != 0);
  STRCMP_CONTAINS("libsofia-sip-ua", info.dli_fname);
}

// --- sockets -----------------------------------------------------------------------------------------------------------

IN_BOTH_MODES(the_self_test_passes) { STRCMP_EQUAL("", pua::su_self_test(*t.driver, t.base).c_str()); }

IN_BOTH_MODES(a_datagram_arrives) {
  int fds[2];
  t.pair(fds);
  std::string got;
  Socket s(*t.driver, fds[0]);
  s.on = [&](int revents) {
    LONGS_EQUAL(SU_WAIT_IN, revents);
    got = s.take();
  };
  LONGS_EQUAL(5, send(fds[1], "hello", 5, 0));
  t.turn_until([&] { return !got.empty(); });
  STRCMP_EQUAL("hello", got.c_str());
  close(fds[1]);
}

// The callback takes one datagram a call, as sofia's transport does.
IN_BOTH_MODES(a_burst_arrives_whole_and_in_order) {
  int fds[2];
  t.pair(fds);
  std::string got;
  Socket s(*t.driver, fds[0]);
  s.on = [&](int) { got += s.take(); };
  std::string sent;
  auto fill = [&] {
    char c = static_cast<char>('a' + sent.size() % 26);
    if (send(fds[1], &c, 1, 0) != 1) return false;
    sent += c;
    return true;
  };
  while (sent.size() < 500) {
    while (sent.size() < 500 && fill()) {
    }
    t.turn();
  }
  t.turn_until([&] { return got.size() == 500; });
  STRCMP_EQUAL(sent.c_str(), got.c_str());
  close(fds[1]);
}

TEST(SuPort, one_readiness_drains_up_to_32_datagrams_and_then_gives_way) {
  int fds[2];
  fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  fds[1] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof a;
  LONGS_EQUAL(0, bind(fds[0], reinterpret_cast<sockaddr*>(&a), sizeof a));
  getsockname(fds[0], reinterpret_cast<sockaddr*>(&a), &len);
  LONGS_EQUAL(0, connect(fds[1], reinterpret_cast<sockaddr*>(&a), len));
  int got = 0;
  Socket s(*driver, fds[0]);
  s.on = [&](int) { got += s.take().empty() ? 0 : 1; };
  for (int i = 0; i < 40; i++) LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  turn_without_waiting();
  LONGS_EQUAL(32, got);
  turn_without_waiting();
  LONGS_EQUAL(40, got);
  LONGS_EQUAL(40, driver->stats().io);
  LONGS_EQUAL(38, driver->stats().drained);
  turn_without_waiting();
  LONGS_EQUAL(40, driver->stats().io);  // never called without a datagram
  close(fds[1]);
}

IN_BOTH_MODES(an_icmp_error_is_told_as_an_error) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int closed = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof a;
  LONGS_EQUAL(0, bind(closed, reinterpret_cast<sockaddr*>(&a), sizeof a));
  getsockname(closed, reinterpret_cast<sockaddr*>(&a), &len);
  close(closed);
  LONGS_EQUAL(0, connect(fd, reinterpret_cast<sockaddr*>(&a), len));
  int seen = 0;
  Socket s(*t.driver, fd);
  s.on = [&](int revents) {
    seen |= revents;
    s.take();
  };
  LONGS_EQUAL(1, send(fd, "x", 1, 0));
  t.turn_until([&] { return seen != 0; });
  CHECK_TRUE(seen & SU_WAIT_ERR);
}

IN_BOTH_MODES(writability_is_told_while_it_is_asked_for) {
  int fds[2];
  t.pair(fds, SOCK_STREAM);
  int writable = 0, readable = 0;
  Socket s(*t.driver, fds[0]);
  s.on = [&](int revents) {
    if (revents & SU_WAIT_OUT) {
      writable++;
      su_root_eventmask(t.driver->root(), s.id, s.fd, SU_WAIT_IN);
    }
    if (revents & SU_WAIT_IN) readable += s.take().empty() ? 0 : 1;
  };
  t.turn_without_waiting();
  LONGS_EQUAL(0, t.wakeups_within(20));
  su_root_eventmask(t.driver->root(), s.id, s.fd, SU_WAIT_IN | SU_WAIT_OUT);
  t.turn_until([&] { return writable == 1; });
  LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  t.turn_until([&] { return readable == 1; });
  LONGS_EQUAL(1, writable);
  close(fds[1]);
}

// sofia stalls a connection that sent rubbish: it reads no more, but must see the far end go.
IN_BOTH_MODES(a_stalled_connection_does_not_spin_and_still_hears_the_hang_up) {
  int fds[2];
  t.pair(fds, SOCK_STREAM);
  int seen = 0;
  Socket s(*t.driver, fds[0]);
  s.on = [&](int revents) {
    seen |= revents;
    s.drop();
  };
  LONGS_EQUAL(0, su_root_eventmask(t.driver->root(), s.id, s.fd, 0));
  t.turn_without_waiting();
  LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  CHECK_TRUE(t.wakeups_within(50) <= 1);
  LONGS_EQUAL(0, seen);
  close(fds[1]);
  t.turn_until([&] { return seen != 0; });
  CHECK_TRUE(seen & SU_WAIT_HUP);
}

IN_BOTH_MODES(a_dropped_socket_is_silent) {
  int fds[2];
  t.pair(fds);
  int calls = 0;
  Socket s(*t.driver, fds[0]);
  s.on = [&](int) { calls++; };
  LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  s.drop();
  CHECK_TRUE(t.wakeups_within(20) <= 1);  // the kick of the registration
  LONGS_EQUAL(0, calls);
  close(fds[1]);
}

IN_BOTH_MODES(a_socket_may_drop_itself_in_its_callback) {
  int fds[2];
  t.pair(fds);
  int calls = 0;
  Socket s(*t.driver, fds[0]);
  s.on = [&](int) {
    calls++;
    s.take();
    s.drop();
  };
  for (int i = 0; i < 3; i++) LONGS_EQUAL(1, send(fds[1], "x", 1, 0));
  t.turn_until([&] { return calls > 0; });
  LONGS_EQUAL(0, t.wakeups_within(20));
  LONGS_EQUAL(1, calls);
  close(fds[1]);
}

// The freed place is used again at once; the rest of the old socket's burst must not reach the new one.
IN_BOTH_MODES(a_socket_may_be_replaced_in_its_callback) {
  int old_fds[2], new_fds[2];
  t.pair(old_fds);
  t.pair(new_fds);
  std::unique_ptr<Socket> fresh;
  std::string got;
  Socket old(*t.driver, old_fds[0]);
  old.on = [&](int) {
    old.take();
    old.drop();
    fresh = std::make_unique<Socket>(*t.driver, new_fds[0]);
    fresh->on = [&](int) { got += fresh->take(); };
  };
  for (int i = 0; i < 3; i++) LONGS_EQUAL(3, send(old_fds[1], "old", 3, 0));
  LONGS_EQUAL(3, send(new_fds[1], "new", 3, 0));
  t.turn_until([&] { return !got.empty(); });
  t.turn_without_waiting();
  STRCMP_EQUAL("new", got.c_str());
  fresh.reset();
  close(old_fds[1]);
  close(new_fds[1]);
}

IN_BOTH_MODES(unregister_takes_the_socket_that_fits) {
  int fds[2];
  t.pair(fds);
  Socket s(*t.driver, fds[0]);
  s.on = [](int) {};
  su_wait_t wait[1] = {{fds[0], SU_WAIT_IN, 0}};
  int other = 0;
  LONGS_EQUAL(-1, su_root_unregister(t.driver->root(), wait, Socket::cb, &other));
  LONGS_EQUAL(s.id, su_root_unregister(t.driver->root(), wait, Socket::cb, &s));
  LONGS_EQUAL(-1, su_root_unregister(t.driver->root(), wait, Socket::cb, &s));
  LONGS_EQUAL(-1, su_root_deregister(t.driver->root(), s.id));
  close(fds[1]);
}

IN_BOTH_MODES(a_socket_is_watched_once) {
  int fds[2];
  t.pair(fds);
  Socket s(*t.driver, fds[0]);
  su_wait_t wait[1] = {{fds[0], SU_WAIT_IN, 0}};
  LONGS_EQUAL(-1, su_root_register(t.driver->root(), wait, Socket::cb, &s, 0));
  LONGS_EQUAL(EEXIST, errno);
  close(fds[1]);
}

IN_BOTH_MODES(wrong_ids_are_refused) {
  LONGS_EQUAL(-1, su_root_deregister(t.driver->root(), 0));
  LONGS_EQUAL(-1, su_root_deregister(t.driver->root(), 12345));
  LONGS_EQUAL(-1, su_root_eventmask(t.driver->root(), 12345, 0, SU_WAIT_IN));
}

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

TEST(SuPort, a_message_still_queued_at_the_end_is_run) {
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

// nua's housekeeping comes every second for ever; as a deferrable timer it waits until something else wakes the loop.
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

TEST(SuPort, a_kick_is_free) {
  int64_t pumps = static_cast<int64_t>(driver->stats().pumps);
  driver->kick();
  LONGS_EQUAL(0, wakeups_within(10));
  LONGS_EQUAL(pumps, driver->stats().pumps);
}

TEST(SuPort, a_hundred_calls_from_outside_make_one_turn) {
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

TEST(SuChoice, sofias_clock_is_the_monotonic_one_whatever_the_wall_clock_says) {
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

TEST(SuChoice, installing_the_clock_again_does_not_move_it) {
  pua::su_clock_install();
  su_time_t a = su_now();
  pua::su_clock_install();
  su_time_t b = su_now();
  CHECK_TRUE(SU_TIME_CMP(a, b) <= 0);
  CHECK_TRUE(su_time_diff(b, a) < 1.0);
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  CHECK_TRUE(static_cast<int64_t>(b.tv_sec) - 2208988800 - wall.tv_sec <= 3600);
}
