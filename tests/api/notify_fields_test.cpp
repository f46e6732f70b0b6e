// Header values of a NOTIFY that the host has taken apart.
#include "api/c_notify_fields.h"

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
  is_event("presence.winfo;x=\"a;b\"", "presence.winfo;x=\"a;b\"", "");
}

TEST(NotifyFields, an_event_that_is_not_well_formed_is_refused) {
  for (const char* bad : {"", " ", ";id=1", "pres ence", "presence;", "presence;id", "presence;id=", "presence;id=1;id=2",
                          "presence;x=\"open", "presence;id=a b", "presence;;id=1"})
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

TEST(NotifyFields, seconds_beyond_the_largest_count_as_the_largest) {
  CHECK(parse_subscription_state("active;expires=99999999999999999999999999", state));
  LONGLONGS_EQUAL(4294967295LL, state.expires);
}

TEST(NotifyFields, a_subscription_state_that_is_not_well_formed_is_refused) {
  for (const char* bad : {"", ";expires=1", "active;", "active;expires", "active;expires=", "active;expires=-1", "active;expires=1x",
                          "active;expires=1;expires=2", "terminated;reason=a;reason=b", "terminated;reason=\"a\"",
                          "act ive", "active;retry-after=soon"})
    CHECK_FALSE_TEXT(parse_subscription_state(bad, state), bad);
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
