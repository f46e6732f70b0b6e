#include "puad/server.h"

#include <event2/event.h>

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "config/parser.h"
#include "config/reload.h"
#include "events/registry.h"
#include "pua/pua.h"
#include "puad/notify.h"

namespace pua {

namespace {

constexpr int64_t kGrace = 2;  // s beyond shutdown_timeout until the end is forced

}  // namespace

Daemon::Daemon(Settings settings, std::string config, Log::Sink sink)
    : settings_(std::move(settings)), config_(std::move(config)), sink_(std::move(sink)) {}

// The control transports end first: what the instance completes at its end is not answered any more.
void Daemon::end() {
  control_.reset();
  instance_.reset();
}

Daemon::~Daemon() {
  end();
  for (event* e : signals_) {
    if (e != nullptr) event_free(e);
  }
  if (deadline_ != nullptr) event_free(deadline_);
  if (base_ != nullptr) event_base_free(base_);
}

Status Daemon::start() {
  event_config* config = event_config_new();
  // libevent's usual clock ticks every 4 ms, which a waiting caller would feel.
  if (config) event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
  base_ = config ? event_base_new_with_config(config) : nullptr;
  if (config) event_config_free(config);
  if (base_ == nullptr) return Status(Errc::no_memory, "no event loop");
  Status watching = watch_signals();
  if (!watching) return watching;

  auto instance = Instance::create(settings_, base_, sink_);
  if (!instance) return instance.error();
  instance_ = std::move(*instance);
  LogLevel level = LogLevel::notice;
  if (log_level_from(settings_.log_level, level)) log().set_level(level);

  auto control = Control::start(*instance_, instance_->events(), settings_, "puad " PUA_VERSION_STRING,
                                [this] { return reload(); });
  if (!control) return control.error();
  control_ = std::move(*control);
  enter(Phase::Serving);
  return success();
}

Status Daemon::watch_signals() {
  signal(SIGPIPE, SIG_IGN);  // a client that went away is seen by its error
  signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a disk that is full
  static constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP};
  for (size_t i = 0; i < signals_.size(); i++) {
    signals_[i] = evsignal_new(base_, kSignals[i], &Daemon::on_signal, this);
    if (signals_[i] == nullptr || event_add(signals_[i], nullptr) != 0)
      return Status(Errc::no_memory, "no signal event");
  }
  deadline_ = evtimer_new(base_, &Daemon::on_deadline, this);
  return deadline_ != nullptr ? success() : Status(Errc::no_memory, "no timer event");
}

int Daemon::run() {
  log().notice("puad %s is ready, process %d", PUA_VERSION_STRING, getpid());
  notify_manager("READY=1\nMAINPID=" + std::to_string(getpid()) + "\nSTATUS=serving");
  event_base_dispatch(base_);
  Log last(sink_, log().level());
  end();   // what it says of what is left comes before the last line
  last.notice("puad ends with status %d", status_);
  return status_;
}

void Daemon::on_signal(int signal, short, void* self) {
  auto* server = static_cast<Daemon*>(self);
  if (signal != SIGHUP) return server->stop_requested(signal);
  if (server->phase_ != Phase::Serving) return;
  notify_manager("RELOADING=1");
  auto needs_restart = server->reload();
  if (!needs_restart) server->log().error("reload: %s", needs_restart.error().message.c_str());
  notify_manager("READY=1");
}

void Daemon::stop_requested(int signal) {
  if (phase_ == Phase::Stopping) {
    log().warning("%s again: ending at once", strsignal(signal));
    leave_loop(1);
    return;
  }
  if (phase_ != Phase::Serving) return;
  enter(Phase::Stopping);
  log().notice("%s: shutting down, within %lld s", strsignal(signal),
               static_cast<long long>(settings_.shutdown_timeout));
  notify_manager("STOPPING=1");
  timeval tv = {settings_.shutdown_timeout + kGrace, 0};
  evtimer_add(deadline_, &tv);
  instance_->shutdown([this](bool ok) { leave_loop(ok ? 0 : 1); });
}

void Daemon::on_deadline(int, short, void* self) {
  auto* server = static_cast<Daemon*>(self);
  server->log().error("the shutdown did not end in time");
  server->leave_loop(1);
}

void Daemon::leave_loop(int status) {
  if (phase_ == Phase::Stopped) return;
  enter(Phase::Stopped);
  status_ = status;
  event_base_loopbreak(base_);
}

Result<std::vector<std::string>> Daemon::reload() {
  std::vector<std::string> warnings, needs_restart, changed, same;
  ConfigPlaces places;
  auto fresh = load_config(config_, warnings, &places);
  if (!fresh) return fresh.error();
  for (const std::string& w : warnings) log().warning("%s", w.c_str());
  Status taken = instance_->reload(*fresh, needs_restart);  // logs what changed and what did not
  if (taken.code() == Errc::bad_config) return Error{taken.code(), with_place(places, config_, taken.error().message)};
  if (!taken) return taken.error();
  apply_reloadable(settings_, *fresh, changed, same);
  LogLevel level;
  if (log_level_from(settings_.log_level, level)) log().set_level(level);
  control_->reload(settings_);
  return needs_restart;
}

}  // namespace pua
