#include "loop/event_log.h"

#include <event2/event.h>

#include "base/log.h"
#include "loop/clock.h"

namespace pua {
namespace {
thread_local EventLogScope* t_scope = nullptr;
}  // namespace

EventLogScope::EventLogScope(Log& log) : log_(log) {
  t_scope = this;
  event_set_log_callback(&EventLogScope::receive);
}

EventLogScope::~EventLogScope() {
  event_set_log_callback(nullptr);
  t_scope = nullptr;
}

void EventLogScope::receive(int severity, const char* text) {
  EventLogScope* s = t_scope;
  uint64_t left_out = 0;
  if (!s || severity < EVENT_LOG_WARN || !s->gate_.pass(mono_ms(), left_out)) return;
  if (left_out)
    s->log_.warning("libevent: %s (%llu more messages were not logged)", text, static_cast<unsigned long long>(left_out));
  else s->log_.warning("libevent: %s", text);
}

}  // namespace pua
