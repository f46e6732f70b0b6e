// libFuzzer target: bytes as they might come from a server, through the code that reads replies.
#include <sofia-sip/msg.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/su_log.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sip/digest.h"
#include "sip/reply.h"

namespace {

void require(bool ok) {
  if (!ok) abort();
}

bool one_line(std::string_view s) { return s.find_first_of("\r\n") == std::string_view::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  su_log_set_level(su_log_default, 0);
  msg_t* msg = pua::parse_reply(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!msg) return 0;
  pua::SipReply r;
  pua::read_reply(msg, sip_object(msg), r);
  require(r.etag.size() <= pua::kMaxEtag && one_line(r.etag));
  require(r.expires >= -1 && r.expires <= 0x7fffffff);
  require(r.min_expires >= -1 && r.retry_after >= -1);

  // A challenge is answered, or not; again and again, so that there is a nonce to compare with, but not for ever.
  pua::Digest digest({{"*", "user", "password"}});
  pua::AuthTrail trail;
  pua::Target server = *pua::parse_target("sip:a@example.com");
  for (int i = 0;; i++) {
    require(i <= pua::Digest::kMaxRetries + 1);
    if (digest.challenge(sip_object(msg), {server, server}, trail) != pua::Digest::Verdict::Retry) break;
    std::string lines;
    digest.authorize({server, server}, "PUBLISH", "sip:a@example.com", "body", lines, trail);
    while (!lines.empty()) {  // nothing that a server put into its challenge makes a line of its own
      size_t end = lines.find("\r\n");
      require(end != std::string::npos && one_line(std::string_view(lines).substr(0, end)));
      require(lines.starts_with("Authorization: Digest ") || lines.starts_with("Proxy-Authorization: Digest "));
      lines.erase(0, end + 2);
    }
  }

  msg_destroy(msg);  // the reply holds its own reference
  for (const char* name : {"SIP-ETag", "Expires", "Via", "v", "Contact", "WWW-Authenticate", "X-Unknown", "Warning", "Server", ""}) {
    std::string value;
    if (r.message->header(name, value)) require(one_line(value));
  }
  return 0;
}
