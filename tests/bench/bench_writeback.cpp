// Mode of `bench` on the write-behind queue: how fast rows that nobody waits for reach the database.
//   bench writeback --sink PORT --db URL --count N      N new rows, then new lifetimes for the same N
// The sink is silent meanwhile: no answer makes one of them a row that a caller waits for, and SIP stays out of the way,
// but for the requests that may be out at once. What an owner wants is a row for the bulk lane from the call on.
#include "tests/bench/modes.h"

namespace bench {

namespace {

struct Written {
  double seconds = 0;  // from the first call until the last row was committed
  double cpu_us = 0;   // a row, of this process
};

Written written(Host& h, unsigned n, const std::function<void(unsigned)>& ask) {
  int64_t rows = h.stat("store_rows_written"), t0 = wall_ns(), c0 = cpu_ns();
  unsigned asked = 0;
  h.run_until([&] {
    for (unsigned k = 0; k < 500 && asked < n; k++) ask(asked++);
    return asked == n && h.stat("store_rows_written") - rows >= int64_t(n);
  }, 120, "writeback");
  return {double(wall_ns() - t0) / 1e9, double(cpu_ns() - c0) / 1e3 / n};
}

void answered(Host& h) {
  h.sink("!silent 0");
  h.run_until([&] { return h.completed() == h.submitted(); }, 60, "answers");
  settle(h);
}

}  // namespace

int writeback(const Options& o, const std::string& db) {
  unsigned n = unsigned(o.number("count", 20000));
  Host h(o, db);
  h.idle(0.5);
  h.sink("!reset");
  h.sink("!silent 1");
  Written fresh = written(h, n, [&](unsigned i) { h.publish(i); });
  answered(h);
  h.sink("!silent 1");
  Written again = written(h, n, [&](unsigned i) { h.refresh(i, 7200); });
  answered(h);
  printf("{\"count\":%u,\"new_s\":%.4f,\"again_s\":%.4f,\"new_cpu_us\":%.2f,\"again_cpu_us\":%.2f,\"failed\":%llu,"
         "\"store_errors\":%lld,\"flush_max_ms\":%lld,\"loop_max_ms\":%lld}\n", n, fresh.seconds, again.seconds, fresh.cpu_us,
         again.cpu_us, (unsigned long long)h.failed(), (long long)h.stat("store_errors"),
         (long long)h.stat("store_flush_max_ms"), (long long)h.stat("loop_max_ms"));
  h.shutdown();
  return 0;
}

}  // namespace bench
