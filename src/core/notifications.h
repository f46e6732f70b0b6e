// Notifications: NOTIFYs that were taken and wait for their handlers. A bounded queue whose memory is used again: a NOTIFY
// costs one copy of what its handlers will be shown, and no allocation once the queue has been as long as it is.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/notify_fields.h"
#include "core/notify_port.h"
#include "core/snapshot.h"

namespace pua {

struct Notification {
  Snapshot seen;  // the subscription as it was, and room for the texts below
  std::string_view state, reason, content_type, body, headers;
  int64_t expires = -1, retry_after = -1;
  bool gap = false;
  BadDocument bad = BadDocument::No;

  NotifyView view() const { return {seen.view, state, reason, expires, retry_after, content_type, body, gap, headers, bad}; }
};

class Notifications {
 public:
  static constexpr size_t kMax = 10000;
  static constexpr size_t kSpare = 64;        // that wait to be used again,
  static constexpr size_t kSpareRoom = 4096;  // with no more octets than this each

  bool empty() const { return queue_.empty(); }
  bool full() const { return queue_.size() >= kMax; }
  size_t spare() const { return spare_.size(); }

  // Everything is copied. The document is there once where the record shows the same one as its last.
  void push(const RecordView& record, const NotifyRequest& n, bool gap, BadDocument bad) {
    std::unique_ptr<Notification> out = spare_.empty() ? std::make_unique<Notification>() : std::move(spare_.back());
    if (!spare_.empty()) spare_.pop_back();
    out->state = n.state;
    out->reason = n.reason;
    out->content_type = n.content_type;
    out->body = n.body;
    out->headers = n.unfolded ? n.headers : unfolded_block(n.headers, unfolded_);
    out->expires = n.expires;
    out->retry_after = n.retry_after;
    out->gap = gap;
    out->bad = bad;
    RecordView v = record;
    const bool same = !n.body.empty() && v.notify_body == n.body;
    if (same) v.notify_body = {};
    out->seen.take(v, {&out->state, &out->reason, &out->content_type, &out->body, &out->headers});
    if (same) out->seen.view.notify_body = out->body;
    queue_.push_back(std::move(out));
  }

  // The one that came first. There must be one.
  std::unique_ptr<Notification> pop() {
    std::unique_ptr<Notification> first = std::move(queue_.front());
    queue_.pop_front();
    return first;
  }

  // Its handlers have seen it: its memory may be used again.
  void done(std::unique_ptr<Notification> n) {
    if (spare_.size() < kSpare && n->seen.room() <= kSpareRoom) spare_.push_back(std::move(n));
  }

 private:
  std::string unfolded_;                      // of the one that comes
  std::deque<std::unique_ptr<Notification>> queue_;
  std::vector<std::unique_ptr<Notification>> spare_;
};

}  // namespace pua
