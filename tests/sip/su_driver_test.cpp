// sofia-sip's reactor inside libevent: which driver is chosen, and sockets in both modes, on the real library.
#include <dlfcn.h>
#include <netinet/in.h>

#include <cerrno>

#include "sip/su_clock.h"
#include "sip/su_port_abi.h"
#include "tests/sip/su_driver_fixture.h"

using namespace su_test;

TEST_GROUP_BASE(SuChoice, SuDriverTest) {};
SU_GROUPS(SuPort, SuNested);
#define IN_BOTH_MODES(name) SU_TEST_IN(SuPort, SuNested, name)

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
    event_base* base() const override { return nullptr; }
    pua::Watchdog* watchdog() const override { return nullptr; }
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
    event_base* base() const override { return nullptr; }
    pua::Watchdog* watchdog() const override { return nullptr; }
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
