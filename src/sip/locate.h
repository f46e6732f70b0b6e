// Locator: from the next hop of a request to the servers that it may be sent to (RFC 3263), with a memory of names.
//
//   locate(hop) -> a literal, or a name that is remembered: at once
//               -> else questions to the name servers (sip/locate_lookup.h), and on_located() when they are answered
//
// One lookup serves all who wait for the same name. What was found is kept as long as its TTLs allow, asked for again shortly
// before it ends, and used for a day longer where the name servers do not answer (RFC 8767).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "sip/request.h"
#include "sip/servers.h"

namespace pua {

class Log;
class Random;
class SuDriver;

struct LocatorSettings {
  std::string resolv_conf;  // as SipSettings::resolv_conf; empty: /etc/resolv.conf
  std::string hosts = "/etc/hosts";
  // What our sockets can reach. Addresses of the first family come first among those of one host.
  bool v4 = true, v6 = true;
  bool v6_first = false;
  bool tls = false;  // requests can be sent over TLS
  // Limits: what is kept, and what may be open at a time.
  size_t max_names = 4096;     // names remembered, those being asked for included
  size_t max_lookups = 1024;   // names being asked for
  size_t max_questions = 256;  // that are out, each on a socket of its own; the others wait for their turn
  size_t max_waiting = 16384;  // tokens
  int try_ms = 1000;           // until a name server is thought not to answer, and the next one is asked
};

struct LocatorCounters {
  uint64_t lookups = 0;       // names asked for; one may take several questions
  uint64_t failed = 0;        // of these: nothing was found
  uint64_t unanswered = 0;    // of these: because the name servers did not answer
  uint64_t stale = 0;         // lookups that failed, where an answer whose time was over is used on
  uint64_t refused = 0;       // requests that a limit turned away
  uint64_t config_reads = 0;  // times that resolv.conf or hosts was found changed, and read again
};

struct LocatorSink {
  virtual ~LocatorSink() = default;
  // servers is null where nothing was found, and `why` says so: a sentence with the name and what the name servers said.
  // May call anything of the Locator, and destroy it.
  virtual void on_located(uint64_t token, Servers servers, std::string_view why) = 0;
};

struct Located {
  enum class State : uint8_t {
    Found,   // servers
    Asking,  // on_located() follows
    Failed,  // why
  };
  State state = State::Failed;
  Servers servers;
  std::string why;
};

// Loop thread only.
class Locator {
 public:
  // driver, sink, log and random outlive it. now: monotonic ms. A resolv.conf that is missing or empty is no error: the name
  // server is 127.0.0.1 then (resolv.conf(5)), and the file is looked at again with each lookup.
  static std::unique_ptr<Locator> create(SuDriver& driver, LocatorSettings, LocatorSink& sink, Log& log, Random& random,
                                         std::function<MonoMs()> now);
  // Those who wait are not told. Legal inside on_located.
  ~Locator();
  Locator(const Locator&) = delete;
  Locator& operator=(const Locator&) = delete;

  // The servers for a hop (its host, port, scheme; parameters transport and maddr). Found and Failed are the whole answer.
  // Asking: on_located(token) follows once, never inside this call, at most kDeadline later (LocatorSettings::max_lookups
  // names at once do not lengthen that), unless cancel(token) comes first, or a locate() with the same token, which
  // takes its place.
  Located locate(const Target& hop, uint64_t token);
  void cancel(uint64_t token);
  static constexpr MonoMs kDeadline = 8000;

  // A try failed: the server did not answer, could not be reached or said 503. It comes last in the lists for a while:
  // retry_after_s (of the 503), kHold where that is not above 0, kLongestHold at most. works() ends that.
  void failed(const Server&, int64_t retry_after_s);
  // It answered with a Retry-After that is not over.
  bool asks_for_quiet(const Server&) const;
  void works(const Server&);
  static constexpr MonoMs kHold = 30000, kLongestHold = 3600000;

  // Reads resolv.conf and hosts again, changed or not, and asks anew for each name that is used from now on. (A change of the
  // files is also seen without it, when a name is looked up.)
  void reread();

  // Forgets who waits, and closes the sockets; from now on each locate() fails. Legal inside on_located.
  void shutdown();

  LocatorCounters counters() const;
  size_t waiting() const;  // tokens

 private:
  class Impl;
  explicit Locator(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // callbacks hold it too while they run
};

}  // namespace pua
