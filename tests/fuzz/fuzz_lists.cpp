// libFuzzer target: a multipart body, or a list of documents, as a notifier might send it. Bodies that are shown lie within the
// body; header fields lie within it or, unfolded, within the part's own head.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "events/lists.h"

namespace {

bool is_within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void within(std::string_view part, std::string_view whole) {
  if (!is_within(part, whole)) abort();
}

void within_either(std::string_view part, std::string_view whole, std::string_view head) {
  if (!is_within(part, whole) && !is_within(part, head)) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  size_t octets = 0;
  if (auto parts = pua::split_multipart("multipart/related;boundary=b", body)) {
    for (const pua::BodyPart& p : *parts) {
      within(p.body, body);
      within_either(p.content_type, body, *p.head);
      within_either(p.content_id, body, *p.head);
      octets += p.body.size();
    }
    if (octets > size || parts->size() > pua::kMaxParts) abort();
  }
  static pua::XmlReader reader;
  for (const char* type : {"multipart/related;boundary=b", "application/rlmi+xml"}) {
    pua::Status s = pua::read_list(reader, type, body, [&](const pua::ListedResource& r) {
      if (r.uri.empty()) abort();
      within(r.body, body);
    });
    if (!s && s.error().message.empty()) abort();
  }
  return 0;
}
