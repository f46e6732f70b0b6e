// libFuzzer target: a multipart body, or a list of documents, as a notifier might send it. What is shown lies within the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "events/lists.h"

namespace {

void within(std::string_view part, std::string_view whole) {
  if (part.empty()) return;
  if (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  size_t octets = 0;
  if (auto parts = pua::split_multipart("multipart/related;boundary=b", body)) {
    for (const pua::BodyPart& p : *parts) {
      within(p.body, body);
      within(p.content_type, body);
      within(p.content_id, body);
      octets += p.body.size();
    }
    if (octets > size || parts->size() > pua::kMaxParts) abort();
  }
  static pua::XmlReader reader;
  for (const char* type : {"multipart/related;boundary=b", "application/rlmi+xml"}) {
    pua::Status s = pua::read_list(reader, type, body, [&](const pua::ListedResource& r) {
      if (r.uri.empty() || r.list_uri.empty()) abort();
      within(r.body, body);
    });
    if (!s && s.error().message.empty()) abort();
  }
  return 0;
}
