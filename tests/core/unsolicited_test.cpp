// Unsolicited NOTIFYs (message waiting that a server tells a line unasked): observers see them in their order, and their number
// is bounded, because anybody can send them.
#include <string>
#include <vector>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(UnsolicitedNotifys) {
  SubsRig rig;
  std::vector<std::string> seen;
  NotifyRequest n;
  int32_t presence = 0, dialog = 0;

  void setup() override {
    presence = rig.by_name("presence")->flag;
    dialog = rig.by_name("dialog")->flag;
    n.call_id = "mwi-1@server";
    n.remote_tag = "s1";
    n.cseq = 1;
    n.event = "presence";
    n.state = "active";
    n.to_uri = "sip:alice@example.com";
    n.from_uri = "sip:server@example.com";
    n.content_type = "application/pidf+xml";
    n.body = "first";
  }
  void listen(int32_t mask) {
    rig.engine->observe_unsolicited(mask, [this](const UnsolicitedView& v) {
      seen.push_back(std::string(v.event_name) + " " + std::string(v.to_uri) + " " + std::string(v.from_uri) + " " + std::string(v.state) + " " +
                     std::string(v.content_type) + " " + std::string(v.body) + " " + std::to_string(static_cast<int>(v.bad)));
    });
  }
  NotifyAnswer tell() { return rig.engine->on_notify(n, rig.now); }
};

TEST(UnsolicitedNotifys, nobody_asked_for_them_they_are_answered_481) {
  LONGS_EQUAL(481, tell().status);
  LONGS_EQUAL(0, rig.stats().notifies_unsolicited);
  LONGS_EQUAL(1, rig.stats().notifies_unknown);
}

TEST(UnsolicitedNotifys, who_asked_is_shown_what_they_say_from_the_loop) {
  listen(presence);
  LONGS_EQUAL(200, tell().status);
  n.body = "second";
  LONGS_EQUAL(200, tell().status);
  LONGS_EQUAL(0, seen.size());          // never inside the call that takes it
  rig.settle();
  LONGS_EQUAL(2, seen.size());
  TEXT_EQUAL("presence sip:alice@example.com sip:server@example.com active application/pidf+xml first 0", seen[0]);
  TEXT_EQUAL("presence sip:alice@example.com sip:server@example.com active application/pidf+xml second 0", seen[1]);
  LONGS_EQUAL(2, rig.stats().notifies_unsolicited);
}

TEST(UnsolicitedNotifys, those_of_another_event_are_not_asked_for) {
  listen(dialog);
  LONGS_EQUAL(481, tell().status);
}

// RFC 3842 knows them without Subscription-State, too.
TEST(UnsolicitedNotifys, a_state_is_not_needed) {
  listen(presence);
  n.state = {};
  LONGS_EQUAL(200, tell().status);
}

TEST(UnsolicitedNotifys, who_believes_in_a_dialog_with_us_is_told_that_there_is_none) {
  listen(presence);
  n.local_tag = "of-another-life";
  LONGS_EQUAL(481, tell().status);
}

TEST(UnsolicitedNotifys, one_with_our_call_id_is_none_of_our_dialog) {
  listen(presence);
  rig.live();
  const std::string call_id = rig.last().call_id;
  n.call_id = call_id;
  LONGS_EQUAL(200, tell().status);
  rig.settle();
  LONGS_EQUAL(1, seen.size());
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(1, rig.heard.size());
}

TEST(UnsolicitedNotifys, a_document_that_nobody_can_use_is_left_out_unless_bad_ones_are_asked_for) {
  listen(presence);
  n.content_type = "text/plain";
  LONGS_EQUAL(200, tell().status);
  rig.settings.bad_documents = true;
  rig.restart();
  listen(presence);
  LONGS_EQUAL(200, tell().status);
  rig.settle();
  LONGS_EQUAL(1, seen.size());          // those that waited were lost with the process
  std::string other_type = std::to_string(static_cast<int>(BadDocument::OtherType));
  TEXT_EQUAL("presence sip:alice@example.com sip:server@example.com active text/plain first " + other_type, seen[0]);
}

TEST(UnsolicitedNotifys, what_waits_is_bounded_by_number_and_by_octets) {
  listen(presence);
  for (int i = 0; i < 1000; i++) LONGS_EQUAL(200, tell().status);
  NotifyAnswer a = tell();
  LONGS_EQUAL(503, a.status);
  TEXT_EQUAL("Retry-After: 1\r\n", a.headers);
  rig.settle();
  LONGS_EQUAL(1000, seen.size());
  std::string large(200000, 'x');
  n.body = large;
  int taken = 0;
  while (tell().status == 200) taken++;
  LONGS_EQUAL(21, taken);               // 4 MB
  rig.settle();
  LONGS_EQUAL(1021, seen.size());
  LONGS_EQUAL(200, tell().status);
}

TEST(UnsolicitedNotifys, while_shutting_down_they_are_503) {
  listen(presence);
  rig.engine->shutdown();
  LONGS_EQUAL(503, tell().status);
}
