// Push: what a client is told without having asked this time: the messages of a watch, on their way to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace pua {

// What became of the messages of one watch. Written by the transport.
struct PushState {
  uint64_t lost = 0;   // messages that the client had no room for
  bool gone = false;   // nobody reads at its address any more
};

struct PushSink {
  virtual ~PushSink() = default;
  // Sends, or keeps for a client that reads late; never waits. false: too large for the way, nothing happened. What is
  // lost now or later is told to `state`.
  virtual bool push(const std::string& client, std::string&& text, const std::shared_ptr<PushState>& state) = 0;
  virtual bool anybody_at(const std::string& client) const = 0;
};

// Who sent a request. Without a sink or an address it can only be answered.
struct Caller {
  std::weak_ptr<PushSink> sink;
  std::string address;
  bool can_be_told() const { return !address.empty() && !sink.expired(); }
};

}  // namespace pua
