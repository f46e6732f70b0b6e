// The two kinds of time. Deadlines are monotonic; only database rows hold calendar time.
#pragma once

#include <cstdint>
#include <limits>

namespace pua {

using MonoMs = int64_t;  // milliseconds since the machine started, suspends included: never steps
using EpochS = int64_t;  // seconds since 1970 as rows hold them (see loop/clock.h: steady within one boot)

constexpr MonoMs kNever = std::numeric_limits<MonoMs>::max();

}  // namespace pua
