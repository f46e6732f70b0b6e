// Digest on the wire against servers that check every octet of an answer, change their mind about it, or are hostile.
//
//   PUBLISH (n1) ------->            n1 is dead, and the server does not say so:
//   <-------- 403 Forbidden          (or 400, 401 and 407 without a challenge that fits)
//   PUBLISH ------------>            forgotten, once without credentials
//   <-------- 401 nonce="n2"
//   PUBLISH (n2) ------->
//   <--------------- 200
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/sip/digest_server.h"
#include "tests/sip/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SipDigestWire) {
  Rig* rig = nullptr;
  ScriptedServer* server = nullptr;
  std::string proxy;
  std::string realm = "pub", nonce = "n1", more = ", qop=\"auth\"";  // of its challenge, as they stand on the wire
  PairsAre pairs = PairsAre::Resolved;
  TxnId last = 0;
  void setup() override {
    rig = new Rig;
    rig->settings.credentials = {{"pub", "alice", "secret1"}};
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    proxy = server->uri();
    server->on_request = [this](const SipReceived& r) { check(r); };
  }
  void teardown() override {
    delete server;
    delete rig;
  }
  std::string challenge(const std::string& extra = "") {
    return "WWW-Authenticate: Digest realm=\"" + realm + "\", nonce=\"" + nonce + "\"" + more + extra + "\r\n";
  }
  // What a proper server does.
  void check(const SipReceived& r) {
    std::string a = r.header("Authorization");
    if (a.empty()) return server->reply(r, 401, "Unauthorized", challenge());
    if (DigestFields(a).text("nonce") != nonce) return server->reply(r, 401, "Unauthorized", challenge(", stale=true"));
    if (!digest_right(r, a, "alice", "secret1", pairs)) return server->reply(r, 401, "Unauthorized", challenge());
    server->reply(r, 200, "OK", "SIP-ETag: e\r\n");
  }
  SipRequest request() {
    SipRequest q = rig->publish(++last);
    q.proxy = proxy;
    return q;
  }
  int exchange(SipRequest q) {
    std::string branch = "z9hG4bKw" + std::to_string(q.txn);
    q.branch = branch;
    q.cseq = static_cast<uint32_t>(10 * q.txn);
    size_t n = rig->replies.size();
    rig->send(q);
    CHECK_TRUE(rig->until_replies(n + 1));
    LONGS_EQUAL(n + 1, rig->replies.size());
    LONGS_EQUAL(0, rig->stack->in_flight());
    return rig->replies.back().status;
  }
  int exchange() { return exchange(request()); }
  DigestFields fields(size_t i) { return DigestFields(server->requests.at(i).header("Authorization")); }
  size_t logged(const std::string& part) {
    return static_cast<size_t>(std::count_if(rig->lines.begin(), rig->lines.end(),
                                             [&](const std::string& l) { return l.find(part) != std::string::npos; }));
  }
};

// --- a dead nonce locks nobody out ---------------------------------------------------------------------------------

TEST(SipDigestWire, whatever_a_server_says_to_a_dead_nonce_the_request_gets_through) {
  rig->settings.credentials.push_back({"known", "bob", "secret3"});
  rig->start();
  LONGS_EQUAL(200, exchange());
  struct {
    const char* what;
    int status;
    std::string headers;
    size_t requests;
  } const table[] = {
      {"401 without a challenge", 401, "", 3},
      {"407 without a challenge", 407, "", 3},
      {"403", 403, "", 3},
      {"400", 400, "", 3},
      {"401 with Basic only", 401, "WWW-Authenticate: Basic realm=\"pub\"\r\n", 3},
      {"407 with Basic only", 407, "Proxy-Authenticate: Basic realm=\"pub\"\r\n", 3},
      {"401 with a realm that nobody knows", 401, "WWW-Authenticate: Digest realm=\"else\", nonce=\"x\"\r\n", 3},
      {"407 with a realm that nobody knows", 407, "Proxy-Authenticate: Digest realm=\"else\", nonce=\"x\"\r\n", 3},
      {"401 with an algorithm that nobody knows", 401, "WWW-Authenticate: Digest realm=\"pub\", nonce=\"x\", algorithm=X\r\n", 3},
      {"401 with a challenge that cannot be read", 401, "WWW-Authenticate: Digest realm=\"pub, nonce=\r\n", 3},
      // Known realms are answered first, the dead nonce left away; then this server asks for its own.
      {"401 with another realm that we know", 401, "WWW-Authenticate: Digest realm=\"known\", nonce=\"x\"\r\n", 3},
      // The answer is refused again: it is the other one that the server stumbles over.
      {"407 with another realm that we know", 407, "Proxy-Authenticate: Digest realm=\"known\", nonce=\"x\"\r\n", 4},
  };
  int n = 1;
  for (const auto& t : table) {
    nonce = "n" + std::to_string(++n);
    server->on_request = [&](const SipReceived& r) {
      std::string a = r.header("Authorization");
      bool dead = !a.empty() && DigestFields(a).text("realm") == "pub" && DigestFields(a).text("nonce") != nonce;
      dead ? server->reply(r, t.status, "No", t.headers) : check(r);
    };
    size_t before = server->requests.size();
    LONGS_EQUAL_TEXT(200, exchange(), t.what);
    LONGS_EQUAL_TEXT(t.requests, server->requests.size() - before, t.what);
    for (size_t i = before + 1; i < server->requests.size(); i++)   // each with the next CSeq, and in a transaction of its own
      STRCMP_EQUAL((std::to_string(10 * last + i - before) + " PUBLISH").c_str(), server->requests[i].header("CSeq").c_str());
    LONGS_EQUAL(10 * last + t.requests - 1, rig->replies.back().cseq);
    // The next one carries the new answer at once.
    before = server->requests.size();
    LONGS_EQUAL_TEXT(200, exchange(), t.what);
    LONGS_EQUAL_TEXT(1, server->requests.size() - before, t.what);
  }
}

TEST(SipDigestWire, the_request_without_credentials_carries_none_at_all) {
  rig->start();
  exchange();
  nonce = "n2";
  server->on_request = [&](const SipReceived& r) {
    r.header("Authorization").empty() ? check(r) : server->reply(r, DigestFields(r.header("Authorization")).text("nonce") == "n2" ? 200 : 403, "x");
  };
  size_t before = server->requests.size();
  LONGS_EQUAL(200, exchange());
  STRCMP_EQUAL("n1", fields(before).text("nonce").c_str());
  STRCMP_EQUAL("", server->requests[before + 1].header("Authorization").c_str());
  STRCMP_EQUAL("n2", fields(before + 2).text("nonce").c_str());
  STRCMP_EQUAL("00000001", fields(before + 2).text("nc").c_str());
}

TEST(SipDigestWire, a_server_that_stops_asking_gets_no_credentials) {
  rig->start();
  exchange();
  server->on_request = [&](const SipReceived& r) { server->reply(r, r.header("Authorization").empty() ? 200 : 400, "x"); };
  LONGS_EQUAL(200, exchange());
  LONGS_EQUAL(4, server->requests.size());
  LONGS_EQUAL(200, exchange());
  LONGS_EQUAL(5, server->requests.size());
}

TEST(SipDigestWire, a_refusal_that_is_meant_reaches_the_caller_after_one_more_try) {
  for (int status : {400, 403}) {
    rig->start();
    server->on_request = [this](const SipReceived& r) { check(r); };
    exchange();
    server->on_request = [&](const SipReceived& r) { server->reply(r, status, "No"); };
    size_t before = server->requests.size();
    LONGS_EQUAL(status, exchange());
    LONGS_EQUAL(2, server->requests.size() - before);
    LONGS_EQUAL(status, exchange());  // nothing is remembered: nothing to try without
    LONGS_EQUAL(3, server->requests.size() - before);
    rig->stack.reset();
  }
}

TEST(SipDigestWire, a_refusal_of_an_answer_to_its_own_challenge_is_not_repeated) {
  rig->start();
  server->on_request = [&](const SipReceived& r) {
    r.header("Authorization").empty() ? server->reply(r, 401, "Unauthorized", challenge()) : server->reply(r, 403, "Forbidden");
  };
  LONGS_EQUAL(403, exchange());
  LONGS_EQUAL(2, server->requests.size());
  LONGS_EQUAL(403, exchange());  // asked anew
  LONGS_EQUAL(4, server->requests.size());
  STRCMP_EQUAL("", server->requests[2].header("Authorization").c_str());
}

TEST(SipDigestWire, other_refusals_are_none_of_its_business) {
  rig->start();
  exchange();
  size_t before = server->requests.size();
  for (int status : {404, 405, 412, 420, 423, 480, 481, 489, 500, 503, 603}) {
    server->on_request = [&](const SipReceived& r) { server->reply(r, status, "No"); };
    LONGS_EQUAL(status, exchange());
  }
  LONGS_EQUAL(11, server->requests.size() - before);
  for (size_t i = before; i < server->requests.size(); i++) STRCMP_EQUAL("n1", fields(i).text("nonce").c_str());
}

TEST(SipDigestWire, requests_that_are_out_together_all_get_through_a_dead_nonce) {
  rig->start();
  exchange();
  nonce = "n2";
  server->on_request = [&](const SipReceived& r) {
    std::string a = r.header("Authorization");
    !a.empty() && DigestFields(a).text("nonce") != nonce ? server->reply(r, 403, "No") : check(r);
  };
  size_t before = server->requests.size();
  for (int i = 0; i < 100; i++) {
    SipRequest q = request();
    std::string branch = "z9hG4bKt" + std::to_string(i), call = "c" + std::to_string(i);
    q.branch = branch;
    q.call_id = call;
    rig->send(q);
  }
  CHECK_TRUE(rig->until_replies(101));
  std::set<std::string> counts;
  size_t answered = 0;
  for (const Outcome& o : rig->replies) LONGS_EQUAL(200, o.status);
  for (size_t i = before; i < server->requests.size(); i++) {
    if (!fields(i).ok || fields(i).text("nonce") != "n2") continue;
    answered++;
    counts.insert(fields(i).text("nc"));
  }
  LONGS_EQUAL(answered, counts.size());  // a nonce count is used once, also where many were challenged with one nonce
}

TEST(SipDigestWire, no_server_can_make_us_go_round_in_circles_or_lock_us_out) {
  rig->settings.credentials.push_back({"*", "anyone", "secret2"});
  rig->start();
  Random random(20);
  const char* other_realms[] = {"pub", "gate", "else"};
  for (int run = 0; run < 150; run++) {
    nonce = "run" + std::to_string(run);
    server->on_request = [&](const SipReceived& r) {
      if (random.below(8) == 0) return server->reply(r, 200, "OK");
      std::string headers;
      for (uint64_t n = random.below(3); n > 0; n--)
        headers += std::string(random.below(2) ? "WWW" : "Proxy") + "-Authenticate: " + (random.below(6) ? "Digest" : "Basic") + " realm=\"" +
                   other_realms[random.below(3)] + "\", nonce=\"" + std::to_string(random.below(3)) + "\"" + (random.below(4) ? "" : ", stale=true") +
                   (random.below(6) ? "" : ", algorithm=X") + "\r\n";
      int statuses[] = {401, 407, 403, 400, 401, 407};
      server->reply(r, statuses[random.below(6)], "No", headers);
    };
    for (int i = 0; i < 4; i++) {
      size_t before = server->requests.size();
      exchange();
      CHECK_TRUE(server->requests.size() - before <= Digest::kMaxRetries + 2);
    }
    // A proper server again, one that takes offence at whatever it did not ask for.
    server->on_request = [&](const SipReceived& r) {
      std::string a = r.header("Authorization");
      size_t answers = 0;
      for (const auto& [name, value] : r.headers) answers += name == "Authorization" || name == "Proxy-Authorization";
      if (answers > 1 || (answers == 1 && DigestFields(a).text("nonce") != nonce)) return server->reply(r, 403, "Forbidden");
      check(r);
    };
    size_t before = server->requests.size();
    LONGS_EQUAL(200, exchange());
    CHECK_TRUE(server->requests.size() - before <= 3);
  }
}

// --- algorithms ----------------------------------------------------------------------------------------------------

TEST(SipDigestWire, each_algorithm_is_answered_with_each_quality_of_protection) {
  rig->start();
  for (const char* algorithm : {"", "MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"})
    for (const char* qop : {"", "auth", "auth-int", "auth,auth-int"})
      for (bool userhash : {false, true}) {
        nonce = std::string("n-") + algorithm + qop + (userhash ? "u" : "");
        more = std::string(*algorithm ? ", algorithm=" : "") + algorithm + (*qop ? std::string(", qop=\"") + qop + "\"" : "") +
               (userhash ? ", userhash=true" : "");
        size_t before = server->requests.size();
        LONGS_EQUAL_TEXT(200, exchange(), nonce.c_str());
        LONGS_EQUAL_TEXT(2, server->requests.size() - before, nonce.c_str());
        LONGS_EQUAL_TEXT(200, exchange(), nonce.c_str());
        LONGS_EQUAL_TEXT(3, server->requests.size() - before, nonce.c_str());
        DigestFields f = fields(before + 2);
        STRCMP_EQUAL(algorithm, f.text("algorithm").c_str());
        STRCMP_EQUAL(std::string(qop).substr(0, std::string(qop).find(',')).c_str(), f.text("qop").c_str());
        STRCMP_EQUAL(*qop ? "00000002" : "", f.text("nc").c_str());
        STRCMP_EQUAL(userhash ? "true" : "", f.text("userhash").c_str());
      }
}

TEST(SipDigestWire, the_body_counts_where_the_server_wants_its_integrity) {
  more = ", qop=\"auth-int\", algorithm=SHA-256";
  rig->start();
  LONGS_EQUAL(200, exchange());
  SipRequest q = request();
  q.body = q.content_type = "";
  q.if_match = "e";
  LONGS_EQUAL(200, exchange(q));
  LONGS_EQUAL(3, server->requests.size());
  STRCMP_EQUAL("", server->requests[2].body.c_str());
}

TEST(SipDigestWire, of_several_challenges_of_a_realm_the_topmost_that_we_know_is_answered) {
  rig->start();
  struct {
    std::vector<const char*> offers;
    const char* taken;
  } const table[] = {{{"SHA-512-256", "SHA-256", "MD5"}, "SHA-512-256"},
                     {{"SHA-3-512", "SHA-256", "MD5"}, "SHA-256"},
                     {{"MD5", "SHA-256"}, "MD5"},
                     {{"AKAv1-MD5", "MD5"}, "MD5"}};
  for (const auto& t : table) {
    nonce = std::string("n-") + t.offers[0] + t.taken;
    server->on_request = [&](const SipReceived& r) {
      std::string a = r.header("Authorization");
      if (DigestFields(a).ok && DigestFields(a).text("nonce") == nonce + t.taken && digest_right(r, a, "alice", "secret1"))
        return server->reply(r, 200, "OK");
      std::string headers;
      for (const char* offer : t.offers)
        headers += "WWW-Authenticate: Digest realm=\"pub\", nonce=\"" + nonce + offer + "\", qop=\"auth\", algorithm=" + offer + "\r\n";
      server->reply(r, 401, "Unauthorized", headers);
    };
    LONGS_EQUAL(200, exchange());
    STRCMP_EQUAL(t.taken, DigestFields(server->requests.back().header("Authorization")).text("algorithm").c_str());
    size_t answers = 0;
    for (const auto& [name, value] : server->requests.back().headers) answers += name == "Authorization";
    LONGS_EQUAL(1, answers);
  }
}

TEST(SipDigestWire, a_long_nonce_comes_back_whole) {
  rig->start();
  for (size_t length : {300u, 2000u, 4000u, 12000u}) {
    nonce = std::string(length, 'x') + "==";
    more = ", opaque=\"" + std::string(1000, 'o') + "\", qop=\"auth\"";
    LONGS_EQUAL(200, exchange());
    STRCMP_EQUAL(nonce.c_str(), DigestFields(server->requests.back().header("Authorization")).text("nonce").c_str());
    STRCMP_EQUAL(std::string(1000, 'o').c_str(), DigestFields(server->requests.back().header("Authorization")).text("opaque").c_str());
  }
}

TEST(SipDigestWire, quotes_and_backslashes_come_back_to_the_octet) {
  rig->settings.credentials = {{"*", "alice", "secret1"}};
  rig->start();
  realm = "a \\\"b\\\" \\\\  c,d";
  nonce = "n\\\"\\\\\\x=";
  more = ", opaque=\"o\\\\\\\"\", algorithm=SHA-256, qop=\"auth\"";
  LONGS_EQUAL(200, exchange());
  LONGS_EQUAL(2, server->requests.size());
  DigestFields f = fields(1);
  STRCMP_EQUAL(realm.c_str(), f.text("realm").c_str());
  STRCMP_EQUAL(nonce.c_str(), f.text("nonce").c_str());
  STRCMP_EQUAL("o\\\\\\\"", f.text("opaque").c_str());
}

TEST(SipDigestWire, a_realm_with_a_quote_may_have_a_credential_of_its_own) {
  rig->settings.credentials = {{"a\"b", "alice", "secret1"}};
  rig->start();
  realm = "a\\\"b";
  LONGS_EQUAL(200, exchange());
}

// RFC 7616 hashes the value of a quoted string; servers that hash its text, backslashes and all, are as many.
TEST(SipDigestWire, a_server_that_hashes_quoted_pairs_as_they_stand_is_answered_too) {
  rig->settings.credentials = {{"*", "alice", "secret1"}};
  rig->start();
  realm = "a\\\"b";
  pairs = PairsAre::Text;
  LONGS_EQUAL(200, exchange());
  LONGS_EQUAL(3, server->requests.size());
  LONGS_EQUAL(200, exchange());  // and that is remembered
  LONGS_EQUAL(4, server->requests.size());
  nonce = "n2";
  LONGS_EQUAL(200, exchange());
  LONGS_EQUAL(6, server->requests.size());
}

TEST(SipDigestWire, a_wrong_password_is_tried_in_both_readings_and_no_more) {
  rig->settings.credentials = {{"*", "alice", "wrong"}};
  rig->start();
  realm = "a\\\"b";
  LONGS_EQUAL(401, exchange());
  LONGS_EQUAL(3, server->requests.size());
}

TEST(SipDigestWire, stale_is_understood_in_any_case) {
  rig->start();
  exchange();
  int n = 1;
  for (const char* stale : {"true", "TRUE", "True", "\"true\"", "\"TRUE\""}) {
    nonce = "n" + std::to_string(++n);
    int refused = 0;
    server->on_request = [&](const SipReceived& r) {  // also of an answer to the challenge of this request
      std::string a = r.header("Authorization");
      if (DigestFields(a).text("nonce") == nonce && refused >= 2) return check(r);
      nonce = "n" + std::to_string(++n);
      refused++;
      server->reply(r, 401, "Unauthorized", challenge(std::string(", stale=") + stale));
    };
    size_t before = server->requests.size();
    LONGS_EQUAL_TEXT(200, exchange(), stale);
    LONGS_EQUAL_TEXT(3, server->requests.size() - before, stale);
  }
}

// A server that keeps track of nonce counts refuses one that came out of order, and offers the same nonce again.
TEST(SipDigestWire, a_nonce_that_is_offered_again_is_counted_on) {
  rig->start();
  exchange();
  std::set<std::string> seen{"00000001"};
  bool refused = false;
  server->on_request = [&](const SipReceived& r) {
    CHECK_TRUE(seen.insert(DigestFields(r.header("Authorization")).text("nc")).second);
    if (!refused) {
      refused = true;
      return server->reply(r, 401, "Unauthorized", challenge());
    }
    check(r);
  };
  LONGS_EQUAL(200, exchange());
  LONGS_EQUAL(4, server->requests.size());
  STRCMP_EQUAL("00000003", fields(3).text("nc").c_str());
}

TEST(SipDigestWire, the_answer_speaks_of_the_uri_that_stands_in_the_request) {
  rig->start();
  for (const char* uri : {"sip:al%69ce@example.com", "sip:a%20b@example.com", "sip:alice@EXAMPLE.com;p=%41", "sip:+358-555;phone-context=x@example.com"}) {
    SipRequest q = request();
    q.uri = uri;
    LONGS_EQUAL_TEXT(200, exchange(q), uri);
  }
}

TEST(SipDigestWire, cnonces_are_new_with_each_nonce) {
  rig->start();
  std::set<std::string> seen;
  for (int i = 0; i < 20; i++) {
    nonce = "n" + std::to_string(i);
    exchange();
    std::string cnonce = DigestFields(server->requests.back().header("Authorization")).text("cnonce");
    LONGS_EQUAL(32, cnonce.size());
    CHECK_TRUE(seen.insert(cnonce).second);
  }
}

// --- who gets an answer --------------------------------------------------------------------------------------------

TEST(SipDigestWire, another_port_is_another_server) {
  ScriptedServer other(rig->base, ScriptedServer::Kind::Udp);
  std::string other_proxy = other.uri();
  other.on_request = [&](const SipReceived& r) {
    std::string a = r.header("Authorization");
    if (DigestFields(a).text("nonce") == "other" && digest_right(r, a, "alice", "secret1")) return other.reply(r, 200, "OK");
    other.reply(r, 401, "Unauthorized", "WWW-Authenticate: Digest realm=\"pub\", nonce=\"other\", qop=\"auth\"\r\n");
  };
  rig->start();
  for (int i = 0; i < 3; i++) {
    LONGS_EQUAL(200, exchange());
    SipRequest q = request();
    q.proxy = other_proxy;
    LONGS_EQUAL(200, exchange(q));
  }
  // Each was asked for credentials once, and got those for its own nonce only.
  LONGS_EQUAL(4, server->requests.size());
  LONGS_EQUAL(4, other.requests.size());
  STRCMP_EQUAL("", other.requests[0].header("Authorization").c_str());
  for (size_t i = 1; i < 4; i++) {
    STRCMP_EQUAL("n1", fields(i).text("nonce").c_str());
    STRCMP_EQUAL("other", DigestFields(other.requests[i].header("Authorization")).text("nonce").c_str());
  }
}

TEST(SipDigestWire, another_port_of_the_uri_is_another_server) {
  rig->start();
  LONGS_EQUAL(200, exchange());
  SipRequest q = request();
  q.uri = "sip:alice@example.com:5070";
  LONGS_EQUAL(200, exchange(q));
  LONGS_EQUAL(4, server->requests.size());
  STRCMP_EQUAL("", server->requests[2].header("Authorization").c_str());
  q = request();
  q.uri = "sip:bob@EXAMPLE.com";  // the case of a host name is none
  LONGS_EQUAL(200, exchange(q));
  LONGS_EQUAL(5, server->requests.size());
}

TEST(SipDigestWire, a_domain_that_a_server_names_gets_nothing) {
  more += ", domain=\"sip:other.example sip:*\"";
  rig->start();
  LONGS_EQUAL(200, exchange());
  SipRequest q = request();
  q.uri = "sip:alice@other.example";
  exchange(q);
  STRCMP_EQUAL("", server->requests[2].header("Authorization").c_str());
}

// --- what the log says ---------------------------------------------------------------------------------------------

TEST(SipDigestWire, an_algorithm_that_nobody_knows_is_called_so) {
  more = ", algorithm=SHA-3-512";
  rig->start();
  for (int i = 0; i < 5; i++) LONGS_EQUAL(401, exchange());
  LONGS_EQUAL(5, server->requests.size());
  LONGS_EQUAL(1, logged("sip: example.com asks for a digest of realm \"pub\" by algorithm \"SHA-3-512\", which we do not know"));
  LONGS_EQUAL(0, logged("password"));
  more = "";
  LONGS_EQUAL(200, exchange());
  LONGS_EQUAL(1, logged("sip: example.com takes our requests again"));
}

TEST(SipDigestWire, a_refused_password_is_called_so_with_realm_and_user) {
  rig->settings.credentials = {{"pub", "alice", "wr0ng"}};
  rig->start();
  for (int i = 0; i < 5; i++) LONGS_EQUAL(401, exchange());
  LONGS_EQUAL(1, logged("sip: example.com refused our password for realm \"pub\" as user \"alice\""));
  LONGS_EQUAL(0, logged("wr0ng"));
}

TEST(SipDigestWire, a_realm_without_credentials_is_named) {
  rig->settings.credentials = {{"elsewhere", "alice", "secret1"}};
  rig->start();
  exchange();
  LONGS_EQUAL(1, logged("sip: example.com asks for credentials of realm \"pub\", and none are configured for it"));
  CHECK_TRUE(rig->stack->set_credentials({}).ok());
  exchange();
  exchange();
  LONGS_EQUAL(1, logged("sip: a server asks for credentials of realm \"pub\", and none are configured for it"));
}

TEST(SipDigestWire, what_else_keeps_us_from_answering_is_named) {
  struct {
    const char* headers;
    const char* line;
  } const table[] = {
      {"", "refuses with 401 and does not say what it asks for"},
      {"WWW-Authenticate: Basic realm=\"x\"\r\n", "asks for credentials by scheme \"Basic\", which we do not answer"},
      {"WWW-Authenticate: Digest realm=\"pub\", nonce=\"n\", qop=\"auth-conf\"\r\n", "asks for a digest of realm \"pub\" with qop \"auth-conf\""},
      {"WWW-Authenticate: Digest realm=\"pub\"\r\n", "asks for a digest and does not name realm and nonce"},
      {"WWW-Authenticate: Digest realm=\"pub\", nonce=\"a\tb\"\r\n", "asks for a digest in words that cannot be read"},
      {"WWW-Authenticate: Digest realm=\"\xe2\x80\xae\x7f" "x\", nonce=\"n\", algorithm=\"\x1b[2J\"\r\n", "words that cannot be read"},
      {"WWW-Authenticate: Digest realm=\"\xe2\x80\xaex\", nonce=\"n\", algorithm=A\r\n", "realm \"???x\" by algorithm \"A\""},
  };
  for (const auto& t : table) {
    rig->start();
    rig->lines.clear();
    server->on_request = [&](const SipReceived& r) { server->reply(r, 401, "Unauthorized", t.headers); };
    exchange();
    LONGS_EQUAL_TEXT(1, logged(t.line), t.line);
    rig->stack.reset();
  }
}

TEST(SipDigestWire, a_proxy_that_refuses_is_named_by_its_address) {
  rig->start();
  server->on_request = [&](const SipReceived& r) {
    server->reply(r, 407, "Proxy Authentication Required", "Proxy-Authenticate: Digest realm=\"pub\", nonce=\"n\"\r\n");
  };
  exchange();
  LONGS_EQUAL(1, logged("sip: 127.0.0.1:" + std::to_string(server->port()) + " refused our password for realm \"pub\" as user \"alice\""));
}

TEST(SipDigestWire, a_server_that_never_has_enough_is_called_so) {
  rig->start();
  int n = 0;
  server->on_request = [&](const SipReceived& r) {
    nonce = "s" + std::to_string(++n);
    server->reply(r, 401, "Unauthorized", challenge(", stale=true"));
  };
  LONGS_EQUAL(401, exchange());
  LONGS_EQUAL(1 + Digest::kMaxRetries, server->requests.size());
  LONGS_EQUAL(1, logged("asks for credentials again and again"));
}
