// Control: the control interface of one instance, composed: commands, dispatcher, transports.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/service.h"
#include "base/result.h"
#include "config/settings.h"
#include "control/context.h"
#include "control/dgram.h"
#include "control/dispatcher.h"
#include "control/fifo.h"
#include "control/http.h"
#include "control/metrics.h"

struct event;

namespace pua {

class Control {
 public:
  // Opens the transports that the settings name (module pua_mi) on instance.base(). The instance and events outlive this; what
  // the instance completes after the end of this is not answered. version, reload: see ControlContext.
  // Errors: those of the transports.
  static Result<std::unique_ptr<Control>> start(Service& instance, const BodiesPort& events, const Settings& settings,
                                                std::string version,
                                                std::function<Result<std::vector<std::string>>()> reload);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // Takes over default_expires and max_request. A socket or FIFO that somebody removed is made again,
  // in the loop's next turn (this may run inside a command that came through it); what fails then is logged.
  void reload(const Settings& settings);

  Dispatcher& dispatcher() { return dispatcher_; }
  const HttpServer* http() const { return http_.get(); }  // nullptr: none

 private:
  Control(Service& instance, const BodiesPort& events, std::string version,
          std::function<Result<std::vector<std::string>>()> reload);
  void configure(const Settings&);
  Status open_transports();
  MetricsInput metrics_input() const;
  static void check_files(int, short, void* self);

  ControlContext context_;
  Dispatcher dispatcher_;
  std::unique_ptr<DgramTransport> dgram_;
  std::unique_ptr<FifoTransport> fifo_;
  std::unique_ptr<HttpServer> http_;
  Settings settings_;  // what the transports were opened with
  event* check_ = nullptr;
};

}  // namespace pua
