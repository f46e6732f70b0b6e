// C ABI: an instance's life, its loop, its counters.
#include <syslog.h>

#include "api/c_bind.h"
#include "api/handle.h"

namespace pua {

namespace {

void to_syslog(LogLevel level, std::string_view line) {
  static constexpr int kPriority[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};
  syslog(LOG_DAEMON | kPriority[static_cast<int>(level)], "pua: %.*s", static_cast<int>(line.size()), line.data());
}

Log::Sink make_sink(pua_log_cb log, void* user) {
  if (!log) return to_syslog;
  return [log, user](LogLevel level, std::string_view line) {
    std::string text(line);  // a view does not end in NUL
    log(user, static_cast<int>(level), text.c_str(), text.size());
  };
}

int create(pua_t** out, const pua_config_t* cfg, event_base* base, pua_log_cb log, void* user) {
  auto handle = std::make_shared<pua_s>();
  Result<Instance::Owner> made = Instance::create(cfg ? cfg->settings : Settings{}, base, make_sink(log, user));
  if (!made) return fail_thread(made.error().code, made.error().message);
  handle->instance = std::move(*made);
  if (cfg) {
    for (const std::string& w : cfg->warnings) handle->instance->log().warning("%s", w.c_str());
  }
  handle->self = handle;
  *out = handle.get();
  return PUA_OK;
}

// A function from pua_post. Accepted, it runs exactly once: by the loop, or when the loop's queue is dropped.
class Posted {
 public:
  Posted(std::shared_ptr<pua_s> pua, void (*fn)(pua_t*, void*), void* arg) : pua_(std::move(pua)), fn_(fn), arg_(arg) {}
  ~Posted() { run(); }
  Posted(const Posted&) = delete;
  Posted& operator=(const Posted&) = delete;

  void run() {
    if (auto fn = std::exchange(fn_, nullptr)) fn(pua_.get(), arg_);
  }
  void forget() { fn_ = nullptr; }

 private:
  std::shared_ptr<pua_s> pua_;
  void (*fn_)(pua_t*, void*);
  void* arg_;
};

}  // namespace

}  // namespace pua

extern "C" {

int pua_new(pua_t** out, const pua_config_t* cfg, struct event_base* base, pua_log_cb log, void* user) {
  if (!out) return pua::fail_thread(pua::Errc::bad_argument, "out is NULL");
  *out = nullptr;
  try {
    return pua::create(out, cfg, base, log, user);
  } catch (const std::exception&) {
    return pua::fail_thread(pua::Errc::no_memory, "out of memory");
  }
}

void pua_free(pua_t* p) {
  if (!p || pua::usable(p) != pua::Errc::ok) return;
  pua::forget_default(p);
  std::shared_ptr<pua_s> keep = std::move(p->self);
  pua::Instance::Owner last = std::move(keep->instance);
}

struct event_base* pua_event_base(pua_t* p) {
  event_base* base = nullptr;
  pua::guarded(p, [&](pua_s& h) {
    base = h.instance->base();
    return PUA_OK;
  });
  return base;
}

int pua_run(pua_t* p) {
  return pua::guarded(p, [](pua_s& h) {
    pua::Status s = h.instance->run();
    return s ? PUA_OK : pua::fail(&h, s.error());
  });
}

int pua_stop(pua_t* p) {
  return pua::guarded(p, [](pua_s& h) {
    h.instance->stop();
    return PUA_OK;
  });
}

int pua_post(pua_t* p, void (*fn)(pua_t*, void*), void* arg) {
  if (!p) return pua::fail_thread(pua::Errc::bad_argument, "pua is NULL");
  if (!fn) return pua::fail(p, pua::Errc::bad_argument, "fn is NULL");   // in another thread the message stays with the thread
  if (!p->instance) return pua::fail(p, pua::Errc::shutting_down, "the instance was freed");
  if (p->instance->check().code() == pua::Errc::after_fork)
    return pua::fail_thread(pua::Errc::after_fork, pua::errc_text(pua::Errc::after_fork));
  try {
    auto posted = std::make_shared<pua::Posted>(p->shared_from_this(), fn, arg);
    bool taken = false;
    try {
      taken = p->instance->post([posted] { posted->run(); });
    } catch (const std::exception&) {
      posted->forget();
      throw;
    }
    if (taken) return PUA_OK;
    posted->forget();
    return pua::fail(p, pua::Errc::shutting_down, pua::errc_text(pua::Errc::shutting_down));
  } catch (const std::exception&) {
    return pua::fail(p, pua::Errc::no_memory, "out of memory");
  }
}

int pua_flush(pua_t* p, void (*done)(pua_t*, int, void*), void* arg) {
  return pua::guarded(p, [&](pua_s& h) {
    h.instance->flush([self = h.shared_from_this(), done, arg](bool ok) {
      if (done) done(self.get(), ok, arg);
    });
    return PUA_OK;
  });
}

int pua_shutdown(pua_t* p, void (*done)(pua_t*, void*), void* arg) {
  return pua::guarded(p, [&](pua_s& h) {
    h.instance->shutdown([self = h.shared_from_this(), done, arg](bool) {
      if (done) done(self.get(), arg);
    });
    return PUA_OK;
  });
}

int pua_reload(pua_t* p, const pua_config_t* cfg) {
  return pua::guarded(p, [&](pua_s& h) {
    if (!cfg) return pua::fail(&h, pua::Errc::bad_argument, "cfg is NULL");
    std::vector<std::string> ignored;
    if (pua::Status s = h.instance->reload(cfg->settings, ignored); !s) return pua::fail(&h, s.error());
    std::string names;
    for (const std::string& name : ignored) names += (names.empty() ? "needs a new instance: " : ", ") + name;
    if (!ignored.empty()) h.last_error = names;
    return static_cast<int>(ignored.size());
  });
}

int pua_log_level(pua_t* p, int level) {
  return pua::guarded(p, [&](pua_s& h) {
    int before = static_cast<int>(h.instance->log().level());
    if (level >= PUA_LOG_ERROR && level <= PUA_LOG_DEBUG) h.instance->log().set_level(static_cast<pua::LogLevel>(level));
    return before;
  });
}

int pua_stats_get(pua_t* p, pua_stat_t* out, int max) {
  return pua::guarded(p, [&](pua_s& h) {
    if (max < 0 || (!out && max > 0)) return pua::fail(&h, pua::Errc::bad_argument, "out is NULL or max is negative");
    pua::Stats now = h.instance->stats();
    int n = 0;
    auto add = [&](const char* name, char kind, const char* help, int64_t value) {
      if (n < max) out[n] = pua_stat_t{name, help, kind == 'g', value};
      n++;
    };
#define X(name, kind, help) add(#name, #kind[0], help, now.name);
    PUA_STATS(X)
#undef X
    return n;
  });
}

}  // extern "C"
