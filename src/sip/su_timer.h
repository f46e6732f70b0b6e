// SuTimer: one deadline on sofia's clock. It may be set, stopped and destroyed in its own callback.
#pragma once

#include <sofia-sip/su_wait.h>

#include <algorithm>
#include <cstdint>

#include "sip/su_driver.h"

namespace pua {

class SuTimer {
 public:
  using Fn = void (*)(void*);
  SuTimer(SuDriver& driver, Fn fn, void* arg) : timer_(su_timer_create(su_root_task(driver.root()), 0)), fn_(fn), arg_(arg) {}
  ~SuTimer() {
    if (timer_) su_timer_destroy(timer_);
  }
  SuTimer(const SuTimer&) = delete;
  SuTimer& operator=(const SuTimer&) = delete;

  // Fires once, in ms (1 at least); replaces an earlier deadline. Outside sofia's callbacks the driver has to be kicked.
  void arm(int64_t ms) {
    if (timer_) su_timer_set_interval(timer_, fire, this, static_cast<su_duration_t>(std::max<int64_t>(ms, 1)));
  }
  void stop() {
    if (timer_) su_timer_reset(timer_);
  }

 private:
  static void fire(su_root_magic_t*, su_timer_t*, su_timer_arg_t* self) {
    auto* t = static_cast<SuTimer*>(self);
    t->fn_(t->arg_);  // the last look at it
  }
  su_timer_t* timer_;
  Fn fn_;
  void* arg_;
};

}  // namespace pua
