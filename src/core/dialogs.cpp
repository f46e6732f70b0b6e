#include "core/dialogs.h"

namespace pua {

void Dialogs::remove(SubscriptionRecord& s) {
  if (!s.dialog_hash) return;
  for (auto [at, end] = calls_.equal_range(s.dialog_hash); at != end; ++at) {
    if (at->second != &s) continue;
    calls_.erase(at);
    break;
  }
  s.dialog_hash = 0;
}

SubscriptionRecord* Dialogs::find(std::string_view call_id, std::string_view local_tag) const {
  if (call_id.empty()) return nullptr;
  for (auto [at, end] = calls_.equal_range(hash(call_id)); at != end; ++at) {
    SubscriptionRecord& s = *at->second;
    if (s.call_id() == call_id && s.text.get(SubscriptionRecord::kLocalTag) == local_tag) return &s;
  }
  return nullptr;
}

SubscriptionRecord* Dialogs::only(std::string_view call_id) const {
  SubscriptionRecord* found = nullptr;
  for (auto [at, end] = calls_.equal_range(hash(call_id)); at != end; ++at) {
    if (at->second->call_id() != call_id) continue;
    if (found) return nullptr;
    found = at->second;
  }
  return found;
}

void Dialogs::of_call(std::string_view call_id, const std::function<void(const SubscriptionRecord&)>& fn) const {
  for (auto [at, end] = calls_.equal_range(hash(call_id)); at != end; ++at)
    if (at->second->call_id() == call_id) fn(*at->second);
}

}  // namespace pua
