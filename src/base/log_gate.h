// Log gate: lets no more than so many lines of one kind pass in a time, however many events there are. The next line that
// passes says how many were left out.
#pragma once

#include <cstdint>
#include <utility>

#include "base/time.h"

namespace pua {

class LogGate {
 public:
  explicit LogGate(uint32_t lines = 10, MonoMs window_ms = 1000) : limit_(lines), window_(window_ms), start_(-window_ms) {}
  // true: write the line, and say that `left_out` lines were left out since the last one. false: leave it out.
  bool pass(MonoMs now, uint64_t& left_out) {
    if (now - start_ >= window_ || now < start_) {
      start_ = now;
      lines_ = 0;
    }
    if (lines_ >= limit_) {
      skipped_++;
      return false;
    }
    lines_++;
    left_out = skipped_;
    skipped_ = 0;
    return true;
  }

  // From when on a line passes; 0: now.
  MonoMs opens() const { return lines_ < limit_ ? 0 : start_ + window_; }
  // How many lines were left out of which no line has told so far. take_left_out(): a line tells of them now.
  uint64_t left_out() const { return skipped_; }
  uint64_t take_left_out() { return std::exchange(skipped_, 0); }

 private:
  uint32_t limit_, lines_ = 0;
  uint64_t skipped_ = 0;
  MonoMs window_, start_;
};

}  // namespace pua
