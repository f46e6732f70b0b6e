// The answer to a request that left, and when it comes.
#pragma once

#include <string>

#include "core/sip_port.h"

namespace sim {

struct Answer {
  pua::MonoMs at = 0;
  int status = 0;
  pua::ReplyOrigin origin = pua::ReplyOrigin::Wire;
  std::string etag;
  int64_t expires = -1, min_expires = -1, retry_after = -1;
  bool again = false;           // PUBLISH: a 400 to a refresh, after which full state is published
  // SUBSCRIBE:
  std::string to_tag, contact, route_set;
  uint32_t cseq = 0;            // of the repetition that digest asked for, 0: none
};

}  // namespace sim
