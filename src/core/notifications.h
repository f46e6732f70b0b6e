// Notifications: NOTIFYs that were taken and wait for their handlers. A bounded queue whose memory is used again: each NOTIFY
// is copied once, and no memory is allocated for it as long as elements of the queue are spare.
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
  static constexpr size_t kSpare = 64;        // no more elements are kept to be used again,
  static constexpr size_t kSpareRoom = 4096;  // and none with more octets than this

  bool empty() const { return queue_.empty(); }
  bool full() const { return queue_.size() >= kMax; }
  size_t spare() const { return spare_.size(); }

  // Copies everything. The document is copied only once, though the record (notify_body) shows it too.
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

  // Takes out the one that came first. There must be one.
  std::unique_ptr<Notification> pop() {
    std::unique_ptr<Notification> first = std::move(queue_.front());
    queue_.pop_front();
    return first;
  }

  // Gives it back after its handlers have seen it: its memory may be used again.
  void done(std::unique_ptr<Notification> n) {
    if (spare_.size() < kSpare && n->seen.room() <= kSpareRoom) spare_.push_back(std::move(n));
  }

 private:
  std::string unfolded_;                      // header fields of the NOTIFY that is being pushed
  std::deque<std::unique_ptr<Notification>> queue_;
  std::vector<std::unique_ptr<Notification>> spare_;
};

}  // namespace pua
