// The publication machine as a table: every legal pair of state and input, and what comes of it. Pure, without an engine.
#include <functional>
#include <string>
#include <vector>

#include "core/publication.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
constexpr MonoMs kNow = 5000000;
}

TEST_GROUP(Publication) {
  Random random{1};
  Publication p;
  Effects fx;

  // A publication in this state, wanted for ever, whose grant ends in 1000 s.
  void at(State s, Known known = Known::Current, Wanted wanted = Wanted::Something) {
    p = Publication{};
    p.state = s;
    p.known = known;
    p.wanted = wanted;
    p.publishable = true;
    p.asked = 3600;
    p.sent_at = kNow - 100;
    p.grant_end = known == Known::Never ? 0 : kNow + 1000000;
    p.op = next_op(p);
  }
  void step(const Event& e, MonoMs now = kNow) {
    CHECK(legal(p.state, e.input));
    Event with_row = e;
    with_row.has_row = true;
    fx = Publication::step(p, with_row, random, now);
  }
  void is(State s) { STRCMP_EQUAL(state_name(s), state_name(p.state)); }
  bool written() const { return fx.write == Write::Bulk || fx.write == Write::Fast; }
  void ends(Ending why, int status = 0) {
    is(State::Gone);
    LONGS_EQUAL(static_cast<int>(why), static_cast<int>(fx.ending));
    LONGS_EQUAL(status, fx.local_status);
    CHECK(fx.complete);
    CHECK(written());
    LONGLONGS_EQUAL(kNever, p.deadline);
  }
  void backs_off(MonoMs base) {
    is(State::Backoff);
    CHECK(p.deadline >= kNow + base * 3 / 4);
    CHECK(p.deadline <= kNow + base * 5 / 4);
    CHECK(fx.complete);
    CHECK(written());
    CHECK_FALSE(fx.enqueue);
  }
};

TEST(Publication, the_legal_pairs_are_these_and_no_others) {
  // states: idle intent queued sending live backoff gone
  const char* table[kInputs] = {
      /* Request   */ "iiiSiii",  // S: not while a request is out, when it waits in the engine
      /* Proceed   */ ".x.....",
      /* Slot      */ "..x....",
      /* Due       */ "x.x.xx.",
      /* Success   */ "...x...",
      /* LostState */ "...x...",
      /* TooBrief  */ "...x...",
      /* Transient */ "...x...",
      /* Forbidden */ "...x...",
      /* Auth      */ "...x...",
      /* Fatal     */ "...x...",
      /* Shutdown  */ "...x...",
      /* Restored  */ "x......",
      /* Loaded    */ "x......",
      /* Stored    */ "......x",
      /* Told      */ "..x...x",
  };
  for (int i = 0; i < kInputs; i++) {
    for (int s = 0; s < kStates; s++) {
      bool want = table[i][s] != '.' && table[i][s] != 'S';
      if (legal(static_cast<State>(s), static_cast<Input>(i)) != want)
        FAIL((std::string(state_name(static_cast<State>(s))) + " x " + input_name(static_cast<Input>(i))).c_str());
    }
  }
}

TEST(Publication, no_legal_pair_leaves_a_state_without_a_way_out) {
  // Whatever is wanted and known, after any legal step the record has a deadline, stands in a queue, has a request out, or has
  // ended: it is never forgotten.
  for (int s = 0; s < kStates; s++) {
    for (int i = 0; i < kInputs; i++) {
      for (int k = 0; k < 4; k++) {
        for (int w = 0; w < 3; w++) {
          State state = static_cast<State>(s);
          if (!legal(state, static_cast<Input>(i))) continue;
          at(state, static_cast<Known>(k), static_cast<Wanted>(w));
          if (state == State::Sending && next_op(p) == Op::None) continue;  // cannot be: nothing would be sent
          if (state == State::Queued && next_op(p) == Op::None) continue;
          RestoredPublication row;
          fx = Publication::step(p, Event{.input = static_cast<Input>(i), .patience = kNow + 100, .expires = 600, .row = &row}, random, kNow);
          bool way_out = p.state == State::Gone || p.state == State::Sending || fx.write == Write::Intent ||
                         p.state == State::Idle || p.state == State::Queued || p.deadline != kNever;
          if (!way_out) FAIL((std::string(state_name(state)) + " x " + input_name(static_cast<Input>(i))).c_str());
          if (p.state == State::Queued && state != State::Queued) CHECK(fx.enqueue);
        }
      }
    }
  }
}

TEST(Publication, what_to_send_follows_from_wanted_and_known) {
  struct { Wanted wanted; Known known; bool publishable; Op want; } rows[] = {
      {Wanted::Nothing, Known::Never, true, Op::None},
      {Wanted::Nothing, Known::Current, true, Op::Remove},
      {Wanted::Nothing, Known::Changed, false, Op::Remove},
      {Wanted::Leaving, Known::Never, true, Op::None},
      {Wanted::Leaving, Known::Current, true, Op::Remove},
      {Wanted::Something, Known::Never, true, Op::Initial},
      {Wanted::Something, Known::Never, false, Op::None},
      {Wanted::Something, Known::Current, true, Op::Refresh},
      {Wanted::Something, Known::Current, false, Op::Refresh},
      {Wanted::Something, Known::Changed, true, Op::Modify},
      {Wanted::Something, Known::Refused, true, Op::Initial},
      {Wanted::Something, Known::Refused, false, Op::Refresh},
      {Wanted::Leaving, Known::Refused, true, Op::Remove},
  };
  for (auto& r : rows) {
    Publication q;
    q.wanted = r.wanted;
    q.known = r.known;
    q.publishable = r.publishable;
    STRCMP_EQUAL(op_name(r.want), op_name(next_op(q)));
  }
}

TEST(Publication, only_modify_and_remove_commit_an_intent_before_they_leave) {
  CHECK(needs_intent(Op::Modify));
  CHECK(needs_intent(Op::Remove));
  CHECK_FALSE(needs_intent(Op::Initial));
  CHECK_FALSE(needs_intent(Op::Refresh));
}

// --- Request -----------------------------------------------------------------------------------------------------

TEST(Publication, a_request_while_loading_waits) {
  at(State::Idle, Known::Never);
  step({.input = Input::Request, .new_body = true});
  is(State::Idle);
  CHECK(p.publishable);
  CHECK_FALSE(fx.enqueue || fx.write == Write::Intent || fx.complete);
}

TEST(Publication, a_request_with_a_body_on_a_live_one_commits_a_modify) {
  at(State::Live);
  step({.input = Input::Request, .new_body = true});
  is(State::Intent);
  CHECK(fx.write == Write::Intent);
  STRCMP_EQUAL("modify", op_name(next_op(p)));
}

TEST(Publication, a_request_without_a_body_on_a_live_one_is_queued_as_a_refresh) {
  at(State::Live);
  step({.input = Input::Request});
  is(State::Queued);
  CHECK(fx.enqueue);
  CHECK_FALSE(fx.write == Write::Intent);
}

TEST(Publication, a_request_in_each_waiting_state_takes_effect_at_once) {
  for (State s : {State::Intent, State::Queued, State::Live, State::Backoff}) {
    at(s);
    step({.input = Input::Request, .removal = true});
    is(State::Intent);
    STRCMP_EQUAL("remove", op_name(next_op(p)));
  }
}

TEST(Publication, a_removal_of_what_no_server_confirmed_ends_at_once) {
  for (State s : {State::Intent, State::Queued, State::Backoff}) {
    at(s, Known::Never);
    step({.input = Input::Request, .removal = true});
    ends(Ending::NeverSent, 200);
  }
}

TEST(Publication, a_request_resets_the_back_off) {
  at(State::Backoff, Known::Never);
  p.attempts = 7;
  step({.input = Input::Request, .new_body = true});
  is(State::Queued);
  LONGS_EQUAL(0, p.attempts);
}

TEST(Publication, a_request_under_retry_after_is_kept_and_its_owner_told) {
  at(State::Backoff);
  p.hold_until = p.deadline = kNow + 60000;
  step({.input = Input::Request, .new_body = true});
  is(State::Backoff);
  LONGLONGS_EQUAL(kNow + 60000, p.deadline);
  LONGS_EQUAL(503, fx.local_status);
  CHECK(fx.complete);
  CHECK(written());
  CHECK(p.known == Known::Changed);
}

TEST(Publication, a_request_on_an_ended_one_begins_anew) {
  at(State::Gone, Known::Never);
  p.attempts = 9;
  p.server_min = 900;
  p.grant_end = kNow;
  step({.input = Input::Request, .new_body = true});
  is(State::Queued);
  LONGS_EQUAL(0, p.attempts);
  LONGS_EQUAL(0, p.server_min);
  LONGLONGS_EQUAL(0, p.grant_end);
}

// --- Proceed, Slot, Due ------------------------------------------------------------------------------------------

TEST(Publication, a_committed_intent_is_queued) {
  at(State::Intent, Known::Changed);
  step({.input = Input::Proceed});
  is(State::Queued);
  CHECK(fx.enqueue);
}

TEST(Publication, a_slot_sends_what_closes_the_gap_now) {
  at(State::Queued, Known::Changed);
  step({.input = Input::Slot});
  is(State::Sending);
  STRCMP_EQUAL("modify", op_name(p.op));
  LONGLONGS_EQUAL(kNow, p.sent_at);
  LONGLONGS_EQUAL(kNever, p.deadline);
}

TEST(Publication, a_due_refresh_is_queued) {
  at(State::Live);
  step({.input = Input::Due});
  is(State::Queued);
  CHECK(fx.enqueue);
}

TEST(Publication, a_due_try_after_a_failure_is_queued) {
  at(State::Backoff, Known::Never);
  step({.input = Input::Due});
  is(State::Queued);
  CHECK(fx.enqueue);
}

TEST(Publication, the_wanted_end_of_a_live_one_queues_its_removal) {
  at(State::Live);
  p.wanted_end = kNow;
  step({.input = Input::Due});
  is(State::Queued);
  CHECK(fx.enqueue);
  CHECK(p.wanted == Wanted::Leaving);  // only a new body brings it back
  STRCMP_EQUAL("remove", op_name(next_op(p)));
}

TEST(Publication, the_wanted_end_while_queued_turns_it_into_a_removal_and_tells_its_callers) {
  at(State::Queued, Known::Changed);
  p.wanted_end = kNow;
  step({.input = Input::Due});
  is(State::Queued);
  LONGS_EQUAL(480, fx.local_status);
  CHECK(fx.complete);
  STRCMP_EQUAL("remove", op_name(next_op(p)));
}

TEST(Publication, the_wanted_end_of_one_never_confirmed_is_the_end) {
  at(State::Queued, Known::Never);
  p.wanted_end = kNow;
  step({.input = Input::Due});
  ends(Ending::Expired, 480);
  at(State::Backoff, Known::Never);
  p.wanted_end = kNow;
  step({.input = Input::Due});
  ends(Ending::GivenUp, 480);
}

TEST(Publication, a_removal_is_dropped_once_the_grant_has_ended_at_the_server) {
  for (State s : {State::Queued, State::Backoff}) {
    at(s, Known::Current, Wanted::Nothing);
    p.grant_end = kNow - kRemovalGrace;
    step({.input = Input::Due});
    ends(Ending::Expired, 200);
  }
  at(State::Backoff, Known::Current, Wanted::Nothing);
  p.grant_end = kNow - kRemovalGrace + 1;
  step({.input = Input::Due});
  is(State::Queued);
}

// --- replies -----------------------------------------------------------------------------------------------------

TEST(Publication, success_is_live_until_the_refresh_point_of_the_grant) {
  at(State::Sending, Known::Never);
  p.attempts = 3;
  step({.input = Input::Success, .etag = Tag::Usable, .expires = 1000});
  is(State::Live);
  CHECK(fx.take_etag && fx.complete && written());
  CHECK(p.known == Known::Current);
  LONGS_EQUAL(0, p.attempts);
  LONGLONGS_EQUAL(p.sent_at + 1000000, p.grant_end);  // counted from when the request left, as the server may do
  CHECK(p.deadline < p.grant_end - 190000);
  CHECK(p.deadline > p.sent_at + 600000);
}

TEST(Publication, a_grant_longer_than_asked_for_counts_as_asked_for) {
  at(State::Sending);
  step({.input = Input::Success, .etag = Tag::Usable, .expires = 100000});
  LONGLONGS_EQUAL(p.sent_at + 3600000, p.grant_end);
}

TEST(Publication, a_grant_that_reaches_the_wanted_end_is_not_refreshed) {
  at(State::Sending, Known::Never);
  p.wanted_end = kNow + 900000;
  step({.input = Input::Success, .etag = Tag::Usable, .expires = 1000});
  LONGLONGS_EQUAL(kNow + 900000, p.deadline);
}

TEST(Publication, success_without_expires_grants_what_was_asked_for) {
  at(State::Sending, Known::Never);
  step({.input = Input::Success, .etag = Tag::Usable, .expires = -1});
  LONGLONGS_EQUAL(p.sent_at + 3600000, p.grant_end);
}

TEST(Publication, success_without_an_entity_tag_keeps_the_old_one) {
  at(State::Sending, Known::Changed);
  step({.input = Input::Success, .expires = 1000});
  is(State::Live);
  CHECK_FALSE(fx.take_etag || fx.forget_etag || fx.orphan);
  CHECK(p.known == Known::Current);
}

TEST(Publication, success_without_an_entity_tag_and_none_yet_is_live_and_published_in_full_next) {
  at(State::Sending, Known::Never);
  step({.input = Input::Success, .expires = 1000});
  is(State::Live);
  CHECK(fx.orphan);
  STRCMP_EQUAL("initial", op_name(next_op(p)));
  CHECK(p.deadline > p.sent_at + 600000);  // at the refresh point, not sooner
}

TEST(Publication, success_with_an_entity_tag_that_cannot_be_sent_back_has_none_from_now_on) {
  for (Known k : {Known::Never, Known::Current, Known::Changed}) {
    at(State::Sending, k);
    step({.input = Input::Success, .etag = Tag::Unusable, .expires = 1000});
    is(State::Live);
    CHECK(fx.forget_etag && fx.orphan);
    CHECK_FALSE(fx.take_etag);
    STRCMP_EQUAL("initial", op_name(next_op(p)));
    CHECK(p.deadline > p.sent_at + 600000);
  }
}

TEST(Publication, a_removal_of_a_state_without_an_entity_tag_ends_and_says_what_stays) {
  at(State::Live, Known::Never);
  p.grant_end = kNow + 1000;
  step({.input = Input::Request, .removal = true});
  ends(Ending::LeftBehind, 202);
  at(State::Live, Known::Never);
  p.grant_end = kNow;
  step({.input = Input::Request, .removal = true});
  ends(Ending::NeverSent, 200);
}

TEST(Publication, success_with_expires_0_means_that_nothing_is_there) {
  at(State::Sending, Known::Current);
  step({.input = Input::Success, .etag = Tag::Usable, .expires = 0});
  backs_off(2000);
  CHECK(fx.forget_etag);
  CHECK(p.known == Known::Never);
}

TEST(Publication, success_of_a_removal_is_the_end) {
  at(State::Sending, Known::Current, Wanted::Nothing);
  step({.input = Input::Success, .expires = 0});
  ends(Ending::Removed);
}

TEST(Publication, success_after_the_wanted_end_is_withdrawn_at_once) {
  at(State::Sending, Known::Never);
  p.wanted_end = kNow - 1;
  step({.input = Input::Success, .etag = Tag::Usable, .expires = 1000});
  is(State::Queued);
  CHECK(fx.enqueue && fx.take_etag);
  STRCMP_EQUAL("remove", op_name(next_op(p)));
}

TEST(Publication, lost_state_is_published_in_full_once_then_backs_off) {
  at(State::Sending, Known::Current);
  step({.input = Input::LostState});
  is(State::Queued);
  CHECK(fx.forget_etag && fx.enqueue);
  CHECK_FALSE(fx.complete);  // its callers wait for the full publication
  STRCMP_EQUAL("initial", op_name(next_op(p)));
  step({.input = Input::Slot});
  step({.input = Input::LostState});
  backs_off(2000);
}

TEST(Publication, lost_state_of_an_initial_publication_backs_off) {
  at(State::Sending, Known::Never);
  step({.input = Input::LostState});
  backs_off(2000);
}

TEST(Publication, lost_state_of_a_removal_is_success) {
  at(State::Sending, Known::Current, Wanted::Nothing);
  step({.input = Input::LostState});
  ends(Ending::Removed);
}

TEST(Publication, lost_state_without_a_body_at_hand_is_the_end) {
  at(State::Sending, Known::Current);
  p.publishable = false;
  step({.input = Input::LostState});
  ends(Ending::StateLost);
}

TEST(Publication, too_brief_asks_again_for_what_the_server_wants) {
  at(State::Sending, Known::Never);
  p.asked = 60;
  step({.input = Input::TooBrief, .ask = {.most = 3600}, .min_expires = 600});
  is(State::Queued);
  CHECK(fx.enqueue);
  CHECK_FALSE(fx.complete);
  LONGS_EQUAL(600, p.server_min);
}

TEST(Publication, too_brief_that_cannot_be_met_backs_off) {
  struct { int64_t min, max; } rows[] = {{-1, 60}, {60, 3600}, {30, 3600}, {7200, 3600}};
  for (auto& r : rows) {
    at(State::Sending, Known::Never);
    p.asked = 60;
    step({.input = Input::TooBrief, .ask = {.most = static_cast<uint32_t>(r.max)}, .min_expires = r.min});
    backs_off(2000);
  }
}

TEST(Publication, too_brief_that_says_no_more_asks_for_twice_as_much) {
  struct { int64_t max; uint32_t next; } rows[] = {{3600, 120}, {120, 120}, {100, 100}};
  for (auto& r : rows) {
    at(State::Sending, Known::Never);
    p.asked = 60;
    step({.input = Input::TooBrief, .ask = {.most = static_cast<uint32_t>(r.max)}});
    is(State::Queued);
    LONGS_EQUAL(r.next, p.server_min);
  }
}

TEST(Publication, too_brief_to_a_removal_backs_off) {
  at(State::Sending, Known::Current, Wanted::Nothing);
  p.asked = 0;
  step({.input = Input::TooBrief, .ask = {.most = 3600}, .min_expires = 600});
  backs_off(2000);
}

TEST(Publication, failures_back_off_and_the_back_off_grows) {
  for (Input i : {Input::Transient, Input::Forbidden, Input::Auth}) {
    at(State::Sending);
    step({.input = i});
    backs_off(2000);
    LONGS_EQUAL(1, p.attempts);
    CHECK(p.known == Known::Current);
    p.state = State::Sending;
    step({.input = i});
    backs_off(4000);
  }
}

TEST(Publication, the_count_of_failures_does_not_wrap) {
  at(State::Sending);
  p.attempts = 255;
  step({.input = Input::Transient});
  LONGS_EQUAL(255, p.attempts);
}

TEST(Publication, an_unanswered_publication_may_be_an_orphan_a_removal_never) {
  at(State::Sending, Known::Never);
  step({.input = Input::Transient, .answered = false});
  CHECK(fx.orphan);
  at(State::Sending, Known::Never);
  step({.input = Input::Transient, .answered = true});
  CHECK_FALSE(fx.orphan);
  at(State::Sending, Known::Current, Wanted::Nothing);
  step({.input = Input::Transient, .answered = false});
  CHECK_FALSE(fx.orphan);
}

TEST(Publication, retry_after_holds_everything_back) {
  at(State::Sending);
  step({.input = Input::Transient, .retry_after = 90});
  LONGLONGS_EQUAL(kNow + 90000, p.hold_until);
  LONGLONGS_EQUAL(kNow + 90000, p.deadline);
}

TEST(Publication, a_back_off_never_goes_past_the_wanted_end) {
  at(State::Sending, Known::Never);
  p.wanted_end = kNow + 500;
  step({.input = Input::Transient, .retry_after = 90});
  LONGLONGS_EQUAL(kNow + 500, p.deadline);
}

TEST(Publication, fatal_of_one_never_confirmed_is_the_end) {
  at(State::Sending, Known::Never);
  step({.input = Input::Fatal});
  ends(Ending::Refused);
}

TEST(Publication, fatal_of_one_the_server_still_holds_withdraws_it) {
  at(State::Sending, Known::Changed);
  step({.input = Input::Fatal});
  is(State::Queued);
  CHECK(fx.enqueue && fx.complete && written());
  LONGS_EQUAL(static_cast<int>(Ending::Refused), static_cast<int>(fx.ending));
  STRCMP_EQUAL("remove", op_name(next_op(p)));
}

TEST(Publication, fatal_of_a_removal_is_the_end) {
  at(State::Sending, Known::Current, Wanted::Nothing);
  step({.input = Input::Fatal});
  ends(Ending::Refused);
}

TEST(Publication, shutdown_tells_the_callers_and_changes_nothing) {
  at(State::Sending);
  step({.input = Input::Shutdown});
  is(State::Sending);
  CHECK(fx.complete);
  CHECK_FALSE(written());
}

// --- Loaded, Stored ----------------------------------------------------------------------------------------------

TEST(Publication, a_loaded_one_is_live_until_its_turn) {
  at(State::Idle);
  step({.input = Input::Loaded, .due = kNow + 7000});
  is(State::Live);
  LONGLONGS_EQUAL(kNow + 7000, p.deadline);
}

TEST(Publication, a_loaded_one_whose_grant_reaches_its_end_waits_for_that) {
  at(State::Idle);
  p.wanted_end = kNow + 900000;
  step({.input = Input::Loaded, .due = kNow + 7000});
  LONGLONGS_EQUAL(kNow + 900000, p.deadline);
}

TEST(Publication, a_loaded_one_with_a_gap_to_close_closes_it) {
  at(State::Idle, Known::Never);
  step({.input = Input::Loaded, .due = kNow + 7000});
  is(State::Queued);
  at(State::Idle, Known::Changed);
  step({.input = Input::Loaded, .due = kNow + 7000});
  is(State::Intent);
  at(State::Idle, Known::Current, Wanted::Nothing);
  step({.input = Input::Loaded, .due = kNow + 7000});
  is(State::Intent);
}

TEST(Publication, a_loaded_one_that_has_ended_is_withdrawn_or_dropped) {
  at(State::Idle);
  p.wanted_end = kNow;
  step({.input = Input::Loaded});
  is(State::Queued);
  STRCMP_EQUAL("remove", op_name(next_op(p)));
  at(State::Idle);
  p.wanted_end = kNow;
  p.grant_end = kNow - kRemovalGrace;
  step({.input = Input::Loaded});
  ends(Ending::Expired, 480);
  at(State::Idle, Known::Never);
  p.publishable = false;
  step({.input = Input::Loaded});
  ends(Ending::NeverSent, 404);
}

TEST(Publication, a_deleted_row_changes_nothing_more) {
  at(State::Gone, Known::Never);
  step({.input = Input::Stored});
  is(State::Gone);
}
