// The scanner: what it finds in plain messages, and what it leaves to sofia's parser.
#include <string>

#include "sip/notify_scan.h"
#include "sip/reply_scan.h"
#include "sip/scan.h"
#include "sip/stack.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using Kind = Scan::Kind;

namespace {

std::string str(std::string_view v) { return std::string(v); }

const std::string kReply =
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa;rport=5060\r\nFrom: <sip:a@b>;tag=f\r\nTo: \"A b\" <sip:a@b>;tag=t\r\n"
    "Call-ID: c@h\r\nCSeq: 7 SUBSCRIBE\r\nSIP-ETag: e1\r\nExpires: 3600\r\nContact: <sip:n@192.0.2.1:5070;x=y>;expires=5\r\nContent-Length: 0\r\n\r\n";

const std::string kNotify =
    "NOTIFY sip:w@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKn\r\nvia: SIP/2.0/UDP 192.0.2.2\r\nf: <sip:a@b>;tag=r\r\n"
    "t: sip:w@h;tag=l\r\ni: c@h\r\nCSeq: 9 NOTIFY\r\no: presence;id=4\r\nSubscription-State: Active;expires=60;reason=x\r\n"
    "m: <sip:n@192.0.2.1>\r\nc: application/pidf+xml\r\nl: 5\r\n\r\n<a/>\nmore";

std::string with(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  CHECK_TEXT(at != std::string::npos, from.c_str());
  return text.replace(at, from.size(), to);
}

Kind kind_of(const std::string& text) {
  Scan s;
  scan(text, s);
  return s.kind;
}

bool plain_reply(const std::string& text, SipReply& r, const char* method = "SUBSCRIBE") {
  static Scan s;
  static std::string kept;
  kept = text;
  scan(kept, s);
  r = {};
  return s.kind == Kind::Response && read_plain_reply(s, method, r);
}

bool plain_notify(const std::string& text, NotifyRequest& n) {
  static Scan s;
  static std::string kept;
  static PlainNotifyText words;
  kept = text;
  scan(kept, s);
  n = {};
  return read_plain_notify(s, words, n);
}

}  // namespace

TEST_GROUP(SipScan) {};

TEST(SipScan, a_response_is_read_with_its_fields) {
  Scan s;
  scan(kReply, s);
  CHECK(s.kind == Kind::Response);
  LONGS_EQUAL(200, s.status);
  STRCMP_EQUAL("OK", str(s.reason).c_str());
  LONGS_EQUAL(1, s.via_count);
  STRCMP_EQUAL("c@h", str(s[Field::CallId]).c_str());
  STRCMP_EQUAL("", str(s.body).c_str());
  SipReply r;
  CHECK_TRUE(plain_reply(kReply, r));
  LONGS_EQUAL(3600, r.expires);
  STRCMP_EQUAL("e1", str(r.etag).c_str());
  STRCMP_EQUAL("t", str(r.to_tag).c_str());
  STRCMP_EQUAL("sip:n@192.0.2.1:5070;x=y", str(r.contact).c_str());
  LONGS_EQUAL(-1, r.min_expires);
  CHECK_TRUE(plain_reply(with(kReply, "SUBSCRIBE", "PUBLISH"), r, "PUBLISH"));
  STRCMP_EQUAL("", str(r.to_tag).c_str());   // no dialog
}

TEST(SipScan, a_notify_is_read_in_compact_form_and_words_have_no_case) {
  NotifyRequest n;
  CHECK_TRUE(plain_notify(kNotify, n));
  STRCMP_EQUAL("c@h", str(n.call_id).c_str());
  STRCMP_EQUAL("l", str(n.local_tag).c_str());
  STRCMP_EQUAL("r", str(n.remote_tag).c_str());
  LONGS_EQUAL(9, n.cseq);
  STRCMP_EQUAL("presence", str(n.event).c_str());
  STRCMP_EQUAL("4", str(n.event_id).c_str());
  STRCMP_EQUAL("active", str(n.state).c_str());
  STRCMP_EQUAL("x", str(n.reason).c_str());
  LONGS_EQUAL(60, n.expires);
  LONGS_EQUAL(-1, n.retry_after);
  STRCMP_EQUAL("sip:n@192.0.2.1", str(n.contact).c_str());
  STRCMP_EQUAL("application/pidf+xml", str(n.content_type).c_str());
  STRCMP_EQUAL("<a/>\n", str(n.body).c_str());
  size_t head = std::string(kNotify).find("\r\n\r\n") + 4;
  CHECK_TRUE(plain_notify(with(std::string(kNotify).substr(0, head), "l: 5", "l: 0"), n));
  STRCMP_EQUAL("", str(n.content_type).c_str());     // without a body the field says nothing
}

TEST(SipScan, what_changes_how_a_message_is_read_is_odd) {
  for (const std::string& text : {
           with(kReply, "Expires: 3600", "Expires: 3600\r\nExpires: 60"),        // twice
           with(kReply, "Expires: 3600", "Expires : 3600"),                     // a blank before the colon
           with(kReply, "Expires: 3600", "Subject: a\r\n b"),                   // folded
           with(kReply, "Expires: 3600", "Subject: a\rExpires: 7"),             // a CR within
           with(kReply, "Expires: 3600", "Subject: a\nExpires: 7"),             // a bare LF
           with(kReply, "Expires: 3600", std::string("Subject: a\0b", 12)),     // NUL
           with(kReply, "Expires: 3600", "no colon"),
           with(kReply, "Expires: 3600", "Record-Route: <sip:p;lr>"),
           with(kReply, "Expires: 3600", "Require: x"),
           with(kReply, "Expires: 3600", "e: gzip"),
           with(kReply, "Content-Length: 0", "Content-Length: 1"),              // longer than the message
           with(kReply, "Content-Length: 0", "Content-Length: -1"),
           with(kReply, "Call-ID: c@h\r\n", ""),
           with(kReply, "SIP/2.0 200", "SIP/2.0 099"),
           with(kReply, "SIP/2.0 200", "SIP/2.0 2000"),
           with(kReply, "SIP/2.0 200", "SIP/3.0 200"),
           with(kReply, "SIP/2.0 200 OK", "SIP/2.0 200  OK"),                    // a blank at an end of the reason
           with(kReply, "SIP/2.0 200 OK", "SIP/2.0 200 OK\t"),
           with(kReply, "\r\n\r\n", "\r\n"),                                    // no end of the head
           std::string(), std::string("\r\n\r\n"), std::string("SIP/2.0 200 OK\r\n\r\n"),
       })
    CHECK_TEXT(kind_of(text) == Kind::Odd, text.c_str());
}

TEST(SipScan, values_of_another_form_than_the_plain_one_are_odd) {
  SipReply r;
  for (const char* expires : {"soon", "3600;x", "4294967295", "-1", "", "36 00"})
    CHECK_FALSE_TEXT(plain_reply(with(kReply, "3600", expires), r), expires);
  for (const char* contact : {"<sip:a?b=c>", "\"x\" <sip:n@h>", "<sip:a@b>, <sip:c@d>", "sip:a@b", "*", "<sip:a@b", "<>", "<sip:a@[::1>"})
    CHECK_FALSE_TEXT(plain_reply(with(kReply, "<sip:n@192.0.2.1:5070;x=y>;expires=5", contact), r), contact);
  for (const char* to : {"<sip:a@b>;tag=\"t\"", "<sip:a@b>;tag=t;tag=u", "\"a<b\" <sip:a@b>;tag=t", "<sip:a@b;tag=t", "<sip:a@b>;tag=", "<sip:a@b> x;tag=t"})
    CHECK_FALSE_TEXT(plain_reply(with(kReply, "\"A b\" <sip:a@b>;tag=t", to), r), to);
  CHECK_FALSE(plain_reply(with(kReply, "e1", "e 1"), r));
  NotifyRequest n;
  for (const char* state : {"", "act#ve", "active;reason\x94x", "active;expires=x", "active;expires=1;expires=2", "active;a=b=c;expires=1", "active;;expires=1", "active;expires=", "active;reason=\"a\"", "a,b"})
    CHECK_FALSE_TEXT(plain_notify(with(kNotify, "Active;expires=60;reason=x", state), n), state);
  CHECK_FALSE(plain_notify(with(kNotify, "CSeq: 9 NOTIFY", "CSeq: 9 PUBLISH"), n));
  CHECK_FALSE(plain_notify(with(kNotify, "CSeq: 9 NOTIFY", "CSeq: 4294967295 NOTIFY"), n));
  CHECK_FALSE(plain_notify(with(kNotify, "c: application/pidf+xml\r\n", ""), n));    // a body of no type
  for (const char* type : {"application", "application/", "/xml", "application/Require:", "application /xml", "a/b;x y", "a/b;", "a/b;x=\"y\"", "a/b, c/d"})
    CHECK_FALSE_TEXT(plain_notify(with(kNotify, "application/pidf+xml", type), n), type);
  CHECK_FALSE(plain_notify(with(kNotify, "application/pidf+xml", "text/plain; a=b"), n));
}
