// Deaf subscriptions: all NOTIFYs of a dialog are refused, one after the other, while its requests are answered. Such a dialog
// is ended and a new one made; nobody from outside can bring that about.
#include <string>

#include "core/subscription.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(DeafSubscription) {
  SubsRig rig;
  // Sends three forged NOTIFYs a second for twenty minutes, beside a notifier that answers each refresh.
  void forgeries_cost_seven_refreshes(const Bring& forged) {
    rig.live({.expires = kForEver});
    rig.advance(60 * kSecond);
    size_t before = rig.sent.size();
    for (int s = 0; s < 1200; s++) {
      for (int n = 0; n < 3; n++) rig.notify(forged);
      if (rig.open()) {
        rig.accept(3600);
        rig.notify();
      }
      rig.advance(kSecond);
    }
    LONGS_EQUAL(7, rig.sent.size() - before);   // after 0, 10, 30, 70, 150, 310 and 630 s
    LONGS_EQUAL(0, rig.stats().dialogs_deaf);
  }
};

//   |<-- NOTIFY, CSeq 70 ----|   then the notifier's CSeq goes back
//   |<-- NOTIFY, CSeq 1 2 3 -|
//   |--- 500 --------------->|
//   |--- SUBSCRIBE --------->|   asks for full state
//   |<-- 200, NOTIFY 4 ------|   refused as well, and for 5 s nothing comes that can be taken: deaf
//   |--- SUBSCRIBE, 0 ------>|
//   |<-- 200 ----------------|
//   |--- SUBSCRIBE, new ---->|
TEST(DeafSubscription, a_dialog_whose_notifys_are_all_refused_is_ended_and_made_anew) {
  rig.live({.expires = kForEver});
  rig.advance(60 * kSecond);
  rig.notify({.cseq = 70});
  const std::string call = rig.last().call_id;
  for (uint32_t cseq : {1u, 2u, 3u}) LONGS_EQUAL(500, rig.notify({.cseq = cseq}).status);
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.accept(3600);
  LONGS_EQUAL(500, rig.notify({.cseq = 4}).status);
  rig.advance(3 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.advance(kSecond);
  TEXT_EQUAL("initial refresh remove", rig.kinds());
  TEXT_EQUAL(call, rig.last().call_id);
  CHECK(rig.logged(LogLevel::warning, "SUBSCRIBE for sip:alice@example.com: its NOTIFYs cannot be taken, one after the other: the dialog is ended, and a new one made"));
  CHECK(rig.logged(LogLevel::warning, "500 to NOTIFY for sip:alice@example.com: Request Out Of Order"));
  rig.accept(0);
  TEXT_EQUAL("initial refresh remove initial", rig.kinds());
  CHECK(call != rig.last().call_id);
  rig.accept(3600);
  rig.notify_cseq = 4;
  LONGS_EQUAL(200, rig.notify().status);
  TEXT_EQUAL("live", rig.state());
  LONGS_EQUAL(1, rig.stats().dialogs_deaf);
}

// The end of a deaf dialog asks for no lifetime either: its 423 is a failure like any other, after which a new dialog is made.
TEST(DeafSubscription, a_423_to_the_end_of_the_dialog_leads_to_a_new_one) {
  rig.live({.expires = kForEver});
  rig.advance(60 * kSecond);
  rig.notify({.cseq = 70});
  for (uint32_t cseq : {1u, 2u, 3u}) rig.notify({.cseq = cseq});
  rig.advance(kSecond);
  rig.accept(3600);
  rig.notify({.cseq = 4});
  rig.advance(4 * kSecond);
  TEXT_EQUAL("initial refresh remove", rig.kinds());
  rig.answer({.status = 423, .min_expires = 60});
  rig.advance(5 * kSecond);
  TEXT_EQUAL("initial refresh remove initial", rig.kinds());
}

// The 2xx made no dialog, and the NOTIFYs that would have made it are refused: there is nothing to end, and the next try waits for a
// back-off.
TEST(DeafSubscription, without_a_dialog_none_is_ended_and_new_ones_are_tried_more_and_more_seldom) {
  rig.subscribe({.expires = kForEver});
  for (int i = 0; i < 600; i++) {
    if (rig.open()) {
      rig.answer({.status = 200, .expires = 3600});   // without a To tag
      rig.notify({.content_type = "text/plain", .remote_tag = ""});
    }
    rig.advance(kSecond);
  }
  LONGS_EQUAL(0, rig.stats().dialogs_deaf);
  LONGS_EQUAL(0, rig.stats().subscribes_remove);
  CHECK(rig.sent.size() > 3);
  CHECK(rig.sent.size() < 10);
}

TEST(DeafSubscription, refused_ones_between_others_change_nothing) {
  rig.live({.expires = kForEver});
  rig.advance(60 * kSecond);
  for (int i = 0; i < 20; i++) {
    LONGS_EQUAL(481, rig.refused({.remote_tag = "other"}));
    LONGS_EQUAL(481, rig.refused({.remote_tag = "other"}));
    LONGS_EQUAL(200, rig.notify().status);
  }
  rig.advance(60 * kSecond);
  LONGS_EQUAL(1, rig.sent.size());
}

// Whoever has seen our Call-ID can make us ask for full state, but nothing else: the notifier's answer to that is taken, and we
// ask less and less often.
TEST(DeafSubscription, forged_ones_cost_a_few_refreshes_and_never_the_dialog) {
  forgeries_cost_seven_refreshes({.remote_tag = "other"});
}

// A notifier sends NOTIFYs only as answers to refreshes, and these are refused: one such NOTIFY is enough to ask again.
TEST(DeafSubscription, where_only_answers_are_refused_a_few_more_are_asked_for_at_once) {
  rig.live({.expires = kForEver});
  rig.notify({.cseq = 70});
  while (rig.sent.size() < 2) rig.advance(kSecond);
  for (int i = 0; i < 3; i++) {
    TEXT_EQUAL("refresh", rig.last().kind());
    rig.accept(3600);
    LONGS_EQUAL(500, rig.notify({.cseq = 4u + i}).status);
    rig.advance(5 * kSecond);
  }
  TEXT_EQUAL("initial refresh refresh refresh remove", rig.kinds());
}

// The refused NOTIFYs come later than an answer to the refresh would.
TEST(DeafSubscription, late_ones_make_it_deaf_too) {
  rig.live({.expires = kForEver});
  rig.notify({.cseq = 70});
  rig.advance(60 * kSecond);
  for (int s = 0; s < 30 && rig.kinds().find("remove") == std::string::npos; s++) {
    rig.notify({.cseq = 1u + s});
    if (rig.open() && rig.last().kind() == "refresh") rig.accept(3600), rig.advance(6 * kSecond);
    rig.advance(kSecond);
  }
  TEXT_EQUAL("initial refresh remove", rig.kinds());
}

//   |--- SUBSCRIBE ------------->|
//   |<-- 200 --------------------|
//   |<-- NOTIFY, no From tag ----|   forged, in front of the notifier's own
//   |<-- NOTIFY -----------------|
TEST(DeafSubscription, forged_ones_in_front_of_the_notifiers_own_change_nothing) {
  rig.live({.expires = kForEver});
  for (int i = 0; i < 5; i++) {
    rig.advance(600 * kSecond);
    for (int n = 0; n < 3; n++) rig.notify({.remote_tag = "other"});
    rig.advance(kSecond);
    rig.accept(3600);
    LONGS_EQUAL(481, rig.notify({.remote_tag = "other"}).status);
    rig.advance(3 * kSecond);
    LONGS_EQUAL(200, rig.notify().status);
  }
  CHECK(rig.kinds().find("remove") == std::string::npos);
  LONGS_EQUAL(0, rig.stats().dialogs_deaf);
}

TEST(DeafSubscription, a_notifier_that_stays_deaf_to_us_gets_no_storm) {
  rig.subscribe({.expires = kForEver});
  for (int s = 0; s < 600; s++) {
    if (rig.open()) {
      bool removal = rig.last().kind() == "remove";
      rig.accept(removal ? 0 : 3600);
      rig.notify({.remote_tag = ""});
    }
    rig.notify({.remote_tag = ""});
    rig.advance(kSecond);
  }
  CHECK_TEXT(rig.sent.size() < 60, std::to_string(rig.sent.size()).c_str());
}

// The first NOTIFY is refused. The notifier has a subscription, which is ended before another one is made.
TEST(DeafSubscription, when_timer_n_fires_behind_a_refused_notify_the_dialog_is_ended_first) {
  rig.subscribe({.expires = kForEver});
  rig.accept(3600);
  LONGS_EQUAL(400, rig.notify({.remote_tag = ""}).status);
  rig.advance(40 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  rig.accept(0);
  TEXT_EQUAL("backoff", rig.state());
  rig.advance(600 * kSecond);
  TEXT_EQUAL("initial remove initial", rig.kinds());
}

//   |--- SUBSCRIBE --------->|
//   |<-- 200, NOTIFY --------|   refused by the engine, or by the SIP room before it
TEST(DeafSubscription, whatever_they_are_refused_for) {
  struct { Bring bring; int status; bool unreadable; } rows[] = {{{.event = ""}, 489, false},
                                                                 {{.event = "unheard-of"}, 489, false},
                                                                 {{.state = ""}, 400, false},
                                                                 {{.event_id = "7"}, 481, false},
                                                                 {{}, 420, true}};
  for (auto& row : rows) {
    SubsRig r;
    r.live({.expires = kForEver});
    const std::string call = r.last().call_id, tag = r.last().from_tag;
    for (int s = 0; s < 10000 && r.kinds().find("remove") == std::string::npos; s++) {
      if (r.open()) {
        r.accept(3600);
        if (row.unreadable) {
          NotifyRequest n;
          n.call_id = call;
          n.local_tag = tag;
          r.engine->on_unreadable(n, {420, "Bad Extension", ""}, r.now);
          r.settle();
        } else {
          LONGS_EQUAL(row.status, r.notify(row.bring).status);
        }
      }
      r.advance(kSecond);
    }
    TEXT_EQUAL("initial refresh refresh refresh remove", r.kinds());
    CHECK(r.logged(LogLevel::warning, std::to_string(row.status) + " to NOTIFY for sip:alice@example.com"));
  }
}

// Of a NOTIFY that cannot be read, perhaps only the Call-ID is right.
TEST(DeafSubscription, ones_with_another_to_tag_or_none_or_no_readable_one_make_it_deaf_too) {
  for (const char* tag : {"", "other", "OURS", "(unread)"}) {
    SubsRig r;
    r.live({.expires = kForEver});
    const std::string call = r.last().call_id;
    std::string capitals = r.last().from_tag;
    for (char& c : capitals) c = static_cast<char>(toupper(c));
    for (int s = 0; s < 10000 && r.kinds().find("remove") == std::string::npos; s++) {
      if (r.open()) {
        r.accept(3600);
        if (std::string(tag) == "(unread)") {
          NotifyRequest n;
          n.call_id = call;
          r.engine->on_unreadable(n, {400, "CSeq: missing", ""}, r.now);
          r.settle();
        } else {
          LONGS_EQUAL(481, r.notify({.local_tag = std::string(tag) == "OURS" ? capitals : tag}).status);
        }
      }
      r.advance(kSecond);
    }
    TEXT_EQUAL("initial refresh refresh refresh remove", r.kinds());
    LONGS_EQUAL(1, r.stats().dialogs_deaf);
    CHECK_TEXT(r.logged(LogLevel::warning, std::string(tag) == "(unread)" ? "400 to NOTIFY for sip:alice@example.com: CSeq: missing"
                                                                          : "481 to NOTIFY for sip:alice@example.com: Subscription Does Not Exist"), tag);
  }
}

// A NOTIFY without a To tag may be taken as unsolicited. For the dialog with its Call-ID that is as bad as a refused one.
TEST(DeafSubscription, ones_without_to_tag_that_are_taken_as_unsolicited_make_it_deaf_too) {
  rig.engine->observe_unsolicited(-1, [](const UnsolicitedView&) {});
  rig.live({.expires = kForEver});
  for (int s = 0; s < 10000 && rig.kinds().find("remove") == std::string::npos; s++) {
    if (rig.open()) {
      rig.accept(3600);
      LONGS_EQUAL(200, rig.notify({.local_tag = ""}).status);
    }
    rig.advance(kSecond);
  }
  TEXT_EQUAL("initial refresh refresh refresh remove", rig.kinds());
  CHECK(rig.logged(LogLevel::warning, "200 to NOTIFY for sip:alice@example.com: taken as one outside of any dialog, as its To has no tag"));
}

// A sender that knows only our Call-ID can do no more than one that knows our tag as well.
TEST(DeafSubscription, forged_ones_that_know_the_call_id_only_cost_a_few_refreshes_and_never_the_dialog) {
  forgeries_cost_seven_refreshes({.local_tag = "guessed"});
}

// The log names the sender, a few times a minute, and says how many lines it left out.
TEST(DeafSubscription, refused_ones_are_named_with_their_sender_a_few_times_a_minute) {
  rig.live({.expires = kForEver});
  auto lines = [&] {
    size_t n = 0;
    for (auto& l : rig.lines) n += l.second.find(" to NOTIFY from ") != std::string::npos;
    return n;
  };
  for (int i = 0; i < 1000; i++) rig.notify({.remote_tag = "other", .sender = "198.51.100.7:5060"});
  LONGS_EQUAL(3, lines());
  CHECK(rig.logged(LogLevel::warning, "481 to NOTIFY from 198.51.100.7:5060 for sip:alice@example.com: Another branch was first"));
  rig.advance(60 * kSecond);
  rig.notify({.local_tag = "other", .sender = "[2001:db8::7]:5060"});
  LONGS_EQUAL(4, lines());
  CHECK(rig.logged(LogLevel::warning,
                   "481 to NOTIFY from [2001:db8::7]:5060 for sip:alice@example.com: Subscription Does Not Exist (997 lines like this left out)"));
}

// Each NOTIFY has the same CSeq and so is answered 200, as a repetition.
TEST(DeafSubscription, a_notifier_that_does_not_count_is_heard_again) {
  rig.live({.expires = kForEver});
  for (int s = 0; s < 10000 && rig.kinds().find("remove") == std::string::npos; s++) {
    if (rig.open()) {
      rig.accept(3600);
      LONGS_EQUAL(200, rig.notify({.cseq = 1}).status);
    }
    rig.advance(kSecond);
  }
  CHECK(rig.kinds().find("remove") != std::string::npos);
  LONGS_EQUAL(1, rig.heard.size());
}

// That a refresh is answered does not count as a success if the dialog ends a moment later.
TEST(DeafSubscription, dialogs_that_end_again_and_again_behind_good_refreshes_are_made_more_slowly) {
  rig.live({.expires = kForEver}, 3);
  for (int s = 0; s < 600; s++) {
    if (rig.open()) {
      bool refresh = rig.last().kind() == "refresh";
      rig.accept(3);
      rig.notify_cseq = refresh ? rig.notify_cseq : 0;
      rig.notify({.expires = 3});
      if (refresh) rig.notify({.state = "terminated", .reason = "deactivated"});
    }
    rig.advance(kSecond);
  }
  CHECK_TEXT(rig.sent.size() < 40, std::to_string(rig.sent.size()).c_str());
}

//   |--- SUBSCRIBE --------->|
//   |<-- NOTIFY, refused ----|   as OpenSIPS and Kamailio send them: in front of the 200
//   |<-- 200 ----------------|
TEST(DeafSubscription, answers_that_are_refused_in_front_of_the_200_count_as_well) {
  struct { Bring bring; int status; } rows[] = {{{.cseq = 4}, 500}, {{.remote_tag = "other"}, 481}, {{.event_id = "7"}, 481}};
  for (auto& row : rows) {
    SubsRig r;
    r.live({.expires = kForEver});
    r.notify({.cseq = 70});
    for (int s = 0; s < 10000 && r.kinds().find("remove") == std::string::npos; s++) {
      if (r.open()) {
        LONGS_EQUAL(row.status, r.notify(row.bring).status);
        r.accept(3600);
      }
      r.advance(kSecond);
    }
    TEXT_EQUAL("initial refresh refresh refresh remove", r.kinds());
    LONGS_EQUAL(1, r.stats().dialogs_deaf);
  }
}

// A forged NOTIFY comes before the 200, and the notifier's own after it.
TEST(DeafSubscription, forged_ones_in_front_of_the_200_cost_nothing_where_the_notifiers_own_comes) {
  rig.live({.expires = kForEver});
  for (int i = 0; i < 5; i++) {
    size_t before = rig.sent.size();
    while (rig.sent.size() == before) rig.advance(kSecond);
    for (int n = 0; n < 3; n++) rig.notify({.remote_tag = "other"});
    rig.accept(3600);
    LONGS_EQUAL(200, rig.notify().status);
    rig.advance(600 * kSecond);
    LONGS_EQUAL(before + 1, rig.sent.size());
  }
}

// Timer N is longer than the time after which a dialog counts as one that stood (kStood), which must not matter here.
TEST(DeafSubscription, one_that_is_deaf_from_its_first_notify_on_is_made_anew_more_and_more_slowly) {
  rig.subscribe({.expires = kForEver});
  for (int s = 0; s < 3600; s++) {
    if (rig.open()) {
      rig.accept(rig.last().kind() == "remove" ? 0 : 3600);
      rig.notify({.remote_tag = ""});
    }
    rig.advance(kSecond);
  }
  CHECK_TEXT(rig.sent.size() < 40, std::to_string(rig.sent.size()).c_str());   // two for each round
  CHECK_TEXT(rig.sent.size() > 20, std::to_string(rig.sent.size()).c_str());
}
