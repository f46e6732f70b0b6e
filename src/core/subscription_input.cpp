// What the reason of a NOTIFY and the final reply to a SUBSCRIBE mean for a subscription.
#include <utility>

#include "core/subscription.h"

namespace pua::sub {

Reason reason_of(std::string_view s) {
  static constexpr std::pair<std::string_view, Reason> names[] = {
      {"", Reason::None}, {"deactivated", Reason::Deactivated}, {"timeout", Reason::Timeout},
      {"probation", Reason::Probation}, {"giveup", Reason::Giveup}, {"rejected", Reason::Rejected},
      {"noresource", Reason::Noresource}, {"invariant", Reason::Invariant}};
  for (auto& [name, reason] : names)
    if (name == s) return reason;
  return Reason::Unknown;
}

// These statuses end the subscription of the dialog in which they come (RFC 6665 section 4.1.2.2, RFC 5057 section 5.1). Only
// RFC 5057 lists 502: the way to the remote target is gone. A new dialog may find another way, and if the notifier keeps the
// old one too, that costs little.
static bool ends_dialog(int status) {
  switch (status) {
    case 404: case 405: case 410: case 416: case 480: case 481: case 482: case 483: case 484: case 485: case 489: case 501:
    case 502: case 604:
      return true;
    default: return false;
  }
}

// A refresh that can never succeed (400, 406, 413, 415, 420) ends neither dialog nor subscription at the notifier (RFC 5057
// section 5.1). But the notifier would refuse each refresh of this dialog until the grant ends: it may know other CSeqs or tags
// of it than we do. An initial request has none of these, so that a new dialog is tried. The old one ends with its
// grant, or by a 481 to a NOTIFY. If the initial request is refused as well, it is the subscription that is refused. Where the
// subscription is to be ended, that is worth a try in the dialog that stands: else nobody would tell the notifier.
Input input_of(const SipReply& r, Op op, bool removal_waits) {
  if (r.origin == ReplyOrigin::Wire && ends_dialog(r.status) && (op == Op::Refresh || op == Op::Remove))
    return Input::DialogLost;
  ReplyClass what = classify(r);
  if (what == ReplyClass::Fatal && op == Op::Refresh) return removal_waits ? Input::Transient : Input::DialogLost;
  switch (what) {
    case ReplyClass::Success: return Input::Success;
    case ReplyClass::TooBrief:   // of Expires: 0, which every notifier must take (RFC 6665 section 4.2.1.1), it says nothing
      return op == Op::Remove || op == Op::Fetch ? Input::Transient : Input::TooBrief;
    case ReplyClass::Forbidden: return Input::Forbidden;
    case ReplyClass::Auth: return Input::Auth;
    case ReplyClass::Fatal: return Input::Fatal;
    case ReplyClass::Shutdown: return Input::Shutdown;
    case ReplyClass::LostState:
    case ReplyClass::Transient: break;
  }
  return Input::Transient;
}

}  // namespace pua::sub
