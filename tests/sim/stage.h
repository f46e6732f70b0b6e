// What the parts of a world share: its clock, its random numbers, the engine, and the first failure.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "core/engine.h"

namespace sim {

using pua::MonoMs;

struct Stage {
  Stage(uint64_t seed, bool trace) : random_(seed * 0x9e3779b97f4a7c15ull + 1), trace_(trace) {}

  void fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }
  void say(const char* fmt, ...) __attribute__((format(printf, 2, 3)));   // writes a line of the trace
  bool chance(int percent) { return percent > 0 && random_.below(100) < static_cast<uint64_t>(percent); }

  static constexpr MonoMs kEpochOffset = 5000000000;   // rows hold calendar time

  pua::Random random_;
  bool trace_;
  MonoMs now_ = 1000000;
  pua::EngineSettings settings_;
  std::unique_ptr<pua::Engine> engine_;
  std::string failure_;
};

}  // namespace sim
