// Push: messages that a client gets without a request for each: those of a watch.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace pua {

// What became of the messages of one watch. Written by the transport.
struct PushState {
  uint64_t lost = 0;   // messages that the client had no room for
  bool gone = false;   // nobody reads there any more
};

// The way to one client, as its transport knows it. It leads to that client only, even if another one has its address later.
struct PushLine {
  virtual ~PushLine() = default;
};
using PushLinePtr = std::shared_ptr<PushLine>;

struct PushSink {
  virtual ~PushSink() = default;
  // The way to the client that sent a request from that address just now. Error not_supported: it cannot be told anything.
  virtual Result<PushLinePtr> line_to(const std::string& address) = 0;
  // Sends, or keeps for a client that reads late; never waits. false: too large for the way, nothing happened. `state` notes
  // what is lost now or later.
  virtual bool push(const PushLinePtr&, std::string&& text, const std::shared_ptr<PushState>& state) = 0;
  virtual bool anybody_at(const PushLine&) const = 0;
};

// Who sent a request. Without a sink or an address it can only be answered.
struct Caller {
  static constexpr uid_t kNobodyKnown = static_cast<uid_t>(-1);

  std::weak_ptr<PushSink> sink;
  std::string address;
  uid_t user = kNobodyKnown;   // as the kernel says
  pid_t process = 0;           // the same; 0: not known
  bool can_be_told() const { return !address.empty() && !sink.expired(); }
};

}  // namespace pua
