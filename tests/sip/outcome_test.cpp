// Exactly one outcome for each accepted request, whatever the server and the network do, and never inside send().
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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
using Mode = SuDriver::Mode;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PUA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define PUA_ASAN 1
#endif
#ifdef PUA_ASAN
#include <sanitizer/lsan_interface.h>
using NoLeakCheck = __lsan::ScopedDisabler;
#else
struct NoLeakCheck {
  NoLeakCheck() {}
};
#endif

TEST_GROUP(SipOutcome) {
  Rig* rig = nullptr;
  ScriptedServer* server = nullptr;
  std::string proxy;
  void setup() override { make(Mode::Port); }
  void teardown() override { drop(); }
  void make(Mode mode) {
    drop();
    rig = new Rig(mode);
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    proxy = server->uri();
  }
  void drop() {
    delete server;
    delete rig;
    server = nullptr;
    rig = nullptr;
  }
  SipRequest publish(TxnId txn = 1) {
    SipRequest q = rig->publish(txn);
    q.proxy = proxy;
    return q;
  }
  const Outcome& outcome() {
    CHECK_TRUE(rig->until_replies(1));
    CHECK_FALSE(rig->inside);
    return rig->replies.back();
  }
};

TEST(SipOutcome, every_final_status_reaches_the_caller_once) {
  rig->start();
  int statuses[] = {200, 202, 300, 301, 302, 305, 400, 403, 404, 405, 406, 408, 410, 412, 413, 415, 416, 420, 423, 429, 430, 480, 481,
                    486, 489, 491, 500, 501, 502, 503, 504, 600, 603, 606, 699};
  size_t n = 0;
  for (int s : statuses) {
    server->on_request = [&](const SipReceived& r) { server->reply(r, s, "As Told", "Contact: <sip:elsewhere@127.0.0.1:9>\r\nRetry-After: 1\r\nMin-Expires: 9999\r\n"); };
    SipRequest q = publish(static_cast<TxnId>(s));
    std::string branch = "z9hG4bKs" + std::to_string(s);
    q.branch = branch;
    rig->send(q);
    n++;
    CHECK_TRUE(rig->until_replies(n));
    LONGS_EQUAL(s, rig->replies.back().status);
    LONGS_EQUAL(s, rig->replies.back().txn);
    STRCMP_EQUAL("As Told", rig->replies.back().reason.c_str());
    STRCMP_EQUAL("wire", origin_name(rig->replies.back().origin));
    LONGS_EQUAL(n, server->requests.size());  // nothing was repeated or redirected behind our back
  }
  LONGS_EQUAL(0, rig->stack->in_flight());
}

TEST(SipOutcome, both_modes_of_the_driver_do_the_same) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    make(m);
    server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK", "SIP-ETag: x\r\n"); };
    rig->start();
    for (TxnId i = 1; i <= 50; i++) {
      SipRequest q = publish(i);
      std::string branch = "z9hG4bKm" + std::to_string(i), call = "c" + std::to_string(i);
      q.branch = branch;
      q.call_id = call;
      rig->send(q);
    }
    CHECK_TRUE(rig->until_replies(50));
    for (const Outcome& o : rig->replies) LONGS_EQUAL(200, o.status);
    CHECK_FALSE(rig->inside);
  }
}

TEST(SipOutcome, a_423_brings_its_min_expires_and_a_503_its_retry_after) {
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 423, "Interval Too Brief", "Min-Expires: 7200\r\n"); };
  rig->send(publish());
  LONGS_EQUAL(7200, outcome().min_expires);
  LONGS_EQUAL(-1, outcome().retry_after);
  server->on_request = [&](const SipReceived& r) { server->reply(r, 503, "Busy", "Retry-After: 120 (tea);duration=60\r\n"); };
  SipRequest q = publish(2);
  q.branch = "z9hG4bKother";
  rig->send(q);
  CHECK_TRUE(rig->until_replies(2));
  LONGS_EQUAL(120, rig->replies[1].retry_after);
}

TEST(SipOutcome, any_header_of_the_reply_can_be_asked_for_also_after_the_stack_is_gone) {
  rig->start();
  std::string longish(3000, 'y');
  server->on_request = [&](const SipReceived& r) {
    server->reply(r, 200, "OK",
                  "SIP-ETag: abc\r\nX-Thing: one\r\n  two\r\nx-thing: second\r\nServer: srv/1\r\nm: <sip:c@h>;q=0.5, <sip:d@h>\r\n"
                  "Warning: 399 h \"text\"\r\nX-Long: " + longish + "\r\n");
  };
  rig->send(publish());
  Outcome o = outcome();
  rig->stack.reset();
  STRCMP_EQUAL("abc", o.header("sip-etag").c_str());
  STRCMP_EQUAL("srv/1", o.header("SERVER").c_str());
  STRCMP_EQUAL("<sip:c@h>;q=0.5", o.header("Contact").c_str());
  STRCMP_EQUAL("<sip:c@h>;q=0.5", o.header("M").c_str());
  STRCMP_EQUAL("7 PUBLISH", o.header("CSeq").c_str());
  STRCMP_EQUAL(longish.c_str(), o.header("X-Long").c_str());
  STRCMP_EQUAL("one two", o.header("X-Thing").c_str());
  STRCMP_EQUAL("(none)", o.header("Nothing").c_str());
  STRCMP_EQUAL("(none)", o.header("").c_str());
}

//   PUBLISH ->  ...  PUBLISH ->  ...  (64 T1) 408
TEST(SipOutcome, no_reply_is_a_408_after_64_t1) {
  FakeClock clock;
  rig->start();
  rig->send(publish());
  clock.pass(*rig, 31500);
  LONGS_EQUAL(0, rig->replies.size());
  CHECK_TRUE(server->requests.size() >= 8);  // 0, .5, 1.5, 3.5, 7.5, 11.5 ... 31.5 s
  for (const auto& r : server->requests) STRCMP_EQUAL(server->requests[0].raw.c_str(), r.raw.c_str());
  clock.pass(*rig, 2000);
  LONGS_EQUAL(1, rig->replies.size());
  LONGS_EQUAL(408, rig->replies[0].status);
  STRCMP_EQUAL("timeout", origin_name(rig->replies[0].origin));
  STRCMP_EQUAL("Request Timeout", rig->replies[0].reason.c_str());
  CHECK_TRUE(rig->replies[0].message == nullptr);
  LONGS_EQUAL(0, rig->stack->in_flight());
  LONGS_EQUAL(0, rig->stack->counters().overdue);
}

TEST(SipOutcome, t1_is_what_the_settings_say) {
  FakeClock clock;
  rig->settings.t1_ms = 100;
  rig->start();
  rig->send(publish());
  clock.pass(*rig, 6000);
  LONGS_EQUAL(0, rig->replies.size());
  clock.pass(*rig, 1000);
  LONGS_EQUAL(1, rig->replies.size());
}

TEST(SipOutcome, a_100_trying_is_not_an_outcome) {
  FakeClock clock;
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 100, "Trying"); };
  rig->send(publish());
  clock.pass(*rig, 3000);
  LONGS_EQUAL(0, rig->replies.size());
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
  clock.pass(*rig, 5000);
  LONGS_EQUAL(200, rig->replies.at(0).status);
}

TEST(SipOutcome, repeated_and_late_replies_do_not_count_twice) {
  FakeClock clock;
  rig->start();
  std::string copy;
  server->on_request = [&](const SipReceived& r) {
    copy = ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag: a\r\n");
    for (int i = 0; i < 5; i++) server->send_raw(r, copy);
    server->reply(r, 500, "Contradiction");
  };
  rig->send(publish());
  clock.pass(*rig, 500);
  LONGS_EQUAL(1, rig->replies.size());
  LONGS_EQUAL(200, rig->replies[0].status);
  server->send_raw(server->requests[0], copy);  // long after the transaction is gone
  clock.pass(*rig, 5000);
  server->send_raw(server->requests[0], copy);
  clock.pass(*rig, 40000);
  LONGS_EQUAL(1, rig->replies.size());
}

TEST(SipOutcome, a_reply_after_the_timeout_is_not_an_outcome_any_more) {
  FakeClock clock;
  rig->start();
  rig->send(publish());
  clock.pass(*rig, 33000);
  LONGS_EQUAL(1, rig->replies.size());
  server->reply(server->requests[0], 200, "OK", "SIP-ETag: late\r\n");
  clock.pass(*rig, 1000);
  LONGS_EQUAL(1, rig->replies.size());
}

TEST(SipOutcome, a_closed_port_is_a_transport_error_at_once) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    make(m);
    rig->start();
    delete server;
    server = nullptr;
    rig->send(publish());
    LONGS_EQUAL(503, outcome().status);
    STRCMP_EQUAL("transport", origin_name(outcome().origin));
    CHECK_FALSE(outcome().ours);   // nobody there: that is the server's
    CHECK_TRUE(outcome().message == nullptr);
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
  }
}

TEST(SipOutcome, a_name_that_does_not_exist_is_a_transport_error) {
  DnsServer dns(rig->base);
  char path[] = "/tmp/resolv-XXXXXX";
  int fd = mkstemp(path);
  dprintf(fd, "nameserver 127.0.0.1\nport %u\n", dns.port());
  rig->settings.resolv_conf = path;
  rig->start();
  SipRequest q = rig->publish();
  q.uri = "sip:alice@nowhere.example";
  rig->send(q);
  LONGS_EQUAL(503, outcome().status);
  STRCMP_EQUAL("transport", origin_name(outcome().origin));
  CHECK_TRUE(outcome().ours);      // no server was asked
  close(fd);
  unlink(path);
}

TEST(SipOutcome, an_address_that_no_listen_address_reaches_is_a_transport_error) {
  rig->start();
  const char* proxies[] = {"sips:127.0.0.1:5061", "sip:[::1]:5060", "sip:127.0.0.1;transport=tls", "sip:127.0.0.1;transport=sctp"};
  size_t n = 0;
  for (const char* p : proxies) {
    SipRequest q = rig->publish(n);
    q.proxy = p;
    rig->send(q);
    CHECK_TRUE(rig->until_replies(++n));
    LONGS_EQUAL(503, rig->replies.back().status);
    STRCMP_EQUAL("transport", origin_name(rig->replies.back().origin));
    CHECK_TEXT(rig->replies.back().ours, rig->replies.back().reason.c_str());
  }
}

TEST(SipOutcome, garbage_is_dropped_and_the_reply_still_counts) {
  rig->start();
  server->on_request = [&](const SipReceived& r) {
    if (r.start_line.substr(0, 7) != "PUBLISH") return;  // some garbage is answered
    std::string good = ScriptedServer::reply_text(r, 200, "OK", "SIP-ETag: good\r\n");
    auto altered = [&](const char* from, const std::string& to) {
      std::string s = good;
      size_t at = s.find(from);
      if (at != std::string::npos) s.replace(at, strlen(from), to);
      server->send_raw(r, s);
    };
    server->send_raw(r, "");
    server->send_raw(r, "\r\n\r\n");
    server->send_raw(r, std::string(1400, '\0'));
    server->send_raw(r, "SIP/2.0 200 OK\r\n\r\n");
    server->send_raw(r, "SIP/2.0 999999999999 OK\r\n\r\n");
    server->send_raw(r, "HTTP/1.1 200 OK\r\n\r\n");
    server->send_raw(r, "INVITE sip:x SIP/2.0\r\n\r\n");
    server->send_raw(r, std::string(60000, 'A'));
    for (size_t cut = 1; cut < good.find("CSeq"); cut += 7) server->send_raw(r, good.substr(0, cut));
    altered("7 PUBLISH", "8 PUBLISH");
    altered("7 PUBLISH", "7 SUBSCRIBE");
    altered("7 PUBLISH", "99999999999 PUBLISH");
    altered("call-1@", "call-2@");
    altered("branch-1", "branch-2");
    altered("SIP/2.0 200", "SIP/2.0 99");
    altered("Content-Length: 0", "Content-Length: 4294967295");
    altered("SIP/2.0/UDP", "SIP/2.0/");
    server->send_raw(r, good);
  };
  rig->send(publish());
  LONGS_EQUAL(200, outcome().status);
  STRCMP_EQUAL("good", outcome().etag.c_str());
  for (int i = 0; i < 20; i++) rig->turn();
  LONGS_EQUAL(1, rig->replies.size());
}

TEST(SipOutcome, an_unreadable_header_does_not_lose_the_reply) {
  rig->start();
  server->on_request = [&](const SipReceived& r) {
    server->reply(r, 200, "OK", "SIP-ETag: e2\r\nExpires: soon\r\nDate: yesterday\r\nRetry-After: x\r\nContact: <<<\r\nAllow: ,,\r\n"
                                "Content-Type: /\r\n");
  };
  rig->send(publish());
  LONGS_EQUAL(200, outcome().status);
  STRCMP_EQUAL("e2", outcome().etag.c_str());
  LONGS_EQUAL(-1, outcome().expires);
}

TEST(SipOutcome, huge_numbers_do_not_overflow) {
  rig->start();
  server->on_request = [&](const SipReceived& r) {
    server->reply(r, 503, "No", "Expires: 4294967295\r\nMin-Expires: 4294967294\r\nRetry-After: 4294967295\r\n");
  };
  rig->send(publish());
  CHECK_TRUE(outcome().expires <= 0x7fffffff && outcome().expires > 0);
  CHECK_TRUE(outcome().min_expires <= 0x7fffffff && outcome().min_expires > 0);
  CHECK_TRUE(outcome().retry_after <= 0x7fffffff && outcome().retry_after > 0);
}

TEST(SipOutcome, requests_from_outside_are_answered_and_harm_nothing) {
  rig->start();
  int answers = 0;
  server->on_request = [&](const SipReceived& r) {
    if (r.start_line.substr(0, 7) == "SIP/2.0") {
      answers++;
      return;
    }
    if (r.start_line.substr(0, 7) != "PUBLISH") return;
    std::string me = server->uri().substr(4);
    for (const char* m : {"OPTIONS", "NOTIFY", "INVITE", "MESSAGE", "SUBSCRIBE", "BYE", "REGISTER", "PUBLISH", "REFER", "WHATEVER"}) {
      std::string method = m;
      server->send_raw(r, method + " sip:pua@" + r.from + " SIP/2.0\r\nVia: SIP/2.0/UDP " + me + ";branch=z9hG4bKin" + method +
                              "\r\nMax-Forwards: 70\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:pua@z>\r\nCall-ID: in-" + method +
                              "\r\nCSeq: 1 " + method + "\r\nContact: <sip:x@" + me + ">\r\nEvent: presence\r\nContent-Length: 0\r\n\r\n");
    }
    server->reply(r, 200, "OK");
  };
  rig->send(publish());
  LONGS_EQUAL(200, outcome().status);
  CHECK_TRUE(rig->until([&] { return answers >= 10; }));
  LONGS_EQUAL(1, rig->replies.size());
  server->on_request = [&](const SipReceived& r) { if (r.start_line[0] == 'P') server->reply(r, 202, "OK"); };
  SipRequest q = publish(2);
  q.branch = "z9hG4bKagain";
  rig->send(q);
  CHECK_TRUE(rig->until_replies(2));
}

TEST(SipOutcome, a_next_request_may_be_sent_inside_on_reply) {
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
  rig->then = [&](TxnId txn) {
    if (txn >= 100) return;
    SipRequest q = publish(txn + 1);
    std::string branch = "z9hG4bKn" + std::to_string(txn);
    q.branch = branch;
    CHECK_TRUE(rig->stack->send(q).ok());
  };
  rig->send(publish(1));
  CHECK_TRUE(rig->until_replies(100));
  LONGS_EQUAL(100, rig->replies.back().txn);
}

TEST(SipOutcome, two_thousand_at_once_all_come_back) {
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK", "SIP-ETag: " + r.header("Call-ID") + "\r\n"); };
  for (TxnId i = 1; i <= 2000; i++) {
    SipRequest q = publish(i);
    std::string branch = "z9hG4bKt" + std::to_string(i), call = "call-" + std::to_string(i);
    q.branch = branch;
    q.call_id = call;
    rig->send(q);
  }
  LONGS_EQUAL(2000, rig->stack->in_flight());
  CHECK_TRUE(rig->until_replies(2000));
  std::vector<bool> seen(2001);
  for (const Outcome& o : rig->replies) {
    LONGS_EQUAL(200, o.status);
    STRCMP_EQUAL(("call-" + std::to_string(o.txn)).c_str(), o.etag.c_str());  // each its own
    CHECK_FALSE(seen[o.txn]);
    seen[o.txn] = true;
  }
  LONGS_EQUAL(0, rig->stack->in_flight());
}

// --- the end -------------------------------------------------------------------------------------------------------------

TEST(SipOutcome, destruction_completes_what_is_open) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    make(m);
    rig->start();
    for (TxnId i = 1; i <= 20; i++) {
      SipRequest q = publish(i);
      std::string branch = "z9hG4bKd" + std::to_string(i);
      q.branch = branch;
      rig->send(q);
    }
    CHECK_TRUE(rig->until([&] { return server->requests.size() >= 20; }));
    SipRequest unsent = publish(21);
    unsent.branch = "z9hG4bKd21";
    rig->send(unsent);
    rig->stack.reset();
    LONGS_EQUAL(21, rig->replies.size());
    for (const Outcome& o : rig->replies) {
      LONGS_EQUAL(487, o.status);
      STRCMP_EQUAL("shutdown", origin_name(o.origin));
    }
    for (int i = 0; i < 5; i++) rig->turn();
    LONGS_EQUAL(21, rig->replies.size());
  }
}

TEST(SipOutcome, shutdown_takes_nothing_more_and_says_when_it_is_done) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    make(m);
    rig->start();
    rig->send(publish());
    CHECK_TRUE(rig->until([&] { return !server->requests.empty(); }));
    int done = 0;
    rig->then = [&](TxnId) { LONGS_EQUAL(static_cast<int>(Errc::shutting_down), static_cast<int>(rig->stack->send(publish(2)).code())); };
    rig->stack->shutdown([&] { done++; });
    LONGS_EQUAL(1, rig->replies.size());
    LONGS_EQUAL(487, rig->replies[0].status);
    LONGS_EQUAL(0, done);  // not inside
    CHECK_TRUE(rig->until([&] { return done > 0; }));
    LONGS_EQUAL(1, done);
    rig->stack->shutdown([&] { done++; });
    rig->turn();
    LONGS_EQUAL(1, done);
  }
}

TEST(SipOutcome, the_port_is_free_again_after_the_end) {
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
  rig->send(publish());
  outcome();
  std::string from = server->requests[0].from;
  rig->stack.reset();
  ScriptedServer there(rig->base, ScriptedServer::Kind::Udp, "127.0.0.1", static_cast<uint16_t>(atoi(from.c_str() + from.rfind(':') + 1)));
  CHECK_TRUE(there.up());
}

TEST(SipOutcome, the_stack_may_be_destroyed_inside_on_reply) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    make(m);
    rig->start();
    server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
    rig->then = [&](TxnId) {
      rig->then = {};
      rig->stack.reset();
    };
    for (TxnId i = 1; i <= 40; i++) {
      SipRequest q = publish(i);
      std::string branch = "z9hG4bKi" + std::to_string(i);
      q.branch = branch;
      rig->send(q);
    }
    CHECK_TRUE(rig->until_replies(40));
    int ok = 0, shut = 0;
    for (const Outcome& o : rig->replies) (o.status == 200 ? ok : shut)++;
    LONGS_EQUAL(1, ok);
    LONGS_EQUAL(39, shut);
    for (int i = 0; i < 5; i++) rig->turn();
    LONGS_EQUAL(40, rig->replies.size());
  }
}

TEST(SipOutcome, stack_and_driver_may_both_be_destroyed_inside_on_reply) {
  for (Mode m : {Mode::Port}) {
    make(m);
    rig->start();
    server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
    rig->then = [&](TxnId) {
      rig->then = {};
      rig->stack.reset();
      rig->driver.reset();
    };
    for (TxnId i = 1; i <= 10; i++) {
      SipRequest q = publish(i);
      std::string branch = "z9hG4bKb" + std::to_string(i);
      q.branch = branch;
      rig->send(q);
    }
    CHECK_TRUE(rig->until_replies(10));
    std::string from = server->requests[0].from;
    uint16_t port = static_cast<uint16_t>(atoi(from.c_str() + from.rfind(':') + 1));
    ScriptedServer there(rig->base, ScriptedServer::Kind::Udp, "127.0.0.1", port);
    CHECK_TRUE(there.up());  // the socket is closed
    for (int i = 0; i < 5; i++) rig->turn();
    LONGS_EQUAL(10, rig->replies.size());
  }
}

TEST(SipOutcome, stack_and_driver_may_both_go_in_the_done_of_a_shutdown_inside_on_reply) {
  for (Mode m : {Mode::Port, Mode::Nested}) {
    make(m);
    rig->start();
    server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
    bool gone = false;
    rig->then = [&](TxnId) {
      rig->then = {};
      rig->stack->shutdown([&] {
        rig->stack.reset();
        rig->driver.reset();
        gone = true;
      });
    };
    rig->send(publish());
    SipRequest q = publish(2);
    q.branch = "z9hG4bKsecond";
    rig->send(q);
    CHECK_TRUE(rig->until([&] { return gone; }));
    LONGS_EQUAL(2, rig->replies.size());
  }
}

TEST(SipOutcome, two_stacks_in_one_process_keep_to_themselves) {
  Rig other;
  other.start();
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
  rig->send(publish(1));
  SipRequest q = other.publish(2);
  q.proxy = proxy;
  q.branch = "z9hG4bKother";
  other.send(q);
  CHECK_TRUE(rig->until([&] {
    other.turn();
    return rig->replies.size() == 1 && other.replies.size() == 1;
  }));
  LONGS_EQUAL(1, rig->replies[0].txn);
  LONGS_EQUAL(2, other.replies[0].txn);
}

TEST(SipOutcome, a_port_in_use_is_a_clear_error) {
  make(Mode::Port);
  ScriptedServer taken(rig->base, ScriptedServer::Kind::Udp);
  rig->settings.listen = {"sip:127.0.0.1:*", "sip:127.0.0.1:" + std::to_string(taken.port())};
  auto s = rig->try_start();
  LONGS_EQUAL(static_cast<int>(Errc::sip_failed), static_cast<int>(s.code()));
  STRCMP_CONTAINS(std::to_string(taken.port()).c_str(), s.error().message.c_str());
}

TEST(SipOutcome, listen_addresses_that_make_no_sense_are_clear_errors) {
  for (const char* uri : {"nonsense", "sip:", "sip:a@127.0.0.1:5060", "sip:127.0.0.1;transport=tls", "sips:127.0.0.1:*"}) {
    rig->settings.listen = {uri};
    auto s = rig->try_start();
    LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(s.code()));
  }
  rig->settings.listen = {"sips:127.0.0.1:*"};
  rig->settings.tls_dir = "/nonexistent";
  auto s = rig->try_start();
  LONGS_EQUAL(static_cast<int>(Errc::sip_failed), static_cast<int>(s.code()));
  STRCMP_CONTAINS("tls_dir: /nonexistent/agent.pem: No such file or directory", s.error().message.c_str());
}

TEST(SipOutcome, without_a_listen_address_any_free_port_is_used) {
  rig->settings.listen.clear();
  rig->start();
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
  rig->send(publish());
  LONGS_EQUAL(200, outcome().status);
}
