// Bench: the modes on subscriptions. Each prints one line of JSON.
//   bench subscribe --sink PORT --db PATH --count N [--window 100] [--notifies N] [--turns 1]
//       CPU per initial SUBSCRIBE whose first NOTIFY was handled, per further NOTIFY, per SUBSCRIBE that brings no NOTIFY
//   bench subheap   --sink PORT --db PATH --count N [--rest 6]
//       octets per idle subscription, each with its first NOTIFY taken
#include "core/subscription_record.h"
#include "tests/bench/modes.h"

namespace bench {

namespace {

struct Spent {
  double us = 0, wall_s = 0;
};

// What `count` pieces of work took, the freeing of finished transactions included. work() returns when they are done.
Spent spent(Host& h, unsigned count, const std::function<void()>& work) {
  int64_t c0 = cpu_ns(), w0 = wall_ns();
  work();
  int64_t w = wall_ns() - w0;
  settle(h);
  return {double(cpu_ns() - c0) / 1e3 / count, double(w) / 1e9};
}

void burst(Host& h, unsigned count, unsigned window) {
  uint64_t before = h.notified();
  h.sink(("!burst " + std::to_string(count) + " " + std::to_string(window)).c_str());
  h.run_until([&] { return h.notified() - before >= count; }, 60 + count / 1000.0, "burst");
}

// Octets that malloc takes for a block of n.
size_t chunk(size_t n) { return std::max<size_t>(32, (n + 8 + 15) / 16 * 16); }

}  // namespace

int subscribe(const Options& o, const std::string& db) {
  unsigned n = unsigned(o.number("count", 20000)), window = unsigned(o.number("window", 100));
  unsigned notifies = unsigned(o.number("notifies", 2 * n)), at_once = unsigned(o.number("notify_window", 50));
  Host h(o, db, true);
  h.sink("!reset");
  h.sink("!notify 2");
  h.subscribe_all(900000, 500, window, true);  // warm-up
  settle(h);
  h.measure_turns(o.number("turns", 0) != 0);
  uint64_t durable = h.durable();
  int64_t rows0 = h.stat("store_rows_written");
  Spent whole = spent(h, n, [&] { h.subscribe_all(0, n, window, true); });
  durable = h.durable() - durable;
  int64_t rows1 = h.stat("store_rows_written");
  burst(h, 500, at_once);
  rows1 = h.stat("store_rows_written") - rows0;
  int64_t rows2 = h.stat("store_rows_written");
  Spent notify = spent(h, notifies, [&] { burst(h, notifies, at_once); });
  rows2 = h.stat("store_rows_written") - rows2;
  h.sink("!notify 0");
  Spent bare = spent(h, n, [&] { h.subscribe_all(n, n, window, false); });
  printf("{\"count\":%u,\"cpu_us\":%.3f,\"wall_s\":%.3f,\"durable\":%llu,\"rows\":%lld,\"notify_us\":%.3f,"
         "\"notify_wall_s\":%.3f,\"notifies\":%u,\"notify_rows\":%lld,\"bare_us\":%.3f,\"failed\":%llu,\"odd\":%llu,"
         "\"subs_live\":%lld,%s,\"loop_max_ms\":%lld}\n", n, whole.us, whole.wall_s, (unsigned long long)durable, (long long)rows1, notify.us,
         notify.wall_s, notifies, (long long)rows2, bare.us, (unsigned long long)h.failed(), (unsigned long long)h.odd_notified(),
         (long long)h.stat("subs_live"), turns_json(h.turns()).c_str(), (long long)h.stat("loop_max_ms"));
  fflush(stdout);
  _exit(0);  // ending 30,000 subscriptions in order is not what is measured
}

int subscription_heap(const Options& o, const std::string& db) {
  unsigned n = unsigned(o.number("count", 100000)), window = unsigned(o.number("window", 100));
  Host h(o, db, true);
  h.sink("!reset");
  h.sink("!notify 1");
  h.idle(0.5);
  int64_t rss0 = rss_now(), sql0 = sqlite_now(), heap0 = heap_now() - sql0;
  h.measure_turns(true);
  int64_t w0 = wall_ns();
  h.subscribe_all(0, n, window, true);
  int64_t w = wall_ns() - w0;
  settle(h);
  h.idle(double(o.number("rest", 6)));
  int64_t sql1 = sqlite_now(), heap1 = heap_now() - sql1, rss1 = rss_now();
  malloc_trim(0);
  int64_t rss2 = rss_now();
  // What malloc takes for each part, by the sizes of its types; the rest is what grows with all of them, and the stack's.
  size_t record = chunk(sizeof(pua::SubscriptionRecord));
  size_t strings = chunk(pua::SubscriptionRecord::kFields * sizeof(uint32_t) + h.strings());
  double each = double(heap1 - heap0) / n;
  printf("{\"count\":%u,\"heap\":%.1f,\"rss\":%.1f,\"rss_trimmed\":%.1f,\"sqlite_kb\":%lld,\"subs_live\":%lld,\"uri\":%lld,"
         "\"part_record\":%zu,\"part_strings\":%zu,\"part_rest\":%.1f,"
         "\"fill_s\":%.1f,%s,\"loop_max_ms\":%lld}\n",
         n, each, double(rss1 - rss0) / n, double(rss2 - rss0) / n, (long long)(sql1 / 1024), (long long)h.stat("subs_live"),
         (long long)h.sink_count("uri_max"), record, strings, each - double(record + strings),
         double(w) / 1e9, turns_json(h.turns()).c_str(), (long long)h.stat("loop_max_ms"));
  fflush(stdout);
  _exit(0);
}

}  // namespace bench
