// One test for each defect of Kamailio that concerns publications: the issue of its tracker, or "c": by reading the code.
#include <string>
#include <vector>

#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(DefectsKamailio) {
  Rig rig;
};

// #21: a second publish before the first reply makes a second publication
TEST(DefectsKamailio, concurrent_publishes_before_the_first_reply_make_one_publication) {
  rig.ask({.body = "b1"});
  rig.ask({.body = "b2"});
  rig.ask({.body = "b3"});
  rig.settle();
  TEXT_EQUAL("initial", rig.kinds());
  rig.ok("e1");
  rig.publish("b4");
  TEXT_EQUAL("initial modify", rig.kinds());
}

// #2048: 412 loop
TEST(DefectsKamailio, a_server_that_always_says_412_gets_no_loop) {
  rig.publish("b1", kForEver);
  rig.ok("e1", 60);
  MonoMs until = rig.now + 600 * kSecond;
  while (rig.now < until) {
    if (rig.open()) rig.reject(412);
    rig.advance(kSecond);
  }
  CHECK(rig.sent.size() <= 12);
  CHECK(rig.record() != nullptr);
}

// c: after a 412 the lifetime grows by 3 s
TEST(DefectsKamailio, after_a_412_the_remaining_lifetime_is_asked_for_and_no_more) {
  rig.live("e1", 1000);
  rig.advance(100 * kSecond);
  rig.ask({});  // a refresh, for an hour
  rig.settle();
  rig.advance(10 * kSecond);
  rig.reject(412);
  LONGLONGS_EQUAL(3590, rig.last().expires);
}

// #2414, #2416: no SIP-If-Match, duplicate rows
TEST(DefectsKamailio, one_key_has_one_row_whatever_happens) {
  rig.live("e1");
  rig.publish("b2");
  rig.reject(412);
  rig.ok("e2");
  rig.restart();
  rig.publish("b3");
  rig.ok("e3");
  rig.remove();
  rig.publish("b4");
  rig.ok("", 0);
  rig.ok("e4");
  rig.advance(kSecond);
  LONGS_EQUAL(1, rig.rows().size());
  TEXT_EQUAL("e4", rig.row().row().etag);
}

// #3192: early after terminated
TEST(DefectsKamailio, requests_take_effect_in_the_order_they_came) {
  rig.publish("early");
  rig.publish("confirmed");
  rig.publish("terminated");
  rig.ok("e1");
  rig.ok("e2");
  TEXT_EQUAL("terminated", rig.record()->body());
  TEXT_EQUAL("terminated", rig.row().row().body);
}

// #1287: callbacks after the end
TEST(DefectsKamailio, a_reply_after_the_end_is_harmless) {
  rig.publish("b1");
  rig.engine->shutdown();
  int before = rig.completions;
  SipReply r;
  r.status = 200;
  r.etag = "e1";
  r.expires = 600;
  rig.engine->on_reply(rig.last().txn, r, rig.now);
  rig.advance(kSecond);
  LONGS_EQUAL(before, rig.completions);
}

// #1001, #3403: a local request that is dropped leaks, its completion never comes
TEST(DefectsKamailio, a_request_that_cannot_be_sent_is_completed) {
  rig.send_error = "out of memory";
  Call& c = rig.publish("b1");
  LONGS_EQUAL(1, c.completed);
  TEXT_EQUAL("out of memory", c.reason);
}

// #2994: default_expires was not used
TEST(DefectsKamailio, default_expires_is_used) {
  rig.settings.default_expires = 1234;
  rig.boot();
  rig.publish("b1", kForEver);
  LONGLONGS_EQUAL(1234, rig.last().expires);
}

// #99: the id was mandatory
TEST(DefectsKamailio, an_id_is_optional) {
  LONGS_EQUAL(0, static_cast<int>(rig.ask({.body = "b", .id = ""}).code));
}

// c: no processor of the event, and a null pointer is called
TEST(DefectsKamailio, an_event_without_a_default_content_type_takes_a_body_with_one) {
  rig.ask({.body = "x", .content_type = "text/plain", .event = kCallInfo});
  rig.settle();
  TEXT_EQUAL("x", rig.last().body);
  TEXT_EQUAL("text/plain", rig.last().content_type);
}

// c: a refresh goes to the module's proxy, and not to that of its publication (in OpenSIPS that is lost with a restart)
TEST(DefectsKamailio, a_refresh_takes_the_way_of_its_publication_also_after_a_restart) {
  rig.settings.outbound_proxy = "sip:other.example.com";
  rig.boot();
  rig.ask({.expires = kForEver, .body = "b", .proxy = "sip:10.0.0.1"});
  rig.settle();
  rig.ok("e1", 60);
  rig.restart();
  rig.advance(59 * kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL("sip:10.0.0.1", rig.last().proxy);
}
