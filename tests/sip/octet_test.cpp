// What came in goes out, to the octet: URIs of owners, Contacts and Record-Routes of servers, from a 2xx and from a NOTIFY, by
// every way out that sofia has here (from both kinds of address, UDP and TCP).
//
//   stack                    server
//     | SUBSCRIBE a%3Bb ------>|
//     |<-- 200, Contact b%3bc  |
//     | SUBSCRIBE b%3bc ------>|   RFC 3261 section 19.1.4: not b;c, and not b%3Bc
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_tag.h>

#include <string>
#include <vector>

#include "core/validate.h"
#include "sip/header_text.h"
#include "sip/notify_parse.h"
#include "sip/raw_message.h"
#include "tests/sip/notify_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

// Odd, but legal or at least seen.
const std::vector<std::string>& odd_uris() {
  static const std::vector<std::string> all = {
      "sip:a%3Bb@h.example", "sip:a;b@h.example", "sip:a%3bb@h.example", "sip:%61lice@h.example", "sip:a%2Fb%3A%40c@h.example",
      "sip:a:p%40ss%3Aword@h.example", "sip:a:@h.example", "sip:a?b@h.example", "sip:a%3Fb@h.example", "sip:a/b&c=d+e$f,g@h.example",
      "sip:@h.example", "sip:h.example", "sip:;a@h.example", "sip:[a]@h.example", "SIP:Alice@EXAMPLE.com;Transport=UDP;LR",
      "sip:alice@[2001:DB8::1]:5070;x=%3b%5D", "sip:alice@192.0.2.1:05070", "sip:a@h.example;x=%3B;y=%26z%3D1;gr=urn%3Auuid;method=INVITE",
      "sip:a@h.example;x;=;;y=", "sip:a_b@under_score.example", "sip:+1-201;phone-context=a%2Cb@gw.example;user=phone",
      "pres:a%40b@h.example", "tel:+1-201(555).0123;ext=%23;isub=1%2F2", "tel:*21%23;phone-context=example.com",
      "sip:" + std::string(1000, 'l') + "%3B%3b@h.example"};
  return all;
}

struct Escaped {
  const char *in, *out;
};
// What may not stand raw is escaped, in every scheme and part.
constexpr Escaped kEscaped[] = {{"sip:\xc3\xa4#1@h.example;x=\xc3\xa4", "sip:%C3%A4%231@h.example;x=%C3%A4"},
                                {"sip:a%41\\^`{|}@h.example", "sip:a%41%5C%5E%60%7B%7C%7D@h.example"},
                                {"pres:#@h.example", "pres:%23@h.example"},
                                {"tel:*21#;phone-context=#1", "tel:*21%23;phone-context=%231"}};

const char* const kRoute = "\"P, \\\"q\\\" <#>\" <sip:a%3Bb;c@p.example;lr;x=%3b>;y=%3B;z=\"#,\"";

}  // namespace

TEST_GROUP_BASE(SipOctet, ListenerTest) {
  ScriptedServer* server = nullptr;
  TxnId txn = 0;
  std::string answer_with, branch, uri_kept, contact_kept;

  void serve(ScriptedServer::Kind kind) {
    delete server;
    server = new ScriptedServer(rig->base, kind);
    server->on_request = [this](const SipReceived& r) { server->reply(r, 200, "OK", answer_with); };
  }
  void teardown() override {
    delete server;
    ListenerTest::teardown();
  }
  SipReceived exchange(SipRequest q) {
    size_t n = rig->replies.size();
    rig->send(q);
    CHECK_TRUE(rig->until_replies(n + 1));
    LONGS_EQUAL(200, rig->replies.back().status);
    return server->requests.back();
  }
  // A request of the owner's; a SUBSCRIBE without a Contact of its own leaves by the listener.
  SipRequest request(const char* method, const std::string& uri, const std::string& contact) {
    SipRequest q = subscribe(*server, ++txn);
    branch = "z9hG4bKoctet-" + std::to_string(txn);
    q.branch = branch;
    q.method = method;
    uri_kept = uri;   // the request has views only
    contact_kept = contact;
    q.uri = q.from = q.to = uri_kept;
    q.to_tag = "%3b";
    q.contact = contact_kept;
    return q;
  }
  // The address is the listener's, the user part the watcher's.
  std::string own_contact(const std::string& watcher) {
    size_t at = watcher.find('@'), begin = watcher.find(':') + 1;
    std::string user = at == watcher.npos ? "" : watcher.substr(begin, at - begin);
    user = user.substr(0, user.find(':'));
    return user.empty() ? contact() : "sip:" + user + "@" + contact().substr(4);
  }
  void sent(const char* method, const std::string& in, const std::string& out) {
    CHECK_TEXT(check_uri("uri", in).ok(), in.c_str());
    bool own = std::string(method) == "SUBSCRIBE";
    SipReceived r = exchange(request(method, in, own ? "" : in));
    STRCMP_EQUAL((std::string(method) + " " + out + " SIP/2.0").c_str(), r.start_line.c_str());
    STRCMP_EQUAL(("<" + out + ">;tag=ft-1").c_str(), r.header("From").c_str());
    STRCMP_EQUAL(("<" + out + ">;tag=%3b").c_str(), r.header("To").c_str());
    STRCMP_EQUAL(("<" + (own ? own_contact(out) : out) + ">").c_str(), r.header("Contact").c_str());
  }
};

TEST(SipOctet, what_an_owner_names_goes_out_as_it_is) {
  rig->start();
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    serve(kind);
    for (const std::string& uri : odd_uris())
      for (const char* method : {"PUBLISH", "SUBSCRIBE"}) sent(method, uri, uri);
  }
}

TEST(SipOctet, what_may_not_stand_raw_goes_out_escaped_by_one_rule) {
  rig->start();
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    serve(kind);
    for (const Escaped& e : kEscaped)
      for (const char* method : {"PUBLISH", "SUBSCRIBE"}) sent(method, e.in, e.out);
  }
}

TEST(SipOctet, the_contact_and_the_routes_of_a_2xx_come_back_as_they_were) {
  rig->start();
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    serve(kind);
    std::string hop = "<" + server->uri() + ";lr;x=%3b>";
    for (const std::string& uri : odd_uris()) {
      answer_with = "M : \"a, \\\" <sip:no@h>\" <" + uri + (uri.find('@') != uri.npos ? "?Subject=a%40b&x=%3B" : "") + ">;expires=9, <sip:second@h>\r\n"
                    "Record-Route: <sip:q.example;lr>,\r\n " + kRoute + "\r\nRecord-Route: " + hop + "\r\n";
      for (const char* own : {"", "sip:w@192.0.2.1"}) {   // by the listener, and by an address of sip_listen
        exchange(request("SUBSCRIBE", "sip:bob@example.com", own));
        Outcome o = rig->replies.back();
        STRCMP_EQUAL(uri.c_str(), o.contact.c_str());
        STRCMP_EQUAL((hop + ", " + kRoute + ", <sip:q.example;lr>").c_str(), o.route_set.c_str());
        SipRequest q = request("SUBSCRIBE", o.contact, own);
        q.route_set = o.route_set;
        q.proxy = {};
        SipReceived r = exchange(q);
        STRCMP_EQUAL(("SUBSCRIBE " + uri + " SIP/2.0").c_str(), r.start_line.c_str());
        STRCMP_EQUAL(o.route_set.c_str(), r.header("Route").c_str());
      }
    }
  }
}

TEST(SipOctet, the_contact_and_the_routes_of_a_notify_are_read_as_they_are) {
  rig->start();
  Wire udp(contact()), tcp(contact(), true);
  const std::string event = "Event: presence\r\nSubscription-State: active\r\nContent-Type: a/b\r\n";
  std::string want_routes = std::string("<sip:a%3Bb@p;lr>, ") + kRoute;
  int n = 0;
  auto check = [&](const std::string& contact_line, const std::string& want) {
    m.headers = event + contact_line + "Record-Route: <sip:a%3Bb@p;lr>, " + kRoute + "\r\n";
    for (Wire* w : {&udp, &tcp}) {
      m.via = std::string(w == &udp ? "SIP/2.0/UDP" : "SIP/2.0/TCP") + " 127.0.0.1:9;rport;branch=z9hG4bKo" + std::to_string(n++);
      STRCMP_EQUAL("200 OK", status(ask(*w, (w == &tcp ? "\r\n\r\n" : "") + m.text())).c_str());
      STRCMP_EQUAL(want.c_str(), sink->came.back().contact.c_str());
      STRCMP_EQUAL(want_routes.c_str(), sink->came.back().route_set.c_str());
    }
    auto r = parse_notify(m.text());
    CHECK_TRUE(r.ok());
    STRCMP_EQUAL(want.c_str(), std::string(r->request().contact).c_str());
    STRCMP_EQUAL(want_routes.c_str(), std::string(r->request().route_set).c_str());
  };
  for (const std::string& uri : odd_uris()) check("Contact: <" + uri + ">\r\n", uri);
  for (const Escaped& e : kEscaped) check("Contact: <" + std::string(e.in) + ">\r\n", e.in);   // kept; escaped on its way out
  check("Contact: <sip:a?b@h?c=d@e>\r\n", "sip:a?b@h");
  check("Contact: <sip:h?c=d>\r\n", "sip:h");
  check("m:sip:a%3Bb@h;expires=3\r\n", "sip:a%3Bb@h");
  check("Contact: sip:a%3Bb@h?c=d\r\n", "sip:a%3Bb@h");
  check("contact: \"\\\" <sip:x@h>, \" \r\n < sip:a%3Bb@h > \r\n ;q=1\r\n", "sip:a%3Bb@h");
}

// What goes into a 401's answer is what stands in the first line.
TEST(SipOctet, digest_signs_the_request_uri_as_it_goes_out) {
  rig->settings.credentials = {{"r", "u", "p"}};
  rig->start();
  serve(ScriptedServer::Kind::Udp);
  server->on_request = [this](const SipReceived& r) {
    if (r.header("Authorization").empty()) server->reply(r, 401, "Who", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\"\r\n");
    else server->reply(r, 200, "OK");
  };
  SipReceived r = exchange(request("PUBLISH", "sip:\xc3\xa4%3b@h", ""));
  STRCMP_EQUAL("PUBLISH sip:%C3%A4%3b@h SIP/2.0", r.start_line.c_str());
  STRCMP_CONTAINS("uri=\"sip:%C3%A4%3b@h\"", r.header("Authorization").c_str());
}

TEST(SipOctet, extra_headers_and_etags_go_out_as_given) {
  rig->start();
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    serve(kind);
    SipRequest q = request("PUBLISH", "sip:a@h", "");
    q.extra_headers = "P-Asserted-Identity: \"x\" < sip:a%3bb@h >\r\nReply-To:<sip:a%3Bb@h?x=%41>\r\nAccept-Contact: *;x=%3b\r\nX-None:\r\n";
    q.if_match = "a:b@c/%3b=";
    q.content_type = "text/plain ; charset=\"utf-8\"";
    q.body = "x";
    SipReceived r = exchange(q);
    STRCMP_EQUAL("\"x\" < sip:a%3bb@h >", r.header("P-Asserted-Identity").c_str());
    STRCMP_EQUAL("<sip:a%3Bb@h?x=%41>", r.header("Reply-To").c_str());
    STRCMP_EQUAL("*;x=%3b", r.header("Accept-Contact").c_str());
    STRCMP_EQUAL("", r.header("X-None").c_str());
    CHECK_FALSE(r.line("X-None").empty());
    STRCMP_EQUAL("a:b@c/%3b=", r.header("SIP-If-Match").c_str());
    STRCMP_EQUAL("text/plain ; charset=\"utf-8\"", r.header("Content-Type").c_str());
  }
}

TEST(SipOctet, the_header_fields_of_a_reply_are_shown_as_they_came) {
  rig->start();
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    serve(kind);
    answer_with = "Contact:  <sip:a%3Bb@h?x=%41> ; q = 1 , <sip:second@h>\r\nDate : Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                  "Record-Route: \"a, b\" <sip:%3b@p;lr>, <sip:q>\r\nX-Odd: a\r\n  b%3b\r\n";
    exchange(request("SUBSCRIBE", "sip:a@h", ""));
    const Outcome& o = rig->replies.back();
    STRCMP_EQUAL("<sip:a%3Bb@h?x=%41> ; q = 1", o.header("m").c_str());
    STRCMP_EQUAL("Thu, 01 Jan 1970 00:00:00 GMT", o.header("date").c_str());
    STRCMP_EQUAL("\"a, b\" <sip:%3b@p;lr>", o.header("Record-Route").c_str());
    STRCMP_EQUAL("a b%3b", o.header("X-Odd").c_str());
  }
}

// --- the pieces ------------------------------------------------------------------------------------------------------------

// The header block that sofia makes of ours.
TEST_GROUP(SipRawMessage) {
  std::string sent(const std::string& headers) {
    RawMessage raw("SIP:a%3Bb@h;method=X", headers);
    msg_t* msg = msg_create(sip_default_mclass(), 0);
    sip_t* sip = sip_object(msg);
    sip_request_t* line = sip_request_create(msg_home(msg), sip_method_unknown, "DO", raw.uri(), nullptr);
    msg_header_insert(msg, reinterpret_cast<msg_pub_t*>(sip), reinterpret_cast<msg_header_t*>(line));
    CHECK_TRUE(sip_add_tl(msg, sip, TAG_NEXT(raw.tags())) >= 0);
    msg_serialize(msg, reinterpret_cast<msg_pub_t*>(sip));
    size_t n = 0;
    char* text = msg_as_string(msg_home(msg), msg, nullptr, 0, &n);
    std::string out(text, n);
    msg_destroy(msg);
    const std::string first = "DO SIP:a%3Bb@h;method=X SIP/2.0\r\n";
    STRCMP_EQUAL(first.c_str(), out.substr(0, first.size()).c_str());
    return out.substr(first.size());
  }
};

TEST(SipRawMessage, every_field_is_printed_as_it_was_given_in_its_order) {
  const std::string block =
      "Route: \"P, \\\"q\\\" <#>\" <sip:a%3Bb;c@p;lr;x=%3b>;y=%3B, <sip:q;lr>,<sip:r>;z=1;;\r\n"
      "From: <sip:a%3B:x@h;y=1>;tag=1\r\nTo: <tel:+1>\r\nCall-ID: c%3B\r\nCSeq: 1 DO\r\n"
      "Contact: <sip:%3b@h;x=%41>\r\nExpires: 5\r\nUser-Agent: mine (1; 2)\r\nAccept: a/b ;q=0.5 , c/d\r\nEvent: presence ; id=%3b\r\n"
      "Allow-Events: a ,b\r\nSIP-If-Match: a:b@c%3b\r\nContent-Type: a/b ; c=\"d\"\r\nX:  y\r\nReply-To: <sip:%3b@h>\r\n";
  std::string want = block;
  want.replace(want.find("X:  y"), 5, "X: y");
  STRCMP_EQUAL(want.c_str(), sent(block).c_str());
}

// What sofia would print otherwise than it was given is a field that it does not know: at the end.
TEST(SipRawMessage, what_has_no_place_of_its_own_stands_at_the_end) {
  const std::string parties = "From: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: c\r\nCSeq: 1 DO\r\n";
  for (const char* odd : {"Route: \"x\"<sip:p;lr>\r\n", "Route: x  <sip:p;lr>\r\n", "Route: <sip:p;lr> ;x\r\n", "Route: <sip:p;lr>;\r\n", "Route: sip:p\r\n",
                          "Route: \"<sip:p>\r\n", "Route: <p>\r\n"})
    STRCMP_EQUAL((parties + odd).c_str(), sent(odd + parties).c_str());
  STRCMP_EQUAL((parties + "Event: a\r\nEvent: b\r\nAllow-Events: c\r\n").replace(parties.size() + 10, 0, "Allow-Events: d\r\n").c_str(),
               sent(parties + "Event: a\r\nEvent: b\r\nAllow-Events: d\r\nAllow-Events: c\r\n").c_str());
}

TEST_GROUP(SipHeaderText) {};

// Where the octets were not kept, what sofia prints has to do.
TEST(SipHeaderText, a_message_of_another_class_is_read_as_sofia_prints_it) {
  std::string text = "NOTIFY sip:a@h SIP/2.0\r\nContact: <sip:a%3Bb@h;x=1?y=z>;q=1\r\nRecord-Route: <sip:p;lr>\r\nRecord-Route: <sip:q;lr>\r\n"
                     "Content-Length: 0\r\n\r\n";
  msg_t* msg = msg_make(sip_default_mclass(), 0, text.data(), static_cast<ssize_t>(text.size()));
  const sip_t* sip = sip_object(msg);
  STRCMP_EQUAL("sip:a;b@h;x=1", contact_uri(sip).c_str());
  std::string routes;
  CHECK_TRUE(record_route(sip, RouteOrder::Reversed, routes));
  STRCMP_EQUAL("<sip:q;lr>, <sip:p;lr>", routes.c_str());
  msg_destroy(msg);
}

TEST(SipHeaderText, routes_that_are_none_or_too_many_are_no_route_set) {
  auto read = [](const std::string& value, std::string& out) {
    std::string text = "NOTIFY sip:a@h SIP/2.0\r\nRecord-Route: " + value + "\r\nContent-Length: 0\r\n\r\n";
    msg_t* msg = msg_make(message_class(), 0, text.data(), static_cast<ssize_t>(text.size()));
    bool ok = record_route(sip_object(msg), RouteOrder::AsCame, out);
    msg_destroy(msg);
    return ok;
  };
  std::string out, many = "<sip:p;lr>";
  for (int i = 1; i < 64; i++) many += ", <sip:p;lr>";
  CHECK_TRUE(read(many, out));
  STRCMP_EQUAL(many.c_str(), out.c_str());
  CHECK_TRUE(read("<sip:p;lr>, <sips:\xc3\xa4@q;lr;x=\xc3\xa4>", out));
  for (const std::string& bad : {many + ", <sip:p>", std::string("sip:p;lr"), std::string("<sip:p;lr>, <>"), std::string("<sip:p"), std::string("<p>"),
                                 std::string("<sip:a b@p>"), std::string("\"<sip:p>\""), std::string(",")})
    CHECK_FALSE_TEXT(read(bad, out), bad.c_str());
}
