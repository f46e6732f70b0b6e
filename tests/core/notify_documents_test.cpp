// NOTIFYs whose document cannot be used: what they say of the subscription counts all the same
// (src/core/subscriptions_notify.cpp).
#include <string>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(NotifyDocuments) {
  SubsRig rig;
  // Taken, with the document left out.
  void left_out(const Bring& b, BadDocument why, const char* said) {
    uint64_t before = static_cast<uint64_t>(rig.stats().notifies_bad_document);
    LONGS_EQUAL(200, rig.notify(b).status);
    TEXT_EQUAL("", rig.heard.back().body);
    TEXT_EQUAL("", rig.heard.back().content_type);
    TEXT_EQUAL(b.state, rig.heard.back().state);
    LONGS_EQUAL(static_cast<int>(why), static_cast<int>(rig.heard.back().bad));
    LONGS_EQUAL(before + 1, rig.stats().notifies_bad_document);
    CHECK_TEXT(rig.logged(LogLevel::warning, std::string("200 to NOTIFY for sip:alice@example.com: taken, but its document cannot be used: ") + said), said);
  }
  void nothing_is_well_formed() {
    rig.inspector = [](int32_t, std::string_view, std::string_view) -> Result<DocumentState> { return {Errc::bad_body, "no element presence"}; };
  }
};

TEST(NotifyDocuments, without_a_type_a_body_is_left_out) {
  rig.live();
  left_out({.body = "x", .content_type = "-"}, BadDocument::NoType, "it has no Content-Type");
}

TEST(NotifyDocuments, of_a_type_that_was_not_asked_for_a_body_is_left_out) {
  rig.live();
  left_out({.body = "x", .content_type = "text/html"}, BadDocument::OtherType, "its Content-Type is text/html, not application/pidf+xml");
}

TEST(NotifyDocuments, a_type_that_the_owner_asked_for_is_shown) {
  rig.live({.headers = "Accept: text/html\r\nSupported: eventlist\r\n"});
  TEXT_EQUAL("", rig.last().accept);   // an Accept of the owner's takes the place of the event's
  for (const char* type : {"text/html", "multipart/related;type=\"application/rlmi+xml\";boundary=x"}) {
    LONGS_EQUAL(200, rig.notify({.body = "x", .content_type = type}).status);
    TEXT_EQUAL(type, rig.heard.back().content_type);
    TEXT_EQUAL("x", rig.heard.back().body);
  }
  left_out({.body = "x", .content_type = "text/plain"}, BadDocument::OtherType, "its Content-Type is text/plain, not application/pidf+xml");
}

TEST(NotifyDocuments, the_limit_is_their_own_and_one_beyond_it_is_left_out) {
  rig.live();
  LONGS_EQUAL(200, rig.notify({.body = std::string(262144, 'x')}).status);
  LONGS_EQUAL(262144, rig.heard.back().body.size());
  left_out({.body = std::string(262145, 'x')}, BadDocument::TooLarge, "it has 262145 octets, max_notify_body is 262144");
}

// A document that was too long to be held: only its length is known.
TEST(NotifyDocuments, one_that_is_not_there_because_of_its_length_is_left_out) {
  rig.live();
  left_out({.left_out = 300000}, BadDocument::TooLarge, "it has 300000 octets, max_notify_body is 262144");
}

TEST(NotifyDocuments, one_that_is_not_what_its_type_says_is_left_out_and_the_log_says_why) {
  rig.live();
  nothing_is_well_formed();
  left_out({.body = "<nonsense/>"}, BadDocument::Malformed, "no element presence");
}

//   |--- SUBSCRIBE ---------->|
//   |<-- 200 -----------------|
//   |<-- NOTIFY, bad body ----|   the dialog stands: no timer N, no new one
TEST(NotifyDocuments, a_first_notify_counts_whatever_its_document_is) {
  nothing_is_well_formed();
  rig.subscribe({.expires = kForEver});
  rig.accept(3600);
  LONGS_EQUAL(200, rig.notify({.expires = 1800, .body = "<nonsense/>"}).status);
  TEXT_EQUAL("live", rig.state());
  rig.advance(60 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
  rig.text({}, [](const RecordView& v) { LONGS_EQUAL(1740, v.expires_in); });
}

TEST(NotifyDocuments, a_last_notify_ends_the_subscription_whatever_its_document_is) {
  nothing_is_well_formed();
  rig.live({.expires = kForEver});
  left_out({.state = "terminated", .reason = "rejected", .body = "<nonsense/>"}, BadDocument::Malformed, "no element presence");
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  rig.advance(3600 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
}

TEST(NotifyDocuments, its_cseq_counts_whatever_its_document_is) {
  nothing_is_well_formed();
  rig.live();
  rig.notify({.body = "<nonsense/>", .cseq = 70});
  LONGS_EQUAL(500, rig.refused({.cseq = 69}));
}

TEST(NotifyDocuments, who_asks_for_bad_ones_gets_them_flagged_but_none_that_is_too_large) {
  rig.settings.bad_documents = true;
  rig.restart();
  nothing_is_well_formed();
  rig.live();
  LONGS_EQUAL(200, rig.notify({.body = "<nonsense/>"}).status);
  TEXT_EQUAL("<nonsense/>", rig.heard.back().body);
  LONGS_EQUAL(static_cast<int>(BadDocument::Malformed), static_cast<int>(rig.heard.back().bad));
  LONGS_EQUAL(200, rig.notify({.body = "x", .content_type = "text/html"}).status);
  TEXT_EQUAL("text/html", rig.heard.back().content_type);
  left_out({.body = std::string(262145, 'x')}, BadDocument::TooLarge, "it has 262145 octets, max_notify_body is 262144");
}
