// One test for each defect of the two existing implementations that concerns subscriptions: seen on the wire ("seen"),
// known from their trackers (the number) or by reading the code ("c"). os: OpenSIPS, kam: Kamailio.
#include <string>
#include <vector>

#include "core/subscription.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(DefectsSubscriptions) {
  SubsRig rig;
  void until_next_request() {
    size_t before = rig.sent.size();
    for (int i = 0; i < 5000 && rig.sent.size() == before; i++) rig.advance(kSecond);
    LONGS_EQUAL(before + 1, rig.sent.size());
  }
  // A refresh that is answered so leaves the dialog as it is, and is repeated in it.
  void refresh_gets(const Answer& a) {
    rig.live({.expires = kForEver}, 600);
    until_next_request();
    rig.answer(a);
    TEXT_EQUAL("active", rig.dialog());
    until_next_request();
    TEXT_EQUAL("initial refresh refresh", rig.kinds());
    TEXT_EQUAL(rig.sent[0].call_id, rig.last().call_id);
  }
};

// --- seen on the wire --------------------------------------------------------------------------------------------

// seen: subscriptions re-use the CSeq (kam)
TEST(DefectsSubscriptions, no_request_in_a_dialog_has_the_cseq_of_another) {
  rig.live({.expires = kForEver}, 100);
  for (int i = 0; i < 10; i++) {
    until_next_request();
    if (i % 3 == 0) rig.time_out();
    else rig.accept(100), rig.notify({.expires = 100});
  }
  uint32_t last = 0;
  for (const Sent& s : rig.sent) {
    CHECK(s.cseq > last);
    last = s.cseq;
  }
}

// seen: an unsubscribe is not sent at all (kam) or sent twice (os; c: a second one after 5 s)
TEST(DefectsSubscriptions, an_unsubscribe_is_sent_exactly_once) {
  rig.live();
  rig.unsubscribe();
  TEXT_EQUAL("initial remove", rig.kinds());
  rig.accept(0);
  rig.end();
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
}

// seen: an unsubscribe that is answered 481 subscribes again (both; c: a zombie, or a stray fetch)
TEST(DefectsSubscriptions, a_481_to_an_unsubscribe_is_the_end) {
  rig.live();
  Call& c = rig.unsubscribe();
  rig.reject(481);
  LONGS_EQUAL(200, c.status);
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
}

// ... and so does that of the timer, at the end of the wanted lifetime (os)
TEST(DefectsSubscriptions, a_481_to_the_removal_at_the_wanted_end_is_the_end) {
  rig.live({.expires = 100}, 3600);
  rig.advance(100 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  rig.reject(481);
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGS_EQUAL(0, rig.rows().size());
}

// seen: while the server is silent, a new parallel refresh starts every period; each late 200 becomes a record (kam)
TEST(DefectsSubscriptions, a_silent_notifier_gets_one_request_at_a_time_and_makes_no_second_subscription) {
  rig.live({.expires = kForEver}, 600);
  for (int i = 0; i < 20; i++) {
    if (!rig.open()) until_next_request();
    LONGS_EQUAL(1, rig.open());
    rig.time_out();
  }
  if (!rig.open()) until_next_request();
  rig.accept(600);
  LONGS_EQUAL(1, rig.stats().subscriptions);
  rig.advance(200);
  LONGS_EQUAL(1, rig.rows().size());
}

// seen: 423, 5xx and 408 to a refresh end what is there; c (os): any status of 300 and more does, 401 too
TEST(DefectsSubscriptions, a_401_to_a_refresh_does_not_end_the_dialog) { refresh_gets({.status = 401}); }
TEST(DefectsSubscriptions, a_408_to_a_refresh_does_not_end_the_dialog) { refresh_gets({.status = 408}); }
TEST(DefectsSubscriptions, a_423_to_a_refresh_does_not_end_the_dialog) {
  rig.live({.expires = kForEver}, 600);
  until_next_request();
  int64_t asked = rig.last().expires;
  rig.answer({.status = 423});
  TEXT_EQUAL("active", rig.dialog());
  TEXT_EQUAL("initial refresh refresh", rig.kinds());   // at once, for twice as much
  LONGLONGS_EQUAL(2 * asked, rig.last().expires);
  TEXT_EQUAL(rig.sent[0].call_id, rig.last().call_id);
}
TEST(DefectsSubscriptions, a_500_to_a_refresh_does_not_end_the_dialog) { refresh_gets({.status = 500}); }
TEST(DefectsSubscriptions, a_503_to_a_refresh_does_not_end_the_dialog) { refresh_gets({.status = 503}); }

// c: a timeout of a request in a dialog deletes the record and releases its lock twice (os)
TEST(DefectsSubscriptions, silence_to_a_refresh_does_not_end_the_dialog) {
  refresh_gets({.status = 408, .origin = ReplyOrigin::Timeout});
}

// seen: 423's Min-Expires is ignored
TEST(DefectsSubscriptions, min_expires_is_asked_for) {
  rig.subscribe({.expires = 60});
  rig.answer({.status = 423, .min_expires = 900});
  LONGLONGS_EQUAL(900, rig.last().expires);
}

// c: Retry-After is ignored (os)
TEST(DefectsSubscriptions, retry_after_is_waited_for) {
  rig.subscribe();
  rig.answer({.status = 503, .retry_after = 300});
  rig.advance(300 * kSecond - 1);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(1);
  LONGS_EQUAL(2, rig.sent.size());
}

// seen: a grant of 60 s with the default period is first refreshed at 95 s
TEST(DefectsSubscriptions, a_short_grant_is_refreshed_before_it_ends) {
  rig.live({.expires = kForEver}, 60);
  until_next_request();
  CHECK(rig.last().at < rig.sent[0].at + 31 * kSecond);
}

TEST(DefectsSubscriptions, a_min_expires_that_we_may_not_ask_for_and_a_grant_of_nothing_are_named_in_the_log) {
  rig.subscribe({.expires = kForEver});
  rig.answer({.status = 423, .min_expires = 4294967295});
  CHECK(rig.logged(LogLevel::warning, "423 to SUBSCRIBE for sip:alice@example.com: the server wants a longer lifetime than max_expires allows; kept and tried again"));
  rig.advance(10 * kSecond);
  rig.accept(0);
  CHECK(rig.logged(LogLevel::warning, "200 to SUBSCRIBE for sip:alice@example.com: it grants nothing (Expires: 0); kept and tried again"));
}

// seen: a removal goes out as "Expires: 10" with min_expires=10 (kam)
TEST(DefectsSubscriptions, an_unsubscribe_goes_out_with_expires_0_whatever_min_expires) {
  rig.settings.min_expires = 10;
  rig.restart();
  rig.live();
  rig.unsubscribe();
  LONGLONGS_EQUAL(0, rig.last().expires);
}

// --- 4.1, 4.2: what is asked for ---------------------------------------------------------------------------------

// c: a negative lifetime becomes 3600 s and ends (os); #1429: not refreshed after its expiry
TEST(DefectsSubscriptions, expires_minus_one_is_for_ever) {
  rig.live({.expires = kForEver}, 3600);
  for (int i = 0; i < 30; i++) {
    until_next_request();
    TEXT_EQUAL("refresh", rig.last().kind());
    rig.accept(3600);
    rig.notify({.expires = 3600});
  }
}

// c: min + 10, or value + 10, goes out (kam)
TEST(DefectsSubscriptions, expires_on_the_wire_is_what_was_asked_for) {
  rig.subscribe({.expires = 777});
  LONGLONGS_EQUAL(777, rig.last().expires);
}

// c: INSERT_TYPE skips the search and makes a second dialog (os)
TEST(DefectsSubscriptions, no_request_makes_a_second_dialog_of_one_key) {
  rig.live();
  SubscribeRequest q;
  q.source = kMiSubscribe;
  q.event = kPresence;
  q.pres_uri = kAlice;
  q.watcher_uri = kBob;
  q.type = RequestType::Insert;
  rig.call([&](RequestDone done) { return rig.engine->subscribe(q, std::move(done), rig.now); });
  rig.settle();
  TEXT_EQUAL("initial refresh", rig.kinds());
  LONGS_EQUAL(1, rig.stats().subscriptions);
}

// c: without a record until the 2xx, two calls make two dialogs (os); the second is dropped (kam)
TEST(DefectsSubscriptions, two_calls_before_the_2xx_make_one_dialog_and_both_are_answered) {
  Call& first = rig.subscribe({.expires = 100});
  Call& second = rig.subscribe({.expires = 200});
  LONGS_EQUAL(1, rig.sent.size());
  rig.accept();
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.accept();
  LONGS_EQUAL(1, first.completed);
  LONGS_EQUAL(1, second.completed);
  LONGS_EQUAL(1, rig.stats().subscriptions);
}

// c: an unsubscribe that meets a request in flight deletes the record and sends nothing (kam)
TEST(DefectsSubscriptions, an_unsubscribe_that_meets_the_first_request_is_sent) {
  rig.subscribe();
  rig.unsubscribe();
  rig.accept();
  TEXT_EQUAL("initial remove", rig.kinds());
}

// c: expires 0 without a record is nothing, and nobody is told (kam)
TEST(DefectsSubscriptions, an_unsubscribe_of_what_is_not_there_has_a_result) {
  Call& c = rig.unsubscribe();
  TEXT_EQUAL("fetch", rig.kinds());
  rig.accept(0);
  rig.end();
  LONGS_EQUAL(1, c.completed);
}

// c: the caller's contact and extra_headers are in its message, but not kept (os)
TEST(DefectsSubscriptions, a_refresh_has_the_contact_and_the_headers_of_the_newest_request) {
  rig.live({.expires = kForEver}, 600);
  rig.subscribe({.expires = kForEver, .contact = "sip:new@10.0.0.8", .headers = "X-B: 2\r\n"});
  rig.accept(600);
  rig.advance(200);
  rig.restart();
  rig.advance(kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL("sip:new@10.0.0.8", rig.last().contact);
  TEXT_EQUAL("X-B: 2\r\n", rig.last().extra_headers);
}

// c: send_subscribe returns 0 on a send failure, and no callback comes (os)
TEST(DefectsSubscriptions, a_request_that_cannot_be_sent_is_completed) {
  rig.send_error = "no socket";
  Call& c = rig.subscribe();
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(503, c.status);
  TEXT_EQUAL("no socket", c.reason);
}

// c: remote_target is kept but not used as the Request-URI (os)
TEST(DefectsSubscriptions, the_remote_target_is_the_request_uri) {
  rig.subscribe({.target = "sip:rls@10.0.0.4"});
  TEXT_EQUAL("sip:rls@10.0.0.4", rig.last().uri);
  TEXT_EQUAL(kAlice, rig.last().to);
}

// c: no Accept, no Allow-Events, no Event id (both)
TEST(DefectsSubscriptions, accept_allow_events_and_event_id_are_sent) {
  rig.subscribe({.event_id = "7"});
  TEXT_EQUAL("application/pidf+xml", rig.last().accept);
  TEXT_EQUAL("presence, dialog", rig.last().allow_events);
  TEXT_EQUAL("presence;id=7", rig.last().event);
}

// c: 3000 octets of headers, unchecked (os)
TEST(DefectsSubscriptions, long_headers_arrive_whole) {
  std::string headers;
  while (headers.size() < 4000) headers += "X-A: 0123456789\r\n";
  rig.subscribe({.headers = headers});
  TEXT_EQUAL(headers, rig.last().extra_headers);
}

// --- 4.4: replies ------------------------------------------------------------------------------------------------

// c: what takes the place of a lost dialog asks for the rest + 3 s and forgets the outbound proxy (os)
TEST(DefectsSubscriptions, a_new_dialog_asks_for_the_rest_and_takes_the_same_way) {
  rig.live({.expires = 1000, .proxy = "sip:10.0.0.7"}, 1000);
  rig.advance(100 * kSecond);
  rig.subscribe({.expires = 900, .proxy = "sip:10.0.0.7"});   // each request names its way, or none
  rig.advance(40 * kSecond);
  rig.reject(481);
  TEXT_EQUAL("initial", rig.last().kind());
  LONGLONGS_EQUAL(860, rig.last().expires);
  TEXT_EQUAL("sip:10.0.0.7", rig.last().proxy);
}

// c: the proxy is lost with a restart, the sharing tag is never written (os)
TEST(DefectsSubscriptions, the_proxy_and_the_sharing_tag_are_in_the_row) {
  rig.settings.sharing_tag = "vip";
  rig.restart();
  rig.live({.proxy = "sip:10.0.0.7"});
  rig.advance(200);
  TEXT_EQUAL("sip:10.0.0.7", rig.row().row().outbound_proxy);
  TEXT_EQUAL("vip", rig.row().row().sharing_tag);
}

// c: a 2xx without Contact is dropped and nobody is told (os)
TEST(DefectsSubscriptions, a_2xx_without_contact_makes_a_dialog) {
  Call& c = rig.subscribe({.expires = kForEver});
  rig.answer({.expires = 600, .to_tag = "n1"});
  LONGS_EQUAL(200, c.status);
  rig.notify();
  rig.unsubscribe();
  TEXT_EQUAL("remove", rig.last().kind());
  TEXT_EQUAL(kAlice, rig.last().uri);
}

// c: a 2xx without Expires is not stored (os)
TEST(DefectsSubscriptions, a_2xx_without_expires_makes_a_dialog) {
  rig.subscribe({.expires = 600});
  rig.answer({.to_tag = "n1", .contact = kNotifier});
  rig.notify();
  TEXT_EQUAL("live", rig.state());
  rig.advance(200);
  TEXT_EQUAL("n1", rig.row().row().to_tag);
}

// c: the URIs of the row are those of the 2xx, searches by the caller's miss it (os)
TEST(DefectsSubscriptions, a_subscription_is_found_by_the_uris_of_its_owner) {
  rig.live({.uri = "sip:Alice@Example.com;user=phone"});
  rig.advance(200);
  TEXT_EQUAL("sip:Alice@Example.com;user=phone", rig.row().row().pres_uri);
  rig.subscribe({.uri = "sip:Alice@Example.com;user=phone"});
  TEXT_EQUAL("initial refresh", rig.kinds());
}

// c: the outcome of a refresh by timer is told to nobody (os)
TEST(DefectsSubscriptions, observers_hear_of_refreshes_by_timer) {
  std::vector<std::string> seen;
  rig.engine->observe(kMiSubscribe, [&](const RecordView& r, const Outcome& o) {
    seen.push_back(std::string(r.state) + ' ' + std::to_string(o.status) + (o.by_timer ? " by timer" : ""));
  });
  rig.live({.expires = kForEver}, 600);
  until_next_request();
  rig.reject(503);
  LONGS_EQUAL(2, seen.size());
  TEXT_EQUAL("waiting 200", seen[0]);
  TEXT_EQUAL("backoff 503 by timer", seen[1]);
}

// c: an early NOTIFY finds nothing (both)
TEST(DefectsSubscriptions, a_notify_before_the_2xx_is_taken) {
  rig.subscribe();
  LONGS_EQUAL(200, rig.notify({.body = "b"}).status);
  TEXT_EQUAL("b", rig.heard.at(0).body);
}

// c: further forks are not seen at all (both)
TEST(DefectsSubscriptions, further_forks_are_ended) {
  rig.subscribe();
  rig.notify();
  LONGS_EQUAL(481, rig.notify({.remote_tag = "n2"}).status);
}

// c: Subscription-State is not looked at: neither its expires nor "terminated" (both)
TEST(DefectsSubscriptions, subscription_state_drives_expiry_and_end) {
  rig.live({.expires = kForEver}, 3600);
  rig.notify({.expires = 100});
  until_next_request();
  CHECK(rig.last().at < rig.sent[0].at + 61 * kSecond);
  rig.accept(100);
  rig.notify({.state = "terminated", .reason = "noresource"});
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
}

// c: no NOTIFY at all, and nobody notices (both)
TEST(DefectsSubscriptions, a_subscription_that_brings_no_notify_is_noticed) {
  rig.subscribe();
  rig.accept();
  rig.advance(32 * kSecond);
  LONGS_EQUAL(1, rig.stats().notifies_missing);
  CHECK(rig.logged(LogLevel::warning, kOurContact));
}

// --- 6: pua_update_contact ---------------------------------------------------------------------------------------

// c: the tags are swapped, it never matches (both); the whole header field would be stored, and the row not written
TEST(DefectsSubscriptions, update_contact_finds_the_dialog_and_its_result_is_stored) {
  rig.live({.expires = kForEver});
  const Sent s = rig.last();
  DialogQuery q{.call_id = s.call_id, .local_tag = s.from_tag, .remote_tag = "n1"};
  CHECK(rig.engine->update_contact(q, "sip:moved@10.0.0.2", rig.now).ok());
  rig.advance(200);
  rig.restart();
  rig.advance(kSecond);
  TEXT_EQUAL("sip:moved@10.0.0.2", rig.last().uri);
  CHECK_FALSE(rig.engine->update_contact(q, "<sip:moved@10.0.0.2>;expires=5", rig.now).ok());
}

// c: tags are compared by the length of the stored one (os)
TEST(DefectsSubscriptions, a_tag_that_only_begins_alike_is_another_one) {
  rig.live();
  const Sent s = rig.last();
  LONGS_EQUAL(481, rig.notify({.remote_tag = "n12"}).status);
  LONGS_EQUAL(481, rig.notify({.remote_tag = "n"}).status);
  LONGS_EQUAL(481, rig.notify({.local_tag = s.from_tag + "0"}).status);
  LONGS_EQUAL(481, rig.notify({.call_id = s.call_id + "0"}).status);
  DialogQuery q{.call_id = s.call_id, .local_tag = s.from_tag, .remote_tag = "n12"};
  CHECK_FALSE(rig.engine->update_contact(q, "sip:x@y", rig.now).ok());
}

// c: subscriptions of reginfo are left out (os)
TEST(DefectsSubscriptions, update_contact_works_for_every_source) {
  for (int bit = 0; bit < 18; bit++) {
    SubsRig r;
    r.live({.source = 1 << bit});
    DialogQuery q{.call_id = r.last().call_id, .local_tag = r.last().from_tag, .remote_tag = "n1"};
    CHECK(r.engine->update_contact(q, "sip:moved@10.0.0.2", r.now).ok());
    LONGS_EQUAL(1, r.heard.size());   // c: register_puacb stops at 512
  }
}

// --- 5, 8: rows --------------------------------------------------------------------------------------------------

// c: the DELETE of one dialog takes the rows of others with the same watcher and remote contact (os)
TEST(DefectsSubscriptions, the_end_of_one_subscription_leaves_the_rows_of_the_others) {
  rig.several_ids = true;
  rig.live({.id = "a"});
  rig.live({.id = "b"});
  rig.live({.event = kDialog});
  rig.advance(200);
  LONGS_EQUAL(3, rig.rows().size());
  rig.unsubscribe({.id = "a"});
  rig.accept(0);
  rig.advance(200);
  LONGS_EQUAL(2, rig.rows().size());
  for (auto& r : rig.rows()) CHECK(r.row().pres_id != "a");
}

// c: remote contact, route set and contact are never updated in the row, the row of a first request is not written (os)
TEST(DefectsSubscriptions, the_row_is_what_the_dialog_is) {
  rig.subscribe({.expires = kForEver});
  rig.advance(200);
  LONGS_EQUAL(1, rig.rows().size());
  rig.answer({.expires = 600, .to_tag = "n1", .contact = kNotifier, .route_set = "<sip:p1;lr>"});
  rig.notify({.expires = 600, .contact = "sip:moved@10.0.0.2"});
  rig.subscribe({.expires = kForEver, .contact = "sip:new@10.0.0.8"});
  rig.accept(600);
  rig.advance(200);
  StoredRow kept = rig.row();
  TEXT_EQUAL(kNotifier, kept.row().remote_contact);   // the 2xx was the last to say
  TEXT_EQUAL("<sip:p1;lr>", kept.row().record_route);
  TEXT_EQUAL("sip:new@10.0.0.8", kept.row().contact);
  LONGS_EQUAL(2, kept.row().cseq);
}

// seen: the table is emptied after it was loaded (kam)
TEST(DefectsSubscriptions, a_kill_right_after_a_restart_loses_no_subscription) {
  rig.live({.expires = kForEver});
  rig.advance(200);
  for (int i = 0; i < 5; i++) {
    rig.kill();
    rig.now += 300;
    rig.boot();
    LONGS_EQUAL(1, rig.rows().size());
  }
  rig.advance(kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
}

// #2488, #1796, #2059: pointers into records that are gone (os)
TEST(DefectsSubscriptions, what_a_handler_gets_outlives_its_subscription) {
  rig.live({.id = "phone"});
  std::string seen;
  rig.when_heard = [&](const NotifyView& n) {
    if (n.state == "terminated") seen = std::string(n.record.pres_uri) + ' ' + std::string(n.record.pres_id);
  };
  NotifyRequest n;
  const Sent s = rig.last();
  n.call_id = s.call_id;
  n.local_tag = s.from_tag;
  n.remote_tag = "n1";
  n.cseq = 9;
  n.event = "presence";
  n.state = "terminated";
  n.reason = "noresource";
  LONGS_EQUAL(200, rig.engine->on_notify(n, rig.now).status);
  rig.advance(200);
  TEXT_EQUAL(kAlice + " phone", seen);
  TEXT_EQUAL("none", rig.state({.id = "phone"}));
}
