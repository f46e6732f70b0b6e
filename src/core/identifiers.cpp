#include "core/identifiers.h"

#include <charconv>
#include <cstring>

#include "base/hex.h"

namespace pua {

void write_names(CallNumbers n, std::string_view host, char (&call_id)[kCallIdSize + 1], char (&from_tag)[9]) {
  char* p = write_hex(call_id, n.call, 16);
  *p++ = '@';
  host = host.substr(0, kMaxIdHost);
  memcpy(p, host.data(), host.size());
  p[host.size()] = 0;
  *write_hex(from_tag, n.tag, 8) = 0;
}

bool read_names(std::string_view call_id, std::string_view from_tag, std::string_view host, CallNumbers& out) {
  CallNumbers n;
  uint64_t tag = 0;
  if (call_id.size() < 17 || call_id[16] != '@' || call_id.substr(17) != host.substr(0, kMaxIdHost) || from_tag.size() != 8 ||
      !read_hex(call_id.substr(0, 16), n.call) || !read_hex(from_tag, tag))
    return false;
  n.tag = static_cast<uint32_t>(tag);
  out = n;
  return true;
}

std::string_view write_branch(HashKey key, const SipRequest& q, char (&out)[kBranchSize]) {
  uint64_t h = SipMac(key).add(q.method).add(q.call_id).add(q.from_tag).add(q.cseq).add(static_cast<uint64_t>(q.expires))
                   .add(q.uri).add(q.to_tag).add(q.contact).add(q.event).add(q.if_match).add(q.body).add(q.content_type)
                   .add(q.extra_headers).add(q.proxy).finish();
  memcpy(out, "z9hG4bK", 7);
  char* p = write_hex(out + 7, h, 16);
  p = std::to_chars(p, out + kBranchSize, q.cseq, 16).ptr;
  return {out, static_cast<size_t>(p - out)};
}

std::string branch_key_text(HashKey k) {
  char text[32];
  write_hex(write_hex(text, k.k0, 16), k.k1, 16);
  return {text, sizeof text};
}

bool read_branch_key(std::string_view text, HashKey& out) {
  HashKey k;
  if (text.size() != 32 || !read_hex(text.substr(0, 16), k.k0) || !read_hex(text.substr(16), k.k1)) return false;
  out = k;
  return true;
}

}  // namespace pua
