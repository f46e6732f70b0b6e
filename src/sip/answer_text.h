// Answers to requests as text, made from the request without any state (RFC 3261 sections 8.2.6, 8.2.7 and 18.2, RFC 3581).
#pragma once

#include <string>
#include <string_view>

#include "base/hash.h"
#include "core/notify_port.h"
#include "sip/net_address.h"

namespace pua {

struct Scan;

// The head of a message whose lines are folded or end otherwise than in CRLF, as plain lines: what an answer to it is made
// from.
std::string plain_head(std::string_view message);

// Appends the answer: status line, every Via, From, To, Call-ID and CSeq as they came, answer.headers, Content-Length: 0. Where
// From, To, Call-ID or CSeq is missing in the request, it is missing in the answer, too. A To without tag gets one, the same
// for the same request.
// to: where the request came from; over UDP it becomes where the answer goes (the port of the Via, unless it asks for rport).
// false: it has no Via, nothing can be answered.
bool append_answer(const Scan& request, const NotifyAnswer& answer, HashKey tags, bool datagram, NetAddress& to,
                   std::string& out);

}  // namespace pua
