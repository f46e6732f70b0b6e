#include "sip/route.h"

#include <strings.h>

#include "sip/request.h"

namespace pua {
namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// What stands between the brackets.
std::string_view uri_of(std::string_view route) {
  size_t from = route.find('<'), to = route.rfind('>');
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return {};
  return trim(route.substr(from + 1, to - from - 1));
}

bool named(std::string_view param, std::string_view name) {
  std::string_view key = param.substr(0, param.find('='));
  return key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0;
}

template <class F>
void each_param(std::string_view tail, F f) {  // tail: ":5060;lr;transport=tcp"
  for (size_t p = tail.find(';'); p != std::string_view::npos; p = tail.find(';', p + 1)) {
    std::string_view param = tail.substr(p + 1);
    f(param.substr(0, param.find(';')));
  }
}

}  // namespace

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
    if (auto one = trim(s.substr(from, i - from)); !one.empty()) out.push_back(one);
    from = i + 1;
  }
  return out;
}

Status follow_routes(std::string_view target, std::string_view route_set, RoutedRequest& out) {
  auto routes = split_routes(route_set);
  std::string_view first = routes.empty() ? std::string_view() : uri_of(routes.front());
  auto hop = parse_target(first);
  if (!hop) return {Errc::bad_uri, "route set: " + hop.error().message};
  bool loose = false;
  std::string_view port = hop->tail.substr(0, hop->tail.find(';'));
  out.hop.assign(hop->scheme).append(":").append(hop->host).append(port);
  each_param(hop->tail, [&](std::string_view p) {
    if (named(p, "lr")) loose = true;
    if (named(p, "transport") || named(p, "maddr")) out.hop.append(";").append(p);
  });
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
