// Port mode: a su_port of our own. Sockets become libevent events; timers and messages are run by SuCore's turns.
//
// sofia knows a port by its first word after the home, the table of calls. Ours is the library's own epoll table with the
// calls replaced that wait, wake and watch. The port proper (a su_home that sofia counts references to) and the core (ours)
// end at different times: the port holds a pointer to the core that is cleared when the core goes first.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/slots.h"
#include "sip/su_core.h"
#include "sip/su_port_abi.h"
#include "sip/su_streams.h"

namespace pua {

namespace {

constexpr int kDrain = 32;          // datagrams per readiness: about 1 ms of work, and half the cost of one each
constexpr int kRounds = 16;         // of messages that beget timers that beget messages, before sockets get their turn
constexpr size_t kPortRoom = 1024;  // sofia's part of the port: some 250 bytes in the versions we know
constexpr uint64_t kGuard = 0x70756120706f7274;

class PortCore;

struct PortTail {  // our part of the port, behind kPortRoom
  uint64_t guard;  // unchanged, or sofia's part is larger than we think
  PortCore* core;
};

PortTail* tail(su_port_t* port) { return reinterpret_cast<PortTail*>(reinterpret_cast<char*>(port) + kPortRoom); }
su_home_t* home(su_port_t* port) { return reinterpret_cast<su_home_t*>(port); }
PortCore* core_of(su_port_t* port) { return tail(port)->core; }

struct Watch : Slot {  // one su_root_register(); stays where it is
  PortCore* core = nullptr;
  su_root_t* root = nullptr;
  su_wait_t wait = SU_WAIT_INIT;
  su_wakeup_f cb = nullptr;
  su_wakeup_arg_t* arg = nullptr;
  bool datagrams = false;
  bool stream = false;       // TCP
  bool quiet = false;        // not watched, whatever sofia thinks
  StreamRead read;           // of a stream
  struct event ev {};
};

class PortCore final : public SuCore {
 public:
  using SuCore::SuCore;
  ~PortCore() override;
  SuDriver::Mode mode() const override { return SuDriver::Mode::Port; }
  bool start(std::string& why);

  // What the table's calls come to. Return values as sofia wants them, errno set.
  int watch(su_root_t* root, su_wait_t* wait, su_wakeup_f cb, su_wakeup_arg_t* arg);
  int unwatch(su_wait_t* wait, su_wakeup_arg_t* arg);
  int unwatch(int id, bool destroy_wait);
  int unwatch_all(su_root_t* root);
  int set_mask(int id, int events);
  void messages_waiting() {
    messages_ = true;
    schedule();
  }
  void timers_touched() {
    timers_ = true;
    schedule();
  }
  void ignore(int fd) override {
    auto it = by_fd_.find(fd);
    if (it == by_fd_.end()) return;
    disarm(*it->second);
    it->second->quiet = true;
  }
  void port_gone() { port_ = nullptr; }
  void stream_message(const sockaddr*) override {
    if (serving_ && serving_->stream) stream_octets(serving_->wait.fd, serving_->read.at_message);
  }
  void stream_unanswered(const sockaddr* peer) override {
    std::string wanted = peer_text(peer);
    uint64_t octets = 0;
    watches_.for_each([&](Watch& w) {
      if (w.stream && stream_octets(w.wait.fd, octets) && octets > w.read.at_message && stream_peer(w.wait.fd) == wanted)
        cut(w, kHidden);
    });
  }

 protected:
  int64_t work() override;

 private:
  static void on_io(evutil_socket_t fd, short, void* w);
  void serve(Watch& w, int fd);
  bool arm_watch(Watch& w);
  void keep_within(Watch& w);
  void cut(Watch& w, const char* why) {
    if (!w.read.cut) cut_stream(w.wait.fd, why);
    w.read.cut = true;
  }
  void disarm(Watch& w) {
    if (!w.quiet) event_del(&w.ev);
  }
  // sofia keeps an int over 0.
  int id_of(const Watch& w) const { return static_cast<int>(watches_.place(w)) + 1; }
  Watch* used(int id) const { return id > 0 ? watches_.in_place(static_cast<uint32_t>(id - 1)) : nullptr; }
  void end(Watch& w) {
    disarm(w);
    by_fd_.erase(w.wait.fd);
    watches_.remove(w);
  }

  su_port_t* port_ = nullptr;
  bool messages_ = false;  // sofia's message queue is not empty
  bool timers_ = false;    // sofia's timer queue may have changed
  Slots<Watch> watches_;
  Watch* serving_ = nullptr;
  std::unordered_map<int, Watch*> by_fd_;  // as in epoll, an fd is watched once
};

// --- sockets -----------------------------------------------------------------------------------------------------------

bool PortCore::arm_watch(Watch& w) {
  if (w.quiet) return true;
  short what = EV_PERSIST;
  if (w.wait.events & SU_WAIT_IN) what |= EV_READ;
  if (w.wait.events & SU_WAIT_OUT) what |= EV_WRITE;
  // libevent tells of EPOLLERR and EPOLLHUP only as READ or WRITE. A stalled connection wants neither, but those two:
  // edge-triggered, so that data nobody reads does not spin.
  if (!(what & (EV_READ | EV_WRITE))) what |= EV_READ | EV_ET;
  return event_assign(&w.ev, base_, w.wait.fd, what, on_io, &w) == 0 && event_add(&w.ev, nullptr) == 0;
}

int PortCore::watch(su_root_t* root, su_wait_t* wait, su_wakeup_f cb, su_wakeup_arg_t* arg) {
  if (!cb || wait->fd < 0) return su_seterrno(EINVAL);
  if (by_fd_.count(wait->fd)) return su_seterrno(EEXIST);
  Watch* added = watches_.add();
  if (!added) return su_seterrno(ENOMEM);
  Watch& w = *added;
  w.core = this;
  w.root = root;
  w.wait = *wait;
  w.cb = cb;
  w.arg = arg;
  int type = 0;
  socklen_t len = sizeof type;
  w.datagrams = getsockopt(wait->fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
  w.read = {};
  w.stream = stream_octets(wait->fd, w.read.at_message);
  w.quiet = false;
  if (w.stream && most() > 0) limit_unread(wait->fd, most());
  if (!arm_watch(w)) {
    int error = errno ? errno : ENOMEM;
    watches_.remove(w);
    return su_seterrno(error);
  }
  by_fd_[wait->fd] = &w;
  return id_of(w);
}

int PortCore::unwatch(int id, bool destroy_wait) {
  Watch* w = used(id);
  if (!w) return su_seterrno(EBADF);
  end(*w);
  if (destroy_wait) su_wait_destroy(&w->wait);
  return id;
}

int PortCore::unwatch(su_wait_t* wait, su_wakeup_arg_t* arg) {
  auto it = by_fd_.find(wait->fd);
  if (it == by_fd_.end() || it->second->arg != arg || SU_WAIT_CMP(*wait, it->second->wait) != 0) return su_seterrno(ENOENT);
  return unwatch(id_of(*it->second), false);
}

int PortCore::unwatch_all(su_root_t* root) {
  int n = 0;
  watches_.for_each([&](Watch& w) {
    if (w.root != root) return;
    end(w);
    n++;
  });
  return n;
}

int PortCore::set_mask(int id, int events) {
  Watch* w = used(id);
  if (!w) return su_seterrno(EBADF);
  short wanted = static_cast<short>(events);
  if (w->wait.events == wanted) return 0;
  w->wait.events = wanted;
  disarm(*w);
  if (!arm_watch(*w)) return su_seterrno(errno ? errno : ENOMEM);
  // Neither reading nor writing: what came could not be read, and sofia would not see the other side's end of it, either.
  if (w->stream && most() > 0 && !(wanted & (SU_WAIT_IN | SU_WAIT_OUT))) cut(*w, kUnreadable);
  return 0;
}

void PortCore::keep_within(Watch& w) {
  uint64_t octets = 0;
  if (!w.stream || most() == 0 || !stream_octets(w.wait.fd, octets)) return;
  if (endless(w.read, octets)) cut(w, kTooLong);
}

void PortCore::on_io(evutil_socket_t fd, short, void* arg) {
  Watch& w = *static_cast<Watch*>(arg);
  PortCore& core = *w.core;
  Turn turn(core, "sip.io");
  core.serve(w, fd);
  if (core.messages_ || core.timers_) core.work_and_arm();
}

void PortCore::serve(Watch& w, int fd) {
  pollfd truth{fd, w.wait.events, 0};  // which of IN, OUT, ERR and HUP it really is: ICMP errors come as ERR
  if (poll(&truth, 1, 0) <= 0) return;
  const SlotHandle self = watches_.handle(w);  // the callback may drop its own watch
  w.wait.revents = truth.revents;
  for (int left = kDrain;;) {
    stats_.io++;
    serving_ = &w;
    w.cb(w.root ? su_root_magic(w.root) : nullptr, &w.wait, w.arg);
    serving_ = nullptr;
    bool gone = !watches_.find(self);
    if (!gone) keep_within(w);
    int bytes = 0;  // of the next datagram; an empty one waits for the next turn
    if (--left == 0 || gone || !w.datagrams || !(w.wait.events & SU_WAIT_IN) || ending() ||
        ioctl(fd, FIONREAD, &bytes) != 0 || bytes <= 0) {
      return;
    }
    stats_.drained++;
    w.wait.revents = SU_WAIT_IN;
  }
}

// --- messages and timers -----------------------------------------------------------------------------------------------

int64_t PortCore::work() {
  su_duration_t wait = SU_DURATION_MAX;
  for (int round = 0; round < kRounds; round++) {
    if (messages_) {
      messages_ = false;
      su_base_port_getmsgs(port_);
      if (ending()) return kNoTimer;
    }
    timers_ = false;
    wait = SU_DURATION_MAX;
    su_duration_t deferrable = SU_DURATION_MAX, most = 0;
    su_time_t now = su_now();
    su_timer_expire(su_base_port_timers(port_), &wait, now);
    su_timer_expire(su_base_port_deferrable(port_), &deferrable, now);
    if (ending()) return kNoTimer;
    if (deferrable != SU_DURATION_MAX) {
      su_base_port_max_defer(port_, &most, nullptr);
      if (deferrable < most) deferrable = most;
      if (deferrable < wait) wait = deferrable;
    }
    if (!messages_ && !timers_) return wait == SU_DURATION_MAX ? kNoTimer : wait + 1;
  }
  return 0;
}

// --- the table ---------------------------------------------------------------------------------------------------------

// A port outlives its core where somebody kept a reference to it (sofia does so for timers that were never destroyed).
int v_register(su_port_t* p, su_root_t* root, su_wait_t* wait, su_wakeup_f cb, su_wakeup_arg_t* arg, int) {
  return core_of(p) ? core_of(p)->watch(root, wait, cb, arg) : su_seterrno(ESHUTDOWN);
}
int v_unregister(su_port_t* p, su_root_t*, su_wait_t* wait, su_wakeup_f, su_wakeup_arg_t* arg) {
  return core_of(p) ? core_of(p)->unwatch(wait, arg) : su_seterrno(ENOENT);
}
int v_deregister(su_port_t* p, int id) { return core_of(p) ? core_of(p)->unwatch(id, true) : su_seterrno(EBADF); }
int v_unregister_all(su_port_t* p, su_root_t* root) { return core_of(p) ? core_of(p)->unwatch_all(root) : 0; }
int v_eventmask(su_port_t* p, int id, int, int events) {
  return core_of(p) ? core_of(p)->set_mask(id, events) : su_seterrno(EBADF);
}
int v_multishot(su_port_t*, int) { return 0; }
// su_root_yield(), which nta and nua call in their long loops: sockets wait until libevent turns.
int v_wait_events(su_port_t*, su_duration_t) { return 0; }
// The host turns the loop: su_root_run() has nothing to run, su_root_step() does what is due.
void v_run(su_port_t*) {}
void v_break(su_port_t*) {}
su_duration_t v_step(su_port_t* p, su_duration_t) {
  if (core_of(p)) core_of(p)->settle();
  return SU_WAIT_FOREVER;
}
int v_add_prepoll(su_port_t*, su_root_t*, su_prepoll_f*, su_prepoll_magic_t*) { return su_seterrno(ENOSYS); }
int v_remove_prepoll(su_port_t*, su_root_t*) { return su_seterrno(ENOSYS); }
// Every su_timer_set*() and su_timer_reset() asks for the queue, and changes it right after.
su_timer_queue_t* v_timers(su_port_t* p) {
  if (core_of(p)) core_of(p)->timers_touched();
  return su_base_port_timers(p);
}
su_timer_queue_t* v_deferrable(su_port_t* p) {
  if (core_of(p)) core_of(p)->timers_touched();
  return su_base_port_deferrable(p);
}
// su_msg_send() calls it for the first message of a queue.
int v_wakeup(su_port_t* p) {
  if (core_of(p)) core_of(p)->messages_waiting();
  return 0;
}
char const* v_name(su_port_t const*) { return "libevent"; }

// The library's table with our calls in it; size 0 and a reason in `why`: this library's is not as we know it.
pua_su_port_vtable make_table(std::string& why) {
  pua_su_port_vtable t{};
  const pua_su_port_vtable* own = su_epoll_port_vtable;
  if (!own || !su_pthread_port_init || !su_pthread_port_deinit || !su_root_create_with_port) {
    why = "the library does not show its ports";
    return t;
  }
  if (own->size < offsetof(pua_su_port_vtable, more) || own->size > sizeof t || own->size % sizeof(void*) != 0) {
    why = "its table of port calls has " + std::to_string(own->size) + " bytes";
    return t;
  }
  bool in_order = own->lock == su_pthread_port_lock && own->unlock == su_pthread_port_unlock &&
                  own->incref == su_base_port_incref && own->gsource == su_base_port_gsource &&
                  own->send == su_base_port_send && own->run == su_base_port_run && own->break_ == su_base_port_break &&
                  own->step == su_base_port_step && own->thread == su_pthread_port_thread &&
                  own->add_prepoll == su_base_port_add_prepoll && own->remove_prepoll == su_base_port_remove_prepoll &&
                  own->timers == su_base_port_timers && own->getmsgs == su_base_port_getmsgs &&
                  own->getmsgs_from == su_base_port_getmsgs_from && own->start_shared == su_base_port_start_shared &&
                  own->wait == su_pthread_port_wait && own->execute == su_pthread_port_execute &&
                  own->deferrable == su_base_port_deferrable && own->max_defer == su_base_port_max_defer &&
                  own->wakeup == su_socket_port_wakeup && own->is_running == su_base_port_is_running;
  if (!in_order) {
    why = "its table of port calls has another order";
    return t;
  }
  std::memcpy(&t, own, own->size);
  t.register_wait = v_register;
  t.unregister = v_unregister;
  t.deregister = v_deregister;
  t.unregister_all = v_unregister_all;
  t.eventmask = v_eventmask;
  t.run = v_run;
  t.break_ = v_break;
  t.step = v_step;
  t.add_prepoll = v_add_prepoll;
  t.remove_prepoll = v_remove_prepoll;
  t.timers = v_timers;
  t.multishot = v_multishot;
  t.wait_events = v_wait_events;
  t.name = v_name;
  t.deferrable = v_deferrable;
  t.wakeup = v_wakeup;
  return t;
}

void on_port_end(void* arg) {  // the last reference is gone
  su_port_t* port = static_cast<su_port_t*>(arg);
  if (core_of(port)) core_of(port)->port_gone();
  su_pthread_port_deinit(port);
}

// --- beginning and end -------------------------------------------------------------------------------------------------

bool PortCore::start(std::string& why) {
  static std::string unfit;
  static const pua_su_port_vtable table = make_table(unfit);  // constant, and outlives every port
  if (table.size == 0) {
    why = unfit;
    return false;
  }
  auto* port = static_cast<su_port_t*>(su_home_new(static_cast<isize_t>(kPortRoom + sizeof(PortTail))));
  if (!port) {
    why = "no memory";
    return false;
  }
  *tail(port) = {kGuard, this};
  if (su_pthread_port_init(port, &table) != 0) {
    su_home_unref(home(port));
    why = "the port could not be set up";
    return false;
  }
  su_home_destructor(home(port), on_port_end);
  port_ = port;
  root_ = su_root_create_with_port(nullptr, port);  // takes over our reference, also where it fails
  if (!root_) {
    why = "no root could be made on the port";
    return false;
  }
  if (tail(port)->guard != kGuard) {
    why = "the library's port is larger than expected";
    return false;
  }
  return true;
}

PortCore::~PortCore() {
  // A message holds a reference to the port: left in the queue, both would leak.
  for (int round = 0; root_ && round < kRounds && su_base_port_getmsgs(port_) > 0; round++) {
  }
  if (root_) su_root_destroy(root_);
  if (port_) tail(port_)->core = nullptr;
  watches_.for_each([&](Watch& w) { disarm(w); });  // of other roots on our port, or of none
}

}  // namespace

SuCore* make_port_core(event_base* base, Watchdog* wd, std::string& why) {
  auto core = std::make_unique<PortCore>(base, wd);
  return core->start(why) ? core.release() : nullptr;
}

}  // namespace pua
