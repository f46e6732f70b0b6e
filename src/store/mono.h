// The clock of the adapters, for their own deadlines and for how long something took.
#pragma once

#include <time.h>

#include <cstdint>

#include "base/time.h"

namespace pua {

inline int64_t steady_us() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000000 + t.tv_nsec / 1000;
}

inline MonoMs steady_ms() { return steady_us() / 1000; }

}  // namespace pua
