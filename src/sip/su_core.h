// SuCore: what both drivers share: the turns in which sofia runs, one libevent timer for sofia's next deadline, one deferred
// event for work that was queued from outside, and an end that may come in the middle of a turn.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sofia-sip/su_wait.h>

#include <algorithm>
#include <cstdint>

#include "base/log_gate.h"
#include "base/watchdog.h"
#include "sip/su_driver.h"

struct sockaddr;

namespace pua {

// What was read of a TCP connection.
struct StreamRead {
  uint64_t at_message = 0;   // octets read when its last message was taken
  bool cut = false;          // ended by us
};

class SuCore {
 public:
  SuCore(event_base* base, Watchdog* wd);
  virtual ~SuCore();
  SuCore(const SuCore&) = delete;
  SuCore& operator=(const SuCore&) = delete;

  virtual SuDriver::Mode mode() const = 0;
  su_root_t* root() const { return root_; }
  event_base* base() const { return base_; }
  Watchdog* watchdog() const { return wd_; }
  const SuStats& stats() const { return stats_; }

  // The core of a root of this thread; null: it is not driven by us.
  static SuCore* of(su_root_t* root);
  // See su_streams.h.
  void guard_streams(size_t most) { most_ = std::max(most_, most); }
  virtual void stream_message(const sockaddr* peer) = 0;
  virtual void stream_unanswered(const sockaddr* peer) = 0;
  // Stops watching this descriptor, although sofia still wants it watched.
  virtual void ignore(int) {}

  // There may be messages or timers to look at: a turn follows. Does nothing inside a turn, which looks at its end anyway.
  void schedule();
  // A turn now.
  void settle();
  // Deletes this core; inside a turn: at the end of the turn.
  void release();

 protected:
  // Everything that sofia does happens inside a turn. Destruction of the core waits for the end of the outermost.
  class Turn {
   public:
    Turn(SuCore& core, const char* name) : core_(core), scope_(core.wd_, name) { core_.depth_++; }
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    SuCore& core_;
    Watchdog::Scope scope_;
  };

  static constexpr int64_t kNoTimer = -1;
  // Runs queued messages and due timers: bounded. Returns the ms until the next timer, kNoTimer, or 0: there is more to do.
  // sofia cuts the fraction of a ms off: one is to be added, or the last ms before each deadline is a busy loop.
  virtual int64_t work() = 0;
  // Runs work() and sets the timer for what is left. Inside a turn.
  void work_and_arm();
  bool ending() const { return ending_; }
  // Resets a connection: what it holds is gone at once, and sofia sees it as reset by the other side. (Shut down by us, it
  // would be "broken pipe", after which sofia sends what waits for a reply once more.) why: for the log.
  void cut_stream(int fd, const char* why);
  static const char* const kTooLong;
  static const char* const kUnreadable;
  static const char* const kHidden;
  size_t most() const { return most_; }
  bool endless(const StreamRead& s, uint64_t octets) const { return octets - s.at_message > most_; }

  event_base* base_;
  Watchdog* wd_;
  su_root_t* root_ = nullptr;
  SuStats stats_;

 private:
  static int64_t su_now_ms();
  static void on_pump(evutil_socket_t, short, void* self);
  static void on_timer(evutil_socket_t, short, void* self);
  void arm(int64_t wait_ms);

  struct event timer_ {};
  struct event pump_ {};
  LogGate cut_gate_{2};
  int64_t armed_ = INT64_MAX;  // su_now_ms() at which timer_ fires; INT64_MAX: it is not set
  unsigned depth_ = 0;
  size_t most_ = 0;            // octets before a message is complete; 0: nobody asked for a limit
  bool pump_pending_ = false;
  bool ending_ = false;        // to be deleted when depth_ is 0
};

// nullptr and a reason in `why`: this library cannot do it.
SuCore* make_port_core(event_base* base, Watchdog* wd, std::string& why);
SuCore* make_nested_core(event_base* base, Watchdog* wd, std::string& why);

}  // namespace pua
