// Readers of header fields of NOTIFYs, and of header lines of owners. What notifiers mean is read even where they do not write
// it by the grammar.
#pragma once

#include <string>
#include <string_view>

#include "core/notify_port.h"

namespace pua {

// Event (RFC 6665 section 8.2.1): the package with all parameters but id ("dialog;sla"), and id. Of two ids the first one
// counts; an empty id counts as none. false: the value does not begin with a token, or the id is not a token.
bool parse_event_value(std::string_view value, std::string& event, std::string& id);

struct SubscriptionState {
  std::string state, reason;       // in small letters
  int64_t expires = -1, retry_after = -1;
};
// Subscription-State (RFC 6665 section 8.2.3). Parameters may be in quotes, have blanks beside '=', or be empty. Of a parameter
// that is there twice the first one counts. Numbers over 2^32 - 1 count as that; a parameter that should be a number and is
// none does not count. false: the value does not begin with a token, or another word follows it.
bool parse_subscription_state(std::string_view value, SubscriptionState& out);

// The value of a parameter of a header field value ("multipart/related;boundary=\"x\""), without quotes, as a view into it;
// empty: it is not there, or empty.
std::string_view parameter_of(std::string_view value, std::string_view name);

// --- header fields for handlers --------------------------------------------------------------------------------------------

constexpr size_t kMaxShownHeaders = 64;      // a handler is shown no more header fields of a NOTIFY,
constexpr size_t kMaxShownOctets = 8192;     // and no more octets of them

struct HeaderField {
  std::string_view name, value;   // without blanks around them
};

// The header fields of a message, from behind its first line to the empty line, with line ends; as many whole lines as
// kMaxShownOctets allows.
std::string_view header_block(std::string_view message);
// The block with folded lines joined (RFC 3261 section 7.3.1); a view into `storage` if there are folded lines, else the block
// itself.
std::string_view unfolded_block(std::string_view block, std::string& storage);
// Puts its fields into `out` in the order they came, at most kMaxShownHeaders; returns how many.
size_t split_headers(std::string_view unfolded, HeaderField* out);

// --- what an owner's header lines ask for ------------------------------------------------------------------------------------

bool has_header(std::string_view lines, std::string_view name);
// The lines without header fields that describe a body (Content-Disposition, Content-Language ...), for a request without one.
// A view into `storage` if there are such fields, else the lines themselves.
std::string_view without_content_fields(std::string_view lines, std::string& storage);
// Whether a Supported among the lines says that lists are understood ("eventlist", RFC 4662 section 4.1).
bool asks_for_list(std::string_view lines);
// Whether an Accept among the lines names this content type, or the type is one of lists and the lines ask for lists.
bool asks_for_type(std::string_view lines, std::string_view content_type);

}  // namespace pua
