// Replies that the scanner understood: what the engine wants to know of them, without sofia. The counterpart of reply.h, which
// reads everything else; of what both understand both say the same.
#pragma once

#include <memory>
#include <string_view>

#include "core/sip_port.h"

namespace pua {

struct Scan;

// Fills status, reason, expires, etag, min_expires, retry_after, and for SUBSCRIBE to_tag and contact, from a 2xx. The views
// point into the message. false: a field is not of the plain form, `out` is not to be used.
bool read_plain_reply(const Scan&, std::string_view method, SipReply& out);

// The message as octets, read by sofia's parser when somebody asks for a header field. null: no memory.
std::shared_ptr<const ReplyMessage> keep_octets(std::string_view message);

}  // namespace pua
