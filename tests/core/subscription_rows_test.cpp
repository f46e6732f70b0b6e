// One test for each rule of the subscription machine (RFC 6665) about dialogs, refreshes, targets and lifetimes.
//
//   owner              engine                 notifier
//     |-- subscribe ---->|-- SUBSCRIBE -------->|
//     |<-- 200 ----------|<-- 200 --------------|
//     |                  |<-- NOTIFY, active ---|   the handler gets it
//     |                  |-- SUBSCRIBE, to-tag->|   before the grant ends
//     |-- unsubscribe -->|-- SUBSCRIBE, 0 ----->|
//     |                  |<-- NOTIFY, ended ----|
#include <string>

#include "core/subscription.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SubscriptionRows) {
  SubsRig rig;
  // Advances to the moment when the next request has left.
  void until_next_request() {
    size_t before = rig.sent.size();
    for (int i = 0; i < 5000 && rig.sent.size() == before; i++) rig.advance(kSecond);
    LONGS_EQUAL(before + 1, rig.sent.size());
  }
};

// --- the first request -------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE sip:alice, From bob, Event, Expires, Contact, Accept, Allow-Events -->|
TEST(SubscriptionRows, the_initial_request_has_all_that_rfc_6665_wants) {
  rig.subscribe({.headers = "X-A: 1\r\n", .proxy = "sip:10.0.0.7"});
  const Sent& s = rig.last();
  TEXT_EQUAL("SUBSCRIBE", s.method);
  TEXT_EQUAL(kAlice, s.uri);
  TEXT_EQUAL(kBob, s.from);
  TEXT_EQUAL(kAlice, s.to);
  TEXT_EQUAL("", s.to_tag);
  TEXT_EQUAL("", s.route_set);
  TEXT_EQUAL("presence", s.event);
  LONGLONGS_EQUAL(3600, s.expires);
  TEXT_EQUAL(kOurContact, s.contact);
  TEXT_EQUAL("application/pidf+xml", s.accept);
  TEXT_EQUAL("presence, dialog", s.allow_events);
  TEXT_EQUAL("X-A: 1\r\n", s.extra_headers);
  TEXT_EQUAL("sip:10.0.0.7", s.proxy);
  LONGS_EQUAL(1, s.cseq);
  CHECK(s.call_id.find("@pua.example.net") != std::string::npos);
  CHECK(!s.from_tag.empty());
  CHECK(s.branch.starts_with("z9hG4bK"));
}

TEST(SubscriptionRows, the_owner_may_name_to_contact_target_and_event_id) {
  rig.subscribe({.to = "sip:alice-all@example.com", .contact = "sip:me@10.0.0.8", .target = "sip:10.0.0.3;transport=tcp",
                 .event_id = "line1"});
  const Sent& s = rig.last();
  TEXT_EQUAL("sip:10.0.0.3;transport=tcp", s.uri);
  TEXT_EQUAL("sip:alice-all@example.com", s.to);
  TEXT_EQUAL("sip:me@10.0.0.8", s.contact);
  TEXT_EQUAL("presence;id=line1", s.event);
}

TEST(SubscriptionRows, each_package_sends_its_own_accept) {
  rig.subscribe({.event = kWinfo});
  TEXT_EQUAL("presence.winfo", rig.last().event);
  TEXT_EQUAL("application/watcherinfo+xml", rig.last().accept);
}

TEST(SubscriptionRows, without_a_contact_of_its_own_or_a_listener_a_subscription_is_refused) {
  rig.settings.contact = "";
  rig.restart();
  Call& c = rig.subscribe();
  LONGS_EQUAL(static_cast<int>(Errc::bad_argument), static_cast<int>(c.code));
  CHECK(c.message.find("contact") != std::string::npos);
  LONGS_EQUAL(0, rig.sent.size());
  LONGS_EQUAL(1, rig.stats().rejected);
}

TEST(SubscriptionRows, what_an_owner_hands_in_is_checked_field_by_field) {
  struct { const char* field; Want w; Errc code; } rows[] = {
      {"pres_uri", {.uri = "alice"}, Errc::bad_uri},
      {"watcher_uri", {.watcher = "sip:bob@x\r\nVia: y"}, Errc::bad_uri},
      {"to_uri", {.to = "<sip:a@b>"}, Errc::bad_uri},
      {"contact", {.contact = "10.0.0.1"}, Errc::bad_uri},
      {"remote_target", {.target = "x"}, Errc::bad_uri},
      {"outbound_proxy", {.proxy = "x"}, Errc::bad_uri},
      {"event_id", {.event_id = "a b"}, Errc::bad_header},
      {"event 4096", {.event = 4096}, Errc::unknown_event},
      {"source_flag", {.source = 3}, Errc::bad_argument},
      {"expires", {.expires = 5000000000}, Errc::bad_argument},
  };
  for (auto& r : rows) {
    Call& c = rig.subscribe(r.w);
    LONGS_EQUAL(static_cast<int>(r.code), static_cast<int>(c.code));
    CHECK_TEXT(c.message.find(r.field) != std::string::npos, c.message.c_str());
  }
  LONGS_EQUAL(0, rig.sent.size());
  LONGS_EQUAL(0, rig.stats().subscriptions);
}

// --- the dialog is made ------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE -------->|
//   |<-- 200, To tag n1 ---|   a dialog, nothing known of its state
//   |<-- NOTIFY, From n1 --|   active
TEST(SubscriptionRows, the_2xx_makes_the_dialog) {
  Call& c = rig.subscribe();
  TEXT_EQUAL("early", rig.dialog());
  rig.accept(1800);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(200, c.status);
  LONGLONGS_EQUAL(1800, c.granted);
  CHECK(c.durable);
  TEXT_EQUAL("waiting", rig.state());
  TEXT_EQUAL("confirmed", rig.dialog());
  LONGS_EQUAL(200, rig.notify({.expires = 1800}).status);
  TEXT_EQUAL("live", rig.state());
  TEXT_EQUAL("active", rig.dialog());
  LONGS_EQUAL(1, rig.stats().subs_live);
}

//   |-- SUBSCRIBE -------->|
//   |<-- NOTIFY, From n1 --|   this makes it
//   |--- 200 ------------->|
//   |<-- 200, To tag n1 ---|
TEST(SubscriptionRows, a_notify_that_comes_before_the_2xx_makes_the_dialog) {
  Call& c = rig.subscribe();
  LONGS_EQUAL(200, rig.notify({.expires = 600, .contact = kNotifier, .route_set = "<sip:p1;lr>, <sip:p2;lr>"}).status);
  TEXT_EQUAL("sending", rig.state());
  TEXT_EQUAL("active", rig.dialog());
  LONGS_EQUAL(1, rig.heard.size());
  LONGS_EQUAL(0, c.completed);
  rig.accept(3600);
  LONGS_EQUAL(200, c.status);
  TEXT_EQUAL("live", rig.state());
  LONGLONGS_EQUAL(600, c.granted);   // the grant is that of Subscription-State
  until_next_request();
  TEXT_EQUAL(kNotifier, rig.last().uri);
  TEXT_EQUAL("n1", rig.last().to_tag);
  TEXT_EQUAL("<sip:p1;lr>, <sip:p2;lr>", rig.last().route_set);
}

//   |-- SUBSCRIBE -------->| ... p forks it
//   |<-- NOTIFY, From n1 --|   kept
//   |<-- NOTIFY, From n2 --|
//   |--- 481 ------------->|   ended
//   |<-- 200, To tag n2 ---|
TEST(SubscriptionRows, of_forks_the_first_is_kept_and_the_rest_are_answered_481_and_leave_nothing) {
  rig.subscribe();
  rig.notify();
  LONGS_EQUAL(481, rig.refused({.remote_tag = "n2"}));
  rig.answer({.expires = 3600, .to_tag = "n2", .contact = "sip:other@10.0.0.2"});
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(481, rig.refused({.remote_tag = "n2"}));
  LONGS_EQUAL(200, rig.notify({}).status);   // else the dialog would count as deaf
  LONGS_EQUAL(481, rig.refused({.state = "terminated", .remote_tag = "n3"}));
  LONGS_EQUAL(1, rig.stats().subscriptions);
  LONGS_EQUAL(1, rig.rows().size());
  rig.unsubscribe();
  TEXT_EQUAL("n1", rig.last().to_tag);
  CHECK(rig.last().uri != "sip:other@10.0.0.2");
}

TEST(SubscriptionRows, the_branch_of_the_2xx_is_the_first_where_no_notify_came_before_it) {
  rig.subscribe();
  rig.accept();
  LONGS_EQUAL(481, rig.refused({.remote_tag = "n2"}));
  LONGS_EQUAL(200, rig.notify({.remote_tag = "n1"}).status);
}

TEST(SubscriptionRows, a_2xx_without_a_to_tag_leaves_it_to_the_notify) {
  rig.subscribe();
  rig.answer({.expires = 3600, .contact = kNotifier});
  TEXT_EQUAL("early", rig.dialog());
  CHECK(rig.logged(LogLevel::warning, "200 to SUBSCRIBE for sip:alice@example.com: no dialog can be made of its To tag"));
  rig.notify({.remote_tag = "n7", .contact = "sip:n7@10.0.0.1"});
  TEXT_EQUAL("live", rig.state());
  rig.unsubscribe();
  TEXT_EQUAL("n7", rig.last().to_tag);
  TEXT_EQUAL("sip:n7@10.0.0.1", rig.last().uri);
}

// --- pending and active ------------------------------------------------------------------------------------------

//   |<-- NOTIFY, pending --|
//   |<-- NOTIFY, active ---|
TEST(SubscriptionRows, pending_becomes_active) {
  rig.subscribe();
  rig.accept();
  rig.notify({.state = "pending", .expires = 3600});
  TEXT_EQUAL("live", rig.state());
  TEXT_EQUAL("pending", rig.dialog());
  rig.notify({.state = "active", .expires = 3590});
  TEXT_EQUAL("active", rig.dialog());
  LONGS_EQUAL(2, rig.heard.size());
  TEXT_EQUAL("pending", rig.heard[0].state);
  TEXT_EQUAL("active", rig.heard[1].state);
  LONGLONGS_EQUAL(3590, rig.heard[1].expires);
}

TEST(SubscriptionRows, a_state_that_nobody_defined_yet_is_taken_as_alive) {
  rig.subscribe();
  rig.accept();
  LONGS_EQUAL(200, rig.notify({.state = "slumbering"}).status);
  TEXT_EQUAL("live", rig.state());
  TEXT_EQUAL("slumbering", rig.heard[0].state);
}

// --- expiry ------------------------------------------------------------------------------------------------------

//   |<-- 200, Expires: 3600 -----------|
//   |<-- NOTIFY, active;expires=100 ---|   100 s it is
//   |-- SUBSCRIBE -------------------->|   at 60 s
TEST(SubscriptionRows, subscription_state_says_when_it_expires) {
  rig.subscribe();
  rig.accept(3600);
  rig.notify({.expires = 100});
  until_next_request();
  TEXT_EQUAL("refresh", rig.last().kind());
  CHECK(rig.last().at <= rig.sent[0].at + 60 * kSecond);
}

TEST(SubscriptionRows, a_shortened_grant_is_refreshed_in_time) {
  rig.live({}, 3600);
  rig.advance(10 * kSecond);
  MonoMs told = rig.now;
  rig.notify({.expires = 60});
  until_next_request();
  CHECK(rig.last().at <= told + 30 * kSecond + kSecond);
}

TEST(SubscriptionRows, a_prolonged_grant_is_not_refreshed_early) {
  rig.live({.expires = kForEver}, 100);
  rig.advance(10 * kSecond);
  MonoMs told = rig.now;
  rig.notify({.expires = 3600});
  until_next_request();
  CHECK(rig.last().at >= told + 2500 * kSecond);
}

TEST(SubscriptionRows, a_2xx_without_expires_grants_what_was_asked) {
  Call& c = rig.subscribe({.expires = 600});
  rig.answer({.to_tag = "n1", .contact = kNotifier});
  LONGLONGS_EQUAL(600, c.granted);
}

TEST(SubscriptionRows, a_lifetime_beyond_any_reason_is_no_overflow) {
  rig.subscribe({.expires = kForEver});
  rig.accept(INT64_MAX);
  rig.notify({.expires = INT64_MAX});
  TEXT_EQUAL("live", rig.state());
  CHECK(rig.sub()->m->grant_end > rig.now);
  rig.notify({.state = "terminated", .reason = "probation", .retry_after = INT64_MAX});
  TEXT_EQUAL("backoff", rig.state());
}

// --- refresh -----------------------------------------------------------------------------------------------------

//   |<-- 200, Record-Route p2, p1, Contact n --|
//   |-- SUBSCRIBE n, Route p1, p2, CSeq + 1 -->|
//   |<-- 200, another Contact -----------------|
//   |-- SUBSCRIBE there, CSeq + 1 ------------>|
TEST(SubscriptionRows, a_refresh_goes_in_the_dialog) {
  rig.subscribe({.expires = kForEver, .event_id = "e7"});
  rig.answer({.expires = 600, .to_tag = "n1", .contact = kNotifier, .route_set = "<sip:p1;lr>, <sip:p2;lr>"});
  rig.notify({.event_id = "e7"});
  until_next_request();
  const Sent &first = rig.sent[0], &s = rig.sent[1];
  TEXT_EQUAL("refresh", s.kind());
  TEXT_EQUAL(kNotifier, s.uri);
  TEXT_EQUAL(first.call_id, s.call_id);
  TEXT_EQUAL(first.from_tag, s.from_tag);
  TEXT_EQUAL(first.from, s.from);
  TEXT_EQUAL(first.to, s.to);
  TEXT_EQUAL("n1", s.to_tag);
  TEXT_EQUAL("<sip:p1;lr>, <sip:p2;lr>", s.route_set);
  LONGS_EQUAL(first.cseq + 1, s.cseq);
  TEXT_EQUAL("presence;id=e7", s.event);
  TEXT_EQUAL(first.accept, s.accept);
  TEXT_EQUAL(first.allow_events, s.allow_events);
  TEXT_EQUAL(first.contact, s.contact);
  CHECK(s.branch != first.branch);
  LONGLONGS_EQUAL(3600, s.expires);
  LONGS_EQUAL(1, rig.stats().subscribes_refresh);
}

TEST(SubscriptionRows, the_route_set_stays_though_a_refresh_is_answered_with_another_or_none) {
  rig.subscribe({.expires = kForEver});
  rig.answer({.expires = 600, .to_tag = "n1", .contact = kNotifier, .route_set = "<sip:p1;lr>"});
  rig.notify();
  until_next_request();
  rig.answer({.expires = 600, .to_tag = "n1", .contact = kNotifier, .route_set = "<sip:evil;lr>"});
  until_next_request();
  TEXT_EQUAL("<sip:p1;lr>", rig.last().route_set);
  rig.answer({.expires = 600, .to_tag = "n1"});
  until_next_request();
  TEXT_EQUAL("<sip:p1;lr>", rig.last().route_set);
  TEXT_EQUAL(kNotifier, rig.last().uri);
}

TEST(SubscriptionRows, one_that_digest_sent_twice_counts_on_from_there) {
  rig.subscribe({.expires = kForEver});
  rig.answer({.expires = 600, .cseq = 2, .to_tag = "n1", .contact = kNotifier});
  rig.notify();
  until_next_request();
  LONGS_EQUAL(3, rig.last().cseq);
}

TEST(SubscriptionRows, an_owner_may_refresh_at_any_time_and_change_the_lifetime) {
  rig.live({.expires = kForEver}, 3600);
  Call& c = rig.subscribe({.expires = 120});
  TEXT_EQUAL("refresh", rig.last().kind());
  LONGLONGS_EQUAL(120, rig.last().expires);
  rig.accept(120);
  LONGS_EQUAL(200, c.status);
  LONGLONGS_EQUAL(120, c.granted);
  rig.advance(120 * kSecond);
  LONGS_EQUAL(1, rig.stats().expired);
}

// --- target refresh ----------------------------------------------------------------------------------------------

//   |<-- NOTIFY, Contact moved ---|
//   |-- SUBSCRIBE moved --------->|
TEST(SubscriptionRows, the_contact_of_a_notify_is_the_target_from_now_on) {
  rig.live({.expires = kForEver}, 600);
  rig.notify({.expires = 600, .contact = "sip:moved@10.0.0.2"});
  rig.advance(200);
  TEXT_EQUAL("sip:moved@10.0.0.2", rig.row().row().remote_contact);
  until_next_request();
  TEXT_EQUAL("sip:moved@10.0.0.2", rig.last().uri);
  TEXT_EQUAL(kAlice, rig.last().to);
}

// Proxies and registrars put addresses into URI parameters, with "[", "]" and ":" (RFC 3261 section 25.1: param-unreserved).
TEST(SubscriptionRows, a_contact_with_an_ipv6_address_and_escapes_in_its_parameters_is_taken_and_kept) {
  const std::string contact = "sip:n@10.0.0.2;x=%20;alias=[2001:db8::5]~5060~1";
  rig.live({.expires = kForEver}, 600);
  LONGS_EQUAL(200, rig.notify({.expires = 600, .contact = contact}).status);
  rig.advance(200);
  rig.restart();
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.stats().load_bad);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL(contact, rig.last().uri);
}

TEST(SubscriptionRows, the_contact_of_a_2xx_is_the_target_from_now_on) {
  rig.live({.expires = kForEver}, 600);
  until_next_request();
  rig.answer({.expires = 600, .to_tag = "n1", .contact = "sip:moved@10.0.0.2"});
  until_next_request();
  TEXT_EQUAL("sip:moved@10.0.0.2", rig.last().uri);
}

TEST(SubscriptionRows, a_contact_that_is_no_uri_changes_nothing) {
  rig.live({.expires = kForEver}, 600);
  rig.subscribe();
  rig.answer({.expires = 600, .to_tag = "n1", .contact = "<nonsense>"});
  rig.unsubscribe();
  TEXT_EQUAL(kNotifier, rig.last().uri);
}

//   host               engine
//     |-- update_contact -->|   the host's own socket got the NOTIFY
TEST(SubscriptionRows, update_contact_moves_the_target_and_is_stored) {
  rig.live({.expires = kForEver}, 600);
  const Sent first = rig.last();
  DialogQuery q{.call_id = first.call_id, .local_tag = first.from_tag, .remote_tag = "n1"};
  CHECK(rig.engine->update_contact(q, "sip:moved@10.0.0.2", rig.now).ok());
  rig.advance(200);
  TEXT_EQUAL("sip:moved@10.0.0.2", rig.row().row().remote_contact);
  until_next_request();
  TEXT_EQUAL("sip:moved@10.0.0.2", rig.last().uri);
}

TEST(SubscriptionRows, update_contact_of_an_unknown_dialog_is_refused) {
  rig.live();
  const Sent first = rig.last();
  auto tried = [&](DialogQuery q, const char* contact = "sip:x@y") {
    return static_cast<int>(rig.engine->update_contact(q, contact, rig.now).code());
  };
  int unknown = static_cast<int>(Errc::not_found);
  LONGS_EQUAL(unknown, tried({.call_id = first.call_id, .local_tag = first.from_tag, .remote_tag = "n2"}));
  LONGS_EQUAL(unknown, tried({.call_id = first.call_id, .local_tag = first.from_tag}));
  LONGS_EQUAL(unknown, tried({.call_id = first.call_id, .local_tag = "n1", .remote_tag = first.from_tag}));
  LONGS_EQUAL(unknown, tried({.call_id = "other", .local_tag = first.from_tag, .remote_tag = "n1"}));
  LONGS_EQUAL(static_cast<int>(Errc::bad_uri),
              tried({.call_id = first.call_id, .local_tag = first.from_tag, .remote_tag = "n1"}, "moved"));
  rig.unsubscribe();
  TEXT_EQUAL(kNotifier, rig.last().uri);
}

// --- lifetimes ---------------------------------------------------------------------------------------------------

//   |-- SUBSCRIBE, 100 -->|
//   |   (100 s)           |   at 100 s, not sooner and not later; its last NOTIFY may still come
TEST(SubscriptionRows, it_is_ended_exactly_when_the_wanted_lifetime_ends) {
  MonoMs began = rig.now;
  rig.live({.expires = 100}, 100);
  rig.advance(100 * kSecond - 1 - (rig.now - began));
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(1);
  LONGS_EQUAL(1, rig.stats().expired);
  rig.advance(200);
  TEXT_EQUAL("ending", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(1, rig.sent.size());
}

TEST(SubscriptionRows, one_whose_grant_lasts_longer_is_unsubscribed_at_the_wanted_end) {
  rig.settings.min_expires = 300;
  rig.restart();
  rig.live({.expires = 100}, 300);
  LONGLONGS_EQUAL(300, rig.sent[0].expires);
  rig.advance(100 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGLONGS_EQUAL(100 * kSecond, rig.last().at - rig.sent[0].at);
  rig.accept(0);
  rig.end();
  rig.advance(200);
  LONGS_EQUAL(0, rig.rows().size());
  TEXT_EQUAL("none", rig.state());
}

TEST(SubscriptionRows, one_for_ever_asks_for_default_expires_each_time) {
  rig.settings.default_expires = 1800;
  rig.restart();
  rig.live({.expires = kForEver}, 1800);
  for (int i = 0; i < 5; i++) {
    until_next_request();
    TEXT_EQUAL("refresh", rig.last().kind());
    LONGLONGS_EQUAL(1800, rig.last().expires);
    rig.accept(1800);
    rig.notify({.expires = 1800});
  }
  LONGLONGS_EQUAL(0, rig.row().row().desired_expires);
}

TEST(SubscriptionRows, expires_on_the_wire_is_what_remains_between_the_bounds) {
  rig.settings.min_expires = 60;
  rig.settings.max_expires = 1000;
  rig.restart();
  rig.subscribe({.expires = 5000});
  LONGLONGS_EQUAL(1000, rig.last().expires);
  rig.accept(1000);
  rig.notify();
  rig.subscribe({.expires = 10});
  LONGLONGS_EQUAL(60, rig.last().expires);
}
