#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "tests/support/scripted_server.h"

#include "tests/sip/inbound_rig.h"

namespace pua::test {

void AnsweringPort::take(std::string_view message, const Peer& from, MonoMs, std::string& out) {
  count++;
  std::string text(message);
  if (keep) {
    came.push_back(text);
    peers.push_back(from);
  }
  std::string with = body;
  if (then) {
    auto f = then;
    f();   // may destroy the server; `out` stays what it is until we return
  }
  if (text.starts_with("SIP/") || text.starts_with("ACK ")) return;
  SipReceived r = parse_sip(text);
  bool known = text.starts_with("NOTIFY ") && r.header("Call-ID").starts_with("known");
  out += ScriptedServer::reply_text(r, known ? 200 : 481, known ? "OK" : "Subscription Does Not Exist", "", with);
}

bool AnsweringPort::take_head(std::string_view head, uint64_t octets, const Peer& from, MonoMs now, std::string& out) {
  std::string call = parse_sip(std::string(head)).header("Call-ID");
  if (!call.starts_with("known") && !call.starts_with("ours")) return false;
  left_out = octets;
  take(head, from, now, out);
  return true;
}

StreamClient::StreamClient(uint16_t port, const char* from, int receive_buffer) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  inet_pton(AF_INET, from, &a.sin_addr);
  if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) FAIL("no client socket");
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) FAIL("no connection");
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

size_t StreamClient::send(std::string_view octets) {
  ssize_t n = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
  return n < 0 ? 0 : static_cast<size_t>(n);
}

void StreamClient::finish() { shutdown(fd_, SHUT_WR); }

void StreamClient::leave(bool reset) {
  if (fd_ < 0) return;
  linger hard{1, 0};
  if (reset) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(fd_);
  fd_ = -1;
}

void StreamClient::read() {
  static char buf[65536];
  while (!closed) {
    ssize_t n = recv(fd_, buf, sizeof buf, 0);
    if (n > 0) {
      got.append(buf, static_cast<size_t>(n));
      continue;
    }
    if (n < 0 && errno == EAGAIN) return;
    closed = true;
  }
}

size_t StreamClient::answers() const {
  size_t n = 0;
  for (size_t at = got.find("SIP/2.0 "); at != std::string::npos; at = got.find("SIP/2.0 ", at + 1))
    if (at == 0 || got[at - 1] == '\n') n += got.compare(at + 8, 1, "2") == 0 || got.compare(at + 8, 1, "4") == 0;
  return n;
}

std::string request(const std::string& call, const std::string& body, const std::string& method, const std::string& length_line) {
  return method + " sip:watcher@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK" + call +
         "\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.com>;tag=r\r\nTo: <sip:watcher@example.com>;tag=l\r\nCall-ID: " + call +
         "\r\nCSeq: 5 " + method + "\r\nEvent: presence\r\n" +
         (length_line.empty() ? "Content-Length: " + std::to_string(body.size()) + "\r\n" : length_line) + "\r\n" + body;
}

void InboundTest::teardown() {
  inbound.reset();
  LONGS_EQUAL(0, event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE));
  event_base_free(base);
}

void InboundTest::serve(const std::string& uri) {
  auto made = Inbound::create(base, settings, log, nullptr, [this] { return now; });
  CHECK_TEXT(made.ok(), made ? "" : made.error().message.c_str());
  inbound = std::move(*made);
  auto got = inbound->listen(uri, 0, port);
  CHECK_TEXT(got.ok(), got ? "" : got.error().message.c_str());
  at = *got;
}

void InboundTest::turn(int times) {
  for (int i = 0; i < times; i++) event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

bool InboundTest::until(const std::function<bool()>& done) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    turn();
  }
  return true;
}

bool InboundTest::until_closed(StreamClient& c) {
  return until([&] {
    c.read();
    return c.closed;
  });
}

bool InboundTest::until_answers(StreamClient& c, size_t n) {
  return until([&] {
    c.read();
    return c.answers() >= n;
  });
}

std::string InboundTest::ask(StreamClient& c, const std::string& octets) {
  c.read();
  c.got.clear();
  c.send(octets);
  until([&] {
    c.read();
    return c.closed || c.got.ends_with("\r\n\r\n");
  });
  return c.got.substr(0, c.got.find('\r'));
}

void InboundTest::pass(int64_t ms) {
  now += ms;
  inbound->run_due();
  turn(3);
}

void InboundTest::adds_up() {
  InboundCounters c = counters();
  uint64_t sum = c.open;
  for (uint64_t n : c.ended) sum += n;
  LONGS_EQUAL(c.accepted, sum);
}

}  // namespace pua::test
