// Daemon: the running daemon: loop, instance, control interface, signals, orderly end.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/instance.h"
#include "base/log.h"
#include "base/result.h"
#include "config/settings.h"
#include "control/control.h"

struct event;
struct event_base;

namespace pua {

class Daemon {
 public:
  // config: path that SIGHUP and pua_reload read again. sink outlives the server.
  Daemon(Settings settings, std::string config, Log::Sink sink);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Makes everything, the control transports last. Errors: those of the instance and of the transports.
  Status start();
  // Serves until SIGTERM or SIGINT, then ends within shutdown_timeout; a second signal ends it at once.
  // Returns the exit status: 0, or 1 if it did not end in good order. The instance is gone then.
  int run();
  Log& log() { return instance_->log(); }

 private:
  enum class Phase { Starting, Serving, Stopping, Stopped };
  void enter(Phase phase) { phase_ = phase; }

  static void on_signal(int signal, short what, void* self);
  static void on_deadline(int fd, short what, void* self);
  Status watch_signals();
  void stop_requested(int signal);
  void leave_loop(int status);
  void end();
  Result<std::vector<std::string>> reload();

  Settings settings_;  // in force
  std::string config_;
  Log::Sink sink_;
  Phase phase_ = Phase::Starting;
  int status_ = 1;
  event_base* base_ = nullptr;
  std::array<event*, 3> signals_{};
  event* deadline_ = nullptr;
  Instance::Owner instance_;
  std::unique_ptr<Control> control_;
};

}  // namespace pua
