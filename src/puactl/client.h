// Client: one request at a time over puad's unix datagram socket, with a deadline for everything; and the messages that the
// daemon sends unasked. Anybody on the machine can send to our socket: only what comes from the user that the daemon's socket
// belongs to, or from root, counts. The kernel says who sent it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <deque>
#include <string>

#include "puactl/json.h"

namespace puactl {

enum class Reach : uint8_t { Answered, Unreachable, TimedOut };

// Why a request could not be sent to that socket (an errno), and what to look at.
std::string unreachable(const std::string& socket, int error);

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
  // The oldest message that came unasked: an object with "method". Waits for one up to `ms`, with the signals that are not
  // in `blocked` let through. TimedOut: none came, or a signal did.
  Reach next_message(int ms, const sigset_t& blocked, Json& message);
  void set_timeout(int seconds);  // from now on
  const std::string& why() const { return why_; }
  // What others sent, and was not believed; empty: nothing.
  std::string strangers() const;

 private:
  Reach open();
  Reach send(const std::string& text);
  Reach receive(std::string& text);
  ssize_t take(std::string& text);
  void keep(Json&& message);
  bool wait_for(short what);

  std::string socket_;
  std::chrono::steady_clock::time_point deadline_;
  std::string why_;
  int fd_ = -1;
  int64_t id_ = 0;
  uid_t daemon_ = 0;                // whose the daemon's socket is
  uint64_t strangers_ = 0;          // datagrams of others
  uid_t stranger_ = 0;              // who sent the last one
  std::deque<Json> messages_;  // came while a reply was awaited
};

}  // namespace puactl
