// libFuzzer target: text as owners and servers may write it, through the reader of URIs and all that goes out again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/uri.h"
#include "core/validate.h"
#include "sip/header_text.h"
#include "sip/raw_message.h"
#include "sip/request.h"
#include "sip/way.h"

namespace {

void require(bool ok) {
  if (!ok) abort();
}

bool clean(std::string_view s) {
  for (char c : s)
    if (!pua::raw_in_uri(c)) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string out, routes;
  pua::write_uri(text, out);
  require(clean(out));
  pua::write_routes(text, routes);
  require(routes.size() >= text.size());
  std::string_view contact = pua::first_contact_uri(text);
  require(contact.empty() || (contact.data() >= text.data() && contact.data() + contact.size() <= text.data() + text.size()));

  pua::Uri u;
  if (pua::read_uri(text, u)) {
    require(!pua::check_uri("uri", text).ok() && !pua::parse_target(text).ok());
    return 0;
  }
  // The parts are the text.
  std::string sum = std::string(u.scheme) + ":" + std::string(u.user);
  if (u.has_password) sum += ":" + std::string(u.password);
  if (u.has_user) sum += "@";
  sum += std::string(u.host) + std::string(u.tail);
  require(sum == u.bare);
  if (u.has_headers) sum += "?" + std::string(u.headers);
  require(sum == text);

  if (!pua::check_uri("uri", text).ok()) return 0;
  auto t = pua::parse_target(text);
  require(t.ok());
  // Whatever was accepted is given to sofia without a change, and its next hop is one that sofia reads, or a clear refusal.
  pua::RawMessage raw(out, "From: <" + out + ">;tag=1\r\n");
  require(std::string(raw.url().url_scheme) + ":" + raw.url().url_host == out);
  pua::Target hop = *t;
  auto secure = pua::keep_secure(*t, hop);
  require(!secure.ok() || !t->sips || hop.secure);
  std::string next, own;
  auto found = pua::next_hop(hop, next);
  require(!found.ok() || pua::readable_url(next));
  if (pua::write_contact(*t, {}, text, own) && t->sips) require(pua::parse_target(own).ok() && pua::parse_target(own)->sips);
  return 0;
}
