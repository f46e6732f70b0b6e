// The lane on real sockets: which responses count, and which server is asked next.
//
//   stack      server one     server two
//     | PUBLISH --->|             |
//     |<-------- 503|             |
//     | PUBLISH (another branch)->|
//     |<----------------------200 |
#include <arpa/inet.h>
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/sip/rig.h"
#include "tests/support/dns_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

// Stands before the C library's: the device behind this port takes nothing more.
static uint16_t g_full_port = 0;
static int g_sends = 0;
extern "C" int sendmmsg(int fd, mmsghdr* messages, unsigned n, int flags) {
  static auto* const next = reinterpret_cast<int (*)(int, mmsghdr*, unsigned, int)>(dlsym(RTLD_NEXT, "sendmmsg"));
  unsigned free = 0;
  while (free < n && (g_full_port == 0 || static_cast<sockaddr_in*>(messages[free].msg_hdr.msg_name)->sin_port != htons(g_full_port))) free++;
  g_sends++;
  if (free > 0) return next(fd, messages, free, flags);
  errno = ENOBUFS;
  return -1;
}

TEST_GROUP(SipLane) {
  Rig* rig = nullptr;
  ScriptedServer* server = nullptr;
  std::string proxy;
  void setup() override {
    rig = new Rig;
    rig->settings.lane = true;
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    proxy = server->uri();
  }
  void teardown() override {
    g_full_port = 0;
    delete server;
    delete rig;
  }
  SipRequest publish(TxnId txn = 1) {
    SipRequest q = rig->publish(txn);
    q.proxy = proxy;
    return q;
  }
  // Sends `bytes` to the stack from another address of this machine, or another port of the same.
  void forge(const SipReceived& r, const char* from, const std::string& bytes) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    inet_pton(AF_INET, from, &a.sin_addr);
    LONGS_EQUAL(0, bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a));
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    a.sin_port = htons(static_cast<uint16_t>(atoi(r.from.c_str() + r.from.rfind(':') + 1)));
    sendto(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&a), sizeof a);
    close(fd);
  }
  // "Port unreachable" for datagrams that the stack never sent, from the port that r came from. false: raw sockets are not permitted.
  bool forge_unreachable(const SipReceived& r, int count) {
    bool sent = true;
    for (int i = 0; i < count; i++) sent = forge_icmp(r, 3, 3, 5060, "") && sent;
    return sent;
  }
  // An ICMP message about a datagram of these octets to that port, from the port that r came from.
  bool forge_icmp(const SipReceived& r, int type, int code, uint16_t port_there, const std::string& octets) {
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0) return false;
    auto port = static_cast<uint16_t>(atoi(r.from.c_str() + r.from.rfind(':') + 1));
    unsigned char p[8 + 20 + 8 + 512] = {static_cast<unsigned char>(type), static_cast<unsigned char>(code)};
    unsigned char *ip = p + 8, *udp = ip + 20;
    size_t inner = std::min<size_t>(octets.size(), 512), size = 8 + 20 + 8 + inner;
    auto put = [](unsigned char* at, size_t n) { at[0] = static_cast<unsigned char>(n >> 8), at[1] = static_cast<unsigned char>(n & 255); };
    if (type == 3 && code == 4) put(p + 6, 576);
    ip[0] = 0x45, ip[8] = 64, ip[9] = IPPROTO_UDP;
    put(ip + 2, 20 + 8 + octets.size());
    ip[12] = ip[16] = 127, ip[15] = ip[19] = 1;
    put(udp, port);
    put(udp + 2, port_there);
    put(udp + 4, 8 + octets.size());
    memcpy(udp + 8, octets.data(), inner);
    auto sum = [](unsigned char* at, size_t n) {
      uint32_t s = 0;
      for (size_t i = 0; i < n; i += 2) s += static_cast<uint32_t>(at[i] << 8 | (i + 1 < n ? at[i + 1] : 0));
      while (s >> 16) s = (s & 0xffff) + (s >> 16);
      return static_cast<uint16_t>(~s);
    };
    put(ip + 10, sum(ip, 20));
    put(p + 2, sum(p, size));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    bool sent = sendto(fd, p, size, 0, reinterpret_cast<sockaddr*>(&to), sizeof to) == static_cast<ssize_t>(size);
    close(fd);
    return sent;
  }
  LaneCounters lane() { return rig->stack->counters().lane; }
  size_t lines_with(const std::string& text) {
    size_t n = 0;
    for (const std::string& l : rig->lines) n += l.find(text) != std::string::npos;
    return n;
  }
};

TEST(SipLane, a_response_counts_only_with_all_that_the_request_had_of_its_own) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  std::string good = ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag: forged\r\n");
  auto altered = [&](const char* from, const char* to) {
    std::string s = good;
    s.replace(s.find(from), strlen(from), to);
    forge(r, "127.0.0.1", s);
  };
  altered("branch=z9hG4bKbranch-1", "branch=z9hG4bKbranch-2");
  altered("CSeq: 7 PUBLISH", "CSeq: 8 PUBLISH");
  altered("CSeq: 7 PUBLISH", "CSeq: 7 SUBSCRIBE");
  altered("CSeq: 7 PUBLISH", "CSeq: 07 PUBLISHX");
  altered("call-1@", "call-2@");
  altered("call-1@pua.example.com", "call-1@pua.example.com2");
  CHECK_TRUE(rig->until([&] { return lane().stray == 6; }));
  LONGS_EQUAL(0, rig->replies.size());
  server->reply(r, 200, "OK", "SIP-ETag: true\r\n");
  CHECK_TRUE(rig->until_replies(1));
  STRCMP_EQUAL("true", rig->replies[0].etag.c_str());
  server->reply(r, 200, "OK", "SIP-ETag: again\r\n");
  CHECK_TRUE(rig->until([&] { return lane().repeated == 1; }));
  LONGS_EQUAL(1, rig->replies.size());
}

TEST(SipLane, a_response_from_a_host_that_was_not_asked_is_counted_named_and_dropped) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  for (int i = 0; i < 3; i++) forge(r, "127.0.0.9", ScriptedServer::reply_text(r, 489, "Bad Event"));
  CHECK_TRUE(rig->until([&] { return lane().foreign == 3; }));
  LONGS_EQUAL(0, rig->replies.size());
  int named = 0;
  for (const std::string& line : rig->lines) named += line.find("127.0.0.9:") != std::string::npos && line.find("was dropped") != std::string::npos;
  LONGS_EQUAL(1, named);   // gated
  // Another port of the same host is a server that answers from a socket of its own.
  forge(r, "127.0.0.1", ScriptedServer::reply_text(r, 200, "OK"));
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
}

TEST(SipLane, an_odd_response_is_read_by_the_parser_and_only_if_a_branch_of_ours_is_in_it) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  std::string odd = ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag:\r\n folded\r\nExpires: 60\r\n");
  std::string other = odd;
  other.replace(other.find("branch-1"), 8, "branch-9");
  forge(r, "127.0.0.1", other);
  CHECK_TRUE(rig->until([&] { return lane().stray == 1; }));
  LONGS_EQUAL(0, lane().parsed);
  forge(r, "127.0.0.1", odd);
  CHECK_TRUE(rig->until_replies(1));
  STRCMP_EQUAL("folded", rig->replies[0].etag.c_str());
  LONGS_EQUAL(60, rig->replies[0].expires);
  LONGS_EQUAL(1, lane().parsed);
  LONGS_EQUAL(0, lane().scanned);
}

TEST(SipLane, an_odd_response_from_a_host_that_was_not_asked_is_not_parsed) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  std::string odd = ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag:\r\n folded\r\n");
  forge(r, "127.0.0.9", odd);
  CHECK_TRUE(rig->until([&] { return lane().foreign == 1; }));
  LONGS_EQUAL(0, lane().parsed);
  LONGS_EQUAL(0, rig->replies.size());
}

// Who has a request of ours in its hands can answer it wrongly as often as it likes.
TEST(SipLane, the_parser_reads_so_many_odd_responses_to_a_request) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  std::string right = ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag:\r\n folded\r\n"), wrong = right;
  wrong.replace(wrong.find("call-1@"), 7, "call-9@");
  for (int i = 0; i < 32; i++) forge(r, "127.0.0.1", wrong);
  CHECK_TRUE(rig->until([&] { return lane().stray == 32; }));
  forge(r, "127.0.0.1", right);
  CHECK_TRUE(rig->until([&] { return lane().stray == 33; }));
  LONGS_EQUAL(0, lane().parsed);
  server->reply(r, 200, "OK", "SIP-ETag: plain\r\n");   // the plain form costs next to nothing, and is always taken
  CHECK_TRUE(rig->until_replies(1));
  STRCMP_EQUAL("plain", rig->replies[0].etag.c_str());
}

// ICMP can be forged by anybody: a socket that is not connected gets all that names its port.
TEST(SipLane, errors_of_the_network_in_any_number_keep_no_response_away) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  if (!forge_unreachable(r, 600)) {
    printf("\nskipped: SipLane errors_of_the_network: this user may not open raw sockets\n");
    return;
  }
  server->reply(r, 200, "OK", "SIP-ETag: true\r\n");
  rig->turn();
  LONGS_EQUAL(1, rig->replies.size());   // at once, whatever stands before it
  CHECK_TRUE(rig->until([&] { return lane().network_errors > 0; }));
  // They do not count against what is sent either.
  server->on_request = [&](const SipReceived& q) { server->reply(q, 200, "OK", "SIP-ETag: e\r\n"); };
  CHECK_TRUE(forge_unreachable(r, 600));
  SipRequest q = publish(2);
  q.branch = "z9hG4bKbranch-2";
  rig->send(q);
  CHECK_TRUE(rig->until_replies(2));
  LONGS_EQUAL(200, rig->replies[1].status);
}

// What is no response and no NOTIFY, by the thousand: the system keeps nearly all of it out, for as long as it goes on.
TEST(SipLane, a_flood_is_kept_out_by_the_system_and_responses_come_in_all_the_same) {
  FakeClock clock;
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  auto junk = [&](int count) {
    for (int i = 0; i < count; i++) {
      forge(r, "127.0.0.1", "no SIP");
      if (i % 100 == 99) rig->turn();
    }
    for (int i = 0; i < 20; i++) rig->turn();
  };
  junk(6000);
  LONGS_EQUAL(1, lane().floods);
  uint64_t before = lane().stray;
  junk(2000);
  CHECK(lane().stray - before < 200);   // one in 64
  server->reply(r, 200, "OK", "SIP-ETag: e\r\n");
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  LONGS_EQUAL(1, lines_with("a flood of requests, or of what is no SIP: of these only a few are looked at until it is over"));
  clock.pass(*rig, 1100);   // a second later everything is looked at again
  before = lane().stray;
  junk(20);
  LONGS_EQUAL(before + 20, lane().stray);
  junk(6000);
  LONGS_EQUAL(2, lane().floods);
  LONGS_EQUAL(1, lines_with("a flood"));   // the same, that came back
  LONGS_EQUAL(0, lines_with("the flood is over"));
  clock.pass(*rig, 11000);
  LONGS_EQUAL(1, lines_with("the flood is over"));
  uint64_t arms = rig->driver->stats().timer_fires;
  clock.pass(*rig, 5000);
  LONGS_EQUAL(arms, rig->driver->stats().timer_fires);   // nothing looks any more
}

// More of them than are read in a turn, and none of a request of ours: none is looked at for a second, and then they are again.
TEST(SipLane, a_flood_of_forged_errors_is_ignored_for_a_second_at_a_time) {
  FakeClock clock;
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  if (!forge_unreachable(r, 600)) {
    printf("\nskipped: SipLane a_flood_of_forged_errors: this user may not open raw sockets\n");
    return;
  }
  CHECK_TRUE(rig->until([&] { return lane().errors_unheard == 1; }));
  uint64_t read = lane().network_errors;
  CHECK_TRUE(forge_unreachable(r, 10));
  server->reply(r, 200, "OK", "SIP-ETag: e\r\n");
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  LONGS_EQUAL(read, lane().network_errors);
  LONGS_EQUAL(1, lines_with("too many errors of the network (ICMP) belong to no request of ours"));
  clock.pass(*rig, 11100);
  LONGS_EQUAL(1, lines_with("errors of the network (ICMP) that belong to no request have ended"));
  LONGS_EQUAL(1, lane().errors_unheard);
  server->on_request = [&](const SipReceived& q) {
    forge_unreachable(r, 10);
    server->reply(q, 200, "OK", "SIP-ETag: e\r\n");
  };
  SipRequest q = publish(2);
  q.branch = "z9hG4bKbranch-2";
  rig->send(q);
  CHECK_TRUE(rig->until([&] { return lane().network_errors > read; }));
}

// Memory of a former request is used for the next: what was counted of that one's odd responses must not stick to it.
TEST(SipLane, any_number_of_requests_may_be_answered_in_odd_form) {
  rig->start();
  server->on_request = [this](const SipReceived& r) { server->reply(r, 200, "OK", "Record-Route: <sip:p;lr>\r\nSIP-ETag: e\r\n"); };
  for (TxnId i = 1; i <= 100; i++) {
    SipRequest q = publish(i);
    std::string branch = "z9hG4bKodd" + std::to_string(i);
    q.branch = branch;
    rig->send(q);
    CHECK_TRUE(rig->until_replies(i));
    LONGS_EQUAL(200, rig->replies.back().status);
  }
  LONGS_EQUAL(100, lane().parsed);
}

// ENOBUFS. The socket is ready to be written to all the while, so that waiting for it would be a busy loop.
TEST(SipLane, a_full_network_device_loses_what_goes_there_and_nothing_else) {
  FakeClock clock;
  ScriptedServer other(rig->base, ScriptedServer::Kind::Udp);
  other.on_request = [&](const SipReceived& r) { other.reply(r, 200, "OK", "SIP-ETag: e\r\n"); };
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK", "SIP-ETag: e\r\n"); };
  rig->start();
  g_full_port = server->port();
  g_sends = 0;
  rig->send(publish());
  SipRequest q = rig->publish(2);
  std::string uri = other.uri(), branch = "z9hG4bKbranch-2";
  q.proxy = uri;
  q.branch = branch;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(2, rig->replies[0].txn);
  for (int i = 0; i < 50; i++) rig->turn();
  CHECK_TEXT(g_sends < 10, std::to_string(g_sends).c_str());
  clock.pass(*rig, 2000);          // repeated at 500 and 1,500 ms, and lost again
  LONGS_EQUAL(0, server->requests.size());
  LONGS_EQUAL(1, lines_with("the network device takes no more datagrams, they are lost"));
  g_full_port = 0;
  clock.pass(*rig, 2000);
  CHECK_TRUE(rig->until_replies(2));
  LONGS_EQUAL(1, server->requests.size());
  clock.pass(*rig, 11000);
  LONGS_EQUAL(1, lines_with("the network device takes datagrams again"));
}

// RFC 3261 section 18.4: time exceeded and source quench are ignored.
TEST(SipLane, an_error_that_names_the_request_ends_it_but_for_those_that_say_nothing_of_the_host) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  uint64_t errors = 0;
  for (auto [type, code] : {std::pair{11, 0}, {4, 0}, {3, 4}, {3, 1}}) {
    LONGS_EQUAL(0, rig->replies.size());
    if (!forge_icmp(r, type, code, server->port(), r.raw)) {
      printf("\nskipped: SipLane an_error_that_names_the_request: this user may not open raw sockets\n");
      return;
    }
    if (type != 4) CHECK_TRUE(rig->until([&] { return lane().network_errors > errors; }));
    errors = lane().network_errors;
  }
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(503, rig->replies[0].status);
  STRCMP_EQUAL(("127.0.0.1:" + std::to_string(server->port()) + ": No route to host").c_str(), rig->replies[0].reason.c_str());
}

TEST(SipLane, the_version_has_no_case_and_is_no_other) {
  rig->start();
  server->on_request = [&](const SipReceived& r) {
    std::string text = ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag: e\r\n");
    for (const char* version : {"SIP/3.0", "SIP/2.00", "sIp/2.0"}) forge(r, "127.0.0.1", version + text.substr(7));
  };
  rig->send(publish());
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  LONGS_EQUAL(2, lane().stray);
}

// RFC 3261 section 8.1.3.3.
TEST(SipLane, a_response_with_a_second_via_is_somebody_elses) {
  rig->start();
  rig->send(publish());
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 1; }));
  SipReceived r = server->requests[0];
  std::string two = ScriptedServer::reply_text(r, 200, "OK");
  two.insert(two.find("From:"), "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKz\r\n");
  forge(r, "127.0.0.1", two);
  CHECK_TRUE(rig->until([&] { return lane().stray == 1; }));
  LONGS_EQUAL(0, rig->replies.size());
}

TEST(SipLane, after_a_100_the_request_is_repeated_every_t2_only) {
  FakeClock clock;
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 100, "Trying"); };
  rig->send(publish());
  clock.pass(*rig, 600);
  LONGS_EQUAL(2, server->requests.size());   // timer E was running (RFC 3261 section 17.1.2.2)
  clock.pass(*rig, 3800);
  LONGS_EQUAL(2, server->requests.size());
  clock.pass(*rig, 300);
  LONGS_EQUAL(3, server->requests.size());
  clock.pass(*rig, 26500);
  LONGS_EQUAL(0, rig->replies.size());
  clock.pass(*rig, 1000);
  LONGS_EQUAL(408, rig->replies.at(0).status);
}

TEST(SipLane, a_request_that_is_too_long_for_udp_is_a_transport_error) {
  rig->start();
  SipRequest q = publish();
  std::string body(70000, 'x');
  q.body = body;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(503, rig->replies[0].status);
  STRCMP_EQUAL("transport", origin_name(rig->replies[0].origin));
  STRCMP_EQUAL("the request is longer than UDP takes", rig->replies[0].reason.c_str());
}

TEST(SipLane, thousands_at_once_leave_in_batches_and_come_back) {
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK", "SIP-ETag: e\r\n"); };
  for (TxnId i = 1; i <= 2000; i++) {
    SipRequest q = publish(i);
    std::string branch = "z9hG4bKx" + std::to_string(i), call = "c" + std::to_string(i);
    q.branch = branch;
    q.call_id = call;
    rig->send(q);
  }
  CHECK_TRUE(rig->until_replies(2000));
  for (const Outcome& o : rig->replies) LONGS_EQUAL(200, o.status);
  LONGS_EQUAL(0, rig->stack->in_flight());
}

TEST(SipLane, the_stack_may_be_destroyed_inside_on_reply) {
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
  rig->then = [&](TxnId) { rig->stack.reset(); };
  for (TxnId i = 1; i <= 5; i++) {
    SipRequest q = publish(i);
    std::string branch = "z9hG4bKy" + std::to_string(i);
    q.branch = branch;
    rig->send(q);
  }
  CHECK_TRUE(rig->until_replies(5));   // one by the server, the others by the end
  for (int i = 0; i < 5; i++) rig->turn();
  LONGS_EQUAL(5, rig->replies.size());
  LONGS_EQUAL(200, rig->replies[0].status);
  LONGS_EQUAL(487, rig->replies[4].status);
}

// --- one server after the other (RFC 3263 section 4.3) ------------------------------------------------------------------------------

TEST_GROUP(SipFailover) {
  Rig* rig = nullptr;
  DnsServer* dns = nullptr;
  ScriptedServer *one = nullptr, *two = nullptr;
  std::string conf;
  void setup() override {
    rig = new Rig;
    rig->settings.lane = true;
    dns = new DnsServer(rig->base);
    char path[] = "/tmp/resolv-XXXXXX";
    int fd = mkstemp(path);
    conf = path;
    dprintf(fd, "nameserver 127.0.0.1\nport %u\n", dns->port());
    close(fd);
    rig->settings.resolv_conf = conf;
    one = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    two = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    dns->srv("_sip._udp.lamps.example", 1, one->port(), "host.lamps.example");
    dns->srv("_sip._udp.lamps.example", 2, two->port(), "host.lamps.example");
    dns->a("host.lamps.example", "127.0.0.1");
  }
  void teardown() override {
    delete one;
    delete two;
    delete dns;
    delete rig;
    unlink(conf.c_str());
  }
  void send(TxnId txn) {
    SipRequest q = rig->publish(txn);
    std::string branch = "z9hG4bKf" + std::to_string(txn), call = "f" + std::to_string(txn);
    q.branch = branch;
    q.call_id = call;
    q.uri = "sip:alice@lamps.example";
    rig->send(q);
  }
  static void answers(ScriptedServer* s, int status, const char* headers = "") {
    s->on_request = [s, status, headers](const SipReceived& r) { s->reply(r, status, "As told", headers); };
  }
};

TEST(SipFailover, a_503_makes_the_next_server_take_over_with_a_branch_of_its_own) {
  rig->start();
  answers(one, 503, "Retry-After: 60\r\n");
  answers(two, 200);
  send(1);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  STRCMP_EQUAL("z9hG4bKf1", one->requests.at(0).param("Via", "branch").c_str());
  std::string second = two->requests.at(0).param("Via", "branch");   // not to be told from the first
  CHECK_TEXT(second.size() > 30 && second.starts_with("z9hG4bK") && !second.starts_with("z9hG4bKf1"), second.c_str());
  STRCMP_EQUAL("7 PUBLISH", two->requests[0].header("CSeq").c_str());   // it is the same request
  LONGS_EQUAL(1, rig->stack->counters().failovers);
  // For the time of its Retry-After the first is asked last.
  send(2);
  CHECK_TRUE(rig->until_replies(2));
  LONGS_EQUAL(1, one->requests.size());
  LONGS_EQUAL(2, two->requests.size());
  // Nor where the other one says 503, too: it has asked for quiet.
  answers(two, 503);
  send(3);
  CHECK_TRUE(rig->until_replies(3));
  LONGS_EQUAL(503, rig->replies[2].status);
  LONGS_EQUAL(1, one->requests.size());
  LONGS_EQUAL(3, two->requests.size());
}

TEST(SipFailover, where_all_say_503_the_last_one_is_the_outcome) {
  rig->start();
  answers(one, 503, "Retry-After: 60\r\n");
  answers(two, 503, "Retry-After: 70\r\n");
  send(1);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(503, rig->replies[0].status);
  LONGS_EQUAL(70, rig->replies[0].retry_after);
  STRCMP_EQUAL("wire", origin_name(rig->replies[0].origin));
}

TEST(SipFailover, a_silent_server_makes_the_next_take_over_after_64_t1) {
  FakeClock clock;
  rig->start();
  answers(two, 200);
  send(1);
  for (int i = 0; i < 100 && one->requests.empty(); i++) clock.pass(*rig, 1);
  clock.pass(*rig, 31000);
  LONGS_EQUAL(0, two->requests.size());
  clock.pass(*rig, 2000);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(200, rig->replies[0].status);
  LONGS_EQUAL(1, two->requests.size());
}

TEST(SipFailover, other_final_responses_are_the_outcome) {
  rig->start();
  answers(one, 500);
  answers(two, 200);
  send(1);
  CHECK_TRUE(rig->until_replies(1));
  LONGS_EQUAL(500, rig->replies[0].status);
  LONGS_EQUAL(0, two->requests.size());
}
