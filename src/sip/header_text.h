// Header fields of sofia's messages as text of one line, to the octet where they were parsed by message_class(), and what of
// Contact and Record-Route may go back into a request.
//
// sofia's own structures are not asked: its url_t has escapes of reserved characters undone, and prints others in capitals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

union msg_header_u;
struct msg_mclass_s;
struct sip_s;

namespace pua {

// sofia's message class for msg_make() and NTATAG_MCLASS(), but for two things: header fields keep a copy of their octets, and
// an entity-tag (SIP-ETag) is all that stands there, where sofia keeps the first token of it.
const msg_mclass_s* message_class();

// Visible ASCII only and no more than `max` octets: what may be kept, compared and sent back as one word.
bool is_word(std::string_view s, size_t max);

// A tag, and one that a row takes.
bool is_tag(std::string_view s);

// A folded value becomes one line (RFC 3261 section 7.3.1): nobody downstream should meet a line break in a value.
void unfold(std::string& s);

// The value of the header field, of a list its first element, unfolded. false: sofia cannot print it.
bool field_text(const union msg_header_u* h, std::string& out);

// The same, as it came where its octets were kept.
bool field_as_came(const union msg_header_u* h, std::string& out);

// Whether sofia can read this URI. Where it cannot and has to make a request of it, it ends the program.
bool readable_url(std::string_view uri);

// The values of all header fields of that name, in the order they came, joined by ", ", also of those that sofia cannot read.
// compact: the short form of the name, 0: there is none. false: there is none.
bool field_values(const sip_s*, std::string_view name, char compact, std::string& out);

// URI of the first Contact, as it may stand in a Request-URI: without its header part. Empty: none, "*", or not usable.
std::string contact_uri(const sip_s*);
bool has_contact(const sip_s*);

enum class RouteOrder : unsigned char { AsCame, Reversed };
// Record-Route as SipRequest::route_set wants it, elements as they came (RFC 3261 section 12.1). Empty: there is none.
// false: one element is not usable, or all of them are more than a row takes.
bool record_route(const sip_s*, RouteOrder, std::string& out);

}  // namespace pua
