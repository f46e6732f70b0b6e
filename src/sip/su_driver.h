// SuDriver: sofia-sip's reactor (su_root) driven by a libevent loop, in one of two ways. See src/loop/README.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

struct event_base;
extern "C" {
typedef struct su_root_s su_root_t;  // as in sofia-sip/su_wait.h
}

namespace pua {

class Log;
class Watchdog;

// What the driver did so far; all grow only.
struct SuStats {
  uint64_t io = 0;          // socket events handed to sofia
  uint64_t drained = 0;     // of these: further datagrams of one readiness
  uint64_t pumps = 0;       // deferred turns for messages and timers set from outside
  uint64_t timer_arms = 0;  // times the libevent timer was really set
  uint64_t timer_fires = 0; // times it fired
  uint64_t streams_cut = 0; // TCP connections ended: a message without end, or what sofia could not read (su_streams.h)
};

// One driver = one su_root = one instance; several may share an event_base. Loop thread only, from creation to the end:
// sofia binds a root to the thread that created it.
class SuDriver {
 public:
  enum class Mode : uint8_t {
    Auto,    // Port if the library at hand passes a self-test, else Nested with a warning in the log
    Port,    // su_root on a libevent su_port of our own: fast, needs the library's internal table
    Nested,  // sofia's own epoll fd inside libevent: public headers only, slower
  };

  // Runs on a driver and the private event_base it lives on; returns an empty text when all works, else what does not.
  using SelfTest = std::function<std::string(SuDriver&, event_base*)>;

  // base: not owned, outlives the driver. wd: may be null, outlives the driver. self_test: what Mode::Auto asks before it
  // chooses Port; empty: su_self_test (tests pass their own to see the fall-back). The self-test runs on an event_base of
  // its own and takes a few ms. Also installs the steady clock (sip/su_clock.h).
  // Errors: sip_failed (Mode::Port: the library's table is not one we know; Mode::Nested: no epoll fd; either: no root).
  static Result<std::unique_ptr<SuDriver>> create(event_base* base, Mode mode, Log& log, Watchdog* wd,
                                                  SelfTest self_test = {});

  // Destroys the root. Everything made on it (nta agents, timers, resolvers) must have been destroyed before. Messages
  // still queued are run in Port mode, and leak in Nested mode. Legal inside a callback of this driver: the root then goes
  // when that callback has returned. Not legal in a forked child: the sockets' events are the parent's (leak it there).
  virtual ~SuDriver() = default;
  SuDriver(const SuDriver&) = delete;
  SuDriver& operator=(const SuDriver&) = delete;

  virtual su_root_t* root() = 0;
  // The loop it runs on, and who watches its turns (may be null): for sockets of our own beside sofia's.
  virtual event_base* base() const = 0;
  virtual Watchdog* watchdog() const = 0;
  // Call it after any sofia call made from outside sofia's own callbacks (nta_agent_create, nta_outgoing_mcreate ...). It is
  // cheap, and does nothing in Port mode, where the port sees such calls by itself. (Sofia's deferrable timers, its
  // housekeeping, wait up to ten minutes for something else to wake the loop; su_root_set_max_defer(root(), ms) shortens that.)
  virtual void kick() = 0;
  // Runs what is due now: queued messages and timers, no sockets. For tests on a fake clock, which moves without waking
  // anybody. Never from inside a sofia callback.
  virtual void settle() = 0;
  virtual Mode mode() const = 0;  // Port or Nested
  virtual SuStats stats() const = 0;

 protected:
  SuDriver() = default;
};

// "auto", "port" or "nested" (setting sip_driver). false: another word.
bool su_driver_mode_from(const std::string& name, SuDriver::Mode& out);

// The behavioural self-test: one socket, one timer, one message through the driver's root, by turning `base` for at most a
// second. Empty text: all three came. `base` must be private to the driver.
std::string su_self_test(SuDriver& driver, event_base* base);

}  // namespace pua
