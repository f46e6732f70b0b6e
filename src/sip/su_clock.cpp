#include "sip/su_clock.h"

#include <sofia-sip/su_time.h>

#include <ctime>

extern "C" {
extern void (*_su_time)(su_time_t*);  // exported by the library, declared in none of its headers
}

namespace pua {

namespace {

constexpr int64_t kNtpEpochS = 2208988800;  // su_time counts from 1900

int64_t read_us(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000000 + ts.tv_nsec / 1000;
}

int64_t monotonic_us() { return read_us(CLOCK_MONOTONIC); }

// now = base + (source() - origin). One for the process, as sofia's hook is.
struct Steady {
  SuClockSource source = nullptr;  // null: not installed
  int64_t origin = 0;
  int64_t base = 0;                // us since 1970

  int64_t now() const { return base + (source() - origin); }
  void go_on_with(SuClockSource s) {
    base = now();
    source = s;
    origin = s();
  }
};

Steady g_clock;

void hook(su_time_t* tv) {
  int64_t us = g_clock.now();
  tv->tv_sec = static_cast<unsigned long>(us / 1000000 + kNtpEpochS);
  tv->tv_usec = static_cast<unsigned long>(us % 1000000);
}

}  // namespace

void su_clock_install() {
  if (!g_clock.source) {
    g_clock.base = read_us(CLOCK_REALTIME);
    g_clock.source = monotonic_us;
    g_clock.origin = monotonic_us();
  }
  _su_time = hook;
}

void su_clock_set_source(SuClockSource source) {
  su_clock_install();
  g_clock.go_on_with(source ? source : monotonic_us);
}

SuRealClock::SuRealClock() : source_((su_clock_install(), g_clock.source)), origin_(g_clock.origin), base_(g_clock.base) {
  if (source_ != monotonic_us) g_clock.go_on_with(monotonic_us);
}

SuRealClock::~SuRealClock() {
  g_clock.source = source_;
  g_clock.origin = origin_;
  g_clock.base = base_;
}

}  // namespace pua
