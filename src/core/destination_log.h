// DestinationLog: one line of the log when requests to a destination begin to fail, with the reason; one when it is left alone; one when
// it is over. Never more than that, however many requests fail: a destination that comes and goes is told of less and less often, and
// all of them together have a gate.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/log.h"
#include "base/log_gate.h"
#include "base/time.h"

namespace pua {

// What the log knows of one destination.
struct FailureSpell {
  enum class Told : uint8_t { Nothing, Failing, LeftAlone };

  Told told = Told::Nothing;      // since it fails, what was said last
  bool silent = false;            // the gate kept that back: then so is the end
  uint32_t failed = 0;            // requests since the last one that succeeded, or the last end
  MonoMs since = 0;               // when it was told
  MonoMs quiet_until = 0;         // no new beginning is told before
  MonoMs pause = 0;               // what quiet_until was made of
  bool going_on() const { return told != Told::Nothing; }
};

class DestinationLog {
 public:
  // A destination that failed again within the second figure gets pauses between its lines, from the first figure, doubling, to the second.
  static constexpr MonoMs kFirstPause = 10000, kLongestPause = 60000;

  explicit DestinationLog(Log& log) : log_(log) {}

  // A request to it failed.
  void failed(FailureSpell&, std::string_view destination, std::string_view why, MonoMs now);
  // Nothing is sent there until it answers a request that is let through now and then; or for quiet_ms, where that is not 0: it asked
  // for that. why: the last failure.
  void left_alone(FailureSpell&, std::string_view destination, std::string_view why, MonoMs quiet_ms);
  // It answered.
  void answered(FailureSpell&, std::string_view destination, MonoMs now);
  // Nobody wants to send anything there any more.
  void forgotten(FailureSpell&, std::string_view destination, MonoMs now);

 private:
  void end(FailureSpell&, MonoMs now);

  Log& log_;
  LogGate gate_{5};
};

}  // namespace pua
