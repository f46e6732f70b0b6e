// What a next hop says before anybody is asked (RFC 3263 section 4).
#include "sip/locate_place.h"

#include <netinet/in.h>

#include <string>

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(LocatePlace) {
  Reach reach{true, true, false, true};
  // "KIND HOST PORT TRANSPORT", with '!' where the transport is named; or the reason.
  std::string place(const char* uri) {
    auto hop = parse_target(uri);
    if (!hop) return "no target";
    auto p = read_place(*hop, reach);
    if (!p) return p.error().message;
    const char* kinds[] = {"literal", "localhost", "name"};
    return std::string(kinds[static_cast<int>(p->kind)]) + " " + p->host + " " + std::to_string(p->port_or_default()) +
           (p->port == 0 ? "? " : " ") + transport_name(p->transport) + (p->transport_named ? "!" : "") +
           (p->domain != p->host ? " of " + p->domain : "");
  }
};

TEST(LocatePlace, literals_take_udp_and_5060_where_nothing_else_is_said) {
  STRCMP_EQUAL("literal 192.0.2.1 5060? UDP", place("sip:192.0.2.1").c_str());
  STRCMP_EQUAL("literal 192.0.2.1 5070 UDP", place("sip:a@192.0.2.1:5070").c_str());
  STRCMP_EQUAL("literal 2001:db8::1 5060? UDP", place("sip:[2001:db8::1]").c_str());
  STRCMP_EQUAL("literal 2001:db8::1 5070 TCP!", place("sip:[2001:db8::1]:5070;lr;transport=TCP").c_str());
}

TEST(LocatePlace, tls_takes_5061) {
  STRCMP_EQUAL("literal 192.0.2.1 5061? TLS", place("sips:192.0.2.1").c_str());
  STRCMP_EQUAL("literal 192.0.2.1 5061? TLS!", place("sip:192.0.2.1;transport=tls").c_str());
  STRCMP_EQUAL("name h.example 5062 TLS", place("sips:h.example:5062").c_str());
  STRCMP_EQUAL("name h.example 5061? TLS!", place("sips:h.example;transport=tcp").c_str());
}

TEST(LocatePlace, names_are_lower_case_and_without_their_last_dot) {
  STRCMP_EQUAL("name h.example 5060? UDP", place("SIP:alice@H.Example.").c_str());
  STRCMP_EQUAL("name h.example 5060? UDP", place("pres:alice@h.example").c_str());
}

TEST(LocatePlace, maddr_is_where_it_goes_and_the_host_what_it_is_called) {
  STRCMP_EQUAL("literal 192.0.2.7 5060? UDP of h.example", place("sip:h.example;maddr=192.0.2.7").c_str());
  STRCMP_EQUAL("literal 2001:db8::7 5070 UDP of h.example", place("sip:h.example:5070;maddr=[2001:db8::7]").c_str());
  STRCMP_EQUAL("name gate.example 5060? TCP! of h.example", place("sip:h.example;transport=tcp;maddr=Gate.example").c_str());
  STRCMP_EQUAL("literal 192.0.2.7 5061? TLS of h.example", place("sips:h.example;maddr=192.0.2.7").c_str());
}

TEST(LocatePlace, localhost_is_this_machine) {
  STRCMP_EQUAL("localhost localhost 5060? UDP", place("sip:localhost").c_str());
  STRCMP_EQUAL("localhost a.localhost 5070 UDP", place("sip:a.LocalHost:5070").c_str());
  STRCMP_EQUAL("name notlocalhost 5060? UDP", place("sip:notlocalhost").c_str());
}

TEST(LocatePlace, what_cannot_be_gone_to_is_said) {
  STRCMP_EQUAL("\"b\xc3\xbc.example\" is no host name", place("sip:h.example;maddr=b\xc3\xbc.example").c_str());
  STRCMP_EQUAL("\"a%41.example\" is no host name", place("sip:h.example;maddr=a%41.example").c_str());
  STRCMP_EQUAL("\"1.2.3\" is no host name", place("sip:1.2.3").c_str());
  STRCMP_EQUAL("\"999.2.3.4\" is no host name", place("sip:h.example;maddr=999.2.3.4").c_str());
  STRCMP_EQUAL("\"[::zz]\" is no host name", place("sip:h.example;maddr=[::zz]").c_str());
  STRCMP_EQUAL("h.example: \"0\" is no port", place("sip:h.example:0").c_str());
  STRCMP_EQUAL("h.example: \"*\" is no port", place("sip:h.example:*").c_str());
  STRCMP_EQUAL("h.example: transport \"sctp\" is none of udp, tcp and tls", place("sip:h.example;transport=sctp").c_str());
  STRCMP_EQUAL("h.example: sips: does not go by UDP", place("sips:h.example;transport=udp").c_str());
  STRCMP_EQUAL("the next hop has no host", place("tel:+3585550").c_str());
}

TEST(LocatePlace, tls_without_a_tls_address_of_ours_is_said) {
  reach.tls = false;
  STRCMP_EQUAL("h.example is to be reached over TLS, and no address of sip_listen is a sips: one", place("sips:h.example").c_str());
  STRCMP_EQUAL("192.0.2.1 is to be reached over TLS, and no address of sip_listen is a sips: one",
               place("sip:192.0.2.1;transport=tls").c_str());
}

TEST(LocatePlace, a_literal_of_a_family_that_no_socket_has_is_said) {
  reach.v6 = false;
  STRCMP_EQUAL("2001:db8::1 cannot be reached: no address of sip_listen is an IPv6 one", place("sip:[2001:db8::1]").c_str());
  reach = {false, true, true, true};
  STRCMP_EQUAL("192.0.2.1 cannot be reached: no address of sip_listen is an IPv4 one", place("sip:192.0.2.1").c_str());
}

TEST(LocatePlace, a_server_carries_port_name_and_domain) {
  auto hop = parse_target("sips:h.example;maddr=[2001:db8::7]");
  auto p = read_place(*hop, reach);
  std::vector<Server> list = servers_of(*p, reach);
  LONGS_EQUAL(1, list.size());
  STRCMP_EQUAL("TLS [2001:db8::7]:5061", place_text(list[0]).c_str());
  STRCMP_EQUAL("2001:db8::7", list[0].name.c_str());
  STRCMP_EQUAL("h.example", list[0].domain.c_str());
  LONGS_EQUAL(sizeof(sockaddr_in6), list[0].length);
}
