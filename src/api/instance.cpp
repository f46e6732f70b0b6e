#include "api/instance.h"

#include "api/instance_core.h"

namespace pua {

namespace {

class Composed : public Instance {
 public:
  explicit Composed(std::shared_ptr<InstanceCore> core) : core_(std::move(core)) {}
  ~Composed() override { core_->destroy(); }

  Status check() const override { return core_->loop().check(); }
  event_base* base() override { return core_->loop().base(); }
  Status run() override {
    std::shared_ptr<InstanceCore> keep = core_;  // the loop logs until it returns, whatever happens inside
    return keep->loop().run();
  }
  void stop() override { core_->loop().stop(); }
  Log& log() override { return core_->log(); }
  Registry& events() override { return core_->events(); }
  Status event_fits(int32_t flag, std::string_view name) const override { return core_->event_fits(flag, name); }
  void event_added(int32_t flag) override { core_->event_added(flag); }

  Status publish(const PublishRequest& request, PublishDone done) override {
    return core_->publish(request, std::move(done));
  }
  Status subscribe(const SubscribeRequest& request, PublishDone done) override {
    return core_->subscribe(request, std::move(done));
  }
  Result<NotifyAnswer> notify_received(std::string_view message) override { return core_->notify_received(message); }
  NotifyAnswer notify_received(const NotifyRequest& request) override { return core_->notify_received(request); }
  Status update_contact(const DialogQuery& dialog, std::string_view contact) override {
    return core_->engine().update_contact(dialog, contact, core_->loop().now());
  }
  Status update_contact(std::string_view message) override { return core_->update_contact(message); }
  DialogFound find_dialog(const DialogQuery& dialog, std::string* id) override {
    return core_->engine().find_dialog(dialog, id);
  }
  void subscriptions_of(std::string_view prefix, const std::function<void(const RecordView&)>& fn) override {
    core_->engine().subscriptions_of(prefix, fn, core_->loop().now());
  }
  int observe_notifies(int32_t mask, NotifyObserver fn) override {
    return core_->engine().observe_notifies(mask, std::move(fn));
  }
  void observe_unsolicited(int32_t mask, UnsolicitedObserver fn) override { core_->engine().observe_unsolicited(mask, std::move(fn)); }
  void forget_observer(int handle) override { core_->engine().forget_observer(handle); }

  void observe(int32_t mask, Observer fn) override { core_->engine().observe(mask, std::move(fn)); }
  ListPage list(const ListFilter& filter, uint64_t cursor, uint32_t limit,
                const std::function<void(const RecordView&)>& show_one) override {
    return core_->engine().list(filter, cursor, limit, show_one, core_->loop().now());
  }
  Status show(std::string_view pres_uri, int32_t event, int32_t source,
              const std::function<void(const RecordView&)>& fn) override {
    return core_->engine().show(pres_uri, event, source, fn, core_->loop().now());
  }
  Stats stats() const override { return core_->stats(); }
  Measurements measurements() const override { return core_->measurements(); }
  Watchdog* watchdog() override { return &core_->loop().watchdog(); }
  void flush(std::function<void(bool)> done) override { core_->flush(std::move(done)); }
  Status reload(const Settings& fresh, std::vector<std::string>& ignored) override { return core_->reload(fresh, ignored); }
  void shutdown(std::function<void(bool)> done) override { core_->shutdown(std::move(done)); }
  bool post(std::function<void()> fn) override { return core_->loop().post(std::move(fn)); }

 private:
  std::shared_ptr<InstanceCore> core_;
};

}  // namespace

Result<std::unique_ptr<Instance>> Instance::create(const Settings& settings, event_base* base, Log::Sink sink) {
  auto core = std::make_shared<InstanceCore>(settings, std::move(sink));
  if (Status s = core->start(base); !s) return s.error();
  return std::unique_ptr<Instance>(std::make_unique<Composed>(std::move(core)));
}

}  // namespace pua
