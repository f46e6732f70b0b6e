#include "core/dialogs.h"

namespace pua {

using Calls = HashIndex<SubscriptionRecord>;

SubscriptionRecord* Dialogs::find(std::string_view call_id, std::string_view local_tag) const {
  if (call_id.empty()) return nullptr;
  for (SubscriptionRecord* s = calls_.first(hash(call_id)); s; s = Calls::next(*s))
    if (s->call_id() == call_id && s->text.get(SubscriptionRecord::kLocalTag) == local_tag) return s;
  return nullptr;
}

SubscriptionRecord* Dialogs::only(std::string_view call_id) const {
  SubscriptionRecord* found = nullptr;
  for (SubscriptionRecord* s = calls_.first(hash(call_id)); s; s = Calls::next(*s)) {
    if (s->call_id() != call_id) continue;
    if (found) return nullptr;
    found = s;
  }
  return found;
}

void Dialogs::of_call(std::string_view call_id, const std::function<void(const SubscriptionRecord&)>& fn) const {
  for (SubscriptionRecord* s = calls_.first(hash(call_id)); s; s = Calls::next(*s))
    if (s->call_id() == call_id) fn(*s);
}

}  // namespace pua
