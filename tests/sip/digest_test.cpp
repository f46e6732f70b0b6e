// Digest against a server that checks every answer.
//
//   PUBLISH 7 ------------------------>
//   <------- 401 realm="pub", nonce="n1"
//   PUBLISH 8 Authorization (n1, nc=1)->
//   <------------------------------- 200   outcome: 200, cseq 8
//   PUBLISH 9 Authorization (n1, nc=2)->   a later request: answered at once
#include <sofia-sip/msg.h>
#include <sofia-sip/sip_header.h>

#include <cstring>
#include <string>
#include <vector>

#include "sip/reply.h"
#include "tests/sip/digest_server.h"
#include "tests/sip/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

std::string field(const std::string& header, const std::string& name) {
  for (size_t at = header.find(name + "="); at != std::string::npos; at = header.find(name + "=", at + 1)) {
    if (at > 0 && header[at - 1] != ' ' && header[at - 1] != ',') continue;
    at += name.size() + 1;
    if (header[at] == '"') return header.substr(at + 1, header.find('"', at + 1) - at - 1);
    return header.substr(at, header.find_first_of(", ", at) - at);
  }
  return "";
}

}  // namespace

TEST_GROUP(SipDigest) {
  Rig* rig = nullptr;
  ScriptedServer* server = nullptr;
  std::string proxy, nonce = "n1", challenge_more = ", qop=\"auth\"";
  void setup() override {
    rig = new Rig;
    rig->settings.credentials = {{"pub", "alice", "secret1"}, {"*", "anyone", "secret2"}};
    server = new ScriptedServer(rig->base, ScriptedServer::Kind::Udp);
    proxy = server->uri();
    server->on_request = [this](const SipReceived& r) { check(r); };
  }
  void teardown() override {
    delete server;
    delete rig;
  }
  std::string challenge(const std::string& more = "") {
    return "WWW-Authenticate: Digest realm=\"pub\", nonce=\"" + nonce + "\"" + challenge_more + more + "\r\n";
  }
  // What a proper server does.
  void check(const SipReceived& r) {
    std::string a = r.header("Authorization");
    if (a.empty()) return server->reply(r, 401, "Unauthorized", challenge());
    if (field(a, "nonce") != nonce) return server->reply(r, 401, "Unauthorized", challenge(", stale=true"));
    if (!digest_right(r, a, "alice", "secret1")) return server->reply(r, 401, "Unauthorized", challenge());
    server->reply(r, 200, "OK", "SIP-ETag: e\r\n");
  }
  const Outcome& exchange(TxnId txn, uint32_t cseq = 7) {
    SipRequest q = rig->publish(txn);
    std::string branch = "z9hG4bKa" + std::to_string(txn);
    q.branch = branch;
    q.proxy = proxy;
    q.cseq = cseq;
    q.if_match = "tag-1";
    size_t n = rig->replies.size();
    rig->send(q);
    CHECK_TRUE(rig->until_replies(n + 1));
    LONGS_EQUAL(n + 1, rig->replies.size());
    LONGS_EQUAL(0, rig->stack->in_flight());
    return rig->replies.back();
  }
  const SipReceived& request(size_t i) { return server->requests.at(i); }
};

TEST(SipDigest, a_challenge_is_answered_with_the_next_cseq) {
  rig->start();
  LONGS_EQUAL(200, exchange(1).status);
  LONGS_EQUAL(8, rig->replies[0].cseq);
  LONGS_EQUAL(2, server->requests.size());
  STRCMP_EQUAL("", request(0).header("Authorization").c_str());
  STRCMP_EQUAL("8 PUBLISH", request(1).header("CSeq").c_str());
  STRCMP_EQUAL("00000001", field(request(1).header("Authorization"), "nc").c_str());
  // The rest is the same request; as a transaction it is another.
  for (const char* h : {"From", "To", "Call-ID", "Event", "Expires", "SIP-If-Match", "Content-Type", "Content-Length"})
    STRCMP_EQUAL(request(0).header(h).c_str(), request(1).header(h).c_str());
  STRCMP_EQUAL(request(0).body.c_str(), request(1).body.c_str());
  STRCMP_EQUAL(request(0).start_line.c_str(), request(1).start_line.c_str());
  CHECK_FALSE(request(0).param("Via", "branch") == request(1).param("Via", "branch"));
  LONGS_EQUAL(1, rig->stack->counters().auth_retries);
}

TEST(SipDigest, later_requests_carry_the_answer_at_once) {
  rig->start();
  exchange(1);
  LONGS_EQUAL(200, exchange(2, 9).status);
  LONGS_EQUAL(0, rig->replies[1].cseq);
  LONGS_EQUAL(3, server->requests.size());
  STRCMP_EQUAL("00000002", field(request(2).header("Authorization"), "nc").c_str());
}

TEST(SipDigest, a_wrong_password_is_tried_once) {
  rig->settings.credentials = {{"pub", "alice", "wrong"}};
  rig->start();
  LONGS_EQUAL(401, exchange(1).status);
  LONGS_EQUAL(8, rig->replies[0].cseq);
  LONGS_EQUAL(2, server->requests.size());
  // It is not sent along from now on, and the next request asks again.
  LONGS_EQUAL(401, exchange(2, 9).status);
  LONGS_EQUAL(4, server->requests.size());
  STRCMP_EQUAL("", request(2).header("Authorization").c_str());
}

TEST(SipDigest, a_wrong_password_is_tried_once_also_where_each_401_has_a_new_nonce) {
  rig->settings.credentials = {{"pub", "alice", "wrong"}};
  int n = 0;
  server->on_request = [&](const SipReceived& r) {
    nonce = "fresh-" + std::to_string(++n);
    server->reply(r, 401, "Unauthorized", challenge());
  };
  rig->start();
  LONGS_EQUAL(401, exchange(1).status);
  LONGS_EQUAL(2, server->requests.size());
}

TEST(SipDigest, without_credentials_for_the_realm_the_401_goes_to_the_caller) {
  rig->settings.credentials = {{"elsewhere", "alice", "secret1"}};
  rig->start();
  LONGS_EQUAL(401, exchange(1).status);
  LONGS_EQUAL(0, rig->replies[0].cseq);
  STRCMP_EQUAL("wire", origin_name(rig->replies[0].origin));
  LONGS_EQUAL(1, server->requests.size());
}

TEST(SipDigest, without_any_credentials_the_401_goes_to_the_caller) {
  rig->settings.credentials.clear();
  rig->start();
  LONGS_EQUAL(401, exchange(1).status);
  LONGS_EQUAL(1, server->requests.size());
}

TEST(SipDigest, a_stale_nonce_is_replaced) {
  rig->start();
  exchange(1);
  nonce = "n2";
  LONGS_EQUAL(200, exchange(2, 9).status);
  LONGS_EQUAL(10, rig->replies[1].cseq);
  LONGS_EQUAL(4, server->requests.size());
  STRCMP_EQUAL("n2", field(request(3).header("Authorization"), "nonce").c_str());
  STRCMP_EQUAL("00000001", field(request(3).header("Authorization"), "nc").c_str());  // counts anew
}

TEST(SipDigest, a_new_nonce_without_stale_is_answered_where_ours_was_an_old_one) {
  rig->start();
  exchange(1);
  nonce = "n2";
  server->on_request = [&](const SipReceived& r) {
    std::string a = r.header("Authorization");
    if (field(a, "nonce") == "n2" && digest_right(r, a, "alice", "secret1")) return server->reply(r, 200, "OK");
    server->reply(r, 401, "Unauthorized", challenge());
  };
  LONGS_EQUAL(200, exchange(2, 9).status);
  LONGS_EQUAL(4, server->requests.size());
}

TEST(SipDigest, a_server_that_calls_every_nonce_stale_is_given_up) {
  int n = 0;
  server->on_request = [&](const SipReceived& r) {
    nonce = "s" + std::to_string(++n);
    server->reply(r, 401, "Unauthorized", challenge(", stale=true"));
  };
  rig->start();
  LONGS_EQUAL(401, exchange(1).status);
  CHECK_TRUE(server->requests.size() <= 6);
}

//   PUBLISH 7 ->   <- 407 realm "gate"   PUBLISH 8 ->   <- 401 realm "pub"   PUBLISH 9 (both) ->   <- 200
TEST(SipDigest, a_proxy_and_a_server_each_get_their_answer) {
  server->on_request = [&](const SipReceived& r) {
    std::string p = r.header("Proxy-Authorization"), a = r.header("Authorization");
    if (p.empty() || !digest_right(r, p, "anyone", "secret2"))
      return server->reply(r, 407, "Proxy Authentication Required", "Proxy-Authenticate: Digest realm=\"gate\", nonce=\"g\"\r\n");
    check(r);
  };
  rig->start();
  LONGS_EQUAL(200, exchange(1).status);
  LONGS_EQUAL(9, rig->replies[0].cseq);
  LONGS_EQUAL(3, server->requests.size());
  LONGS_EQUAL(200, exchange(2, 10).status);
  LONGS_EQUAL(4, server->requests.size());  // both at once
}

TEST(SipDigest, two_realms_in_one_reply_are_both_answered) {
  server->on_request = [&](const SipReceived& r) {
    int ok = 0;
    for (const auto& [name, value] : r.headers) {
      if (name != "Authorization") continue;
      if (field(value, "realm") == "pub") ok += digest_right(r, value, "alice", "secret1");
      if (field(value, "realm") == "other") ok += digest_right(r, value, "anyone", "secret2");
    }
    if (ok == 2) return server->reply(r, 200, "OK");
    server->reply(r, 401, "Unauthorized", challenge() + "WWW-Authenticate: Digest realm=\"other\", nonce=\"o\"\r\n");
  };
  rig->start();
  LONGS_EQUAL(200, exchange(1).status);
  LONGS_EQUAL(2, server->requests.size());
}

TEST(SipDigest, a_challenge_without_qop_is_answered_the_old_way) {
  challenge_more = "";
  rig->start();
  LONGS_EQUAL(200, exchange(1).status);
  STRCMP_EQUAL("", field(request(1).header("Authorization"), "qop").c_str());
  STRCMP_EQUAL("", field(request(1).header("Authorization"), "nc").c_str());
}

TEST(SipDigest, opaque_goes_back) {
  challenge_more = ", opaque=\"o p\", algorithm=MD5, qop=\"auth,auth-int\"";
  rig->start();
  SipRequest q = rig->publish();
  q.proxy = proxy;
  server->on_request = [&](const SipReceived& r) {
    r.header("Authorization").empty() ? server->reply(r, 401, "U", challenge()) : server->reply(r, 200, "OK");
  };
  LONGS_EQUAL(200, exchange(1).status);
  STRCMP_EQUAL("o p", field(request(1).header("Authorization"), "opaque").c_str());
}

TEST(SipDigest, of_several_algorithms_the_one_we_know_is_taken) {
  server->on_request = [&](const SipReceived& r) {
    std::string a = r.header("Authorization");
    if (!a.empty()) return check(r);
    server->reply(r, 401, "Unauthorized", "WWW-Authenticate: Digest realm=\"pub\", nonce=\"sha\", algorithm=SHA-256, qop=\"auth\"\r\n" + challenge());
  };
  rig->start();
  LONGS_EQUAL(200, exchange(1).status);
}

TEST(SipDigest, basic_is_never_answered) {
  server->on_request = [&](const SipReceived& r) { server->reply(r, 401, "Unauthorized", "WWW-Authenticate: Basic realm=\"pub\"\r\n"); };
  rig->start();
  LONGS_EQUAL(401, exchange(1).status);
  LONGS_EQUAL(1, server->requests.size());
}

TEST(SipDigest, challenges_that_make_no_sense_end_at_the_caller) {
  rig->start();
  const char* bad[] = {"",
                       "WWW-Authenticate: Digest\r\n",
                       "WWW-Authenticate: Digest realm=\"pub\"\r\n",
                       "WWW-Authenticate: Digest nonce=\"x\"\r\n",
                       "WWW-Authenticate: Digest realm=\"pub\", nonce=\"x\", algorithm=WHAT\r\n",
                       "WWW-Authenticate: Digest realm=\"pub\", nonce=\"x\", qop=\"what\"\r\n",
                       "WWW-Authenticate: Digest realm=\"pub, nonce=\r\n",
                       "WWW-Authenticate: Negotiate abc==\r\n",
                       "WWW-Authenticate: Digest realm=\"pub\", nonce=\"a\r\n b\"\r\n",
                       "WWW-Authenticate: Digest realm=\"pub\", nonce=\"a\", opaque=\"a\n\tb\"\r\n",
                       "Proxy-Authenticate: Digest realm=\"\", nonce=\"\"\r\n"};
  TxnId n = 0;
  for (const char* headers : bad) {
    server->on_request = [&](const SipReceived& r) { server->reply(r, 401, "Unauthorized", headers); };
    LONGS_EQUAL(401, exchange(++n).status);
  }
  std::string huge = "WWW-Authenticate: Digest realm=\"pub\", nonce=\"" + std::string(8000, 'n') + "\"\r\n";
  server->on_request = [&](const SipReceived& r) { server->reply(r, 401, "Unauthorized", huge); };
  LONGS_EQUAL(401, exchange(++n).status);
}

TEST(SipDigest, answers_go_to_nobody_else) {
  rig->start();
  exchange(1);
  SipRequest q = rig->publish(2);
  q.uri = "sip:alice@other.example";
  q.branch = "z9hG4bKother";
  q.proxy = proxy;
  server->on_request = [&](const SipReceived& r) { server->reply(r, 200, "OK"); };
  rig->send(q);
  CHECK_TRUE(rig->until_replies(2));
  STRCMP_EQUAL("", server->requests.back().header("Authorization").c_str());
}

TEST(SipDigest, many_at_once_all_get_through) {
  rig->start();
  for (TxnId i = 1; i <= 200; i++) {
    SipRequest q = rig->publish(i);
    std::string branch = "z9hG4bKm" + std::to_string(i), call = "c" + std::to_string(i);
    q.branch = branch;
    q.call_id = call;
    q.proxy = proxy;
    rig->send(q);
  }
  CHECK_TRUE(rig->until_replies(200));
  for (const Outcome& o : rig->replies) LONGS_EQUAL(200, o.status);
}

TEST(SipDigest, other_credentials_can_be_set_while_running) {
  rig->settings.credentials = {{"pub", "alice", "wrong"}};
  rig->start();
  LONGS_EQUAL(401, exchange(1).status);
  LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(rig->stack->set_credentials({{"pub", "ali\"ce", "x"}}).code()));
  CHECK_TRUE(rig->stack->set_credentials({{"pub", "alice", "secret1"}}).ok());
  LONGS_EQUAL(200, exchange(2, 9).status);
}

TEST(SipDigest, shutdown_while_a_challenge_is_being_answered) {
  rig->start();
  server->on_request = [&](const SipReceived& r) {
    if (r.header("Authorization").empty()) server->reply(r, 401, "Unauthorized", challenge());
  };
  SipRequest q = rig->publish();
  q.proxy = proxy;
  rig->send(q);
  CHECK_TRUE(rig->until([&] { return server->requests.size() == 2; }));
  rig->stack.reset();
  LONGS_EQUAL(1, rig->replies.size());
  LONGS_EQUAL(487, rig->replies[0].status);
  LONGS_EQUAL(8, rig->replies[0].cseq);
}

TEST(SipDigest, secrets_stay_out_of_the_log) {
  setenv("TPORT_LOG", "1", 1);  // sofia then prints whole messages
  rig->start();
  exchange(1);
  unsetenv("TPORT_LOG");
  std::string response = field(request(1).header("Authorization"), "response");
  CHECK_FALSE(response.empty());
  for (const std::string& line : rig->lines) {
    CHECK_TRUE(line.find("secret1") == std::string::npos);
    CHECK_TRUE(line.find(response) == std::string::npos);
    CHECK_TRUE(line.find("300c191f54376d0fdb3322b1dabaef4f") == std::string::npos);   // MD5 of alice:pub:secret1
  }
}

TEST(SipDigest, broken_credentials_are_a_config_error) {
  for (const SipCredential& c : {SipCredential{"", "a", "b"}, SipCredential{"r", "", "b"}, SipCredential{"r\r\n", "a", "b"}, SipCredential{"r", "a\"", "b"}}) {
    rig->settings.credentials = {c};
    LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(rig->try_start().code()));
  }
}

// The same without a stack: who is asked, and what is sent to whom.
TEST_GROUP(SipDigestScope) {
  Digest digest{{{"pub", "alice", "secret1"}}};
  Digest::Verdict asked(const AuthScope& scope, AuthTrail& trail, const std::string& nonce, const char* status = "401 U") {
    std::string text = std::string("SIP/2.0 ") + status + "\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
                       "To: <sip:a@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 PUBLISH\r\n" +
                       (nonce.empty() ? "" : "WWW-Authenticate: Digest realm=\"pub\", nonce=\"" + nonce + "\"\r\n") + "Content-Length: 0\r\n\r\n";
    msg_t* msg = parse_reply(text);
    CHECK_TRUE(msg != nullptr);
    Digest::Verdict v = digest.challenge(sip_object(msg), scope, trail);
    msg_destroy(msg);
    return v;
  }
  AuthScope scope(const char* uri, const char* hop) {
    auto u = parse_target(uri), h = parse_target(hop);
    CHECK_TRUE(u.ok() && h.ok());
    return {*u, *h};
  }
  std::string sent(const AuthScope& s, AuthTrail& trail) {
    std::string out;
    digest.authorize(s, "PUBLISH", "sip:a@h", "", out, trail);
    return field(out, "nonce");
  }
  void learn(const AuthScope& s, const std::string& nonce) {
    AuthTrail trail;
    CHECK_TRUE(asked(s, trail, nonce) == Digest::Verdict::Retry);
  }
};

TEST(SipDigestScope, each_host_port_transport_and_security_is_a_server_of_its_own) {
  const char* uris[] = {"sip:a@h", "sip:a@h:5060", "sip:a@h:5061", "sips:a@h", "sip:a@i", "sip:a@h;transport=tcp", "sip:a@h;transport=tls"};
  const char* hops[] = {"sip:p", "sip:p:5060", "sip:p;transport=tcp", "sips:p", "sip:q"};
  int n = 0;
  for (const char* uri : uris)
    for (const char* hop : hops) {
      AuthTrail trail;
      STRCMP_EQUAL("", sent(scope(uri, hop), trail).c_str());
      learn(scope(uri, hop), "n" + std::to_string(n++));
    }
  n = 0;
  for (const char* uri : uris)
    for (const char* hop : hops) {
      AuthTrail trail;
      STRCMP_EQUAL(("n" + std::to_string(n++)).c_str(), sent(scope(uri, hop), trail).c_str());
    }
  AuthTrail trail;
  STRCMP_EQUAL("n0", sent(scope("SIP:somebody@H", "sip:P;lr"), trail).c_str());  // case and other parameters make no difference
}

TEST(SipDigestScope, what_is_remembered_is_bounded) {
  for (int i = 0; i < 6000; i++) {
    std::string uri = "sip:a@h" + std::to_string(i);
    learn(scope(uri.c_str(), uri.c_str()), "n");
  }
  LONGS_EQUAL(DigestCache::kMaxScopes, digest.cache().scopes());
  AuthTrail trail;
  STRCMP_EQUAL("", sent(scope("sip:a@h1", "sip:a@h1"), trail).c_str());
  STRCMP_EQUAL("n", sent(scope("sip:a@h5999", "sip:a@h5999"), trail).c_str());
  digest.set_credentials({{"pub", "alice", "secret1"}});
  CHECK_TRUE(digest.cache().empty());
}

TEST(SipDigestScope, a_refusal_takes_only_the_answer_that_was_refused) {
  AuthScope s = scope("sip:a@h", "sip:h");
  learn(s, "old");
  AuthTrail late, early;
  STRCMP_EQUAL("old", sent(s, late).c_str());
  STRCMP_EQUAL("old", sent(s, early).c_str());
  CHECK_TRUE(asked(s, early, "new") == Digest::Verdict::Retry);
  STRCMP_EQUAL("new", sent(s, early).c_str());
  CHECK_TRUE(asked(s, late, "", "403 No") == Digest::Verdict::Retry);   // what it sent is refused, not what is known since
  STRCMP_EQUAL("", sent(s, late).c_str());
  AuthTrail next;
  STRCMP_EQUAL("new", sent(s, next).c_str());
}

TEST(SipDigestScope, what_became_of_requests_is_counted) {
  AuthScope s = scope("sip:a@h", "sip:h");
  learn(s, "n");
  AuthTrail trail;
  sent(s, trail);
  CHECK_TRUE(asked(s, trail, "", "403 No") == Digest::Verdict::Retry);
  sent(s, trail);
  CHECK_TRUE(asked(s, trail, "", "403 No") == Digest::Verdict::Unconcerned);
  CHECK_TRUE(asked(s, trail, "", "401 U") == Digest::Verdict::NoAnswer);
  AuthTrail wrong;
  CHECK_TRUE(asked(s, wrong, "n2") == Digest::Verdict::Retry);
  sent(s, wrong);
  CHECK_TRUE(asked(s, wrong, "n2") == Digest::Verdict::Rejected);
  LONGS_EQUAL(2, digest.counters().answered);
  LONGS_EQUAL(1, digest.counters().forgotten);
  LONGS_EQUAL(1, digest.counters().unanswered);
  LONGS_EQUAL(1, digest.counters().rejected);
}

TEST(SipDigestScope, a_trail_begins_anew_when_it_is_cleared) {
  AuthScope s = scope("sip:a@h", "sip:h");
  learn(s, "n");
  AuthTrail trail;
  sent(s, trail);
  CHECK_TRUE(asked(s, trail, "", "400 No") == Digest::Verdict::Retry);
  trail.clear();
  CHECK_TRUE(asked(s, trail, "", "400 No") == Digest::Verdict::Unconcerned);
  learn(s, "n2");
  STRCMP_EQUAL("n2", sent(s, trail).c_str());
}
