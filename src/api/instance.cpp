// Instance: opening, the calls, what runs from the loop. Its end: instance_end.cpp.
#include "api/instance.h"

#include <algorithm>
#include <chrono>

#include "api/policy_settings.h"
#include "base/tidy_heap.h"
#include "config/checks.h"
#include "config/reload.h"
#include "sip/notify_parse.h"
#include "store/open.h"

namespace pua {

namespace {

using std::chrono::steady_clock;

// Time and requests of one turn of the engine. After it the requests leave, and the sockets are read, at most 32 replies at a
// time: if a turn sent more requests than that, ever more of them would be out.
constexpr auto kEngineTurn = std::chrono::microseconds(500);
constexpr int kEngineSteps = 32;
constexpr const char* kClockMeta = "clock";  // name of the clock's state in the store
constexpr const char* kBranchMeta = "branch";  // and of the key of Via branches
constexpr const char* kEventsMeta = "events";  // and of what the bits of event packages stand for
constexpr int32_t kLastBuiltIn = 256;         // the highest bit of a package that is always there
constexpr MonoMs kClockWatch = 10000;        // ms between two looks at the wall clock, while there is something to do

}  // namespace

Instance::Instance(Settings settings, Log::Sink sink)
    : settings_(std::move(settings)), log_([this, sink = std::move(sink)](LogLevel level, std::string_view line) {
        if (!sink || log_over_) return;
        in_log_++;
        sink(level, line);
        in_log_--;
      }), sip_level_(log_.level()) {}

Instance::~Instance() = default;

Result<Instance::Owner> Instance::create(const Settings& settings, event_base* base, Log::Sink sink) {
  std::shared_ptr<Instance> made(new Instance(settings, std::move(sink)));
  if (Status s = made->start(base); !s) return s.error();
  made->self_ = made;
  return Owner(made.get());
}

Status Instance::start(event_base* base) {
  // What the table says of event bits is known once it is open; before that, everything else that can be wrong is told.
  if (Status s = check_settings(settings_); !s) return s;
  SuDriver::Mode mode;
  if (!su_driver_mode_from(settings_.sip_driver, mode))
    return {Errc::bad_config, "parameter \"sip_driver\" is not auto, port or nested"};

  auto loop = Loop::create(base, log_, settings_.loop_slow);
  if (!loop) return loop.error();
  loop_ = std::move(*loop);
  StoreLoop store_loop{loop_->base(), &loop_->watchdog(), [loop = loop_.get()] { return loop->now(); },
                       [this](const std::function<void()>& callback) { run_store_callback(callback); }};
  auto store = open_store(store_settings(settings_), std::move(store_loop), log_);
  if (!store) return store.error();
  store_ = std::move(*store);
  if (Status s = load_event_names(); !s) return s;
  Result<EngineSettings> policy = engine_settings(settings_, events_);
  if (!policy) return policy.error();
  Result<std::string> saved = store_->get_meta(kClockMeta);
  if (!saved) return saved.error();
  Result<SystemEntropy> system = SystemEntropy::open();
  if (!system) return system.error();
  auto entropy = std::make_shared<SystemEntropy>(std::move(*system));
  HashKey branch_key;
  if (Status s = load_branch_key(*entropy, branch_key); !s) return s;
  MonoMs now = loop_->now();
  clock_ = std::make_unique<EpochClock>(EpochClock::decode(*saved), boot_id(), now, wall_ms());

  engine_timer_ = std::make_unique<Timer>(*loop_, "engine", [this] { run_engine(); });
  store_timer_ = std::make_unique<Timer>(*loop_, "store", [this] { run_store(); });
  progress_timer_ = std::make_unique<Timer>(*loop_, "flush", [this] {
    Frame frame(*this);
    progress();
  });
  writer_ = std::make_unique<WriteBehind>(*store_, log_, write_policy(settings_), [this] {
    if (store_timer_) store_timer_->arm(writer_->next_due());
  });
  auto driver = SuDriver::create(loop_->base(), mode, log_, &loop_->watchdog());
  if (!driver) return driver.error();
  driver_ = std::move(*driver);
  auto sip = SipStack::create(sip_settings(settings_), *driver_, log_, [loop = loop_.get()] { return loop->now(); });
  if (!sip) return sip.error();
  sip_ = std::move(*sip);
  if (policy->contact.empty()) policy->contact = sip_->notify_contact();
  engine_ = std::make_unique<Engine>(*policy, Engine::Ports{*sip_, *writer_, events_, log_,
                                                            [this](MonoMs due) {
                                                              if (engine_timer_) engine_timer_->arm(due);
                                                            }},
                                     [entropy] { return entropy->next(); });
  writer_->attach(engine_.get());
  sip_->attach(*engine_, engine_.get());
  engine_->set_epoch_offset(clock_->state().offset_ms);
  engine_->set_branch_key(branch_key);
  save_event_names();
  save_clock();
  engine_->start(now);
  return success();
}

// --- calls ---------------------------------------------------------------------------------------------------------

Status Instance::run() {
  if (Status s = check(); !s) return s;
  if (frames_ > 0 || in_log_ > 0) return {Errc::generic, "pua_run() was called inside a callback"};
  std::shared_ptr<Instance> keep = shared_from_this();  // the loop logs until it returns, whatever happens inside
  return loop_->run();
}

Status Instance::publish(const PublishRequest& request, RequestDone done) {
  if (Status s = loop_->check(); !s) return s;
  if (phase_ != Phase::Running) return {Errc::shutting_down, "the instance is shutting down"};
  Frame frame(*this);
  return engine_->publish(request, std::move(done), loop_->now());
}

Status Instance::subscribe(const SubscribeRequest& request, RequestDone done) {
  if (Status s = loop_->check(); !s) return s;
  if (phase_ != Phase::Running) return {Errc::shutting_down, "the instance is shutting down"};
  Frame frame(*this);
  return engine_->subscribe(request, std::move(done), loop_->now());
}

NotifyAnswer Instance::notify_received(const NotifyRequest& request) {
  Frame frame(*this);
  return engine_->on_notify(request, loop_->now());
}

Result<NotifyAnswer> Instance::notify_received(std::string_view message) {
  Result<ParsedNotify> notify = parse_any_notify(message);
  if (!notify) return notify.error();
  Frame frame(*this);
  if (!notify->refusal()) return engine_->on_notify(notify->request(), loop_->now());
  notifies_unreadable_++;
  if (!notify->request().call_id.empty()) engine_->on_unreadable(notify->request(), *notify->refusal(), loop_->now());
  if (Status s = readable(*notify); !s) return s.error();
  return *notify->refusal();
}

Status Instance::update_contact(std::string_view message) {
  Result<InDialog> in = parse_in_dialog(message);
  if (!in) return in.error();
  Frame frame(*this);
  DialogQuery dialog;
  dialog.call_id = in->call_id;
  dialog.local_tag = in->local_tag;
  dialog.remote_tag = in->remote_tag;
  return engine_->update_contact(dialog, in->contact, loop_->now());
}

Stats Instance::stats() const {
  Stats s = engine_->stats();
  WriteBehindStats w = writer_->stats(loop_->now());
  MonoMs unplaced = engine_->unplaced_since();
  s.store_backlog = static_cast<int64_t>(unwritten());
  s.store_oldest_ms = std::max(w.oldest_ms, unplaced == kNever ? 0 : loop_->now() - unplaced);
  s.store_rows_written = static_cast<int64_t>(w.rows_written);
  s.store_errors = static_cast<int64_t>(w.errors);
  s.store_set_aside = static_cast<int64_t>(w.set_aside);
  s.store_journal = static_cast<int64_t>(w.journal);
  s.store_flush_max_ms = w.flush_max_ms;
  s.notifies_bad += static_cast<int64_t>(notifies_unreadable_);
  if (sip_) {  // NOTIFYs that the SIP stack answered without the engine
    SipCounters sip = sip_->counters();
    s.notifies_bad += static_cast<int64_t>(sip.notifies_bad);
    s.notifies_repeated += static_cast<int64_t>(sip.notifies_repeated);
  }
  const Watchdog::Report& dog = loop_->watchdog().report();
  s.loop_slow = static_cast<int64_t>(dog.slow);
  s.loop_max_ms = dog.max_ns / 1000000;
  return s;
}

Status Instance::reload(const Settings& fresh, std::vector<std::string>& ignored) {
  if (Status s = loop_->check(); !s) return s;
  if (phase_ != Phase::Running) return {Errc::shutting_down, "the instance is shutting down"};
  Frame frame(*this);
  Settings merged = settings_;
  std::vector<std::string> changed;
  apply_reloadable(merged, fresh, changed, ignored);
  Result<EngineSettings> policy = engine_settings(merged, events_);
  if (!policy) return policy.error();
  if (policy->contact.empty()) policy->contact = sip_->notify_contact();
  if (Status s = sip_->set_credentials(sip_credentials(merged)); !s) return s;
  sip_->reread_names();
  sip_->set_max_message(sip_max_message(merged));
  settings_ = std::move(merged);
  engine_->reconfigure(*policy);
  writer_->set_retry_max(write_policy(settings_).retry_max_ms);
  loop_->watchdog().set_slow_ms(settings_.loop_slow);
  for (const std::string& name : changed) log_.notice("reload: %s was changed", name.c_str());
  for (const std::string& name : ignored) log_.warning("reload: %s needs a restart to change", name.c_str());
  return success();
}

// --- what runs from the loop ----------------------------------------------------------------------------------------

void Instance::run_engine() {
  Frame frame(*this);
  MonoMs now = loop_->now();
  const auto until = steady_clock::now() + kEngineTurn;
  int steps = 0;
  do engine_->run(now);
  while (engine_->next_due() <= now && ++steps < kEngineSteps && steady_clock::now() < until);
  if (engine_->quiet()) tidy_heap();
  watch_log_level();
  watch_event_names();
  watch_clock(now);
  progress();
}

void Instance::run_store() {
  Frame frame(*this);
  writer_->run(loop_->now());
  if (writer_->clean()) tidy_heap();
  watch_event_names();
  if (phase_ != Phase::Ended) store_timer_->arm(writer_->next_due());
  progress();
}

// A socket of the store's own is ready: its callback runs here.
void Instance::run_store_callback(const std::function<void()>& callback) {
  Frame frame(*this);
  callback();
  if (phase_ == Phase::Ended || !store_timer_) return;
  store_timer_->arm(writer_->next_due());
  progress();
}

void Instance::watch_log_level() {
  if (log_.level() == sip_level_) return;
  sip_level_ = log_.level();
  sip_->follow_log_level();
}

// --- time -----------------------------------------------------------------------------------------------------------

void Instance::watch_clock(MonoMs now) {
  if (now - clock_watched_ < kClockWatch) return;
  clock_watched_ = now;
  if (clock_->observe_wall(now, wall_ms())) save_clock();
}

// The key of Via branches, made once for this table. Where the table cannot be read at the start, a new key takes its place as
// soon as it can be written, before any row of a request that has such a branch.
Status Instance::load_branch_key(SystemEntropy& entropy, HashKey& key) {
  Result<std::string> kept = store_->get_meta(kBranchMeta);
  if (!kept) return kept.error();
  if (read_branch_key(*kept, key)) return success();
  key = entropy.key();
  if (Status s = store_->set_meta(kBranchMeta, branch_key_text(key)); !s)
    log_.warning("the key of Via branches could not be stored, requests of this run cannot be repeated after it: %s",
                 s.error().message.c_str());
  return success();
}

// The event packages of the configuration must be those of the table. Where the table cannot be read at the start (db_start =
// wait), it takes over what the configuration says.
Status Instance::load_event_names() {
  Result<std::string> kept = store_->get_meta(kEventsMeta);
  if (!kept) return kept.error();
  EventNames names = EventNames::parse(*kept);
  saved_names_ = names;
  if (Status s = register_packages(settings_, events_, names); !s) return s;
  event_names_ = std::move(names);
  return success();
}

void Instance::save_event_names() {
  if (event_names_ == saved_names_) return;
  saved_names_ = event_names_;
  if (Status s = store_->set_meta(kEventsMeta, event_names_.text()); !s)
    log_.warning("The names of event packages could not be stored, another one can be given the bit of one of them: %s",
                 s.error().message.c_str());
}

Status Instance::event_fits(int32_t flag, std::string_view name) const {
  if (events_.by_name(name)) return success();   // adding it again changes nothing
  Status fits = event_names_.fits(flag, name);
  return fits ? success() : Status(Errc::bad_argument, fits.error().message);
}

void Instance::event_added(int32_t flag) {
  if (const EventInfo* event = events_.by_flag(flag); event && flag > kLastBuiltIn) event_names_.note(flag, event->name);
  save_event_names();
  engine_->event_added(flag);
}

// A package that is registered no more, and of which the table holds no row, leaves its bit to others.
void Instance::watch_event_names() {
  if (names_watched_ || engine_->loading()) return;
  names_watched_ = true;
  if (engine_->stats().parked > 0) return;
  event_names_.forget_unknown(events_);
  save_event_names();
}

void Instance::save_clock() {
  if (Status s = store_->set_meta(kClockMeta, EpochClock::encode(clock_->state())); !s)
    log_.warning("the clock's state could not be stored: %s", s.error().message.c_str());
}

}  // namespace pua
