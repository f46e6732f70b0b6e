// The page of metrics: the text format to the letter, and that no statistic is missing.
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "config/man_page.h"
#include "control/metrics.h"

#include "CppUTest/TestHarness.h"

using namespace pua;

namespace {
constexpr int64_t kBounds[] = {5000, 2000000};
}  // namespace

TEST_GROUP(MetricWriter) {
  std::string out;
};

TEST(MetricWriter, a_family_begins_with_help_and_type) {
  MetricWriter(out, "pua_x_total", "counter", "of a \\ and\na line").add(7);
  STRCMP_EQUAL("# HELP pua_x_total of a \\\\ and\\na line\n# TYPE pua_x_total counter\npua_x_total 7\n", out.c_str());
}

TEST(MetricWriter, labels_are_quoted_and_escaped) {
  MetricWriter w(out, "m", "gauge", "h");
  out.clear();
  w.add(-1, {{"a", "x"}, {"b", "q\"\\\n"}});
  STRCMP_EQUAL("m{a=\"x\",b=\"q\\\"\\\\\\n\"} -1\n", out.c_str());
}

TEST(MetricWriter, seconds_have_no_digits_that_say_nothing) {
  STRCMP_EQUAL("0", seconds_text(0).c_str());
  STRCMP_EQUAL("32", seconds_text(32000000).c_str());
  STRCMP_EQUAL("0.005", seconds_text(5000).c_str());
  STRCMP_EQUAL("100.000001", seconds_text(100000001).c_str());
  MetricWriter w(out, "m", "gauge", "h");
  out.clear();
  w.add_seconds(1250000);
  STRCMP_EQUAL("m 1.25\n", out.c_str());
}

TEST(MetricWriter, buckets_of_a_histogram_hold_all_that_is_shorter) {
  Histogram h{kBounds};
  h.add(5000);
  h.add(5001);
  h.add(9000000);
  MetricWriter w(out, "m_seconds", "histogram", "h");
  out.clear();
  w.add_histogram(h, {{"method", "PUBLISH"}});
  STRCMP_EQUAL("m_seconds_bucket{method=\"PUBLISH\",le=\"0.005\"} 1\n"
               "m_seconds_bucket{method=\"PUBLISH\",le=\"2\"} 2\n"
               "m_seconds_bucket{method=\"PUBLISH\",le=\"+Inf\"} 3\n"
               "m_seconds_sum{method=\"PUBLISH\"} 9.010001\n"
               "m_seconds_count{method=\"PUBLISH\"} 3\n",
               out.c_str());
  out.clear();
  w.add_histogram(h);
  STRCMP_CONTAINS("m_seconds_bucket{le=\"0.005\"} 1\n", out.c_str());
  STRCMP_CONTAINS("m_seconds_sum 9.010001\n", out.c_str());
}

TEST_GROUP(Metrics) {
  MetricsInput in;

  void shows(const std::string& line) {
    std::string page = "\n" + metrics_text(in);
    CHECK_TEXT(page.find("\n" + line + "\n") != std::string::npos, (line + " is not in\n" + page).c_str());
  }
  static bool name_ok(const std::string& name) {
    return name.starts_with("pua_") && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  }
};

TEST(Metrics, names_follow_the_conventions) {
  std::set<std::string> names;
  for (const MetricFamily& f : metric_families()) {
    CHECK_TEXT(name_ok(f.name), f.name.c_str());
    CHECK_TEXT(names.insert(f.name).second, f.name.c_str());
    CHECK_TEXT(f.type == "counter" || f.type == "gauge" || f.type == "histogram", f.name.c_str());
    CHECK_TEXT(f.name.ends_with("_total") == (f.type == "counter"), f.name.c_str());
    CHECK_TEXT(f.type != "histogram" || f.name.ends_with("_seconds"), f.name.c_str());
    for (const char* other : {"_ms", "_ms_total", "_us", "_bucket", "_sum", "_count"})
      CHECK_TEXT(!f.name.ends_with(other), f.name.c_str());
    CHECK_TEXT(f.help.size() > 5, f.name.c_str());
  }
}

// Each gets a number of its own, which must be on the page, in seconds where it is a time.
TEST(Metrics, every_statistic_is_on_the_page) {
  int64_t n = 1000001;
#define X(name, kind, help) in.stats.name = n += 2;
  PUA_STATS(X)
#undef X
#define X(name, help) in.control.name = n += 2;
  PUA_CONTROL_STATS(X)
#undef X
  // By state, and measured apart from the statistic: the numbers of the same.
  in.more.publications = {{"live", in.stats.live}, {"sending", in.stats.sending}, {"queued", in.stats.queued},
                          {"intent", in.stats.intent}, {"backoff", in.stats.backoff}, {"gone", in.stats.gone}};
  in.more.subscriptions = {{"live", in.stats.subs_live}, {"waiting", in.stats.subs_waiting}, {"backoff", in.stats.subs_backoff}};
  auto& finals = in.more.sip.of(Method::Subscribe).finals;
  finals = {in.stats.replies_2xx, in.stats.replies_3xx, in.stats.replies_4xx, in.stats.replies_5xx,
            in.stats.replies_6xx, in.stats.timeouts, in.stats.transport_errors, 5};
  in.more.longest_callback_us = in.stats.loop_max_ms * 1000;
  in.more.slow_callbacks = {{"store", static_cast<uint64_t>(in.stats.loop_slow)}};
  std::string page = metrics_text(in);
  std::vector<StatisticInfo> all = statistics();
  auto info = all.begin();
  auto check = [&](const std::string& name, int64_t value) {
    CHECK(info != all.end());
    STRCMP_EQUAL(name.c_str(), info->name.c_str());
    const std::string metric = info++->metric;
    if (name == "records" || name == "subscriptions") return;   // the sums over all states
    // It stands in a line of the metric that it is said to be, with the labels.
    const size_t brace = std::min(metric.find('{'), metric.size());
    const std::string family = metric.substr(0, brace), text = name.ends_with("_ms") ? seconds_text(value * 1000) : std::to_string(value);
    const std::string labels = brace == metric.size() ? "" : metric.substr(brace + 1, metric.size() - brace - 2);
    bool found = false;
    std::stringstream lines(page);
    for (std::string line; std::getline(lines, line);)
      found |= line.substr(0, line.find_first_of("{ ")) == family && line.find(labels) != line.npos && line.ends_with(" " + text);
    CHECK_TEXT(found, (name + " is not in " + metric).c_str());
  };
#define X(name, kind, help) check(#name, in.stats.name);
  PUA_STATS(X)
#undef X
#define X(name, help) check("control_" #name, in.control.name);
  PUA_CONTROL_STATS(X)
#undef X
  CHECK(info == all.end());
}

TEST(Metrics, records_have_a_label_for_each_state) {
  in.more.publications = {{"live", 3}, {"queued", 2}};
  in.more.subscriptions = {{"waiting", 4}, {"queued", 5}};
  shows("pua_publications{state=\"live\"} 3");
  shows("pua_subscriptions{state=\"waiting\"} 4");
  shows("pua_sip_requests_queued 7");
}

TEST(Metrics, requests_and_replies_are_told_apart_by_method) {
  in.stats.requests_modify = 6;
  in.stats.subscribes_fetch = 7;
  in.more.sip.of(Method::Publish).finals[static_cast<size_t>(Final::C4xx)] = 8;
  in.more.sip.of(Method::Subscribe).finals[static_cast<size_t>(Final::Timeout)] = 9;
  in.more.sip.of(Method::Subscribe).latency.add(1500000);
  shows("pua_sip_requests_total{method=\"PUBLISH\",kind=\"modify\"} 6");
  shows("pua_sip_requests_total{method=\"SUBSCRIBE\",kind=\"fetch\"} 7");
  shows("pua_sip_replies_total{method=\"PUBLISH\",class=\"4xx\"} 8");
  shows("pua_sip_replies_total{method=\"SUBSCRIBE\",class=\"timeout\"} 9");
  shows("pua_sip_request_duration_seconds_bucket{method=\"SUBSCRIBE\",le=\"1\"} 0");
  shows("pua_sip_request_duration_seconds_bucket{method=\"SUBSCRIBE\",le=\"2\"} 1");
  shows("pua_sip_request_duration_seconds_bucket{method=\"PUBLISH\",le=\"+Inf\"} 0");
  shows("pua_sip_request_duration_seconds_sum{method=\"SUBSCRIBE\"} 1.5");
}

TEST(Metrics, connections_from_outside) {
  InboundCounters& c = in.more.stack.inbound;
  c.accepted = 101;
  c.open = 12;
  c.known = 5;
  c.held = 4096;
  c.messages = 77;
  c.pings = 8;
  c.pauses = 3;
  c.of(InboundEnd::address_limit) = 9;
  c.of(InboundEnd::shutdown) = 6;
  shows("pua_sip_connections{kind=\"known\"} 5");
  shows("pua_sip_connections{kind=\"stranger\"} 7");
  shows("pua_sip_connections_accepted_total 101");
  shows("pua_sip_connections_ended_total{reason=\"address_limit\"} 9");
  shows("pua_sip_connections_ended_total{reason=\"shutdown\"} 6");
  shows("pua_sip_connections_ended_total{reason=\"peer\"} 0");
  shows("pua_sip_connections_held_octets 4096");
  shows("pua_sip_connections_messages_total 77");
  shows("pua_sip_connections_keepalives_total 8");
  shows("pua_sip_accept_pauses_total 3");
}

TEST(Metrics, store_loop_and_process) {
  in.version = "1.2.3";
  in.started_at = 1800000000;
  in.uptime_us = 90500000;
  in.more.store_up = false;
  in.stats.store_oldest_ms = 2500;
  in.stats.store_backlog = 11;
  in.more.writes.add(200);
  in.more.callbacks.add(300);
  in.more.longest_callback_us = 300;
  in.more.slow_callbacks = {{"store", 2}};
  in.more.stack.lane.sent = 11;
  in.more.stack.lane.scanned = 7;
  in.more.stack.lane.parsed = 2;
  in.more.stack.lane.foreign = 2;
  in.more.stack.incoming.unanswered = 13;
  in.more.stack.failovers = 3;
  in.more.stack.streams_cut = 4;
  in.more.stack.stream_strays = 5;
  in.more.stack.names.unanswered = 4;
  in.more.stack.digest.forgotten = 6;
  shows("pua_build_info{version=\"1.2.3\"} 1");
  shows("pua_process_start_time_seconds 1800000000");
  shows("pua_uptime_seconds 90.5");
  shows("pua_store_up 0");
  shows("pua_store_oldest_unwritten_seconds 2.5");
  shows("pua_store_backlog 11");
  shows("pua_store_write_duration_seconds_count 1");
  shows("pua_loop_callback_duration_seconds_sum 0.0003");
  shows("pua_loop_callback_max_seconds 0.0003");
  shows("pua_sip_datagrams_total{what=\"request_out\"} 11");
  shows("pua_sip_datagrams_total{what=\"response\"} 9");
  shows("pua_sip_datagrams_total{what=\"response_foreign\"} 2");
  shows("pua_sip_unanswered_total 13");
  shows("pua_sip_failovers_total 3");
  shows("pua_sip_server_connections_cut_total 4");
  shows("pua_sip_server_connections_strays_total 5");
  shows("pua_sip_challenges_total{what=\"forgotten\"} 6");
  shows("pua_sip_names_total{what=\"unanswered\"} 4");
  shows("pua_loop_slow_callbacks_total{name=\"store\"} 2");
  in.more.store_up = true;
  shows("pua_store_up 1");
}

TEST(Metrics, the_man_page_lists_every_family_and_every_statistic) {
  std::stringstream page;
  page << std::ifstream("man/puad.8").rdbuf();
  auto filled = fill_man_page(page.str(), "METRICS", man_metrics());
  CHECK(filled.ok());
  filled = fill_man_page(*filled, "STATISTICS", man_statistics());
  CHECK(filled.ok());
  for (const StatisticInfo& s : statistics()) STRCMP_CONTAINS((".It Cm " + s.name + " Pq ").c_str(), page.str().c_str());
  CHECK_TEXT(*filled == page.str(), "man/puad.8 is out of date: run this program with --write-man man/puad.8");
  for (const MetricFamily& f : metric_families()) STRCMP_CONTAINS((".It Cm " + f.name + " Pq").c_str(), page.str().c_str());
}
