#include "control/filters.h"

#include <fnmatch.h>
#include <strings.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "control/sources.h"

namespace pua {

bool matches_pattern(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return true;
  return pattern.size() <= 64 && std::count(pattern.begin(), pattern.end(), '*') <= 4 &&
         fnmatch(std::string(pattern).c_str(), std::string(name).c_str(), 0) == 0;
}

std::string known_names(std::string_view typed, std::string_view separated) {
  Nearest near(typed);
  for (std::string_view rest = separated; !rest.empty();) {
    size_t end = std::min(rest.find(", "), rest.size());
    near.offer(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  // In front of the list, or it would look like a part of its last name.
  std::string question = near.question();
  return (question.empty() ? "known are " : question + " Known are ") + std::string(separated);
}

static std::string joined(const std::vector<std::string_view>& names) {
  std::string all;
  for (std::string_view n : names) all.append(all.empty() ? "" : ", ").append(n);
  return all;
}

void unknown_event(const ControlContext& context, Call& call, std::string_view name) {
  // By their own names: Allow-Events has only what stands before a ';'.
  std::vector<std::string_view> names;
  for (int bit = 0; bit < 31; bit++) {
    if (const EventInfo* event = context.events.by_flag(int32_t{1} << bit)) names.push_back(event->name);
  }
  call.error(400, "Unknown event", known_names(name, joined(names)));
}

bool read_event(ControlContext& context, std::string_view name, Call& call, int32_t& out) {
  if (name.empty()) return true;
  const EventInfo* event = context.events.by_name(name);
  if (event == nullptr) {
    unknown_event(context, call, name);
    return false;
  }
  out = event->flag;
  return true;
}

bool read_source(const Params& p, size_t index, Call& call, int32_t& out) {
  if (!p.has(index)) return true;
  out = source_from(p.text(index));
  if (out != 0) return true;
  call.error(rpc::kInvalidParams, "Invalid params: source: no such source", known_names(p.text(index), joined(source_names())));
  return false;
}

bool read_kind(const Params& p, size_t index, Call& call, std::optional<Kind>& out) {
  if (!p.has(index)) return true;
  std::string_view text = p.text(index);
  if (text == "publication" || text == "subscription") {
    out = text == "publication" ? Kind::Publication : Kind::Subscription;
    return true;
  }
  call.error(rpc::kInvalidParams, "Invalid params: kind: must be publication or subscription");
  return false;
}

bool read_state(const Params& p, size_t index, std::optional<Kind> kind, Call& call, std::string_view& out) {
  out = p.text(index);
  if (out.empty()) return true;
  std::vector<std::string_view> names = state_names(kind);
  if (std::find(names.begin(), names.end(), out) != names.end()) return true;
  call.error(rpc::kInvalidParams, "Invalid params: state: no such state", known_names(out, joined(names)));
  return false;
}

// Whether a URI of ours may begin so (whole: be that).
static bool begins_a_uri(std::string_view text, bool whole) {
  for (std::string_view scheme : {"sip:", "sips:", "pres:", "tel:"}) {
    size_t n = whole ? scheme.size() : std::min(scheme.size(), text.size());
    if (text.size() >= n + (whole ? 1 : 0) && strncasecmp(text.data(), scheme.data(), n) == 0) return true;
  }
  return false;
}

bool read_pattern(std::string_view param, std::string_view text, Call& call) {
  if (text.empty()) return true;
  const bool open = text.ends_with('*');
  std::string_view head = text.substr(0, text.size() - (open ? 1 : 0));
  // A user part may hold stars ("sip:*97@h"), but one in front of the host is meant for a pattern that we do not have.
  if (begins_a_uri(head, !open) && head.find("*@") == head.npos) return true;
  call.error(rpc::kInvalidParams, "Invalid params: " + std::string(param) + ": matches no URI",
             "a URI begins with sip:, sips:, pres: or tel:, and a * at the very end matches any rest: \"sip:al*\"");
  return false;
}

}  // namespace pua
