// libevent's messages go to our Log, a few lines a second of them. libevent has one receiver for the whole process, and no way
// to put back the one that was there before: so this is only for a program of our own, such as puad. Messages of other threads
// are dropped.
#pragma once

#include "base/log_gate.h"

namespace pua {

class Log;

class EventLogScope {
 public:
  // log outlives the scope. One at a time on a thread; created and destroyed on the loop's.
  explicit EventLogScope(Log& log);
  ~EventLogScope();
  EventLogScope(const EventLogScope&) = delete;
  EventLogScope& operator=(const EventLogScope&) = delete;

 private:
  static void receive(int severity, const char* text);

  Log& log_;
  LogGate gate_{2};
};

}  // namespace pua
