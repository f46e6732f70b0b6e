// The reader of URIs: the parts, put together again, are the octets that came in; what goes out differs only in octets that
// must not stand raw.
#include <string>
#include <vector>

#include "base/random.h"
#include "core/uri.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace std::string_literals;

TEST_GROUP(Uri) {
  std::string parts(std::string_view text) {
    Uri u;
    if (const char* why = read_uri(text, u)) return why + 1;
    std::string out(u.scheme);
    auto add = [&](const char* name, std::string_view part, bool there) {
      if (there) out += std::string("|") + name + "=" + std::string(part);
    };
    add("user", u.user, u.has_user || !u.user.empty());
    add("password", u.password, u.has_password);
    add("host", u.host, !u.host.empty());
    add("port", u.port, !u.port.empty());
    add("params", u.params, !u.params.empty());
    add("headers", u.headers, u.has_headers);
    return out;
  }
  void is(const char* want, std::string_view text) { STRCMP_EQUAL(want, parts(text).c_str()); }
  std::string out(std::string_view uri) {
    std::string s;
    write_uri(uri, s);
    return s;
  }
  std::string routes(std::string_view text) {
    std::string s;
    write_routes(text, s);
    return s;
  }
};

TEST(Uri, parts_are_views_of_what_stands_there) {
  is("sip|user=alice|host=example.com", "sip:alice@example.com");
  is("sips|user=a|password=s:e|host=h|port=5061|params=transport=tcp;lr", "sips:a:s:e@h:5061;transport=tcp;lr");
  is("SIP|user=Alice|host=EXAMPLE.com", "SIP:Alice@EXAMPLE.com");
  is("sip|user=a%3Bb%3f|password=%40%3a|host=h|params=x=%3b", "sip:a%3Bb%3f:%40%3a@h;x=%3b");
  is("sip|user=a;b=c?d/e|host=192.0.2.1|port=1", "sip:a;b=c?d/e@192.0.2.1:1");
  is("sip|user=a#*\xc3\xa4|host=h", "sip:a#*\xc3\xa4@h");
  is("sip|user=|host=h", "sip:@h");
  is("sip|user=a|password=|host=h", "sip:a:@h");
  is("sip|host=h", "sip:h");
  is("sip|host=*|port=*|params=transport=udp", "sip:*:*;transport=udp");
  is("sip|user=a|host=[2001:db8::1]|port=5060|params=maddr=[::1]", "sip:a@[2001:db8::1]:5060;maddr=[::1]");
  is("sip|user=a|host=h|headers=Route=%3Csip:b@c%3E", "sip:a@h?Route=%3Csip:b@c%3E");
  is("sip|user=a|host=h|params=p|headers=x?y", "sip:a@h;p?x?y");
  is("sip|user=h?x=a|host=b", "sip:h?x=a@b");   // what stands before '@' is the user part, '?' included
  is("pres|user=bob|host=example.com", "pres:bob@example.com");
  is("tel|user=*21#|params=phone-context=+1;ext=%23", "tel:*21#;phone-context=+1;ext=%23");
  is("urn|user=uuid:1-2?x#y", "urn:uuid:1-2?x#y");
}

TEST(Uri, the_header_part_is_all_that_the_bare_uri_lacks) {
  for (auto [text, bare] : {std::pair{"sip:a?b@h", "sip:a?b@h"}, {"sip:a@h;x=1?Subject=x", "sip:a@h;x=1"},
                            {"sip:a%3Fb@h?", "sip:a%3Fb@h"}, {"tel:+1;x=y?z", "tel:+1;x=y"}, {"SIP:h?a=b?c", "SIP:h"}}) {
    Uri u;
    POINTERS_EQUAL(nullptr, read_uri(text, u));
    STRCMP_EQUAL(bare, std::string(u.bare).c_str());
  }
}

TEST(Uri, what_is_none_says_why) {
  is("has no scheme", "");
  is("has no scheme", "alice@example.com");
  is("has no scheme", ":x");
  is("has no scheme", "a%3a:x");
  is("has no host", "sip:");
  is("has no host", "sip:a@;x");
  is("has no host", "pres:a@:5060");
  is("has a host that is none", "sip:a@b%2ec");
  is("has a host that is none", "sip:a@\xc3\xa4.example");
  is("has a host that is none", "sip:a@h#f");
  is("has a host that is none", "sip:a@[::1]x");
  is("has an IPv6 address that is none", "sip:a@[fe80::1%25eth0]");
  is("has an IPv6 address that is none", "sip:a@[::1");
  is("has an IPv6 address that is none", "sip:a@[]");
  is("has a port that is no number", "sip:a@h:");
  is("has a port that is no number", "sip:a@h:65536");
  is("has a port that is no number", "sip:a@h:99999999999999999999");
  is("holds more than one '@'", "sip:a@b@c");
  is("holds more than one '@'", "sip:a@h;x=b@c");
  is("holds '%' without two hexadecimal digits behind it", "sip:100%@h");
  is("holds '%' without two hexadecimal digits behind it", "sip:a@h;x=%f");
  is("holds '%' without two hexadecimal digits behind it", "tel:%g0");
  is("has a number that is none", "tel:");
  is("has a number that is none", "tel:+1@h");
  for (const auto& s : {"sip:a b@h"s, "sip:a\t@h"s, "sip:a@h\r\n"s, "sip:a\0@h"s, "sip:a@h\x7f"s, "sip:<a@h"s, "sip:a@h>"s, "sip:\"a@h"s, "urn:a b"s})
    is("holds a control character, blank, quote or angle bracket", s);
}

TEST(Uri, the_first_contact_is_read_with_brackets_or_without) {
  for (auto [value, uri] : {std::pair{"<sip:a%3Bb@h;x=1>;q=1", "sip:a%3Bb@h;x=1"}, {"\"x, \\\" <sip:no>\" < sip:a@h?y=z > , <sip:b>", "sip:a@h"},
                            {"sip:a%3Bb@h;expires=3", "sip:a%3Bb@h"}, {" sip:a@h , sip:b@h", "sip:a@h"}, {"sip:a@h?x=y", "sip:a@h"},
                            {"Al Ice <sip:a?b@h>", "sip:a?b@h"}, {"<sip:h?b=c@d>, <sip:e>", "sip:h?b=c@d"}, {"sip:a@h, <sip:b@h>", "sip:a@h"},
                            {"*", ""}, {"", ""}, {"<sip:a@h", ""}, {"\"<sip:a@h>", "\"<sip:a@h>"}, {"<sip:a b@h>", "sip:a b@h"}})
    STRCMP_EQUAL(uri, std::string(first_contact_uri(value)).c_str());
}

// One rule for all schemes and all parts: escapes stay as they came, reserved octets stay raw, and others are escaped.
TEST(Uri, what_goes_out_is_what_came_in_but_for_octets_that_may_not_stand_raw) {
  for (const char* same : {"sip:a%3Bb@h", "sip:a;b@h", "sip:a%3bb@h", "SIPS:%61%2F:%3A@h;x=%3b%5B[]", "tel:+1-201(555).0123;ext=%23",
                           "sip:a?b/c&d=e+f$g,h'i~j!k*l@h:5060;lr?x=y", "pres:a%40b@h", ""})
    STRCMP_EQUAL(same, out(same).c_str());
  STRCMP_EQUAL("sip:a%23b@h;x=%23", out("sip:a#b@h;x=#").c_str());
  STRCMP_EQUAL("tel:*21%23;x=%23", out("tel:*21#;x=#").c_str());
  STRCMP_EQUAL("sip:%C3%A4%20%3a@h", out("sip:\xc3\xa4%20%3a@h").c_str());
  STRCMP_EQUAL("sip:%5C%5E%60%7B%7C%7D%22%3C%3E%0D%0A%00%7F%FF@h", out("sip:\\^`{|}\"<>\r\n\0\x7f\xff@h"s).c_str());
  for (int c = 0; c < 256; c++) {
    std::string_view raw = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'();/?:@&=+$,%[]";
    CHECK_EQUAL(c != 0 && raw.find(static_cast<char>(c)) != raw.npos, raw_in_uri(static_cast<char>(c)));
  }
}

TEST(Uri, of_routes_only_what_stands_in_brackets_is_a_uri) {
  for (const char* same : {"<sip:a%3Bb@p;lr>, <sip:q;lr>;x=#", "\"\xc3\xa4 \\\" <#>\" < sip:p;lr >;y=\"#\"", "no brackets #", "<sip:p", "<>", "< >", ""})
    STRCMP_EQUAL(same, routes(same).c_str());
  STRCMP_EQUAL("# <sip:a%23%C3%A4@p;lr>, <sip:%23@q>", routes("# <sip:a#\xc3\xa4@p;lr>, <sip:#@q>").c_str());
}

TEST(Uri, parameters_are_found_by_name_whatever_its_case) {
  const char* params = "lr;Transport=tcp;x=;ftag=a=b;;lrx=1";
  STRCMP_EQUAL("tcp", std::string(param_value(params, "transport")).c_str());
  STRCMP_EQUAL("a=b", std::string(param_value(params, "ftag")).c_str());
  STRCMP_EQUAL("", std::string(param_value(params, "lr")).c_str());
  STRCMP_EQUAL("", std::string(param_value(params, "x")).c_str());
  STRCMP_EQUAL("", std::string(param_value(params, "trans")).c_str());
  CHECK_TRUE(has_param(params, "lr") && has_param(params, "x") && has_param(params, "lrx"));
  CHECK_FALSE(has_param(params, "tag") || has_param("", "lr") || has_param("xlr", "lr"));
}

// Whatever is read is the sum of its parts. What goes out can be read again, has the same parts, and would go out the same
// again.
TEST(Uri, any_text_that_is_read_is_the_sum_of_its_parts) {
  Random random(10);
  const std::string_view octets = "aZ09%3Bb::;;@@?/?#[]=&+$,.-_~'()*!\xc3\xa4\\^{}\" <>\r\t";
  int read = 0;
  for (int i = 0; i < 30000; i++) {
    std::string text(std::vector<const char*>{"sip:", "SIPS:", "tel:", "pres:", "urn:", ""}[random.below(6)]);
    if (random.below(2)) text += "u%3b@";
    for (uint64_t n = random.below(12); n > 0; n--) text += octets[random.below(octets.size())];
    if (random.below(2)) text += "@h:5060;x=%3B";
    Uri u;
    if (read_uri(text, u)) continue;
    read++;
    std::string sum = std::string(u.scheme) + ":" + std::string(u.user);
    if (u.has_password) sum += ":" + std::string(u.password);
    if (u.has_user) sum += "@";
    sum += std::string(u.host) + std::string(u.tail);
    STRCMP_EQUAL(sum.c_str(), std::string(u.bare).c_str());
    if (u.has_headers) sum += "?" + std::string(u.headers);
    STRCMP_EQUAL(text.c_str(), sum.c_str());
    if (u.kind == Scheme::Other) continue;
    std::string once = out(text);
    Uri again;
    POINTERS_EQUAL(nullptr, read_uri(once, again));
    for (auto part : {&Uri::scheme, &Uri::user, &Uri::password, &Uri::host, &Uri::port, &Uri::params, &Uri::headers})
      STRCMP_EQUAL(out(u.*part).c_str(), std::string(again.*part).c_str());
    STRCMP_EQUAL(once.c_str(), out(once).c_str());
  }
  CHECK(read > 3000);
}
