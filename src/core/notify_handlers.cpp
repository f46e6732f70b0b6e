#include "core/notify_handlers.h"

namespace pua {

// While handlers run, the entry is only marked (mask 0) and its function kept, because it may be the one that is running.
void NotifyHandlers::forget(int handle) {
  for (Handler& h : handlers_) {
    if (h.handle != handle) continue;
    h.mask = 0;
    if (!running_) h.fn = nullptr;
  }
  if (!running_) clean();
}

void NotifyHandlers::run(const std::function<bool()>& over) {
  if (running_) return;
  running_ = true;
  for (int i = 0; i < kPerRun && !notifications.empty() && !over(); i++) {
    std::unique_ptr<Notification> n = notifications.pop();
    NotifyView v = n->view();
    for (size_t h = 0; h < handlers_.size() && !over(); h++)
      if (handlers_[h].mask & v.record.source) handlers_[h].fn(v);
    notifications.done(std::move(n));
  }
  for (int i = 0; i < kPerRun && !unsolicited.empty() && !over(); i++) unsolicited.show_one(over);
  running_ = false;
  clean();
}

}  // namespace pua
