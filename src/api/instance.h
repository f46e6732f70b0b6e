// Instance: one PUA, composed: the adapters wired to the engine, the timers that run them, and the end of all that. The C ABI
// (api/c_*.cpp) is a thin layer over it, the control interface asks it through api/service.h. Loop thread only.
//
//   host --publish--> Engine --mark--> WriteBehind --> StoreAdapter        one timer runs the engine,
//                       |  \--send--> SipStack --> SuDriver --> libevent   one the write-behind queue
//
// Nothing stands between: what comes in goes to the engine from publish(), subscribe() and notify_received() here, from the SIP
// stack (on_reply, on_notify) and from the write-behind queue (on_stored, on_page). What only looks at the engine uses
// engine().
//
// The host's callbacks run from the engine's timer, or inside one of its own calls; a Frame stands around each of these
// places, and an instance that was ended meanwhile is taken apart when the last Frame goes.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/service.h"
#include "base/entropy.h"
#include "config/settings.h"
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

class Instance final : public Service, public std::enable_shared_from_this<Instance> {
 public:
  // The owner lets go: completes what is open with status 487 "shutdown", and takes everything apart, now or as soon as nothing
  // of it is on the stack. Legal inside a callback. Nothing of the host is called afterwards, but for the completions where
  // this is inside the log's callback.
  struct End {
    void operator()(Instance* i) const { i->destroy(); }
  };
  using Owner = std::unique_ptr<Instance, End>;

  // Opens and wires everything, begins to load. base: the host's loop, or nullptr to make one (see base()).
  // Errors: bad_config, store_failed, sip_failed, no_memory.
  static Result<Owner> create(const Settings&, event_base* base, Log::Sink sink);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Keeps the instance alive and whole while something of it is on the stack.
  class Frame {
   public:
    explicit Frame(Instance& i) : instance_(i.shared_from_this()) { instance_->frames_++; }
    ~Frame() { instance_->leave(); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    std::shared_ptr<Instance> instance_;
  };

  // Whether the caller stands in the instance's thread and process. Errors: after_fork, wrong_thread.
  Status check() const { return loop_->check(); }
  // Turns the loop until stop() or the end of the instance. Errors: as check(); generic: inside a callback, or libevent
  // refused.
  Status run();
  void stop() { loop_->stop(); }
  // From any thread: run fn on the loop. false: shutting down.
  bool post(std::function<void()> fn) { return loop_->post(std::move(fn)); }
  MonoMs now() const { return loop_->now(); }

  Registry& events() { return events_; }
  // Whether the table has another package under this bit, or this one under another. Errors: bad_argument.
  Status event_fits(int32_t flag, std::string_view name) const;
  // An event package was registered: notes its name, and loads its rows, which were left in the database so far.
  void event_added(int32_t flag);
  // For observers, and looks at what is there. Requests go by publish() and subscribe().
  Engine& engine() { return *engine_; }

  // --- Service
  event_base* base() override { return loop_->base(); }
  Watchdog* watchdog() override { return &loop_->watchdog(); }
  Log& log() override { return log_; }
  Status publish(const PublishRequest&, RequestDone done) override;
  Status subscribe(const SubscribeRequest&, RequestDone done) override;
  int observe_notifies(int32_t source_mask, NotifyObserver fn) override {
    return engine_->observe_notifies(source_mask, std::move(fn));
  }
  void forget_observer(int handle) override { engine_->forget_observer(handle); }
  ListPage list(const ListFilter& filter, uint64_t cursor, uint32_t limit,
                const std::function<void(const RecordView&)>& fn) override {
    return engine_->list(filter, cursor, limit, fn, now());
  }
  Status show(std::string_view pres_uri, int32_t event, int32_t source,
              const std::function<void(const RecordView&)>& fn) override {
    return engine_->show(pres_uri, event, source, fn, now());
  }
  Stats stats() const override;
  Measurements measurements() const override;
  void flush(std::function<void(bool ok)> done) override;

  // A NOTIFY that the host's own socket received, as octets from the request line on, or parsed. The answer is what the
  // host sends back. Errors of the first: bad_argument, it is not a NOTIFY request that can be read.
  Result<NotifyAnswer> notify_received(std::string_view message);
  NotifyAnswer notify_received(const NotifyRequest&);
  // Takes over the Contact of a request that came within a dialog (target refresh). Errors: not_found, bad_uri.
  Status update_contact(std::string_view message);

  // Takes over those settings that can change in a running instance; names of the others go to `ignored`.
  Status reload(const Settings&, std::vector<std::string>& ignored);
  // Stops taking requests, un-publishes if so configured, completes what is open, flushes; done once, later, within
  // shutdown_timeout. ok = false: not everything could be written, or the instance was freed before.
  // While it is under way a second call only waits for the same end.
  void shutdown(std::function<void(bool ok)> done);

 private:
  Instance(Settings settings, Log::Sink sink);

  // Running -> Draining (shutdown: requests that are out get their answers) -> Closing (the others get 487) -> Flushing
  // -> Stopped (nothing moves any more) -> Ended (destroyed). Written by enter() only.
  enum class Phase : uint8_t { Running, Draining, Closing, Flushing, Stopped, Ended };
  struct Flush {
    MonoMs asked, deadline;
    MonoMs marked;            // rows that were marked until then must be written
    bool waits = false;       // for requests from before it was asked for, which are marked only when they go on
    std::function<void(bool)> done;
  };
  struct Over {
    std::function<void(bool)> done;
    bool ok;
  };

  void enter(Phase p) { phase_ = p; }
  Status start(event_base* base);
  void destroy();
  void end();
  void leave();
  void take_apart();
  void run_engine();
  void run_store();
  void run_store_callback(const std::function<void()>& callback);
  void progress();            // what waits for the store or for quiet may have it now
  bool written() const;
  bool settled() const;
  uint64_t unwritten() const;
  void progress_flushes(MonoMs now);
  void call_over();
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

  std::shared_ptr<Instance> self_;   // until its owner lets go
  Settings settings_;
  Log log_;
  Registry events_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<StoreAdapter> store_;
  std::unique_ptr<WriteBehind> writer_;
  std::unique_ptr<SuDriver> driver_;
  std::unique_ptr<SipStack> sip_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Timer> engine_timer_, store_timer_, progress_timer_;
  std::unique_ptr<EpochClock> clock_;
  EventNames event_names_, saved_names_;
  bool names_watched_ = false;  // names of packages that nobody registers any more were looked for, and forgotten
  MonoMs clock_watched_ = 0;
  LogLevel sip_level_;        // log level as the SIP stack knows it

  std::vector<Flush> flushes_;
  std::vector<std::function<void(bool)>> shutdown_done_;
  std::deque<Over> over_;     // flushes and shutdowns that are over, and whose callers are still to be told
  MonoMs drain_until_ = 0, shutdown_until_ = 0;
  Phase phase_ = Phase::Running;
  uint64_t notifies_unreadable_ = 0;   // of those that the host received
  int frames_ = 0;
  int in_log_ = 0;            // the host's log callback is on the stack
  bool log_over_ = false;     // its owner has let go: the host's log callback is not called any more
  bool end_wanted_ = false;   // destroyed inside the log callback: end() runs when that has returned
};

}  // namespace pua
