// Bench: measures the library through its C API. One mode a process; each prints one line of JSON.
//   bench publish --sink PORT --db PATH --count N [--window 100]          CPU per initial PUBLISH
//   bench refresh --sink PORT --db PATH --count N                         CPU per refresh, all due at once
//   bench heap    --sink PORT --db PATH --count N [--window 100]          octets per idle publication; leaves the file
//   bench rate    --sink PORT --db PATH --rate PER_S --seconds S --tick_ms 1   answer times at a steady rate
//   bench restart --sink PORT --db PATH --count N [--ask I]               from the start until all N rows are armed, and
//                                                                         a request for record I was answered
//   bench subscribe and bench subheap: tests/bench/bench_subscriptions.cpp; bench writeback: tests/bench/bench_writeback.cpp
// --turns 1 measures each turn of the loop, which delays its timers by up to 1 ms. The sink must run; PATH is an absolute path
// of a SQLite file or a db_url, and empty but for `restart`.
#include <malloc.h>
#include <unistd.h>

#include "tests/bench/modes.h"

using namespace bench;

namespace {

int publish(const Options& o, const std::string& db) {
  unsigned n = unsigned(o.number("count", 20000)), window = unsigned(o.number("window", 100));
  Host h(o, db);
  h.publish_all(9000000, 500, window);  // warm-up: connections, caches, code
  settle(h);
  h.measure_turns(o.number("turns", 0) != 0);
  uint64_t durable = h.durable(), failed = h.failed();
  int64_t rows = h.stat("store_rows_written"), c0 = cpu_ns(), w0 = wall_ns();
  h.publish_all(0, n, window);
  int64_t w = wall_ns() - w0;
  settle(h);
  double us = double(cpu_ns() - c0) / 1e3 / n;
  printf("{\"count\":%u,\"cpu_us\":%.3f,\"wall_s\":%.3f,\"durable\":%llu,\"failed\":%llu,\"rows\":%lld,%s,"
         "\"loop_max_ms\":%lld}\n", n, us, double(w) / 1e9, (unsigned long long)(h.durable() - durable),
         (unsigned long long)(h.failed() - failed),
         (long long)(h.stat("store_rows_written") - rows), turns_json(h.turns()).c_str(), (long long)h.stat("loop_max_ms"));
  h.shutdown();
  return 0;
}

// A grant of 20 s is refreshed 8 to 10 s after it was given (core/policy.h). The loop stands still until all are due.
int refresh(const Options& o, const std::string& db) {
  unsigned n = unsigned(o.number("count", 10000));
  Host h(o, db);
  h.sink("!grant 20");
  h.publish_all(0, n, 1000);
  int64_t last = wall_ns();
  h.run_until([&] { return h.stat("store_backlog") == 0; }, 6, "store");
  h.sink("!grant 3600");
  h.sink("!reset");
  while (wall_ns() < last + 6500000000) h.idle(0.1);
  int64_t early = h.sink_count("refresh");
  usleep(useconds_t((last + 10500000000 - wall_ns()) / 1000));
  h.measure_turns(o.number("turns", 0) != 0);
  int64_t c0 = cpu_ns(), w0 = wall_ns(), before = h.stat("replies_2xx");
  h.run_until([&] { return h.stat("replies_2xx") - before >= int64_t(n) - early; }, 60, "refresh");
  int64_t w = wall_ns() - w0;
  settle(h);
  double us = double(cpu_ns() - c0) / 1e3 / double(int64_t(n) - early);
  printf("{\"count\":%lld,\"cpu_us\":%.3f,\"wall_s\":%.3f,\"seen_by_sink\":%lld,\"repeats\":%lld,%s,\"loop_max_ms\":%lld}\n",
         (long long)(int64_t(n) - early), us, double(w) / 1e9, (long long)h.sink_count("refresh"),
         (long long)h.sink_count("repeats"), turns_json(h.turns()).c_str(), (long long)h.stat("loop_max_ms"));
  h.sink("!grant 0");
  h.shutdown();
  return 0;
}

int heap(const Options& o, const std::string& db) {
  unsigned n = unsigned(o.number("count", 100000)), window = unsigned(o.number("window", 100));
  Host h(o, db);
  h.sink("!reset");
  h.idle(0.5);
  int64_t rss0 = rss_now(), sql0 = sqlite_now(), heap0 = heap_now() - sql0;
  h.measure_turns(true);
  int64_t w0 = wall_ns();
  h.publish_all(0, n, window);
  int64_t w = wall_ns() - w0;
  settle(h);
  h.idle(2);
  int64_t sql1 = sqlite_now(), heap1 = heap_now() - sql1, rss1 = rss_now();
  malloc_trim(0);
  int64_t rss2 = rss_now(), wakes = h.wake_ups(10);
  int64_t body_min = h.sink_count("body_min"), body_max = h.sink_count("body_max"), uri_max = h.sink_count("uri_max");
  printf("{\"count\":%u,\"heap\":%.1f,\"rss\":%.1f,\"rss_trimmed\":%.1f,\"sqlite_kb\":%lld,\"live\":%lld,\"body_min\":%lld,"
         "\"body_max\":%lld,\"uri\":%lld,\"fill_s\":%.1f,\"wake_ups\":%lld,%s,\"loop_max_ms\":%lld}\n",
         n, double(heap1 - heap0) / n, double(rss1 - rss0) / n, double(rss2 - rss0) / n, (long long)(sql1 / 1024),
         (long long)h.stat("live"), (long long)body_min, (long long)body_max, (long long)uri_max, double(w) / 1e9, (long long)wakes,
         turns_json(h.turns()).c_str(), (long long)h.stat("loop_max_ms"));
  h.shutdown();
  return 0;
}

int rate(const Options& o, const std::string& db) {
  int64_t per_s = o.number("rate", 1000), n = per_s * o.number("seconds", 10);
  Host h(o, db);
  h.publish_all(9000000, 500, 100);
  settle(h);
  std::vector<int64_t> due(static_cast<size_t>(n));
  Times times;
  times.ns.reserve(size_t(n));
  h.due = &due;
  h.times = &times;
  h.measure_turns(o.number("turns", 0) != 0);
  int64_t t0 = wall_ns(), sent = 0, start = int64_t(h.completed());
  uint64_t durable = h.durable();
  for (int64_t i = 0; i < n; i++) due[size_t(i)] = t0 + i * 1000000000 / per_s;
  h.run_until([&] {
    while (sent < n && due[size_t(sent)] <= wall_ns()) h.publish(unsigned(sent++));
    return int64_t(h.completed()) - start == n;
  }, 60 + double(n) / double(per_s), "rate");
  printf("{\"count\":%lld,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"durable\":%llu,\"failed\":%llu,\"rows\":%lld,%s,"
         "\"loop_max_ms\":%lld}\n", (long long)n, times.at(0.5), times.at(0.99), times.max(),
         (unsigned long long)(h.durable() - durable), (unsigned long long)h.failed(), (long long)h.stat("store_rows_written"),
         turns_json(h.turns()).c_str(), (long long)h.stat("loop_max_ms"));
  settle(h);
  h.shutdown();
  return 0;
}

int restart(const Options& o, const std::string& db) {
  int64_t n = o.number("count", 100000), t0 = wall_ns(), c0 = cpu_ns();
  Host h(o, db);
  int64_t made = wall_ns();
  h.measure_turns(o.number("turns", 0) != 0);
  h.publish(unsigned(o.number("ask", 9999999)));
  int64_t answered = 0, looked = 0, loaded = 0;
  h.run_until([&] {
    int64_t now = wall_ns();
    if (!answered && h.completed()) answered = now;
    if (now - looked > 2000000) {  // a look at the counters costs little, but not nothing
      looked = now;
      loaded = h.stat("loaded");
    }
    return answered && loaded >= n;
  }, 120, "restart");
  double all = double(wall_ns() - t0) / 1e9;
  double cpu = double(cpu_ns() - c0) / 1e9;
  int64_t rss = rss_now(), peak = peak_now();
  h.idle(0.2);
  printf("{\"count\":%lld,\"ready_s\":%.3f,\"made_s\":%.3f,\"first_answer_s\":%.3f,\"cpu_s\":%.3f,\"live\":%lld,\"records\":%lld,"
         "\"rss_mb\":%lld,\"peak_mb\":%lld,%s,\"loop_max_ms\":%lld}\n", (long long)n, all,
         double(made - t0) / 1e9, double(answered - t0) / 1e9,
         cpu, (long long)h.stat("live"), (long long)h.stat("records"), (long long)(rss >> 20), (long long)(peak >> 20),
         turns_json(h.turns()).c_str(), (long long)h.stat("loop_max_ms"));
  h.shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o{argc, argv};
  std::string mode = argc > 1 ? argv[1] : "", db = o.text("db", "");
  if (db.empty() || (db[0] != '/' && db.find("://") == db.npos)) mode = "";
  if (mode == "publish") return publish(o, db);
  if (mode == "refresh") return refresh(o, db);
  if (mode == "heap") return heap(o, db);
  if (mode == "rate") return rate(o, db);
  if (mode == "restart") return restart(o, db);
  if (mode == "subscribe") return subscribe(o, db);
  if (mode == "subheap") return subscription_heap(o, db);
  if (mode == "writeback") return writeback(o, db);
  if (mode == "steady") return steady(o, db);
  fprintf(stderr, "usage: bench publish|refresh|heap|rate|restart|subscribe|subheap|writeback|steady --sink PORT --db /PATH|URL "
          "--count N ...\n");
  return 2;
}
