#include "api/c_notify_fields.h"

#include <algorithm>

namespace pua {

namespace {

constexpr int64_t kMaxDelta = 0xffffffff;  // RFC 3261 section 20.19: delta-seconds go up to 2**32 - 1

char low(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lowered(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), low);
  return out;
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool is_token(std::string_view s) {
  constexpr std::string_view kMarks = "-.!%*_+`'~";
  return !s.empty() && std::all_of(s.begin(), s.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kMarks.find(c) != kMarks.npos;
  });
}

// Up to `end`, outside of quoted strings; npos: it does not come. A quoted string that does not end has none.
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

bool is_quoted_string(std::string_view s) {
  if (s.size() < 2 || s.front() != '"' || s.find_first_of(std::string_view("\r\n\0", 3)) != s.npos) return false;
  size_t i = 1;
  while (i < s.size() && s[i] != '"') i += s[i] == '\\' ? 2 : 1;
  return i == s.size() - 1;
}

struct Parameter {
  std::string_view name, value;  // value empty: none
};

// Cuts the first part off: up to the next ';'.
std::string_view next_part(std::string_view& rest) {
  size_t end = std::min(find_unquoted(rest, ';'), rest.size());
  std::string_view part = trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// name[=value], both without white space around.
bool split(std::string_view part, Parameter& out) {
  size_t eq = part.find('=');
  out.name = trimmed(part.substr(0, eq));
  out.value = eq == part.npos ? std::string_view() : trimmed(part.substr(eq + 1));
  if (eq != part.npos && out.value.empty()) return false;
  return is_token(out.name) && (out.value.empty() || is_token(out.value) || is_quoted_string(out.value) ||
                                out.value.find_first_of(" \t\r\n\",;") == out.value.npos);  // a host, as [2001:db8::1]
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
  if (trimmed(value).ends_with(';')) return false;
  std::string_view package = next_part(value);
  if (!is_token(package)) return false;
  event = package;
  bool id_seen = false;
  while (!value.empty()) {
    std::string_view part = next_part(value);
    Parameter p;
    if (!split(part, p)) return false;
    if (lowered(p.name) != "id") {
      event.append(";").append(p.name);
      if (!p.value.empty()) event.append("=").append(p.value);
      continue;
    }
    if (id_seen || !is_token(p.value)) return false;
    id_seen = true;
    id = p.value;
  }
  return true;
}

bool parse_subscription_state(std::string_view value, SubscriptionState& out) {
  out = SubscriptionState{};
  if (trimmed(value).ends_with(';')) return false;
  std::string_view state = next_part(value);
  if (!is_token(state)) return false;
  out.state = lowered(state);
  while (!value.empty()) {
    Parameter p;
    if (!split(next_part(value), p)) return false;
    std::string name = lowered(p.name);
    if (name == "reason") {
      if (!out.reason.empty() || !is_token(p.value)) return false;
      out.reason = lowered(p.value);
    } else if (name == "expires") {
      if (out.expires >= 0 || !delta_seconds(p.value, out.expires)) return false;
    } else if (name == "retry-after") {
      if (out.retry_after >= 0 || !delta_seconds(p.value, out.retry_after)) return false;
    }
  }
  return true;
}

}  // namespace pua
