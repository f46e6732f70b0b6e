// What every benchmark publishes or is notified of (URI of 27 characters, PIDF of 200 octets), and how times are counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace bench {

inline int64_t clock_ns(clockid_t c) {
  timespec t;
  clock_gettime(c, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}
inline int64_t wall_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline int64_t cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

inline std::string uri_of(unsigned i) {
  char b[32];
  snprintf(b, sizeof b, "sip:user%07u@example.org", i % 10000000);
  return b;  // 27 characters
}

inline std::string watcher_text() { return "sip:watcher0001@example.org"; }  // 27 characters

// A PIDF document that needs no change on its way: the tuple has an id. Quotes are single: they need no escape in JSON.
inline const std::string& body_text() {
  static const std::string text = [] {
    std::string a = "<?xml version='1.0'?>\n<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:user@example.org'>"
                    "<tuple id='t1'><status><basic>open</basic></status><note>";
    std::string z = "</note></tuple></presence>\n";
    return a + std::string(200 - a.size() - z.size(), 'x') + z;
  }();
  return text;
}

struct Times {
  std::vector<int64_t> ns;
  double at(double q) {  // milliseconds
    if (ns.empty()) return 0;
    size_t k = std::min(ns.size() - 1, size_t(q * double(ns.size())));
    std::nth_element(ns.begin(), ns.begin() + long(k), ns.end());
    return double(ns[k]) / 1e6;
  }
  double max() { return ns.empty() ? 0 : double(*std::max_element(ns.begin(), ns.end())) / 1e6; }
};

// --name value pairs.
struct Options {
  int argc;
  char** argv;
  const char* text(const char* name, const char* otherwise) const {
    for (int i = 2; i + 1 < argc; i += 2)
      if (argv[i][0] == '-' && argv[i][1] == '-' && !strcmp(argv[i] + 2, name)) return argv[i + 1];
    return otherwise;
  }
  long number(const char* name, long otherwise) const {
    const char* t = text(name, nullptr);
    return t ? atol(t) : otherwise;
  }
};

}  // namespace bench
