// Measures: what the engine counts beyond the flat list of Stats: how requests ended, by method, and how long replies and
// owners took. Counters since the start.
#pragma once

#include <array>
#include <cstdint>

#include "base/histogram.h"
#include "core/sip_port.h"

namespace pua {

enum class Method : uint8_t { Publish, Subscribe };
constexpr size_t kMethods = 2;
inline const char* method_name(Method m) { return m == Method::Publish ? "PUBLISH" : "SUBSCRIBE"; }

// How a request ended: by a final reply of a class, or without one. Transport: it could not be sent. Local: our own SIP stack
// has given it up.
enum class Final : uint8_t { C2xx, C3xx, C4xx, C5xx, C6xx, Timeout, Transport, Local };
constexpr size_t kFinals = 8;
const char* final_name(Final);
Final final_of(const SipReply&);

// 5 ms ... 32 s. From 0.5 s on they double, as retransmissions do; timer F ends at 32 s.
inline constexpr int64_t kSipBounds[] = {5000,    10000,   25000,   50000,   100000,   250000,  500000,
                                         1000000, 2000000, 4000000, 8000000, 16000000, 32000000};

struct MethodMeasures {
  std::array<int64_t, kFinals> finals{};
  Histogram latency{kSipBounds};   // from the request to its final reply over the wire, a repetition with credentials included

  int64_t of(Final f) const { return finals[static_cast<size_t>(f)]; }
};

struct Measures {
  std::array<MethodMeasures, kMethods> methods;
  Histogram waits{kSipBounds};     // from an owner's request to its completion; without those that a shutdown completes

  MethodMeasures& of(Method m) { return methods[static_cast<size_t>(m)]; }
  const MethodMeasures& of(Method m) const { return methods[static_cast<size_t>(m)]; }
  int64_t all(Final f) const { return methods[0].of(f) + methods[1].of(f); }
};

// How many records of a kind are in a state of their machine.
struct StateCount {
  const char* state;
  int64_t records;
};

}  // namespace pua
