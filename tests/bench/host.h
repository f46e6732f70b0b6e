// Host: an instance of the library in a loop that measures its own turns. The modes of `bench` are written on it.
#pragma once

#include <event2/event.h>

#include <functional>
#include <string>

#include "pua/pua.h"
#include "tests/bench/samples.h"

namespace bench {

// The longest turns of the loop. CPU is the thread's own; wall starts when there is something to do. faults: page faults of the
// turn that took most CPU. stolen: 10 ms that the host took from both cores while the turns were measured, which a guest's clocks count
// as the CPU of whoever ran.
struct Turns {
  int64_t count = 0, cpu_max = 0, wall_max = 0, over_10ms_cpu = 0, over_20ms_cpu = 0, faults = 0, stolen = 0;
};

int64_t stolen_now();   // since the machine started, in 10 ms

class Host {
 public:
  // db: absolute path of the SQLite file, or a db_url. Ends the process with a message where anything fails: a benchmark
  // has no plan B. listens: NOTIFYs are taken at a port of its own.
  Host(const Options& o, const std::string& db, bool listens = false);
  ~Host();

  pua_t* pua() { return pua_; }
  void publish(unsigned i);                  // presence of uri_of(i); counts in submitted()
  void refresh(unsigned i, int expires);     // of what publish() made; a new lifetime, no document; counts likewise
  void subscribe(unsigned i);                // of watcher_text() to presence of uri_of(i), for an hour; counts likewise
  // Runs turns until done() says so, which is asked before each; ends the process if `seconds` pass. Turns are at
  // most 10 ms apart, 1 ms where they are measured.
  void run_until(const std::function<bool()>& done, double seconds, const char* what);
  void idle(double seconds);
  int64_t wake_ups(int seconds);             // of the loop that is left alone for so long
  // Publishes `count` from `first` on with `window` of them open.
  void publish_all(unsigned first, unsigned count, unsigned window);
  // Subscribes likewise. With `notified`, one is open until its first NOTIFY was given to the handler, too.
  void subscribe_all(unsigned first, unsigned count, unsigned window, bool notified);
  void shutdown();

  int64_t stat(const char* name);
  std::string sink(const char* command);     // control datagram; its answer, "" if none
  int64_t sink_count(const char* name);      // number of that name in the sink's counters

  void measure_turns(bool on) { measured_ = on, turns_ = Turns(), stolen_ = stolen_now(); }
  Turns turns() const {
    Turns t = turns_;
    t.stolen = stolen_now() - stolen_;
    return t;
  }
  uint64_t submitted() const { return submitted_; }
  uint64_t completed() const { return completed_; }
  uint64_t failed() const { return failed_; }
  uint64_t durable() const { return durable_; }
  uint64_t notified() const { return notified_; }          // NOTIFYs the handler saw as they were sent: active, 200 octets
  // Octets of the strings that a subscription keeps, of the last one notified.
  size_t strings() const { return strings_; }
  uint64_t odd_notified() const { return odd_notified_; }  // others

  std::vector<int64_t>* due = nullptr;       // with it: wall time at which request i was due ...
  Times* times = nullptr;                    // ... and where the answer times go

 private:
  void submit(unsigned i, pua_str_t* body, int expires);
  static int on_reply(pua_reply_t* reply, void* param);
  static int on_notify(ua_pres_t* s, const pua_notification_t* n, void*);
  void turn();
  void set_tick(int64_t ms);                 // 0: none

  static Host* self_;

  event_base* base_ = nullptr;
  event* tick_ = nullptr;
  pua_t* pua_ = nullptr;
  int sink_ = -1, tick_fd_ = -1;
  int64_t tick_ms_ = 10;
  bool measured_ = false;
  Turns turns_;
  int64_t stolen_ = 0;
  std::string proxy_;
  uint64_t submitted_ = 0, completed_ = 0, failed_ = 0, durable_ = 0;
  uint64_t notified_ = 0, odd_notified_ = 0;
  size_t strings_ = 0;
};

}  // namespace bench
