// From a SipRequest to what sofia is given: the header block, the target, the next hop. Pure text work, no stack.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/sip_port.h"

namespace pua {

// What the choice of a socket and of credentials needs to know of a URI. Views into the URI.
struct Target {
  enum class Family : uint8_t { Any, V4, V6 };
  std::string_view host;       // with the brackets of an IPv6 literal
  std::string_view scheme;     // as written
  std::string_view tail;       // what follows the host: port and parameters
  std::string_view port, params;  // of the tail: digits; behind the first ';'
  Family family = Family::Any; // of a literal address
  bool sips = false;           // by its scheme
  bool secure = false;         // sips:, or transport=tls
};

// Errors: bad_uri (read_uri of core/uri.h cannot read it, a "?headers" part, too long).
Result<Target> parse_target(std::string_view uri);

// Value of a parameter of the URI, "" where it has none or the URI has no such parameter. name: lower case.
std::string_view uri_param(const Target&, std::string_view name);

// The URI to be given to sofia as next hop, written to `out`: of `hop`, the proxy parsed, or without one the Request-URI, what
// matters for the way: scheme, host, port, transport, maddr. sips: is TLS whatever transport it names (RFC 5630 section 3.1.3).
// "localhost" is the loopback address (RFC 6761 section 6.3; sofia would ask the DNS for it), and pres: goes to the domain's
// SIP servers. Errors: bad_uri (a tel: URI and no proxy; sofia cannot read it).
Status next_hop(const Target& hop, std::string& out);

// Checks what would break the message: CR, LF or NUL in a field, an empty mandatory field. Extra headers were checked
// when they were accepted (core/validate.h); here only that the block does not end early.
// Errors: bad_argument, bad_header.
Status check_request(const SipRequest&);

// What sofia adds by itself to a request that goes through it.
struct OwnHeaders {
  std::string_view user_agent;   // empty: none
};

// Appends the header fields that we decide, each line ending in CRLF, in the order in which sofia sends them: Route, From, To,
// Call-ID, CSeq, Contact, Expires, Accept, Event, Allow-Events, SIP-If-Match, Content-Type, then the extra ones. routes,
// contact: as they go out (sip/route.h; of the request or of the listener), empty: none. own: the block is to be whole without
// sofia, with Max-Forwards, User-Agent and Content-Length; null: sofia adds these. URIs are written by write_uri(), and so must
// be the Request-URI in the first line.
void write_headers(const SipRequest&, uint32_t cseq, std::string_view routes, std::string_view contact, std::string& out,
                   const OwnHeaders* own = nullptr);

// A SipRequest with its own copy of the text, for requests that may have to be sent again. Stays where it is: the views
// point into it.
class KeptRequest {
 public:
  KeptRequest() = default;
  KeptRequest(const KeptRequest&) = delete;
  KeptRequest& operator=(const KeptRequest&) = delete;
  void keep(const SipRequest&);  // replaces what was kept; reuses the memory
  void clear() { view_ = SipRequest{}; }
  const SipRequest& view() const { return view_; }

 private:
  std::string text_;
  SipRequest view_;
};

}  // namespace pua
