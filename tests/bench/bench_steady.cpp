// A million publications that are refreshed at a steady rate, with new ones by the C API beside them: does the library keep up, and who
// waits how long? The sink's grant sets the rate: of one of 95 s a refresh is due 45 to 55 s after the last.
//   bench steady --sink P --db DB --count 1000000 --grant 95 --seconds 60 --rate 100
#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/modes.h"

namespace bench {

int steady(const Options& o, const std::string& db) {
  unsigned n = unsigned(o.number("count", 1000000));
  int64_t seconds = o.number("seconds", 60), rate = o.number("rate", 100), grant = o.number("grant", 95);
  Host h(o, db);
  h.sink("!reset");
  h.sink(("!grant " + std::to_string(grant)).c_str());
  // As fast as they will be refreshed, so that they fall due evenly from then on.
  int64_t fill0 = wall_ns();
  double per_s = double(n) / (double(grant) * 50 / 95);
  for (unsigned done = 0; done < n;) {
    unsigned due_by_now = unsigned(std::min(double(n), double(wall_ns() - fill0) / 1e9 * per_s));
    if (due_by_now > done) h.publish_all(done, due_by_now - done, 1000);
    else h.idle(0.001);
    done = std::max(done, due_by_now);
  }
  double fill_s = double(wall_ns() - fill0) / 1e9;
  // From the first round of refreshes on.
  h.run_until([&] { return double(wall_ns() - fill0) / 1e9 > double(grant) * 0.6; }, double(grant) * 2, "first round");
  std::vector<int64_t> due(size_t(rate * seconds) + 1);
  int64_t start = wall_ns(), sent = 0, next = start + 1000000000, second = 0;
  for (size_t i = 0; i < due.size(); i++) due[i] = start + int64_t(i) * 1000000000 / std::max<int64_t>(rate, 1);
  Times times;
  h.due = &due;
  h.times = &times;
  h.measure_turns(true);
  int64_t c0 = cpu_ns(), replies0 = h.stat("replies_2xx"), least = INT64_MAX, last = replies0, oldest = 0, queued = 0, backlog = 0;
  h.run_until([&] {
    int64_t now = wall_ns();
    while (sent < rate * seconds && due[size_t(sent)] <= now) h.publish(unsigned(sent++));   // a modify of one that exists
    if (now < next) return second >= seconds;
    next += 1000000000;
    second++;
    int64_t replies = h.stat("replies_2xx");
    least = std::min(least, replies - last);
    last = replies;
    oldest = std::max(oldest, h.stat("store_oldest_ms"));
    queued = std::max(queued, h.stat("queued"));
    backlog = std::max(backlog, h.stat("store_backlog"));
    if (o.number("trace", 0)) fprintf(stderr, "%lld replies %lld backlog %lld oldest %lld rows %lld\n", (long long)second, (long long)replies, (long long)h.stat("store_backlog"), (long long)h.stat("store_oldest_ms"), (long long)h.stat("store_rows_written"));
    return second >= seconds;
  }, double(seconds) + 60, "steady");
  double wall = double(wall_ns() - start) / 1e9;
  printf("{\"count\":%u,\"fill_s\":%.1f,\"per_s\":%.0f,\"least_per_s\":%lld,\"cpu_percent\":%.1f,\"oldest_ms\":%lld,\"queued_max\":%lld,\"backlog_max\":%lld,"
         "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"failed\":%llu,\"timeouts\":%lld,\"rss_mb\":%lld,%s}\n",
         n, fill_s, double(last - replies0) / wall, (long long)least, double(cpu_ns() - c0) / 1e7 / wall, (long long)oldest, (long long)queued, (long long)backlog,
         times.at(0.5), times.at(0.99), times.max(), (unsigned long long)h.failed(), (long long)h.stat("timeouts"),
         (long long)(rss_now() >> 20), turns_json(h.turns()).c_str());
  h.sink("!grant 0");
  fflush(stdout);
  _exit(0);   // a million removals would tell nothing
}

}  // namespace bench
