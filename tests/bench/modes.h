// What the modes of `bench` share: memory, turns as JSON, rest. And the modes that have files of their own.
#pragma once

#include <malloc.h>
#include <sqlite3.h>
#include <unistd.h>

#include "tests/bench/host.h"

namespace bench {

int subscribe(const Options& o, const std::string& db);
int subscription_heap(const Options& o, const std::string& db);
int writeback(const Options& o, const std::string& db);
int steady(const Options& o, const std::string& db);

inline int64_t heap_now() {
  struct mallinfo2 m = mallinfo2();
  return int64_t(m.uordblks) + int64_t(m.hblkhd);
}
inline int64_t sqlite_now() {
  sqlite3_int64 now = 0, high = 0;
  sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &high, 0);
  return now;
}
inline int64_t rss_now() {
  long size = 0, resident = 0;
  FILE* f = fopen("/proc/self/statm", "r");
  if (!f) return 0;
  if (fscanf(f, "%ld %ld", &size, &resident) != 2) resident = 0;
  fclose(f);
  return int64_t(resident) * sysconf(_SC_PAGESIZE);
}
inline int64_t peak_now() {  // VmHWM, octets
  long kb = 0;
  FILE* f = fopen("/proc/self/status", "r");
  if (!f) return 0;
  for (char line[256]; fgets(line, sizeof line, f);)
    if (sscanf(line, "VmHWM: %ld", &kb) == 1) break;
  fclose(f);
  return int64_t(kb) << 10;
}

inline std::string turns_json(const Turns& t) {
  char b[512];
  snprintf(b, sizeof b, "\"turns\":%lld,\"turn_cpu_max_ms\":%.3f,\"turn_wall_max_ms\":%.3f,\"turns_over_10ms_cpu\":%lld,"
           "\"turns_over_20ms_cpu\":%lld,\"turn_cpu_max_faults\":%lld,\"stolen_ms\":%lld", (long long)t.count, double(t.cpu_max) / 1e6, double(t.wall_max) / 1e6,
           (long long)t.over_10ms_cpu, (long long)t.over_20ms_cpu, (long long)t.faults, (long long)t.stolen * 10);
  return b;
}

// Until every row is written, what SQLite's journal holds is in its rows, and the stack has let go of its finished transactions.
inline void settle(Host& h) {
  h.run_until([&] { return h.stat("store_backlog") == 0 && h.stat("store_journal") == 0 && h.stat("in_flight") == 0; }, 120, "settle");
  h.idle(1.5);
}

}  // namespace bench
