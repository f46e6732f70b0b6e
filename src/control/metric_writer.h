// MetricWriter: the samples of one metric family as lines of the Prometheus text format, version 0.0.4.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/histogram.h"

namespace pua {

class MetricWriter {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;  // (name, value as it is)

  // Begins the family: its HELP and TYPE lines. out and family outlive this.
  MetricWriter(std::string& out, std::string_view family, std::string_view type, std::string_view help);

  void add(int64_t value, Labels labels = {});
  void add_seconds(int64_t us, Labels labels = {});              // given in microseconds
  void add_histogram(const Histogram&, Labels labels = {});      // _bucket, _sum and _count, in seconds

 private:
  void line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);

  std::string& out_;
  std::string_view family_;
};

// "0.005", "2", "1.25": microseconds as seconds, exactly.
std::string seconds_text(int64_t us);

}  // namespace pua
