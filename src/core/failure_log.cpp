#include "core/failure_log.h"

#include <utility>

namespace pua {

constexpr int kUnsent = 1;   // in place of a status: the request did not leave

std::string FailureLog::words(Fate f) const {
  if (f == Fate::TriedAgain) return "kept and tried again";
  return std::string("the ") + kind_ + (f == Fate::GoesOn ? " goes on" : " ends");
}

void FailureLog::reply(Entity& r, std::string_view uri, ReplyClass c, const SipReply& reply, uint32_t asked, Fate fate,
                       MonoMs now) {
  int status = reply.status;
  auto tell = [&](LogGate& gate, LogLevel level, const std::string& what) {
    failed(r, uri, gate, level, status, fate, what, now);
  };
  if (reply.unsent || reply.origin == ReplyOrigin::Local) {
    status = kUnsent;
    return tell(unsent_gate_, LogLevel::warning, "it cannot be sent: " + std::string(reply.reason) + "; " + words(fate));
  }
  if (reply.origin != ReplyOrigin::Wire) return;
  switch (c) {
    case ReplyClass::Success:
      if (asked > 0 && reply.expires == 0)
        return tell(nothing_gate_, LogLevel::warning, "it grants nothing (Expires: 0); " + words(fate));
      r.failing = 0;
      if (std::exchange(r.told, false))
        c_.log_reply(again_gate_, LogLevel::notice, method_, uri, status, "accepted again", now);
      return;
    case ReplyClass::TooBrief: {
      bool possible = longer_to_ask(asked, reply.min_expires, expires_rule(c_.settings_, r.event).most) != 0;
      return tell(brief_gate_, LogLevel::warning,
                  std::string("the server wants a longer lifetime ") +
                      (possible ? "again, though it got what it asked for; " : "than max_expires allows; ") + words(fate));
    }
    case ReplyClass::Forbidden: return tell(forbidden_gate_, LogLevel::error, words(fate) + "; is the server complete?");
    case ReplyClass::Auth: return tell(auth_gate_, LogLevel::error, "credentials are missing or wrong");
    case ReplyClass::Fatal:   // this request is not tried again; where its record goes on, it is by another one
      return tell(fatal_gate_, LogLevel::warning, words(fate == Fate::TriedAgain ? Fate::GoesOn : fate));
    case ReplyClass::Transient:
      if (status < 500 || status > 599) tell(transient_gate_, LogLevel::notice, words(fate));
      return;
    case ReplyClass::LostState:
    case ReplyClass::Shutdown: return;
  }
}

// What a record is told of when it ends is not remembered: if it comes back, that is another one.
void FailureLog::failed(Entity& r, std::string_view uri, LogGate& gate, LogLevel level, int status, Fate fate,
                        const std::string& what, MonoMs now) {
  bool ends = fate == Fate::Ends;
  int before = std::exchange(r.failing, static_cast<uint16_t>(ends ? 0 : status));
  if (before == status && !ends) return;
  bool passed = c_.log_reply(gate, level, method_, uri, status == kUnsent ? 0 : status, what.c_str(), now);
  r.told = !ends && (r.told || passed);
}

}  // namespace pua
