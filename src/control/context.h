// ControlContext: what the commands may see and do. Owned by Control, alive as long as the dispatcher.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/service.h"
#include "base/result.h"
#include "control/watches.h"
#include "core/bodies_port.h"

namespace pua {

// Counters of the control interface; X(name, help). pua_stats shows them as control_<name>.
#define PUA_CONTROL_STATS(X)                                                     \
  X(requests, "requests read, each element of a batch counted")                  \
  X(notifications, "requests without an id, which get no answer")                \
  X(bad_requests, "texts that were no JSON-RPC request")                         \
  X(errors, "requests refused: unknown method or bad parameters")                \
  X(too_large, "requests over max_request")                                      \
  X(replies, "replies sent")                                                     \
  X(replies_dropped, "replies not sent: client gone or not reading")             \
  X(pushed, "NOTIFYs sent on to clients that watch")                             \
  X(pushes_lost, "NOTIFYs that a watching client had no room for")               \
  X(watches_refused, "watches refused: as many as there may be, or as one client may have") \
  X(http_requests, "HTTP requests answered")                                     \
  X(http_refused, "of those, with a status of 400 or more")                      \
  X(http_cut_off, "HTTP connections closed: too many, or open for too long")     \
  X(http_bad, "HTTP connections that ended without a request, or with none that could be read")

struct ControlCounters {
#define X(name, help) int64_t name = 0;
  PUA_CONTROL_STATS(X)
#undef X
};

struct ControlContext {
  Service& pua;
  const BodiesPort& events;     // names of event packages
  std::string version;          // "puad 1.2.3"
  // Reads the configuration again; the names of settings that cannot change while running. Empty: not possible here.
  std::function<Result<std::vector<std::string>>()> reload;

  int64_t default_expires = 3600;  // s, where a publish names none
  size_t max_request = 65536;      // octets of one request

  ControlCounters counters = {};
  std::map<std::string, int64_t, std::less<>> statistics_reset = {};  // "group:name" -> its count then (reset_statistics)
  Watches watches{pua};
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  time_t started_at = time(nullptr);  // the same by the calendar, as it was then
};

}  // namespace pua
