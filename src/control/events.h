// The event parameter of commands.
#pragma once

#include <cstdint>
#include <string_view>

#include "control/call.h"
#include "control/context.h"

namespace pua {

// Event bit of an event parameter, 0 where it was left out. false: answered with an error.
inline bool read_event(ControlContext& context, std::string_view name, Call& call, int32_t& out) {
  if (name.empty()) return true;
  const EventInfo* event = context.events.by_name(name);
  if (event == nullptr) {
    call.error(400, "Unknown event");
    return false;
  }
  out = event->flag;
  return true;
}

}  // namespace pua
