// Kept documents: the document of the last NOTIFY, for lists and views. Only the subscriptions whose NOTIFYs came last have
// one: the documents are not part of the subscriptions, and their number is bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/list.h"

namespace pua {

struct KeptDocument : ListHook {
  KeptDocument** owner = nullptr;    // the subscription's pointer to this
  std::string reason, content_type, body;
};

class KeptDocuments {
 public:
  explicit KeptDocuments(size_t max) : max_(max) {}
  ~KeptDocuments() {                 // the subscriptions may be gone already
    while (KeptDocument* d = all_.pop_front()) delete d;
  }
  KeptDocuments(const KeptDocuments&) = delete;
  KeptDocuments& operator=(const KeptDocuments&) = delete;

  // Keeps what a NOTIFY has brought. at: the subscription's pointer to it, null at first. If there are too many, the one whose
  // NOTIFY came longest ago is dropped.
  void keep(KeptDocument*& at, std::string_view reason, std::string_view content_type, std::string_view body) {
    if (max_ == 0) return;
    if (at) {
      List<KeptDocument>::erase(*at);
      size_--;
    } else {
      at = size_ == max_ ? take_oldest() : new KeptDocument;
      at->owner = &at;
    }
    all_.push_back(*at);
    size_++;
    at->reason = reason;
    if (!body.empty()) {
      at->content_type = content_type;
      at->body = body;
    }
  }

  void drop(KeptDocument*& at) {
    if (!at) return;
    std::unique_ptr<KeptDocument> gone(std::exchange(at, nullptr));
    List<KeptDocument>::erase(*gone);
    size_--;
  }

 private:
  // Takes the oldest one away from its subscription, to be used again for another.
  KeptDocument* take_oldest() {
    KeptDocument* d = all_.pop_front();
    *d->owner = nullptr;
    size_--;
    d->content_type.clear();
    d->body.clear();
    return d;
  }

  size_t max_, size_ = 0;
  List<KeptDocument> all_;           // in the order of their last NOTIFYs, the oldest first
};

}  // namespace pua
