#include "sip/route.h"

#include <algorithm>

#include "base/words.h"
#include "core/uri.h"
#include "sip/request.h"

namespace pua {
namespace {

// The '<' that is not in a quoted display name.
size_t find_open(std::string_view s) {
  for (size_t i = 0; i < s.size(); i++) {
    if (s[i] == '<') return i;
    if (s[i] != '"') continue;
    for (i++; i < s.size() && s[i] != '"'; i++)
      if (s[i] == '\\') i++;
  }
  return s.npos;
}

bool named(std::string_view param, std::string_view name) { return same_word(param.substr(0, param.find('=')), name); }

}  // namespace

std::string_view route_uri(std::string_view route) {
  size_t from = find_open(route), to = route.find('>', std::min(from, route.size()));
  return to == route.npos ? std::string_view() : trimmed(route.substr(from + 1, to - from - 1));
}

std::vector<std::string_view> split_routes(std::string_view s) {
  std::vector<std::string_view> out;
  bool quoted = false, bracket = false;
  size_t from = 0;
  for (size_t i = 0; i <= s.size(); i++) {
    char c = i < s.size() ? s[i] : ',';
    if (quoted && c == '\\' && i + 1 < s.size()) {
      i++;
      continue;
    }
    if (c == '"' && !bracket) quoted = !quoted;
    if (c == '<' && !quoted) bracket = true;
    if (c == '>' && !quoted) bracket = false;
    if (i < s.size() && (c != ',' || quoted || bracket)) continue;
    if (auto one = trimmed(s.substr(from, i - from)); !one.empty()) out.push_back(one);
    from = i + 1;
  }
  return out;
}

Status follow_routes(std::string_view target, std::string_view route_set, RoutedRequest& out) {
  auto routes = split_routes(route_set);
  std::string_view first = routes.empty() ? std::string_view() : route_uri(routes.front());
  Uri u;
  if (!read_uri(first, u)) first = u.bare;   // header fields of the URI mean nothing in a route (RFC 3261 section 19.1.1)
  auto hop = parse_target(first);
  if (!hop) return {Errc::bad_uri, "route set: " + hop.error().message};
  if (hop->host.empty()) return {Errc::bad_uri, "route set: \"" + std::string(first.substr(0, 80)) + "\" has no host"};
  bool loose = has_param(hop->params, "lr");
  out.hop.assign(hop->scheme).append(":").append(hop->host);
  if (!hop->port.empty()) out.hop.append(":").append(hop->port);
  for (std::string_view left = hop->params; !left.empty();) {
    std::string_view one = left.substr(0, left.find(';'));
    if (named(one, "transport") || named(one, "maddr")) out.hop.append(";").append(one);
    left.remove_prefix(std::min(one.size() + 1, left.size()));
  }
  if (loose) {
    out.uri.assign(target);
    out.routes.assign(route_set);
    return success();
  }
  out.uri.assign(first);
  out.routes.clear();
  for (size_t i = 1; i < routes.size(); i++) out.routes.append(routes[i]).append(", ");
  out.routes.append("<").append(target).append(">");
  return success();
}

}  // namespace pua
