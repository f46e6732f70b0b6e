// The other commands: counters, flush, reload, log level, version, uptime.
#include <charconv>
#include <ctime>

#include "base/nearest.h"
#include "control/commands.h"
#include "control/filters.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

// --- pua_stats -----------------------------------------------------------------------------------

static constexpr ParamSpec kPatternParams[] = {
    {"pattern", "name", ParamType::String, true, "only names that match this shell pattern, for example replies_*"},
};

static void run_stats(ControlContext& context, const Params& p, const CallPtr& call) {
  const Stats stats = context.pua.stats();
  const std::string_view pattern = p.text(0);
  Nearest near(pattern);
  bool any = false;
  std::string result;
  JsonWriter w(result);
  w.begin_object();
  auto offer = [&](std::string_view name, int64_t value) {
    near.offer(name);
    if (!matches_pattern(pattern, name)) return;
    any = true;
    w.member(name, value);
  };
#define X(name, kind, help) offer(#name, stats.name);
  PUA_STATS(X)
#undef X
#define X(name, help) offer("control_" #name, context.counters.name);
  PUA_CONTROL_STATS(X)
#undef X
  w.end_object();
  if (!any)
    return call->error(404, "No such statistic",
                       "without a pattern, all are shown; * stands for any characters: \"replies_*\"" + near.suggestion());
  call->result(result);
}

const CommandSpec kPuaStats = {
    .name = "pua_stats",
    .other_name = "pua.stats",
    .params = kPatternParams,
    .help = "Counters since start, and gauges now.",
    .run = run_stats,
};

// --- pua_flush, pua_reload -----------------------------------------------------------------------

static void run_flush(ControlContext& context, const Params&, const CallPtr& call) {
  context.pua.flush([call](bool ok) {
    if (ok) {
      call->result(R"({"flushed":true})");
    } else {
      call->error(500, "Not everything could be written within the deadline");
    }
  });
}

const CommandSpec kPuaFlush = {
    .name = "pua_flush",
    .other_name = "pua.flush",
    .params = {},
    .help = "Writes every change to the database; answered when it is committed.",
    .run = run_flush,
};

static void run_reload(ControlContext& context, const Params&, const CallPtr& call) {
  if (!context.reload) return call->error(501, "No configuration file to read again");
  auto ignored = context.reload();
  if (!ignored) return call->error(500, "Reload failed", ignored.error().message);
  std::string result;
  JsonWriter w(result);
  w.begin_object().member("reloaded", true).key("needs_restart").begin_array();
  for (const std::string& name : *ignored) w.value(std::string_view(name));
  w.end_array().end_object();
  call->result(result);
}

const CommandSpec kPuaReload = {
    .name = "pua_reload",
    .other_name = "pua.reload",
    .params = {},
    .help = "Reads the configuration file again and takes over what can change while running.",
    .run = run_reload,
};

// --- log_level, version, uptime ------------------------------------------------------------------

// A name, or one of OpenSIPS's numbers: -1 and below errors, 1 warnings, 2 notices, 3 informations, 4 debug.
static bool read_level(std::string_view text, LogLevel& out) {
  if (log_level_from(text, out)) return true;
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < -3 || number > 4 || number == 0)
    return false;
  out = number < 0 ? LogLevel::error : static_cast<LogLevel>(number);
  return true;
}

static constexpr ParamSpec kLevelParams[] = {
    {"level", nullptr, ParamType::Scalar, true, "error, warning, notice, info or debug; none: only tell"},
};

static void run_log_level(ControlContext& context, const Params& p, const CallPtr& call) {
  if (p.has(0)) {
    LogLevel level;
    if (!read_level(p.text(0), level))
      return call->error(rpc::kInvalidParams, "Invalid params: level: no such log level",
                         known_names(p.text(0), "error, warning, notice, info, debug"));
    context.pua.log().set_level(level);
  }
  std::string result;
  JsonWriter(result).begin_object().member("level", log_level_name(context.pua.log().level())).end_object();
  call->result(result);
}

const CommandSpec kLogLevel = {
    .name = "log_level",
    .other_name = nullptr,
    .params = kLevelParams,
    .help = "Shows or sets the log level, until the next reload.",
    .run = run_log_level,
};

static void run_version(ControlContext& context, const Params&, const CallPtr& call) {
  std::string result;
  JsonWriter(result).begin_object().member("Server", context.version).end_object();
  call->result(result);
}

const CommandSpec kVersion = {
    .name = "version",
    .other_name = nullptr,
    .params = {},
    .help = "Name and version of the server.",
    .run = run_version,
};

static std::string calendar_time(time_t t) {
  struct tm local;
  char text[64];
  size_t n = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", localtime_r(&t, &local));
  return std::string(text, n);
}

static void run_uptime(ControlContext& context, const Params&, const CallPtr& call) {
  // Monotonic: setting the clock changes what "now" is, not how long this has been running.
  int64_t up =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - context.started).count();
  time_t now = time(nullptr);
  std::string result;
  JsonWriter w(result);
  w.begin_object().member("Now", calendar_time(now)).member("Up since", calendar_time(now - up));
  w.member("Up time", std::to_string(up) + " [sec]").member("seconds", up).end_object();
  call->result(result);
}

const CommandSpec kUptime = {
    .name = "uptime",
    .other_name = nullptr,
    .params = {},
    .help = "How long the server has been running.",
    .run = run_uptime,
};

}  // namespace pua
