// Metrics: the numbers for operators, in the Prometheus text format. Pure: numbers in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/measurements.h"
#include "control/context.h"
#include "control/metric_writer.h"
#include "core/types.h"

namespace pua {

struct MetricsInput {
  Stats stats;
  Measurements more;
  ControlCounters control;
  std::string version;        // "1.2.3"
  int64_t started_at = 0;     // s since 1970
  int64_t uptime_us = 0;
};

struct MetricFamily {
  std::string name;
  std::string_view type;      // "counter", "gauge", "histogram"
  std::string_view labels;    // their names, for people
  std::string_view help;
  void (*write)(const MetricsInput&, MetricWriter&);
};

// All families, in the order of the page and of puad(8). Every statistic of PUA_STATS and PUA_CONTROL_STATS is in one of
// them: a new one comes in by itself, under its own name.
const std::vector<MetricFamily>& metric_families();

// The whole page.
std::string metrics_text(const MetricsInput&);
constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// A number of pua_stats, and the metric that shows the same: a family, or a part of one by its labels.
struct StatisticInfo {
  std::string name;
  std::string_view type;      // "counter", "gauge"
  std::string metric;         // pua_sip_requests_total{method="PUBLISH",kind="initial"}
  std::string_view help;
};
// All of them, in the order of pua_stats.
std::vector<StatisticInfo> statistics();

// The families and the statistics as puad(8) lists them, in mdoc.
std::string man_metrics();
std::string man_statistics();

}  // namespace pua
