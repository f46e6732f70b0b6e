#include "base/watchdog.h"

#include <cstring>
#include <ctime>

#include "base/log.h"

namespace pua {

namespace {

constexpr int64_t kMarkNs = 1000000;         // how long before a callback the CPU mark may lie: the error of CPU times
constexpr int64_t kQuietNs = 10000000000;    // a callback that is always slow gets one line in 10 s

int64_t read_clock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000000000 + ts.tv_nsec;
}

}  // namespace

Watchdog::Clocks Watchdog::system_clocks() {
  return {[] { return read_clock(CLOCK_MONOTONIC); }, [] { return read_clock(CLOCK_THREAD_CPUTIME_ID); }};
}

Watchdog::Watchdog(Log& log, int64_t slow_ms, Clocks clocks)
    : log_(log), clocks_(clocks), slow_ns_(slow_ms * 1000000), cpu_mark_at_(INT64_MIN / 2) {}

void Watchdog::detach() {
  for (Scope* s = top_; s; s = s->outer_) s->wd_ = nullptr;
  top_ = nullptr;
}

void Watchdog::reset_max() {
  uint64_t slow = report_.slow;
  report_ = Report{};
  report_.slow = slow;
}

void Watchdog::enter(Scope& s, const char* name) {
  s.name_ = name;
  s.began_ = clocks_.wall_ns();
  s.outer_ = top_;
  if (!top_ && s.began_ - cpu_mark_at_ > kMarkNs) {
    cpu_mark_ = clocks_.cpu_ns();  // a system call, too slow for each of ten thousand callbacks a second
    cpu_mark_at_ = s.began_;
  }
  top_ = &s;
}

void Watchdog::leave(Scope& s) {
  top_ = s.outer_;
  int64_t now = clocks_.wall_ns();
  int64_t wall = now - s.began_;
  bool outermost = !s.outer_;
  if (outermost) times_.add(wall / 1000);
  bool new_max = outermost && wall > report_.max_ns;
  if (wall <= slow_ns_ && !new_max) return;  // as nearly always

  int64_t cpu = clocks_.cpu_ns() - cpu_mark_;
  if (cpu > wall) cpu = wall;  // the rest ran between the mark and the callback
  bool to_blame = wall - s.blamed_ > slow_ns_;
  const char* culprit = to_blame || s.culprit_ns_ == 0 ? s.name_ : s.culprit_;
  if (to_blame) warn(s.name_, wall, cpu, now);
  if (!outermost) {
    if (wall > slow_ns_) {
      Scope& o = *s.outer_;
      o.blamed_ += to_blame ? wall : s.blamed_;
      if (wall > o.culprit_ns_) o.culprit_ = culprit, o.culprit_ns_ = wall;
    }
    return;
  }
  if (wall > slow_ns_) {
    report_.slow++;
    named(culprit).slow++;
  }
  if (new_max) {
    report_.max_ns = wall;
    report_.max_name = culprit;
    report_.max_name_cpu_ns = cpu;
  }
  if (cpu > report_.max_cpu_ns) report_.max_cpu_ns = cpu;
}

Watchdog::Named& Watchdog::named(const char* name) {
  for (Named& it : named_) {
    if (strcmp(it.name, name) == 0) return it;
  }
  return named_.emplace_back(Named{name, 0, INT64_MIN, 0});
}

std::vector<Watchdog::Slow> Watchdog::slow_by_name() const {
  std::vector<Slow> out;
  for (const Named& it : named_) {
    if (it.slow) out.push_back({it.name, it.slow});
  }
  return out;
}

void Watchdog::warn(const char* name, int64_t wall, int64_t cpu, int64_t now) {
  Named* q = &named(name);
  if (now < q->until) {
    q->held_back++;
    return;
  }
  double wall_ms = static_cast<double>(wall) / 1e6, cpu_ms = static_cast<double>(cpu) / 1e6;
  if (q->held_back) {
    log_.warning("loop: %s ran %.1f ms (%.1f ms of CPU), and was slow %llu more times", name, wall_ms, cpu_ms,
                 static_cast<unsigned long long>(q->held_back));
  } else {
    log_.warning("loop: %s ran %.1f ms (%.1f ms of CPU)", name, wall_ms, cpu_ms);
  }
  q->until = now + kQuietNs;
  q->held_back = 0;
}

}  // namespace pua
