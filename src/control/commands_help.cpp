// which and help: the list of commands, what they do and what they take, in the forms that OpenSIPS's tools ask for.
#include <algorithm>
#include <vector>

#include "base/nearest.h"
#include "control/commands.h"
#include "control/filters.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

std::span<const CommandSpec* const> all_commands() {
  static const CommandSpec* const kCommands[] = {
      &kPuaPublish, &kKamailioPublish, &kPuaSubscribe, &kKamailioSubscribe, &kPuaUnsubscribe, &kKamailioUnsubscribe,
      &kPuaWatch,   &kPuaUnwatch,      &kPuaList,      &kPuaShow,           &kPuaStats,       &kGetStatistics,
      &kKamailioStatistics, &kListStatistics, &kResetStatistics, &kPuaFlush, &kPuaReload,     &kLogLevel,
      &kVersion,    &kUptime,          &kWhich,        &kHelp};
  return kCommands;
}

static bool has_name(const CommandSpec& c, std::string_view name) {
  return name == c.name || (c.other_name != nullptr && name == c.other_name);
}

static const CommandSpec* find(std::string_view name) {
  for (const CommandSpec* c : all_commands()) {
    if (has_name(*c, name)) return c;
  }
  return nullptr;
}

std::string known_commands(std::string_view typed) {
  Nearest near(typed.substr(0, 64));
  for (const CommandSpec* c : all_commands()) {
    near.offer(c->name);
    if (c->other_name != nullptr) near.offer(c->other_name);
  }
  return "which lists those that there are" + near.suggestion();
}

static void no_such_command(Call& call, std::string_view name) { call.error(404, "No such command", known_commands(name)); }

// --- which ---------------------------------------------------------------------------------------

static constexpr ParamSpec kWhichParams[] = {
    {"filter", "command", ParamType::String, true,
     "only names that match this shell pattern, or begin with \"name:\"; the name of a command: the lists of parameters that "
     "it takes"},
};

template <class Wanted>
static std::string names(Wanted wanted) {
  std::string result;
  JsonWriter w(result);
  w.begin_array();
  for (const CommandSpec* c : all_commands()) {
    if (wanted(c->name)) w.value(c->name);
    if (c->other_name != nullptr && wanted(c->other_name)) w.value(c->other_name);
  }
  w.end_array();
  return result;
}

// One list of parameters, where `count` values by position are a request.
static void write_list(JsonWriter& w, const CommandSpec& c, size_t count) {
  std::vector<uint8_t> positions;
  if (c.positions != nullptr) {
    std::span<const uint8_t> given = c.positions(count);
    positions.assign(given.begin(), given.end());
  } else {
    for (size_t i = 0; i < count; i++) positions.push_back(static_cast<uint8_t>(i));
  }
  if (positions.size() != count) return;
  for (size_t i = 0; i < c.params.size(); i++) {
    if (!c.params[i].optional && std::find(positions.begin(), positions.end(), i) == positions.end()) return;
  }
  w.begin_array();
  for (uint8_t i : positions) w.value(c.params[i].name);
  w.end_array();
}

static void run_which(ControlContext&, const Params& p, const CallPtr& call) {
  std::string_view text = p.text(0);
  if (text.ends_with(':')) {
    std::string found = names([&](std::string_view name) { return name.starts_with(text); });
    return found == "[]" ? no_such_command(*call, text) : call->result(found);
  }
  if (text.empty() || text.find_first_of("*?[") != text.npos)
    return call->result(names([&](std::string_view name) { return matches_pattern(text, name); }));
  const CommandSpec* c = find(text);
  if (c == nullptr) return no_such_command(*call, text);
  std::string result;
  JsonWriter w(result);
  w.begin_array();
  for (size_t count = 0; count <= c->params.size(); count++) write_list(w, *c, count);
  w.end_array();
  call->result(result);
}

const CommandSpec kWhich = {
    .name = "which",
    .other_name = nullptr,
    .params = kWhichParams,
    .help = "The names of the commands, other names included; of one command, the lists of parameters that it takes.",
    .run = run_which,
};

// --- help ----------------------------------------------------------------------------------------

static const char* type_name(ParamType type) {
  switch (type) {
    case ParamType::String: return "string";
    case ParamType::Int:
    case ParamType::Long: return "integer";
    case ParamType::Scalar: return "string or integer";
    case ParamType::Strings: return "string or array of strings";
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
    {"mi_cmd", nullptr, ParamType::String, true, "the same; the answer is in OpenSIPS's form: Help, Exported by"},
};

// What OpenSIPS's tools show: a text of all there is to say.
static void short_help(const CommandSpec& c, Call& call) {
  std::string text = c.help;
  if (!c.params.empty()) text += " Parameters:";
  for (const ParamSpec& p : c.params) {
    text.append(&p == c.params.data() ? " " : "; ").append(p.name).append(p.optional ? " (optional): " : ": ").append(p.help);
  }
  std::string result;
  JsonWriter(result).begin_object().member("Help", text).member("Exported by", "puad").end_object();
  call.result(result);
}

static void run_help(ControlContext&, const Params& p, const CallPtr& call) {
  std::string_view name = p.has(1) ? p.text(1) : p.text(0);
  const CommandSpec* one = p.has(0) || p.has(1) ? find(name) : nullptr;
  if (one == nullptr && (p.has(0) || p.has(1))) return no_such_command(*call, name);
  if (p.has(1)) return short_help(*one, *call);
  std::string result;
  JsonWriter w(result);
  w.begin_array();
  for (const CommandSpec* c : all_commands()) {
    if (one == nullptr || c == one) write_command(w, *c);
  }
  w.end_array();
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
