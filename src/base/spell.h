// Spell: something that goes wrong for a while. It is told when it begins, and when it was not seen for kQuietMs, and not in
// between.
#pragma once

#include <cstdint>
#include <utility>

#include "base/time.h"

namespace pua {

class Spell {
 public:
  static constexpr int64_t kQuietMs = 10000;
  // To be called whenever it is seen. true: it has begun, tell so.
  bool begins(MonoMs now) { return std::exchange(seen_, now) == kNever; }
  // true: it is over, tell so. To be called at due().
  bool over(MonoMs now) {
    if (seen_ == kNever || now - seen_ < kQuietMs) return false;
    seen_ = kNever;
    return true;
  }
  MonoMs due() const { return seen_ == kNever ? kNever : seen_ + kQuietMs; }

 private:
  MonoMs seen_ = kNever;  // last time
};

}  // namespace pua
