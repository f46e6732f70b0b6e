// A sofia agent by itself: it listens on nothing, leaves from the address it was given, tells at once what failed, and answers
// strangers briefly or not at all.
#include "sip/agent.h"

#include <dirent.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "sip/endpoint.h"
#include "tests/sip/notify_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using Mode = SuDriver::Mode;

namespace {

struct Final {
  uint64_t token;
  int status;
  std::string phrase;
};

struct Sockets {
  int listening = 0, udp = 0, all = 0;
};

Sockets sockets_of_this_process() {
  Sockets n;
  DIR* dir = opendir("/proc/self/fd");
  while (dirent* e = readdir(dir)) {
    int fd = atoi(e->d_name), value = 0, family = 0;
    socklen_t len = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0 || (family != AF_INET && family != AF_INET6)) continue;
    n.all++;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value == 1) n.listening++;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len) == 0 && value == SOCK_DGRAM) n.udp++;
  }
  closedir(dir);
  return n;
}

}  // namespace

struct SipAgentTest : Utest, EndpointSink {
  Rig* rig = nullptr;
  std::unique_ptr<Endpoint> endpoint;
  std::vector<Final> finals;
  std::vector<SofiaAgent::Out*> outs;
  bool with_branch = true;

  void setup() override { make(Mode::Port); }
  void teardown() override {
    end();
    delete rig;
  }
  void make(Mode mode) {
    end();
    delete rig;
    rig = new Rig(mode);
    finals.clear();
    outs.assign(100, nullptr);
  }
  void open(const std::string& uri, bool lane = true) {
    rig->settings.lane = lane;
    auto e = Endpoint::create(rig->driver->root(), rig->settings, uri, "", *this);
    CHECK_TEXT(e.ok(), e.ok() ? "" : e.error().message.c_str());
    endpoint = std::move(*e);
    rig->driver->kick();
  }
  void end() {
    if (!rig) return;
    for (auto*& o : outs) {
      if (o) SofiaAgent::drop(o);
      o = nullptr;
    }
    bool gone = !endpoint;
    Endpoint::retire(std::move(endpoint), [&] { gone = true; });
    rig->driver->kick();
    CHECK_TRUE(rig->until([&] { return gone; }));
  }
  void send(uint64_t token, const std::string& proxy, const char* method = "PUBLISH") {
    OutRequest q;
    q.token = token;
    q.method = method;
    q.uri = "sip:alice@example.com";
    q.proxy = proxy.c_str();
    std::string headers = "From: <sip:a@example.com>;tag=f\r\nTo: <sip:a@example.com>\r\nCall-ID: c" + std::to_string(token) +
                          "\r\nCSeq: 1 " + method + "\r\n";
    q.headers = headers.c_str();
    std::string branch = "z9hG4bKb" + std::to_string(token);
    if (with_branch) q.branch = branch;
    outs[token] = endpoint->send(q).nh;
    CHECK_TRUE(outs[token] != nullptr);
    rig->driver->kick();
  }
  void on_final(uint64_t token, int status, const char* phrase, const sip_s*, msg_s*, bool) override {
    finals.push_back({token, status, phrase ? phrase : ""});
    SofiaAgent::drop(outs[token]);
    outs[token] = nullptr;
  }
};

TEST_GROUP_BASE(SipAgent, SipAgentTest){};

// --- sockets ---------------------------------------------------------------------------------------------------------------

TEST(SipAgent, with_a_lane_no_udp_socket_is_opened_and_nothing_ever_listens) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (const char* uri : {"sip:127.0.0.1:*", "sip:127.0.0.1:*;transport=tcp", "sip:0.0.0.0:*", "sip:*:*"}) {
      make(mode);
      Sockets before = sockets_of_this_process();
      open(uri);
      Sockets now = sockets_of_this_process();
      LONGS_EQUAL(before.listening, now.listening);
      LONGS_EQUAL(before.udp, now.udp);
      end();
      LONGS_EQUAL(before.all, sockets_of_this_process().all);
    }
  }
}

TEST(SipAgent, without_a_lane_there_is_udp_at_the_port_and_still_nothing_listens) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    Sockets before = sockets_of_this_process();
    open("sip:127.0.0.1:*", false);
    Sockets now = sockets_of_this_process();
    LONGS_EQUAL(before.listening, now.listening);
    LONGS_EQUAL(before.udp + 1, now.udp);
  }
}

// The port belongs to whoever takes connections there.
TEST(SipAgent, the_tcp_port_of_its_address_is_left_to_others) {
  uint16_t port;
  {
    ScriptedServer free_one(rig->base, ScriptedServer::Kind::Tcp);
    port = free_one.port();
  }
  std::string uri = "sip:127.0.0.1:" + std::to_string(port);
  open(uri, false);
  {
    ScriptedServer other(rig->base, ScriptedServer::Kind::Tcp, "127.0.0.1", port);
    LONGS_EQUAL(port, other.port());
  }
  // And the other way round.
  make(Mode::Port);
  ScriptedServer first(rig->base, ScriptedServer::Kind::Tcp, "127.0.0.1", port);
  open(uri, false);
}

TEST(SipAgent, it_is_idle_while_nothing_happens) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    open("sip:127.0.0.1:*");
    for (int i = 0; i < 5; i++) rig->turn();
    SuStats before = rig->driver->stats();
    for (int i = 0; i < 200; i++) rig->turn();
    LONGS_EQUAL(before.io, rig->driver->stats().io);
  }
}

TEST(SipAgent, connections_leave_from_its_address_and_the_via_names_its_port) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
    open("sip:127.0.0.2:5999");
    send(1, server.uri());
    CHECK_TRUE(rig->until([&] { return finals.size() == 1; }));
    LONGS_EQUAL(200, finals[0].status);
    STRCMP_EQUAL("127.0.0.2:", server.requests[0].from.substr(0, 10).c_str());
    STRCMP_EQUAL("SIP/2.0/TCP 127.0.0.2:5999;branch=z9hG4bKb1;rport", server.requests[0].header("Via").c_str());
  }
}

TEST(SipAgent, the_via_names_the_standard_port_and_an_address_of_its_own_in_the_place_of_every_address) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
  open("sip:127.0.0.1");
  send(1, server.uri());
  CHECK_TRUE(rig->until([&] { return finals.size() == 1; }));
  STRCMP_EQUAL("SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bKb1;rport", server.requests[0].header("Via").c_str());
  end();
  open("sip:0.0.0.0:5998");
  send(2, server.uri());
  CHECK_TRUE(rig->until([&] { return finals.size() == 2; }));
  std::string via = server.requests[1].header("Via");
  STRCMP_CONTAINS(":5998;branch=z9hG4bKb2;rport", via.c_str());
  CHECK_TRUE(via.find("0.0.0.0") == std::string::npos && via.find("invalid") == std::string::npos);
}

TEST(SipAgent, without_a_branch_of_ours_sofia_makes_one_in_the_same_via) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
  open("sip:127.0.0.1:5997");
  with_branch = false;
  send(1, server.uri());
  send(2, server.uri());
  CHECK_TRUE(rig->until([&] { return finals.size() == 2; }));
  for (const Final& f : finals) LONGS_EQUAL(200, f.status);
  STRCMP_CONTAINS("SIP/2.0/TCP 127.0.0.1:5997;rport;branch=z9hG4bK", server.requests[0].header("Via").c_str());
  CHECK_FALSE(server.requests[0].param("Via", "branch") == server.requests[1].param("Via", "branch"));
}

TEST(SipAgent, an_address_without_a_transport_that_is_open_fails_its_requests_as_transport) {
  open("sip:127.0.0.1:*;transport=udp");   // which is the lane's
  send(1, "sip:127.0.0.1:9;transport=tcp");
  CHECK_TRUE(rig->until([&] { return finals.size() == 1; }));
  LONGS_EQUAL(503, finals[0].status);
  STRCMP_EQUAL("there is no transport to it from this address", finals[0].phrase.c_str());
}

// --- what failed -----------------------------------------------------------------------------------------------------------

TEST(SipAgent, a_connection_that_the_server_closes_ends_what_waits_for_it_at_once) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    open("sip:127.0.0.1:*");
    for (uint64_t i = 1; i <= 10; i++) send(i, server.uri(), i % 2 ? "PUBLISH" : "SUBSCRIBE");
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 10; }));
    server.close_connections();
    CHECK_TRUE(rig->until([&] { return finals.size() == 10; }));   // within 5 s; 64 T1 are 32 s
    for (const Final& f : finals) {
      LONGS_EQUAL(503, f.status);
      STRCMP_EQUAL(("the connection was closed by 127.0.0.1:" + std::to_string(server.port())).c_str(), f.phrase.c_str());
    }
    // The next one opens a new one.
    server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
    send(11, server.uri());
    CHECK_TRUE(rig->until([&] { return finals.size() == 11; }));
    LONGS_EQUAL(200, finals[10].status);
    LONGS_EQUAL(2, server.connections());
  }
}

TEST(SipAgent, what_was_answered_before_the_close_counts) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    server.on_request = [&](const SipReceived& r) {
      server.reply(r, 200, "OK");
      if (server.requests.size() == 3) server.close_connections();
    };
    open("sip:127.0.0.1:*");
    for (uint64_t i = 1; i <= 3; i++) send(i, server.uri());
    CHECK_TRUE(rig->until([&] { return finals.size() == 3; }));
    for (const Final& f : finals) LONGS_EQUAL(200, f.status);
  }
}

TEST(SipAgent, a_closed_port_is_named) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
      make(mode);
      std::string uri, at;
      {
        ScriptedServer gone(rig->base, kind);
        uri = gone.uri();
        at = "127.0.0.1:" + std::to_string(gone.port());
      }
      open("sip:127.0.0.1:*", false);
      send(1, uri);
      CHECK_TRUE(rig->until([&] { return finals.size() == 1; }));
      LONGS_EQUAL(503, finals[0].status);
      STRCMP_EQUAL((at + ": Connection refused").c_str(), finals[0].phrase.c_str());
    }
  }
}

// --- strangers -------------------------------------------------------------------------------------------------------------

TEST(SipAgent, strangers_on_the_udp_socket_cost_nothing_and_get_nothing) {
  NotifyMessage m;
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    FakeClock clock;
    make(mode);
    uint16_t port;
    {
      ScriptedServer free_one(rig->base, ScriptedServer::Kind::Udp);
      port = free_one.port();
    }
    std::string uri = "sip:127.0.0.1:" + std::to_string(port);
    open(uri, false);
    Wire w(uri);
    auto stray = [](const char* method, int n) {
      std::string c = std::to_string(n);
      return std::string(method) + " sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK" + c + "\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n" +
             "Call-ID: " + c + "\r\nCSeq: 1 " + method + "\r\nContent-Length: 0\r\n\r\n";
    };
    auto flood = [&](int from, int to) {
      for (int i = from; i < to; i += 20) {
        for (int k = 0; k < 20; k++) w.send(stray(k % 2 ? "INVITE" : k % 4 ? "REGISTER" : "OPTIONS", i + k));
        rig->until([&] { return endpoint->strays() >= static_cast<uint64_t>(i + 20); });
      }
    };
    flood(0, 1000);
    size_t before = mallinfo2().uordblks;
    flood(1000, 5000);
    LONGS_EQUAL(5000, endpoint->strays());
    CHECK_TRUE(mallinfo2().uordblks < before + 50000);   // a transaction each were 40 MB
    LONGS_EQUAL(0, w.replies().size());
    // A NOTIFY is told that there is no subscription, in few words; fifty in a second, not more.
    std::string text = m.text();
    for (int i = 0; i < 10; i++) {
      for (int k = 0; k < 10; k++) w.send(text);
      rig->until([&] { return endpoint->strays() >= static_cast<uint64_t>(5000 + 10 * (i + 1)); });
    }
    CHECK_TRUE(rig->until([&] { return w.replies().size() >= 50; }));
    for (int i = 0; i < 5; i++) rig->turn();
    LONGS_EQUAL(50, w.replies().size());
    STRCMP_EQUAL("SIP/2.0 481 Subscription Does Not Exist", w.replies()[0].start_line.c_str());
    CHECK_TRUE(w.replies()[0].raw.size() * 2 < text.size() * 3);
    clock.pass(*rig, 1100);
    w.send(text);
    CHECK_TRUE(rig->until([&] { return w.replies().size() == 51; }));
    // A short one would be answered by more than one and a half of it.
    clock.pass(*rig, 1100);
    w.send(stray("NOTIFY", 1));
    w.send("garbage\r\n\r\n");
    for (int i = 0; i < 10; i++) rig->turn();
    LONGS_EQUAL(51, w.replies().size());
  }
}

TEST(SipAgent, requests_over_a_connection_of_ours_are_answered_once_and_keep_nothing) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    server.on_request = [&](const SipReceived& r) {
      if (r.start_line.substr(0, 7) == "PUBLISH") server.reply(r, 200, "OK");
    };
    open("sip:127.0.0.1:*");
    send(1, server.uri());
    CHECK_TRUE(rig->until([&] { return finals.size() == 1; }));
    SipReceived first = server.requests[0];
    NotifyMessage m;
    m.via = "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKn1";
    std::string options = m.text();
    options.replace(0, 6, "OPTIONS");
    options.replace(options.find("5 NOTIFY"), 8, "5 OPTIONS");
    server.send_raw(first, m.text() + options);
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 3; }));
    STRCMP_EQUAL("SIP/2.0 481 Subscription Does Not Exist", server.requests[1].start_line.c_str());
    STRCMP_EQUAL("SIP/2.0 405 Method Not Allowed", server.requests[2].start_line.c_str());
    LONGS_EQUAL(2, endpoint->strays());
    LONGS_EQUAL(1, server.connections());
  }
}
