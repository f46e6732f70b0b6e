// From the header values of a NOTIFY, as a host's own SIP stack gives them, to what the engine wants.
#pragma once

#include <string>
#include <string_view>

#include "core/notify_port.h"

namespace pua {

// `Event: package[;param]*`, RFC 6665 section 8.2.1: the package with all parameters but id ("dialog;sla"), and id.
// false: not well-formed, or id twice.
bool parse_event_value(std::string_view value, std::string& event, std::string& id);

struct SubscriptionState {
  std::string state, reason;       // in small letters
  int64_t expires = -1, retry_after = -1;
};
// `Subscription-State: word[;param]*`, RFC 6665 section 8.2.3. Numbers over 2^32 - 1 count as that. false: not
// well-formed, a number that is none, a parameter twice.
bool parse_subscription_state(std::string_view value, SubscriptionState& out);

}  // namespace pua
