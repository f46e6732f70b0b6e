// DestinationLog: the log gets one line when requests to a destination begin to fail, with the reason; one when the destination
// is left alone; one when it answers again. Once nothing has changed for a few seconds, the last line about a destination is
// true. There are no more lines than that, however many requests fail: those about a destination that fails and answers in turn
// become rarer, and a gate limits those about all destinations together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/deadline_heap.h"
#include "base/log.h"
#include "base/log_gate.h"
#include "base/time.h"

namespace pua {

// What is kept of one destination for that. A spell begins when requests fail, and ends when one is answered.
struct FailureSpell {
  enum class State : uint8_t { Answers, Failing, LeftAlone, Quiet };

  State state = State::Answers;   // how the destination is now
  State said = State::Answers;    // how it was according to the last line; Answers, if there was none
  bool named = false;             // there was a line about it
  bool silent = false;            // the gate has left out the line of this spell's beginning: its other lines are left out too
  uint32_t failed = 0;            // requests that failed since it answered last
  uint32_t untold = 0;            // spells since the last line of which no line has told
  MonoMs since = 0;               // when it began to fail
  MonoMs told_at = 0;             // when the log was told of that
  MonoMs quiet_until = 0;         // end of a pause in which no line tells of a new spell, unless that lasts (kLasting)
  MonoMs pause = 0;               // length of that pause
  MonoMs server_quiet_until = 0;  // State::Quiet: until when the server asked for quiet,
  MonoMs server_quiet_said = 0;   // ... and until when according to the last line
  std::string why;                // the last failure
  std::string_view name;          // the destination; set while a line about it may come later
  uint32_t heap_index = kNotInHeap;

  bool going_on() const { return state != State::Answers; }
  // Whether it may be forgotten, because no line would be different without it.
  bool idle(MonoMs now) const { return !going_on() && quiet_until <= now && heap_index == kNotInHeap; }
};

class DestinationLog {
 public:
  // After a spell there is a pause of kFirstPause in which no line tells of a new one. If a spell is told of within
  // kLongestPause after the last pause, the next pause is twice as long, up to kLongestPause.
  static constexpr MonoMs kFirstPause = 10000, kLongestPause = 60000;
  // A spell that lasts so long is told of within a pause, too.
  static constexpr MonoMs kLasting = 4000;

  explicit DestinationLog(Log& log) : log_(log) {}

  // A request to the destination failed. The text of the name must live longer than the spell.
  void failed(FailureSpell&, std::string_view destination, std::string_view why, MonoMs now);
  // The destination is left alone: until it answers a probe, or, where quiet_ms is not 0, for the time for which it asked for
  // quiet. To be called after failed().
  void left_alone(FailureSpell&, std::string_view destination, MonoMs quiet_ms, MonoMs now);
  // It has answered a request.
  void answered(FailureSpell&, std::string_view destination, MonoMs now);
  // Nothing is to be sent there any more.
  void forgotten(FailureSpell&, std::string_view destination);

  // When a line that was put off is due, and the writing of one such line.
  MonoMs next_due() const;
  void run(MonoMs now);

 private:
  void settle(FailureSpell&, std::string_view destination, MonoMs now);
  void tell(FailureSpell&, std::string_view destination, MonoMs now);
  void end(FailureSpell&, MonoMs now);
  std::string left_out(FailureSpell&, uint64_t more);

  Log& log_;
  LogGate gate_{5};
  DeadlineHeap<FailureSpell> waiting_;   // spells of which a line is still to be written
};

}  // namespace pua
