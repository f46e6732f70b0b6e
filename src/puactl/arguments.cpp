#include "puactl/arguments.h"

#include <getopt.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace puactl {

namespace {

constexpr size_t kMaxBody = 1 << 20;  // octets read of a body; the daemon has a limit of its own

struct Command {
  const char* name;
  const char* method;
  Show show;
  const char* operand;  // name of the parameter that the operand becomes, or nullptr: none is taken
  bool operand_needed;
  const char* options;  // of kOptions, those that this command takes besides kEverywhere
};

constexpr Command kCommands[] = {
    {"publish", "pua.publish", Show::Reply, "presentity_uri", true, "efStxiEHp"},
    {"remove", "pua.publish", Show::Reply, "presentity_uri", true, "eiEHp"},
    {"subscribe", "pua_subscribe", Show::Reply, "presentity_uri", true, "ewxicpHdogWD"},
    {"unsubscribe", "pua_unsubscribe", Show::Reply, "presentity_uri", true, "ewio"},
    {"list", "pua_list", Show::Records, nullptr, false, "ueqrlak"},
    {"show", "pua_show", Show::Details, "presentity_uri", true, "erk"},
    {"stats", "pua_stats", Show::Counters, "pattern", false, ""},
    {"flush", "pua_flush", Show::Fields, nullptr, false, ""},
    {"reload", "pua_reload", Show::Fields, nullptr, false, ""},
    {"log-level", "log_level", Show::Fields, "level", false, ""},
    {"version", "version", Show::Fields, nullptr, false, ""},
    {"uptime", "uptime", Show::Fields, nullptr, false, ""},
    {"which", "which", Show::Names, "filter", false, ""},
    {"raw", "", Show::Raw, nullptr, true, ""},
};

constexpr const char* kEverywhere = "sjT";  // options that may stand before and after any command

// Options of commands; the letters are internal.
constexpr option kOptions[] = {
    {"socket", required_argument, nullptr, 's'},
    {"timeout", required_argument, nullptr, 'T'},
    {"json", no_argument, nullptr, 'j'},
    {"event", required_argument, nullptr, 'e'},
    {"body-file", required_argument, nullptr, 'f'},
    {"body", required_argument, nullptr, 'S'},
    {"content-type", required_argument, nullptr, 't'},
    {"expires", required_argument, nullptr, 'x'},
    {"id", required_argument, nullptr, 'i'},
    {"etag", required_argument, nullptr, 'E'},
    {"header", required_argument, nullptr, 'H'},
    {"proxy", required_argument, nullptr, 'p'},
    {"uri", required_argument, nullptr, 'u'},
    {"state", required_argument, nullptr, 'q'},
    {"source", required_argument, nullptr, 'r'},
    {"limit", required_argument, nullptr, 'l'},
    {"all", no_argument, nullptr, 'a'},
    {"kind", required_argument, nullptr, 'k'},
    {"watcher", required_argument, nullptr, 'w'},
    {"contact", required_argument, nullptr, 'c'},
    {"event-id", required_argument, nullptr, 'd'},
    {"to", required_argument, nullptr, 'o'},
    {"target", required_argument, nullptr, 'g'},
    {"watch", no_argument, nullptr, 'W'},
    {"end-on-exit", no_argument, nullptr, 'D'},
    {nullptr, 0, nullptr, 0},
};

}  // namespace

const char* usage_text() {
  return "Usage: puactl [-s SOCKET] [--json] [--timeout SECONDS] COMMAND\n"
         "  publish URI --event EVENT [--body-file FILE | --body TEXT | --body -] [--content-type TYPE]\n"
         "              [--expires SECONDS|forever] [--id ID] [--etag ETAG] [--header 'Name: value']... [--proxy URI]\n"
         "  remove URI --event EVENT [--id ID] [--etag ETAG] [--header 'Name: value']... [--proxy URI]\n"
         "  subscribe URI --watcher URI --event EVENT [--expires SECONDS|forever] [--watch [--end-on-exit]] [--id ID]\n"
         "              [--contact URI] [--event-id ID] [--to URI] [--target URI] [--header 'Name: value']... [--proxy URI]\n"
         "  unsubscribe URI --watcher URI --event EVENT [--id ID] [--to URI]\n"
         "  list [--kind publication|subscription] [--uri PATTERN] [--event EVENT] [--state STATE] [--source SOURCE]\n"
         "              [--limit N | --all]\n"
         "  show URI [--kind publication|subscription] [--event EVENT] [--source SOURCE]\n"
         "  stats [PATTERN]\n"
         "  flush | reload | version | uptime\n"
         "  log-level [LEVEL]\n"
         "  which [PATTERN]\n"
         "  raw JSON\n"
         "  help\n"
         "Exit status: 0 good, 1 the daemon answered with an error, 2 bad usage, 3 daemon not reached, 4 no answer in "
         "time,\n5 the watched subscription was ended by the other side\n";
}

static bool set_text(Invocation& in, const char* name, std::string_view text, std::string& mistake) {
  Json value = json_text(text);
  if (!value) {
    mistake = std::string(name) + ": not UTF-8 text";
    return false;
  }
  json_object_set_new(in.params.get(), name, value.release());
  return true;
}

static bool read_int(std::string_view text, int64_t least, int64_t most, int64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= least && out <= most;
}

static bool read_file(const char* path, std::string& out, std::string& mistake) {
  FILE* f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  if (f == nullptr) {
    mistake = std::string(path) + ": " + strerror(errno);
    return false;
  }
  char b[65536];
  for (size_t n; out.size() <= kMaxBody && (n = fread(b, 1, sizeof b, f)) > 0;) out.append(b, n);
  bool good = ferror(f) == 0 && out.size() <= kMaxBody;
  if (!good) mistake = std::string(path) + (ferror(f) != 0 ? ": cannot be read" : ": longer than 1 MB");
  if (f != stdin) fclose(f);
  return good;
}

static bool add_header(Invocation& in, std::string_view line, std::string& mistake) {
  if (line.find_first_of("\r\n") != line.npos || line.find(':') == line.npos || line.find(':') == 0) {
    mistake = "--header: must be one line, 'Name: value'";
    return false;
  }
  const char* before = json_string_value(json_object_get(in.params.get(), "extra_headers"));
  return set_text(in, "extra_headers", std::string(before != nullptr ? before : "").append(line).append("\r\n"),
                  mistake);
}

static bool take_option(int letter, const char* value, Invocation& in, std::string& mistake) {
  int64_t number = 0;
  switch (letter) {
    case 's': in.socket = value; return true;
    case 'j': in.json = true; return true;
    case 'T':
      if (!read_int(value, 1, 86400, number)) {
        mistake = "--timeout: must be 1 to 86400 seconds";
        return false;
      }
      in.timeout_s = static_cast<int>(number);
      return true;
    case 'e': return set_text(in, "event", value, mistake);
    case 't': return set_text(in, "content_type", value, mistake);
    case 'i': return set_text(in, "id", value, mistake);
    case 'E': return set_text(in, "etag", value, mistake);
    case 'p': return set_text(in, "outbound_proxy", value, mistake);
    case 'u': return set_text(in, "uri", value, mistake);
    case 'q': return set_text(in, "state", value, mistake);
    case 'r': return set_text(in, "source", value, mistake);
    case 'k': return set_text(in, "kind", value, mistake);
    case 'w': return set_text(in, "watcher_uri", value, mistake);
    case 'c': return set_text(in, "contact", value, mistake);
    case 'd': return set_text(in, "event_id", value, mistake);
    case 'o': return set_text(in, "to_uri", value, mistake);
    case 'g': return set_text(in, "remote_target", value, mistake);
    case 'W': in.watch = true; return true;
    case 'D': in.end_on_exit = true; return true;
    case 'H': return add_header(in, value, mistake);
    case 'f':
    case 'S': {
      if (json_object_get(in.params.get(), "body") != nullptr) {
        mistake = "more than one body";
        return false;
      }
      std::string body;
      if (letter == 'S' && strcmp(value, "-") != 0) {
        body = value;
      } else if (!read_file(value, body, mistake)) {
        return false;
      }
      return set_text(in, "body", body, mistake);
    }
    case 'x':
      if (strcmp(value, "forever") == 0) {
        number = -1;
      } else if (!read_int(value, 0, INT32_MAX, number)) {
        mistake = "--expires: must be a number of seconds, or \"forever\"";
        return false;
      }
      json_object_set_new(in.params.get(), "expires", json_integer(number));
      return true;
    case 'l':
      if (!read_int(value, 1, INT64_MAX, in.limit)) {
        mistake = "--limit: must be a number from 1";
        return false;
      }
      return true;
    default: in.limit = -1; return true;  // --all
  }
}

static const char* option_name(int letter) {
  const option* o = kOptions;
  while (o->name != nullptr && o->val != letter) o++;
  return o->name;
}

static bool take_operand(const Command& c, const char* operand, Invocation& in, std::string& mistake) {
  if (c.show == Show::Raw) {
    in.raw = operand;
    return true;
  }
  return set_text(in, c.operand, operand, mistake);
}

// argv[0] is the command.
static bool parse_command(const Command& c, int argc, char** argv, Invocation& in, std::string& mistake) {
  in.method = c.method;
  in.show = c.show;
  in.params.reset(json_object());
  bool operand_seen = false;
  optind = 0;  // GNU: begin anew
  for (int letter; (letter = getopt_long(argc, argv, "-:s:", kOptions, nullptr)) != -1;) {
    if (letter == 1) {  // an operand, wherever it stands
      if (operand_seen || (c.operand == nullptr && c.show != Show::Raw)) {
        mistake = std::string("what is this for: ") + optarg;
        return false;
      }
      operand_seen = true;
      if (!take_operand(c, optarg, in, mistake)) return false;
      continue;
    }
    if (letter == ':' || letter == '?') {
      mistake = std::string(c.name) + (letter == ':' ? ": option without its value: " : ": no such option: ") +
                argv[optind - 1];
      return false;
    }
    if (strchr(c.options, letter) == nullptr && strchr(kEverywhere, letter) == nullptr) {
      mistake = std::string(c.name) + ": does not take --" + option_name(letter);
      return false;
    }
    if (!take_option(letter, optarg, in, mistake)) return false;
  }
  if (c.operand_needed && !operand_seen) {
    mistake = std::string(c.name) + (c.show == Show::Raw ? ": which request?" : ": which presentity?");
    return false;
  }
  if (c.show == Show::Reply && json_object_get(in.params.get(), "event") == nullptr) {
    mistake = std::string(c.name) + ": --event is missing";
    return false;
  }
  if (strchr(c.options, 'w') != nullptr && json_object_get(in.params.get(), "watcher_uri") == nullptr) {
    mistake = std::string(c.name) + ": --watcher is missing";
    return false;
  }
  if (in.end_on_exit && !in.watch) {
    mistake = std::string(c.name) + ": --end-on-exit needs --watch";
    return false;
  }
  if (strcmp(c.name, "remove") == 0) json_object_set_new(in.params.get(), "expires", json_integer(0));
  return true;
}

Parsed parse_arguments(int argc, char** argv, Invocation& out, std::string& mistake) {
  static const option kGlobal[] = {{"socket", required_argument, nullptr, 's'},  {"json", no_argument, nullptr, 'j'},
                                   {"timeout", required_argument, nullptr, 'T'}, {"help", no_argument, nullptr, 'h'},
                                   {"version", no_argument, nullptr, 'V'},       {nullptr, 0, nullptr, 0}};
  opterr = 0;
  for (int c; (c = getopt_long(argc, argv, "+:s:hV", kGlobal, nullptr)) != -1;) {
    switch (c) {
      case 'h': return Parsed::Help;
      case 'V': return Parsed::Version;
      case 's':
      case 'j':
      case 'T':
        if (!take_option(c, optarg, out, mistake)) return Parsed::Mistake;
        break;
      default:
        mistake = std::string(c == ':' ? "option without its value: " : "no such option: ") + argv[optind - 1];
        return Parsed::Mistake;
    }
  }
  if (optind >= argc) {
    mistake = "no command";
    return Parsed::Mistake;
  }
  std::string_view name = argv[optind];
  if (name == "help") return Parsed::Help;
  for (const Command& c : kCommands) {
    if (name != c.name) continue;
    int first = optind;
    return parse_command(c, argc - first, argv + first, out, mistake) ? Parsed::Run : Parsed::Mistake;
  }
  mistake = "no such command: " + std::string(name);
  return Parsed::Mistake;
}

}  // namespace puactl
