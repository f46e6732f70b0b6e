// Watchdog: measures every callback of the loop, names those that ran too long, and remembers the longest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/histogram.h"

namespace pua {

class Log;

// Only for the thread of the loop. It costs two reads of CLOCK_MONOTONIC a callback, and at most a thousand reads a second of
// the thread's CPU clock.
class Watchdog {
 public:
  // Clocks in nanoseconds that never step. Tests have their own.
  struct Clocks {
    int64_t (*wall_ns)();
    int64_t (*cpu_ns)();
  };
  static Clocks system_clocks();  // CLOCK_MONOTONIC and CLOCK_THREAD_CPUTIME_ID

  struct Report {
    uint64_t slow = 0;         // callbacks over the threshold (each once, however deep the scopes were)
    int64_t max_ns = 0;        // longest callback so far, wall clock
    const char* max_name = ""; // the name of the innermost scope that was to blame for it
    int64_t max_name_cpu_ns = 0;  // CPU time of that callback; up to 1 ms too much
    int64_t max_cpu_ns = 0;    // most CPU time of a callback so far, of those over the threshold and of each new max_ns
  };

  // Slow callbacks by the name that was to blame for each (as in Report::max_name).
  struct Slow {
    const char* name;
    uint64_t count;
  };
  // 0.1 ms ... 1 s.
  static constexpr int64_t kBounds[] = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000};

  // slow_ms: callbacks that run longer are counted and logged. log outlives the watchdog.
  explicit Watchdog(Log& log, int64_t slow_ms = 10, Clocks clocks = system_clocks());
  ~Watchdog() { detach(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void set_slow_ms(int64_t slow_ms) { slow_ns_ = slow_ms * 1000000; }
  const Report& report() const { return report_; }
  std::vector<Slow> slow_by_name() const;                 // adds up to Report::slow
  const Histogram& times() const { return times_; }       // wall clock of all callbacks, without the scopes inside them
  bool inside() const { return top_ != nullptr; }  // a callback is running
  // Detaches the scopes that are open now: they measure nothing more, and the log may be destroyed before they end.
  void detach();
  // Forgets the maxima, but not the counts, for measurements that begin now.
  void reset_max();

  // Measures one callback, or a named part of one. If a part took the time, the part is to blame, and not the whole callback.
  // name: lives as long as the watchdog (a literal). wd: may be null.
  class Scope {
   public:
    Scope(Watchdog* wd, const char* name) : wd_(wd) {
      if (wd_) wd_->enter(*this, name);
    }
    ~Scope() {
      if (wd_) wd_->leave(*this);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class Watchdog;
    Watchdog* wd_;             // null: none, or it was destroyed meanwhile
    const char* name_ = "";
    Scope* outer_ = nullptr;
    int64_t began_ = 0;
    int64_t blamed_ = 0;       // ns of inner scopes that were reported already
    const char* culprit_ = ""; // name of the longest of those
    int64_t culprit_ns_ = 0;
  };

 private:
  struct Named {               // a name that was to blame
    const char* name;
    uint64_t slow;             // outermost callbacks that it made slow
    int64_t until;             // no line about it before this time
    uint64_t held_back;        // lines that were left out because of that
  };
  Named& named(const char* name);
  void enter(Scope& s, const char* name);
  void leave(Scope& s);
  void warn(const char* name, int64_t wall, int64_t cpu, int64_t now);

  Log& log_;
  Clocks clocks_;
  int64_t slow_ns_;
  Scope* top_ = nullptr;
  int64_t cpu_mark_ = 0;       // CPU clock, read at cpu_mark_at_
  int64_t cpu_mark_at_ = 0;    // wall clock; at most kMarkNs before a callback begins
  std::vector<Named> named_;
  Report report_;
  Histogram times_{kBounds};
};

}  // namespace pua
