// Histogram: durations counted by fixed buckets, and their sum. An addition is a few comparisons and two adds, no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pua {

class Histogram {
 public:
  static constexpr size_t kMaxBounds = 16;

  // bounds: upper ends of the buckets in microseconds, ascending; each belongs to its bucket. What is longer than the last
  // one has a bucket of its own behind them. They live at least as long as this and its copies.
  template <size_t N>
  explicit constexpr Histogram(const int64_t (&bounds)[N]) : bounds_(bounds) {
    static_assert(N <= kMaxBounds);
  }

  void add(int64_t us) {
    if (us < 0) us = 0;
    size_t i = 0;
    while (i < bounds_.size() && us > bounds_[i]) i++;
    counts_[i]++;
    sum_us_ += us;
  }

  std::span<const int64_t> bounds() const { return bounds_; }
  uint64_t in_bucket(size_t i) const { return counts_[i]; }  // i: 0 ... bounds().size()
  int64_t sum_us() const { return sum_us_; }
  uint64_t count() const {
    uint64_t all = 0;
    for (size_t i = 0; i <= bounds_.size(); i++) all += counts_[i];
    return all;
  }

 private:
  std::span<const int64_t> bounds_;
  std::array<uint64_t, kMaxBounds + 1> counts_{};
  int64_t sum_us_ = 0;
};

}  // namespace pua
