// Engine: subscriptions.
#include "core/engine.h"

namespace pua {

Status Engine::subscribe(const SubscribeRequest&, PublishDone, MonoMs) { return {Errc::not_supported, "subscriptions"}; }
NotifyAnswer Engine::on_notify(const NotifyRequest&, MonoMs) { return {481, "Subscription Does Not Exist", ""}; }
Status Engine::update_contact(const DialogQuery&, std::string_view, MonoMs) { return {Errc::not_found, "no such dialog"}; }
DialogFound Engine::find_dialog(const DialogQuery&, std::string*) const { return DialogFound::No; }
void Engine::subscriptions_of(std::string_view, const std::function<void(const RecordView&)>&, MonoMs) const {}
int Engine::observe_notifies(int32_t, NotifyObserver) { return 0; }
void Engine::forget_observer(int) {}

}  // namespace pua
