#include "core/notify_fields.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/words.h"
#include "core/uri.h"

namespace pua {

namespace {

constexpr int64_t kMaxDelta = 0xffffffff;  // RFC 3261 section 20.19: delta-seconds go up to 2^32 - 1

char low(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lowered(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), low);
  return out;
}

// Where `end` stands outside of quoted strings; npos: nowhere. A quoted string that does not end goes on to the end of the
// text.
size_t find_unquoted(std::string_view s, char end) {
  bool quoted = false;
  for (size_t i = 0; i < s.size(); i++) {
    if (quoted && s[i] == '\\') {
      i++;
    } else if (s[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && s[i] == end) {
      return i;
    }
  }
  return std::string_view::npos;
}

struct Parameter {
  std::string_view name, value;  // value empty: none
};

// Cuts off the first part, up to the next ';' outside of quoted strings.
std::string_view next_part(std::string_view& rest) {
  size_t end = std::min(find_unquoted(rest, ';'), rest.size());
  std::string_view part = trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// Reads name[=value], without blanks around the two and quotes around the value.
Parameter split(std::string_view part) {
  size_t eq = part.find('=');
  Parameter out{trimmed(part.substr(0, eq)), {}};
  if (eq != part.npos) out.value = trimmed(part.substr(eq + 1));
  if (out.value.size() >= 2 && out.value.front() == '"' && out.value.back() == '"')
    out.value = trimmed(out.value.substr(1, out.value.size() - 2));
  return out;
}

bool delta_seconds(std::string_view s, int64_t& out) {
  if (s.empty() || !std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  out = 0;
  for (char c : s) out = std::min(out * 10 + (c - '0'), kMaxDelta);
  return true;
}

}  // namespace

bool parse_event_value(std::string_view value, std::string& event, std::string& id) {
  event.clear();
  id.clear();
  std::string_view package = next_part(value);
  if (!is_token(package)) return false;
  event = package;
  while (!value.empty()) {
    Parameter p = split(next_part(value));
    if (!is_token(p.name)) continue;
    if (lowered(p.name) == "id") {
      if (!p.value.empty() && !is_token(p.value)) return false;
      if (id.empty()) id = p.value;
      continue;
    }
    event.append(";").append(p.name);
    if (is_token(p.value)) event.append("=").append(p.value);
  }
  return true;
}

bool parse_subscription_state(std::string_view value, SubscriptionState& out) {
  out = SubscriptionState{};
  // Some notifiers write the value in quotes, or put blanks, commas or colons where a semicolon should be.
  constexpr std::string_view kBetween = " \t,:\"";
  std::string_view first = next_part(value);
  first.remove_prefix(std::min(first.find_first_not_of('"'), first.size()));
  std::string_view state = first.substr(0, first.find_first_of(kBetween));
  if (!is_token(state)) return false;
  out.state = lowered(state);
  first.remove_prefix(state.size());
  first.remove_prefix(std::min(first.find_first_not_of(kBetween), first.size()));
  if (!first.empty() && first.find('=') == first.npos) return false;   // of two words nobody knows which one counts
  while (!first.empty() || !value.empty()) {
    Parameter p = split(first.empty() ? next_part(value) : std::exchange(first, {}));
    std::string name = lowered(p.name);
    if (name == "reason" && out.reason.empty() && is_token(p.value)) out.reason = lowered(p.value);
    else if (name == "expires" && out.expires < 0) delta_seconds(p.value, out.expires);
    else if (name == "retry-after" && out.retry_after < 0) delta_seconds(p.value, out.retry_after);
  }
  return true;
}

std::string_view parameter_of(std::string_view value, std::string_view name) {
  next_part(value);
  while (!value.empty())
    if (Parameter p = split(next_part(value)); same_word(p.name, name)) return p.value;
  return {};
}

std::string_view header_block(std::string_view message) {
  size_t start = message.find('\n');
  if (start == message.npos) return {};
  message.remove_prefix(start + 1);
  size_t end = 0;
  while (end < message.size()) {
    size_t line = message.find('\n', end);
    if (line == message.npos || line >= kMaxShownOctets) break;
    if (message.substr(end, line - end).find_first_not_of('\r') == message.npos) break;   // the empty line
    end = line + 1;
  }
  return message.substr(0, end);
}

std::string_view unfolded_block(std::string_view block, std::string& storage) {
  auto folded = [&](size_t i) {
    return block[i] == '\n' && i + 1 < block.size() && (block[i + 1] == ' ' || block[i + 1] == '\t');
  };
  bool any = false;
  for (size_t i = 0; i < block.size() && !any; i++) any = folded(i);
  if (!any) return block;
  storage.clear();
  for (size_t i = 0; i < block.size(); i++) {
    if (folded(i)) {
      if (storage.ends_with('\r')) storage.pop_back();
    } else {
      storage += block[i];
    }
  }
  return storage;
}

size_t split_headers(std::string_view block, HeaderField* out) {
  size_t n = 0;
  while (!block.empty() && n < kMaxShownHeaders) {
    size_t end = std::min(block.find('\n'), block.size());
    std::string_view line = block.substr(0, end);
    block.remove_prefix(std::min(end + 1, block.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    size_t name = 0;
    while (name < line.size() && is_token_char(line[name])) name++;
    size_t colon = name;   // blanks may stand before it (RFC 3261 section 25.1, HCOLON)
    while (colon < line.size() && kLinearWhite.has(line[colon])) colon++;
    if (name == 0 || colon == line.size() || line[colon] != ':') continue;
    out[n++] = {line.substr(0, name), trimmed(line.substr(colon + 1))};
  }
  return n;
}

bool has_header(std::string_view lines, std::string_view name) {
  HeaderField fields[kMaxShownHeaders];
  size_t count = split_headers(lines, fields);
  return std::any_of(fields, fields + count, [&](const HeaderField& f) { return same_word(f.name, name); });
}

std::string_view without_content_fields(std::string_view lines, std::string& storage) {
  constexpr std::string_view kContent = "Content-";
  storage.clear();
  bool of_body = false, any = false;
  for (std::string_view rest = lines; !rest.empty();) {
    std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1);
    rest.remove_prefix(line.size());
    if (line[0] != ' ' && line[0] != '\t') {   // else the line belongs to the field before it
      std::string_view name = trimmed(line.substr(0, line.find(':')));
      of_body = same_word(name.substr(0, kContent.size()), kContent) || same_word(name, "e");   // "e" is Content-Encoding
    }
    any |= of_body;
    if (!of_body) storage.append(line);
  }
  return any ? std::string_view(storage) : lines;
}

// Whether `is` holds for an element of a list with commas; elements are shown to it without their parameters.
static bool any_element(std::string_view list, const std::function<bool(std::string_view)>& is) {
  while (!list.empty()) {
    size_t end = std::min(find_unquoted(list, ','), list.size());
    std::string_view element = list.substr(0, end);
    if (is(trimmed(element.substr(0, element.find(';'))))) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

bool asks_for_list(std::string_view lines) {
  HeaderField fields[kMaxShownHeaders];
  size_t count = split_headers(lines, fields);
  return std::any_of(fields, fields + count, [](const HeaderField& f) {
    bool supported = same_word(f.name, "Supported") || same_word(f.name, "k");
    return supported && any_element(f.value, [](std::string_view option) { return same_word(option, "eventlist"); });
  });
}

bool asks_for_type(std::string_view lines, std::string_view content_type) {
  std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
  if ((same_word(type, "multipart/related") || same_word(type, "application/rlmi+xml")) && asks_for_list(lines)) return true;
  auto names_it = [&](std::string_view range) {
    bool all = range.size() >= 2 && range.ends_with("/*");
    return same_word(range, type) || range == "*/*" ||
           (all && same_word(range.substr(0, range.size() - 1), type.substr(0, range.size() - 1)));
  };
  HeaderField fields[kMaxShownHeaders];
  size_t count = split_headers(lines, fields);
  return std::any_of(fields, fields + count,
                     [&](const HeaderField& f) { return same_word(f.name, "Accept") && any_element(f.value, names_it); });
}

}  // namespace pua
