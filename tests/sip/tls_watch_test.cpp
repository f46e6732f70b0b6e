// TLS to a server: whose certificate is believed, and that a refusal is told at once and by name.
#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/sip/notify_rig.h"
#include "tests/sip/rig.h"
#include "tests/support/dns_server.h"
#include "tests/support/tls_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using Mode = SuDriver::Mode;

TEST_GROUP(SipTls) {
  Rig* rig = nullptr;
  std::string dir, peer;

  void setup() override {
    char path[] = "/tmp/sip-tls-XXXXXX";
    dir = mkdtemp(path);
    make(Mode::Port);
  }
  void teardown() override {
    delete rig;
    std::filesystem::remove_all(dir);
  }
  void make(Mode mode) {
    delete rig;
    rig = new Rig(mode);
    rig->settings.listen = {"sip:127.0.0.1:*", "sips:127.0.0.1:*"};
    rig->settings.tls_dir = dir;
  }
  // One request to 127.0.0.1 or another name of it.
  Outcome ask(const std::string& host_port, TxnId txn = 1) {
    SipRequest q = rig->publish(txn);
    std::string branch = "z9hG4bKx" + std::to_string(txn), proxy = "sips:" + host_port;
    q.branch = branch;
    q.proxy = proxy;
    size_t n = rig->replies.size();
    rig->send(q);
    CHECK_TRUE(rig->until_replies(n + 1));
    CHECK_FALSE(rig->inside);
    return rig->replies.back();
  }
  Outcome ask(TlsServer& s, TxnId txn = 1) {
    peer = "127.0.0.1:" + std::to_string(s.port());
    return ask(peer, txn);
  }
  // The request did not get through, and this is why. PEER: the server's address.
  void refused(const Outcome& o, std::string why) {
    if (size_t at = why.find("PEER"); at != std::string::npos) why.replace(at, 4, peer);
    LONGS_EQUAL(503, o.status);
    STRCMP_EQUAL("transport", origin_name(o.origin));
    STRCMP_EQUAL(why.c_str(), o.reason.c_str());
  }
  size_t lines_with(const std::string& text) {
    size_t n = 0;
    for (const std::string& l : rig->lines) n += l.find(text) != std::string::npos;
    return n;
  }
};

TEST(SipTls, a_server_that_is_known_for_its_address_is_reached_in_both_drivers) {
  Cert ca({.cn = "CA", .ca = true}), cert({.cn = "some host", .san = "IP:127.0.0.1", .by = &ca});
  cert.write(dir, &ca);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (bool tls12 : {false, true}) {
      make(mode);
      TlsServer server(rig->base, cert, nullptr, tls12);
      rig->start();
      Outcome o = ask(server);
      LONGS_EQUAL(200, o.status);
      STRCMP_EQUAL("tls", o.etag.c_str());
      STRCMP_CONTAINS("SIP/2.0/TLS 127.0.0.1:", server.requests[0].header("Via").c_str());
      LONGS_EQUAL(200, ask(server, 2).status);
      LONGS_EQUAL(1, server.connections());
      STRCMP_EQUAL("", server.server_name.c_str());   // an address is no server name (RFC 6066)
    }
  }
}

// RFC 3261 section 8.1.1.8: the Contact is sips: where the Request-URI is; and here too URIs go out to the octet.
TEST(SipTls, a_sips_subscription_has_a_sips_contact) {
  Cert cert({.cn = "127.0.0.1"});
  cert.write(dir);
  RecordingSink sink;
  for (const char* scheme : {"sips", "sip"}) {
    make(Mode::Port);
    TlsServer server(rig->base, cert);
    rig->settings.notify_listen = {"sips:127.0.0.1:*"};
    rig->notifies = &sink;
    rig->start();
    bool sip = scheme == std::string("sip");
    std::string own = rig->stack->notify_contact();
    std::string uri = std::string(scheme) + ":a%3Bb@127.0.0.1:" + std::to_string(server.port()) + (sip ? ";transport=tls" : "");
    STRCMP_CONTAINS(";transport=tls", own.c_str());
    SipRequest q = rig->publish();
    q.method = "SUBSCRIBE";
    q.uri = uri;
    rig->send(q);
    CHECK_TRUE(rig->until_replies(1));
    LONGS_EQUAL(200, rig->replies[0].status);
    const SipReceived& came = server.requests[0];
    STRCMP_EQUAL(("SUBSCRIBE " + uri + " SIP/2.0").c_str(), came.start_line.c_str());
    std::string want = sip ? own : "sips" + own.substr(3, own.find(';') - 3);
    STRCMP_EQUAL(("<" + want + ">").c_str(), came.header("Contact").c_str());
    STRCMP_EQUAL(("<" + uri + ">").c_str(), came.header("To").c_str());
  }
  make(Mode::Port);
}

TEST(SipTls, transport_tls_is_the_same_way) {
  Cert cert({.cn = "127.0.0.1"});
  cert.write(dir);
  TlsServer server(rig->base, cert);
  rig->settings.listen = {"sips:127.0.0.1:*"};
  rig->start();
  SipRequest q = rig->publish();
  std::string proxy = "sip:127.0.0.1:" + std::to_string(server.port()) + ";transport=tls";
  q.proxy = proxy;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
}

TEST(SipTls, a_certificate_that_is_not_trusted_is_named_at_once) {
  Cert ours({.cn = "CA", .ca = true}), other({.cn = "127.0.0.1", .san = "IP:127.0.0.1"});
  ours.write(dir);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    for (bool tls12 : {false, true}) {
      make(mode);
      TlsServer server(rig->base, other, nullptr, tls12);
      rig->start();
      Outcome o = ask(server);
      refused(o, "the certificate of PEER is not trusted: self-signed certificate");
      LONGS_EQUAL(0, server.requests.size());
      // One line, however often it is tried.
      for (TxnId i = 2; i <= 5; i++) refused(ask(server, i), o.reason);
      LONGS_EQUAL(5, server.connections());
      LONGS_EQUAL(1, lines_with("sip: the certificate of " + peer + " is not trusted"));
    }
  }
}

TEST(SipTls, a_certificate_that_is_over_or_of_an_unknown_issuer_is_named) {
  Cert ca({.cn = "CA", .ca = true}), stranger({.cn = "stranger", .ca = true});
  Cert old({.cn = "x", .san = "IP:127.0.0.1", .from_s = -7200, .until_s = -3600, .by = &ca});
  Cert foreign({.cn = "x", .san = "IP:127.0.0.1", .by = &stranger});
  old.write(dir, &ca);
  TlsServer first(rig->base, old), second(rig->base, foreign);
  rig->start();
  refused(ask(first), "the certificate of PEER is not trusted: certificate has expired");
  refused(ask(second, 2), "the certificate of PEER is not trusted: unable to get local issuer certificate");
}

TEST(SipTls, a_certificate_for_another_address_or_name_is_named) {
  Cert ca({.cn = "CA", .ca = true});
  Cert elsewhere({.cn = "127.0.0.1", .san = "DNS:elsewhere.example, IP:192.0.2.7", .by = &ca});
  elsewhere.write(dir, &ca);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    TlsServer server(rig->base, elsewhere);
    rig->start();
    // Its common name is the address, and must not help: there are alternative names.
    refused(ask(server), "the certificate of PEER is for elsewhere.example, 192.0.2.7, not for 127.0.0.1");
    LONGS_EQUAL(0, server.requests.size());
  }
}

TEST(SipTls, without_alternative_names_the_common_name_is_taken) {
  Cert cert({.cn = "127.0.0.1"});
  cert.write(dir);
  TlsServer server(rig->base, cert);
  rig->start();
  LONGS_EQUAL(200, ask(server).status);
}

TEST(SipTls, without_verification_any_certificate_will_do) {
  Cert ours({.cn = "CA", .ca = true}), other({.cn = "elsewhere.example", .until_s = -60});
  ours.write(dir);
  TlsServer server(rig->base, other);
  rig->settings.tls_verify = false;
  rig->start();
  LONGS_EQUAL(200, ask(server).status);
}

TEST(SipTls, a_server_that_speaks_no_tls_is_named_at_once) {
  Cert cert({.cn = "127.0.0.1"});
  cert.write(dir);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    ScriptedServer plain(rig->base, ScriptedServer::Kind::Tcp);
    rig->start();
    peer = "127.0.0.1:" + std::to_string(plain.port());
    // It sees no request, so the test says what it says.
    SipRequest q = rig->publish();
    std::string proxy = "sips:" + peer;
    q.proxy = proxy;
    rig->send(q);
    CHECK_TRUE(rig->until([&] { return plain.connections() == 1; }));
    plain.send_to_all("SIP/2.0 400 What is that\r\n\r\n");
    CHECK_TRUE(rig->until_replies(1));
    refused(rig->replies[0], "PEER does not speak TLS");
  }
}

TEST(SipTls, a_handshake_that_the_server_breaks_off_or_refuses_is_named_at_once) {
  Cert ca({.cn = "CA", .ca = true}), cert({.cn = "x", .san = "IP:127.0.0.1", .by = &ca}), client_ca({.cn = "another CA", .ca = true});
  cert.write(dir, &ca);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    ScriptedServer plain(rig->base, ScriptedServer::Kind::Tcp);
    TlsServer strict(rig->base, cert, &client_ca), strict12(rig->base, cert, &client_ca, true);
    rig->start();
    peer = "127.0.0.1:" + std::to_string(plain.port());
    SipRequest q = rig->publish();
    std::string proxy = "sips:" + peer;
    q.proxy = proxy;
    rig->send(q);
    CHECK_TRUE(rig->until([&] { return plain.connections() == 1; }));
    plain.close_connections();
    CHECK_TRUE(rig->until_replies(1));
    refused(rig->replies[0], "PEER closed the connection during the TLS handshake");
    refused(ask(strict, 2), "PEER refused TLS: unknown CA");
    refused(ask(strict12, 3), "PEER refused TLS: unknown CA");
    LONGS_EQUAL(2, lines_with("refused TLS: unknown CA"));   // of two servers
  }
}

TEST(SipTls, a_closed_port_and_a_connection_that_ends_are_told_apart_from_tls) {
  Cert cert({.cn = "127.0.0.1"});
  cert.write(dir);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    {
      ScriptedServer gone(rig->base, ScriptedServer::Kind::Tcp);
      peer = "127.0.0.1:" + std::to_string(gone.port());
    }
    TlsServer server(rig->base, cert);
    rig->start();
    refused(ask(peer), "PEER: Connection refused");
    server.silent = true;
    peer = "127.0.0.1:" + std::to_string(server.port());
    SipRequest q = rig->publish(2);
    std::string proxy = "sips:" + peer;
    q.proxy = proxy;
    rig->send(q);
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 1; }));
    server.close_connections();
    CHECK_TRUE(rig->until_replies(2));
    refused(rig->replies[1], "the connection was closed by PEER");
  }
}

TEST(SipTls, what_works_again_is_told_once) {
  Cert ca({.cn = "CA", .ca = true}), good({.cn = "x", .san = "IP:127.0.0.1", .by = &ca}), bad({.cn = "127.0.0.1"});
  good.write(dir, &ca);
  rig->start();
  uint16_t port;
  {
    TlsServer server(rig->base, bad);
    port = server.port();
    LONGS_EQUAL(503, ask(server).status);
  }
  TlsServer server(rig->base, good, nullptr, false, "127.0.0.1", port);
  LONGS_EQUAL(port, server.port());
  LONGS_EQUAL(200, ask(server, 2).status);
  LONGS_EQUAL(200, ask(server, 3).status);
  LONGS_EQUAL(1, lines_with("sip: TLS with " + peer + " works again"));
}

TEST(SipTls, over_ipv6_too) {
  {
    Cert cert({.cn = "x", .san = "IP:::1"});
    cert.write(dir);
    TlsServer server(rig->base, cert, nullptr, false, "::1");
    if (server.port() == 0) return;  // no IPv6 on this machine
    rig->settings.listen = {"sips:[::1]:*"};
    rig->start();
    LONGS_EQUAL(200, ask("[::1]:" + std::to_string(server.port())).status);
  }
  Cert other({.cn = "y", .san = "IP:::2"});
  other.write(dir);
  make(Mode::Port);
  TlsServer server(rig->base, other, nullptr, false, "::1");
  rig->settings.listen = {"sips:[::1]:*"};
  rig->start();
  peer = "[::1]:" + std::to_string(server.port());
  refused(ask(peer), "the certificate of PEER is for ::2, not for ::1");
}

// --- names ---------------------------------------------------------------------------------------------------------------

TEST(SipTls, a_server_is_known_by_the_name_that_was_asked_for) {
  Cert ca({.cn = "CA", .ca = true}), a({.cn = "x", .san = "DNS:a.example", .by = &ca});
  a.write(dir, &ca);
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    DnsServer dns(rig->base);
    dns.a("a.example", "127.0.0.1");
    dns.a("b.example", "127.0.0.1");
    std::string conf = dir + "/resolv";
    FILE* f = fopen(conf.c_str(), "we");
    fprintf(f, "nameserver 127.0.0.1\nport %u\n", dns.port());
    fclose(f);
    rig->settings.resolv_conf = conf;
    TlsServer server(rig->base, a);
    rig->start();
    std::string port = std::to_string(server.port());
    peer = "127.0.0.1:" + port;
    refused(ask("b.example:" + port), "the certificate of PEER is for a.example, not for b.example");
    LONGS_EQUAL(0, server.requests.size());
    LONGS_EQUAL(200, ask("a.example:" + port, 2).status);
    STRCMP_EQUAL("a.example", server.server_name.c_str());
    // The connection of one name does not serve another one.
    refused(ask("b.example:" + port, 3), "the certificate of PEER is for a.example, not for b.example");
    LONGS_EQUAL(200, ask("a.example:" + port, 4).status);
    LONGS_EQUAL(2, server.requests.size());
  }
}
