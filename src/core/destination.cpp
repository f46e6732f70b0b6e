#include "core/destination.h"

#include <algorithm>

namespace pua {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

void append_folded(std::string& out, std::string_view s) {
  for (char c : s) out += lower(c);
}

// Of ";name=value;flag": the value of this parameter.
std::string_view param(std::string_view params, std::string_view name) {
  while (!params.empty()) {
    params.remove_prefix(1);
    std::string_view one = params.substr(0, params.find(';'));
    params.remove_prefix(one.size());
    size_t equals = one.find('=');
    if (equals != one.npos && same(one.substr(0, equals), name)) return one.substr(equals + 1);
  }
  return {};
}

bool is_address(std::string_view host) {
  return host.starts_with('[') || host.find_first_not_of("0123456789.") == host.npos;
}

}  // namespace

void write_destination(std::string_view uri, std::string& out) {
  out.clear();
  std::string_view scheme = uri.substr(0, std::min(uri.find(':'), uri.size()));
  uri.remove_prefix(std::min(scheme.size() + 1, uri.size()));
  if (same(scheme, "tel")) return append_folded(out, uri);   // a number goes nowhere without a proxy
  if (size_t at = uri.rfind('@'); at != uri.npos) uri.remove_prefix(at + 1);
  uri = uri.substr(0, uri.find_first_of("?>"));
  std::string_view params = uri.substr(std::min(uri.find(';'), uri.size()));
  std::string_view host = uri.substr(0, uri.size() - params.size()), port;
  size_t end = host.starts_with('[') ? host.find(']') : 0;
  if (size_t colon = host.find(':', end == host.npos ? 0 : end); colon != host.npos) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (std::string_view maddr = param(params, "maddr"); !maddr.empty()) host = maddr;
  std::string_view transport = param(params, "transport");
  bool secure = same(scheme, "sips") || same(transport, "tls");
  if (secure) transport = "tls";
  // An address leaves nothing to the DNS, and a port leaves no more than the address to it: what they mean is understood.
  bool address = is_address(host);
  if ((address || !port.empty()) && same(transport, "udp")) transport = {};
  if (address && port == (secure ? "5061" : "5060")) port = {};
  append_folded(out, host);
  if (!port.empty()) append_folded(out += ':', port);
  if (!transport.empty()) append_folded(out += ";transport=", transport);
}

std::string_view first_route(std::string_view route_set) {
  size_t open = route_set.find('<'), close = route_set.find('>');
  return open < close && close != route_set.npos ? route_set.substr(open + 1, close - open - 1) : std::string_view();
}

}  // namespace pua
