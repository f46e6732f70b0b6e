// Event and Subscription-State as notifiers write them, and the header fields as handlers are shown them.
#include "core/notify_fields.h"

#include <string>

#include "core/uri.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(NotifyFields) {
  std::string event, id;
  SubscriptionState state;

  void is_event(const char* value, const char* wanted, const char* wanted_id) {
    CHECK_TEXT(parse_event_value(value, event, id), value);
    STRCMP_EQUAL(wanted, event.c_str());
    STRCMP_EQUAL(wanted_id, id.c_str());
  }
  void is_contact(const char* value, const char* uri) { STRCMP_EQUAL(uri, std::string(first_contact_uri(value)).c_str()); }
};

TEST(NotifyFields, an_event_is_its_package_with_all_parameters_but_the_id) {
  is_event("presence", "presence", "");
  is_event(" presence ; id=7 ", "presence", "7");
  is_event("dialog;sla", "dialog;sla", "");
  is_event("dialog;ID=a.b;sla", "dialog;sla", "a.b");
}

TEST(NotifyFields, an_event_is_read_for_what_it_says) {
  is_event("presence;", "presence", "");
  is_event("presence;id", "presence", "");
  is_event("presence;id=", "presence", "");
  is_event("presence;;id = 1", "presence", "1");
  is_event("presence;id=\"1\"", "presence", "1");
  is_event("presence;id=1;id=2", "presence", "1");
  is_event("presence;x=\"open", "presence;x", "");
  is_event("presence.winfo;x=\"a;b\"", "presence.winfo;x", "");
}

TEST(NotifyFields, an_event_without_a_package_or_with_an_id_that_is_none_is_refused) {
  for (const char* bad : {"", " ", ";id=1", "pres ence", "presence;id=a b", "presence;id=a@b"})
    CHECK_FALSE_TEXT(parse_event_value(bad, event, id), bad);
}

TEST(NotifyFields, a_subscription_state_is_a_word_and_its_parameters) {
  CHECK(parse_subscription_state("Active;expires=600", state));
  STRCMP_EQUAL("active", state.state.c_str());
  LONGS_EQUAL(600, state.expires);
  LONGS_EQUAL(-1, state.retry_after);
  STRCMP_EQUAL("", state.reason.c_str());
  CHECK(parse_subscription_state("terminated ; Reason=Probation;retry-after=30;x=\"y\";z", state));
  STRCMP_EQUAL("terminated", state.state.c_str());
  STRCMP_EQUAL("probation", state.reason.c_str());
  LONGS_EQUAL(30, state.retry_after);
  LONGS_EQUAL(-1, state.expires);
}

TEST(NotifyFields, a_subscription_state_is_read_for_what_it_says) {
  for (const char* odd : {"active;expires = 600", "active;expires=\"600\"", "ACTIVE;;expires=600;", "active;expires=600;expires=5",
                          "active;reason=;expires=600", "active;expires=soon;expires=600",
                          "active expires=600", "active, expires=600", "active:expires=600", "\"active\";expires=600"}) {
    CHECK_TEXT(parse_subscription_state(odd, state), odd);
    STRCMP_EQUAL("active", state.state.c_str());
    LONGS_EQUAL(600, state.expires);
  }
  CHECK(parse_subscription_state("terminated;reason=\"rejected\"", state));
  STRCMP_EQUAL("rejected", state.reason.c_str());
}

TEST(NotifyFields, a_number_that_is_none_is_as_if_it_were_not_there) {
  for (const char* odd : {"active;", "active;expires", "active;expires=", "active;expires=-1", "active;expires=1x", "active;retry-after=soon"}) {
    CHECK_TEXT(parse_subscription_state(odd, state), odd);
    LONGS_EQUAL(-1, state.expires);
    LONGS_EQUAL(-1, state.retry_after);
  }
}

TEST(NotifyFields, seconds_beyond_the_largest_count_as_the_largest) {
  CHECK(parse_subscription_state("active;expires=99999999999999999999999999", state));
  LONGLONGS_EQUAL(4294967295LL, state.expires);
}

TEST(NotifyFields, a_subscription_state_without_a_word_is_refused) {
  for (const char* bad : {"", " ", ";expires=1", "=active", "\"\"", ",", "active, pending", "active pending"}) CHECK_FALSE_TEXT(parse_subscription_state(bad, state), bad);
}

TEST(NotifyFields, the_header_of_a_message_is_what_stands_between_its_first_line_and_the_empty_one) {
  STRCMP_EQUAL("A: 1\r\nB: 2\r\n", std::string(header_block("NOTIFY x SIP/2.0\r\nA: 1\r\nB: 2\r\n\r\nC: 3\r\n")).c_str());
  STRCMP_EQUAL("", std::string(header_block("NOTIFY x SIP/2.0\r\n\r\nC: 3\r\n")).c_str());
  STRCMP_EQUAL("", std::string(header_block("NOTIFY")).c_str());
  std::string much = "NOTIFY x SIP/2.0\r\n";
  for (int i = 0; i < 1000; i++) much += "X-Field: " + std::string(40, 'x') + "\r\n";
  LONGS_EQUAL(8192 / 51 * 51, header_block(much + "\r\n").size());   // whole lines only
}

TEST(NotifyFields, folded_lines_are_one) {
  std::string storage;
  HeaderField f[kMaxShownHeaders];
  std::string_view block = unfolded_block("Call-Info: <sip:a>,\r\n <sip:b>\r\nX : 1\r\n", storage);
  LONGS_EQUAL(2, split_headers(block, f));
  STRCMP_EQUAL("Call-Info", std::string(f[0].name).c_str());
  STRCMP_EQUAL("<sip:a>, <sip:b>", std::string(f[0].value).c_str());
  STRCMP_EQUAL("X", std::string(f[1].name).c_str());
  STRCMP_EQUAL("1", std::string(f[1].value).c_str());
}

TEST(NotifyFields, no_more_than_64_fields_are_shown) {
  std::string many;
  for (int i = 0; i < 100; i++) many += "A: b\r\n";
  HeaderField f[kMaxShownHeaders];
  LONGS_EQUAL(64, split_headers(many, f));
  LONGS_EQUAL(0, split_headers("no field\r\n: x\r\n", f));
}

TEST(NotifyFields, a_contact_is_the_first_uri) {
  is_contact("sip:b@h:5062", "sip:b@h:5062");
  is_contact(" <sip:b@h;transport=tcp>;expires=5", "sip:b@h;transport=tcp");
  is_contact("\"B, <x>\" <sip:b@h>, <sip:c@h>", "sip:b@h");
  is_contact("sip:b@h;expires=5, <sip:c@h>", "sip:b@h");
  is_contact("<sip:b,c@h>", "sip:b,c@h");
  is_contact("*", "");
  is_contact("", "");
  is_contact("<sip:b@h", "");
}

TEST(NotifyFields, an_owners_accept_and_supported_say_what_may_come) {
  const char* lines = "X: 1\r\nAccept: application/dialog-info+xml;q=1, text/*\r\n";
  CHECK(asks_for_type(lines, "application/dialog-info+xml"));
  CHECK(asks_for_type(lines, "Application/Dialog-Info+XML;charset=x"));
  CHECK(asks_for_type(lines, "text/plain"));
  CHECK_FALSE(asks_for_type(lines, "application/pidf+xml"));
  CHECK_FALSE(asks_for_type(lines, "multipart/related;type=\"application/rlmi+xml\""));
  CHECK(asks_for_type("Supported: path, EventList\r\n", "multipart/related;type=\"application/rlmi+xml\""));
  CHECK(asks_for_type("k: eventlist\r\n", "application/rlmi+xml"));
  CHECK_FALSE(asks_for_type("Supported: eventlist\r\n", "multipart/mixed"));
  CHECK(asks_for_type("Accept: */*\r\n", "a/b"));
  CHECK_FALSE(asks_for_type("", "a/b"));
  CHECK(has_header(lines, "accept"));
  CHECK_FALSE(has_header(lines, "acc"));
}

TEST(NotifyFields, what_is_said_of_a_body_can_be_left_out) {
  struct {
    const char *lines, *wanted;
  } const table[] = {
      {"", ""},
      {"X: 1\r\n", "X: 1\r\n"},
      {"Content-Disposition: render\r\n", ""},
      {"X: 1\r\ncontent-LANGUAGE: en\r\nY: 2\r\n", "X: 1\r\nY: 2\r\n"},
      {"Content-Disposition: render;\r\n  handling=optional\r\nX: 1\r\n 2\r\n", "X: 1\r\n 2\r\n"},
      {"e: gzip\r\nContent-Encoding : gzip\r\nX: Content-Disposition: no\r\n", "X: Content-Disposition: no\r\n"},
      {"Contents: 1\r\nX-Content-Y: 2\r\n", "Contents: 1\r\nX-Content-Y: 2\r\n"},
  };
  std::string storage;
  for (const auto& t : table) STRCMP_EQUAL(t.wanted, std::string(without_content_fields(t.lines, storage)).c_str());
}
