// DestinationLog: one line of the log when requests to a destination begin to fail, with the reason; one when it is left alone; one when
// it is over. The last line about a destination is true, once nothing has changed for a few seconds. Never more than that, however
// many requests fail: a destination that comes and goes is told of less and less often, and all of them together have a gate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/deadline_heap.h"
#include "base/log.h"
#include "base/log_gate.h"
#include "base/time.h"

namespace pua {

// What the log knows of one destination.
struct FailureSpell {
  enum class State : uint8_t { Answers, Failing, LeftAlone, Quiet };

  State state = State::Answers;   // what is so
  State said = State::Answers;    // what the last line said, or what is so without one
  bool named = false;             // there was a line about it
  bool silent = false;            // the gate kept its beginning back, and nobody had heard of it: so is the rest, to the end
  uint32_t failed = 0;            // requests since it answered
  uint32_t untold = 0;            // times that it failed and answered since the last line, without one
  MonoMs since = 0;               // when it began to fail
  MonoMs told_at = 0;             // when it was told that it fails
  MonoMs quiet_until = 0;         // no beginning is told before, but one that lasts
  MonoMs pause = 0;               // what quiet_until was made of
  MonoMs server_quiet_until = 0;  // State::Quiet: until when it asked for that
  MonoMs server_quiet_said = 0;   // and what was said of it
  std::string why;                // the last failure
  std::string_view name;          // where it waits for a line
  uint32_t heap_index = kNotInHeap;

  bool going_on() const { return state != State::Answers; }
  // Whether it may be forgotten without a loss to the log.
  bool idle(MonoMs now) const { return !going_on() && quiet_until <= now && heap_index == kNotInHeap; }
};

class DestinationLog {
 public:
  // A destination that failed again within the second figure gets pauses between its lines, from the first figure, doubling, to the second.
  static constexpr MonoMs kFirstPause = 10000, kLongestPause = 60000;
  // What lasts so long is told within a pause, too.
  static constexpr MonoMs kLasting = 4000;

  explicit DestinationLog(Log& log) : log_(log) {}

  // A request to it failed. The name outlives the spell.
  void failed(FailureSpell&, std::string_view destination, std::string_view why, MonoMs now);
  // Nothing is sent there until it answers a request that is let through now and then; or for quiet_ms, where that is not 0: it asked
  // for that. After failed().
  void left_alone(FailureSpell&, std::string_view destination, MonoMs quiet_ms, MonoMs now);
  // It answered.
  void answered(FailureSpell&, std::string_view destination, MonoMs now);
  // Nobody wants to send anything there any more.
  void forgotten(FailureSpell&, std::string_view destination);

  // What is still to be told: when, and one line of it.
  MonoMs next_due() const;
  void run(MonoMs now);

 private:
  void settle(FailureSpell&, std::string_view destination, MonoMs now);
  void tell(FailureSpell&, std::string_view destination, MonoMs now);
  void end(FailureSpell&, MonoMs now);
  std::string left_out(FailureSpell&, uint64_t more);

  Log& log_;
  LogGate gate_{5};
  DeadlineHeap<FailureSpell> waiting_;   // whose last line is not true any more, or who have something to add
};

}  // namespace pua
