// Entity-tags on the wire: what comes back is what was given, to the octet.
#include <string>

#include "tests/sip/rig.h"
#include "tests/support/scripted_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SipEtag) {
  Rig* rig = nullptr;
  ScriptedServer* server = nullptr;
  std::string proxy, branch;
  void setup() override {
    rig = new Rig;
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    proxy = server->uri();
    rig->start();
  }
  void teardown() override {
    delete server;
    delete rig;
  }
  // What a PUBLISH got that was answered with these lines.
  const Outcome& answered(const std::string& lines) {
    server->on_request = [this, lines](const SipReceived& r) { server->reply(r, 200, "OK", lines); };
    size_t n = rig->replies.size();
    SipRequest q = rig->publish(n);
    q.proxy = proxy;
    branch = "z9hG4bKe" + std::to_string(n);
    q.branch = branch;
    rig->send(q);
    CHECK_TRUE(rig->until_replies(n + 1));
    LONGS_EQUAL(200, rig->replies.back().status);
    return rig->replies.back();
  }
};

// RFC 3903 says a token. What servers put there all the same comes back to them as it was.
TEST(SipEtag, one_that_is_no_token_is_kept_to_the_octet) {
  const std::string tags[] = {"a", "a b", "two  blanks", "\"quoted tag\"", "a:b@c;d=\"e,f\"", "<x>", "\xc3\xbcn\xc3\xaf", "\xff\xfe", "(a)",
                              ";", ",", std::string(255, '"')};
  for (const std::string& tag : tags) {
    const Outcome& o = answered("SIP-ETag:  " + tag + " \r\n");
    STRCMP_EQUAL(tag.c_str(), o.etag.c_str());
    CHECK_FALSE(o.etag_unusable);
  }
}

TEST(SipEtag, a_folded_one_is_one_line) {
  STRCMP_EQUAL("a b", answered("SIP-ETag: a\r\n  b\r\n").etag.c_str());
}

TEST(SipEtag, one_that_fits_nowhere_is_none_and_said_to_have_been_there) {
  for (const std::string& tag : {std::string(256, 'e'), std::string(20000, 'e'), std::string("\x01\x02"), std::string()}) {
    const Outcome& o = answered("SIP-ETag: " + tag + "\r\n");
    STRCMP_EQUAL("", o.etag.c_str());
    LONGS_EQUAL(!tag.empty(), o.etag_unusable);
  }
}

TEST(SipEtag, none_is_none) {
  const Outcome& o = answered("");
  STRCMP_EQUAL("", o.etag.c_str());
  CHECK_FALSE(o.etag_unusable);
}

TEST(SipEtag, one_goes_back_to_the_octet) {
  server->on_request = [this](const SipReceived& r) { server->reply(r, 200, "OK", ""); };
  for (const char* tag : {"a", "a b", "\"quoted tag\"", "a:b@c;d=\"e,f\"", "<x>", "\xc3\xbc\xff", ";"}) {
    size_t n = rig->replies.size();
    SipRequest q = rig->publish(n);
    q.proxy = proxy;
    branch = "z9hG4bKi" + std::to_string(n);
    q.branch = branch;
    q.if_match = tag;
    q.body = q.content_type = "";
    rig->send(q);
    CHECK_TRUE(rig->until_replies(n + 1));
    STRCMP_EQUAL(tag, server->requests.back().header("SIP-If-Match").c_str());
  }
}
