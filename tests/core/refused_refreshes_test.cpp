// Refreshes of subscriptions that the notifier refuses by a status that is final elsewhere (400 and the like): the dialog is
// given up, and not the subscription.
#include <string>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(RefusedRefreshes) {
  SubsRig rig;
};

//   |-- SUBSCRIBE, to-tag ->|
//   |<-- 400 ---------------|   this dialog, or what is asked for?
//   |-- SUBSCRIBE --------->|
//   |<-- 400 ---------------|   what is asked for
TEST(RefusedRefreshes, a_400_to_the_new_dialog_as_well_ends_it_and_tells_the_owner) {
  rig.live({.expires = kForEver});
  rig.advance(60 * kSecond);
  Call& c = rig.subscribe({.expires = kForEver});
  rig.reject(400);
  LONGS_EQUAL(0, c.completed);
  CHECK_FALSE(rig.logged(LogLevel::warning, "400 to SUBSCRIBE"));
  rig.reject(400);
  LONGS_EQUAL(1, c.completed);
  LONGS_EQUAL(400, c.status);
  CHECK(rig.logged(LogLevel::warning, "400 to SUBSCRIBE for sip:alice@example.com: the subscription ends"));
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  TEXT_EQUAL("none", rig.state());
  LONGS_EQUAL(0, rig.rows().size());
  LONGS_EQUAL(481, rig.notify().status);
  LONGS_EQUAL(1, rig.stats().refused_final);
}

// No owner asks: the refresh that is due is refused, and the hour that was asked for goes on.
TEST(RefusedRefreshes, a_400_to_a_refresh_by_the_timer_makes_a_new_dialog) {
  rig.live({.expires = kForEver}, 600);
  rig.advance(600 * kSecond);
  TEXT_EQUAL("initial refresh", rig.kinds());
  rig.reject(400);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  rig.accept();
  rig.notify({.cseq = 1});
  TEXT_EQUAL("live", rig.state());
  CHECK(rig.logged(LogLevel::notice, "400 to SUBSCRIBE for sip:alice@example.com: the dialog is lost, a new one is made"));
}

// A notifier that takes no refresh of any dialog: one new dialog for each grant, and none sooner than after a back-off.
TEST(RefusedRefreshes, dialogs_whose_refreshes_are_all_refused_are_not_made_in_a_loop) {
  rig.live({.expires = kForEver}, 600);
  auto run = [&](int64_t seconds, int64_t grant) {
    size_t before = rig.sent.size();
    for (int64_t i = 0; i < seconds; i++) {
      for (int n = 0; rig.open() && n < 5; n++) {
        if (!rig.last().to_tag.empty()) {
          rig.reject(400);
          continue;
        }
        rig.accept(grant);
        rig.notify({.expires = grant, .cseq = 1});
      }
      rig.advance(kSecond);
    }
    return rig.sent.size() - before;
  };
  size_t hour = run(3600, 600);
  CHECK(hour >= 12);      // a refresh and a new dialog for each grant of ten minutes
  CHECK(hour <= 18);
  run(1200, 5);
  CHECK(run(3600, 5) <= 100);   // grants of five seconds: about one a back-off of five minutes
}

TEST(RefusedRefreshes, a_400_to_a_removal_is_its_end) {
  rig.live();
  Call& c = rig.unsubscribe();
  rig.reject(400);
  LONGS_EQUAL(400, c.status);
  rig.advance(7200 * kSecond);
  TEXT_EQUAL("initial remove", rig.kinds());
  TEXT_EQUAL("none", rig.state());
}

//   |-- SUBSCRIBE, to-tag ->|
//   |<-- 400 ---------------|   neither dialog nor subscription end by it (RFC 5057 section 5.1)
//   |-- SUBSCRIBE, 0 ------>|   in the same dialog
TEST(RefusedRefreshes, an_unsubscribe_that_waits_behind_a_refused_refresh_leaves_in_its_dialog) {
  for (int status : {400, 406, 413, 415, 420}) {
    SubsRig r;
    r.live();
    const Sent first = r.last();
    Call& refresh = r.subscribe();
    Call& end = r.unsubscribe();
    r.reject(status);
    LONGS_EQUAL(status, refresh.status);
    TEXT_EQUAL("initial refresh remove", r.kinds());
    TEXT_EQUAL(first.call_id, r.last().call_id);
    TEXT_EQUAL("n1", r.last().to_tag);
    LONGS_EQUAL(0, end.completed);
    r.accept(0);
    LONGS_EQUAL(200, end.status);
    LONGS_EQUAL(200, r.notify({.state = "terminated", .reason = "timeout"}).status);
    r.advance(kSecond);
    TEXT_EQUAL("none", r.state());
    LONGS_EQUAL(0, r.rows().size());
  }
}

// These end the dialog (RFC 5057 section 5.1), so that there is nothing to send.
TEST(RefusedRefreshes, an_unsubscribe_that_waits_behind_a_refresh_whose_answer_ends_the_dialog_is_done) {
  for (int status : {405, 481, 489}) {
    SubsRig r;
    r.live();
    r.subscribe();
    Call& end = r.unsubscribe();
    r.reject(status);
    LONGS_EQUAL(200, end.status);
    TEXT_EQUAL("initial refresh", r.kinds());
  }
}

// The dialog was restored from an old copy of the table: the notifier has seen later CSeqs of it.
TEST(RefusedRefreshes, a_dialog_of_an_old_copy_of_the_table_that_is_refused_is_made_anew) {
  rig.live({.expires = kForEver});
  rig.advance(kSecond);
  const Sent first = rig.last();
  rig.restart();
  rig.advance(3600 * kSecond);   // no owner asks
  TEXT_EQUAL("initial refresh", rig.kinds());
  TEXT_EQUAL(first.call_id, rig.last().call_id);
  rig.reject(400);
  TEXT_EQUAL("initial refresh initial", rig.kinds());
  CHECK(first.call_id != rig.last().call_id);
  rig.accept();
  rig.notify({.cseq = 1});
  TEXT_EQUAL("live", rig.state());
  rig.advance(kSecond);
  LONGS_EQUAL(1, rig.rows().size());
}
