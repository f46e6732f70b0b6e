// Checks of input: nothing that could break a SIP message, a line of the log or a row passes.
#include <string>
#include <vector>

#include "core/validate.h"
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using namespace std::string_literals;

TEST_GROUP(Validate) {
  void bad(Errc want, const Status& s, const std::string& names) {
    CHECK_FALSE(s.ok());
    LONGS_EQUAL(static_cast<int>(want), static_cast<int>(s.code()));
    STRCMP_CONTAINS(names.c_str(), s.error().message.c_str());  // the message names the field at fault
  }
};

TEST(Validate, uris_that_are_fine) {
  for (const char* u : {"sip:alice@example.com", "sips:a@b", "pres:bob@example.com", "tel:+49301234", "SIP:x@y",
                        "sip:example.com", "sip:a:pw@h:5060;transport=tcp", "sip:%20a@h", "sip:a@[::1]:5060",
                        "sip:\xc3\xa4@example.com", "sip:a;b=c@h", "sip:a%2Fb;c@h:5060;x=%41", "sip:a\\b@h",
                        "tel:+49;phone-context=x", "tel:*21#;phone-context=example.com", "sip:a@[::1]", "sip:it's@h",
                        "sip:a@h;maddr=[2001:db8::1];x=%41", "sip:a@h;x=%41;alias=[2001:db8::5]~5060~1;gr=urn%3Auuid",
                        "sip:a%3Bb@h", "sip:a?b@h", "sip:a%3Fb@h", "sip:;a@h", "sip:#1@h", "sip:@h", "sip:a:@h", "sip:a%41\\@h",
                        "sip:%41[a]@h", "sip:a%41\xc3\xa4@h", "sip:a@h;x=%41\\", "tel:*21%23", "tel:#", "sip:a@h:65535"})
    CHECK(check_uri("pres_uri", u).ok());
}

TEST(Validate, uris_that_are_not) {
  std::vector<std::string> uris = {"", "alice", "alice@example.com", "http://x", "sip:", "sip:@", "sip:a@", "sip:;x", "sip:?x", "sip:a@h?Subject=x",
                                   "mailto:a@b", ":a@b", "sip", "sip:a@;x=y", "sip:a@:5060",
                                   "sip:a@h\r\nX: y", "sip:a@h\n", "sip:a\r@h", "sip:a@h\0b"s, "sip:a b@h", "sip:a@h\t",
                                   "<sip:a@h>", "sip:a@h>", "sip:\"a\"@h", "sip:a@h\x7f", "sip:a\x01@h",
                                   "sip:%s@h", "sip:a%4@h", "sip:%", "sip:a@h;x=%zz", "sip:a@\xc3\xa4", "sip:a@h:65536", "sip:a@h:*",
                                   "sip:a@h;x=a@b", "tel:+1@h", "tel:%4", "sip:a@[]", "sip:a@h?", "1sip:a@h", "s%69p:a@h",
                                   "sip:a@h:b", "sip:a@h:", "sip:a@h:1b", "sip:a@b[::1]", "sip:a@[::1]b", "sip:a@[x]", "sip:a@[::1",
                                   "sip:a@%41", "sip:a@b@c", "sip:a@h/x", "sip:a@h#x",
                                   "tel:1/2", "tel:+1:5060"};
  for (auto& u : uris) {
    if (check_uri("pres_uri", u).ok()) FAIL(u.c_str());
    bad(Errc::bad_uri, check_uri("pres_uri", u), "pres_uri");
  }
}

TEST(Validate, a_uri_is_bounded) {
  std::string u = "sip:" + std::string(kMaxUri - 6, 'a') + "@h";
  LONGS_EQUAL(kMaxUri, u.size());
  CHECK(check_uri("pres_uri", u).ok());
  bad(Errc::bad_uri, check_uri("pres_uri", "sip:a" + u.substr(4)), "1023");
}

TEST(Validate, text_has_no_control_characters_and_is_bounded) {
  CHECK(check_text("id", "", 10).ok());
  CHECK(check_text("id", "a b;c\xc3\xa4", 10).ok());
  for (const auto& s : {"a\r"s, "a\n"s, "a\0"s, "\t"s, "\x7f"s, "\x1f"s}) bad(Errc::bad_header, check_text("id", s, 10), "id");
  CHECK(check_text("id", std::string(10, 'x'), 10).ok());
  bad(Errc::too_large, check_text("id", std::string(11, 'x'), 10), "id");
}

TEST(Validate, a_tag_is_a_word) {
  for (const char* tag : {"", "a.1", "[2001:db8::1]", "a/b\\c'"}) CHECK(check_tag("to_tag", tag).ok());
  for (const auto& s : {"a b"s, "a;b"s, "a,b"s, "<a>"s, "\"a\""s, "a\n"s, "a\0"s, "\xc3\xa4"s, std::string(256, 'a')})
    bad(Errc::bad_header, check_tag("to_tag", s), "to_tag");
}

TEST(Validate, an_etag_is_a_token) {
  CHECK(check_etag("").ok());
  CHECK(check_etag("a.1234567890.1-2.3%!*_+`'~").ok());
  for (const auto& s : {"a b"s, "a\r\n"s, "\"a\""s, "a;b"s, "a,b"s, "a\0"s, "a=b"s, "\xc3\xa4"s})
    bad(Errc::bad_header, check_etag(s), "etag");
  CHECK(check_etag(std::string(255, 'a')).ok());
  bad(Errc::too_large, check_etag(std::string(256, 'a')), "etag");
}

TEST(Validate, extra_headers_are_whole_lines) {
  CHECK(check_headers("", 100).ok());
  CHECK(check_headers("X-A: 1\r\n", 100).ok());
  CHECK(check_headers("X-A: 1\r\nPriority:\turgent\r\nX-B:\r\n", 100).ok());
  for (const auto& s : {"X-A: 1"s, "X-A: 1\n"s, "X-A: 1\r\nrest"s, "no colon\r\n"s, ": x\r\n"s, "\r\n"s, "X A: 1\r\n"s,
                        "X-A: 1\rX-B: 2\r\n"s, "X-A: 1\nX-B: 2\r\n"s, "X-A: \0\r\n"s, " folded: 1\r\n"s, "X-A: 1\r\n\r\n"s,
                        "X-A: 1\r\n\r\nbody\r\n"s, "X\xc3\xa4: 1\r\n"s})
    bad(Errc::bad_header, check_headers(s, 100), "extra_headers");
  bad(Errc::too_large, check_headers("X-A: 12345\r\n", 11), "extra_headers");
}

TEST(Validate, headers_that_we_write_ourselves_are_refused_in_any_spelling) {
  for (const char* h : {"Via", "v", "From", "f", "To", "t", "Call-ID", "i", "CSeq", "Max-Forwards", "Event", "o", "Expires",
                        "SIP-If-Match", "Content-Type", "c", "Content-Length", "l", "Contact", "m", "Route", "Authorization",
                        "Proxy-Authorization", "VIA", "expires", "sip-if-match", "Expires "})
    bad(Errc::bad_header, check_headers(std::string(h) + ": x\r\n", 100), "set by the library");
}

// --- the same at the call ----------------------------------------------------------------------------------------

TEST_GROUP(ValidateCall) {
  Rig rig;
  void refused(Errc want, const Ask& a, const std::string& names) {
    Call& c = rig.ask(a);
    LONGS_EQUAL(static_cast<int>(want), static_cast<int>(c.code));
    STRCMP_CONTAINS(names.c_str(), c.message.c_str());
    rig.advance(kSecond);
    LONGS_EQUAL(0, rig.sent.size());
    LONGS_EQUAL(0, rig.completions);
    LONGS_EQUAL(0, rig.engine->records());
  }
};

TEST(ValidateCall, header_injection_is_refused_in_every_field) {
  refused(Errc::bad_uri, {.uri = "sip:a@h\r\nX: y", .body = "b"}, "pres_uri");
  refused(Errc::bad_header, {.body = "b", .id = "a\r\nX: y"}, "id");
  refused(Errc::bad_header, {.body = "b", .etag = "e\r\nX: y"}, "etag");
  refused(Errc::bad_header, {.body = "b", .content_type = "a/b\r\nX: y"}, "content_type");
  refused(Errc::bad_header, {.body = "b", .headers = "X: y\r\n\r\ninjected"}, "extra_headers");
  refused(Errc::bad_uri, {.body = "b", .proxy = "sip:p\r\nX: y"}, "outbound_proxy");
}

TEST(ValidateCall, sizes_are_bounded) {
  refused(Errc::too_large, {.body = std::string(16385, 'x')}, "max_body");
  refused(Errc::too_large, {.body = "b", .headers = "X: " + std::string(4096, 'y') + "\r\n"}, "extra_headers");
  refused(Errc::too_large, {.body = "b", .id = std::string(256, 'i')}, "id");
  refused(Errc::bad_uri, {.uri = "sip:" + std::string(2000, 'u') + "@h", .body = "b"}, "pres_uri");
  Call& c = rig.ask({.body = std::string(16384, 'x')});
  LONGS_EQUAL(0, static_cast<int>(c.code));
}

TEST(ValidateCall, source_and_event_are_checked) {
  refused(Errc::bad_argument, {.body = "b", .source = 0}, "source");
  refused(Errc::bad_argument, {.body = "b", .source = -1}, "source");
  refused(Errc::bad_argument, {.body = "b", .source = 3}, "source");
  refused(Errc::unknown_event, {.body = "b", .event = 0}, "event");
  refused(Errc::unknown_event, {.body = "b", .event = 4096}, "4096");
}

TEST(ValidateCall, body_and_content_type_belong_together) {
  refused(Errc::bad_body, {.body = ""}, "body");
  refused(Errc::bad_argument, {.content_type = "text/plain"}, "content_type");
  refused(Errc::bad_argument, {.body = "b", .event = kCallInfo}, "content_type");
}

TEST(ValidateCall, what_a_body_processor_refuses_is_refused_and_changes_nothing) {
  rig.processor = [](const BodyRequest&, std::string&, bool&, std::string&) -> Result<Unit> {
    return {Errc::bad_body, "not XML, line 1"};
  };
  refused(Errc::bad_body, {.body = "<"}, "line 1");
}

TEST(ValidateCall, a_body_that_grew_too_large_is_refused) {
  rig.processor = [](const BodyRequest&, std::string& out, bool&, std::string&) -> Result<Unit> {
    out = std::string(40000, 'x');
    return success();
  };
  refused(Errc::too_large, {.body = "b"}, "max_body");
}
