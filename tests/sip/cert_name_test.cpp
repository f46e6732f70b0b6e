// Whom a certificate is for (RFC 5922 section 7), read from certificates made here.
#include "sip/cert_name.h"

#include <string>

#include "tests/support/tls_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(CertName) {
  CertNames names(const std::string& cn, const std::string& san) {
    Cert c({.cn = cn, .san = san});
    return cert_names(c.x509);
  }
  bool is_for(const std::string& cn, const std::string& san, const char* server) { return cert_is_for(names(cn, san), server); }
};

TEST(CertName, an_address_in_the_alternative_names_is_believed_for_that_address) {
  CHECK_TRUE(is_for("x", "IP:192.0.2.1", "192.0.2.1"));
  CHECK_FALSE(is_for("x", "IP:192.0.2.1", "192.0.2.2"));
  CHECK_TRUE(is_for("x", "IP:2001:db8::1", "2001:DB8:0::1"));
  CHECK_FALSE(is_for("x", "IP:2001:db8::1", "2001:db8::2"));
  CHECK_FALSE(is_for("x", "DNS:192.0.2.1", "192.0.2.1"));   // a name that looks like one is none
}

TEST(CertName, the_common_name_counts_only_where_there_are_no_alternative_names) {
  CHECK_TRUE(is_for("a.example", "", "a.example"));
  CHECK_TRUE(is_for("192.0.2.1", "", "192.0.2.1"));
  CHECK_FALSE(is_for("a.example", "DNS:b.example", "a.example"));
  CHECK_FALSE(is_for("a.example", "IP:192.0.2.1", "a.example"));
  CHECK_FALSE(is_for("192.0.2.1", "DNS:b.example", "192.0.2.1"));
  CHECK_FALSE(is_for("a.example", "email:a@b.example", "a.example"));
}

TEST(CertName, names_are_compared_whole_and_without_case) {
  CHECK_TRUE(is_for("x", "DNS:Proxy.Example.COM", "proxy.example.com"));
  CHECK_TRUE(is_for("x", "DNS:proxy.example.com", "PROXY.example.com."));
  CHECK_FALSE(is_for("x", "DNS:*.example.com", "proxy.example.com"));   // no wildcards (section 7.2)
  CHECK_FALSE(is_for("x", "DNS:example.com", "proxy.example.com"));
  CHECK_FALSE(is_for("x", "DNS:proxy.example.com", "example.com"));
  CHECK_FALSE(is_for("x", "DNS:proxy.example.com", ""));
}

TEST(CertName, sip_uris_come_before_dns_names) {
  CHECK_TRUE(is_for("x", "URI:sip:a.example", "a.example"));
  CHECK_TRUE(is_for("x", "DNS:host7.a.example, URI:sip:a.example:5061", "a.example"));
  CHECK_FALSE(is_for("x", "DNS:host7.a.example, URI:sip:a.example", "host7.a.example"));
  CHECK_FALSE(is_for("x", "URI:sip:alice@a.example", "a.example"));     // that is alice's
  CHECK_FALSE(is_for("x", "URI:sips:a.example", "a.example"));          // section 7.1: sip only
  CHECK_FALSE(is_for("x", "URI:http://a.example", "a.example"));
  CHECK_TRUE(is_for("x", "URI:http://b.example, DNS:a.example", "a.example"));
}

TEST(CertName, the_names_are_told_in_short) {
  STRCMP_EQUAL("b.example, a.example, 192.0.2.1", cert_names_text(names("x", "DNS:B.example, IP:192.0.2.1, DNS:a.example")).c_str());
  STRCMP_EQUAL("a, b, c, ...", cert_names_text(names("x", "DNS:a, DNS:b, DNS:c, DNS:d")).c_str());
  STRCMP_EQUAL("nobody", cert_names_text(names("", "")).c_str());
}
