// Client: one request at a time over puad's unix datagram socket, with a deadline for everything.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "puactl/json.h"

namespace puactl {

enum class Reach : uint8_t { Answered, Unreachable, TimedOut };

class Client {
 public:
  // timeout_s: for all requests of this client together, from now on.
  Client(std::string socket, int timeout_s);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Calls a method. Answered: `reply` is the whole reply, an object with result or error. Else why() says why not.
  Reach call(const std::string& method, json_t* params, Json& reply);
  // Sends a text as it is. The reply as it came; not waited for if !answer_expected.
  Reach send_raw(const std::string& text, bool answer_expected, std::string& reply);
  const std::string& why() const { return why_; }

 private:
  Reach open();
  Reach send(const std::string& text);
  Reach receive(std::string& text);
  bool wait_for(short what);

  std::string socket_;
  std::chrono::steady_clock::time_point deadline_;
  std::string why_;
  int fd_ = -1;
  int64_t id_ = 0;
};

}  // namespace puactl
