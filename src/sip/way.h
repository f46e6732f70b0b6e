// The rule for sips: (RFC 3261 sections 8.1.1.8 and 8.1.2, RFC 5630): what it names is reached by TLS, or not at all. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sip/request.h"

namespace pua {

// May a request go this way, and how?
//   target   URI that the request is for, parsed: the Request-URI before a strict router takes its place
//   hop      next hop, parsed: first route, proxy, or the target itself. Where TLS is called for and the hop leaves that open
//            ("sip:" without port, and without a transport or with TCP), it is made a sips: hop.
// Errors: bad_uri: sips: in target or hop, and the hop names a transport that has no TLS (udp, sctp, ws), or is a sip: address
// with a port, which is the port of something else. The message says so.
Status keep_secure(const Target& target, Target& hop);

// The Contact of a request to such a target and first route (none: the default Target), written to `out`. Where either is
// sips:, it is sips: too: an address of ours that is "sip:...;transport=tls" is written as "sips:..."; of a request to sip: it
// stays as it is. Errors: bad_uri (a Contact that is not reached by TLS).
Status write_contact(const Target& target, const Target& first_route, std::string_view contact, std::string& out);

}  // namespace pua
