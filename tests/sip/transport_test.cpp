// The ways out: TCP, IPv6, names (NAPTR, SRV, A), and what happens where one is closed. (TLS: tls_watch_test.)
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/sip/rig.h"
#include "tests/support/dns_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using Mode = SuDriver::Mode;

TEST_GROUP(SipTransport) {
  Rig* rig = nullptr;
  void setup() override { rig = new Rig; }
  void teardown() override { delete rig; }

  void answer(ScriptedServer& s) {
    s.on_request = [&s](const SipReceived& r) { s.reply(r, 200, "OK", "SIP-ETag: e\r\n"); };
  }
  void send(TxnId txn, const std::string& proxy, const std::string& uri = "sip:alice@example.com", std::string_view body = "b") {
    SipRequest q = rig->publish(txn);
    std::string branch = "z9hG4bKx" + std::to_string(txn), call = "call-" + std::to_string(txn);
    q.branch = branch;
    q.call_id = call;
    q.proxy = proxy;
    q.uri = uri;
    q.body = body;
    rig->send(q);
  }
  const Outcome& outcome(size_t n = 1) {
    CHECK_TRUE(rig->until_replies(n));
    LONGS_EQUAL(n, rig->replies.size());
    return rig->replies.back();
  }
};

TEST(SipTransport, tcp_carries_requests_over_one_connection) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    delete rig;
    rig = new Rig(m);
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    answer(server);
    rig->start();
    send(1, server.uri());
    LONGS_EQUAL(200, outcome().status);
    STRCMP_CONTAINS("SIP/2.0/TCP 127.0.0.1:", server.requests[0].header("Via").c_str());
    STRCMP_EQUAL("z9hG4bKx1", server.requests[0].param("Via", "branch").c_str());
    for (TxnId i = 2; i <= 300; i++) send(i, server.uri());
    CHECK_TRUE(rig->until_replies(300));
    for (const Outcome& o : rig->replies) LONGS_EQUAL(200, o.status);
    LONGS_EQUAL(1, server.connections());
  }
}

TEST(SipTransport, a_thousand_requests_wait_for_one_connection) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  answer(server);
  rig->start();
  std::string body(2000, 'x');
  for (TxnId i = 1; i <= 1000; i++) send(i, server.uri(), "sip:alice@example.com", body);
  CHECK_TRUE(rig->until_replies(1000));
  for (const Outcome& o : rig->replies) LONGS_EQUAL(200, o.status);
}

TEST(SipTransport, a_reply_may_come_in_pieces_or_two_in_one) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  rig->start();
  std::string both;
  SipReceived first;
  server.on_request = [&](const SipReceived& r) {
    first = r;
    both += "\r\n\r\n" + ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag: e\r\n", "body");
  };
  send(1, server.uri());
  send(2, server.uri());
  CHECK_TRUE(rig->until([&] { return server.requests.size() == 2; }));
  for (size_t i = 0; i < both.size(); i += 100) {
    server.send_raw(first, both.substr(i, 100));
    rig->turn();
  }
  CHECK_TRUE(rig->until_replies(2));
  for (const Outcome& o : rig->replies) STRCMP_EQUAL("e", o.etag.c_str());
}

TEST(SipTransport, a_refused_tcp_connection_is_a_transport_error_at_once) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    delete rig;
    rig = new Rig(m);
    std::string uri;
    {
      ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
      uri = server.uri();
    }
    rig->start();
    send(1, uri);
    LONGS_EQUAL(503, outcome().status);
    STRCMP_EQUAL("transport", origin_name(outcome().origin));
  }
}

TEST(SipTransport, a_connection_closed_in_the_middle_ends_its_requests_once) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  server.on_request = [&](const SipReceived&) { server.close_connections(); };
  FakeClock clock;
  rig->start();
  for (TxnId i = 1; i <= 10; i++) send(i, server.uri());
  clock.pass(*rig, 40000);
  LONGS_EQUAL(10, rig->replies.size());
  for (const Outcome& o : rig->replies) {
    CHECK_TRUE(o.origin == ReplyOrigin::Transport || o.origin == ReplyOrigin::Timeout);
    CHECK_TRUE(o.status == 503 || o.status == 408);
  }
}

TEST(SipTransport, a_closed_connection_is_opened_again_for_the_next_request) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  answer(server);
  rig->start();
  send(1, server.uri());
  outcome();
  server.close_connections();
  for (int i = 0; i < 10; i++) rig->turn();
  send(2, server.uri());
  LONGS_EQUAL(200, outcome(2).status);
  LONGS_EQUAL(2, server.connections());
}

TEST(SipTransport, garbage_on_tcp_harms_nothing) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  FakeClock clock;
  rig->start();
  int n = 0;
  server.on_request = [&](const SipReceived& r) {
    switch (++n % 4) {
      case 0: server.send_raw(r, std::string(400000, 'A')); break;  // more than max_message
      case 1: server.send_raw(r, "SIP/2.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n"); break;
      case 2: server.send_raw(r, std::string(100, '\0') + "\r\n\r\n"); break;
      case 3: server.send_raw(r, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"); break;
    }
  };
  for (TxnId i = 1; i <= 8; i++) {
    send(i, server.uri());
    clock.pass(*rig, 300);
  }
  clock.pass(*rig, 40000);
  LONGS_EQUAL(8, rig->replies.size());
}

TEST(SipTransport, ipv6_works_like_ipv4) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp, "::1");
  ScriptedServer tcp(rig->base, ScriptedServer::Kind::Tcp, "::1");
  if (!server.up() || !tcp.up()) return;  // no IPv6 on this machine
  answer(server);
  answer(tcp);
  rig->settings.listen = {"sip:[::1]:*"};
  rig->start();
  send(1, server.uri());
  LONGS_EQUAL(200, outcome().status);
  STRCMP_CONTAINS("SIP/2.0/UDP [::1]:", server.requests[0].header("Via").c_str());
  send(2, "", "sip:alice@[::1]:" + std::to_string(server.port()));
  LONGS_EQUAL(200, outcome(2).status);
  send(3, tcp.uri());
  LONGS_EQUAL(200, outcome(3).status);
}

TEST(SipTransport, the_listen_address_that_fits_the_next_hop_is_taken) {
  ScriptedServer v4(rig->base, ScriptedServer::Kind::Udp), v6(rig->base, ScriptedServer::Kind::Udp, "::1");
  if (!v6.up()) return;
  answer(v4);
  answer(v6);
  rig->settings.listen = {"sip:127.0.0.1:*", "sip:[::1]:*"};
  rig->start();
  send(1, v6.uri());
  LONGS_EQUAL(200, outcome().status);
  send(2, v4.uri());
  LONGS_EQUAL(200, outcome(2).status);
}

TEST(SipTransport, a_closed_ipv6_port_is_a_transport_error) {
  std::string uri;
  {
    ScriptedServer v6(rig->base, ScriptedServer::Kind::Udp, "::1");
    if (!v6.up()) return;
    uri = v6.uri();
  }
  rig->settings.listen = {"sip:[::1]:*"};
  rig->start();
  send(1, uri);
  LONGS_EQUAL(503, outcome().status);
}

// --- names ---------------------------------------------------------------------------------------------------------------

TEST_GROUP(SipNames) {
  Rig* rig = nullptr;
  DnsServer* dns = nullptr;
  std::string conf;
  void setup() override {
    rig = new Rig;
    dns = new DnsServer(rig->base);
    char path[] = "/tmp/resolv-XXXXXX";
    int fd = mkstemp(path);
    conf = path;
    dprintf(fd, "nameserver 127.0.0.1\nport %u\n", dns->port());
    close(fd);
    rig->settings.resolv_conf = conf;
  }
  void teardown() override {
    delete dns;
    delete rig;
    unlink(conf.c_str());
  }
  void send(TxnId txn, const std::string& uri, const std::string& proxy = "") {
    SipRequest q = rig->publish(txn);
    q.uri = uri;
    q.proxy = proxy;
    q.branch = "";
    rig->send(q);
  }
};

TEST(SipNames, naptr_srv_and_a_lead_to_the_server) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
  dns->naptr("lamps.example", 10, "SIP+D2U", "_sip._udp.lamps.example");
  dns->srv("_sip._udp.lamps.example", 1, server.port(), "one.lamps.example");
  dns->a("one.lamps.example", "127.0.0.1");
  rig->start();
  send(1, "sip:alice@lamps.example");
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  STRCMP_EQUAL("PUBLISH sip:alice@lamps.example SIP/2.0", server.requests[0].start_line.c_str());
  STRCMP_EQUAL("NAPTR lamps.example", dns->questions[0].c_str());
  size_t asked = dns->questions.size();
  send(2, "sip:bob@lamps.example");
  CHECK_TRUE(rig->until_replies(2));
  LONGS_EQUAL(asked, dns->questions.size());  // remembered
}

TEST(SipNames, a_proxy_by_name_and_port_is_looked_up_too) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
  dns->a("gate.example", "127.0.0.1");
  rig->start();
  send(1, "sip:alice@example.com", "sip:gate.example:" + std::to_string(server.port()));
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
}

TEST(SipNames, the_second_server_is_asked_where_the_first_is_closed) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
  uint16_t closed;
  {
    ScriptedServer gone(rig->base, ScriptedServer::Kind::Udp);
    closed = gone.port();
  }
  dns->naptr("lamps.example", 10, "SIP+D2U", "_sip._udp.lamps.example");
  dns->srv("_sip._udp.lamps.example", 1, closed, "one.lamps.example");
  dns->srv("_sip._udp.lamps.example", 2, server.port(), "one.lamps.example");
  dns->a("one.lamps.example", "127.0.0.1");
  rig->start();
  send(1, "sip:alice@lamps.example");
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  LONGS_EQUAL(1, rig->replies.size());
}

TEST(SipNames, a_name_server_that_says_nothing_ends_in_one_outcome) {
  dns->silent = true;
  FakeClock clock;
  rig->start();
  send(1, "sip:alice@lamps.example");
  clock.pass(*rig, 200000);
  LONGS_EQUAL(1, rig->replies.size());
  CHECK_TRUE(rig->replies[0].status == 503 || rig->replies[0].status == 408);
  CHECK_FALSE(rig->replies[0].origin == ReplyOrigin::Wire);
  LONGS_EQUAL(0, rig->stack->in_flight());
}
