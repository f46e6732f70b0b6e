// What tests of the stream server share: a port that answers as an engine would, clients on plain sockets, a clock by hand.
#pragma once

#include <event2/event.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "sip/inbound.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {

// Answers NOTIFY of Call-ID "known..." with 200, other requests with 481, ACK and responses with nothing.
class AnsweringPort : public IncomingPort {
 public:
  void take(std::string_view message, const Peer& from, MonoMs now, std::string& out) override;
  // Looks at Call-IDs "known..." and "ours..."; the latter get 481.
  bool take_head(std::string_view head, uint64_t left_out, const Peer& from, MonoMs now, std::string& out) override;
  void turned_away(std::string_view head, const Peer&, int status, const char* reason, MonoMs) override {
    away.push_back(std::to_string(status) + " " + reason + "|" + std::string(head));
  }
  std::vector<std::string> came;
  std::vector<std::string> away;     // "status reason|head"
  std::vector<Peer> peers;
  bool keep = true;
  size_t count = 0;
  uint64_t left_out = 0;             // of the last head
  std::string body;                  // of each answer
  std::function<void()> then;        // inside take(), before the answer is appended
};

// A connection to 127.0.0.1, from 127.0.0.1 or another address of the loopback.
class StreamClient {
 public:
  explicit StreamClient(uint16_t port, const char* from = "127.0.0.1", int receive_buffer = 0);
  ~StreamClient() { leave(true); }   // thousands of ports that fade away would be missed by other tests
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;

  size_t send(std::string_view octets);   // how many the system took
  void finish();                          // FIN, goes on reading
  void leave(bool reset = false);
  void read();                            // what has come, to `got`
  bool closed = false;                    // FIN or RST came
  std::string got;
  int fd() const { return fd_; }
  // Answers, whole ones, counted.
  size_t answers() const;

 private:
  int fd_ = -1;
};

// A whole request. call: its Call-ID; "known..." is a dialog that the port knows.
std::string request(const std::string& call, const std::string& body = "<presence/>", const std::string& method = "NOTIFY",
                    const std::string& length_line = "");

struct InboundTest : Utest {
  std::vector<std::string> lines;
  Log log{[this](LogLevel, std::string_view s) { lines.emplace_back(s); }, LogLevel::info};
  event_base* base = nullptr;
  SipSettings settings;
  MonoMs now = 1000000;
  AnsweringPort port;
  std::unique_ptr<Inbound> inbound;
  uint16_t at = 0;

  void setup() override { base = event_base_new(); }
  void teardown() override;
  void serve(const std::string& uri = "sip:127.0.0.1:*");
  void turn(int times = 1);
  // Turns the loop until the condition holds; false after 5 s.
  bool until(const std::function<bool()>&);
  bool until_closed(StreamClient& c);
  bool until_answers(StreamClient& c, size_t n);
  // The first line of the answer to one more message.
  std::string ask(StreamClient& c, const std::string& octets);
  void pass(int64_t ms);   // on the clock by hand
  InboundCounters counters() { return inbound->counters(); }
  uint64_t ended(InboundEnd e) { return inbound->counters().of(e); }
  // Everything that came in is open, or its end was counted once.
  void adds_up();
};

}  // namespace pua::test
