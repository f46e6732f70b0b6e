// Header fields of sofia's messages as text of one line, and what of Contact and Record-Route may go back into a request.
#pragma once

#include <string>
#include <string_view>

union msg_header_u;
struct sip_contact_s;
struct sip_route_s;

namespace pua {

// Visible ASCII only and no more than `max` octets: what may be kept, compared and sent back as one word.
bool is_word(std::string_view s, size_t max);

// A tag, and one that a row takes.
bool is_tag(std::string_view s);

// A folded value becomes one line (RFC 3261 section 7.3.1): nobody downstream should meet a line break in a value.
void unfold(std::string& s);

// The value of the header field, of a list its first element, unfolded. false: sofia cannot print it.
bool field_text(const union msg_header_u* h, std::string& out);

// Whether sofia can read this URI. Where it cannot and has to make a request of it, it ends the program.
bool readable_url(std::string_view uri);

// URI of the first Contact, as it may stand in a Request-URI: without its header part. Empty: none, "*", or not usable.
std::string contact_uri(const sip_contact_s*);

enum class RouteOrder : unsigned char { AsCame, Reversed };
// Route or Record-Route as SipRequest::route_set wants it, parameters kept (RFC 3261 section 12.1). false: one element is
// not usable, or all of them are more than a row takes.
bool route_text(const sip_route_s*, RouteOrder, std::string& out);

}  // namespace pua
