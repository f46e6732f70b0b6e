// Log gate: at most so many lines of one kind in a while, however many events; the next line says how many were left out.
#pragma once

#include <cstdint>
#include <utility>

#include "base/time.h"

namespace pua {

class LogGate {
 public:
  explicit LogGate(uint32_t lines = 10, MonoMs window_ms = 1000) : limit_(lines), window_(window_ms), start_(-window_ms) {}
  // True: write the line. left_out: how many were not written since the last one that was.
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
  // Lines that no other line has told of so far. take_: they are told now.
  uint64_t left_out() const { return skipped_; }
  uint64_t take_left_out() { return std::exchange(skipped_, 0); }

 private:
  uint32_t limit_, lines_ = 0;
  uint64_t skipped_ = 0;
  MonoMs window_, start_;
};

}  // namespace pua
