// URIs, taken apart. All rooms read URIs by this. The parts are views into the text as it is: nothing is unescaped, folded to
// small letters, or copied. What goes out is what came in, because "sip:a%3Bb@h" and "sip:a;b@h" are two presentities (RFC 3261
// section 19.1.4).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/words.h"

namespace pua {

enum class Scheme : uint8_t { Sip, Sips, Pres, Tel, Other };

struct Uri {
  Scheme kind = Scheme::Other;
  std::string_view scheme;    // as written
  std::string_view user;      // before '@', without the password; of tel: the number; of other schemes: all behind the ':'
  std::string_view password;  // behind the first ':' of the user part
  std::string_view host;      // with the brackets of an IPv6 address; tel: and others have none
  std::string_view port;      // digits, or "*" in an address to listen on
  std::string_view params;    // behind the first ';': "lr;transport=tcp"
  std::string_view headers;   // behind '?'
  std::string_view tail;      // what follows host or number, up to the headers: ":5060;lr"
  std::string_view bare;      // the URI without its header part, which a Request-URI must not have (section 19.1.1)
  bool has_user = false, has_password = false, has_headers = false;
};

// Reads URIs of RFC 3261 sections 19.1 and 25.1, RFC 3859 and RFC 3966, liberally: the user part ends at the first '@', may be
// empty, and may hold ';', '?', '/' and '#'; octets that must not stand raw (raw_in_uri) are let through in user, password,
// number and parameters. URIs of other schemes are only cut into scheme and rest.
// Returns null, and `out` is filled; else what is wrong, to be put behind the name of the field: " has no host". Refused are
// control characters, blanks, quotes and angle brackets; '%' without two hexadecimal digits; hosts, ports and schemes that are
// not well-formed (no octet of theirs may be escaped); more than one '@'.
const char* read_uri(std::string_view text, Uri& out);

// The URI of the first element of a Contact, name-addr or addr-spec ("\"x\" <sip:a@h?y=z>;q=1, <sip:b@h>"), without its header
// part, which a Request-URI must not have; if the URI cannot be read, all of it. "": there is none, or it is "*".
std::string_view first_contact_uri(std::string_view contact);

// Whether the host is written like an IPv4 address: in digits and dots, which no name is.
inline bool is_ipv4_text(std::string_view host) {
  for (char c : host)
    if ((c < '0' || c > '9') && c != '.') return false;
  return true;
}

// Whether this octet may stand in user, password, number and parameters of a URI without an escape: letters, digits, -_.!~*'()
// ;/?:@&=+$, % [ ].
bool raw_in_uri(char c);

// Appends the URI as it goes out: octets that must not stand raw are escaped ('#' as "%23", UTF-8 octet by octet), all others
// are as they came. This is the same for every scheme and every field.
void write_uri(std::string_view uri, std::string& out);
// Does so for the URIs of a list of routes, which stand in angle brackets: "<sip:a;lr>, \"x\" <sip:b>;y=1".
void write_routes(std::string_view routes, std::string& out);

// The value of a parameter among `params`; "": it has none, or is not there. The case of names does not count. name: in small
// letters.
std::string_view param_value(std::string_view params, std::string_view name);
bool has_param(std::string_view params, std::string_view name);

}  // namespace pua
