#include "sip/su_driver.h"

#include <event2/event.h>

#include "base/log.h"
#include "sip/sofia_log.h"
#include "sip/su_clock.h"
#include "sip/su_core.h"

namespace pua {

namespace {

// Timers that sofia calls deferrable (nua's housekeeping under NUTAG_DEFERRABLE_TIMERS(1), idle connections) run with
// whatever else wakes the loop, at the latest after this: an idle instance sleeps.
constexpr su_duration_t kMaxDeferMs = 600000;

class Driver final : public SuDriver {
 public:
  explicit Driver(SuCore* core) : core_(core) {}
  ~Driver() override { core_->release(); }
  su_root_t* root() override { return core_->root(); }
  event_base* base() const override { return core_->base(); }
  Watchdog* watchdog() const override { return core_->watchdog(); }
  void kick() override {
    if (core_->mode() == Mode::Nested) core_->schedule();
  }
  void settle() override { core_->settle(); }
  Mode mode() const override { return core_->mode(); }
  SuStats stats() const override { return core_->stats(); }

 private:
  SuCore* core_;  // released, not deleted: it may be in the middle of a turn
};

std::unique_ptr<SuDriver> make(SuDriver::Mode mode, event_base* base, Watchdog* wd, std::string& why) {
  SuCore* core = mode == SuDriver::Mode::Port ? make_port_core(base, wd, why) : make_nested_core(base, wd, why);
  if (!core) return nullptr;
  su_root_threading(core->root(), 0);  // nua's stack stays in this thread
  su_root_set_max_defer(core->root(), kMaxDeferMs);
  return std::make_unique<Driver>(core);
}

// Tries Port mode on a base of its own. Empty: it works.
std::string try_port(const SuDriver::SelfTest& self_test) {
  event_base* base = event_base_new();
  if (!base) return "no event base for the self-test";
  std::string why;
  if (auto driver = make(SuDriver::Mode::Port, base, nullptr, why)) why = self_test(*driver, base);
  event_base_free(base);
  return why;
}

}  // namespace

bool su_driver_mode_from(const std::string& name, SuDriver::Mode& out) {
  if (name == "auto") {
    out = SuDriver::Mode::Auto;
  } else if (name == "port") {
    out = SuDriver::Mode::Port;
  } else if (name == "nested") {
    out = SuDriver::Mode::Nested;
  } else {
    return false;
  }
  return true;
}

Result<std::unique_ptr<SuDriver>> SuDriver::create(event_base* base, Mode mode, Log& log, Watchdog* wd,
                                                   SelfTest self_test) {
  su_clock_install();
  sofia_log_install();
  if (mode == Mode::Auto) {
    std::string why = try_port(self_test ? self_test : SelfTest(su_self_test));
    mode = why.empty() ? Mode::Port : Mode::Nested;
    if (!why.empty()) {
      log.warning("sip: sofia-sip's reactor does not fit into the loop (%s): using its own, which is slower",
                  why.c_str());
    }
  }
  std::string why;
  std::unique_ptr<SuDriver> driver = make(mode, base, wd, why);
  if (!driver) return {Errc::sip_failed, "sofia-sip's reactor cannot be driven: " + why};
  log.debug("sip: sofia-sip's reactor runs in %s mode", mode == Mode::Port ? "port" : "nested");
  return driver;
}

}  // namespace pua
