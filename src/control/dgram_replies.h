// DgramReplies: sends replies from the control socket to clients' addresses without ever waiting in the loop. Results
// come in groups (one commit completes many requests) and a unix datagram queue may hold as few as ten: what a client
// has no room for is kept for a while and tried again. So are the messages of watches (push.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "control/context.h"
#include "control/push.h"
#include "control/undelivered.h"

struct event;
struct event_base;

namespace pua {

class DgramReplies : public PushSink {
 public:
  // socket: bound, not blocking, owned from now on, also when this fails. Error: no_memory.
  static Result<std::shared_ptr<DgramReplies>> open(event_base*, int socket, ControlCounters&, Log&);
  ~DgramReplies() override;  // closes the socket; what was not taken by now is dropped
  DgramReplies(const DgramReplies&) = delete;
  DgramReplies& operator=(const DgramReplies&) = delete;

  int socket() const { return socket_; }

  // address: sockaddr_un as recvfrom gave it; empty: the client has none. Replies to one client keep their order. A
  // client that does not read is waited for up to 5 s, by a timer; then, or if it is gone, or too much waits already,
  // the reply is dropped and counted. false: too large for a datagram, nothing happened.
  bool send(const std::string& address, std::string&& text);
  // Messages of watches. Each line is a socket of its own, connect()ed to the client's: it leads to that socket and to no
  // other, even if another process takes the name after the client has died. Error not_supported: the client has connect()ed
  // its socket, or has gone already.
  Result<PushLinePtr> line_to(const std::string& address) override;
  // A client with kMaxPushes messages waiting loses what comes then.
  bool push(const PushLinePtr&, std::string&& text, const std::shared_ptr<PushState>& state) override;
  bool anybody_at(const PushLine&) const override;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Line : PushLine {
    Line(int socket, std::string to) : fd(socket), address(std::move(to)) {}
    ~Line() override;
    int fd;
    std::string address;
  };
  struct Waiting {
    std::string text;
    Time until;
    std::shared_ptr<PushState> push;  // null: a reply
    std::shared_ptr<Line> line;       // of a message
  };
  using Queue = std::deque<Waiting>;
  DgramReplies(int socket, ControlCounters& counters, Log& log) : socket_(socket), counters_(counters), undelivered_(log) {}
  static void try_again(int fd, short what, void* self);
  int send_now(const std::string& address, const std::string& text) const;
  int send_now(const std::string& address, const Waiting&) const;
  bool hand_over(const std::string& address, Waiting&&);
  bool has_room(const std::string& address, size_t size, bool push) const;
  void keep(const std::string& address, Waiting&&);
  bool drain(const std::string& address, Queue&, Time now);
  void drop(const std::string& address, Queue&, size_t count, int why);
  void count_sent(bool push);
  void count_lost(const std::string& address, PushState* push, int why);
  void arm();

  int socket_;
  ControlCounters& counters_;
  UndeliveredLog undelivered_;
  size_t largest_ = 0;                    // octets that fit into one datagram
  std::map<std::string, Queue> waiting_;  // by address; no queue is empty
  size_t octets_ = 0;                     // of all that waits
  int pause_ms_ = 0;
  event* timer_ = nullptr;
};

}  // namespace pua
