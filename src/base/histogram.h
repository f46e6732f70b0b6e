// Histogram: durations counted in fixed buckets, and their sum. To add one takes a few comparisons and two additions, and no
// memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pua {

class Histogram {
 public:
  static constexpr size_t kMaxBounds = 16;

  // bounds: the upper ends of the buckets in microseconds, ascending; a duration that is equal to one belongs to its bucket.
  // One more bucket has durations that are longer than the last bound. The array must live as long as this and its copies.
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
