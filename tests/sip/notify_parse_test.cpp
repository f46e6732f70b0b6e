// NOTIFYs from octets: what is read, what is refused and how, also of the kind that RFC 4475 collects.
#include <string>

#include "core/validate.h"
#include "sip/notify_parse.h"
#include "tests/sip/notify_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SipNotifyParse) {
  NotifyMessage m;
  Notified ok(const std::string& text) {
    auto r = parse_notify(text);
    CHECK_TEXT(r.ok(), r.ok() ? "" : r.error().message.c_str());
    CHECK_FALSE(r->refusal().has_value());
    return copy_of(r->request());
  }
  Notified ok() { return ok(m.text()); }
  std::string bad(const std::string& text) {
    auto r = parse_notify(text);
    if (r.ok() && r->refusal()) return std::to_string(r->refusal()->status) + " " + r->refusal()->reason;
    if (r.ok()) return "(accepted)";
    LONGS_EQUAL(static_cast<int>(Errc::bad_argument), static_cast<int>(r.code()));
    return r.error().message;
  }
  std::string bad() { return bad(m.text()); }
};

// A document is the sender's, but its target is not to be chosen by whoever wrote the document.
TEST(SipNotifyParse, a_body_that_looks_like_header_fields_is_a_body) {
  m.headers = "Event: presence\r\nSubscription-State: active\r\nContent-Type: text/plain\r\n";
  m.body = "Contact: <sip:evil@192.0.2.66>\r\n";
  Notified n = ok();
  STRCMP_EQUAL("", n.contact.c_str());
  m.body = "Record-Route: <sip:evil@192.0.2.66;lr>";
  STRCMP_EQUAL("", ok().route_set.c_str());
  m.body = "m: <sip:evil@192.0.2.66>";
  STRCMP_EQUAL("", ok().contact.c_str());
}

// The host may hand in what it likes.
TEST(SipNotifyParse, of_a_message_that_is_too_long_the_head_is_read) {
  m.body = std::string(1048576, 'x');   // the largest max_notify_body
  LONGS_EQUAL(1048576, ok().body.size());
  LONGS_EQUAL(0, ok().left_out);
  m.body += std::string(65536, 'x');
  Notified n = ok();
  LONGS_EQUAL(0, n.body.size());
  LONGS_EQUAL(1048576 + 65536, n.left_out);
  STRCMP_EQUAL("active", n.state.c_str());
  STRCMP_EQUAL("sub-1@pua", n.call_id.c_str());
  STRCMP_CONTAINS("\r\nContent-Length: 1114112\r\n", n.headers.c_str());
  m.headers = "Subject: " + std::string(1200000, 'x') + "\r\n";
  STRCMP_EQUAL("the message is not a SIP request", bad().c_str());
}

TEST(SipNotifyParse, every_field_is_read) {
  m.headers = "Event: presence;id=7;x=y\r\nSubscription-State: terminated;reason=timeout;expires=600;retry-after=30\r\n"
              "Contact: <sip:server@192.0.2.9:5070;transport=tcp>;x=1\r\nRecord-Route: <sip:p1;lr>, <sip:p2;lr=on;ftag=a>\r\n"
              "Content-Type: multipart/related;boundary=\"a b\"\r\n";
  Notified n = ok();
  STRCMP_EQUAL("sub-1@pua", n.call_id.c_str());
  STRCMP_EQUAL("lt-1", n.local_tag.c_str());
  STRCMP_EQUAL("rt-1", n.remote_tag.c_str());
  LONGS_EQUAL(5, n.cseq);
  STRCMP_EQUAL("presence;x=y", n.event.c_str());   // whether that is a package of its own the engine knows
  STRCMP_EQUAL("7", n.event_id.c_str());
  STRCMP_EQUAL("terminated", n.state.c_str());
  STRCMP_EQUAL("timeout", n.reason.c_str());
  LONGS_EQUAL(600, n.expires);
  LONGS_EQUAL(30, n.retry_after);
  STRCMP_EQUAL("sip:server@192.0.2.9:5070;transport=tcp", n.contact.c_str());
  STRCMP_EQUAL("<sip:p1;lr>, <sip:p2;lr=on;ftag=a>", n.route_set.c_str());
  STRCMP_EQUAL("multipart/related;boundary=\"a b\"", n.content_type.c_str());
  STRCMP_EQUAL("<presence/>", n.body.c_str());
}

TEST(SipNotifyParse, a_contact_with_an_ipv6_address_and_escapes_in_its_parameters_is_one_that_the_engine_takes) {
  m.headers = "Event: presence\r\nSubscription-State: active\r\n"
              "Contact: <sip:n@10.0.0.2;x=%20;alias=[2001:db8::5]~5060~1;gr=urn%3Auuid>\r\nContent-Type: a/b\r\n";
  std::string contact = ok().contact;
  STRCMP_EQUAL("sip:n@10.0.0.2;x=%20;alias=[2001:db8::5]~5060~1;gr=urn%3Auuid", contact.c_str());
  CHECK_TRUE(check_uri("Contact", contact).ok());
}

TEST(SipNotifyParse, what_is_not_there_is_empty) {
  m.headers = "Event: presence\r\nSubscription-State: pending\r\n";
  m.body = "";
  Notified n = ok();
  LONGS_EQUAL(-1, n.expires);
  LONGS_EQUAL(-1, n.retry_after);
  STRCMP_EQUAL("", (n.event_id + n.reason + n.contact + n.route_set + n.content_type + n.body).c_str());
}

TEST(SipNotifyParse, the_views_stay_when_it_is_moved) {
  auto made = [&] {
    auto r = parse_notify(m.text());
    return std::move(*r);
  };
  ParsedNotify a = made(), b = std::move(a);
  a = made();
  STRCMP_EQUAL("sip:server@192.0.2.9:5070", std::string(b.request().contact).c_str());
  STRCMP_EQUAL("<presence/>", std::string(b.request().body).c_str());
}

// RFC 4475 section 3.1.1.1 and others: legal, if unusual.
TEST(SipNotifyParse, odd_but_legal_messages_are_read) {
  std::string text =
      "NOTIFY sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
      "TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
      "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n"
      "MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\n"
      "CSeq: 0009\r\n  NOTIFY\r\nVia  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\n"
      "NewFangledHeader:   newfangled value\r\n continued newfangled value\r\nUnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"
      "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
      "o   : \r\n  presence  ;   id =  a7\r\nsubscription-STATE :  active ;  expires  =  60\r\n"
      "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n newvalue ;\r\n  secondparam ; q = 0.33\r\n"
      "c : application / pidf+xml ; charset = utf-8\r\nl: 4\r\n\r\nbody";
  Notified n = ok(text);
  STRCMP_EQUAL("1918181833n", n.local_tag.c_str());
  STRCMP_EQUAL("98asjd8", n.remote_tag.c_str());
  LONGS_EQUAL(9, n.cseq);
  STRCMP_EQUAL("presence", n.event.c_str());
  STRCMP_EQUAL("a7", n.event_id.c_str());
  STRCMP_EQUAL("active", n.state.c_str());
  LONGS_EQUAL(60, n.expires);
  STRCMP_EQUAL("sip:jdrosen@example.com", n.contact.c_str());
  STRCMP_EQUAL("application/pidf+xml;charset=utf-8", n.content_type.c_str());
  STRCMP_EQUAL("body", n.body.c_str());
}

TEST(SipNotifyParse, compact_forms_and_octets_of_any_kind_in_the_body) {
  std::string body("a\0b\r\n\r\n\xff", 8);
  Notified n = ok("NOTIFY sip:w@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKa\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>;tag=2\r\ni: x\r\n"
                  "CSeq: 1 NOTIFY\r\no: dialog;sla\r\nSubscription-State: active\r\nc: text/plain\r\nl: 8\r\n\r\n" + body);
  CHECK_TRUE(n.body == body);
  STRCMP_EQUAL("dialog;sla", n.event.c_str());
}

TEST(SipNotifyParse, a_missing_field_is_named) {
  auto without = [&](std::string NotifyMessage::* field) {
    NotifyMessage x;
    x.*field = "";
    return bad(x.text());
  };
  STRCMP_EQUAL("NOTIFY: Call-ID: missing", without(&NotifyMessage::call_id).c_str());
  STRCMP_EQUAL("NOTIFY: CSeq: missing", without(&NotifyMessage::cseq).c_str());
  STRCMP_EQUAL("NOTIFY: From: missing", without(&NotifyMessage::from).c_str());
  STRCMP_EQUAL("NOTIFY: To: missing", without(&NotifyMessage::to).c_str());
  m.from = "<sip:bob@example.com>";
  STRCMP_EQUAL("NOTIFY: From: no tag", bad().c_str());
  m = {};
}

// Whether it is needed depends on the subscription, which the engine knows.
TEST(SipNotifyParse, what_only_the_engine_can_miss_is_left_empty) {
  m.to = "\"Bob\" <sip:bob@example.com;x=y>";
  Notified n = ok();
  STRCMP_EQUAL("", n.local_tag.c_str());
  STRCMP_EQUAL("sip:bob@example.com;x=y", n.to_uri.c_str());
  m = {};
  m.headers = "Subscription-State: active\r\nContent-Type: a/b\r\n";
  STRCMP_EQUAL("", ok().event.c_str());
  m.headers = "Event: presence\r\nContent-Type: a/b\r\n";
  STRCMP_EQUAL("", ok().state.c_str());
  m.headers = "Event: presence\r\nSubscription-State: active\r\n";
  STRCMP_EQUAL("", ok().content_type.c_str());
}

// The NOTIFY counts without its document, and without a Contact.
TEST(SipNotifyParse, a_document_or_contact_that_cannot_be_used_is_no_reason_to_refuse) {
  const std::string head = "Event: presence\r\nSubscription-State: active\r\n";
  m.headers = head + "Content-Type: a/b\r\nContent-Encoding: gzip\r\n";
  STRCMP_EQUAL("it is encoded (Content-Encoding)", ok().body_problem.c_str());
  m.headers = head + "Content-Type: a/b\r\nContent-Encoding: identity\r\n";
  STRCMP_EQUAL("", ok().body_problem.c_str());
  for (const char* contact : {"<sip:a@[::1>", "*", "<>"}) {
    m.headers = head + "Content-Type: a/b\r\nContact: " + contact + "\r\n";
    STRCMP_EQUAL("", ok().contact.c_str());
  }
}

// The engine knows whether it makes the dialog: else it says nothing (RFC 3261 section 12.2).
TEST(SipNotifyParse, a_record_route_that_cannot_be_used_is_left_out_and_said) {
  m.headers += "Record-Route: <sip:a;lr>, garbage,,<\r\n";
  auto r = parse_notify(m.text());
  CHECK_TRUE(r.ok());
  STRCMP_EQUAL("", std::string(r->request().route_set).c_str());
  STRCMP_EQUAL("its Record-Route cannot be used", std::string(r->request().route_problem).c_str());
  m = {};
  m.headers += "Record-Route: <sip:a;lr>\r\n";
  r = parse_notify(m.text());
  STRCMP_EQUAL("<sip:a;lr>", std::string(r->request().route_set).c_str());
  STRCMP_EQUAL("", std::string(r->request().route_problem).c_str());
}

TEST(SipNotifyParse, of_one_that_is_refused_the_dialog_is_there_as_far_as_it_can_be_read) {
  auto dialog = [&] {
    auto r = parse_any_notify(m.text());
    CHECK_TRUE(r.ok() && r->refusal());
    const NotifyRequest& n = r->request();
    m = {};
    return std::string(n.call_id) + "|" + std::string(n.local_tag) + "|" + std::string(n.remote_tag);
  };
  m.from = "<sip:bob@example.com>";
  STRCMP_EQUAL("sub-1@pua|lt-1|", dialog().c_str());
  m.to = "<sip:watcher@example.com>;tag=\"lt-1\"";
  STRCMP_EQUAL("sub-1@pua||rt-1", dialog().c_str());
  m.cseq = "";
  STRCMP_EQUAL("sub-1@pua|lt-1|rt-1", dialog().c_str());
  m.headers += "Call-ID: second\r\n";
  STRCMP_EQUAL("sub-1@pua|lt-1|rt-1", dialog().c_str());
  m.call_id = "";
  STRCMP_EQUAL("|lt-1|rt-1", dialog().c_str());
}

TEST(SipNotifyParse, event_and_subscription_state_are_read_for_what_they_say) {
  m.headers = "Event: presence;id=\r\nSubscription-State: Active ; expires = \"600\";\r\nContent-Type: a/b\r\n";
  Notified n = ok();
  STRCMP_EQUAL("presence", n.event.c_str());
  STRCMP_EQUAL("", n.event_id.c_str());
  STRCMP_EQUAL("active", n.state.c_str());
  LONGS_EQUAL(600, n.expires);
  m.headers = "Event: presence\r\nSubscription-State: active;expires=soon;retry-after=\r\nContent-Type: a/b\r\n";
  LONGS_EQUAL(-1, ok().expires);
}

TEST(SipNotifyParse, a_field_that_is_not_readable_is_named) {
  struct Case {
    const char *headers, *why;
  };
  const std::string event = "Event: presence\r\n", state = "Subscription-State: active\r\n", type = "Content-Type: a/b\r\n";
  auto with = [&](const std::string& headers) {
    NotifyMessage x;
    x.headers = headers;
    return bad(x.text());
  };
  auto names = [&](const char* field, const std::string& why) {
    CHECK_TEXT(why.find(std::string("NOTIFY: ") + field + ": ") == 0, why.c_str());
  };
  names("Event", with("Event: ;id=3\r\n" + state + type));
  names("Event", with(event + "Event: dialog\r\n" + state + type));
  names("Subscription-State", with(event + "Subscription-State: ;expires=3\r\n" + type));
  names("Subscription-State", with(event + state + "Subscription-State: pending\r\n" + type));
  STRCMP_EQUAL("420 Bad Extension", with(event + state + type + "Require: 100rel, eventlist, magic\r\n").c_str());
  for (auto [field, value] : {std::pair{&NotifyMessage::cseq, "x NOTIFY"}, {&NotifyMessage::cseq, "36893488147419103232 NOTIFY"},
                              {&NotifyMessage::cseq, "5 SUBSCRIBE"}, {&NotifyMessage::cseq, "-1 NOTIFY"}, {&NotifyMessage::cseq, "5"}}) {
    NotifyMessage x;
    x.*field = value;
    names("CSeq", bad(x.text()));
  }
  NotifyMessage x;
  x.from = "\"bob <sip:b@c>;tag=1";
  names("From", bad(x.text()));
  x = {};
  x.headers += "CSeq: 9 NOTIFY\r\n";
  names("CSeq", bad(x.text()));
  x = {};
  x.headers += "Call-ID: second\r\n";
  names("Call-ID", bad(x.text()));
  x = {};
  x.headers += "To: <sip:x@y>;tag=2\r\n";
  names("To", bad(x.text()));
}

TEST(SipNotifyParse, very_long_times_are_very_long) {
  m.headers = "Event: presence\r\nSubscription-State: active;expires=99999999999999999999999;retry-after=4294967296\r\nContent-Type: a/b\r\n";
  LONGLONGS_EQUAL(0xffffffff, ok().expires);
  LONGLONGS_EQUAL(0xffffffff, ok().retry_after);
}

TEST(SipNotifyParse, fields_that_do_not_matter_may_be_broken) {
  m.headers += "Date: yesterday\r\nExpires: never\r\nAccept: ;;\r\nRetry-After: x\r\nX-Thing\x01: a\r\nRequire: eventlist\r\n";
  STRCMP_EQUAL("presence", ok().event.c_str());
}

TEST(SipNotifyParse, a_length_that_lies_is_refused_and_what_is_behind_the_body_is_not_read) {
  std::string text = m.text();
  size_t at = text.find("Content-Length: 11");
  STRCMP_EQUAL("NOTIFY: Content-Length: longer than the message", bad(std::string(text).replace(at, 18, "Content-Length: 99")).c_str());
  STRCMP_EQUAL("<pres", ok(std::string(text).replace(at, 18, "Content-Length: 5")).body.c_str());
  CHECK_FALSE(bad(std::string(text).replace(at, 18, "Content-Length: -9")) == "(accepted)");
  STRCMP_EQUAL("<presence/>", ok(std::string(text).replace(at, 20, "")).body.c_str());
}

TEST(SipNotifyParse, what_is_no_notify_is_said) {
  for (std::string s : {std::string(), std::string("\r\n\r\n"), std::string("SIP/2.0 200 OK\r\n\r\n"), std::string("NOTIFY\r\n\r\n"),
                        std::string(100, '\0'), std::string(2 << 20, 'x'), std::string("NOTIFY sip:a@b SIP/2.0 extra stuff\r\n")})
    CHECK_FALSE(bad(s) == "(accepted)");
  STRCMP_EQUAL("the message is not a NOTIFY", bad("SUBSCRIBE sip:a@b SIP/2.0\r\nCSeq: 1 SUBSCRIBE\r\n\r\n").c_str());
  std::string text = m.text();
  STRCMP_EQUAL("the message is not of SIP/2.0", bad(text.replace(text.find("SIP/2.0"), 7, "SIP/7.0")).c_str());
}

TEST(SipNotifyParse, every_beginning_of_a_message_is_safe) {
  std::string text = m.text();
  for (size_t n = 0; n < text.size(); n++) CHECK_FALSE(bad(text.substr(0, n)) == "(accepted)");
}

TEST(SipNotifyParse, the_dialog_of_any_request_is_read) {
  std::string invite = "SUBSCRIBE sip:w@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
                       "Call-ID: x\r\nCSeq: 1 SUBSCRIBE\r\nContact: \"A\" <sip:a@192.0.2.1:5099?h=i>\r\n\r\n";
  auto r = parse_in_dialog(invite);
  CHECK_TRUE(r.ok());
  STRCMP_EQUAL("x", r->call_id.c_str());
  STRCMP_EQUAL("2", r->local_tag.c_str());
  STRCMP_EQUAL("1", r->remote_tag.c_str());
  STRCMP_EQUAL("sip:a@192.0.2.1:5099", r->contact.c_str());
  auto why = [](std::string text, const std::string& from, const std::string& to) {
    auto x = parse_in_dialog(text.replace(text.find(from), from.size(), to));
    return x.ok() ? std::string("(accepted)") : x.error().message;
  };
  STRCMP_EQUAL("Contact: missing", why(invite, "Contact", "X-Contact").c_str());
  STRCMP_EQUAL("Contact: not usable", why(invite, "\"A\" <sip:a@192.0.2.1:5099?h=i>", "*").c_str());
  STRCMP_EQUAL("To: no tag", why(invite, ";tag=2", "").c_str());
  STRCMP_EQUAL("From: no tag", why(invite, ";tag=1", "").c_str());
  STRCMP_EQUAL("Call-ID: missing", why(invite, "Call-ID", "X-ID").c_str());
  CHECK_FALSE(parse_in_dialog("SIP/2.0 200 OK\r\n\r\n").ok());
  CHECK_FALSE(parse_in_dialog("").ok());
}
