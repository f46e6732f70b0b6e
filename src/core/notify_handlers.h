// Handlers of NOTIFYs, and the NOTIFYs that wait for them. Handlers are called by run(), for a few NOTIFYs at a time, in the
// order in which these came, and never inside the call that took a NOTIFY.
#pragma once

#include <algorithm>
#include <deque>
#include <utility>

#include "core/notifications.h"
#include "core/unsolicited.h"

namespace pua {

class NotifyHandlers {
 public:
  // The handle is for forget().
  int observe(int32_t source_mask, NotifyObserver fn) {
    handlers_.push_back({next_, source_mask, std::move(fn)});
    return next_++;
  }
  void forget(int handle);
  bool wanted(int32_t source) const {
    return std::any_of(handlers_.begin(), handlers_.end(), [&](const Handler& h) { return (h.mask & source) != 0; });
  }
  bool busy() const { return !notifications.empty() || !unsolicited.empty(); }
  // Shows a few NOTIFYs of each kind to their handlers. over(): a handler has ended the instance.
  void run(const std::function<bool()>& over);

  Notifications notifications;   // of subscriptions
  Unsolicited unsolicited;       // of no subscription

 private:
  static constexpr int kPerRun = 8;
  struct Handler {
    int handle = 0;
    int32_t mask = 0;
    NotifyObserver fn;
  };
  void clean() { std::erase_if(handlers_, [](const Handler& h) { return h.mask == 0; }); }

  std::deque<Handler> handlers_;
  int next_ = 1;
  bool running_ = false;
};

}  // namespace pua
