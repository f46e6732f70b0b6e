// The parts that need no stack: targets, header text, kept requests, reading of replies.
#include <sofia-sip/msg_types.h>
#include <sofia-sip/msg.h>
#include <sofia-sip/sip_header.h>

#include <string>
#include <vector>

#include "sip/reply.h"
#include "sip/request.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(SipParse) {
  std::string target(const char* uri) {
    auto t = parse_target(uri);
    if (!t) return "error";
    const char* family[] = {"any", "v4", "v6"};
    return std::string(t->host) + "|" + std::string(t->tail) + "|" + family[static_cast<int>(t->family)] + (t->secure ? "|secure" : "");
  }
  std::string hop(const char* proxy, const char* uri) {
    auto t = parse_target(*proxy ? proxy : uri);
    std::string out;
    if (!t || !next_hop(*t, out)) return "error";
    return out;
  }
};

TEST(SipParse, targets_are_taken_apart) {
  STRCMP_EQUAL("example.com||any", target("sip:alice@example.com").c_str());
  STRCMP_EQUAL("example.com|:5070;lr|any", target("sip:example.com:5070;lr").c_str());
  STRCMP_EQUAL("192.0.2.1|:1|v4", target("sip:a;b=c?d@192.0.2.1:1").c_str());
  STRCMP_EQUAL("[2001:db8::1]|:5070|v6", target("sip:a@[2001:db8::1]:5070").c_str());
  STRCMP_EQUAL("h||any|secure", target("SIPS:a@h").c_str());
  STRCMP_EQUAL("h|;x=1;transport=TLS|any|secure", target("sip:h;x=1;transport=TLS").c_str());
  STRCMP_EQUAL("h|;transport=tlsx|any", target("sip:h;transport=tlsx").c_str());
  STRCMP_EQUAL("||any", target("tel:+358-555").c_str());
  for (const char* bad : {"", "alice", ":", "sip:", "sip:@", "sip:a@", "sip:a@h?x=y", "sip:[::1", "sip:[::1]x", "sip:a b@h", "sip:<h>", "sip:a\r\nb"})
    STRCMP_EQUAL("error", target(bad).c_str());
  STRCMP_EQUAL("error", target(("sip:" + std::string(2000, 'a')).c_str()).c_str());
}

TEST(SipParse, the_next_hop_is_what_matters_of_the_proxy_or_of_the_uri) {
  STRCMP_EQUAL("sip:h", hop("", "sip:a@h").c_str());
  STRCMP_EQUAL("sip:h:5070", hop("", "SIP:a%3Bb:pw@h:5070;user=phone").c_str());
  STRCMP_EQUAL("sip:p", hop("sip:p;lr", "sip:a@h").c_str());
  STRCMP_EQUAL("sip:p;transport=TCP;maddr=192.0.2.1", hop("sip:u@p;Maddr=192.0.2.1;lr;Transport=TCP", "sip:a@h").c_str());
  STRCMP_EQUAL("sip:[2001:db8::1]:5070", hop("sip:[2001:db8::1]:5070", "sip:a@h").c_str());
  STRCMP_EQUAL("sip:127.0.0.1:5080;transport=tcp", hop("sip:LocalHost:5080;transport=tcp", "sip:a@h").c_str());
  STRCMP_EQUAL("sips:127.0.0.1", hop("", "sips:a@localhost").c_str());
  STRCMP_EQUAL("sips:h:5061", hop("", "sips:a@h:5061;transport=tcp").c_str());  // TLS over TCP, whatever sofia makes of it
  STRCMP_EQUAL("sip:h;transport=tls", hop("", "sip:a@h;transport=tls").c_str());
  STRCMP_EQUAL("sip:h", hop("", "pres:a@h").c_str());
  STRCMP_EQUAL("sip:p", hop("sip:p", "tel:+1").c_str());
  STRCMP_EQUAL("error", hop("", "tel:+1").c_str());
  STRCMP_EQUAL("error", hop("", "sip:h;transport=%41\\").c_str());  // sofia ends the program over what it cannot read
}

TEST(SipParse, a_kept_request_owns_its_text) {
  KeptRequest kept;
  {
    std::string uri = "sip:a@b", body(300, 'x'), call = "c";
    SipRequest r;
    r.txn = 5;
    r.method = "PUBLISH";
    r.uri = uri;
    r.call_id = call;
    r.body = body;
    r.cseq = 9;
    kept.keep(r);
    uri.assign(uri.size(), '!');
    body.assign(body.size(), '!');
    call = "!";
  }
  STRCMP_EQUAL("sip:a@b", std::string(kept.view().uri).c_str());
  STRCMP_EQUAL("c", std::string(kept.view().call_id).c_str());
  STRCMP_EQUAL(std::string(300, 'x').c_str(), std::string(kept.view().body).c_str());
  LONGS_EQUAL(9, kept.view().cseq);
  CHECK_TRUE(kept.view().event.empty());
  kept.clear();
  CHECK_TRUE(kept.view().uri.empty());
}

TEST(SipParse, a_reply_is_read_from_bytes) {
  msg_t* msg = parse_reply("SIP/2.0 423 Interval Too Brief\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
                           "To: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 PUBLISH\r\nMin-Expires: 90\r\nContent-Length: 0\r\n\r\n");
  CHECK_TRUE(msg != nullptr);
  SipReply r;
  read_reply(msg, sip_object(msg), r);
  LONGS_EQUAL(423, r.status);
  STRCMP_EQUAL("Interval Too Brief", std::string(r.reason).c_str());
  LONGS_EQUAL(90, r.min_expires);
  LONGS_EQUAL(-1, r.expires);
  CHECK_TRUE(r.etag.empty());
  msg_destroy(msg);
  std::string via;
  CHECK_TRUE(r.message->header("v", via));
  STRCMP_EQUAL("SIP/2.0/UDP h;branch=z9hG4bKa", via.c_str());
}

TEST(SipParse, the_date_form_of_expires_is_counted_from_now) {
  msg_t* msg = parse_reply("SIP/2.0 200 OK\r\nExpires: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n");
  CHECK_TRUE(msg != nullptr);
  SipReply r;
  read_reply(msg, sip_object(msg), r);
  LONGS_EQUAL(0, r.expires);
  msg_destroy(msg);
}

TEST(SipParse, what_is_no_reply_is_refused) {
  for (std::string s : {std::string(), std::string("\r\n\r\n"), std::string("INVITE sip:a SIP/2.0\r\n\r\n"), std::string("SIP/2.0 abc\r\n\r\n"), std::string(70000, 'x')})
    POINTERS_EQUAL(nullptr, parse_reply(s));
}
