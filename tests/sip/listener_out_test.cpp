// What leaves from a listener: SUBSCRIBEs, from the socket that their NOTIFYs come to.
//
//   stack (listener)      server
//     | SUBSCRIBE --------->|
//     |<---------- 200 OK   |
//     |<---------- NOTIFY   |  to where the SUBSCRIBE came from, or over its connection
//     | 200 OK ------------>|
#include <malloc.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/sip/notify_rig.h"
#include "tests/support/tls_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using Mode = SuDriver::Mode;

TEST_GROUP_BASE(SipListenerOut, ListenerTest){};

TEST(SipListenerOut, the_address_that_fits_the_next_hop_is_the_contact) {
  ScriptedServer v4(rig->base, ScriptedServer::Kind::Udp), v6(rig->base, ScriptedServer::Kind::Udp, "::1");
  if (!v6.up()) return;
  for (ScriptedServer* s : {&v4, &v6}) s->on_request = [s](const SipReceived& r) { s->reply(r, 200, "OK"); };
  rig->settings.listen = {"sip:127.0.0.1:*", "sip:[::1]:*"};
  rig->settings.notify_listen = {"sip:127.0.0.1:*", "sip:[::1]:*"};
  rig->start();
  SipRequest q = rig->publish();
  q.method = "SUBSCRIBE";
  q.body = q.content_type = "";
  std::string to4 = v4.uri(), to6 = v6.uri();
  q.proxy = to4;
  rig->send(q);
  q.txn = 2;
  q.branch = "z9hG4bKsix";
  q.proxy = to6;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(2));
  for (const Outcome& o : rig->replies) LONGS_EQUAL(200, o.status);
  std::string c4 = v4.requests[0].header("Contact"), c6 = v6.requests[0].header("Contact");
  STRCMP_EQUAL(("<" + contact() + ">").c_str(), c4.c_str());
  STRCMP_CONTAINS("<sip:[::1]:", c6.c_str());
  Wire w(c6.substr(1, c6.size() - 2));
  m.via = "SIP/2.0/UDP [::1]:9;branch=z9hG4bKn1;rport";
  STRCMP_EQUAL("200 OK", status(ask(w, m.text())).c_str());
  // A PUBLISH has no Contact, and who names one gets it.
  SipRequest p = rig->publish(3);
  p.proxy = to4;
  rig->send(p);
  q.txn = 4;
  q.proxy = to4;
  q.contact = "sip:own@192.0.2.1";
  q.branch = "z9hG4bKown";
  rig->send(q);
  CHECK_TRUE(rig->until_replies(4));
  STRCMP_EQUAL("", v4.requests[1].line("Contact").c_str());
  STRCMP_EQUAL("<sip:own@192.0.2.1>", v4.requests[2].header("Contact").c_str());
}

TEST(SipListenerOut, a_subscribe_leaves_from_the_socket_that_its_notifies_come_to) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
    server.on_request = [&](const SipReceived& r) {
      if (r.start_line.substr(0, 9) == "SUBSCRIBE") server.reply(r, 200, "OK", "Expires: 60\r\nContact: <sip:s@192.0.2.1>\r\n");
    };
    rig->start();
    proxy = server.uri();
    SipRequest q = rig->publish();
    q.method = "SUBSCRIBE";
    q.proxy = proxy;
    q.body = q.content_type = "";
    rig->send(q);
    CHECK_TRUE(rig->until_replies(1));
    LONGS_EQUAL(200, rig->replies[0].status);
    STRCMP_EQUAL("sip:s@192.0.2.1", rig->replies[0].contact.c_str());
    LONGS_EQUAL(60, rig->replies[0].expires);
    SipReceived r = server.requests[0];
    STRCMP_EQUAL(contact().c_str(), ("sip:" + r.from).c_str());
    STRCMP_EQUAL("SUBSCRIBE sip:alice@example.com SIP/2.0", r.start_line.c_str());
    std::string names;
    for (const auto& n : r.names()) names += n + " ";
    STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq Contact Expires User-Agent Event Content-Length ", names.c_str());
    STRCMP_EQUAL("z9hG4bKbranch-1", r.param("Via", "branch").c_str());
    STRCMP_EQUAL("libpua-test", r.header("User-Agent").c_str());
    STRCMP_EQUAL("0", r.header("Content-Length").c_str());
    STRCMP_EQUAL("70", r.header("Max-Forwards").c_str());
    STRCMP_EQUAL("7 SUBSCRIBE", r.header("CSeq").c_str());
    STRCMP_CONTAINS(";rport", r.header("Via").c_str());
    server.send_raw(r, m.text());
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 2; }));
    STRCMP_EQUAL("SIP/2.0 200 OK", server.requests[1].start_line.c_str());
    LONGS_EQUAL(1, sink->count);
    // A PUBLISH and a SUBSCRIBE for somebody else's Contact do not.
    q.contact = "sip:own@192.0.2.1";
    q.branch = "z9hG4bKown";
    rig->send(q);
    SipRequest p = rig->publish(3);
    p.proxy = proxy;
    rig->send(p);
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 4; }));
    for (int i : {2, 3}) CHECK_FALSE(server.requests[static_cast<size_t>(i)].from == r.from);
  }
}

// Its NOTIFYs are no stranger's from the first one on, also where the engine refuses them and over which transport it ever was asked.
TEST(SipListenerOut, a_server_that_answered_is_known_when_its_notifies_come) {
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    make(Mode::Port);
    rig->start();
    ScriptedServer server(rig->base, kind);
    connect(server);
    sink->answer = {481, "Subscription Does Not Exist", ""};
    Wire udp(contact());
    for (int i = 0; i < 300; i++) {
      m.cseq = std::to_string(i + 1) + " NOTIFY";
      STRCMP_EQUAL("481 Subscription Does Not Exist", status(ask(udp, m.text())).c_str());
    }
  }
}

TEST(SipListenerOut, a_notify_may_come_over_the_connection_of_its_subscribe) {
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  server.on_request = [&](const SipReceived& r) {
    if (r.start_line.substr(0, 9) == "SUBSCRIBE") server.reply(r, 200, "OK");
  };
  rig->start();
  proxy = server.uri();
  SipRequest q = rig->publish();
  q.method = "SUBSCRIBE";
  q.proxy = proxy;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  STRCMP_EQUAL("<presence/>", server.requests[0].body.c_str());
  m.via = "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKn1";
  server.send_raw(server.requests[0], m.text());
  CHECK_TRUE(rig->until([&] { return server.requests.size() == 2; }));
  STRCMP_EQUAL("SIP/2.0 200 OK", server.requests[1].start_line.c_str());
}

TEST(SipListenerOut, a_subscribe_that_nobody_answers_is_repeated_and_ends_after_64_t1) {
  FakeClock clock;
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  rig->start();
  SipRequest q = subscribe(server);
  rig->send(q);
  clock.pass(*rig, 31500);
  LONGS_EQUAL(0, rig->replies.size());
  CHECK_TRUE(server.requests.size() >= 8);
  for (const auto& r : server.requests) STRCMP_EQUAL(server.requests[0].raw.c_str(), r.raw.c_str());
  clock.pass(*rig, 2000);
  LONGS_EQUAL(1, rig->replies.size());
  LONGS_EQUAL(408, rig->replies[0].status);
  STRCMP_EQUAL("timeout", origin_name(rig->replies[0].origin));
  LONGS_EQUAL(0, rig->stack->in_flight());
  LONGS_EQUAL(0, rig->stack->counters().overdue);
}

TEST(SipListenerOut, a_closed_port_is_a_transport_error_and_never_inside_send) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
      make(mode);
      {
        ScriptedServer gone(rig->base, kind);
        proxy = gone.uri();
      }
      rig->start();
      for (TxnId i = 1; i <= 5; i++) {
        SipRequest q = rig->publish(i);
        std::string branch = "z9hG4bKx" + std::to_string(i);
        q.branch = branch;
        q.method = "SUBSCRIBE";
        q.proxy = proxy;
        rig->send(q);
      }
      CHECK_TRUE(rig->until_replies(5));
      CHECK_FALSE(rig->inside);
      for (const Outcome& o : rig->replies) {
        LONGS_EQUAL(503, o.status);
        STRCMP_EQUAL("transport", origin_name(o.origin));
      }
    }
  }
}

TEST(SipListenerOut, every_final_status_reaches_the_caller_once_and_digest_answers) {
  rig->settings.credentials = {{"r", "u", "p"}};
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  rig->start();
  size_t n = 0;
  for (int s : {200, 202, 302, 403, 404, 407, 412, 423, 481, 489, 500, 503, 603}) {
    server.on_request = [&](const SipReceived& r) { server.reply(r, s, "As Told", "Retry-After: 1\r\n"); };
    SipRequest q = subscribe(server, static_cast<TxnId>(s));
    std::string branch = "z9hG4bKs" + std::to_string(s);
    q.branch = branch;
    rig->send(q);
    CHECK_TRUE(rig->until_replies(++n));
    LONGS_EQUAL(s, rig->replies.back().status);
    LONGS_EQUAL(s, rig->replies.back().txn);
    LONGS_EQUAL(n, server.requests.size());
  }
  server.on_request = [&](const SipReceived& r) {
    if (r.header("Authorization").empty()) server.reply(r, 401, "Who", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"\r\n");
    else server.reply(r, 200, "OK");
  };
  SipRequest q = subscribe(server, 1);
  rig->send(q);
  CHECK_TRUE(rig->until_replies(++n));
  LONGS_EQUAL(200, rig->replies.back().status);
  LONGS_EQUAL(8, rig->replies.back().cseq);
  STRCMP_EQUAL(contact().c_str(), ("sip:" + server.requests.back().from).c_str());
  std::string second = server.requests.back().param("Via", "branch");   // another transaction
  CHECK_TEXT(second.size() > 15 && second.starts_with("z9hG4bK") && !second.starts_with("z9hG4bKbranch-1"), second.c_str());
  LONGS_EQUAL(0, rig->stack->in_flight());
}

TEST(SipListenerOut, destruction_completes_what_left_from_it_and_may_happen_inside_on_reply) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (bool inside : {false, true}) {
      make(mode);
      ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
      if (inside) server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
      rig->start();
      rig->then = [&](TxnId) {
        rig->then = {};
        if (inside) rig->stack.reset();
      };
      for (TxnId i = 1; i <= 20; i++) {
        SipRequest q = subscribe(server, i);
        std::string branch = "z9hG4bKd" + std::to_string(i);
        q.branch = branch;
        rig->send(q);
      }
      CHECK_TRUE(rig->until([&] { return server.requests.size() >= 20 || !rig->replies.empty(); }));
      rig->until([&] { return !inside || !rig->replies.empty(); });
      rig->stack.reset();
      LONGS_EQUAL(20, rig->replies.size());
      for (size_t i = inside ? 1 : 0; i < 20; i++) LONGS_EQUAL(487, rig->replies[i].status);
      for (int i = 0; i < 5; i++) rig->turn();
      LONGS_EQUAL(20, rig->replies.size());
    }
  }
}

// --- TLS ------------------------------------------------------------------------------------------------------------------

TEST(SipListenerOut, a_notify_may_come_over_the_tls_connection_of_its_subscribe) {
  char path[] = "/tmp/sip-notify-tls-XXXXXX";
  std::string dir = mkdtemp(path);
  Cert cert({.cn = "x", .san = "IP:127.0.0.1"});
  cert.write(dir);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    TlsServer server(rig->base, cert);
    rig->settings.notify_listen = {"sips:127.0.0.1:*"};
    rig->settings.tls_dir = dir;
    rig->start();
    STRCMP_CONTAINS(";transport=tls", contact().c_str());
    SipRequest q = rig->publish();
    q.method = "SUBSCRIBE";
    std::string to = "sips:127.0.0.1:" + std::to_string(server.port());
    q.proxy = to;
    rig->send(q);
    CHECK_TRUE(rig->until_replies(1));
    LONGS_EQUAL(200, rig->replies[0].status);
    STRCMP_EQUAL(("<" + contact() + ">").c_str(), server.requests[0].header("Contact").c_str());
    m.via = "SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKn1";
    server.silent = true;
    server.send(m.text());
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 2; }));
    STRCMP_EQUAL("SIP/2.0 200 OK", server.requests[1].start_line.c_str());
    LONGS_EQUAL(1, sink->count);
  }
  std::filesystem::remove_all(dir);
}

// Route sets come from the other side; of a scheme like this sofia makes no transaction.
TEST(SipListenerOut, a_request_that_cannot_be_made_leaves_nothing_behind) {
  rig->start();
  SipRequest q = rig->publish();
  q.method = "SUBSCRIBE";
  q.body = q.content_type = "";
  q.route_set = "<sipx:127.0.0.1:9;lr>";
  CHECK_FALSE(rig->stack->send(q).ok());
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 200; i++) CHECK_FALSE(rig->stack->send(q).ok());
  CHECK(mallinfo2().uordblks < before + 100000);   // a message each were 900,000
}
