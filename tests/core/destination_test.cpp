// Destination: which requests go to the same server.
#include <string>

#include "core/destination.h"
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {
std::string of(std::string_view uri) {
  std::string out = "left from before";
  write_destination(uri, out);
  return out;
}
}  // namespace

TEST_GROUP(Destination) {};

TEST(Destination, the_next_hop_is_the_proxy_else_the_configured_one_else_the_request_uri) {
  TEXT_EQUAL("sip:a", next_hop("sip:a", "sip:p", kAlice));
  TEXT_EQUAL("sip:p", next_hop("", "sip:p", kAlice));
  TEXT_EQUAL(kAlice, next_hop("", "", kAlice));
}

TEST(Destination, the_first_route_of_a_route_set) {
  TEXT_EQUAL("sip:a;lr", first_route("<sip:a;lr>, <sip:b;lr>"));
  TEXT_EQUAL("sip:a;lr", first_route("\"Edge\" <sip:a;lr>;x=y"));
  TEXT_EQUAL("", first_route(""));
  TEXT_EQUAL("", first_route("sip:a"));
  TEXT_EQUAL("", first_route("<sip:a"));
  TEXT_EQUAL("", first_route("> <"));
}

TEST(Destination, it_is_host_and_port_without_user_and_what_does_not_matter_on_the_way) {
  TEXT_EQUAL("example.com", of(kAlice));
  TEXT_EQUAL("example.com", of("sip:example.com"));
  TEXT_EQUAL("example.com:5080", of("sip:a:pw@example.com:5080;lr;user=phone?x=y"));
  TEXT_EQUAL("10.0.0.1:5080", of("sip:10.0.0.1:5080;lr"));
  TEXT_EQUAL("[::1]:5080", of("sip:a;x=1@[::1]:5080"));
  TEXT_EQUAL("example.com", of("pres:alice@example.com"));
  TEXT_EQUAL("tel:+4930123", of("tel:+4930123"));   // no server can be found for these, and the text itself is the destination
  TEXT_EQUAL("", of(""));
  TEXT_EQUAL("sip:", of("sip:"));
}

TEST(Destination, names_parameters_and_schemes_are_the_same_in_any_case) {
  TEXT_EQUAL(of("sip:example.com;transport=tcp"), of("SIP:bob@EXAMPLE.com;Transport=TCP"));
  TEXT_EQUAL(of("sip:[fe80::a]"), of("sip:[FE80::A]"));
}

TEST(Destination, transport_and_security_tell_destinations_apart) {
  TEXT_EQUAL("example.com;transport=tcp", of("sip:example.com;transport=tcp"));
  TEXT_EQUAL("example.com;transport=sctp", of("sip:example.com;transport=sctp"));
  TEXT_EQUAL("example.com;transport=udp", of("sip:example.com;transport=udp"));   // else NAPTR would decide
  TEXT_EQUAL("example.com;transport=tls", of("sips:a:pw@example.com;transport=tls?x=y"));
  TEXT_EQUAL(of("sips:example.com"), of("sip:example.com;transport=tls"));
  TEXT_EQUAL(of("sips:example.com"), of("sips:example.com;transport=tcp"));
}

TEST(Destination, what_is_understood_makes_no_difference) {
  TEXT_EQUAL("10.0.0.1", of("sip:10.0.0.1"));
  TEXT_EQUAL("10.0.0.1", of("sip:10.0.0.1:5060;transport=udp"));
  TEXT_EQUAL("10.0.0.1;transport=tcp", of("sip:10.0.0.1:5060;transport=tcp"));
  TEXT_EQUAL("10.0.0.1;transport=tls", of("sips:10.0.0.1:5061"));
  TEXT_EQUAL("10.0.0.1:5060;transport=tls", of("sips:10.0.0.1:5060"));
  TEXT_EQUAL("[::1]", of("sip:[::1]:5060"));
  TEXT_EQUAL("example.com:5060", of("sip:example.com:5060;transport=udp"));   // with a port there is no SRV query
}

TEST(Destination, maddr_is_where_it_really_goes) {
  TEXT_EQUAL("10.0.0.2", of("sip:example.com;maddr=10.0.0.2"));
  TEXT_EQUAL("10.0.0.2:5070;transport=tcp", of("sip:example.com:5070;maddr=10.0.0.2;transport=tcp"));
  TEXT_EQUAL(of("sip:10.0.0.2"), of("sip:alice@example.com;lr;maddr=10.0.0.2"));
}
