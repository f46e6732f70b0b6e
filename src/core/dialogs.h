// Dialogs: finds subscriptions by the Call-ID of their dialogs, and by the id that their owners gave them. Neither index ever
// stalls to grow.
#pragma once

#include <functional>
#include <set>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/hash_index.h"
#include "core/subscription_record.h"

namespace pua {

class Dialogs {
 public:
  explicit Dialogs(HashKey key) : key_(key) {}

  // Adds it under the Call-ID that it has now. It must not be there yet.
  void add(SubscriptionRecord& s) { calls_.add(s, hash(s.call_id())); }
  void remove(SubscriptionRecord& s) { calls_.remove(s); }   // no effect if it is not there
  // The subscription with this Call-ID and local tag; nullptr: there is none.
  SubscriptionRecord* find(std::string_view call_id, std::string_view local_tag) const;
  // The only subscription with this Call-ID; nullptr: there is none, or more than one.
  SubscriptionRecord* only(std::string_view call_id) const;
  // Whether a subscription may have this Call-ID: its hash is in the index. Cheap.
  bool expects(std::string_view call_id) const { return calls_.first(hash(call_id)) != nullptr; }
  void of_call(std::string_view call_id, const std::function<void(const SubscriptionRecord&)>& fn) const;

  // Adds it under its owner's id, if it has one.
  void add_id(SubscriptionRecord& s) {
    if (!s.text.get(SubscriptionRecord::kId).empty()) ids_.insert(&s);
  }
  void remove_id(SubscriptionRecord& s) { ids_.erase(&s); }
  void of_id(std::string_view prefix, const std::function<void(const SubscriptionRecord&)>& fn) const {
    for (auto at = ids_.lower_bound(prefix); at != ids_.end() && ById::id(*at).starts_with(prefix); ++at) fn(**at);
  }

 private:
  struct ById {
    using is_transparent = void;
    bool operator()(const SubscriptionRecord* a, const SubscriptionRecord* b) const {
      return std::pair(id(a), a) < std::pair(id(b), b);
    }
    bool operator()(const SubscriptionRecord* a, std::string_view b) const { return id(a) < b; }
    bool operator()(std::string_view a, const SubscriptionRecord* b) const { return a < id(b); }
    static std::string_view id(const SubscriptionRecord* s) { return s->text.get(SubscriptionRecord::kId); }
  };
  uint64_t hash(std::string_view call_id) const { return SipHash(key_).add(call_id).finish(); }

  HashKey key_;
  HashIndex<SubscriptionRecord> calls_;
  std::set<SubscriptionRecord*, ById> ids_;
};

}  // namespace pua
