// SUBSCRIBEs on the wire, outside and inside a dialog, and what their replies tell of it.
//
//   stack            server
//     | SUBSCRIBE --->|
//     |<--- 200 OK    |  To tag, Contact, Record-Route
//     | SUBSCRIBE --->|  in the dialog: Request-URI is the Contact, Route is the Record-Route turned round
#include <string>
#include <vector>

#include "core/validate.h"
#include "sip/header_text.h"
#include "sip/route.h"
#include "tests/sip/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SipSubscribe) {
  Rig* rig = nullptr;
  ScriptedServer* server = nullptr;
  std::string proxy, answer = "Expires: 1800\r\n";
  int status = 200;
  void setup() override {
    rig = new Rig;
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    server->on_request = [this](const SipReceived& r) { server->reply(r, status, "As Told", answer); };
    proxy = server->uri();
  }
  void teardown() override {
    delete server;
    delete rig;
  }
  SipRequest subscribe(TxnId txn = 1) {
    SipRequest r;
    r.txn = txn;
    r.method = "SUBSCRIBE";
    r.uri = "sip:bob@example.com";
    r.from = "sip:watcher@example.com";
    r.from_tag = "ft-1";
    r.call_id = "sub-1@pua.example.com";
    r.branch = "z9hG4bKsub-1";
    r.cseq = 3;
    r.event = "presence;id=7";
    r.expires = 600;
    r.contact = "sip:watcher@127.0.0.1:5998";
    r.accept = "application/pidf+xml, application/rlmi+xml";
    r.allow_events = "presence, dialog";
    return r;
  }
  SipReceived exchange(SipRequest r) {
    if (r.proxy.empty() && r.route_set.empty()) r.proxy = proxy;
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
  std::string routes_of(const SipReceived& r) {  // they may come in several lines
    std::string out;
    for (const auto& [n, v] : r.headers)
      if (n == "Route") out += (out.empty() ? "" : ", ") + v;
    return out;
  }
  std::string hop(const char* params = ";lr") { return "<sip:127.0.0.1:" + std::to_string(server->port()) + params + ">"; }
};

TEST(SipSubscribe, an_initial_subscribe_carries_exactly_its_headers) {
  rig->start();
  SipReceived r = exchange(subscribe());
  STRCMP_EQUAL("SUBSCRIBE sip:bob@example.com SIP/2.0", r.start_line.c_str());
  STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq Contact Expires User-Agent Accept Event Allow-Events Content-Length ", names(r).c_str());
  STRCMP_EQUAL(("SIP/2.0/UDP " + r.from + ";branch=z9hG4bKsub-1;rport").c_str(), r.header("Via").c_str());
  STRCMP_EQUAL("<sip:watcher@example.com>;tag=ft-1", r.header("From").c_str());
  STRCMP_EQUAL("<sip:bob@example.com>", r.header("To").c_str());
  STRCMP_EQUAL("sub-1@pua.example.com", r.header("Call-ID").c_str());
  STRCMP_EQUAL("3 SUBSCRIBE", r.header("CSeq").c_str());
  STRCMP_EQUAL("<sip:watcher@127.0.0.1:5998>", r.header("Contact").c_str());
  STRCMP_EQUAL("600", r.header("Expires").c_str());
  STRCMP_EQUAL("application/pidf+xml, application/rlmi+xml", r.header("Accept").c_str());
  STRCMP_EQUAL("presence;id=7", r.header("Event").c_str());
  STRCMP_EQUAL("presence, dialog", r.header("Allow-Events").c_str());
  STRCMP_EQUAL("0", r.header("Content-Length").c_str());
}

TEST(SipSubscribe, fields_that_are_not_given_are_left_out) {
  rig->start();
  SipRequest q = subscribe();
  q.contact = q.accept = q.allow_events = q.from = "";
  q.expires = -1;
  SipReceived r = exchange(q);
  STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq User-Agent Event Content-Length ", names(r).c_str());
  STRCMP_EQUAL("<sip:bob@example.com>;tag=ft-1", r.header("From").c_str());
}

TEST(SipSubscribe, in_a_dialog_the_request_goes_to_the_first_route_with_all_of_them) {
  rig->start();
  SipRequest q = subscribe();
  std::string routes = hop(";lr;ftag=x") + ", <sip:p2.example.com;lr=on>;x=y";
  q.uri = "sip:server@192.0.2.9:5070;transport=tcp";
  q.to = "sip:bob@example.com";
  q.to_tag = "tt-1";
  q.route_set = routes;
  q.proxy = "sip:192.0.2.77";  // not used
  SipReceived r = exchange(q);
  STRCMP_EQUAL("SUBSCRIBE sip:server@192.0.2.9:5070;transport=tcp SIP/2.0", r.start_line.c_str());
  STRCMP_EQUAL("<sip:bob@example.com>;tag=tt-1", r.header("To").c_str());
  STRCMP_EQUAL(routes.c_str(), routes_of(r).c_str());
  CHECK_FALSE(r.header("Via").find("UDP") == std::string::npos);
}

// RFC 3261 section 12.2.1.1: the strict router becomes the Request-URI, the target goes behind the other routes.
TEST(SipSubscribe, a_strict_router_gets_the_request_as_its_own) {
  rig->start();
  SipRequest q = subscribe();
  std::string routes = hop(";x=1") + ", <sip:p2.example.com>, <sip:p3.example.com;lr>";
  q.uri = "sip:server@192.0.2.9";
  q.to = "sip:bob@example.com";
  q.to_tag = "tt-1";
  q.route_set = routes;
  SipReceived r = exchange(q);
  STRCMP_EQUAL(("SUBSCRIBE sip:127.0.0.1:" + std::to_string(server->port()) + ";x=1 SIP/2.0").c_str(), r.start_line.c_str());
  STRCMP_EQUAL("<sip:p2.example.com>, <sip:p3.example.com;lr>, <sip:server@192.0.2.9>", routes_of(r).c_str());
  // A single one: only the target is left of the route set.
  routes = hop("");
  q.route_set = routes;
  q.branch = "z9hG4bKsub-2";
  STRCMP_EQUAL("<sip:server@192.0.2.9>", routes_of(exchange(q)).c_str());
}

// What the engine takes as a URI is sent.
TEST(SipSubscribe, an_ipv6_address_and_escapes_in_parameters_go_out_as_they_are) {
  rig->start();
  const std::string uri = "sip:server@192.0.2.9;x=%20;alias=[2001:db8::5]~5060~1;maddr=[2001:db8::1]";
  CHECK_TRUE(check_uri("uri", uri).ok());
  SipRequest q = subscribe();
  q.uri = q.to = uri;
  STRCMP_EQUAL(("SUBSCRIBE " + uri + " SIP/2.0").c_str(), exchange(q).start_line.c_str());
  STRCMP_EQUAL(("<" + uri + ">").c_str(), server->requests.back().header("To").c_str());
}

// RFC 3966 lets '#' into a local number, RFC 3261 section 25.1 lets it into no Request-URI: as everywhere, it is escaped.
TEST(SipSubscribe, a_local_number_goes_out_with_its_hash_mark_escaped) {
  rig->start();
  for (std::string uri : {"tel:*21#;phone-context=example.com", "tel:#;phone-context=example.com", "tel:*21%23;phone-context=example.com"}) {
    CHECK_TRUE(check_uri("uri", uri).ok());
    SipRequest q = subscribe(rig->replies.size() + 1);
    std::string branch = "z9hG4bKtel-" + std::to_string(q.txn);
    q.branch = branch;
    q.uri = q.to = uri;
    std::string out = uri;
    if (size_t hash = out.find('#'); hash != out.npos) out.replace(hash, 1, "%23");
    STRCMP_EQUAL(("SUBSCRIBE " + out + " SIP/2.0").c_str(), exchange(q).start_line.c_str());
    STRCMP_EQUAL(("<" + out + ">").c_str(), server->requests.back().header("To").c_str());
  }
}

TEST(SipSubscribe, without_routes_and_proxy_the_target_is_the_way) {
  rig->start();
  SipRequest q = subscribe();
  std::string uri = "sip:server@127.0.0.1:" + std::to_string(server->port());
  q.uri = uri;
  q.to_tag = "tt-1";
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  STRCMP_EQUAL(("SUBSCRIBE " + uri + " SIP/2.0").c_str(), server->requests[0].start_line.c_str());
  STRCMP_EQUAL("", server->requests[0].line("Route").c_str());
}

TEST(SipSubscribe, a_handle_that_sent_in_a_dialog_leaves_nothing_in_the_next_request) {
  rig->start();
  SipRequest q = subscribe();
  std::string routes = hop();
  q.route_set = routes;
  q.to_tag = "tt-1";
  answer = "Contact: <sip:other@127.0.0.1:9>\r\nRecord-Route: <sip:rr@127.0.0.1:9;lr>\r\nExpires: 60\r\n";
  exchange(q);
  SipReceived p = exchange(rig->publish(2));
  STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq Expires User-Agent Event Content-Type Content-Length ", names(p).c_str());
  STRCMP_EQUAL("<sip:alice@example.com>", p.header("To").c_str());
  q = subscribe(3);
  q.contact = "";
  SipReceived r = exchange(q);
  STRCMP_EQUAL("Via Max-Forwards From To Call-ID CSeq Expires User-Agent Accept Event Allow-Events Content-Length ", names(r).c_str());
  STRCMP_EQUAL("<sip:bob@example.com>", r.header("To").c_str());
}

TEST(SipSubscribe, a_2xx_brings_tag_contact_and_the_route_set_turned_round) {
  rig->start();
  answer = "Contact: \"P S\" <sip:server@192.0.2.9:5070;transport=tcp?x=y>;expires=9\r\n"
           "Record-Route: <sip:p3.example.com;lr>\r\nRecord-Route: <sip:p2.example.com;lr=on;ftag=a>;r=1,\r\n <sip:p1.example.com;lr>\r\n"
           "Expires: 1800\r\n";
  exchange(subscribe());
  const Outcome& o = rig->replies[0];
  STRCMP_EQUAL("server-1", o.to_tag.c_str());
  STRCMP_EQUAL("sip:server@192.0.2.9:5070;transport=tcp", o.contact.c_str());
  STRCMP_EQUAL("<sip:p1.example.com;lr>, <sip:p2.example.com;lr=on;ftag=a>;r=1, <sip:p3.example.com;lr>", o.route_set.c_str());
  LONGS_EQUAL(1800, o.expires);
  // And so it goes out again.
  std::string reversed = hop() + ", " + o.route_set;
  SipRequest q = subscribe(2);
  q.route_set = reversed;
  q.branch = "z9hG4bKsub-2";
  STRCMP_EQUAL(reversed.c_str(), routes_of(exchange(q)).c_str());
}

// RFC 3261 section 12.1.2: the dialog has all of it; without it there is none.
TEST(SipSubscribe, a_2xx_whose_route_set_no_row_takes_names_no_dialog) {
  rig->start();
  for (size_t octets : {4096, 4097}) {
    std::string route = "<sip:" + std::string(octets - 14, 'a') + "@host;lr>";
    LONGS_EQUAL(octets, route.size());
    answer = "Record-Route: " + route + "\r\n";
    TxnId txn = rig->replies.size() + 1;
    SipRequest q = subscribe(txn);
    std::string branch = "z9hG4bKlong-" + std::to_string(txn);
    q.branch = branch;
    exchange(q);
    LONGS_EQUAL(octets == 4096 ? octets : 0, rig->replies.back().route_set.size());
    STRCMP_EQUAL(octets == 4096 ? "server-1" : "", rig->replies.back().to_tag.c_str());
  }
}

TEST(SipSubscribe, a_refusal_brings_no_route_set_and_a_423_its_min_expires) {
  rig->start();
  status = 423;
  answer = "Min-Expires: 3600\r\nContact: <sip:x@192.0.2.9>\r\nRecord-Route: <sip:p1.example.com;lr>\r\nRetry-After: 5\r\n";
  exchange(subscribe());
  const Outcome& o = rig->replies[0];
  LONGS_EQUAL(3600, o.min_expires);
  LONGS_EQUAL(5, o.retry_after);
  STRCMP_EQUAL("server-1", o.to_tag.c_str());
  STRCMP_EQUAL("", o.contact.c_str());
  STRCMP_EQUAL("", o.route_set.c_str());
}

TEST(SipSubscribe, a_contact_that_cannot_be_a_target_is_none) {
  rig->start();
  int n = 1;
  for (const char* contact : {"*", "<mailto:>", "<sip:>", "\"", "<sip:a@[::1>"}) {
    answer = std::string("Contact: ") + contact + "\r\n";
    SipRequest q = subscribe(static_cast<TxnId>(n));
    std::string branch = "z9hG4bKc" + std::to_string(n++);
    q.branch = branch;
    exchange(q);
    LONGS_EQUAL(200, rig->replies.back().status);
    STRCMP_EQUAL("", rig->replies.back().contact.c_str());
  }
}

TEST(SipSubscribe, digest_answers_with_all_fields_of_the_dialog_and_the_next_cseq) {
  rig->settings.credentials = {{"r", "u", "p"}};
  rig->start();
  server->on_request = [this](const SipReceived& r) {
    if (r.header("Authorization").empty()) server->reply(r, 401, "Who", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"\r\n");
    else server->reply(r, 200, "OK", "Expires: 60\r\n");
  };
  SipRequest q = subscribe();
  std::string routes = hop();
  q.uri = "sip:server@192.0.2.9";
  q.to = "sip:bob@example.com";
  q.to_tag = "tt-1";
  q.route_set = routes;
  SipReceived r = exchange(q);
  LONGS_EQUAL(2, server->requests.size());
  STRCMP_EQUAL("4 SUBSCRIBE", r.header("CSeq").c_str());
  STRCMP_EQUAL("<sip:bob@example.com>;tag=tt-1", r.header("To").c_str());
  STRCMP_EQUAL(routes.c_str(), routes_of(r).c_str());
  STRCMP_EQUAL("<sip:watcher@127.0.0.1:5998>", r.header("Contact").c_str());
  STRCMP_EQUAL("application/pidf+xml, application/rlmi+xml", r.header("Accept").c_str());
  CHECK_TRUE(r.header("Authorization").find("uri=\"sip:server@192.0.2.9\"") != std::string::npos);
  LONGS_EQUAL(4, rig->replies[0].cseq);
  LONGS_EQUAL(200, rig->replies[0].status);
}

TEST(SipSubscribe, what_would_break_the_message_is_refused) {
  rig->start();
  auto code = [&](void (*change)(SipRequest&)) {
    SipRequest q = subscribe();
    change(q);
    return static_cast<int>(rig->stack->send(q).code());
  };
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.to_tag = "a\r\nX: y"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.route_set = "<sip:a;lr>\r\n"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.contact = "sip:a\n"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_header), code([](SipRequest& q) { q.accept = "a\rb"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.route_set = "sip:a;lr"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.route_set = ", ,"; }));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri), code([](SipRequest& q) { q.route_set = "<sip:>"; }));
  for (const char* unreadable : {"sip:%s@b", "sip:a%4\\@b", "sip:a@b:c", "sip:a@b%"}) {
    SipRequest q = subscribe();
    q.uri = unreadable;
    LONGS_EQUAL(static_cast<int>(Errc::bad_uri), static_cast<int>(rig->stack->send(q).code()));
  }
  LONGS_EQUAL(0, rig->stack->in_flight());
}

TEST(SipSubscribe, route_sets_are_taken_apart) {
  auto s = split_routes(" <sip:a;lr>,\"x, \\\"y\" <sip:b,c;lr>;p=\"1,2\" , <sip:d>");
  LONGS_EQUAL(3, s.size());
  STRCMP_EQUAL("<sip:a;lr>", std::string(s[0]).c_str());
  STRCMP_EQUAL("\"x, \\\"y\" <sip:b,c;lr>;p=\"1,2\"", std::string(s[1]).c_str());
  STRCMP_EQUAL("<sip:d>", std::string(s[2]).c_str());
  LONGS_EQUAL(0, split_routes("").size());
  RoutedRequest r;
  CHECK_TRUE(follow_routes("sip:t@h", "<sip:u@a:5070;Transport=TCP;ftag=zz;LR;maddr=1.2.3.4>", r).ok());
  STRCMP_EQUAL("sip:a:5070;Transport=TCP;maddr=1.2.3.4", r.hop.c_str());
  STRCMP_EQUAL("sip:t@h", r.uri.c_str());
  CHECK_TRUE(follow_routes("sip:t@h", "<sip:lr@a;xlr;lrx>", r).ok());
  STRCMP_EQUAL("sip:lr@a;xlr;lrx", r.uri.c_str());
}
