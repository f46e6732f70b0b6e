// sofia-sip's clock, made steady: its timers follow CLOCK_REALTIME, so a wall-clock step would fire or delay them all.
#pragma once

#include <cstdint>

namespace pua {

// Sets sofia's exported hook `_su_time`, once per process, because sofia has one clock per process: su_time() and su_now()
// then tell the wall clock of this moment plus what CLOCK_MONOTONIC ran since. Calling it again changes nothing. A hook that
// somebody else had set before is replaced. Loop thread.
//
// Not covered: sofia's DNS resolver reads time(2) by itself, for its cache and its retries.
void su_clock_install();

// For tests: where elapsed time comes from, in microseconds; nullptr: CLOCK_MONOTONIC again. Time goes on from where it
// was. Installs the clock if need be.
using SuClockSource = int64_t (*)();
void su_clock_set_source(SuClockSource source);

// While it lives, sofia runs on CLOCK_MONOTONIC; then the earlier source goes on from where it was.
class SuRealClock {
 public:
  SuRealClock();
  ~SuRealClock();
  SuRealClock(const SuRealClock&) = delete;
  SuRealClock& operator=(const SuRealClock&) = delete;

 private:
  SuClockSource source_;
  int64_t origin_, base_;
};

}  // namespace pua
