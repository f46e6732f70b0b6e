// The other commands: counters, flush, reload, log level, version, uptime, and the list of commands itself.
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "control/commands.h"
#include "control/errors.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

// A shell pattern over a name. Patterns with many stars cost time in fnmatch: long ones match nothing.
static bool matches(std::string_view pattern, const char* name) {
  if (pattern.empty()) return true;
  return pattern.size() <= 64 && std::count(pattern.begin(), pattern.end(), '*') <= 4 &&
         fnmatch(std::string(pattern).c_str(), name, 0) == 0;
}

// --- pua_stats -----------------------------------------------------------------------------------

static constexpr ParamSpec kPatternParams[] = {
    {"pattern", "name", ParamType::String, true, "only names that match this shell pattern, for example replies_*"},
};

static void run_stats(ControlContext& context, const Params& p, const CallPtr& call) {
  const Stats stats = context.pua.stats();
  std::string result;
  JsonWriter w(result);
  w.begin_object();
#define X(name, kind, help) \
  if (matches(p.text(0), #name)) w.member(#name, stats.name);
  PUA_STATS(X)
#undef X
#define X(name, help) \
  if (matches(p.text(0), "control_" #name)) w.member("control_" #name, context.counters.name);
  PUA_CONTROL_STATS(X)
#undef X
  w.end_object();
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
      return call->error(rpc::kInvalidParams, "Invalid params: level: no such log level");
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

// --- which, help ---------------------------------------------------------------------------------

std::span<const CommandSpec* const> all_commands() {
  static const CommandSpec* const kCommands[] = {
      &kPuaPublish, &kKamailioPublish, &kPuaSubscribe, &kKamailioSubscribe, &kPuaUnsubscribe, &kKamailioUnsubscribe,
      &kPuaWatch,   &kPuaUnwatch,      &kPuaList,      &kPuaShow,           &kPuaStats,       &kPuaFlush,
      &kPuaReload,  &kLogLevel,        &kVersion,      &kUptime,            &kWhich,          &kHelp};
  return kCommands;
}

static constexpr ParamSpec kWhichParams[] = {
    {"filter", "command", ParamType::String, true, "only names that match this shell pattern"},
};

static void run_which(ControlContext&, const Params& p, const CallPtr& call) {
  std::string result;
  JsonWriter w(result);
  w.begin_array();
  for (const CommandSpec* c : all_commands()) {
    if (matches(p.text(0), c->name)) w.value(c->name);
    if (c->other_name != nullptr && matches(p.text(0), c->other_name)) w.value(c->other_name);
  }
  w.end_array();
  call->result(result);
}

const CommandSpec kWhich = {
    .name = "which",
    .other_name = nullptr,
    .params = kWhichParams,
    .help = "The names of the commands, other names included.",
    .run = run_which,
};

static const char* type_name(ParamType type) {
  switch (type) {
    case ParamType::String: return "string";
    case ParamType::Int:
    case ParamType::Long: return "integer";
    case ParamType::Scalar: return "string or integer";
  }
  return "";
}

static void write_command(JsonWriter& w, const CommandSpec& c) {
  w.begin_object().key("names").begin_array();
  w.value(c.name);
  if (c.other_name != nullptr) w.value(c.other_name);
  w.end_array().member("help", c.help).key("parameters").begin_array();
  for (const ParamSpec& p : c.params) {
    w.begin_object().member("name", p.name).member("type", type_name(p.type)).member("optional", p.optional);
    w.member("help", p.help).end_object();
  }
  w.end_array().end_object();
}

static constexpr ParamSpec kHelpParams[] = {
    {"command", "name", ParamType::String, true, "this command; none: all"},
};

static void run_help(ControlContext&, const Params& p, const CallPtr& call) {
  std::string result;
  JsonWriter w(result);
  w.begin_array();
  bool any = false;
  for (const CommandSpec* c : all_commands()) {
    bool wanted = !p.has(0) || p.text(0) == c->name || (c->other_name != nullptr && p.text(0) == c->other_name);
    if (!wanted) continue;
    any = true;
    write_command(w, *c);
  }
  w.end_array();
  if (!any) return call->error(404, "No such command");
  call->result(result);
}

const CommandSpec kHelp = {
    .name = "help",
    .other_name = nullptr,
    .params = kHelpParams,
    .help = "What a command does, and its parameters.",
    .run = run_help,
};

}  // namespace pua
