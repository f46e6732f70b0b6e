// Several requests for one subscription, and looking in: order, superseded, keep_existing, is_dialog, lists.
//
//   owner              engine                 notifier
//     |-- subscribe 1 -->|-- SUBSCRIBE -------->|
//     |-- subscribe 2 -->|   waits              |
//     |-- unsubscribe -->|   replaces 2         |
//     |<-- 1: 200 -------|<-- 200 --------------|
//     |                  |-- SUBSCRIBE, 0 ----->|
//     |<-- 2, 3: 200 ----|<-- 200 --------------|   2 is superseded
#include <string>
#include <vector>

#include "core/subscription.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(SubscriptionOrder) {
  SubsRig rig;
  const std::string kCarol = "sip:carol@example.com";
  std::string found(const DialogQuery& q) {
    std::string id = "-";
    switch (rig.engine->find_dialog(q, &id)) {
      case DialogFound::No: return "no";
      case DialogFound::Unknown: return "unknown";
      case DialogFound::BeingMade: return "being made " + id;
      case DialogFound::Established: return "established " + id;
    }
    return "";
  }
  std::string of_id(const std::string& prefix) {
    std::string all;
    rig.engine->subscriptions_of(prefix, [&](const RecordView& v) {
      all += std::string(v.pres_uri) + ' ' + std::string(v.pres_id) + ", ";
    }, rig.now);
    return all;
  }
};

// --- several requests --------------------------------------------------------------------------------------------

TEST(SubscriptionOrder, requests_that_meet_one_in_flight_wait_and_the_newest_counts) {
  Call& first = rig.subscribe({.expires = 100});
  Call& second = rig.subscribe({.expires = 200});
  Call& third = rig.subscribe({.expires = 300});
  LONGS_EQUAL(1, rig.sent.size());
  rig.accept();
  LONGS_EQUAL(1, first.completed);
  CHECK_FALSE(first.superseded);
  TEXT_EQUAL("initial refresh", rig.kinds());
  LONGLONGS_EQUAL(300, rig.last().expires);
  LONGS_EQUAL(0, second.completed);
  rig.accept();
  CHECK(second.superseded);
  CHECK_FALSE(third.superseded);
  LONGS_EQUAL(200, second.status);
  LONGS_EQUAL(200, third.status);
  CHECK(first.order < second.order);
  CHECK(second.order < third.order);
  LONGS_EQUAL(1, rig.stats().superseded);
}

TEST(SubscriptionOrder, requests_before_the_first_has_left_are_one_request) {
  Call& first = rig.ask({.expires = 100});
  Call& second = rig.ask({.expires = 200});
  rig.settle();
  LONGS_EQUAL(1, rig.sent.size());
  LONGLONGS_EQUAL(200, rig.last().expires);
  rig.accept();
  CHECK(first.superseded);
  LONGS_EQUAL(1, first.completed);
  LONGS_EQUAL(1, second.completed);
}

//   A removal is out, and a subscribe waits: it makes a new dialog, and is not lost.
TEST(SubscriptionOrder, a_subscribe_behind_a_removal_makes_a_new_dialog) {
  rig.live();
  const Sent first = rig.last();
  Call& gone = rig.unsubscribe();
  Call& c = rig.subscribe();
  LONGS_EQUAL(2, rig.sent.size());
  rig.accept(0);
  LONGS_EQUAL(200, gone.status);
  TEXT_EQUAL("initial remove initial", rig.kinds());
  CHECK(rig.last().call_id != first.call_id);
  LONGS_EQUAL(481, rig.notify({.state = "terminated", .call_id = first.call_id, .local_tag = first.from_tag}).status);
  rig.accept();
  LONGS_EQUAL(200, c.status);
  rig.notify();
  rig.advance(200);
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(1, rig.rows().size());
}

TEST(SubscriptionOrder, a_subscribe_while_the_last_notify_is_awaited_makes_a_new_dialog) {
  rig.live();
  rig.unsubscribe();
  rig.accept(0);
  TEXT_EQUAL("ending", rig.state());
  rig.subscribe();
  TEXT_EQUAL("initial remove initial", rig.kinds());
  rig.accept();
  rig.notify();
  rig.advance(60 * kSecond);
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(1, rig.rows().size());
}

TEST(SubscriptionOrder, two_unsubscribes_are_one) {
  rig.live();
  Call& first = rig.unsubscribe();
  Call& second = rig.unsubscribe();
  rig.accept(0);
  LONGS_EQUAL(200, first.status);
  LONGS_EQUAL(200, second.status);
  Call& third = rig.unsubscribe();   // its last NOTIFY is still to come
  LONGS_EQUAL(200, third.status);
  LONGS_EQUAL(2, rig.sent.size());
}

TEST(SubscriptionOrder, a_subscribe_before_the_removal_left_takes_it_back) {
  rig.live();
  Call& removal = rig.ask({.expires = 0});
  Call& c = rig.ask({.expires = 500});
  rig.settle();
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.accept();
  CHECK(removal.superseded);
  LONGS_EQUAL(200, c.status);
  rig.advance(200);
  CHECK(rig.row().row().desired_expires != 1);
}

TEST(SubscriptionOrder, waiters_of_one_subscription_are_bounded) {
  rig.settings.max_waiters = 4;
  rig.restart();
  for (int i = 0; i < 4; i++) rig.subscribe();
  Call& c = rig.subscribe();
  LONGS_EQUAL(static_cast<int>(Errc::too_many_waiters), static_cast<int>(c.code));
  rig.accept();
  rig.accept();
  for (size_t i = 0; i < 4; i++) LONGS_EQUAL(1, rig.calls[i].completed);
}

TEST(SubscriptionOrder, subscriptions_are_bounded) {
  rig.settings.max_records = 2;
  rig.restart();
  rig.subscribe();
  rig.subscribe({.uri = kCarol});
  Call& c = rig.subscribe({.uri = "sip:dave@example.com"});
  LONGS_EQUAL(static_cast<int>(Errc::too_many_records), static_cast<int>(c.code));
  LONGS_EQUAL(0, static_cast<int>(rig.subscribe().code));
}

TEST(SubscriptionOrder, what_waits_for_a_dead_store_is_bounded_but_a_fetch_adds_nothing_to_it) {
  rig.settings.max_backlog = 1;
  rig.restart();
  rig.store->down = true;
  rig.subscribe();
  rig.advance(200);
  LONGS_EQUAL(static_cast<int>(Errc::backlog_full), static_cast<int>(rig.subscribe({.uri = kCarol}).code));
  Call& c = rig.unsubscribe({.uri = kCarol});
  LONGS_EQUAL(0, static_cast<int>(c.code));
  TEXT_EQUAL("initial fetch", rig.kinds());
  rig.accept(0);
  LONGS_EQUAL(200, c.status);
  LONGS_EQUAL(1, rig.behind->backlog());
}

TEST(SubscriptionOrder, each_key_is_a_subscription_of_its_own) {
  rig.several_ids = true;
  std::vector<Want> keys = {{},
                            {.id = "phone"},
                            {.watcher = "sip:dave@example.com"},
                            {.to = "sip:list@example.com"},
                            {.source = 512},
                            {.event = kDialog}};
  for (const Want& w : keys) rig.subscribe(w);
  LONGS_EQUAL(6, rig.sent.size());
  for (size_t i = 0; i < 6; i++) {
    for (size_t k = 0; k < i; k++) CHECK(rig.sent[i].call_id != rig.sent[k].call_id);
    TEXT_EQUAL("initial", rig.sent[i].kind());
  }
  LONGS_EQUAL(6, rig.stats().subscriptions);
}

// For the next hop see next_hop_test.cpp.
TEST(SubscriptionOrder, header_fields_and_event_id_that_a_newer_request_leaves_out_stay) {
  rig.live({.contact = "sip:me@10.0.0.8", .event_id = "e", .headers = "X-A: 1\r\n", .proxy = "sip:10.0.0.7"});
  rig.subscribe({.contact = "sip:me@10.0.0.8"});
  TEXT_EQUAL("sip:me@10.0.0.8", rig.last().contact);
  TEXT_EQUAL("X-A: 1\r\n", rig.last().extra_headers);
  TEXT_EQUAL("presence;id=e", rig.last().event);
  rig.subscribe({.contact = "sip:me@10.0.0.9", .headers = "X-B: 2\r\n"});   // waits
  rig.accept();
  TEXT_EQUAL("sip:me@10.0.0.9", rig.last().contact);
  TEXT_EQUAL("X-B: 2\r\n", rig.last().extra_headers);
  TEXT_EQUAL("presence;id=e", rig.last().event);
}

// RFC 4660, RFC 5367.
TEST(SubscriptionOrder, what_is_said_of_a_body_goes_with_it_only) {
  rig.live({.headers = "Content-Disposition: filter\r\nX-A: 1\r\n", .body = "<filter-set/>", .content_type = "application/simple-filter+xml"});
  TEXT_EQUAL("Content-Disposition: filter\r\nX-A: 1\r\n", rig.last().extra_headers);
  rig.unsubscribe();
  LONGS_EQUAL(0, rig.last().expires);
  TEXT_EQUAL("", rig.last().body);
  TEXT_EQUAL("X-A: 1\r\n", rig.last().extra_headers);
}

TEST(SubscriptionOrder, a_body_goes_with_each_request_but_the_one_that_ends_it) {
  const std::string filter = "<filter-set/>", other = "<filter-set><x/></filter-set>", type = "application/simple-filter+xml";
  rig.live({.body = filter, .content_type = type});
  TEXT_EQUAL(filter, rig.last().body);
  TEXT_EQUAL(type, rig.last().content_type);
  rig.subscribe({.expires = 7200});                                   // a request without a body leaves the body as it is
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL(filter, rig.last().body);
  rig.subscribe({.body = other, .content_type = "text/x-other"});    // waits
  rig.accept();
  TEXT_EQUAL(other, rig.last().body);
  TEXT_EQUAL("text/x-other", rig.last().content_type);
  rig.reject(481);
  TEXT_EQUAL("initial", rig.last().kind());
  TEXT_EQUAL(other, rig.last().body);
  rig.accept();
  rig.notify();
  rig.unsubscribe();
  TEXT_EQUAL("", rig.last().body);
  TEXT_EQUAL("", rig.last().content_type);
}

TEST(SubscriptionOrder, a_body_needs_a_type_and_both_have_bounds) {
  auto refused = [&](const Want& w, Errc code, const char* message) {
    Call& c = rig.ask(w);
    CHECK(c.code == code);
    TEXT_EQUAL(message, c.message);
  };
  refused({.body = "<f/>"}, Errc::bad_argument, "body is there, and content_type does not say what it is");
  refused({.body = std::string(16385, 'x'), .content_type = "text/plain"}, Errc::too_large, "body has 16385 octets, max_body is 16384");
  refused({.body = "x", .content_type = "text/plain\r\nX: y"}, Errc::bad_header, "content_type holds a control character");
  LONGS_EQUAL(0, rig.sent.size());
  rig.subscribe({.content_type = "text/plain"});   // a content type without a body does not matter
  TEXT_EQUAL("", rig.last().content_type);
}

// RFC 4662 section 5.1.
TEST(SubscriptionOrder, who_supports_lists_accepts_their_documents) {
  rig.subscribe({.headers = "Supported: 100rel, eventlist\r\n"});
  TEXT_EQUAL("application/pidf+xml, multipart/related, application/rlmi+xml", rig.last().accept);
}

TEST(SubscriptionOrder, the_event_id_stays_with_the_dialog) {
  rig.live({.event_id = "a"});
  Call& c = rig.subscribe({.event_id = "b"});
  LONGS_EQUAL(static_cast<int>(Errc::bad_argument), static_cast<int>(c.code));
  CHECK(c.message.find("event_id") != std::string::npos);
  LONGS_EQUAL(0, static_cast<int>(rig.subscribe({.event_id = "a"}).code));
  TEXT_EQUAL("presence;id=a", rig.last().event);
  rig.accept();
  rig.unsubscribe();
  rig.accept(0);
  rig.notify({.state = "terminated", .event_id = "a"});
  rig.live({.event_id = "b"});
  TEXT_EQUAL("live", rig.state());
}

// --- keep_existing -----------------------------------------------------------------------------------------------

TEST(SubscriptionOrder, keep_existing_does_nothing_where_it_exists) {
  rig.live();
  Call& c = rig.subscribe({.expires = 10, .keep_existing = true});
  LONGS_EQUAL(200, c.status);
  LONGS_EQUAL(1, c.completed);
  CHECK(c.origin == ReplyOrigin::Local);
  LONGS_EQUAL(1, rig.sent.size());
  rig.advance(100 * kSecond);
  TEXT_EQUAL("live", rig.state());
}

TEST(SubscriptionOrder, keep_existing_subscribes_where_there_is_none) {
  rig.subscribe({.keep_existing = true});
  TEXT_EQUAL("initial", rig.kinds());
}

TEST(SubscriptionOrder, keep_existing_subscribes_where_it_is_on_its_way_out) {
  rig.live();
  rig.unsubscribe();
  Call& c = rig.subscribe({.keep_existing = true});
  LONGS_EQUAL(0, c.completed);
  rig.accept(0);
  TEXT_EQUAL("initial remove initial", rig.kinds());
}

// --- is_dialog, get_record_id ------------------------------------------------------------------------------------

TEST(SubscriptionOrder, a_dialog_is_found_by_its_names_while_it_is_there) {
  TEXT_EQUAL("no", found({.pres_uri = kAlice}));
  rig.subscribe({.id = "phone"});
  const Sent s = rig.last();
  DialogQuery names{.call_id = s.call_id, .local_tag = s.from_tag};
  TEXT_EQUAL("being made phone", found(names));
  TEXT_EQUAL("being made phone", found({.pres_uri = kAlice}));
  rig.accept();
  TEXT_EQUAL("established phone", found(names));
  names.remote_tag = "n1";
  TEXT_EQUAL("established phone", found(names));
  names.remote_tag = "n2";
  TEXT_EQUAL("no", found(names));
  TEXT_EQUAL("no", found({.call_id = s.call_id, .local_tag = "n1", .remote_tag = s.from_tag}));   // with the tags swapped
  rig.unsubscribe({.id = "phone"});
  rig.accept(0);
  TEXT_EQUAL("no", found({.call_id = s.call_id, .local_tag = s.from_tag}));
  TEXT_EQUAL("no", found({.pres_uri = kAlice}));
}

TEST(SubscriptionOrder, fields_of_a_query_that_are_left_out_match_any) {
  rig.live({.id = "phone"});
  std::string call_id = rig.last().call_id;
  TEXT_EQUAL("established phone", found({.call_id = call_id}));
  TEXT_EQUAL("established phone", found({.call_id = call_id, .remote_tag = "n1"}));
  TEXT_EQUAL("established phone", found({.pres_uri = kAlice, .watcher_uri = kBob}));
  TEXT_EQUAL("established phone", found({.pres_uri = kAlice, .id = "phone", .event = kPresence, .source = kMiSubscribe}));
  TEXT_EQUAL("no", found({.call_id = call_id, .pres_uri = "sip:other@example.com"}));
  TEXT_EQUAL("no", found({.call_id = "other"}));
  TEXT_EQUAL("no", found({.pres_uri = kAlice, .watcher_uri = kAlice}));
  TEXT_EQUAL("no", found({.pres_uri = kAlice, .id = "desk"}));
  TEXT_EQUAL("no", found({.pres_uri = kAlice, .event = kDialog}));
  TEXT_EQUAL("no", found({.pres_uri = kAlice, .source = 512}));
  TEXT_EQUAL("no", found({}));
}

TEST(SubscriptionOrder, of_several_that_match_an_established_one_is_found_first) {
  rig.several_ids = true;
  rig.live({.id = "desk"});
  rig.subscribe({.id = "phone"});
  TEXT_EQUAL("established desk", found({.pres_uri = kAlice}));
  TEXT_EQUAL("being made phone", found({.pres_uri = kAlice, .id = "phone"}));
}

// --- get_subs_list -----------------------------------------------------------------------------------------------

TEST(SubscriptionOrder, subscriptions_are_listed_by_how_their_id_begins) {
  rig.several_ids = true;
  rig.subscribe({.id = "RLS;1"});
  rig.subscribe({.uri = kCarol, .id = "RLS;1;a"});
  rig.subscribe({.uri = kCarol, .id = "RLS;2"});
  rig.subscribe({.uri = kCarol});
  TEXT_EQUAL(kAlice + " RLS;1, " + kCarol + " RLS;1;a, ", of_id("RLS;1"));
  TEXT_EQUAL(kCarol + " RLS;2, ", of_id("RLS;2"));
  TEXT_EQUAL("", of_id("XLS"));
  rig.reject(489);
  rig.answer(rig.sent[2], {.status = 489});
  TEXT_EQUAL("", of_id("RLS;2"));
}

//   |-- SUBSCRIBE, 0 ------->|   at the wanted end
//   |<-- NOTIFY, terminated -|   before the answer: for its owner it is over with this
TEST(SubscriptionOrder, one_whose_end_was_notified_is_listed_no_more_though_its_answer_is_still_to_come) {
  Want w{.expires = 600, .id = "RLS;1"};
  rig.live(w, 900);
  rig.advance(600 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL(kAlice + " RLS;1, ", of_id("RLS"));
  LONGS_EQUAL(200, rig.notify({.state = "terminated", .reason = "timeout"}).status);
  TEXT_EQUAL("", of_id("RLS"));
  rig.subscribe(w);   // wanted again
  TEXT_EQUAL(kAlice + " RLS;1, ", of_id("RLS"));
}

TEST(SubscriptionOrder, they_are_listed_beside_publications_page_by_page) {
  rig.live();
  rig.publish("b1");
  int publications = 0, subscriptions = 0, pages = 0;
  uint64_t cursor = 0;
  do {
    ListPage page = rig.engine->list({}, cursor, 1, [&](const RecordView& v) {
      (v.kind == Kind::Publication ? publications : subscriptions)++;
    }, rig.now);
    cursor = page.next;
    CHECK(cursor < 1ull << 53);     // clients read it as a signed number or a double
    CHECK(++pages < 200);
  } while (cursor);
  LONGS_EQUAL(1, publications);
  LONGS_EQUAL(1, subscriptions);
}

TEST(SubscriptionOrder, a_view_shows_the_dialog) {
  rig.subscribe({.to = "sip:list@example.com", .event_id = "e"});
  rig.answer({.expires = 600, .to_tag = "n1", .contact = kNotifier, .route_set = "<sip:p1;lr>"});
  int shown = 0;
  CHECK(rig.engine->show(kAlice, kPresence, kMiSubscribe, [&](const RecordView& v) {
    shown++;
    CHECK(v.kind == Kind::Subscription);
    TEXT_EQUAL(kBob, v.watcher_uri);
    TEXT_EQUAL("sip:list@example.com", v.to_uri);
    TEXT_EQUAL("n1", v.to_tag);
    TEXT_EQUAL(rig.last().from_tag, v.from_tag);
    TEXT_EQUAL(rig.last().call_id, v.call_id);
    TEXT_EQUAL(kNotifier, v.remote_target);
    TEXT_EQUAL("<sip:p1;lr>", v.route_set);
    TEXT_EQUAL("e", v.event_id);
    TEXT_EQUAL(kOurContact, v.contact);
    TEXT_EQUAL("confirmed", v.dialog);
    LONGS_EQUAL(1, v.cseq);
    LONGLONGS_EQUAL(600, v.expires_in);
  }, rig.now).ok());
  LONGS_EQUAL(1, shown);
}

TEST(SubscriptionOrder, while_the_table_is_being_loaded_what_is_not_there_is_not_known) {
  rig.live({.expires = kForEver});
  const Sent first = rig.last();
  rig.advance(200);
  rig.load_delay_ms = 500;
  rig.restart();
  auto show = [&](const std::string& uri) {
    return rig.engine->show(uri, 0, 0, [](const RecordView&) {}, rig.now).code();
  };
  const DialogQuery mine{.call_id = first.call_id, .local_tag = first.from_tag, .remote_tag = "n1"};
  TEXT_EQUAL("unknown", found(mine));
  CHECK(show(kAlice) == Errc::loading);
  CHECK(rig.engine->update_contact(mine, kNotifier, rig.now).code() == Errc::loading);
  rig.advance(kSecond);
  TEXT_EQUAL("established ", found(mine));
  TEXT_EQUAL("no", found({.call_id = "other"}));
  CHECK(show(kAlice) == Errc::ok);
  CHECK(show(kCarol) == Errc::not_found);
  CHECK(rig.engine->update_contact({.call_id = "other"}, kNotifier, rig.now).code() == Errc::not_found);
}

// Its deadline, which a NOTIFY has made earlier, comes in the same run in which the request would leave.
TEST(SubscriptionOrder, an_unsubscribe_whose_grant_grew_while_it_waited_for_a_slot_leaves) {
  rig.settings.max_in_flight = 1;
  rig.boot();
  const Want mine{.uri = kAlice}, other{.uri = kCarol};
  rig.live(mine, 3600);
  const Sent first = rig.last();
  rig.live(other, 7200);
  rig.subscribe(other);                      // takes the only slot
  rig.unsubscribe(mine);
  rig.advance(200);
  TEXT_EQUAL("queued", rig.state(mine));
  for (int64_t expires : {30, 3000})
    rig.notify({.expires = expires, .cseq = static_cast<uint32_t>(100 + expires), .call_id = first.call_id, .local_tag = first.from_tag});
  rig.advance(28500);
  rig.Rig::ask({.uri = "sip:dora@example.com", .expires = 1, .body = "x"});   // has a deadline that comes first in that run
  rig.now += 3500;
  rig.accept(3600);
  rig.advance(10 * kSecond);
  TEXT_EQUAL("initial initial refresh remove", rig.kinds());
}

TEST(SubscriptionOrder, an_unsubscribe_of_what_has_just_ended_fetches_nothing_and_waits_for_its_row) {
  rig.live();
  rig.advance(200);
  rig.store->down = true;
  rig.notify({.state = "terminated", .reason = "rejected"});
  rig.advance(500);
  TEXT_EQUAL("gone", rig.state());
  Call& c = rig.unsubscribe();
  rig.store->down = false;
  rig.advance(10 * kSecond);
  TEXT_EQUAL("initial", rig.kinds());
  LONGS_EQUAL(200, c.status);
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(SubscriptionOrder, what_wants_nothing_done_where_it_exists_does_nothing_while_loading_either) {
  rig.live({.expires = kForEver});
  const Sent first = rig.last();
  rig.advance(500);
  rig.load_delay_ms = 50;
  rig.restart();
  Call& c = rig.ask(Want{.expires = 600, .headers = "X-A: other\r\n", .keep_existing = true});
  rig.advance(500);
  LONGS_EQUAL(200, c.status);
  CHECK(rig.sub()->m->wanted_end == kNever);
  rig.advance(60 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL(first.call_id, rig.last().call_id);
  TEXT_EQUAL("", rig.last().extra_headers);
}

TEST(SubscriptionOrder, without_a_row_it_is_made_and_after_another_request_that_one_counts) {
  rig.several_ids = true;
  rig.live({.expires = kForEver, .id = "a"});
  rig.advance(500);
  rig.load_delay_ms = 50;
  rig.restart();
  rig.ask(Want{.expires = 600, .id = "a", .keep_existing = true});
  rig.ask(Want{.expires = 700, .id = "a"});
  Call& fresh = rig.ask(Want{.expires = 600, .id = "b", .keep_existing = true});
  rig.advance(500);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  LONGLONGS_EQUAL(700, rig.sent[1].expires);
  rig.accept(600);
  rig.advance(200);
  LONGS_EQUAL(200, fresh.status);
}

// --- shutdown ----------------------------------------------------------------------------------------------------

TEST(SubscriptionOrder, shutdown_completes_everything_open_once_and_ends_no_dialog) {
  rig.live();
  Call& out = rig.subscribe();
  Call& waiting = rig.unsubscribe();
  Call& other = rig.ask({.uri = kCarol});
  rig.engine->shutdown();
  for (Call* c : {&out, &waiting, &other}) {
    LONGS_EQUAL(1, c->completed);
    LONGS_EQUAL(487, c->status);
    CHECK(c->origin == ReplyOrigin::Shutdown);
  }
  rig.advance(60 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  LONGS_EQUAL(static_cast<int>(Errc::shutting_down), static_cast<int>(rig.ask({}).code));
}

TEST(SubscriptionOrder, remove_all_meets_a_subscribe_that_waits_behind_an_unsubscribe) {
  rig.live();
  rig.unsubscribe();
  Call& again = rig.subscribe();
  rig.engine->stop_taking();
  rig.engine->remove_all();
  rig.settle();
  rig.accept(0);
  rig.end();
  rig.advance(kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  LONGS_EQUAL(1, again.completed);
  CHECK(rig.engine->quiet());
}

TEST(SubscriptionOrder, remove_all_unsubscribes_everything) {
  rig.several_ids = true;
  rig.live();
  rig.live({.id = "phone"});
  rig.subscribe({.uri = kCarol});
  Sent& meeting = rig.last();
  rig.engine->stop_taking();
  rig.engine->remove_all();
  rig.settle();
  CHECK(!rig.engine->quiet());
  rig.answer(meeting, {.expires = 3600, .to_tag = "n1", .contact = kNotifier});
  TEXT_EQUAL("initial initial initial remove remove remove", rig.kinds());
  for (size_t i = 3; i < 6; i++) rig.answer(rig.sent[i], {.expires = 0});
  CHECK(rig.engine->quiet());
  rig.advance(200);
  LONGS_EQUAL(0, rig.rows().size());
}
