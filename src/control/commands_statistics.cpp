// Statistics under the names that OpenSIPS's and Kamailio's tools ask for: "group:name". The counters are those of pua_stats; a
// reset counts for these commands only, what monitoring systems read goes on counting.
#include <algorithm>
#include <string>
#include <vector>

#include "control/commands.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

namespace {

struct Statistic {
  std::string_view group, name;
  bool counter;            // else a gauge, which nothing resets
  int64_t value;           // since the start
  std::string full() const { return std::string(group).append(":").append(name); }
};

constexpr ParamSpec kStatistics[] = {
    {"statistics", "name", ParamType::Strings, false,
     "\"all\", a group (\"pua:\", \"pua_mi:\"), a name (\"live\", \"pua:live\"), or an array of these"},
};
constexpr ParamSpec kSomeStatistics[] = {
    {"statistics", "name", ParamType::Strings, true, "the same; none: all"},
};

}  // namespace

static std::vector<Statistic> all_statistics(const ControlContext& context) {
  const Stats stats = context.pua.stats();
  std::vector<Statistic> all;
#define X(name, kind, help) all.push_back({"pua", #name, #kind[0] == 'c', stats.name});
  PUA_STATS(X)
#undef X
#define X(name, help) all.push_back({"pua_mi", #name, true, context.counters.name});
  PUA_CONTROL_STATS(X)
#undef X
  return all;
}

static bool is_meant(const Statistic& s, std::string_view wanted) {
  if (wanted == "all") return true;
  if (wanted.ends_with(':')) return wanted.substr(0, wanted.size() - 1) == s.group;
  size_t colon = wanted.find(':');
  if (colon == wanted.npos) return wanted == s.name;
  return wanted.substr(0, colon) == s.group && wanted.substr(colon + 1) == s.name;
}

// Those that are asked for. Empty: answered with an error.
static std::vector<Statistic> chosen(const ControlContext& context, const Params& p, Call& call) {
  std::vector<Statistic> all = all_statistics(context);
  const std::vector<std::string_view> wanted = p.strings(0);
  if (!p.has(0)) return all;
  std::erase_if(all, [&](const Statistic& s) {
    return std::none_of(wanted.begin(), wanted.end(), [&](std::string_view w) { return is_meant(s, w); });
  });
  if (all.empty()) call.error(404, "Statistics Not Found", "list_statistics names those that there are");
  return all;
}

static int64_t since_reset(const ControlContext& context, const Statistic& s) {
  auto reset = s.counter ? context.statistics_reset.find(s.full()) : context.statistics_reset.end();
  return s.value - (reset == context.statistics_reset.end() ? 0 : reset->second);
}

// --- get_statistics ------------------------------------------------------------------------------

static void run_get(ControlContext& context, const Params& p, const CallPtr& call) {
  std::vector<Statistic> all = chosen(context, p, *call);
  if (all.empty()) return;
  std::string result;
  JsonWriter w(result);
  w.begin_object();
  for (const Statistic& s : all) w.member(s.full(), since_reset(context, s));
  w.end_object();
  call->result(result);
}

const CommandSpec kGetStatistics = {
    .name = "get_statistics",
    .other_name = "statistics:get",
    .params = kStatistics,
    .help = "Counters since they were reset, and gauges now, as {\"group:name\": number}.",
    .run = run_get,
};

static void run_kamailio_get(ControlContext& context, const Params& p, const CallPtr& call) {
  std::vector<Statistic> all = chosen(context, p, *call);
  if (all.empty()) return;
  std::string result;
  JsonWriter w(result);
  w.begin_array();
  for (const Statistic& s : all) w.value(std::string_view(s.full() + " = " + std::to_string(since_reset(context, s))));
  w.end_array();
  call->result(result);
}

const CommandSpec kKamailioStatistics = {
    .name = "stats.get_statistics",
    .other_name = nullptr,
    .params = kStatistics,
    .help = "The same in Kamailio's form, an array of \"group:name = number\".",
    .run = run_kamailio_get,
};

// --- list_statistics -----------------------------------------------------------------------------

static void run_list(ControlContext& context, const Params& p, const CallPtr& call) {
  std::vector<Statistic> all = chosen(context, p, *call);
  if (all.empty()) return;
  std::string result;
  JsonWriter w(result);
  w.begin_object();
  for (const Statistic& s : all) w.member(s.full(), s.counter ? "incremental" : "non-incremental");
  w.end_object();
  call->result(result);
}

const CommandSpec kListStatistics = {
    .name = "list_statistics",
    .other_name = "statistics:list",
    .params = kSomeStatistics,
    .help = "The names of the statistics: incremental (counters) or non-incremental (gauges).",
    .run = run_list,
};

// --- reset_statistics ----------------------------------------------------------------------------

static void run_reset(ControlContext& context, const Params& p, const CallPtr& call) {
  std::vector<Statistic> all = chosen(context, p, *call);
  if (all.empty()) return;
  for (const Statistic& s : all) {
    if (s.counter) context.statistics_reset[s.full()] = s.value;
  }
  call->result(R"("OK")");
}

const CommandSpec kResetStatistics = {
    .name = "reset_statistics",
    .other_name = "statistics:reset",
    .params = kStatistics,
    .help = "Has get_statistics count from 0 again; pua_stats and the metrics go on.",
    .run = run_reset,
};

}  // namespace pua
