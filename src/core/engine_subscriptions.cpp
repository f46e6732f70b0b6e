// Engine: the way to subscriptions.
#include "core/engine.h"

namespace pua {

Status Engine::subscribe(const SubscribeRequest& q, PublishDone done, MonoMs now) {
  Status s = subs_.subscribe(q, std::move(done), now);
  announce();
  return s;
}

void Engine::on_unreadable(const NotifyRequest& n, const NotifyAnswer& answer, MonoMs now) {
  subs_.on_unreadable(n, answer, now);
  announce();
}

NotifyAnswer Engine::on_notify(const NotifyRequest& n, MonoMs now) {
  NotifyAnswer a = subs_.on_notify(n, now);
  announce();
  return a;
}

bool Engine::expects(std::string_view call_id) const { return subs_.expects(call_id); }

Status Engine::update_contact(const DialogQuery& q, std::string_view contact, MonoMs now) {
  return subs_.update_contact(q, contact, now);
}

DialogFound Engine::find_dialog(const DialogQuery& q, std::string* id) const { return subs_.find_dialog(q, id); }

void Engine::subscriptions_of(std::string_view prefix, const std::function<void(const RecordView&)>& fn, MonoMs now) const {
  subs_.of_id(prefix, fn, now);
}

int Engine::observe_notifies(int32_t source_mask, NotifyObserver fn) { return subs_.observe(source_mask, std::move(fn)); }

void Engine::observe_unsolicited(int32_t event_mask, UnsolicitedObserver fn) { subs_.observe_unsolicited(event_mask, std::move(fn)); }

void Engine::forget_observer(int handle) { subs_.forget(handle); }

}  // namespace pua
