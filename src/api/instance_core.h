// InstanceCore: the adapters of one instance, wired; what happens when they want to run; the end. Behind api/instance.h.
//
//   host --publish--> Engine --mark--> WriteBehind --> StoreAdapter        one timer runs the engine,
//                       |  \--send--> SipStack --> SuDriver --> libevent   one the write-behind queue
//
// The host's callbacks run from the engine's timer, or inside one of its own calls; a Frame stands around each of these
// places, and an instance that was ended meanwhile is taken apart when the last Frame goes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/instance.h"
#include "base/entropy.h"
#include "core/engine.h"
#include "events/event_names.h"
#include "events/registry.h"
#include "loop/clock.h"
#include "loop/loop.h"
#include "sip/stack.h"
#include "sip/su_driver.h"
#include "store/adapter.h"
#include "store/write_behind.h"

namespace pua {

class InstanceCore : public std::enable_shared_from_this<InstanceCore> {
 public:
  explicit InstanceCore(Settings settings, Log::Sink sink);
  ~InstanceCore();
  InstanceCore(const InstanceCore&) = delete;
  InstanceCore& operator=(const InstanceCore&) = delete;

  // Opens and wires everything, begins to load. Errors: those of Instance::create.
  Status start(event_base* base);

  // Keeps the core alive and whole while something of it is on the stack.
  class Frame {
   public:
    explicit Frame(InstanceCore& core) : core_(core.shared_from_this()) { core_->frames_++; }
    ~Frame() { core_->leave(); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    std::shared_ptr<InstanceCore> core_;
  };

  Status publish(const PublishRequest&, PublishDone done);
  Status subscribe(const SubscribeRequest&, PublishDone done);
  Result<NotifyAnswer> notify_received(std::string_view message);
  NotifyAnswer notify_received(const NotifyRequest&);
  Status update_contact(std::string_view message);
  Stats stats() const;
  Measurements measurements() const;
  Status event_fits(int32_t flag, std::string_view name) const;
  void event_added(int32_t flag);
  void flush(std::function<void(bool)> done);
  Status reload(const Settings&, std::vector<std::string>& ignored);
  void shutdown(std::function<void(bool)> done);
  // The owner lets go: completes everything, and takes all apart now or as soon as nothing of it is on the stack.
  void destroy();

  Loop& loop() { return *loop_; }
  Log& log() { return log_; }
  Registry& events() { return events_; }
  Engine& engine() { return *engine_; }

 private:
  // Running -> Draining (shutdown: requests out get their answers) -> Closing (the others get 487) -> Flushing -> Stopped (nothing moves any more)
  // -> Ended (destroyed). Written by enter() only.
  enum class Phase : uint8_t { Running, Draining, Closing, Flushing, Stopped, Ended };
  struct Flush {
    MonoMs asked, deadline;
    std::function<void(bool)> done;
  };

  // The stack wants its sink before the engine is there, which wants the stack.
  struct Sinks : SipSink, NotifySink {
    Engine* to = nullptr;
    void on_unreadable(const NotifyRequest& n, const NotifyAnswer& a, MonoMs now) override {
      if (to) to->on_unreadable(n, a, now);
    }
    NotifyAnswer on_notify(const NotifyRequest& n, MonoMs now) override {
      return to ? to->on_notify(n, now) : NotifyAnswer{503, "Not ready yet", "Retry-After: 1\r\n"};
    }
    bool expects(std::string_view call_id) const override { return !to || to->expects(call_id); }
    void on_reply(TxnId txn, const SipReply& reply, MonoMs now) override {
      if (to) to->on_reply(txn, reply, now);
    }
  };

  void enter(Phase p) { phase_ = p; }
  void end();
  void leave();
  void take_apart();
  void run_engine();
  void run_store();
  void run_store_callback(const std::function<void()>& callback);
  void progress();            // what waits for the store or for quiet may have it now
  bool written() const;
  bool settled() const;
  void progress_flushes(MonoMs now);
  void progress_shutdown(MonoMs now);
  void arm_progress();
  void watch_clock(MonoMs now);
  void watch_log_level();
  Status load_event_names();
  void save_event_names();
  void watch_event_names();
  void save_clock();
  Status load_branch_key(SystemEntropy&, HashKey& key);
  void write_rest();

  Settings settings_;
  Log log_;
  Registry events_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<StoreAdapter> store_;
  std::unique_ptr<WriteBehind> writer_;
  std::unique_ptr<SuDriver> driver_;
  Sinks sinks_;
  std::unique_ptr<SipStack> sip_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Timer> engine_timer_, store_timer_, progress_timer_;
  std::unique_ptr<EpochClock> clock_;
  EventNames event_names_, saved_names_;
  bool names_watched_ = false;  // those of packages that are gone were let go
  MonoMs clock_watched_ = 0;
  LogLevel sip_level_;        // log level as the SIP stack knows it

  std::vector<Flush> flushes_;
  std::vector<std::function<void(bool)>> shutdown_done_;
  MonoMs drain_until_ = 0, shutdown_until_ = 0;
  Phase phase_ = Phase::Running;
  uint64_t notifies_unreadable_ = 0;   // of those that the host received
  int frames_ = 0;
  int in_log_ = 0;            // the host's log callback is on the stack
  bool end_wanted_ = false;   // destroyed inside that: end() comes when the stack is clear
};

}  // namespace pua
