// Unsolicited NOTIFYs: NOTIFYs that belong to no subscription, as voice mail servers send them to a line (RFC 3842 section 2;
// RFC 6665 has none). They are taken where an observer wants them, and wait here for it. The queue is bounded, because anybody
// can send them.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/notify_fields.h"
#include "core/notify_port.h"
#include "core/types.h"

namespace pua {

// Views are valid during the call. What the NOTIFY did not say is empty.
struct UnsolicitedView {
  int32_t event = 0;                        // its bit
  std::string_view event_name, event_id;
  std::string_view to_uri, from_uri;        // of To and From
  std::string_view state;                   // of Subscription-State
  std::string_view content_type, body, headers;
  BadDocument bad = BadDocument::No;        // as in NotifyView
};
using UnsolicitedObserver = std::function<void(const UnsolicitedView&)>;

class Unsolicited {
 public:
  static constexpr size_t kMax = 1000;      // no more NOTIFYs wait,
  static constexpr size_t kMaxOctets = 4u << 20;   // nor more octets of them

  void observe(int32_t event_mask, UnsolicitedObserver fn) { observers_.emplace_back(event_mask, std::move(fn)); }
  bool wanted(int32_t event) const {
    return std::any_of(observers_.begin(), observers_.end(), [event](auto& o) { return (o.first & event) != 0; });
  }
  bool empty() const { return queue_.empty(); }
  bool full() const { return queue_.size() >= kMax || octets_ >= kMaxOctets; }

  void push(const UnsolicitedView& v) {
    Kept k{v, {}};
    std::string unfolded;
    k.view.headers = unfolded_block(k.view.headers, unfolded);
    size_t octets = 0;
    for (std::string_view UnsolicitedView::*t : kTexts) octets += (k.view.*t).size();
    k.text.reserve(octets);   // the views point into this block, which stays in place when the vector is moved
    for (std::string_view UnsolicitedView::*t : kTexts) {
      std::string_view& view = k.view.*t;
      size_t at = k.text.size();
      k.text.insert(k.text.end(), view.begin(), view.end());
      view = std::string_view(k.text.data() + at, view.size());
    }
    octets_ += octets;
    queue_.push_back(std::move(k));
  }

  // Shows the NOTIFY that came first to the observers of its event, and removes it; there must be one. over(): an observer has
  // ended the instance.
  void show_one(const std::function<bool()>& over) {
    Kept k = std::move(queue_.front());
    queue_.pop_front();
    octets_ -= std::min(octets_, k.text.size());
    for (size_t i = 0; i < observers_.size() && !over(); i++)
      if (observers_[i].first & k.view.event) observers_[i].second(k.view);
  }

 private:
  struct Kept {
    UnsolicitedView view;
    std::vector<char> text;
  };
  static constexpr std::string_view UnsolicitedView::*kTexts[] = {
      &UnsolicitedView::event_name, &UnsolicitedView::event_id, &UnsolicitedView::to_uri, &UnsolicitedView::from_uri,
      &UnsolicitedView::state, &UnsolicitedView::content_type, &UnsolicitedView::body, &UnsolicitedView::headers};

  std::deque<std::pair<int32_t, UnsolicitedObserver>> observers_;   // a deque: an observer may add another one while it runs
  std::deque<Kept> queue_;
  size_t octets_ = 0;
};

}  // namespace pua
