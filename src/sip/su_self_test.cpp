// The behavioural self-test of a driver on the sofia-sip library at hand: a socket, a timer and a message, each twice, so
// that arming again is seen too.
#include <event2/event.h>
#include <sofia-sip/su_wait.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip/su_clock.h"
#include "sip/su_driver.h"

namespace pua {

namespace {

constexpr int kWanted = 2;

struct Probe {
  SuDriver& driver;
  event_base* base;
  int fds[2] = {-1, -1};  // a pair of datagram sockets
  int id = 0;             // fds[0] on the root
  su_timer_t* timer = nullptr;
  int datagrams = 0, timers = 0, messages = 0;
  bool bad_bits = false;

  ~Probe() {
    if (id > 0) su_root_deregister(driver.root(), id);
    if (timer) su_timer_destroy(timer);
    for (int fd : fds) {
      if (fd >= 0) close(fd);
    }
  }
  void check_done() {
    if (datagrams >= kWanted && timers >= kWanted && messages >= kWanted) event_base_loopbreak(base);
  }
};

int on_datagram(su_root_magic_t*, su_wait_t* wait, su_wakeup_arg_t* arg) {
  auto* p = static_cast<Probe*>(arg);
  char c;
  if (!(wait->revents & SU_WAIT_IN) || recv(p->fds[0], &c, 1, MSG_DONTWAIT) != 1) {
    p->bad_bits = true;
  } else {
    p->datagrams++;
  }
  p->check_done();
  return 0;
}

void on_timer(su_root_magic_t*, su_timer_t* timer, su_timer_arg_t* arg) {
  auto* p = static_cast<Probe*>(arg);
  if (++p->timers < kWanted) su_timer_set(timer, on_timer, p);
  p->check_done();
}

bool send_message(Probe* p);

struct Carrier {
  Probe* probe;
};

void on_message(su_root_magic_t*, su_msg_r msg, su_msg_arg_t*) {
  Probe* p = reinterpret_cast<Carrier*>(su_msg_data(msg))->probe;
  if (++p->messages < kWanted) send_message(p);
  p->check_done();
}

bool send_message(Probe* p) {
  su_msg_r msg = SU_MSG_R_INIT;
  su_root_t* root = p->driver.root();
  if (su_msg_create(msg, su_root_task(root), su_root_task(root), on_message, sizeof(Carrier)) != 0) return false;
  reinterpret_cast<Carrier*>(su_msg_data(msg))->probe = p;
  return su_msg_send(msg) == 0;
}

std::string verdict(const Probe& p) {
  if (p.bad_bits) return "a socket event came without its datagram";
  if (p.datagrams < kWanted) return "socket events do not come";
  if (p.timers < kWanted) return "timers do not fire";
  if (p.messages < kWanted) return "messages do not arrive";
  return {};
}

}  // namespace

std::string su_self_test(SuDriver& driver, event_base* base) {
  SuRealClock real;  // also where a test has put sofia on a clock of its own
  Probe p{.driver = driver, .base = base};
  su_wait_t wait[1] = {SU_WAIT_INIT};
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p.fds) != 0) return "no socket for the self-test";
  if (su_wait_create(wait, p.fds[0], SU_WAIT_IN) != 0) return "su_wait_create() failed";
  p.id = su_root_register(driver.root(), wait, on_datagram, &p, 0);
  if (p.id <= 0) return "su_root_register() failed";
  p.timer = su_timer_create(su_root_task(driver.root()), 1);
  if (!p.timer || su_timer_set(p.timer, on_timer, &p) != 0) return "su_timer_set() failed";
  if (!send_message(&p)) return "su_msg_send() failed";
  for (int i = 0; i < kWanted; i++) {
    if (send(p.fds[1], "x", 1, 0) != 1) return "the self-test's socket does not send";
  }
  driver.kick();

  event* too_late = evtimer_new(
      base, [](evutil_socket_t, short, void* arg) { event_base_loopbreak(static_cast<Probe*>(arg)->base); }, &p);
  timeval second{1, 0};
  if (!too_late || evtimer_add(too_late, &second) != 0) return "no timer for the self-test";
  event_base_dispatch(base);
  event_free(too_late);
  return verdict(p);
}

}  // namespace pua
