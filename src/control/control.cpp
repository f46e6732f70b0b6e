#include "control/control.h"

#include <event2/event.h>

#include "pua/pua.h"

namespace pua {

Control::Control(Service& instance, const BodiesPort& events, std::string version,
                 std::function<Result<std::vector<std::string>>()> reload)
    : context_{.pua = instance, .events = events, .version = std::move(version), .reload = std::move(reload)},
      dispatcher_(context_) {}

Control::~Control() {
  if (check_ != nullptr) event_free(check_);
}

Result<std::unique_ptr<Control>> Control::start(Service& instance, const BodiesPort& events, const Settings& settings,
                                                std::string version,
                                                std::function<Result<std::vector<std::string>>()> reload) {
  std::unique_ptr<Control> control(new Control(instance, events, std::move(version), std::move(reload)));
  control->settings_ = settings;
  control->configure(settings);
  control->check_ = evtimer_new(instance.base(), &Control::check_files, control.get());
  if (control->check_ == nullptr) return Error{Errc::no_memory, "control: no event"};
  Status opened = control->open_transports();
  if (!opened) return opened.error();
  return control;
}

void Control::configure(const Settings& settings) {
  context_.default_expires = settings.default_expires;
  context_.max_request = static_cast<size_t>(settings.max_request);
}

// Opens what is not open, all that can be; the first that cannot is told. The paths of a running server do not change.
Status Control::open_transports() {
  Status first = success();
  auto failed = [&](const Error& e) {
    if (first) first = e;
  };
  event_base* base = context_.pua.base();
  int mode = static_cast<int>(settings_.fifo_mode);
  if (!dgram_ && !settings_.dgram_socket.empty()) {
    auto opened = DgramTransport::open(base, dispatcher_, settings_.dgram_socket, mode);
    if (opened) dgram_ = std::move(*opened);
    else failed(opened.error());
  }
  if (!fifo_ && !settings_.fifo_name.empty()) {
    auto opened = FifoTransport::open(base, dispatcher_, settings_.fifo_name, mode, settings_.fifo_reply_dir);
    if (opened) fifo_ = std::move(*opened);
    else failed(opened.error());
  }
  if (!http_ && !settings_.http_listen.empty()) {
    auto opened = HttpServer::open(base, settings_.http_listen, context_.pua.log(), context_.pua.watchdog(), context_.counters);
    if (opened) {
      http_ = std::move(*opened);
      http_->get("/metrics", [this] { return HttpAnswer{200, std::string(kMetricsType), metrics_text(metrics_input())}; });
    } else {
      failed(opened.error());
    }
  }
  return first;
}

MetricsInput Control::metrics_input() const {
  auto up = std::chrono::steady_clock::now() - context_.started;
  return {.stats = context_.pua.stats(),
          .more = context_.pua.measurements(),
          .control = context_.counters,
          .version = PUA_VERSION_STRING,
          .started_at = context_.started_at,
          .uptime_us = std::chrono::duration_cast<std::chrono::microseconds>(up).count()};
}

void Control::reload(const Settings& settings) {
  configure(settings);
  event_active(check_, EV_TIMEOUT, 0);
}

void Control::check_files(int, short, void* self) {
  auto* control = static_cast<Control*>(self);
  if (control->dgram_ && !control->dgram_->still_there()) control->dgram_.reset();
  if (control->fifo_ && !control->fifo_->still_there()) control->fifo_.reset();
  Status opened = control->open_transports();
  if (!opened) control->context_.pua.log().error("%s", opened.error().message.c_str());
}

}  // namespace pua
