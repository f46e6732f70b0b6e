#include "sip/reply_scan.h"

#include <sofia-sip/msg.h>

#include <string>

#include "sip/header_text.h"
#include "sip/reply.h"
#include "sip/scan.h"

namespace pua {
namespace {

class OctetReply : public ReplyMessage {
 public:
  explicit OctetReply(std::string_view octets) : octets_(octets) {}
  bool header(std::string_view name, std::string& out) const override {
    msg_s* msg = parse_reply(octets_);
    if (!msg) return false;
    bool found = WireReply(msg).header(name, out);
    msg_destroy(msg);
    return found;
  }

 private:
  std::string octets_;
};

// An absent field leaves `out` as it is.
bool seconds(const Scan& s, Field f, int64_t& out) { return !s.has(f) || read_number(s[f], out); }

}  // namespace

bool read_plain_reply(const Scan& s, std::string_view method, SipReply& out) {
  out.status = s.status;
  out.reason = s.reason;
  out.origin = ReplyOrigin::Wire;
  if (!seconds(s, Field::Expires, out.expires) || !seconds(s, Field::MinExpires, out.min_expires) ||
      !seconds(s, Field::RetryAfter, out.retry_after))
    return false;
  if (s.has(Field::Etag)) {
    if (!is_word(s[Field::Etag], kMaxEtag)) return false;
    out.etag = s[Field::Etag];
  }
  if (method != "SUBSCRIBE") return true;
  return read_tag(s[Field::To], out.to_tag) && (!s.has(Field::Contact) || read_contact(s[Field::Contact], out.contact));
}

std::shared_ptr<const ReplyMessage> keep_octets(std::string_view message) { return std::make_shared<OctetReply>(message); }

}  // namespace pua
