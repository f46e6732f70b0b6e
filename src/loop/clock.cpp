#include "loop/clock.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace pua {

namespace {

int64_t read_ms(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
}

// Takes the next word and its blank off `text`.
std::string_view word(std::string_view& text) {
  size_t n = std::min(text.find(' '), text.size());
  std::string_view w = text.substr(0, n);
  text.remove_prefix(std::min(n + 1, text.size()));
  return w;
}

// A whole number of milliseconds within 30,000 years, so that sums of a few cannot overflow.
bool number(std::string_view w, int64_t& out) {
  constexpr int64_t kMost = 1000000000000000;
  auto [end, ec] = std::from_chars(w.data(), w.data() + w.size(), out);
  return ec == std::errc() && end == w.data() + w.size() && !w.empty() && out >= -kMost && out <= kMost;
}

}  // namespace

MonoMs mono_ms() { return read_ms(CLOCK_BOOTTIME); }
int64_t wall_ms() { return read_ms(CLOCK_REALTIME); }

std::string boot_id() {
  char text[64];
  FILE* f = fopen("/proc/sys/kernel/random/boot_id", "re");
  if (!f) return {};
  size_t n = fread(text, 1, sizeof text, f);
  fclose(f);
  std::string id(text, n);
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

EpochClock::EpochClock(const std::optional<State>& saved, std::string_view boot, MonoMs mono, int64_t wall) {
  if (saved) state_ = *saved;
  bool same_boot = saved && !boot.empty() && saved->boot_id == boot;
  if (!same_boot) {
    int64_t epoch = std::max(wall - state_.drift_ms, state_.seen_ms);
    state_.boot_id = boot;
    state_.offset_ms = epoch - mono;
  }
  told_drift_ = state_.drift_ms;
  told_seen_ = epoch_ms(mono);
  observe_wall(mono, wall);
}

bool EpochClock::observe_wall(MonoMs mono, int64_t wall) {
  int64_t epoch = epoch_ms(mono), drift = wall - epoch;
  state_.seen_ms = epoch;
  state_.drift_ms = drift;
  if (drift - told_drift_ < 1000 && told_drift_ - drift < 1000 && epoch - told_seen_ < kSaveMs) return false;
  told_drift_ = drift;
  told_seen_ = epoch;
  return true;
}

std::string EpochClock::encode(const State& s) {
  return (s.boot_id.empty() ? "-" : s.boot_id) + ' ' + std::to_string(s.offset_ms) + ' ' + std::to_string(s.drift_ms) + ' ' +
         std::to_string(s.seen_ms);
}

std::optional<EpochClock::State> EpochClock::decode(std::string_view text) {
  if (text.ends_with(' ')) return {};
  State s;
  std::string_view boot = word(text), offset = word(text), drift = word(text), seen = word(text);
  if (boot.empty() || !text.empty()) return {};
  if (!number(offset, s.offset_ms) || !number(drift, s.drift_ms) || !number(seen, s.seen_ms)) return {};
  if (boot != "-") s.boot_id = boot;
  return s;
}

}  // namespace pua
