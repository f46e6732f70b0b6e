// Measurements: what an instance counts and times beyond the flat list of Stats. Counters since start, gauges now.
#pragma once

#include <cstdint>
#include <vector>

#include "base/watchdog.h"
#include "core/measures.h"
#include "sip/stack.h"

namespace pua {

struct Measurements {
  Measures sip;                            // by method, and how long owners waited
  std::vector<StateCount> publications, subscriptions;
  Histogram writes{Watchdog::kBounds};     // batches of the store; comes with bounds of its own
  bool store_up = true;
  Histogram callbacks{Watchdog::kBounds};  // of the loop
  int64_t longest_callback_us = 0;
  std::vector<Watchdog::Slow> slow_callbacks;
  SipCounters stack;                       // of the SIP stack
};

}  // namespace pua
