// NOTIFYs: what is taken, what is refused and changes nothing, what ends a subscription, who hears of it (RFC 6665).
//
//   owner              engine                 notifier
//     |                  |<-- NOTIFY -----------|
//     |                  |--- 200 ------------->|   taken, whatever its document is ...
//     |<-- handler ------|                      |   from run(), never inside
//     |                  |<-- NOTIFY -----------|
//     |                  |--- 4xx, 5xx -------->|   ... or refused, and only counted
#include <string>
#include <vector>

#include "core/subscription.h"
#include "tests/core/retrying_test.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(SubscriptionNotify, RetryingTest<SubsRig>) {
  // Ended so, a new dialog is made at once.
  void subscribes_again_at_once(const std::string& reason, int64_t retry_after = -1) {
    rig.live({.expires = kForEver});
    const Sent first = rig.last();
    rig.advance(60 * kSecond);
    LONGS_EQUAL(200, rig.notify({.state = "terminated", .reason = reason, .retry_after = retry_after}).status);
    TEXT_EQUAL("initial initial", rig.kinds());
    CHECK(first.call_id != rig.last().call_id);
    LONGS_EQUAL(1, rig.last().cseq);
    LONGS_EQUAL(1, rig.stats().notifies_terminated);
    TEXT_EQUAL("terminated", rig.heard.back().state);
    TEXT_EQUAL(reason, rig.heard.back().reason);
    LONGS_EQUAL(481, rig.notify({.call_id = first.call_id, .local_tag = first.from_tag}).status);
    rig.accept();
    rig.notify();
    TEXT_EQUAL("live", rig.state());
  }
  // Checks that after such an end a new dialog is made within this time.
  void subscribes_again_within(const std::string& reason, int64_t retry_after, MonoMs low, MonoMs high) {
    rig.live({.expires = kForEver});
    rig.advance(60 * kSecond);
    rig.notify({.state = "terminated", .reason = reason, .retry_after = retry_after});
    TEXT_EQUAL("backoff", rig.state());
    TEXT_EQUAL("none", rig.dialog());
    LONGLONGS_EQUAL(retry_after, rig.heard.back().retry_after);
    next_leaves_within(low, high);
    TEXT_EQUAL("initial", rig.last().kind());
  }
  // Checks that after such an end nothing is left of the subscription.
  void is_over(const std::string& reason) {
    rig.live({.expires = kForEver});
    rig.notify({.state = "terminated", .reason = reason, .retry_after = 10});
    rig.advance(200);
    TEXT_EQUAL("none", rig.state());
    LONGS_EQUAL(0, rig.rows().size());
    TEXT_EQUAL(reason, rig.heard.back().reason);
    CHECK(rig.logged(LogLevel::notice, "ended the subscription for good"));
    rig.advance(7200 * kSecond);
    LONGS_EQUAL(1, rig.sent.size());
    rig.subscribe();               // ... until an owner asks again
    TEXT_EQUAL("initial initial", rig.kinds());
  }
};

// --- terminated --------------------------------------------------------------------------------------------------

//   |<-- NOTIFY, terminated;reason=deactivated --|
//   |-- SUBSCRIBE ------------------------------>|   at once, a new dialog
TEST(SubscriptionNotify, deactivated_subscribes_again_at_once) { subscribes_again_at_once("deactivated"); }
TEST(SubscriptionNotify, timeout_subscribes_again_at_once) { subscribes_again_at_once("timeout"); }
TEST(SubscriptionNotify, no_reason_subscribes_again_at_once) { subscribes_again_at_once(""); }
TEST(SubscriptionNotify, a_reason_nobody_knows_subscribes_again_at_once) { subscribes_again_at_once("boredom"); }

//   |<-- NOTIFY, terminated;reason=probation;retry-after=90 --|
//   |   (90 s)                                                |
//   |-- SUBSCRIBE ------------------------------------------->|
TEST(SubscriptionNotify, probation_subscribes_again_after_retry_after) {
  subscribes_again_within("probation", 90, 90 * kSecond, 90 * kSecond);
}
TEST(SubscriptionNotify, giveup_subscribes_again_after_retry_after) {
  subscribes_again_within("giveup", 90, 90 * kSecond, 90 * kSecond);
}
TEST(SubscriptionNotify, probation_without_retry_after_backs_off) {
  subscribes_again_within("probation", -1, 1500, 2500);
}
TEST(SubscriptionNotify, giveup_without_retry_after_backs_off) { subscribes_again_within("giveup", -1, 1500, 2500); }
// RFC 6665 section 4.1.3: a new one is welcome at once, whatever else stands there.
TEST(SubscriptionNotify, deactivated_with_retry_after_subscribes_again_at_once) { subscribes_again_at_once("deactivated", 90); }
TEST(SubscriptionNotify, timeout_with_retry_after_subscribes_again_at_once) { subscribes_again_at_once("timeout", 90); }
TEST(SubscriptionNotify, no_reason_with_retry_after_waits) {
  subscribes_again_within("", 90, 90 * kSecond, 90 * kSecond);
}

//   |<-- NOTIFY, terminated;reason=rejected --|   that is all
TEST(SubscriptionNotify, rejected_is_the_end) { is_over("rejected"); }
TEST(SubscriptionNotify, noresource_is_the_end) { is_over("noresource"); }
TEST(SubscriptionNotify, invariant_is_the_end) { is_over("invariant"); }

TEST(SubscriptionNotify, one_that_ends_as_soon_as_it_is_made_is_not_made_in_a_loop) {
  rig.subscribe({.expires = kForEver});
  for (int i = 0; i < 600; i++) {
    for (int n = 0; rig.open() && n < 5; n++) {
      rig.accept();
      rig.notify({.state = "terminated", .reason = "deactivated", .cseq = 1});
    }
    rig.advance(kSecond / 10);
  }
  CHECK(rig.sent.size() > 3);
  CHECK(rig.sent.size() < 12);
}

//   |-- SUBSCRIBE, to-tag ------------------->|
//   |<-- NOTIFY, terminated;retry-after=60 ---|
//   |<-- 200 ---------------------------------|   the new dialog waits all the same
TEST(SubscriptionNotify, one_that_ends_while_its_refresh_is_out_is_made_anew_when_the_reply_has_come) {
  for (const Answer& a : std::vector<Answer>{{.expires = 600, .to_tag = "n1"}, {.status = 481}, {.status = 503}}) {
    SubsRig r;
    r.live({.expires = kForEver});
    r.advance(60 * kSecond);
    r.subscribe({.expires = kForEver});
    r.notify({.state = "terminated", .reason = "probation", .retry_after = 60});
    LONGS_EQUAL(481, r.notify().status);
    LONGS_EQUAL(2, r.sent.size());
    r.answer(a);
    r.advance(60 * kSecond - 1);
    LONGS_EQUAL(2, r.sent.size());
    r.advance(1);
    LONGS_EQUAL(3, r.sent.size());
    TEXT_EQUAL("initial", r.last().kind());
  }
}

TEST(SubscriptionNotify, one_that_ends_without_retry_after_under_a_503_with_one_waits) {
  rig.live({.expires = kForEver});
  rig.advance(60 * kSecond);
  rig.subscribe({.expires = kForEver});
  rig.notify({.state = "terminated", .reason = "deactivated"});
  rig.answer({.status = 503, .retry_after = 60});
  next_leaves_within(60 * kSecond, 60 * kSecond);
}

TEST(SubscriptionNotify, one_that_is_rejected_while_its_refresh_is_out_is_over_with_the_reply) {
  rig.live({.expires = kForEver});
  Call& c = rig.subscribe({.expires = kForEver});
  rig.notify({.state = "terminated", .reason = "rejected"});
  rig.accept(3600);
  LONGS_EQUAL(1, c.completed);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

TEST(SubscriptionNotify, one_that_is_rejected_before_its_2xx_is_over) {
  Call& c = rig.subscribe();
  rig.notify({.state = "terminated", .reason = "rejected"});
  rig.accept();
  LONGS_EQUAL(1, c.completed);
  rig.advance(200);
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
  rig.advance(3600 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
}

TEST(SubscriptionNotify, one_that_ends_while_nobody_wants_it_stays_ended) {
  rig.live();
  Call& c = rig.unsubscribe();
  rig.time_out();
  LONGS_EQUAL(408, c.status);
  TEXT_EQUAL("backoff", rig.state());
  rig.notify({.state = "terminated", .reason = "deactivated"});
  rig.advance(3600 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
}

// --- refused -----------------------------------------------------------------------------------------------------

TEST(SubscriptionNotify, a_package_nobody_registered_is_489_and_says_which_there_are) {
  rig.live();
  LONGS_EQUAL(489, rig.refused({.event = "weather"}));
  LONGS_EQUAL(489, rig.refused({.event = ""}));
  for (const char* event : {"weather", ""})
    TEXT_EQUAL("Allow-Events: presence, dialog\r\n", rig.notify({.event = event}).headers);
  LONGS_EQUAL(4, rig.stats().notifies_bad);
}

TEST(SubscriptionNotify, what_belongs_to_no_subscription_is_481) {
  LONGS_EQUAL(481, rig.notify({.call_id = "x", .local_tag = "y"}).status);
  rig.live();
  LONGS_EQUAL(481, rig.refused({.call_id = "somebody@else"}));
  LONGS_EQUAL(481, rig.refused({.local_tag = "other"}));
  LONGS_EQUAL(481, rig.refused({.local_tag = ""}));
  LONGS_EQUAL(200, rig.notify().status);   // because three refused ones in a row would make the engine ask
  LONGS_EQUAL(481, rig.refused({.remote_tag = "n2"}));
  LONGS_EQUAL(481, rig.refused({.event = "dialog"}));
  LONGS_EQUAL(6, rig.stats().notifies_unknown);
  LONGS_EQUAL(0, rig.stats().notifies_bad);
}

TEST(SubscriptionNotify, another_event_id_is_481) {
  rig.live({.event_id = "a"});
  Want w{.event_id = "a"};
  LONGS_EQUAL(481, rig.refused({.event_id = "b"}));
  LONGS_EQUAL(481, rig.refused({}));
  LONGS_EQUAL(200, rig.notify({.event_id = "a"}).status);
}

TEST(SubscriptionNotify, what_lacks_a_needed_field_is_400) {
  rig.live();
  LONGS_EQUAL(400, rig.refused({.state = ""}));
  LONGS_EQUAL(400, rig.refused({.remote_tag = ""}));
  LONGS_EQUAL(2, rig.stats().notifies_bad);
}

TEST(SubscriptionNotify, a_from_tag_or_route_set_that_no_column_takes_is_400) {
  rig.subscribe();
  LONGS_EQUAL(400, rig.refused({.remote_tag = std::string(256, 'x')}));
  LONGS_EQUAL(400, rig.refused({.remote_tag = "a\r\nb"}));
  LONGS_EQUAL(400, rig.refused({.route_set = "<sip:" + std::string(4096, 'x') + ";lr>"}));
  LONGS_EQUAL(400, rig.refused({.route_set = "<sip:a;lr>\r\nX: y"}));
  TEXT_EQUAL("early", rig.dialog());
  LONGS_EQUAL(200, rig.notify({.remote_tag = std::string(255, 'x')}).status);
}

// RFC 3261 section 12.2: a dialog has its route set from the message that made it.
TEST(SubscriptionNotify, a_record_route_that_cannot_be_read_counts_only_where_it_makes_the_dialog) {
  rig.subscribe();
  LONGS_EQUAL(400, rig.refused({.route_problem = "it cannot be read"}));
  TEXT_EQUAL("early", rig.dialog());
  LONGS_EQUAL(200, rig.notify({.route_set = "<sip:first;lr>"}).status);
  rig.accept(3600);
  LONGS_EQUAL(200, rig.notify({.body = "heard", .route_problem = "it cannot be read"}).status);
  TEXT_EQUAL("heard", rig.heard.back().body);
  rig.ask({.expires = 0});
  rig.settle();
  TEXT_EQUAL("<sip:first;lr>", rig.last().route_set);
}

// A Contact that requests could never go to does not take the place of one that works.
TEST(SubscriptionNotify, a_contact_that_cannot_be_used_leaves_the_remote_target_as_it_is) {
  rig.live({.expires = kForEver});
  for (const char* odd : {"nonsense", "sip:x@y\r\nVia: z", "tel:+1", "sip:x@y;transport=ws", "sip:x@y;transport=sctp", "mailto:x@y"}) {
    LONGS_EQUAL(200, rig.notify({.contact = odd}).status);
    rig.text({}, [](const RecordView& v) { TEXT_EQUAL(kNotifier, v.remote_target); });
  }
  LONGS_EQUAL(200, rig.notify({.contact = "sip:new@10.0.0.2;transport=TCP"}).status);
  rig.text({}, [](const RecordView& v) { TEXT_EQUAL("sip:new@10.0.0.2;transport=TCP", v.remote_target); });
}

// "sla" is a parameter of Event, where no parameter but id counts (RFC 3265 section 7.2.1): some notifiers write it, and some
// do not.
TEST(SubscriptionNotify, one_of_the_same_package_with_other_parameters_is_taken) {
  constexpr int32_t kSla = 1 << 2;
  rig.events[kSla] = {kSla, "dialog;sla", "application/dialog-info+xml"};
  rig.live({.expires = kForEver, .event = kSla});
  for (const char* event : {"dialog;sla", "dialog", "dialog;x=y"}) LONGS_EQUAL(200, rig.notify({.event = event}).status);
  LONGS_EQUAL(481, rig.refused({.event = "presence"}));
}

//   |<-- NOTIFY, CSeq 7 --|
//   |<-- NOTIFY, CSeq 6 --|
//   |--- 500 ------------>|
TEST(SubscriptionNotify, one_out_of_order_is_500) {
  rig.live();
  rig.notify({.body = "new", .cseq = 7});
  LONGS_EQUAL(500, rig.refused({.body = "old", .cseq = 6}));
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(200, rig.notify({.cseq = 900}).status);   // gaps are legal
}

//   |<-- NOTIFY, CSeq 7 --------------|
//   |<-- NOTIFY terminated, CSeq 6 ---|   nobody knows whether it is over
//   |--- 500 ------------------------>|
//   |--- SUBSCRIBE ----------------->|   but not within 5 s of the last one
TEST(SubscriptionNotify, a_last_one_that_is_refused_makes_us_ask_whether_the_dialog_is_there) {
  rig.live();
  rig.notify({.cseq = 7});
  rig.advance(60 * kSecond);
  LONGS_EQUAL(500, rig.notify({.state = "terminated", .reason = "timeout", .cseq = 6}).status);
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.reject(481);
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
}

// A NOTIFY of another branch says nothing of our dialog.
TEST(SubscriptionNotify, a_last_one_of_another_branch_makes_nobody_ask) {
  rig.live();
  rig.notify({.cseq = 7});
  rig.advance(60 * kSecond);
  LONGS_EQUAL(481, rig.notify({.state = "terminated", .reason = "timeout", .remote_tag = "other", .cseq = 8}).status);
  rig.advance(60 * kSecond);
  TEXT_EQUAL("initial", rig.kinds());
}

//   |<-- NOTIFY, CSeq 7 --|
//   |--- 200 ------------>|   lost
//   |<-- NOTIFY, CSeq 7 --|
//   |--- 200 ------------>|   taken once
TEST(SubscriptionNotify, one_that_is_repeated_is_answered_200_and_taken_once) {
  rig.live();
  rig.notify({.body = "b", .cseq = 7});
  size_t heard = rig.heard.size();
  std::string before = rig.view_all();
  LONGS_EQUAL(200, rig.notify({.body = "b", .cseq = 7}).status);
  LONGS_EQUAL(heard, rig.heard.size());
  TEXT_EQUAL(before, rig.view_all());
  LONGS_EQUAL(1, rig.stats().notifies_repeated);
  LONGS_EQUAL(2, rig.stats().notifies);
}

TEST(SubscriptionNotify, a_cseq_of_0_is_a_number_like_others) {
  rig.subscribe();
  rig.accept();
  LONGS_EQUAL(200, rig.notify({.cseq = 0}).status);
  LONGS_EQUAL(200, rig.notify({.cseq = 0}).status);
  LONGS_EQUAL(1, rig.heard.size());
  LONGS_EQUAL(1, rig.stats().notifies_repeated);
}

TEST(SubscriptionNotify, a_last_one_that_is_repeated_while_its_reply_was_lost_ends_nothing_else) {
  rig.live({.expires = kForEver});
  rig.advance(60 * kSecond);
  const Sent first = rig.last();
  Bring last{.state = "terminated", .reason = "deactivated", .cseq = 9, .call_id = first.call_id,
             .local_tag = first.from_tag};
  LONGS_EQUAL(200, rig.notify(last).status);
  LONGS_EQUAL(481, rig.notify(last).status);
  LONGS_EQUAL(2, rig.sent.size());
  TEXT_EQUAL("sending", rig.state());
}

TEST(SubscriptionNotify, while_the_table_is_being_loaded_it_is_503_not_481) {
  rig.live({.expires = kForEver});
  const Sent first = rig.last();
  rig.load_delay_ms = 1000;
  rig.restart();
  CHECK(rig.engine->loading());
  Bring n{.body = "b", .call_id = first.call_id, .local_tag = first.from_tag};
  NotifyAnswer a = rig.notify(n);
  LONGS_EQUAL(503, a.status);
  TEXT_EQUAL("Retry-After: 1\r\n", a.headers);
  CHECK(!rig.engine->expects(first.call_id));   // until the table is loaded every sender has the limits of a stranger
  rig.advance(kSecond);
  CHECK(!rig.engine->loading());
  CHECK(rig.engine->expects(first.call_id));
  LONGS_EQUAL(200, rig.notify(n).status);
  TEXT_EQUAL("b", rig.heard.back().body);
  LONGS_EQUAL(481, rig.notify({.call_id = "unknown"}).status);
}

TEST(SubscriptionNotify, while_shutting_down_it_is_503_not_481) {
  rig.live();
  rig.engine->shutdown();
  NotifyAnswer a = rig.notify();
  LONGS_EQUAL(503, a.status);
  TEXT_EQUAL("Retry-After: 5\r\n", a.headers);
}

// --- who hears of it ---------------------------------------------------------------------------------------------

TEST(SubscriptionNotify, a_handler_gets_the_header_fields_unfolded) {
  rig.live();
  rig.notify({.headers = "Call-Info: <sip:a>,\r\n <sip:b>\r\nX: 1\r\n"});
  TEXT_EQUAL("Call-Info: <sip:a>, <sip:b>\r\nX: 1\r\n", rig.heard.back().headers);
}

TEST(SubscriptionNotify, a_handler_gets_what_the_notify_said_and_whose_it_is) {
  int mine = 0;
  rig.live({.id = "phone", .cb_param = &mine});
  rig.notify({.state = "pending", .reason = "why", .expires = 77, .body = "<presence/>"});
  const Heard& h = rig.heard.back();
  TEXT_EQUAL(kAlice, h.uri);
  TEXT_EQUAL("phone", h.id);
  TEXT_EQUAL("pending", h.state);
  TEXT_EQUAL("why", h.reason);
  TEXT_EQUAL("application/pidf+xml", h.content_type);
  TEXT_EQUAL("<presence/>", h.body);
  TEXT_EQUAL("pending", h.dialog);
  TEXT_EQUAL("live", h.machine);
  LONGLONGS_EQUAL(77, h.expires);
  LONGLONGS_EQUAL(-1, h.retry_after);
  LONGS_EQUAL(kMiSubscribe, h.source);
  POINTERS_EQUAL(&mine, h.cb_param);
}

TEST(SubscriptionNotify, handlers_are_called_by_their_mask) {
  int rls = 0, both = 0, none = 0;
  rig.engine->observe_notifies(512, [&](const NotifyView&) { rls++; });
  rig.engine->observe_notifies(512 | kMiSubscribe, [&](const NotifyView&) { both++; });
  rig.engine->observe_notifies(1 << 17, [&](const NotifyView&) { none++; });
  rig.live();
  LONGS_EQUAL(0, rls);
  LONGS_EQUAL(1, both);
  rig.live({.source = 512});
  LONGS_EQUAL(1, rls);
  LONGS_EQUAL(2, both);
  LONGS_EQUAL(0, none);
  LONGS_EQUAL(2, rig.heard.size());
}

TEST(SubscriptionNotify, a_handler_may_be_forgotten_inside_a_handler) {
  int other = 0;
  int handle = rig.engine->observe_notifies(-1, [&](const NotifyView&) { other++; });
  rig.when_heard = [&](const NotifyView&) {
    rig.engine->forget_observer(rig.handler);   // the handler that is running,
    rig.engine->forget_observer(handle);        // ... and the next one
  };
  rig.live();
  rig.notify();
  LONGS_EQUAL(1, rig.heard.size());
  LONGS_EQUAL(0, other);
}

TEST(SubscriptionNotify, a_handler_may_register_another_which_hears_the_next) {
  int other = 0;
  rig.when_heard = [&](const NotifyView&) {
    if (rig.heard.size() == 1) rig.engine->observe_notifies(-1, [&](const NotifyView&) { other++; });
  };
  rig.live();
  rig.notify();
  CHECK(other >= 1);
  LONGS_EQUAL(2, rig.heard.size());
}

TEST(SubscriptionNotify, a_handler_may_unsubscribe_and_subscribe) {
  rig.when_heard = [&](const NotifyView& n) {
    if (n.body == "go") rig.ask({.expires = 0});
    if (n.body == "more") rig.ask({.uri = "sip:carol@example.com"});
  };
  rig.live();
  rig.notify({.body = "more"});
  TEXT_EQUAL("sip:carol@example.com", rig.last().uri);
  rig.notify({.body = "go", .call_id = rig.sent[0].call_id, .local_tag = rig.sent[0].from_tag});
  TEXT_EQUAL("remove", rig.last().kind());
}

TEST(SubscriptionNotify, shutdown_inside_a_handler_ends_the_handlers) {
  int other = 0;
  rig.engine->observe_notifies(-1, [&](const NotifyView&) { other++; });
  rig.when_heard = [&](const NotifyView&) { rig.engine->shutdown(); };
  Call& waiting = rig.ask({.uri = "sip:carol@example.com"});
  rig.live();
  LONGS_EQUAL(1, rig.heard.size());
  LONGS_EQUAL(0, other);
  LONGS_EQUAL(1, waiting.completed);
  LONGS_EQUAL(487, waiting.status);
  rig.settle();
  LONGS_EQUAL(1, rig.heard.size());
}

TEST(SubscriptionNotify, notifies_reach_their_handlers_in_the_order_they_came) {
  rig.live();
  rig.heard.clear();
  for (int i = 0; i < 600; i++) {    // more than one run hands over
    NotifyRequest n;
    std::string body = std::to_string(i);
    n.call_id = rig.sent[0].call_id;
    n.local_tag = rig.sent[0].from_tag;
    n.remote_tag = "n1";
    n.cseq = static_cast<uint32_t>(100 + i);
    n.event = "presence";
    n.state = "active";
    n.content_type = "application/pidf+xml";
    n.body = body;
    LONGS_EQUAL(200, rig.engine->on_notify(n, rig.now).status);
  }
  LONGS_EQUAL(0, rig.heard.size());
  rig.settle();
  LONGS_EQUAL(600, rig.heard.size());
  for (int i = 0; i < 600; i++) TEXT_EQUAL(std::to_string(i), rig.heard[static_cast<size_t>(i)].body);
}

TEST(SubscriptionNotify, a_view_shows_the_last_notify) {
  rig.live();
  rig.notify({.state = "active", .expires = 50, .body = "short"});
  rig.advance(1234);
  rig.text({}, [&](const RecordView& v) {
    TEXT_EQUAL("active", v.notify_state);
    TEXT_EQUAL("short", v.notify_body);
    TEXT_EQUAL("application/pidf+xml", v.notify_content_type);
    LONGLONGS_EQUAL(1234, v.notify_ago_ms);
    LONGS_EQUAL(2, v.notifies);
    LONGS_EQUAL(rig.notify_cseq, v.notify_cseq);
  });
}
