// Fuzz: body processing of all event packages. First octet: the event; second: whether an id was in use. A document that was
// completed must be taken as complete the second time, and still be well-formed.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "events/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static pua::Registry registry;  // kept: its reader is used again and again, as in a server
  if (size < 2) return 0;
  pua::BodyRequest r;
  r.event = 1 << (data[0] % 9);
  r.body = {reinterpret_cast<const char*>(data) + 2, size - 2};
  r.pres_uri = "sip:al&ice@example.com";
  r.version = 7;
  std::string out, tuple = data[1] & 1 ? "phone" : "";
  bool unchanged = false;
  auto s = registry.process(r, out, unchanged, tuple);
  if (!s) {
    if (s.error().message.empty() || s.error().message.size() > 1000) abort();
    return 0;
  }
  if (unchanged) return 0;
  std::string again, before = tuple;
  r.body = out;
  s = registry.process(r, again, unchanged, tuple);
  bool bound = !s && (s.error().message.find("attributes") != std::string::npos || s.code() == pua::Errc::too_large);
  if ((!s && !bound) || (s.ok() && (!unchanged || tuple != before))) {
    fprintf(stderr, "not stable: %s\n%s\n%s\n", s ? "" : s.error().message.c_str(), out.c_str(), again.c_str());
    abort();
  }
  return 0;
}
