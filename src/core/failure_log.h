// Failure log: what the log says of a record whose requests fail, one after the other: a line when that begins, one where they
// fail in another way, and one when they are accepted again. Failures with 5xx, and without an answer, are told for the
// destination as a whole (core/destination_log.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log_gate.h"
#include "core/engine_common.h"
#include "core/policy.h"

namespace pua {

class FailureLog {
 public:
  enum class Fate : uint8_t { TriedAgain, GoesOn, Ends };   // what becomes of the record
  // method: of its requests; kind: "record", "subscription".
  FailureLog(EngineCommon& common, const char* method, const char* kind) : c_(common), method_(method), kind_(kind) {}

  // The reply to a request of this record, after the step that it caused. uri: the presentity; asked: Expires of the request.
  // Called last, because a log callback is the host's code.
  void reply(Entity&, std::string_view uri, ReplyClass, const SipReply&, uint32_t asked, Fate, MonoMs now);

 private:
  std::string words(Fate) const;
  void failed(Entity&, std::string_view uri, LogGate&, LogLevel, int status, Fate, const std::string& what, MonoMs now);

  EngineCommon& c_;
  const char* method_;
  const char* kind_;
  LogGate forbidden_gate_, auth_gate_, fatal_gate_, brief_gate_, nothing_gate_, again_gate_;
  LogGate unsent_gate_{3, 60000};
  LogGate transient_gate_{3, 60000};        // fewer lines, because a server with many users answers some requests so every day
};

}  // namespace pua
