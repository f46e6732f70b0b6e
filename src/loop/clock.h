// The two clocks: steady milliseconds for deadlines, and calendar seconds for rows that no wall-clock step can move.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace pua {

MonoMs mono_ms();        // CLOCK_BOOTTIME: goes on while the machine is suspended, as the servers' grants do; never steps
int64_t wall_ms();       // CLOCK_REALTIME, ms since 1970: steps when an operator or NTP says so
std::string boot_id();   // of the running kernel; empty if the system does not tell

// Calendar time for database rows: epoch = monotonic + offset.
//
//   same boot as the saved state   the saved offset: rows agree with mono_ms() over restarts of the process, whatever
//                                  the wall clock did meanwhile
//   another boot                   epoch = wall - saved drift, so that a step made before the reboot does not move rows; and
//                                  not before the last epoch that was saved (without a clock battery it is 1970)
//   no saved state                 epoch = wall
//
// A suspend is no step: monotonic and wall clock both go on.
// drift = wall - epoch, refreshed by observe_wall: 0 until the wall clock is stepped, then the size of the step.
// Pure: all times come as arguments. Instance (src/api) loads and saves State.
class EpochClock {
 public:
  struct State {
    std::string boot_id;
    int64_t offset_ms = 0;  // epoch - monotonic
    int64_t drift_ms = 0;   // wall - epoch
    int64_t seen_ms = 0;    // epoch when the state was last refreshed
  };

  // saved: none on the first start. boot: boot_id(); empty is never "the same boot".
  EpochClock(const std::optional<State>& saved, std::string_view boot, MonoMs mono, int64_t wall);

  EpochS epoch_s(MonoMs at) const { return floor_s(at + state_.offset_ms); }
  int64_t epoch_ms(MonoMs at) const { return at + state_.offset_ms; }
  // When that second begins on the monotonic clock; may lie in the past, also below 0.
  MonoMs mono_of(EpochS epoch) const { return epoch * 1000 - state_.offset_ms; }

  // Refreshes drift. true: state() is to be saved, because drift has moved by a second or more since it was last saved, or that
  // is kSaveMs ago. So a crash and a reboot without a clock battery lose kSaveMs at most.
  static constexpr int64_t kSaveMs = 600000;
  bool observe_wall(MonoMs mono, int64_t wall);
  const State& state() const { return state_; }

  // One line of text for the store, and back. none: not such a line.
  static std::string encode(const State& s);
  static std::optional<State> decode(std::string_view text);

 private:
  static EpochS floor_s(int64_t ms) { return ms >= 0 ? ms / 1000 : -((999 - ms) / 1000); }
  State state_;
  int64_t told_drift_ = 0;  // drift when observe_wall last returned true
  int64_t told_seen_ = 0;   // and the epoch
};

}  // namespace pua
