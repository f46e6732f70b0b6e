// Reading of SIP replies: what the engine wants to know of one, and the message itself for everything else.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/etag.h"
#include "core/sip_port.h"

struct msg_s;
struct sip_s;

namespace pua {

// The headers of a received reply. Holds a reference of its own to sofia's message: may outlive the stack.
class WireReply : public ReplyMessage {
 public:
  explicit WireReply(msg_s* msg);  // takes a new reference
  ~WireReply() override;
  WireReply(const WireReply&) = delete;
  WireReply& operator=(const WireReply&) = delete;

  // name: long or compact form. out: the value as text, unfolded; of a comma-separated list the first element.
  bool header(std::string_view name, std::string& out) const override;

  // What a reply to a SUBSCRIBE says of the dialog: to_tag, contact (2xx, 3xx), route_set (2xx; RFC 3261 section 12.1.2).
  // Of a 2xx with a Record-Route that cannot be kept no to_tag: it makes no dialog.
  // The views live as long as this object.
  void read_dialog(SipReply& out);
  // SIP-ETag, unfolded: etag, or etag_unusable. The view lives as long as this object.
  void read_etag(SipReply& out);

 private:
  msg_s* msg_;
  std::string etag_, contact_, route_set_;
};

// Fills status, reason, expires, etag, min_expires, retry_after and message, and of a reply to a SUBSCRIBE what it says of
// the dialog. The views point into the message.
// Header fields that are missing or not readable stay at "none" (RFC 3903 section 6 tells what then).
void read_reply(msg_s* msg, const sip_s* sip, SipReply& out);

// Parses one datagram as a SIP reply. null: not a reply, or not readable. The caller destroys the message (msg_destroy).
msg_s* parse_reply(std::string_view bytes);

}  // namespace pua
