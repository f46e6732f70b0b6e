// Connections that we opened, and a server at their other end that sends without end, what nobody can read, or nothing more.
#include "sip/su_streams.h"

#include <dirent.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/sip/notify_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using Mode = SuDriver::Mode;

namespace {

constexpr size_t kMost = 100000;  // max_message

int open_descriptors() {
  int n = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

}  // namespace

// A SUBSCRIBE is answered over TCP; its connection stays, and what the test is about comes over it.
struct SuStreamsTest : ListenerTest {
  std::unique_ptr<ScriptedServer> server;
  SipReceived first;
  int before = 0;

  void teardown() override {
    server.reset();
    ListenerTest::teardown();
  }
  void connect(Mode mode) {
    server.reset();
    make(mode);
    rig->settings.max_message = kMost;
    rig->start();
    server = std::make_unique<ScriptedServer>(rig->base, ScriptedServer::Kind::Tcp);
    server->on_request = [this](const SipReceived& r) {
      if (r.start_line.substr(0, 9) == "SUBSCRIBE") server->reply(r, 200, "OK");
    };
    before = open_descriptors();
    rig->send(subscribe(*server));
    CHECK_TRUE(rig->until_replies(1));
    first = server->requests[0];
    m.via = "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKn1";
  }
  // A request that waits for its reply over that connection.
  void ask_more(TxnId txn) {
    server->on_request = {};
    SipRequest q = subscribe(*server, txn);
    std::string branch = "z9hG4bKm" + std::to_string(txn);
    q.branch = branch;
    size_t n = server->requests.size();
    rig->send(q);
    CHECK_TRUE(rig->until([&] { return server->requests.size() == n + 1; }));
    LONGS_EQUAL(1, server->connections());
  }
  bool closed() {
    return rig->until([&] { return open_descriptors() <= before; });
  }
  // Without end, until we close.
  size_t flood(const std::string& piece) {
    size_t sent = 0;
    while (server->send_some(first, piece) && sent < 400 * kMost) {
      sent += piece.size();
      rig->turn();
    }
    return sent;
  }
};

TEST_GROUP_BASE(SuStreams, SuStreamsTest){};

TEST(SuStreams, a_message_without_end_ends_the_connection_and_what_waits_for_it) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    // A header field, header fields, and a line before any; each after a message that was complete.
    uint64_t cut = 0;
    for (std::string piece : {std::string(8000, 'x'), std::string(8000, '\0'), "X: " + std::string(4000, 'x') + "\r\n", std::string(8000, 'A')}) {
      connect(mode);
      ask_more(2);
      m.body = "";
      std::string start = m.text() + (piece[0] == 'A' ? "" : "NOTIFY sip:a SIP/2.0\r\n");
      server->send_raw(first, start);
      CHECK_TRUE(rig->until([&] { return sink->count == 1; }));
      size_t memory = mallinfo2().uordblks + mallinfo2().hblkhd;
      size_t sent = flood(piece);
      CHECK_TEXT(sent < 40 * kMost, std::to_string(sent).c_str());   // of it the kernel took most, into both its buffers
      CHECK_TRUE(rig->until_replies(2));
      LONGS_EQUAL(503, rig->replies[1].status);
      STRCMP_CONTAINS("127.0.0.1:", rig->replies[1].reason.c_str());
      CHECK_TRUE(mallinfo2().uordblks + mallinfo2().hblkhd < memory + 2 * kMost);
      cut += rig->driver->stats().streams_cut;
    }
    CHECK_TRUE(cut > 0);   // some sofia sees by itself
  }
}

TEST(SuStreams, a_body_that_is_announced_too_long_ends_the_connection) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (bool later : {false, true}) {
      connect(mode);
      ask_more(2);
      std::string head = "NOTIFY sip:a SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKl\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\n"
                         "Call-ID: l\r\nCSeq: 1 NOTIFY\r\nContent-Length: 99999999\r\n\r\n";
      m.body = "";
      server->send_raw(first, (later ? m.text() : "") + head);   // behind a message in one piece, and by itself
      size_t sent = flood(std::string(8000, 'x'));
      CHECK_TEXT(sent < 40 * kMost, std::to_string(sent).c_str());
      CHECK_TRUE(rig->until_replies(2));
      LONGS_EQUAL(503, rig->replies[1].status);
    }
  }
}

TEST(SuStreams, many_messages_are_no_long_one) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    connect(mode);
    m.body = std::string(9000, 'x');
    for (int i = 0; i < 60; i++) {   // five times the limit, in pieces that fit nowhere
      std::string text = m.text();
      for (size_t at = 0; at < text.size(); at += 7000) {
        server->send_raw(first, text.substr(at, 7000));
        rig->turn();
      }
    }
    CHECK_TRUE(rig->until([&] { return sink->count == 60; }));
    LONGS_EQUAL(0, rig->driver->stats().streams_cut);
    LONGS_EQUAL(1, server->connections());
  }
}

TEST(SuStreams, what_cannot_be_read_ends_the_connection_and_its_descriptor) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (std::string bytes : {std::string("x\r\n\r\n"), std::string("\x16\x03\x01\x02\x01\r\n\r\n"),
                              std::string("NOTIFY sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n")}) {
      connect(mode);
      ask_more(2);
      server->send_raw(first, bytes);
      CHECK_TRUE(rig->until_replies(2));
      LONGS_EQUAL(503, rig->replies[1].status);
      server->close_connections();
      CHECK_TRUE(closed());
    }
  }
}

// What sofia waits behind for ever: it hides every response that comes after it.
TEST(SuStreams, octets_that_hide_the_messages_behind_them_end_the_connection) {
  FakeClock clock;
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (const std::string& bytes : {std::string("\0", 1), std::string("x\0\r\n\r\n", 6)}) {
      connect(mode);
      server->send_raw(first, bytes);
      for (int i = 0; i < 5; i++) rig->turn();
      ask_more(2);
      server->reply(server->requests.back(), 200, "OK");
      clock.pass(*rig, 31000);
      LONGS_EQUAL(1, rig->replies.size());
      LONGS_EQUAL(0, rig->driver->stats().streams_cut);
      clock.pass(*rig, 2000);
      LONGS_EQUAL(2, rig->replies.size());
      LONGS_EQUAL(408, rig->replies[1].status);
      LONGS_EQUAL(1, rig->driver->stats().streams_cut);
      // The next one has a connection of its own.
      server->on_request = [this](const SipReceived& r) { server->reply(r, 200, "OK"); };
      SipRequest q = subscribe(*server, 3);
      q.branch = "z9hG4bKm3";
      rig->send(q);
      CHECK_TRUE(rig->until_replies(3));
      LONGS_EQUAL(200, rig->replies[2].status);
      LONGS_EQUAL(2, server->connections());
    }
  }
}

// A server that is merely slow keeps its connection.
TEST(SuStreams, a_request_that_is_not_answered_ends_no_connection_by_itself) {
  FakeClock clock;
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    connect(mode);
    ask_more(2);
    clock.pass(*rig, 33000);
    LONGS_EQUAL(408, rig->replies[1].status);
    LONGS_EQUAL(0, rig->driver->stats().streams_cut);
    ask_more(3);
  }
}

TEST(SuStreams, the_other_sides_end_is_seen_also_in_the_middle_of_a_message) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (const char* bytes : {"", "x\r\n\r\n", "NOTIFY sip:a SIP/2.0\r\nVia: ", "\r\n\r\n"}) {
      connect(mode);
      server->send_raw(first, bytes);
      for (int i = 0; i < 5; i++) rig->turn();
      server->close_connections();
      CHECK_TRUE(closed());
    }
  }
}

TEST(SuStreams, only_what_listens_on_the_port_is_stopped_and_it_keeps_its_address) {
  auto listen_somewhere = [] {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);   // 127.0.0.2
    bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
    listen(fd, 5);
    return fd;
  };
  auto name = [](int fd) {
    sockaddr_in a{};
    socklen_t len = sizeof a;
    getsockname(fd, reinterpret_cast<sockaddr*>(&a), &len);
    return a;
  };
  auto listens = [](int fd) {
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value == 1;
  };
  int one = listen_somewhere(), two = listen_somewhere();
  uint16_t port = ntohs(name(one).sin_port);
  LONGS_EQUAL(1, unlisten(rig->driver->root(), port));
  CHECK_FALSE(listens(one));
  CHECK_TRUE(listens(two));
  LONGS_EQUAL(INADDR_LOOPBACK + 1, ntohl(name(one).sin_addr.s_addr));
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a = name(one);
  LONGS_EQUAL(-1, ::connect(client, reinterpret_cast<sockaddr*>(&a), sizeof a));   // nobody is there
  LONGS_EQUAL(0, unlisten(rig->driver->root(), port));
  for (int fd : {one, two, client}) close(fd);
}
