// The Contact of a subscription is an address that its notifier can reach, and the SUBSCRIBE leaves from there.
#include <string>

#include "tests/sip/notify_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(SipNotifyAddress, ListenerTest) {
  // What a SUBSCRIBE to that server says, with the Contact that the owner of the stack was told.
  SipReceived subscribed(ScriptedServer& server, const std::string& own) {
    server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
    SipRequest q = subscribe(server, rig->replies.size() + 1);
    q.contact = own;
    std::string branch = "z9hG4bKna" + std::to_string(rig->replies.size());
    q.branch = branch;
    size_t n = rig->replies.size();
    rig->send(q);
    CHECK_TRUE(rig->until_replies(n + 1));
    LONGS_EQUAL(200, rig->replies.back().status);
    return server.requests.back();
  }
  static std::string port_of(const std::string& uri) { return uri.substr(uri.rfind(':')); }
};

TEST(SipNotifyAddress, of_a_wildcard_the_contact_is_the_address_that_the_request_leaves_from) {
  if (!lane_on()) return;
  rig->settings.notify_listen = {"sip:*:*"};
  rig->start();
  std::string told = contact();
  ScriptedServer v4(rig->base, ScriptedServer::Kind::Udp), v6(rig->base, ScriptedServer::Kind::Udp, "::1");
  for (const std::string& own : {std::string(), told}) {
    SipReceived r = subscribed(v4, own);
    STRCMP_EQUAL(("<sip:127.0.0.1" + port_of(told) + ">").c_str(), r.header("Contact").c_str());
    STRCMP_EQUAL(("127.0.0.1" + port_of(told)).c_str(), r.from.c_str());
    if (v6.up()) STRCMP_EQUAL(("<sip:[::1]" + port_of(told) + ">").c_str(), subscribed(v6, own).header("Contact").c_str());
  }
}

TEST(SipNotifyAddress, of_several_addresses_the_one_that_fits_the_way_is_the_contact) {
  ScriptedServer v4(rig->base, ScriptedServer::Kind::Udp), v6(rig->base, ScriptedServer::Kind::Udp, "::1");
  if (!v6.up() || !lane_on()) return;
  rig->settings.notify_listen = {"sip:127.0.0.1:*", "sip:[::1]:*"};
  rig->start();
  std::string first = contact();
  STRCMP_EQUAL(("<" + first + ">").c_str(), subscribed(v4, first).header("Contact").c_str());
  SipReceived r = subscribed(v6, first);
  STRCMP_CONTAINS("<sip:[::1]:", r.header("Contact").c_str());
  STRCMP_EQUAL(("<sip:" + r.from + ">").c_str(), r.header("Contact").c_str());
}

// Over TCP, too, and where sofia sends.
TEST(SipNotifyAddress, of_a_wildcard_the_contact_over_tcp_is_the_address_toward_the_server) {
  rig->settings.notify_listen = {"sip:*:*"};
  rig->start();
  std::string told = contact();
  ScriptedServer v4(rig->base, ScriptedServer::Kind::Tcp), v6(rig->base, ScriptedServer::Kind::Tcp, "::1");
  STRCMP_EQUAL(("<sip:127.0.0.1" + port_of(told) + ">").c_str(), subscribed(v4, told).header("Contact").c_str());
  if (v6.up()) STRCMP_EQUAL(("<sip:[::1]" + port_of(told) + ">").c_str(), subscribed(v6, told).header("Contact").c_str());
}

TEST(SipNotifyAddress, of_an_ipv6_wildcard_the_contact_is_an_ipv6_address_whatever_the_way) {
  if (!ScriptedServer(rig->base, ScriptedServer::Kind::Udp, "::1").up()) return;
  rig->settings.notify_listen = {"sip:[::]:*"};
  rig->start();
  STRCMP_CONTAINS("sip:[", contact().c_str());
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    ScriptedServer v4(rig->base, kind);
    STRCMP_CONTAINS("<sip:[", subscribed(v4, contact()).header("Contact").c_str());
  }
}

// 127.0.0.1 is what this machine reaches itself from.
TEST(SipNotifyAddress, of_several_addresses_the_one_that_the_server_is_reached_from_is_the_contact) {
  rig->settings.notify_listen = {"sip:127.0.0.2:*", "sip:127.0.0.1:*"};
  rig->start();
  std::string first = contact();
  STRCMP_CONTAINS("sip:127.0.0.2:", first.c_str());
  for (auto kind : {ScriptedServer::Kind::Udp, ScriptedServer::Kind::Tcp}) {
    ScriptedServer server(rig->base, kind);
    STRCMP_CONTAINS("<sip:127.0.0.1:", subscribed(server, first).header("Contact").c_str());
  }
}

TEST(SipNotifyAddress, a_contact_of_somebody_else_stays_and_leaves_from_sip_listen) {
  rig->start();
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  SipReceived r = subscribed(server, "sip:w@192.0.2.44:5099");
  STRCMP_EQUAL("<sip:w@192.0.2.44:5099>", r.header("Contact").c_str());
  CHECK_FALSE(port_of(r.from) == port_of(contact()));
}
