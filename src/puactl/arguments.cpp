#include "puactl/arguments.h"

#include <getopt.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/nearest.h"

namespace puactl {

namespace {

constexpr size_t kMaxBody = 1 << 20;  // octets read of a body; the daemon has a limit of its own

}  // namespace

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
  if (const char* parameter = option_of(letter).parameter) return set_text(in, parameter, value, mistake);
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
    case 'W': in.watch = true; return true;
    case 'X': in.wide = true; return true;
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
        mistake = "--expires: must be 0 to 2147483647 seconds, or \"forever\"";
        return false;
      }
      json_object_set_new(in.params.get(), "expires", json_integer(number));
      return true;
    case 'l':
      if (!read_int(value, 1, INT64_MAX, in.limit)) {
        mistake = "--limit: must be a number from 1";
        return false;
      }
      in.limited = true;
      return true;
    default:  // --all
      in.all = true;
      in.limit = -1;
      return true;
  }
}

static bool take_operand(const Command& c, const char* operand, Invocation& in, std::string& mistake) {
  if (c.show == Show::Raw) {
    in.raw = operand;
    return true;
  }
  return set_text(in, c.operand, operand, mistake);
}

// For getopt_long, which wants an end.
static const option* long_options() {
  static const std::vector<option> kAll = [] {
    std::vector<option> all;
    for (const Option& o : all_options())
      all.push_back({o.name, o.value != nullptr ? required_argument : no_argument, nullptr, o.letter});
    all.push_back({"version", no_argument, nullptr, 'V'});
    all.push_back({nullptr, 0, nullptr, 0});
    return all;
  }();
  return kAll.data();
}

// What getopt did not understand, with what may have been meant.
static std::string bad_option(int letter, std::string_view word) {
  if (letter == ':') return "option without its value: " + std::string(word);
  std::string_view name = word.substr(0, word.find('='));
  if (name.starts_with("--")) name.remove_prefix(2);
  pua::Nearest near(name);
  for (const Option& o : all_options()) near.offer(o.name);
  return "no such option: " + std::string(word) + near.suggestion("--");
}

// What is missing, or does not go together; empty: nothing.
static std::string missing(const Command& c, bool operand_seen, const Invocation& in) {
  if (c.operand_needed && !operand_seen) return c.show == Show::Raw ? "which request?" : "which presentity?";
  for (const char* letter = c.needed; *letter != '\0'; letter++) {
    const Option& o = option_of(*letter);
    if (json_object_get(in.params.get(), o.parameter) == nullptr) return std::string("--") + o.name + " is missing";
  }
  if (in.all && in.limited) return "--all and --limit exclude each other";
  return in.end_on_exit && !in.watch ? "--end-on-exit needs --watch" : "";
}

// argv[0] is the command.
static Parsed parse_command(const Command& c, int argc, char** argv, Invocation& in, std::string& mistake) {
  in.method = c.method;
  in.show = c.show;
  in.params.reset(json_object());
  bool operand_seen = false;
  const std::string name = c.name;
  optind = 0;  // GNU: begin anew
  for (int letter; (letter = getopt_long(argc, argv, "-:s:h", long_options(), nullptr)) != -1;) {
    if (letter == 'h') return Parsed::Help;
    if (letter == 'V') return Parsed::Version;
    if (letter == 1) {  // an operand, wherever it stands
      if (operand_seen || (c.operand == nullptr && c.show != Show::Raw)) {
        mistake = name + ": what is this for: " + optarg;
        return Parsed::Mistake;
      }
      operand_seen = true;
      if (!take_operand(c, optarg, in, mistake)) return Parsed::Mistake;
      continue;
    }
    if (letter == ':' || letter == '?') {
      mistake = name + ": " + bad_option(letter, argv[optind - 1]);
      return Parsed::Mistake;
    }
    if (strchr(c.options, letter) == nullptr && strchr(kEverywhere, letter) == nullptr) {
      mistake = name + ": does not take --" + option_of(letter).name;
      return Parsed::Mistake;
    }
    if (!take_option(letter, optarg, in, mistake)) return Parsed::Mistake;
  }
  if (std::string what = missing(c, operand_seen, in); !what.empty()) {
    mistake = name + ": " + what;
    return Parsed::Mistake;
  }
  if (name == "remove") json_object_set_new(in.params.get(), "expires", json_integer(0));
  return Parsed::Run;
}

// The command that stands there, or a mistake that names those that are like it.
static const Command* command_of(const char* name, std::string& mistake) {
  const Command* c = find_command(name);
  if (c != nullptr) return c;
  pua::Nearest near(name);
  for (const Command& known : all_commands()) near.offer(known.name);
  mistake = "no such command: " + std::string(name) + near.suggestion();
  return nullptr;
}

static Parsed parse_words(int argc, char** argv, Invocation& out, std::string& mistake) {
  opterr = 0;
  optind = 0;
  for (int c; (c = getopt_long(argc, argv, "+:s:hV", long_options(), nullptr)) != -1;) {
    switch (c) {
      case 'h': return Parsed::Help;
      case 'V': return Parsed::Version;
      case 's':
      case 'j':
      case 'T':
        if (!take_option(c, optarg, out, mistake)) return Parsed::Mistake;
        break;
      case ':':
      case '?':
        mistake = bad_option(c, argv[optind - 1]);
        return Parsed::Mistake;
      default:
        mistake = std::string("--") + option_of(c).name + " stands behind a command";
        return Parsed::Mistake;
    }
  }
  if (optind >= argc) {
    mistake = "no command";
    return Parsed::Mistake;
  }
  const bool help = strcmp(argv[optind], "help") == 0;
  if (help && optind + 1 >= argc) return Parsed::Help;
  const int first = optind + (help ? 1 : 0);
  const Command* c = command_of(argv[first], mistake);
  if (c == nullptr) return Parsed::Mistake;
  out.command = c->name;
  return help ? Parsed::Help : parse_command(*c, argc - first, argv + first, out, mistake);
}

Parsed parse_arguments(int argc, char** argv, Invocation& out, std::string& mistake) {
  for (int i = 1; i < argc; i++) {   // --json counts also for a mistake in front of it
    if (strcmp(argv[i], "--json") == 0) out.json = true;
  }
  Parsed parsed = parse_words(argc, argv, out, mistake);
  if (parsed == Parsed::Mistake)
    mistake += out.command.empty() ? " (see puactl help)" : " (see puactl help " + out.command + ")";
  return parsed;
}

}  // namespace puactl
