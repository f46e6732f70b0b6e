#include "sip/way.h"

#include <algorithm>

#include "core/uri.h"

namespace pua {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 80)) + "\""; }

}  // namespace

Status keep_secure(const Target& target, Target& hop) {
  if (!target.sips && !hop.sips) return success();
  std::string_view transport = uri_param(hop, "transport");
  if (!transport.empty() && !same_word(transport, "tcp") && !same_word(transport, "tls"))
    return {Errc::bad_uri, "a sips: URI goes by TLS only, and the next hop " + quoted(hop.host) +
                               " is one by transport=" + std::string(transport)};
  if (hop.secure) return success();
  if (!hop.port.empty())
    return {Errc::bad_uri, "a sips: URI goes by TLS only, and the next hop " +
                               quoted(std::string(hop.host) + std::string(hop.tail)) +
                               " is a sip: address with a port: name it by sips:"};
  hop.scheme = "sips";
  hop.sips = hop.secure = true;
  return success();
}

Status write_contact(const Target& target, const Target& first_route, std::string_view contact, std::string& out) {
  out.assign(contact);
  if (contact.empty() || (!target.sips && !first_route.sips)) return success();
  auto c = parse_target(contact);
  if (!c) return c.error();
  if (c->sips) return success();
  if (!c->secure)
    return {Errc::bad_uri, "the Contact of a request to a sips: URI is one by sips:, and " + quoted(contact) + " is not"};
  std::string_view params = c->params;
  std::string_view head = contact.substr(c->scheme.size(), contact.size() - c->scheme.size() - c->tail.size());
  out.assign("sips").append(head);
  if (!c->port.empty()) out.append(":").append(c->port);
  while (!params.empty()) {
    std::string_view one = params.substr(0, params.find(';'));
    if (!same_word(one.substr(0, one.find('=')), "transport")) out.append(";").append(one);
    params.remove_prefix(std::min(one.size() + 1, params.size()));
  }
  return success();
}

}  // namespace pua
