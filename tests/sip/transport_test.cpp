// The ways out: TCP, TLS, IPv6, names (NAPTR, SRV, A), and what happens where one is closed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/sip/notify_rig.h"
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

// --- TLS -----------------------------------------------------------------------------------------------------------------

// `openssl s_server`: decrypts for us. What a client sends comes out of its stdout, what goes into its stdin goes back.
TEST_GROUP(SipTls) {
  Rig* rig = nullptr;
  std::string dir;
  pid_t pid = -1;
  int to_server = -1, from_server = -1;
  uint16_t port = 0;
  std::string seen;
  SipReceived came;
  RecordingSink sink;

  void setup() override {
    rig = new Rig;
    char path[] = "/tmp/sip-tls-XXXXXX";
    dir = mkdtemp(path);
  }
  void teardown() override {
    stop();
    delete rig;
    std::filesystem::remove_all(dir);
  }
  bool have_openssl() { return system("openssl version >/dev/null 2>&1") == 0; }
  // A certificate for 127.0.0.1 or another name, signed by itself, as agent.pem and cafile.pem of `name`.
  std::string make_dir(const std::string& name, const std::string& cn) {
    std::string d = dir + "/" + name;
    std::filesystem::create_directory(d);
    std::string san = cn == "127.0.0.1" ? "IP:127.0.0.1" : "DNS:" + cn;
    std::string cmd = "cd " + d + " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + cn + " -addext subjectAltName=" + san +
                      " -keyout key.pem -out cafile.pem 2>/dev/null && cat cafile.pem key.pem > agent.pem";
    LONGS_EQUAL(0, system(cmd.c_str()));
    return d;
  }
  void serve(const std::string& d) {
    {
      ScriptedServer free_one(rig->base, ScriptedServer::Kind::Tcp);
      port = free_one.port();
    }
    int in[2], out[2];
    LONGS_EQUAL(0, pipe2(in, O_CLOEXEC));
    LONGS_EQUAL(0, pipe2(out, O_CLOEXEC));
    std::string accept = "127.0.0.1:" + std::to_string(port), cert = d + "/agent.pem";
    pid = fork();
    if (pid == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      int null = open("/dev/null", O_WRONLY);
      dup2(null, 2);
      execlp("openssl", "openssl", "s_server", "-quiet", "-accept", accept.c_str(), "-cert", cert.c_str(), nullptr);
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_server = in[1];
    from_server = out[0];
    fcntl(from_server, F_SETFL, O_NONBLOCK);
    // It is up when it takes a connection.
    for (int i = 0; i < 500; i++) {
      int fd = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in a{};
      a.sin_family = AF_INET;
      a.sin_port = htons(port);
      a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      int rc = connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
      close(fd);
      if (rc == 0) return;
      poll(nullptr, 0, 10);
    }
    FAIL("openssl s_server does not come up");
  }
  void stop() {
    if (pid > 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    pid = -1;
    if (to_server >= 0) close(to_server);
    if (from_server >= 0) close(from_server);
    to_server = from_server = -1;
  }
  // One request, answered with 200 if it gets through.
  Outcome exchange(const std::string& proxy) {
    SipRequest q = rig->publish();
    q.proxy = proxy;
    return exchange(q);
  }
  Outcome exchange(const SipRequest& q) {
    rig->send(q);
    rig->until([&] {
      char buf[4096];
      ssize_t n = read(from_server, buf, sizeof buf);
      if (n > 0) seen.append(buf, static_cast<size_t>(n));
      if (seen.find("<presence/>") != std::string::npos) {
        came = parse_sip(seen);
        std::string reply = ScriptedServer::reply_text(came, 200, "OK", "SIP-ETag: tls\r\n");
        seen.clear();
        if (write(to_server, reply.data(), reply.size()) < 0) return true;
      }
      return !rig->replies.empty();
    });
    LONGS_EQUAL(1, rig->replies.size());
    return rig->replies[0];
  }
};

TEST(SipTls, a_verified_server_is_reached_by_sips) {
  if (!have_openssl()) return;
  std::string d = make_dir("good", "127.0.0.1");
  serve(d);
  rig->settings.listen = {"sip:127.0.0.1:*", "sips:127.0.0.1:*"};
  rig->settings.tls_dir = d;
  rig->start();
  Outcome o = exchange("sips:127.0.0.1:" + std::to_string(port));
  LONGS_EQUAL(200, o.status);
  STRCMP_EQUAL("tls", o.etag.c_str());
}

// RFC 3261 section 8.1.1.8: the Contact is sips: where the Request-URI is; and here too URIs go out to the octet.
TEST(SipTls, a_sips_subscription_has_a_sips_contact) {
  if (!have_openssl()) return;
  std::string d = make_dir("good", "127.0.0.1");
  for (const char* scheme : {"sips", "sip"}) {
    delete rig;
    rig = new Rig;
    stop();
    serve(d);
    rig->settings.notify_listen = {"sips:127.0.0.1:*"};
    rig->settings.tls_dir = d;
    rig->notifies = &sink;
    rig->start();
    std::string own = rig->stack->notify_contact(), uri = std::string(scheme) + ":a%3Bb@127.0.0.1:" + std::to_string(port) +
                                                          (scheme == std::string("sip") ? ";transport=tls" : "");
    STRCMP_CONTAINS(";transport=tls", own.c_str());
    SipRequest q = rig->publish();
    q.method = "SUBSCRIBE";
    q.uri = uri;
    LONGS_EQUAL(200, exchange(q).status);
    STRCMP_EQUAL(("SUBSCRIBE " + uri + " SIP/2.0").c_str(), came.start_line.c_str());
    std::string want = scheme == std::string("sip") ? own : "sips" + own.substr(3, own.find(';') - 3);
    STRCMP_EQUAL(("<" + want + ">").c_str(), came.header("Contact").c_str());
    STRCMP_EQUAL(("<" + uri + ">").c_str(), came.header("To").c_str());
  }
}

TEST(SipTls, transport_tls_is_the_same_way) {
  if (!have_openssl()) return;
  std::string d = make_dir("good", "127.0.0.1");
  serve(d);
  rig->settings.listen = {"sips:127.0.0.1:*"};
  rig->settings.tls_dir = d;
  rig->start();
  LONGS_EQUAL(200, exchange("sip:127.0.0.1:" + std::to_string(port) + ";transport=tls").status);
}

// sofia closes the connection and tells nobody, so the request ends by its timeout. (T1 is short here.)
TEST(SipTls, a_certificate_of_somebody_else_gets_no_request) {
  if (!have_openssl()) return;
  std::string d = make_dir("good", "127.0.0.1"), other = make_dir("other", "127.0.0.1");
  serve(other);
  rig->settings.listen = {"sips:127.0.0.1:*"};
  rig->settings.tls_dir = d;
  rig->settings.t1_ms = 10;
  rig->start();
  Outcome o = exchange("sips:127.0.0.1:" + std::to_string(port));
  LONGS_EQUAL(408, o.status);
  STRCMP_EQUAL("timeout", origin_name(o.origin));
  STRCMP_EQUAL("", seen.c_str());
}

TEST(SipTls, a_certificate_for_another_name_gets_no_request) {
  if (!have_openssl()) return;
  std::string d = make_dir("elsewhere", "elsewhere.example");
  serve(d);
  rig->settings.listen = {"sips:127.0.0.1:*"};
  rig->settings.tls_dir = d;
  rig->settings.t1_ms = 10;
  rig->start();
  LONGS_EQUAL(408, exchange("sips:127.0.0.1:" + std::to_string(port)).status);
  STRCMP_EQUAL("", seen.c_str());
}

TEST(SipTls, without_verification_any_certificate_will_do) {
  if (!have_openssl()) return;
  std::string d = make_dir("good", "127.0.0.1"), other = make_dir("other", "elsewhere.example");
  serve(other);
  rig->settings.listen = {"sips:127.0.0.1:*"};
  rig->settings.tls_dir = d;
  rig->settings.tls_verify = false;
  rig->start();
  LONGS_EQUAL(200, exchange("sips:127.0.0.1:" + std::to_string(port)).status);
}
