// Challenges as servers write them, read from sofia's message.
#include "sip/digest_challenge.h"

#include <sofia-sip/msg.h>
#include <sofia-sip/sip_header.h>

#include <string>

#include "sip/reply.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(SipDigestChallenge) {
  DigestChallenge c;
  // value: of WWW-Authenticate.
  ChallengeFault read(const std::string& value) {
    msg_t* msg = parse_reply("SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\n"
                             "Call-ID: c\r\nCSeq: 1 PUBLISH\r\nWWW-Authenticate: " + value + "\r\nContent-Length: 0\r\n\r\n");
    CHECK_TEXT(msg && sip_object(msg)->sip_www_authenticate, value.c_str());
    ChallengeFault f = read_challenge(sip_object(msg)->sip_www_authenticate, c);
    msg_destroy(msg);
    return f;
  }
  void fault(ChallengeFault expected, const std::string& value) {
    LONGS_EQUAL_TEXT(static_cast<int>(expected), static_cast<int>(read(value)), value.c_str());
  }
};

TEST(SipDigestChallenge, everything_that_a_server_may_say) {
  fault(ChallengeFault::None,
        "Digest realm=\"biloxi.com\", domain=\"sip:a sip:b\", nonce=\"n/1==\", opaque=\"o p\", stale=TRUE, algorithm=SHA-256-sess, "
        "qop=\"auth, auth-int\", charset=UTF-8, userhash=true, other=\"x\"");
  STRCMP_EQUAL("biloxi.com", c.realm.value.c_str());
  STRCMP_EQUAL("n/1==", c.nonce.value.c_str());
  CHECK_TRUE(c.has_opaque);
  STRCMP_EQUAL("o p", c.opaque.text.c_str());
  CHECK_TRUE(c.stale);
  CHECK_TRUE(c.userhash);
  STRCMP_EQUAL("SHA-256-sess", c.algorithm_name.c_str());
  CHECK_TRUE(c.algorithm.hash == DigestHash::Sha256 && c.algorithm.session);
  CHECK_TRUE(c.qop == DigestQop::Auth);
}

TEST(SipDigestChallenge, the_least_that_a_server_may_say) {
  fault(ChallengeFault::None, "digest NONCE=\"n\",Realm=\"\"");
  STRCMP_EQUAL("", c.realm.value.c_str());
  STRCMP_EQUAL("n", c.nonce.value.c_str());
  CHECK_FALSE(c.has_opaque);
  CHECK_FALSE(c.stale);
  CHECK_FALSE(c.userhash);
  STRCMP_EQUAL("", c.algorithm_name.c_str());
  CHECK_TRUE(c.algorithm.hash == DigestHash::Md5 && !c.algorithm.session);
  CHECK_TRUE(c.qop == DigestQop::None);
}

TEST(SipDigestChallenge, quoted_pairs_have_a_value_and_a_text) {
  fault(ChallengeFault::None, "Digest realm=\"a\\\"b\\\\c\", nonce=\"\\n\\\"\", opaque=\"\\\\\"");
  STRCMP_EQUAL("a\"b\\c", c.realm.value.c_str());
  STRCMP_EQUAL("a\\\"b\\\\c", c.realm.text.c_str());
  CHECK_FALSE(c.realm.plain());
  STRCMP_EQUAL("n\"", c.nonce.value.c_str());
  STRCMP_EQUAL("\\n\\\"", c.nonce.text.c_str());
  STRCMP_EQUAL("\\\\", c.opaque.text.c_str());
}

TEST(SipDigestChallenge, a_comma_or_an_equals_sign_in_quotes_ends_nothing) {
  fault(ChallengeFault::None, "Digest realm=\"a, nonce=b\" , nonce = \"x,stale=true,y\"");
  STRCMP_EQUAL("a, nonce=b", c.realm.value.c_str());
  STRCMP_EQUAL("x,stale=true,y", c.nonce.value.c_str());
  CHECK_FALSE(c.stale);
}

TEST(SipDigestChallenge, words_and_quoted_strings_stand_for_each_other) {
  fault(ChallengeFault::None, "Digest realm=biloxi, nonce=abc==, algorithm=\"md5\", qop=auth, stale=\"True\", userhash=\"TRUE\"");
  STRCMP_EQUAL("biloxi", c.realm.text.c_str());
  STRCMP_EQUAL("abc==", c.nonce.text.c_str());
  STRCMP_EQUAL("md5", c.algorithm_name.c_str());
  CHECK_TRUE(c.qop == DigestQop::Auth);
  CHECK_TRUE(c.stale);
  CHECK_TRUE(c.userhash);
}

TEST(SipDigestChallenge, only_true_is_stale) {
  for (const char* no : {"false", "FALSE", "\"false\"", "yes", "truely"}) {
    fault(ChallengeFault::None, std::string("Digest realm=\"r\", nonce=\"n\", stale=") + no);
    CHECK_FALSE(c.stale);
  }
}

TEST(SipDigestChallenge, of_the_qualities_auth_is_taken_before_auth_int) {
  struct {
    const char* offer;
    DigestQop taken;
  } const table[] = {{"auth", DigestQop::Auth},           {"AUTH-INT", DigestQop::AuthInt},     {"auth-int,auth", DigestQop::Auth},
                     {"x , auth-int", DigestQop::AuthInt}, {"", DigestQop::None},                {" ,", DigestQop::None}};
  for (const auto& t : table) {
    std::string value = std::string("Digest realm=\"r\", nonce=\"n\", qop=\"") + t.offer + "\"";
    fault(ChallengeFault::None, value);
    LONGS_EQUAL_TEXT(static_cast<int>(t.taken), static_cast<int>(c.qop), value.c_str());
  }
  fault(ChallengeFault::Qop, "Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf,author\"");
  STRCMP_EQUAL("auth-conf,author", c.qop_offer.c_str());
}

TEST(SipDigestChallenge, what_cannot_be_answered_says_why) {
  fault(ChallengeFault::Scheme, "Basic realm=\"r\"");
  fault(ChallengeFault::Scheme, "Negotiate abc==");
  fault(ChallengeFault::NoRealm, "Digest realm=\"r\"");
  fault(ChallengeFault::NoRealm, "Digest nonce=\"n\"");
  fault(ChallengeFault::Malformed, "Digest realm=\"r\", nonce=\"a\r\n b\"");
  fault(ChallengeFault::Malformed, "Digest realm=\"r\", nonce=\"a\", opaque=\"a\tb\"");
  fault(ChallengeFault::Malformed, "Digest realm=\"r\" \"s\", nonce=\"a\"");
  fault(ChallengeFault::Malformed, "Digest realm=r\"s\", nonce=\"a\"");
  fault(ChallengeFault::Algorithm, "Digest realm=\"r\", nonce=\"n\", algorithm=AKAv1-MD5");
  STRCMP_EQUAL("AKAv1-MD5", c.algorithm_name.c_str());
  STRCMP_EQUAL("r", c.realm.value.c_str());
}

TEST(SipDigestChallenge, nonces_are_as_long_as_they_like_up_to_the_limit) {
  std::string nonce(kMaxChallenge - 3, 'n');  // realm and nonce are measured with their quotes
  fault(ChallengeFault::None, "Digest realm=r, nonce=\"" + nonce + "\"");
  LONGS_EQUAL(kMaxChallenge - 3, c.nonce.value.size());
  fault(ChallengeFault::Length, "Digest realm=r, nonce=\"" + nonce + "n\"");
}

TEST(SipDigestChallenge, octets_above_ascii_are_kept) {
  fault(ChallengeFault::None, "Digest realm=\"B\xc3\xbc" "cher\", nonce=\"\xff\"");
  STRCMP_EQUAL("B\xc3\xbc" "cher", c.realm.value.c_str());
  STRCMP_EQUAL("\xff", c.nonce.text.c_str());
}
