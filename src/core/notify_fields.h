// The two header fields that say what a NOTIFY is about, as notifiers write them: read for what they say, not for how.
#pragma once

#include <string>
#include <string_view>

#include "core/notify_port.h"

namespace pua {

// Event, RFC 6665 section 8.2.1: the package with all parameters but id ("dialog;sla"), and id; of two ids the first one counts, and an
// empty one is none. false: it begins with no token, or the id is none.
bool parse_event_value(std::string_view value, std::string& event, std::string& id);

struct SubscriptionState {
  std::string state, reason;       // in small letters
  int64_t expires = -1, retry_after = -1;
};
// Subscription-State, RFC 6665 section 8.2.3. Parameters in quotes, with blanks beside '=', empty ones and others are taken as what they are
// meant to be; of one that is there twice the first counts; numbers over 2^32 - 1 count as that, and what is no number as if it
// were not there. false: it begins with no token, or another word follows.
bool parse_subscription_state(std::string_view value, SubscriptionState& out);

// Value of a parameter behind a value ("multipart/related;boundary=\"x\""), without quotes; empty: not there, or empty. A view into `value`.
std::string_view parameter_of(std::string_view value, std::string_view name);

// --- header fields for handlers --------------------------------------------------------------------------------------------

constexpr size_t kMaxShownHeaders = 64;      // fields, and
constexpr size_t kMaxShownOctets = 8192;     // octets of them: what a handler is shown of a NOTIFY's header

struct HeaderField {
  std::string_view name, value;   // without blanks around them
};

// The header of a message: from behind its first line to the empty line, line ends included; no more of it than kMaxShownOctets, whole lines.
std::string_view header_block(std::string_view message);
// The block with folded lines made one (RFC 3261 section 7.3.1); a view into `storage` where there are any.
std::string_view unfolded_block(std::string_view block, std::string& storage);
// Its fields in the order they came, at most kMaxShownHeaders; how many.
size_t split_headers(std::string_view unfolded, HeaderField* out);

// --- what an owner's header lines ask for ------------------------------------------------------------------------------------

bool has_header(std::string_view lines, std::string_view name);
// The lines without those that say something of a body (Content-Disposition, Content-Language ...), for a request that has none. A view into
// `storage` where there were any.
std::string_view without_content_fields(std::string_view lines, std::string& storage);
// Whether a Supported among the lines asks for a list of documents (RFC 4662 section 4.1).
bool asks_for_list(std::string_view lines);
// Whether an Accept among the lines names this content type, or it is one of a list and that is asked for.
bool asks_for_type(std::string_view lines, std::string_view content_type);

}  // namespace pua
