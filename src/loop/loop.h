// Loop: the instance's face of a libevent base, the host's or its own: timers, deferred calls, calls from other threads,
// and the checks that the caller stands in the right thread and process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "base/watchdog.h"

struct event_base;

namespace pua {

// Every call but post() in the loop's thread only. An idle loop is not woken: timers stand only while somebody waits for them.
class Loop {
 public:
  using Fn = std::function<void()>;

  // host: the base to live on, not owned, outlives the loop; nullptr: make one. slow_ms: the watchdog's threshold.
  // The calling thread is the loop's thread from now on. Errors: no_memory (no base, no eventfd).
  static Result<std::unique_ptr<Loop>> create(event_base* host, Log& log, int64_t slow_ms = 10);
  // Legal inside a callback of this loop; a base of its own is then told to stop. What was deferred or posted and has not
  // run is destroyed without running. In a forked child it only lets go: the events belong to the parent.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  event_base* base() const;
  bool owns_base() const;
  Watchdog& watchdog();
  MonoMs now() const;  // mono_ms(), read afresh at each call

  bool on_loop_thread() const;
  bool forked() const;    // this process is a child of the one that made the loop
  // Errors: after_fork, wrong_thread.
  Status check() const;

  // Turns the base until stop(). Errors: as check(); generic: inside a callback, or libevent refused.
  // A host may as well call event_base_dispatch(base()); but then a loop that owns its base and is destroyed inside a
  // callback cannot free that base.
  Status run();
  void stop();

  // Runs fn once, in the next turn or later in this one, never inside this call. In order of the calls.
  // name: for the watchdog, a literal.
  void defer(const char* name, Fn fn);

  // From any thread: runs fn on the loop, in order. false: closed, or called in a forked child; fn is not kept.
  // The caller sees to it that the loop exists during the call.
  bool post(Fn fn);
  // No more posts. Those that were accepted still run as long as the loop turns.
  void close();
  // No more posts, and those that were accepted and have not run are destroyed now, without running, in their order. Legal
  // inside one of them.
  void drop_posts();

  struct Impl;

 private:
  friend class Timer;
  explicit Loop(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;  // callbacks hold it too while they run
};

// One deadline and what to do then. It must be destroyed before the loop is; inside its own callback it is legal to destroy it,
// or the owner of the loop.
class Timer {
 public:
  // name: for the watchdog, a literal. fn runs from the loop, never inside arm().
  Timer(Loop& loop, const char* name, Loop::Fn fn);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once at `at` or up to a millisecond or so later, never before; in the past: in the next turn. kNever: disarm.
  // Replaces an earlier deadline; the same one again costs nothing.
  void arm(MonoMs at);
  void disarm();
  MonoMs armed_at() const;  // kNever: not armed
  // ms until libevent is to look again. Its clock stands still while the machine is suspended and `at` does not: it looks
  // again soon enough, and fires when the time has come.
  static constexpr MonoMs kLongestWait = 60000;
  static MonoMs wait(MonoMs at, MonoMs now);
  uint64_t sets() const;    // times libevent was really bothered

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pua
