// Next hop, contact and target of requests: what an owner names stays with the record, and for what it leaves empty the
// parameter is used again.
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

const std::string kParameter = "sip:proxy.example.com", kServer = "sip:presence.example.com";
const std::string kNamed = "sip:10.0.0.1:5080", kOther = "sip:10.0.0.2";
constexpr int32_t kDialogPublish = 1 << 10;   // a source that is not the control interface

}  // namespace

TEST_GROUP(NextHop) {
  Rig rig;

  void setup() override {
    rig.settings.outbound_proxy = kParameter;
    rig.boot();
  }
  Call& ask(const Ask& a) {
    Call& c = rig.ask(a);
    rig.settle();
    return c;
  }
  // Publishes at the server that was named, and is live.
  void live_there() {
    ask({.expires = kForEver, .body = "b1", .proxy = kNamed});
    TEXT_EQUAL(kNamed, rig.last().proxy);
    rig.ok("e1");
  }
  std::string stored() {
    rig.advance(500);
    return std::string(rig.row().row().outbound_proxy);
  }
};

TEST(NextHop, a_request_that_names_no_proxy_goes_back_to_the_parameter) {
  for (const Ask& again : {Ask{.expires = kForEver, .body = "b2"}, Ask{.expires = kForEver}}) {   // a modification, a refresh
    live_there();
    TEXT_EQUAL(kNamed, stored());
    ask(again);
    TEXT_EQUAL(again.body ? "modify" : "refresh", rig.last().kind());
    TEXT_EQUAL(kParameter, rig.last().proxy);
    rig.ok("e2");
    TEXT_EQUAL("", stored());
    rig.advance(3500 * kSecond);   // its own timer
    TEXT_EQUAL("refresh", rig.last().kind());
    TEXT_EQUAL(kParameter, rig.last().proxy);
    rig.ok("e3");
    rig.remove();
    rig.ok("");
    rig.advance(500);
  }
}

TEST(NextHop, the_other_server_knows_nothing_of_it_and_gets_full_state) {
  live_there();
  ask({});
  rig.reject(412);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("b1", rig.last().body);
  TEXT_EQUAL(kParameter, rig.last().proxy);
}

TEST(NextHop, a_request_that_waits_names_its_way_too) {
  live_there();
  ask({.body = "b2", .proxy = kNamed});
  ask({.body = "b3", .proxy = kOther});
  ask({});
  rig.ok("e2");
  TEXT_EQUAL("b3", rig.last().body);          // the body stays, the next hop does not
  TEXT_EQUAL(kParameter, rig.last().proxy);
  rig.ok("e3");
  TEXT_EQUAL("", stored());
}

TEST(NextHop, a_removal_goes_where_its_record_went) {
  live_there();
  rig.remove();
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL(kNamed, rig.last().proxy);
}

TEST(NextHop, a_removal_goes_where_it_is_told) {
  live_there();
  ask({.expires = 0, .proxy = kOther});
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL(kOther, rig.last().proxy);
}

TEST(NextHop, a_removal_that_waits_goes_where_its_record_went_and_not_where_one_before_it_would_have_gone) {
  live_there();
  ask({.body = "b2", .proxy = kNamed});
  ask({.body = "b3"});
  ask({.expires = 0});
  rig.ok("e2");
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL(kNamed, rig.last().proxy);
}

TEST(NextHop, a_removal_that_waits_goes_where_it_is_told) {
  live_there();
  ask({.body = "b2", .proxy = kNamed});
  ask({.expires = 0, .proxy = kOther});
  rig.ok("e2");
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL(kOther, rig.last().proxy);
}

TEST(NextHop, a_request_that_comes_before_its_row_goes_to_the_parameter_and_a_removal_where_the_row_says) {
  live_there();
  rig.advance(500);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  ask({});
  rig.advance(200);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL(kParameter, rig.last().proxy);
  rig.ok("e2");
  TEXT_EQUAL("", stored());

  ask({.body = "b3", .proxy = kOther});
  rig.advance(200);   // this disk is slow, and the intent is written first
  rig.ok("e3");
  rig.advance(500);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  rig.remove();
  rig.advance(200);
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL(kOther, rig.last().proxy);
}

TEST(NextHop, presence_server_is_the_way_of_publications_of_the_control_interface_that_name_none) {
  rig.settings.presence_server = kServer;
  rig.boot();
  ask({.body = "b1", .source = kMiPublish});
  TEXT_EQUAL(kServer, rig.last().proxy);
  rig.ok("e1");
  ask({.body = "b2", .proxy = kNamed, .source = kMiPublish});
  TEXT_EQUAL(kNamed, rig.last().proxy);
  rig.ok("e2");
  ask({.uri = "sip:host@example.com", .body = "b", .source = kDialogPublish});
  TEXT_EQUAL(kParameter, rig.last().proxy);
}

// The parameter does not become part of the record: when it changes, refreshes go to the new server, after a restart too.
TEST(NextHop, a_presence_server_that_was_taken_out_is_the_way_of_nothing) {
  rig.settings.presence_server = kServer;
  rig.boot();
  ask({.expires = kForEver, .body = "b1", .source = kMiPublish});
  rig.ok("e1");
  TEXT_EQUAL("", stored());
  rig.settings.presence_server = {};
  rig.engine->reconfigure(rig.settings);
  rig.advance(3500 * kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL(kParameter, rig.last().proxy);
  rig.ok("e2");
  rig.restart();
  rig.advance(3500 * kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL(kParameter, rig.last().proxy);
}

// --- subscriptions -----------------------------------------------------------------------------------------------

TEST_GROUP(NextHopOfSubscriptions) {
  SubsRig rig;
  const Want named{.expires = kForEver, .contact = "sip:me@10.0.0.8", .target = "sip:target@example.com", .proxy = kNamed};

  void setup() override {
    rig.settings.outbound_proxy = kParameter;
    rig.boot();
  }
  void goes_named() {
    TEXT_EQUAL(kNamed, rig.last().proxy);
    TEXT_EQUAL("sip:me@10.0.0.8", rig.last().contact);
  }
  void goes_by_default() {
    TEXT_EQUAL(kParameter, rig.last().proxy);
    TEXT_EQUAL(kOurContact, rig.last().contact);
  }
};

TEST(NextHopOfSubscriptions, a_request_says_its_way_anew) {
  rig.live(named);
  TEXT_EQUAL("sip:target@example.com", rig.last().uri);
  goes_named();
  rig.subscribe({.expires = kForEver});
  TEXT_EQUAL("refresh", rig.last().kind());
  goes_by_default();
  rig.accept();
  rig.advance(500);
  TEXT_EQUAL("", rig.row().row().outbound_proxy);
  TEXT_EQUAL("", rig.row().row().contact);
  TEXT_EQUAL("", rig.row().row().target);
  rig.advance(3500 * kSecond);   // its own timer
  TEXT_EQUAL("refresh", rig.last().kind());
  goes_by_default();
  rig.reject(481);               // a dialog made anew
  TEXT_EQUAL("initial", rig.last().kind());
  TEXT_EQUAL(kAlice, rig.last().uri);
  goes_by_default();
}

TEST(NextHopOfSubscriptions, a_request_that_waits_says_its_way_too) {
  rig.live(named);
  rig.subscribe(named);
  rig.subscribe({.contact = "sip:me@10.0.0.9", .proxy = kOther});
  rig.subscribe();
  rig.accept();
  TEXT_EQUAL("refresh", rig.last().kind());
  goes_by_default();
}

TEST(NextHopOfSubscriptions, its_end_goes_where_it_went) {
  rig.live(named);
  rig.unsubscribe();
  TEXT_EQUAL("remove", rig.last().kind());
  goes_named();
}

TEST(NextHopOfSubscriptions, what_wants_nothing_done_where_it_exists_changes_no_way) {
  rig.live(named);
  rig.subscribe({.keep_existing = true});
  rig.advance(500);
  TEXT_EQUAL(kNamed, rig.row().row().outbound_proxy);
}

TEST(NextHopOfSubscriptions, a_request_that_comes_before_its_row_says_its_way_and_an_end_goes_where_the_row_says) {
  rig.live(named);
  rig.advance(500);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  rig.subscribe();
  rig.advance(200);
  TEXT_EQUAL("refresh", rig.last().kind());
  goes_by_default();
  rig.accept();
  rig.subscribe(named);
  rig.accept();
  rig.advance(500);
  rig.kill();
  rig.load_delay_ms = 50;
  rig.boot();
  rig.unsubscribe();
  rig.advance(200);
  TEXT_EQUAL("remove", rig.last().kind());
  goes_named();
}
