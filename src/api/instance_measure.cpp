// Instance: what the rooms count and time, collected.
#include "api/instance.h"

namespace pua {

Measurements Instance::measurements() const {
  Measurements m;
  m.sip = engine_->measures();
  auto publications = engine_->publications_by_state();
  m.publications.assign(publications.begin(), publications.end());
  auto subscriptions = engine_->subscriptions_by_state();
  m.subscriptions.assign(subscriptions.begin(), subscriptions.end());
  m.writes = writer_->writes();
  m.store_up = !writer_->stats(loop_->now()).down;
  const Watchdog& dog = loop_->watchdog();
  m.callbacks = dog.times();
  m.longest_callback_us = dog.report().max_ns / 1000;
  m.slow_callbacks = dog.slow_by_name();
  if (sip_) m.stack = sip_->counters();
  return m;
}

}  // namespace pua
