// The rules of finding servers (RFC 3263), with a real name server on loopback.
#include "sip/locate_lookup.h"

#include <string>
#include <vector>

#include "tests/sip/locate_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using pua::test::LocateRig;

TEST_GROUP_BASE(LocateLookup, LocateTest){};

// --- without a name server -----------------------------------------------------------------------------------------------

TEST(LocateLookup, a_literal_is_found_at_once) {
  rig->start();
  IS("UDP 192.0.2.1:5060", rig->ask("sip:192.0.2.1"));
  IS("TCP [2001:db8::1]:5070", rig->ask("sip:[2001:db8::1]:5070;transport=tcp"));
  IS("", questions());
}

TEST(LocateLookup, localhost_is_found_at_once_in_the_families_that_we_reach) {
  rig->start();
  IS("UDP 127.0.0.1:5060, UDP [::1]:5060", rig->ask("sip:localhost"));
  rig->settings.v4 = false;
  rig->start();
  IS("UDP [::1]:5070", rig->ask("sip:a.localhost:5070"));
  IS("", questions());
}

TEST(LocateLookup, what_cannot_be_gone_to_fails_at_once) {
  rig->start();
  IS("failed: h.example: transport \"ws\" is none of udp, tcp and tls", rig->ask("sip:h.example;transport=ws"));
  IS("failed: h.example is to be reached over TLS, and no address of sip_listen is a sips: one", rig->ask("sips:h.example"));
  IS("", questions());
  LONGS_EQUAL(0, rig->locator->waiting());
}

// --- which questions are asked -------------------------------------------------------------------------------------------

TEST(LocateLookup, a_named_port_asks_for_addresses_only) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  dns->aaaa("gate.example", "2001:db8::1");
  IS("UDP 192.0.2.1:5070, UDP [2001:db8::1]:5070", rig->find("sip:gate.example:5070"));
  IS("A gate.example, AAAA gate.example", questions());
  IS("TCP 192.0.2.1:5070, TCP [2001:db8::1]:5070", rig->find("sip:gate.example:5070;transport=tcp"));
}

TEST(LocateLookup, naptr_leads_to_srv_and_srv_to_addresses) {
  rig->start();
  dns->naptr("d.example", 10, "SIP+D2T", "_sip._tcp.d.example");
  dns->srv("_sip._tcp.d.example", 1, 5071, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("TCP 192.0.2.1:5071", rig->find("sip:alice@d.example"));
  IS("NAPTR d.example, SRV _sip._tcp.d.example, A one.d.example, AAAA one.d.example", questions());
  IS("one.d.example", (*rig->lists[1])[0].name);
  IS("d.example", (*rig->lists[1])[0].domain);
}

TEST(LocateLookup, of_the_naptr_records_those_of_the_least_order_by_preference) {
  rig->start();
  dns->naptr("d.example", 20, "SIP+D2U", "_sip._udp.d.example", 1);
  dns->naptr("d.example", 10, "SIP+D2U", "_sip._udp.near.example", 20);
  dns->naptr("d.example", 10, "SIP+D2T", "_sip._tcp.near.example", 10);
  dns->srv("_sip._udp.d.example", 1, 5060, "far.example");
  dns->srv("_sip._udp.near.example", 1, 5060, "near.example");
  dns->srv("_sip._tcp.near.example", 9, 5062, "near.example");
  dns->a("near.example", "192.0.2.1");
  dns->a("far.example", "192.0.2.9");
  IS("TCP 192.0.2.1:5062, UDP 192.0.2.1:5060", rig->find("sip:d.example"));
  LONGS_EQUAL(0, dns->asked("SRV _sip._udp.d.example"));
  LONGS_EQUAL(1, dns->asked("A near.example"));
}

TEST(LocateLookup, naptr_services_that_are_not_ours_are_passed_over) {
  rig->start();
  dns->naptr("d.example", 1, "SIPS+D2T", "_sips._tcp.d.example");  // there is no TLS address of ours
  dns->naptr("d.example", 2, "SIP+D2S", "_sip._sctp.d.example");
  dns->naptr("d.example", 3, "E2U+sip", "x.d.example", 1, "u");
  dns->naptr("d.example", 4, "SIP+D2U", "x.d.example", 1, "a");
  dns->naptr("d.example", 5, "sip+d2u", "_sip._udp.d.example", 1, "S");
  dns->srv("_sip._udp.d.example", 1, 5060, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5060", rig->find("sip:d.example"));
  LONGS_EQUAL(1, dns->asked("SRV _sip._udp.d.example"));
  LONGS_EQUAL(0, dns->asked("SRV _sips._tcp.d.example"));
}

TEST(LocateLookup, sip_may_take_tls_where_naptr_says_so_and_we_have_it) {
  rig->settings.tls = true;
  rig->start();
  dns->naptr("d.example", 1, "SIPS+D2T", "_sips._tcp.d.example");
  dns->naptr("d.example", 2, "SIP+D2U", "_sip._udp.d.example");
  dns->srv("_sips._tcp.d.example", 1, 5063, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("TLS 192.0.2.1:5063", rig->find("sip:d.example"));
}

TEST(LocateLookup, sips_takes_tls_only_whatever_naptr_says) {
  rig->settings.tls = true;
  rig->start();
  dns->naptr("d.example", 1, "SIP+D2U", "_sip._udp.d.example");
  dns->naptr("d.example", 2, "SIP+D2T", "_sip._tcp.d.example");
  dns->srv("_sip._udp.d.example", 1, 5060, "one.d.example");
  dns->srv("_sips._tcp.d.example", 1, 5063, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("TLS 192.0.2.1:5063", rig->find("sips:d.example"));
  LONGS_EQUAL(0, dns->asked("SRV _sip._udp.d.example"));
}

TEST(LocateLookup, without_naptr_the_services_that_we_know_are_asked_for_udp_first) {
  rig->start();
  dns->srv("_sip._udp.d.example", 5, 5060, "one.d.example");
  dns->srv("_sip._tcp.d.example", 1, 5062, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5060, TCP 192.0.2.1:5062", rig->find("sip:d.example"));
  IS("NAPTR d.example, SRV _sip._udp.d.example, SRV _sip._tcp.d.example, A one.d.example, AAAA one.d.example", questions());
}

TEST(LocateLookup, a_named_transport_asks_for_its_service_without_naptr) {
  rig->settings.tls = true;
  rig->start();
  dns->srv("_sip._tcp.d.example", 1, 5062, "one.d.example");
  dns->srv("_sips._tcp.d.example", 1, 5063, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("TCP 192.0.2.1:5062", rig->find("sip:d.example;transport=tcp"));
  LONGS_EQUAL(0, dns->asked("NAPTR d.example"));
  LONGS_EQUAL(0, dns->asked("SRV _sip._udp.d.example"));
  IS("TLS 192.0.2.1:5063", rig->find("sip:d.example;transport=tls"));
  IS("TLS 192.0.2.1:5063", rig->find("sips:d.example;transport=tcp"));
  LONGS_EQUAL(0, dns->asked("NAPTR d.example"));
}

TEST(LocateLookup, without_srv_the_host_itself_at_the_port_of_its_transport) {
  rig->settings.tls = true;
  rig->start();
  dns->a("d.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5060", rig->find("sip:d.example"));
  IS("TCP 192.0.2.1:5060", rig->find("sip:d.example;transport=tcp"));
  IS("TLS 192.0.2.1:5061", rig->find("sips:d.example"));
}

TEST(LocateLookup, naptr_that_leads_nowhere_is_as_none) {
  rig->start();
  dns->naptr("d.example", 1, "SIP+D2T", "_sip._tcp.gone.example");
  dns->srv("_sip._udp.d.example", 1, 5064, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5064", rig->find("sip:d.example"));
}

TEST(LocateLookup, a_domain_that_declines_a_service_is_believed) {
  rig->start();
  dns->srv("_sip._udp.d.example", 0, 0, "");
  dns->srv("_sip._tcp.d.example", 0, 0, "");
  dns->a("d.example", "192.0.2.1");
  IS("failed: no server for d.example was found: NAPTR d.example: none; SRV _sip._udp.d.example: the domain has no such service; "
     "SRV _sip._tcp.d.example: the domain has no such service",
     rig->find("sip:d.example"));
  LONGS_EQUAL(0, dns->asked("A d.example"));
}

TEST(LocateLookup, where_one_transport_is_declined_the_host_is_tried_by_the_other) {
  rig->start();
  dns->srv("_sip._udp.d.example", 0, 0, "");
  dns->a("d.example", "192.0.2.1");
  IS("TCP 192.0.2.1:5060", rig->find("sip:d.example"));
}

TEST(LocateLookup, maddr_is_looked_up_in_place_of_the_host) {
  rig->start();
  dns->a("gate.example", "192.0.2.5");
  IS("UDP 192.0.2.5:5070", rig->find("sip:d.example:5070;maddr=gate.example"));
  IS("d.example", (*rig->lists[1])[0].domain);
  IS("UDP 192.0.2.6:5060", rig->ask("sip:d.example;maddr=192.0.2.6"));
  LONGS_EQUAL(0, dns->asked("NAPTR d.example"));
}

// --- order ---------------------------------------------------------------------------------------------------------------

TEST(LocateLookup, srv_priorities_give_the_order) {
  rig->start();
  dns->srv("_sip._udp.d.example", 20, 5060, "two.d.example");
  dns->srv("_sip._udp.d.example", 10, 5060, "one.d.example");
  dns->srv("_sip._udp.d.example", 30, 5066, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  dns->a("two.d.example", "192.0.2.2");
  IS("UDP 192.0.2.1:5060, UDP 192.0.2.2:5060, UDP 192.0.2.1:5066", rig->find("sip:d.example"));
}

TEST(LocateLookup, srv_weights_are_drawn_for_each_request) {
  rig->start();
  dns->srv("_sip._udp.d.example", 1, 5060, "one.d.example", 30);
  dns->srv("_sip._udp.d.example", 1, 5060, "two.d.example", 10);
  dns->a("one.d.example", "192.0.2.1");
  dns->a("two.d.example", "192.0.2.2");
  rig->find("sip:d.example");
  int first = 0;
  for (int i = 0; i < 1000; i++) {
    std::string list = rig->ask("sip:d.example");
    bool one = list == "UDP 192.0.2.1:5060, UDP 192.0.2.2:5060";
    CHECK_TRUE(one || list == "UDP 192.0.2.2:5060, UDP 192.0.2.1:5060");
    first += one;
  }
  CHECK_TRUE_TEXT(first > 690 && first < 800, std::to_string(first).c_str());
  LONGS_EQUAL(1, dns->asked("NAPTR d.example"));
}

TEST(LocateLookup, an_srv_target_without_address_is_left_out) {
  rig->start();
  dns->srv("_sip._udp.d.example", 1, 5060, "gone.d.example");
  dns->srv("_sip._udp.d.example", 2, 5060, "one.d.example");
  dns->a("one.d.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5060", rig->find("sip:d.example"));
}

TEST(LocateLookup, more_srv_records_than_anyone_needs_are_cut_after_the_best) {
  rig->start();
  for (uint16_t i = 0; i < 40; i++) {
    dns->srv("_sip._udp.d.example", static_cast<uint16_t>(100 - i), static_cast<uint16_t>(6000 + i), "one.d.example");
  }
  dns->a("one.d.example", "192.0.2.1");
  rig->find("sip:d.example");
  LONGS_EQUAL(Lookup::kMostServers, rig->lists[1]->size());
  IS("UDP 192.0.2.1:6039", place_text((*rig->lists[1])[0]));
  LONGS_EQUAL(1, dns->asked("A one.d.example"));
}

TEST(LocateLookup, aliases_of_hosts_are_followed) {
  rig->start();
  dns->cname("gate.example", "real.example");
  dns->a("real.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5070", rig->find("sip:gate.example:5070"));
}

// --- families --------------------------------------------------------------------------------------------------------------

TEST(LocateLookup, a_name_with_an_ipv6_address_only_is_reached) {
  rig->start();
  dns->aaaa("gate.example", "2001:db8::1");
  IS("UDP [2001:db8::1]:5070", rig->find("sip:gate.example:5070"));
}

TEST(LocateLookup, a_name_with_an_ipv6_address_only_is_said_to_be_out_of_reach_of_ipv4_sockets) {
  rig->settings.v6 = false;
  rig->start();
  dns->aaaa("gate.example", "2001:db8::1");
  IS("failed: no server for gate.example was found: A gate.example: none; no address of sip_listen is an IPv6 one",
     rig->find("sip:gate.example:5070"));
  LONGS_EQUAL(0, dns->asked("AAAA gate.example"));
}

TEST(LocateLookup, ipv6_sockets_ask_for_ipv6_addresses_only) {
  rig->settings.v4 = false;
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  dns->aaaa("gate.example", "2001:db8::1");
  IS("UDP [2001:db8::1]:5070", rig->find("sip:gate.example:5070"));
  LONGS_EQUAL(0, dns->asked("A gate.example"));
}

TEST(LocateLookup, the_family_of_the_first_socket_comes_first) {
  rig->settings.v6_first = true;
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  dns->aaaa("gate.example", "2001:db8::1");
  IS("UDP [2001:db8::1]:5070, UDP 192.0.2.1:5070", rig->find("sip:gate.example:5070"));
}

TEST(LocateLookup, a_family_that_is_not_answered_for_does_not_hold_up_the_other) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  dns->mute = {"AAAA gate.example"};
  IS("asking", rig->ask("sip:gate.example:5070"));
  CHECK_TRUE(rig->until([&] { return dns->questions.size() == 2; }));
  MonoMs from = rig->now();
  CHECK_TRUE(rig->until([&] {
    rig->pass(100);
    return !rig->told(1).empty();
  }));
  IS("UDP 192.0.2.1:5070", rig->told(1));
  CHECK_TRUE(rig->now() - from < 1000);
}

// --- /etc/hosts ------------------------------------------------------------------------------------------------------------

TEST(LocateLookup, the_hosts_file_gives_addresses_without_a_question) {
  LocateRig::write(rig->settings.hosts, "192.0.2.8 gate.example gate\n2001:db8::8 gate.example\n");
  rig->start();
  IS("UDP 192.0.2.8:5070, UDP [2001:db8::8]:5070", rig->ask("sip:Gate.example:5070"));
  IS("TCP 192.0.2.8:5070", rig->ask("sip:gate:5070;transport=tcp"));
  IS("", questions());
  IS("UDP 192.0.2.8:5060, UDP [2001:db8::8]:5060", rig->find("sip:gate.example"));  // without a port the domain may say more
  LONGS_EQUAL(1, dns->asked("NAPTR gate.example"));
  LONGS_EQUAL(0, dns->asked("A gate.example"));
}

TEST(LocateLookup, an_srv_target_in_the_hosts_file) {
  LocateRig::write(rig->settings.hosts, "192.0.2.8 one.d.example\n");
  rig->start();
  dns->srv("_sip._udp.d.example", 1, 5066, "one.d.example");
  IS("UDP 192.0.2.8:5066", rig->find("sip:d.example"));
}

// --- what became of a try --------------------------------------------------------------------------------------------------

TEST(LocateLookup, a_server_that_failed_comes_last_for_a_while) {
  rig->start();
  dns->ttl = 3600;
  dns->srv("_sip._udp.d.example", 1, 5060, "one.d.example");
  dns->srv("_sip._udp.d.example", 2, 5060, "two.d.example");
  dns->a("one.d.example", "192.0.2.1");
  dns->a("two.d.example", "192.0.2.2");
  IS("UDP 192.0.2.1:5060, UDP 192.0.2.2:5060", rig->find("sip:d.example"));
  Server one = (*rig->lists[1])[0], two = (*rig->lists[1])[1];
  rig->locator->failed(one, 0);
  IS("UDP 192.0.2.2:5060, UDP 192.0.2.1:5060", rig->ask("sip:d.example"));
  rig->pass(Locator::kHold - 100);
  IS("UDP 192.0.2.2:5060, UDP 192.0.2.1:5060", rig->ask("sip:d.example"));
  rig->pass(100);
  IS("UDP 192.0.2.1:5060, UDP 192.0.2.2:5060", rig->ask("sip:d.example"));
  rig->locator->failed(one, 120);  // Retry-After: 120
  rig->pass(119900);
  IS("UDP 192.0.2.2:5060, UDP 192.0.2.1:5060", rig->ask("sip:d.example"));
  rig->locator->works(one);
  IS("UDP 192.0.2.1:5060, UDP 192.0.2.2:5060", rig->ask("sip:d.example"));
  rig->locator->failed(one, 0);
  rig->locator->failed(two, 0);
  IS("UDP 192.0.2.1:5060, UDP 192.0.2.2:5060", rig->ask("sip:d.example"));  // all failed: none is left out
}

TEST(LocateLookup, a_retry_after_without_end_ends) {
  rig->start();
  dns->ttl = 3600;
  dns->a("gate.example", "192.0.2.1");
  dns->a("gate.example", "192.0.2.2");
  rig->find("sip:gate.example:5070");
  rig->locator->failed((*rig->lists[1])[0], INT64_MAX);
  IS("UDP 192.0.2.2:5070, UDP 192.0.2.1:5070", rig->find("sip:gate.example:5070"));
  rig->pass(Locator::kLongestHold);
  IS("UDP 192.0.2.1:5070, UDP 192.0.2.2:5070", rig->find("sip:gate.example:5070"));
}
