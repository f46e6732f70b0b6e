// The behavioural self-test of a driver on the sofia-sip library at hand: a socket, a timer and a message, each twice, so
// that arming again is seen too.
#include <event2/event.h>
#include <sofia-sip/su_wait.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <new>

#include "sip/su_clock.h"
#include "sip/su_driver.h"

namespace pua {

namespace {

constexpr int kWanted = 2;

struct Probe {
  SuDriver* driver;
  event_base* base;
  int fds[2] = {-1, -1};  // a pair of datagram sockets
  int id = 0;             // fds[0] on the root
  su_timer_t* timer = nullptr;
  int datagrams = 0, timers = 0, messages = 0;
  bool bad_bits = false;
  bool over = false;      // a message that comes after the verdict finds nothing to do

  void check_done() {
    if (datagrams >= kWanted && timers >= kWanted && messages >= kWanted) event_base_loopbreak(base);
  }
  void end() {
    over = true;
    if (id > 0) su_root_deregister(driver->root(), id);
    if (timer) su_timer_destroy(timer);
    for (int fd : fds) {
      if (fd >= 0) close(fd);
    }
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

using SharedProbe = std::shared_ptr<Probe>;  // a message that never arrives in time keeps it

bool send_message(const SharedProbe& p);

void on_message(su_root_magic_t*, su_msg_r msg, su_msg_arg_t*) {
  SharedProbe p = *reinterpret_cast<SharedProbe*>(su_msg_data(msg));
  if (p->over) return;
  if (++p->messages < kWanted) send_message(p);
  p->check_done();
}

bool send_message(const SharedProbe& p) {
  su_msg_r msg = SU_MSG_R_INIT;
  su_root_t* root = p->driver->root();
  if (su_msg_create(msg, su_root_task(root), su_root_task(root), on_message, sizeof(SharedProbe)) != 0) return false;
  new (su_msg_data(msg)) SharedProbe(p);
  su_msg_deinitializer(msg, [](su_msg_arg_t* data) { reinterpret_cast<SharedProbe*>(data)->~SharedProbe(); });
  return su_msg_send(msg) == 0;
}

std::string verdict(const Probe& p) {
  if (p.bad_bits) return "a socket event came without its datagram";
  if (p.datagrams < kWanted) return "socket events do not come";
  if (p.timers < kWanted) return "timers do not fire";
  if (p.messages < kWanted) return "messages do not arrive";
  return {};
}

std::string run(const SharedProbe& p) {
  su_root_t* root = p->driver->root();
  su_wait_t wait[1] = {SU_WAIT_INIT};
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->fds) != 0) return "no socket for the self-test";
  if (su_wait_create(wait, p->fds[0], SU_WAIT_IN) != 0) return "su_wait_create() failed";
  p->id = su_root_register(root, wait, on_datagram, p.get(), 0);
  if (p->id <= 0) return "su_root_register() failed";
  p->timer = su_timer_create(su_root_task(root), 1);
  if (!p->timer || su_timer_set(p->timer, on_timer, p.get()) != 0) return "su_timer_set() failed";
  if (!send_message(p)) return "su_msg_send() failed";
  for (int i = 0; i < kWanted; i++) {
    if (send(p->fds[1], "x", 1, 0) != 1) return "the self-test's socket does not send";
  }
  p->driver->kick();

  event* too_late = evtimer_new(
      p->base, [](evutil_socket_t, short, void* b) { event_base_loopbreak(static_cast<event_base*>(b)); }, p->base);
  timeval second{1, 0};
  if (!too_late || evtimer_add(too_late, &second) != 0) return "no timer for the self-test";
  event_base_dispatch(p->base);
  event_free(too_late);
  return verdict(*p);
}

}  // namespace

std::string su_self_test(SuDriver& driver, event_base* base) {
  SuRealClock real;  // also where a test has put sofia on a clock of its own
  auto p = std::make_shared<Probe>(Probe{.driver = &driver, .base = base});
  std::string why = run(p);
  p->end();
  return why;
}

}  // namespace pua
