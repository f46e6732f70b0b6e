#include "puactl/commands.h"

#include <algorithm>
#include <cstring>

namespace puactl {

namespace {

constexpr Command kCommands[] = {
    {"publish", "pua.publish", Show::Reply, "presentity_uri", "URI", true, "e", "efStxiEHp",
     "Publish, modify or refresh the state of URI; without a body it is refreshed. Waits for the final SIP reply."},
    {"remove", "pua.publish", Show::Reply, "presentity_uri", "URI", true, "e", "eiEHp",
     "Remove the publication from the server."},
    {"subscribe", "pua_subscribe", Show::Reply, "presentity_uri", "URI", true, "we", "ewxWDicdogHptfS",
     "Subscribe to the state of URI on behalf of the watcher, or change the lifetime of that subscription."},
    {"unsubscribe", "pua_unsubscribe", Show::Reply, "presentity_uri", "URI", true, "we", "ewio", "End the subscription."},
    {"list", "pua_list", Show::Records, nullptr, "", false, "", "kueqrlaX", "List the records that match."},
    {"show", "pua_show", Show::Details, "presentity_uri", "URI", true, "", "ker",
     "Everything about the records of URI: body, dialog, last NOTIFY."},
    {"stats", "pua_stats", Show::Counters, "pattern", "PATTERN", false, "", "",
     "Counters and gauges, those that match a shell pattern."},
    {"flush", "pua_flush", Show::Fields, nullptr, "", false, "", "", "Have everything written to the database."},
    {"reload", "pua_reload", Show::Fields, nullptr, "", false, "", "", "Have the configuration file read again."},
    {"log-level", "log_level", Show::Fields, "level", "LEVEL", false, "", "",
     "Show or set the log level: error, warning, notice, info or debug."},
    {"version", "version", Show::Fields, nullptr, "", false, "", "", "What daemon is running."},
    {"uptime", "uptime", Show::Fields, nullptr, "", false, "", "", "How long the daemon has been running."},
    {"which", "which", Show::Names, "filter", "PATTERN", false, "", "",
     "Names of the daemon's commands, those that match a shell pattern; of one command, the lists of parameters that it "
     "takes."},
    {"raw", "", Show::Raw, nullptr, "JSON", true, "", "", "Send a JSON-RPC request as it is, and show the reply as it came."},
};

constexpr Option kOptions[] = {
    {"socket", "SOCKET", 's', nullptr, "the daemon's socket, usually /run/puad/puad.sock"},
    {"timeout", "SECONDS", 'T', nullptr, "how long to wait for answers, usually 40"},
    {"json", nullptr, 'j', nullptr, "results and errors as JSON, for scripts"},
    {"help", nullptr, 'h', nullptr, "this text"},
    {"event", "EVENT", 'e', "event", "event package, for example presence"},
    {"body-file", "FILE", 'f', nullptr, "the document; - is stdin"},
    {"body", "TEXT", 'S', nullptr, "the document itself; - is stdin"},
    {"content-type", "TYPE", 't', "content_type", "of the document; usually the event's"},
    {"expires", "SECONDS", 'x', nullptr, "wanted lifetime, or \"forever\""},
    {"id", "ID", 'i', "id", "tells several of them apart; is not sent"},
    {"etag", "ETAG", 'E', "etag", "the entity-tag that must be in force"},
    {"header", "LINE", 'H', nullptr, "'Name: value', a header line to add; may be given several times"},
    {"proxy", "URI", 'p', "outbound_proxy", "next hop"},
    {"uri", "PATTERN", 'u', "uri", "this presentity; a * at the end matches any rest"},
    {"state", "STATE", 'q', "state", "this state: live, backoff, sending ..."},
    {"source", "SOURCE", 'r', "source", "this source, by name (MI_PUBLISH) or number"},
    {"limit", "N", 'l', nullptr, "so many, usually 100"},
    {"all", nullptr, 'a', nullptr, "however many there are"},
    {"wide", nullptr, 'X', nullptr, "all columns, whatever the width of the terminal"},
    {"kind", "KIND", 'k', "kind", "publication or subscription"},
    {"watcher", "URI", 'w', "watcher_uri", "who subscribes"},
    {"contact", "URI", 'c', "contact", "where NOTIFYs are to come; usually the daemon's own address"},
    {"event-id", "ID", 'd', "event_id", "id parameter of the Event header field"},
    {"to", "URI", 'o', "to_uri", "To, where it is not the presentity"},
    {"target", "URI", 'g', "remote_target", "Request-URI of the first request, where it is not the presentity"},
    {"watch", nullptr, 'W', nullptr, "stay, and show each NOTIFY as it comes"},
    {"end-on-exit", nullptr, 'D', nullptr, "with --watch: end the subscription when interrupted"},
};

constexpr size_t kColumns = 80;

// `head`, and behind it the text in lines that fit, from column `indent` on.
std::string paragraph(std::string head, std::string_view text, size_t indent) {
  std::string out;
  head.resize(std::max(head.size() + (head.empty() ? 0 : 2), indent), ' ');
  for (std::string line = std::move(head); !text.empty(); line.assign(indent, ' ')) {
    size_t room = kColumns - line.size(), end = text.size();
    if (end > room && (end = text.rfind(' ', room)) == text.npos)
      end = text.find(' ');  // a word that is too long stands as it is
    out += line.append(text.substr(0, std::min(end, text.size()))) + "\n";
    text.remove_prefix(std::min(end == text.npos ? text.size() : end + 1, text.size()));
  }
  return out;
}

std::string line_of(const Option& o) {
  std::string head = o.letter == 's' ? "  -s, --socket" : std::string("  --") + o.name;
  if (o.value != nullptr) head.append(" ").append(o.value);
  return paragraph(std::move(head), o.help, 24);
}

}  // namespace

std::span<const Command> all_commands() { return kCommands; }
std::span<const Option> all_options() { return kOptions; }

const Command* find_command(std::string_view name) {
  for (const Command& c : kCommands) {
    if (name == c.name) return &c;
  }
  return nullptr;
}

const Option& option_of(int letter) {
  const Option* o = kOptions;
  while (o->letter != letter) o++;
  return *o;
}

static std::string with_operand(const Command& c) {
  std::string text = c.name;
  if (*c.operand_shown == '\0') return text;
  return text.append(c.operand_needed ? " " : " [").append(c.operand_shown).append(c.operand_needed ? "" : "]");
}

static std::string list_of_all() {
  std::string text = "Usage: puactl [-s SOCKET] [--json] [--timeout SECONDS] COMMAND\n";
  for (const Command& c : kCommands) {
    std::string_view help = c.help;
    text += paragraph("  " + with_operand(c), help.substr(0, help.find_first_of(".;:")), 21);
  }
  text += paragraph("  help [COMMAND]", "This list, or what a command takes", 21);
  return text + paragraph("", "Exit status: 0 good, 1 the daemon answered with an error, 2 bad usage, 3 daemon not reached, 4 "
                              "no answer in time, 5 the watched subscription was ended by the other side", 0);
}

std::string help_text(std::string_view name) {
  const Command* c = find_command(name);
  if (c == nullptr) return list_of_all();
  std::string text = "Usage: puactl " + with_operand(*c);
  for (const char* n = c->needed; *n != '\0'; n++)
    text.append(" --").append(option_of(*n).name).append(" ").append(option_of(*n).value);
  if (strlen(c->options) > strlen(c->needed)) text += " [OPTION ...]";
  text += "\n" + paragraph("", c->help, 0);
  for (const char* o = c->options; *o != '\0'; o++) text += line_of(option_of(*o));
  text += "With every command:\n";
  for (const char* o = kEverywhere; *o != '\0'; o++) text += line_of(option_of(*o));
  return text;
}

}  // namespace puactl
