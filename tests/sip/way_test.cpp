// sips: is TLS or nothing (RFC 3261 sections 8.1.1.8 and 8.1.2, RFC 5630): the rule, and that no request gets round it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "sip/way.h"
#include "tests/sip/notify_rig.h"
#include "tests/support/tls_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SipWay) {
  // The hop as it is then: "sips:h", or what the refusal says.
  std::string way(const char* target, const char* hop) {
    auto t = parse_target(target), h = parse_target(hop);
    CHECK_TEXT(t.ok() && h.ok(), hop);
    Target on = *h;
    if (auto st = keep_secure(*t, on); !st) {
      LONGS_EQUAL(static_cast<int>(Errc::bad_uri), static_cast<int>(st.code()));
      return st.error().message;
    }
    std::string out;
    CHECK_TRUE(next_hop(on, out).ok());
    return (on.secure ? "TLS to " : "to ") + out;
  }
  void refused(const char* target, const char* hop, const char* names) {
    std::string said = way(target, hop);
    STRCMP_CONTAINS("a sips: URI goes by TLS only", said.c_str());
    STRCMP_CONTAINS(names, said.c_str());
  }
  std::string contact(const char* target, const char* route, const char* contact) {
    std::string out;
    auto st = write_contact(*parse_target(target), *route ? *parse_target(route) : Target{}, contact, out);
    if (st) return out;
    LONGS_EQUAL(static_cast<int>(Errc::bad_uri), static_cast<int>(st.code()));
    return "refused";
  }
};

TEST(SipWay, sip_goes_as_it_is_told) {
  for (const char* hop : {"sip:h", "sip:h:5060", "sip:h;transport=udp", "sip:h:5060;transport=tcp", "sip:h;transport=sctp"})
    STRCMP_EQUAL((std::string("to ") + hop).c_str(), way("sip:a@b", hop).c_str());
  STRCMP_EQUAL("TLS to sip:h;transport=tls", way("sip:a@b", "sip:h;transport=tls").c_str());
  STRCMP_EQUAL("to sip:p", way("tel:+1", "sip:p").c_str());
}

TEST(SipWay, sips_goes_by_tls) {
  STRCMP_EQUAL("TLS to sips:h", way("sips:a@h", "sips:a@h").c_str());
  STRCMP_EQUAL("TLS to sips:h:5071;maddr=192.0.2.1", way("SIPS:a@h", "SIPS:a@h:5071;transport=TCP;maddr=192.0.2.1").c_str());
  STRCMP_EQUAL("TLS to sips:h", way("sips:a@h", "sips:a@h;transport=tls").c_str());
  STRCMP_EQUAL("TLS to sips:p:5061", way("sips:a@h", "sips:p:5061;lr").c_str());
  STRCMP_EQUAL("TLS to sip:p:5061;transport=tls", way("sips:a@h", "sip:p:5061;transport=tls").c_str());
  // Left open by the hop: it is TLS then, on the port of TLS.
  STRCMP_EQUAL("TLS to sips:p", way("sips:a@h", "sip:p").c_str());
  STRCMP_EQUAL("TLS to sips:p;maddr=192.0.2.1", way("sips:a@h", "sip:p;lr;transport=tcp;maddr=192.0.2.1").c_str());
  // A sips: hop is one whatever the target is.
  STRCMP_EQUAL("TLS to sips:p", way("sip:a@h", "sips:p;transport=tcp").c_str());
}

TEST(SipWay, what_has_no_tls_is_refused_by_name) {
  refused("sips:a@h", "sips:a@h;transport=udp", "transport=udp");
  refused("sips:a@h", "sip:p;transport=UDP", "transport=UDP");
  refused("sips:a@h", "sips:p;transport=sctp", "transport=sctp");
  refused("sips:a@h", "sip:p;transport=ws", "\"p\"");
  refused("sips:a@h", "sip:192.0.2.1:5060", "\"192.0.2.1:5060\"");
  refused("sips:a@h", "sip:[2001:db8::1]:5061;transport=tcp", "[2001:db8::1]:5061");
  refused("sip:a@h", "sips:p;transport=udp", "transport=udp");
}

TEST(SipWay, the_contact_of_a_sips_request_is_sips) {
  const char* tls = "sip:u%3Bx@192.0.2.1:5071;a=1;Transport=TLS;b";
  STRCMP_EQUAL("sips:u%3Bx@192.0.2.1:5071;a=1;b", contact("sips:a@h", "", tls).c_str());
  STRCMP_EQUAL("sips:u%3Bx@192.0.2.1:5071;a=1;b", contact("sip:a@h", "sips:p;lr", tls).c_str());
  STRCMP_EQUAL("sips:[::1]", contact("sips:a@h", "sip:p;lr", "sip:[::1];transport=tls").c_str());
  STRCMP_EQUAL("sips:w@192.0.2.1", contact("sips:a@h", "", "sips:w@192.0.2.1").c_str());
  STRCMP_EQUAL("refused", contact("sips:a@h", "", "sip:w@192.0.2.1").c_str());
  STRCMP_EQUAL("refused", contact("sip:a@h", "sips:p;lr", "sip:w@192.0.2.1;transport=tcp").c_str());
  STRCMP_EQUAL("", contact("sips:a@h", "", "").c_str());   // a PUBLISH has none
  for (const char* own : {tls, "sip:w@192.0.2.1", "sips:w@h"}) STRCMP_EQUAL(own, contact("sip:a@h", "sip:p;lr", own).c_str());
}

// --- through the stack -----------------------------------------------------------------------------------------------------

TEST_GROUP_BASE(SipWayOut, ListenerTest) {
  // What send() says; the server is there by UDP and TCP, and must hear nothing.
  void refused(const SipRequest& q, const char* names) {
    auto st = rig->stack->send(q);
    LONGS_EQUAL(static_cast<int>(Errc::bad_uri), static_cast<int>(st.code()));
    STRCMP_CONTAINS(names, st.error().message.c_str());
  }
};

TEST(SipWayOut, no_sips_request_leaves_in_the_clear) {
  rig->start();
  std::unique_ptr<ScriptedServer> tcp_one, udp_one;
  for (int i = 0; i < 20 && (!udp_one || !udp_one->up()); i++) {   // a port that is free by both
    tcp_one = std::make_unique<ScriptedServer>(rig->base, ScriptedServer::Kind::Tcp);
    udp_one = std::make_unique<ScriptedServer>(rig->base, ScriptedServer::Kind::Udp, "127.0.0.1", tcp_one->port());
  }
  ScriptedServer &tcp = *tcp_one, &udp = *udp_one;
  CHECK_TRUE(udp.up());
  std::string host = "127.0.0.1:" + std::to_string(udp.port()), route, uri;
  for (const char* method : {"PUBLISH", "SUBSCRIBE"}) {
    SipRequest q = subscribe(udp);
    q.method = method;
    q.uri = "sips:alice@example.com";            // with outbound_proxy sip:, as subscribe() has it
    refused(q, "a sips: URI goes by TLS only");
    std::string by_tcp = udp.uri() + ";transport=tcp";
    q.proxy = by_tcp;
    refused(q, "a sips: URI goes by TLS only");
    q.proxy = {};
    uri = "sips:alice@" + host + ";transport=udp";   // by its own word
    q.uri = uri;
    refused(q, "transport=udp");
    q.uri = "sips:server@192.0.2.9";             // a dialog whose target turned sips, behind a loose and a strict router
    q.to_tag = "tt-1";
    for (const char* lr : {";lr", ""}) {
      route = "<sip:" + host + lr + ">";
      q.route_set = route;
      refused(q, "a sips: URI goes by TLS only");
    }
    route = "<sips:" + host + ";lr;transport=udp>";
    q.uri = "sip:server@192.0.2.9";
    q.route_set = route;
    refused(q, "transport=udp");
  }
  for (int i = 0; i < 20; i++) rig->turn();
  LONGS_EQUAL(0, udp.requests.size());
  LONGS_EQUAL(0, tcp.connections());
  LONGS_EQUAL(0, rig->stack->in_flight());
  // And with sip: it would have been taken.
  rig->send(subscribe(udp, 9));
  CHECK_TRUE(rig->until([&] { return udp.requests.size() == 1; }));
}

TEST(SipWayOut, a_sips_request_with_a_contact_in_the_clear_is_refused) {
  char path[] = "/tmp/sip-way-XXXXXX";
  std::string dir = mkdtemp(path);
  Cert({.cn = "127.0.0.1"}).write(dir);
  rig->settings.listen = {"sip:127.0.0.1:*", "sips:127.0.0.1:*"};
  rig->settings.tls_dir = dir;
  rig->start();
  SipRequest q = rig->publish();
  q.method = "SUBSCRIBE";
  q.uri = "sips:alice@127.0.0.1:9";
  q.contact = "sip:w@192.0.2.1";
  refused(q, "\"sip:w@192.0.2.1\" is not");
  q.contact = {};          // the address for NOTIFYs has no TLS
  refused(q, "is not");
  std::filesystem::remove_all(dir);
}

// What is remembered of a hop that was reached by UDP is not used for sips:, though the owner names it in the same words.
TEST(SipWayOut, a_hop_in_the_clear_is_not_remembered_for_sips) {
  rig->start();
  for (const char* hop : {"sip:127.77.66.55", "sip:127.77.66.55;transport=tcp"}) {   // nobody is there
    SipRequest q = rig->publish(1);
    q.proxy = hop;
    rig->send(q);
    q.txn = 2;
    q.uri = "sips:alice@example.com";
    rig->send(q);          // by TLS, which we do not have
    auto second = [&] { return std::find_if(rig->replies.begin(), rig->replies.end(), [](const Outcome& o) { return o.txn == 2; }); };
    CHECK_TRUE(rig->until([&] { return second() != rig->replies.end(); }));
    LONGS_EQUAL(503, second()->status);
    if (lane_on()) STRCMP_CONTAINS("is to be reached over TLS", second()->reason.c_str());
    CHECK_TRUE(rig->until([&] { return rig->stack->in_flight() == 0; }));
    rig->replies.clear();
  }
}
