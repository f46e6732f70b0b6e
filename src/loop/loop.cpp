#include "loop/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "loop/clock.h"

namespace pua {

namespace {

// How often this process image was forked: grows in the child. Process-wide because fork is.
std::atomic<unsigned> g_forks{0};

unsigned fork_count() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { g_forks.fetch_add(1, std::memory_order_relaxed); });
  (void)registered;  // fails only without memory, then forks go undetected
  return g_forks.load(std::memory_order_relaxed);
}

timeval to_timeval(int64_t ms) {
  timeval tv{};
  tv.tv_sec = static_cast<time_t>(ms / 1000);
  tv.tv_usec = static_cast<suseconds_t>(ms % 1000 * 1000);
  return tv;
}

}  // namespace

struct Loop::Impl : std::enable_shared_from_this<Loop::Impl> {
  struct Deferred {
    const char* name;
    Fn fn;
  };

  Impl(Log& log, int64_t slow_ms) : watchdog(log, slow_ms), thread(std::this_thread::get_id()), forks(fork_count()) {}
  ~Impl() {
    if (event_initialized(&turn)) event_del(&turn);
    if (event_initialized(&mail)) event_del(&mail);
    if (mail_fd >= 0) ::close(mail_fd);
    if (own && !abandon_base) event_base_free(own);
  }

  Status start(event_base* host) {
    base = host ? host : own = make_base();
    if (!base) return {Errc::no_memory, "no libevent base could be made"};
    mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mail_fd < 0) return {Errc::no_memory, "no eventfd could be made"};
    event_assign(&turn, base, -1, 0, [](evutil_socket_t, short, void* a) { static_cast<Impl*>(a)->run_deferred(); }, this);
    event_assign(&mail, base, mail_fd, EV_READ | EV_PERSIST,
                 [](evutil_socket_t, short, void* a) { static_cast<Impl*>(a)->run_mail(); }, this);
    if (event_add(&mail, nullptr) != 0) return {Errc::no_memory, "the eventfd could not be watched"};
    return success();
  }

  // NO_CACHE_TIME: deadlines count from when they are set, not from when the turn began. No PRECISE_TIMER: its timerfd
  // would cost a system call a turn.
  static event_base* make_base() {
    event_config* cfg = event_config_new();
    if (!cfg) return nullptr;
    // Precise: libevent's usual clock ticks every 4 ms, which a waiting caller would feel.
    event_config_set_flag(cfg, EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NO_CACHE_TIME | EVENT_BASE_FLAG_PRECISE_TIMER);
    event_base* b = event_base_new_with_config(cfg);
    event_config_free(cfg);
    return b;
  }

  void run_deferred() {
    std::shared_ptr<Impl> alive = shared_from_this();
    std::vector<Deferred> batch = std::move(deferred);
    deferred.clear();
    in_deferred = true;
    for (Deferred& d : batch) {
      if (gone) return;  // the owner went in one of them
      Watchdog::Scope scope(&watchdog, d.name);
      Fn fn = std::move(d.fn);
      fn();
    }
    in_deferred = false;
  }

  void run_mail() {
    std::shared_ptr<Impl> alive = shared_from_this();
    uint64_t count;
    if (read(mail_fd, &count, sizeof count) < 0) return;  // this wake-up was taken already
    {
      std::lock_guard<std::mutex> lock(mutex);
      taken.swap(posted);
    }
    while (!taken.empty()) {   // until drop() empties it inside one of them
      Watchdog::Scope scope(&watchdog, "loop.post");
      Fn fn = std::move(taken.front());
      taken.pop_front();
      fn();
    }
  }

  // Takes no more, and destroys what was posted and has not run.
  void drop() {
    std::deque<Fn> waiting;
    {
      std::lock_guard<std::mutex> lock(mutex);
      closed = true;
      waiting.swap(posted);
    }
    for (std::deque<Fn>* all : {&taken, &waiting}) {
      while (!all->empty()) {
        Fn gone_now = std::move(all->front());   // out of the queue before it is destroyed, which may run code of the host
        all->pop_front();
      }
    }
  }

  event_base* base = nullptr;
  event_base* own = nullptr;
  bool running = false;       // inside Loop::run
  bool abandon_base = false;  // somebody is turning `own` by hand right now: it cannot be freed
  Watchdog watchdog;
  const std::thread::id thread;
  const unsigned forks;
  bool gone = false;  // the Loop was destroyed, a callback of ours still runs

  struct event turn {};
  bool in_deferred = false;
  std::vector<Deferred> deferred;

  int mail_fd = -1;
  struct event mail {};
  std::mutex mutex;
  std::deque<Fn> taken;    // out of posted, and running one by one
  std::deque<Fn> posted;   // under mutex
  bool closed = false;     // under mutex
};

Result<std::unique_ptr<Loop>> Loop::create(event_base* host, Log& log, int64_t slow_ms) {
  auto impl = std::make_shared<Impl>(log, slow_ms);
  Status started = impl->start(host);
  if (!started) return started.error();
  return std::unique_ptr<Loop>(new Loop(std::move(impl)));
}

Loop::~Loop() {
  if (forked()) {  // the epoll set is the parent's too: any event taken off here would be missed there
    new std::shared_ptr<Impl>(std::move(impl_));
    return;
  }
  impl_->gone = true;
  if (impl_->own && impl_->watchdog.inside()) {
    event_base_loopbreak(impl_->own);
    impl_->abandon_base = !impl_->running;
  }
  impl_->watchdog.detach();  // a callback may still be under way, the log perhaps not
  // Now, not when a callback further up returns: no more events may come.
  event_del(&impl_->turn);
  event_del(&impl_->mail);
  impl_->deferred.clear();
  impl_->drop();
}

event_base* Loop::base() const { return impl_->base; }
bool Loop::owns_base() const { return impl_->own != nullptr; }
Watchdog& Loop::watchdog() { return impl_->watchdog; }
MonoMs Loop::now() const { return mono_ms(); }
bool Loop::on_loop_thread() const { return impl_->thread == std::this_thread::get_id(); }
bool Loop::forked() const { return impl_->forks != fork_count(); }

Status Loop::check() const {
  if (forked()) return {Errc::after_fork, "this instance belongs to the parent process; make a new one after fork()"};
  if (!on_loop_thread()) return {Errc::wrong_thread, "called outside the loop's thread; use pua_post()"};
  return success();
}

void Loop::defer(const char* name, Fn fn) {
  impl_->deferred.push_back({name, std::move(fn)});
  if (impl_->deferred.size() > 1) return;
  if (!impl_->in_deferred) return event_active(&impl_->turn, EV_TIMEOUT, 0);
  timeval next_turn{};  // made active now it would run before any socket is looked at: a chain would starve them
  event_add(&impl_->turn, &next_turn);
}

Status Loop::run() {
  if (Status s = check(); !s) return s;
  // Asked first, because libevent would write its refusal to standard error.
  if (impl_->running || impl_->watchdog.inside()) return {Errc::generic, "the loop runs already, this is inside a callback"};
  std::shared_ptr<Impl> alive = impl_;
  alive->running = true;
  int rc = event_base_dispatch(alive->base);
  alive->running = false;
  if (rc < 0) return {Errc::generic, "libevent refused to run the loop"};
  return success();
}

void Loop::stop() { event_base_loopbreak(impl_->base); }

bool Loop::post(Fn fn) {
  if (forked()) return false;  // the eventfd is shared with the parent: it would wake up there
  bool first;
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    if (impl_->closed) return false;
    first = impl_->posted.empty();
    impl_->posted.push_back(std::move(fn));
    if (first) {  // under the lock: the loop may go as soon as it is free
      uint64_t one = 1;
      if (write(impl_->mail_fd, &one, sizeof one) < 0) {
        impl_->posted.pop_back();
        return false;
      }
    }
  }
  return true;
}

void Loop::close() {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->closed = true;
}

void Loop::drop_posts() { impl_->drop(); }

// --- Timer -------------------------------------------------------------------------------------------------------------

struct Timer::Impl : std::enable_shared_from_this<Timer::Impl> {
  Impl(Loop::Impl& l, const char* n, Loop::Fn f) : base(l.base), watchdog(&l.watchdog), name(n), fn(std::move(f)) {
    event_assign(&ev, base, -1, 0, [](evutil_socket_t, short, void* a) { static_cast<Impl*>(a)->fire(); }, this);
  }

  void set(MonoMs now) {
    sets++;
    // libevent counts from a clock of its own, which may lag ours by some ms: fire() sees to what comes too early.
    timeval tv = to_timeval(Timer::wait(at, now));
    event_add(&ev, &tv);
  }

  void fire() {
    if (at == kNever) return;
    MonoMs now = mono_ms();
    if (now < at) return set(now);
    std::shared_ptr<Impl> alive = shared_from_this();
    Watchdog::Scope scope(watchdog, name);
    at = kNever;
    fn();
  }

  event_base* base;
  Watchdog* watchdog;
  const char* name;
  Loop::Fn fn;
  struct event ev {};
  MonoMs at = kNever;
  uint64_t sets = 0;
};

Timer::Timer(Loop& loop, const char* name, Loop::Fn fn)
    : impl_(std::make_shared<Impl>(*loop.impl_, name, std::move(fn))) {}

Timer::~Timer() {
  event_del(&impl_->ev);
  impl_->at = kNever;
}

MonoMs Timer::wait(MonoMs at, MonoMs now) { return std::clamp<MonoMs>(at - now, 0, kLongestWait); }

void Timer::arm(MonoMs at) {
  if (at == kNever) return disarm();
  if (at == impl_->at) return;
  impl_->at = at;
  impl_->set(mono_ms());
}

void Timer::disarm() {
  if (impl_->at == kNever) return;
  impl_->at = kNever;
  event_del(&impl_->ev);
}

MonoMs Timer::armed_at() const { return impl_->at; }
uint64_t Timer::sets() const { return impl_->sets; }

}  // namespace pua
