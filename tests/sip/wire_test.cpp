// What a request looks like on the wire, to the last header field.
//
//   stack            server
//     | PUBLISH ------>|
//     |<------ 200 OK  |
#include <string>
#include <vector>

#include "tests/sip/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SipWire) {
  Rig* rig = nullptr;
  ScriptedServer* server = nullptr;
  void setup() override {
    rig = new Rig;
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    server->on_request = [this](const SipReceived& r) { server->reply(r, 200, "OK", "SIP-ETag: e1\r\nExpires: 1800\r\n"); };
  }
  void teardown() override {
    delete server;
    delete rig;
  }
  SipReceived exchange(SipRequest r) {
    std::string proxy = server->uri();
    if (r.proxy.empty()) r.proxy = proxy;
    size_t n = rig->replies.size();
    rig->send(r);
    CHECK_TRUE(rig->until_replies(n + 1));
    CHECK_FALSE(rig->inside);
    return server->requests.back();
  }
  std::string names(const SipReceived& r) {
    std::string out;
    for (const auto& n : r.names()) out += n + " ";
    return out;
  }
};

TEST(SipWire, an_initial_publish_carries_exactly_its_headers) {
  rig->start();
  SipReceived r = exchange(rig->publish());
  STRCMP_EQUAL("PUBLISH sip:alice@example.com SIP/2.0", r.start_line.c_str());
  STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq Expires User-Agent Event Content-Type Content-Length ", names(r).c_str());
  STRCMP_EQUAL(("SIP/2.0/UDP " + r.from + ";branch=z9hG4bKbranch-1;rport").c_str(), r.header("Via").c_str());
  STRCMP_EQUAL("70", r.header("Max-Forwards").c_str());
  STRCMP_EQUAL("<sip:alice@example.com>;tag=ft-1", r.header("From").c_str());
  STRCMP_EQUAL("<sip:alice@example.com>", r.header("To").c_str());
  STRCMP_EQUAL("call-1@pua.example.com", r.header("Call-ID").c_str());
  STRCMP_EQUAL("7 PUBLISH", r.header("CSeq").c_str());
  STRCMP_EQUAL("libpua-test", r.header("User-Agent").c_str());
  STRCMP_EQUAL("presence", r.header("Event").c_str());
  STRCMP_EQUAL("3600", r.header("Expires").c_str());
  STRCMP_EQUAL("application/pidf+xml", r.header("Content-Type").c_str());
  STRCMP_EQUAL("11", r.header("Content-Length").c_str());
  STRCMP_EQUAL("<presence/>", r.body.c_str());
  LONGS_EQUAL(200, rig->replies[0].status);
  STRCMP_EQUAL("e1", rig->replies[0].etag.c_str());
  LONGS_EQUAL(1800, rig->replies[0].expires);
  LONGS_EQUAL(0, rig->replies[0].cseq);
}

TEST(SipWire, a_refresh_has_if_match_and_neither_body_nor_content_type) {
  rig->start();
  SipRequest q = rig->publish();
  q.if_match = "etag-1";
  q.body = q.content_type = "";
  SipReceived r = exchange(q);
  STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq Expires User-Agent Event SIP-If-Match Content-Length ", names(r).c_str());
  STRCMP_EQUAL("etag-1", r.header("SIP-If-Match").c_str());
  STRCMP_EQUAL("0", r.header("Content-Length").c_str());
  STRCMP_EQUAL("", r.body.c_str());
}

TEST(SipWire, a_removal_says_expires_0) {
  rig->start();
  SipRequest q = rig->publish();
  q.expires = 0;
  STRCMP_EQUAL("0", exchange(q).header("Expires").c_str());
}

TEST(SipWire, no_expires_header_where_none_is_asked_for) {
  rig->start();
  SipRequest q = rig->publish();
  q.expires = -1;
  STRCMP_EQUAL("", exchange(q).line("Expires").c_str());
}

TEST(SipWire, no_user_agent_header_where_none_is_configured) {
  rig->settings.user_agent = "";
  rig->start();
  SipReceived r = exchange(rig->publish());
  STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq Expires Event Content-Type Content-Length ", names(r).c_str());
}

TEST(SipWire, extra_headers_go_out_as_given) {
  rig->start();
  SipRequest q = rig->publish();
  q.extra_headers = "X-Lamp: on;colour=\"green, blue\"\r\nSubject: a  b\r\nP-Preferred-Identity: <sip:x@y>\r\n";
  SipReceived r = exchange(q);
  STRCMP_EQUAL("on;colour=\"green, blue\"", r.header("X-Lamp").c_str());
  STRCMP_EQUAL("a  b", r.header("Subject").c_str());
  STRCMP_EQUAL("<sip:x@y>", r.header("P-Preferred-Identity").c_str());
}

TEST(SipWire, a_body_may_hold_any_octet) {
  rig->start();
  SipRequest q = rig->publish();
  std::string body("a\0b\r\n\r\nc\xff", 9);
  q.body = body;
  SipReceived r = exchange(q);
  STRCMP_EQUAL("9", r.header("Content-Length").c_str());
  CHECK_TRUE(r.body == body);
}

TEST(SipWire, a_long_body_stays_on_udp) {
  rig->start();
  SipRequest q = rig->publish();
  std::string body(16384, 'x');
  q.body = body;
  SipReceived r = exchange(q);
  CHECK_TRUE(r.body == body);
}

TEST(SipWire, an_event_with_parameter_is_kept) {
  rig->start();
  SipRequest q = rig->publish();
  q.event = "dialog;sla";
  STRCMP_EQUAL("dialog;sla", exchange(q).header("Event").c_str());
}

// A restarted library that repeats the identical request is taken for a retransmission by the server: same branch, same
// port, same Call-ID and CSeq (RFC 3261 section 17.2.3).
TEST(SipWire, the_identical_request_after_a_restart_is_the_same_transaction) {
  rig->start();
  SipReceived first = exchange(rig->publish());
  std::string port = first.from.substr(first.from.rfind(':') + 1);
  rig->stack.reset();
  rig->settings.listen = {"sip:127.0.0.1:" + port};
  rig->start();
  SipReceived second = exchange(rig->publish(2));
  STRCMP_EQUAL(first.raw.c_str(), second.raw.c_str());
  STRCMP_EQUAL(first.from.c_str(), second.from.c_str());
}

TEST(SipWire, without_a_branch_each_request_gets_one_of_its_own) {
  rig->start();
  SipRequest q = rig->publish();
  q.branch = "";
  std::string a = exchange(q).param("Via", "branch"), b = exchange(q).param("Via", "branch");
  CHECK_TRUE(a.size() > 10 && a.substr(0, 7) == "z9hG4bK");
  CHECK_FALSE(a == b);
}

TEST(SipWire, requests_leave_from_the_configured_port) {
  rig->start();
  SipReceived a = exchange(rig->publish());
  SipReceived b = exchange(rig->publish(2));
  STRCMP_EQUAL(a.from.c_str(), b.from.c_str());
}

TEST(SipWire, each_request_goes_to_its_own_proxy) {
  rig->start();
  ScriptedServer other(rig->base, ScriptedServer::Kind::Udp);
  other.on_request = [&](const SipReceived& r) { other.reply(r, 200, "OK"); };
  std::string there = other.uri();
  for (TxnId i = 1; i <= 6; i++) {
    SipRequest q = rig->publish(i);
    if (i % 2) q.proxy = there;
    if (i % 2) {
      rig->send(q);
      CHECK_TRUE(rig->until_replies(i));
    } else {
      exchange(q);
    }
  }
  LONGS_EQUAL(3, other.requests.size());
  LONGS_EQUAL(3, server->requests.size());
}

TEST(SipWire, without_a_proxy_the_request_uri_is_the_way) {
  rig->start();
  SipRequest q = rig->publish();
  std::string uri = "sip:alice@127.0.0.1:" + std::to_string(server->port());
  q.uri = uri;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  STRCMP_EQUAL(("PUBLISH " + uri + " SIP/2.0").c_str(), server->requests[0].start_line.c_str());
  // After a request with a proxy, one without goes by its URI again.
  exchange(rig->publish(2));
  rig->send(q);
  CHECK_TRUE(rig->until_replies(3));
  LONGS_EQUAL(200, rig->replies[2].status);
}

TEST(SipWire, localhost_needs_no_name_server) {
  rig->start();
  SipRequest q = rig->publish();
  std::string proxy = "sip:localhost:" + std::to_string(server->port()) + ";transport=udp";
  q.proxy = proxy;
  LONGS_EQUAL(7, atoi(exchange(q).header("CSeq").c_str()));
}

TEST(SipWire, a_pres_uri_goes_to_the_sip_server_of_its_domain) {
  rig->start();
  SipRequest q = rig->publish();
  std::string uri = "pres:alice@127.0.0.1:" + std::to_string(server->port());
  q.uri = uri;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  STRCMP_EQUAL(("PUBLISH " + uri + " SIP/2.0").c_str(), server->requests[0].start_line.c_str());
}

TEST(SipWire, other_methods_go_out_the_same_way) {
  rig->start();
  SipRequest q = rig->publish();
  q.method = "SUBSCRIBE";
  SipReceived r = exchange(q);
  STRCMP_EQUAL("SUBSCRIBE sip:alice@example.com SIP/2.0", r.start_line.c_str());
  STRCMP_EQUAL("7 SUBSCRIBE", r.header("CSeq").c_str());
}

TEST(SipWire, what_would_break_the_message_is_refused) {
  rig->start();
  auto code = [&](void (*change)(SipRequest&)) {
    SipRequest q = rig->publish();
    change(q);
    return static_cast<int>(rig->stack->send(q).code());
  };
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.event = "presence\r\nX: y"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.if_match = "a\nb"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.content_type = std::string_view("a\0b", 3); }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.extra_headers = "X: y"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.extra_headers = "X: y\r\n\r\nbody\r\n"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.uri = "sip:a@b?Subject=x"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.uri = "sip:a@[::1"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.uri = "sip:alice @b"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.proxy = "nonsense"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.uri = "tel:+123"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.uri = "sip:%s@b"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.proxy = "sip:a%4^@b"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_argument), code([](SipRequest& q) { q.call_id = ""; }));
  LONGS_EQUAL(0, rig->stack->in_flight());
  rig->turn();
  LONGS_EQUAL(0, server->requests.size());
  LONGS_EQUAL(0, rig->replies.size());
}
