// The loop that an adapter with sockets of its own lives in, as its owner gives it.
#pragma once

#include <functional>

#include "base/time.h"
#include "base/watchdog.h"

struct event_base;

namespace pua {

struct StoreLoop {
  event_base* base = nullptr;
  Watchdog* watchdog = nullptr;                                // may be null
  std::function<MonoMs()> now;
  // Runs a callback of the store. Whatever it calls may end the owner: nothing of the store is touched afterwards.
  std::function<void(const std::function<void()>&)> turn;
};

}  // namespace pua
