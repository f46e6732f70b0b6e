#include "core/measures.h"

namespace pua {

const char* final_name(Final f) {
  switch (f) {
    case Final::C2xx: return "2xx";
    case Final::C3xx: return "3xx";
    case Final::C4xx: return "4xx";
    case Final::C5xx: return "5xx";
    case Final::C6xx: return "6xx";
    case Final::Timeout: return "timeout";
    case Final::Transport: return "transport_error";
    case Final::Local: return "local";
  }
  return "";
}

Final final_of(const SipReply& reply) {
  switch (reply.origin) {
    case ReplyOrigin::Timeout: return Final::Timeout;
    case ReplyOrigin::Transport: return Final::Transport;
    case ReplyOrigin::Shutdown:
    case ReplyOrigin::Local: return Final::Local;
    case ReplyOrigin::Wire: break;
  }
  switch (reply.status / 100) {
    case 2: return Final::C2xx;
    case 3: return Final::C3xx;
    case 4: return Final::C4xx;
    case 5: return Final::C5xx;
    default: return Final::C6xx;
  }
}

}  // namespace pua
