// Write-behind queue when things go wrong: a store that is down, rows that it refuses, pages that cannot be read.
#include <string>

#include "tests/store/queue_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(store_down) {
  QueueRig rig;
};

TEST(store_down, everything_stays_queued_and_is_written_when_it_is_back) {
  rig.faulty.down = true;
  rig.change_range(1, 500, Lane::Bulk);
  rig.change_range(501, 600, Lane::Fast);
  rig.advance(60000);
  LONGS_EQUAL(600, rig.stats().backlog);
  LONGS_EQUAL(59000, rig.stats().oldest_ms);
  CHECK(rig.stats().down);
  LONGS_EQUAL(0, rig.memory.rows());
  rig.faulty.down = false;
  rig.advance(60000 + 30000 + 100);  // update_period is the ceiling of the retry
  CHECK(rig.queue->clean());
  CHECK_FALSE(rig.stats().down);
  LONGS_EQUAL(600, rig.memory.rows());
}

TEST(store_down, every_batch_is_timed_and_those_that_fail_too) {
  rig.faulty.delay_ms = 3;
  rig.change(1, Lane::Fast);
  rig.advance(1100);
  UNSIGNED_LONGS_EQUAL(1, rig.queue->writes().count());
  LONGLONGS_EQUAL(3000, rig.queue->writes().sum_us());
  rig.faulty.down = true;
  rig.change(1, Lane::Fast);
  rig.advance(1120);
  UNSIGNED_LONGS_EQUAL(2, rig.queue->writes().count());
  LONGLONGS_EQUAL(6000, rig.queue->writes().sum_us());
  LONGS_EQUAL(3, rig.stats().flush_max_ms);
}

TEST(store_down, tries_get_rarer_up_to_update_period) {
  WriteBehindPolicy p;
  p.retry_max_ms = 5000;
  QueueRig r(p);
  r.faulty.down = true;
  r.change(1, Lane::Fast);
  r.advance(1000);
  MonoMs last = 1000, gap = 0;
  for (int i = 0; i < 12; i++) {
    MonoMs due = r.queue->next_due();
    CHECK(due - last >= gap);
    gap = due - last;
    CHECK(gap >= 100 && gap <= 5000);
    last = due;
    r.advance(due);
  }
  LONGS_EQUAL(5000, gap);
}

TEST(store_down, a_changed_update_period_counts_from_the_next_try_on) {
  rig.faulty.down = true;
  rig.change(1, Lane::Fast);
  rig.advance(120000);
  rig.queue->set_retry_max(2000);
  rig.advance(rig.queue->next_due());
  CHECK(rig.queue->next_due() - rig.now <= 2000);
}

TEST(store_down, an_update_period_of_one_second_works) {
  WriteBehindPolicy p;
  p.retry_max_ms = 1000;
  QueueRig r(p);
  r.faulty.down = true;
  r.change(1, Lane::Fast);
  r.advance(20000);
  r.faulty.down = false;
  r.advance(21000);
  CHECK(r.stored(1, 1));
}

TEST(store_down, new_marks_do_not_provoke_tries) {
  rig.faulty.down = true;
  rig.change(1, Lane::Fast);
  rig.advance(20000);
  size_t tries = rig.faulty.batch_sizes.size();
  MonoMs due = rig.queue->next_due();
  for (int64_t id = 2; id < 100; id++) rig.change(id, Lane::Fast);
  LONGS_EQUAL(due, rig.queue->next_due());
  LONGS_EQUAL(tries, rig.faulty.batch_sizes.size());
}

TEST(store_down, callers_of_a_tried_batch_are_told_that_it_is_not_durable) {
  rig.faulty.down = true;
  rig.change_range(1, 3, Lane::Fast);
  rig.advance(rig.now);
  for (int64_t id : {1, 2, 3}) {
    LONGS_EQUAL(1, rig.acks(id, false));
    LONGS_EQUAL(0, rig.acks(id, true));
    LONGS_EQUAL(0, rig.rec(id).written_version);
  }
  LONGS_EQUAL(1, rig.stats().errors);
}

TEST(store_down, changes_meanwhile_are_written_in_their_last_form_once) {
  rig.faulty.fail_writes = 3;
  rig.change(1, Lane::Fast);
  rig.advance(1050);
  rig.change(1, Lane::Fast);
  rig.change(1, Lane::Bulk);
  rig.advance(3000);
  CHECK(rig.stored(1, 3));
  LONGS_EQUAL(1, rig.acks(1, true));
}

TEST(store_down, a_commit_whose_answer_was_lost_is_repeated_and_changes_nothing) {
  rig.faulty.lose_acks = 1;
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  CHECK(rig.stored(1, 1));
  LONGS_EQUAL(1, rig.acks(1, false));
  rig.advance(2000);
  LONGS_EQUAL(1, rig.acks(1, true));
  LONGS_EQUAL(1, rig.memory.rows());
}

TEST(store_down, a_delete_is_retried_too) {
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  rig.rec(1).gone = true;
  rig.faulty.fail_writes = 2;
  rig.change(1, Lane::Fast);
  rig.advance(5000);
  LONGS_EQUAL(0, rig.memory.rows());
  CHECK(rig.recs.empty());
}

TEST(store_down, flush_tries_at_once) {
  rig.faulty.down = true;
  rig.change(1, Lane::Fast);
  rig.advance(30000);
  rig.faulty.down = false;
  rig.queue->flush(rig.now);
  rig.advance(rig.now);
  CHECK(rig.queue->clean());
}

TEST(store_down, that_the_table_was_away_is_told_once_when_it_is_back) {
  rig.change(1, Lane::Fast);
  rig.advance(1010);
  rig.faulty.down = rig.faulty.table_lost = true;
  rig.change(2, Lane::Fast);
  rig.advance(2000);
  LONGS_EQUAL(0, rig.rows_lost);
  rig.faulty.down = false;
  rig.advance(60000);
  LONGS_EQUAL(1, rig.rows_lost);
  rig.faulty.down = true, rig.faulty.table_lost = false;   // away, but not the table
  rig.change(3, Lane::Fast);
  rig.advance(61000);
  rig.faulty.down = false;
  rig.advance(120000);
  LONGS_EQUAL(1, rig.rows_lost);
}

// The session that comes back finds that it is another table, and says so before the first write has succeeded.
TEST(store_down, a_table_that_was_away_and_is_found_to_be_another_one_is_told_once) {
  struct Peek : StoreAdapter {
    static AdapterSink* of(const StoreAdapter& a) { return a.*&Peek::sink_; }
  };
  rig.change(1, Lane::Fast);
  rig.advance(1010);
  rig.faulty.down = rig.faulty.table_lost = true;
  rig.change(2, Lane::Fast);
  rig.advance(2000);
  rig.faulty.down = false;
  Peek::of(rig.faulty)->on_rows_missing(rig.now);
  LONGS_EQUAL(1, rig.rows_lost);
  rig.advance(60000);
  CHECK(rig.queue->clean());
  LONGS_EQUAL(1, rig.rows_lost);
}

TEST(store_down, the_log_says_once_that_it_went_and_once_that_it_came) {
  rig.faulty.down = true;
  rig.change(1, Lane::Fast);
  rig.advance(60000);
  LONGS_EQUAL(1, rig.log.lines.size());
  CHECK(rig.log.has("SIP goes on"));
  rig.faulty.down = false;
  rig.advance(120000);
  LONGS_EQUAL(2, rig.log.lines.size());
  CHECK(rig.log.has("takes writes again"));
}

TEST(store_down, order_is_kept_over_failures) {
  rig.faulty.fail_writes = 2;
  rig.change_range(1, 20, Lane::Fast);
  rig.advance(5000);
  int64_t next = 1;
  for (const Stored& s : rig.calls) {
    if (s.ok) LONGS_EQUAL(next++, s.id);
  }
  LONGS_EQUAL(21, next);
}

TEST_GROUP(bad_row) {
  QueueRig rig;
  void refuse(int64_t bad, bool named) {
    rig.faulty.bad_row = [bad](const Row& r) { return r.id == bad; };
    rig.faulty.bad_row_named = named;
  }
};

TEST(bad_row, a_named_bad_row_is_set_aside_and_the_others_are_written) {
  refuse(5, true);
  rig.change_range(1, 10, Lane::Fast);
  rig.advance(rig.now);
  LONGS_EQUAL(9, rig.memory.rows());
  LONGS_EQUAL(1, rig.faulty.batch_sizes.size());
  LONGS_EQUAL(1, rig.stats().set_aside);
  LONGS_EQUAL(1, rig.stats().backlog);
  LONGS_EQUAL(1, rig.acks(5, false));
  CHECK(rig.log.has("row 5"));
}

TEST(bad_row, the_age_gauge_knows_the_oldest_row_that_is_set_aside) {
  rig.faulty.bad_row = [](const Row& r) { return r.id <= 3; };
  for (int64_t id = 1; id <= 3; id++) {
    rig.change(id, Lane::Fast);
    rig.advance(rig.now + 10);
  }
  LONGS_EQUAL(3, rig.stats().set_aside);
  LONGS_EQUAL(30, rig.stats().oldest_ms);
  rig.faulty.bad_row = [](const Row& r) { return r.id == 2; };
  rig.change(1, Lane::Fast);             // it changed: it may be good now
  rig.advance(rig.now);
  LONGS_EQUAL(2, rig.stats().set_aside);
  LONGS_EQUAL(20, rig.stats().oldest_ms);
  rig.faulty.bad_row = [](const Row& r) { return r.id == 3; };
  rig.change(2, Lane::Fast);
  rig.advance(rig.now + 5);
  LONGS_EQUAL(1, rig.stats().set_aside);
  LONGS_EQUAL(15, rig.stats().oldest_ms);
  rig.faulty.bad_row = {};
  rig.advance(rig.now + 60000);
  LONGS_EQUAL(0, rig.stats().set_aside);
  LONGS_EQUAL(0, rig.stats().oldest_ms);
}

TEST(bad_row, an_unnamed_bad_row_is_found_by_halving) {
  refuse(77, false);
  rig.change_range(1, 128, Lane::Bulk);
  rig.advance(1200);
  LONGS_EQUAL(127, rig.memory.rows());
  LONGS_EQUAL(1, rig.stats().set_aside);
  CHECK(rig.rec(77).queue == StoreHook::Queue::Aside);
  CHECK_FALSE(rig.stats().down);
}

TEST(bad_row, halving_takes_few_statements) {
  refuse(77, false);
  rig.faulty.batch_limits = {16, 16};
  rig.change_range(65, 80, Lane::Fast);
  rig.advance(1000);
  LONGS_EQUAL(15, rig.memory.rows());
  CHECK(rig.faulty.batch_sizes.size() <= 16);
}

TEST(bad_row, several_unnamed_bad_rows_are_all_found) {
  rig.faulty.bad_row = [](const Row& r) { return r.id % 40 == 0; };
  rig.faulty.bad_row_named = false;
  rig.change_range(1, 200, Lane::Bulk);
  rig.advance(1200);
  LONGS_EQUAL(195, rig.memory.rows());
  LONGS_EQUAL(5, rig.stats().set_aside);
}

TEST(bad_row, fast_rows_do_not_wait_for_a_bad_row_in_bulk) {
  refuse(5, false);
  rig.change_range(1, 100, Lane::Bulk);
  rig.advance(1100);
  rig.change(200, Lane::Fast);
  rig.advance(1102);
  CHECK(rig.stored(200, 1));
}

TEST(bad_row, it_is_retried_alone_later_and_later) {
  refuse(5, false);
  rig.change(5, Lane::Fast);
  rig.advance(rig.now);
  MonoMs last = rig.now, gap = 0;
  for (int i = 0; i < 8; i++) {
    rig.change_range(100, 120, Lane::Fast);  // never in its company
    MonoMs due = kNever;
    size_t tries = rig.acks(5, false);
    while (rig.acks(5, false) == tries) {
      due = rig.queue->next_due();
      rig.advance(due);
    }
    CHECK(due - last >= gap && due - last <= 30200);
    gap = due - last;
    last = due;
  }
  CHECK(gap >= 29800);
  LONGS_EQUAL(21, rig.memory.rows());
  CHECK_FALSE(rig.stats().down);
}

TEST(bad_row, a_row_refused_before_never_spoils_a_group_again) {
  refuse(5, false);
  rig.change(5, Lane::Fast);
  rig.advance(rig.now);
  rig.change_range(1, 4, Lane::Fast);
  rig.change(5, Lane::Fast);
  rig.change_range(6, 9, Lane::Fast);
  rig.advance(1500);
  LONGS_EQUAL(8, rig.memory.rows());
  LONGS_EQUAL(2, rig.acks(5, false));
  for (int64_t id : {1, 4, 6, 9}) LONGS_EQUAL(0, rig.acks(id, false));
}

TEST(bad_row, it_is_written_when_the_reason_is_gone) {
  refuse(5, true);
  rig.change_range(1, 9, Lane::Fast);
  rig.advance(rig.now);
  rig.faulty.bad_row = {};
  rig.advance(2200);
  CHECK(rig.queue->clean());
  LONGS_EQUAL(9, rig.memory.rows());
  LONGS_EQUAL(0, rig.stats().set_aside);
  LONGS_EQUAL(0, rig.rec(5).failures);
}

TEST(bad_row, a_change_brings_it_back_at_once) {
  rig.faulty.bad_row = [](const Row& r) { return r.body == "bad"; };
  rig.rec(1).body = "bad";
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  LONGS_EQUAL(1, rig.stats().set_aside);
  rig.rec(1).body = "good";
  rig.change(1, Lane::Fast);
  rig.advance(1005);
  CHECK(rig.stored(1, 2));
  CHECK(rig.queue->clean());
}

TEST(bad_row, flush_retries_it_now) {
  refuse(5, true);
  rig.change(5, Lane::Fast);
  rig.advance(rig.now);
  rig.faulty.bad_row = {};
  rig.queue->flush(rig.now);
  rig.advance(rig.now);
  CHECK(rig.queue->clean());
}

TEST(bad_row, a_row_refused_for_a_newer_one_is_kept_and_counted) {
  rig.rec(1).version = 8;
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  rig.rec(1).version = 2;  // as another owner that has missed something would write
  rig.change(1, Lane::Fast);
  rig.advance(rig.now + 2);
  LONGS_EQUAL(1, rig.stats().refused_newer);
  LONGS_EQUAL(1, rig.acks(1, false));
  CHECK(rig.stored(1, 9));
  CHECK(rig.log.has("newer"));
}

TEST(bad_row, a_store_that_fails_every_row_is_taken_for_down) {
  rig.faulty.bad_row = [](const Row&) { return true; };
  rig.faulty.bad_row_named = false;
  rig.change_range(1, 300, Lane::Bulk);
  rig.advance(1300);
  CHECK(rig.stats().down);
  CHECK(rig.stats().set_aside < 10);
  rig.faulty.bad_row = {};
  rig.advance(60000);
  CHECK(rig.queue->clean());
  LONGS_EQUAL(300, rig.memory.rows());
}

TEST(bad_row, many_unnamed_bad_rows_in_a_row_do_not_stop_the_store) {
  rig.faulty.bad_row = [](const Row& r) { return r.id <= 12; };
  rig.faulty.bad_row_named = false;
  rig.change_range(1, 200, Lane::Bulk);
  rig.advance(60000);
  LONGS_EQUAL(188, rig.memory.rows());
  rig.change(300, Lane::Fast);
  rig.advance(90000);
  CHECK(rig.stored(300, 1));
}

TEST(bad_row, a_batch_that_failed_once_for_no_rows_sake_is_just_written_again) {
  rig.faulty.fail_unnamed = 1;
  rig.change_range(1, 100, Lane::Bulk);
  rig.advance(1200);
  LONGS_EQUAL(100, rig.memory.rows());
  LONGS_EQUAL(0, rig.stats().set_aside);
  LONGS_EQUAL(1, rig.stats().errors);
}

TEST(bad_row, many_bad_rows_hold_no_good_row_up) {
  rig.faulty.bad_row = [](const Row& r) { return r.id < 1000; };
  rig.change_range(1, 500, Lane::Bulk);
  rig.advance(1900);
  LONGS_EQUAL(500, rig.stats().set_aside);
  rig.change_range(1001, 1100, Lane::Bulk);
  rig.now = 2100;  // good and bad are due together
  rig.queue->run(rig.now);
  rig.queue->run(rig.now);
  LONGS_EQUAL(100, rig.memory.rows());
}

TEST_GROUP(queue_loading) {
  QueueRig rig;
  void fill(int64_t n) {
    for (int64_t id = 1; id <= n; id++) rig.change(id, Lane::Fast);
    rig.advance(rig.now + 10);
  }
};

TEST(queue_loading, each_page_has_a_turn_of_its_own) {
  fill(35);
  int turns = rig.turns;
  rig.queue->load(0, 10);
  rig.advance(rig.now);
  CHECK(rig.all_loaded);
  LONGS_EQUAL(35, rig.loaded.size());
  LONGS_EQUAL(4, rig.pages.size());
  LONGS_EQUAL(4, rig.turns - turns);
}

TEST(queue_loading, waited_for_rows_are_written_between_pages) {
  fill(35);
  rig.queue->load(0, 10);
  rig.queue->run(rig.now);
  rig.change_range(100, 120, Lane::Fast);
  rig.queue->run(rig.now);
  rig.queue->run(rig.now);
  CHECK(rig.stored(100, 1));
  CHECK_FALSE(rig.all_loaded);
}

TEST(queue_loading, a_failed_page_is_reported_and_asked_for_again_with_a_back_off) {
  fill(15);
  rig.faulty.fail_loads = 3;
  MonoMs start = rig.now;
  rig.queue->load(0, 10);
  rig.advance(rig.now);
  LONGS_EQUAL(1, rig.page_errors);
  CHECK(rig.queue->next_due() >= start + 100);
  rig.advance(start + 100 + 200 + 400);
  LONGS_EQUAL(3, rig.page_errors);
  CHECK(rig.all_loaded);
  LONGS_EQUAL(15, rig.loaded.size());
}

TEST(queue_loading, damaged_rows_are_left_out_and_named_and_every_other_row_comes) {
  fill(60);
  rig.faulty.unreadable = [](int64_t id) { return id == 7 || id == 9 || id == 10 || (id >= 30 && id < 41); };
  rig.queue->load(0, 10);
  rig.advance(rig.now + 60000);
  CHECK(rig.all_loaded);
  LONGS_EQUAL(60 - 14, rig.loaded.size());
  for (size_t i = 1; i < rig.loaded.size(); i++) CHECK(rig.loaded[i - 1] < rig.loaded[i]);
  LONGS_EQUAL(3, rig.stats().skipped_ranges);
  CHECK(rig.log.has("id 7 to 7 "));
  CHECK(rig.log.has("id 9 to 10 "));
  CHECK(rig.log.has("id 30 to 40 "));
}

TEST(queue_loading, damage_is_believed_only_after_several_tries) {
  fill(15);
  bool bad = true;
  rig.faulty.unreadable = [&](int64_t id) { return bad && id == 3; };
  rig.queue->load(0, 10);
  rig.advance(rig.now + 2000);
  LONGS_EQUAL(5, rig.page_errors);
  bad = false;
  rig.advance(rig.now + 5000);
  CHECK(rig.all_loaded);
  LONGS_EQUAL(15, rig.loaded.size());
  LONGS_EQUAL(0, rig.stats().skipped_ranges);
}

TEST(queue_loading, a_load_ends_where_nothing_can_be_read_up_to_the_end) {
  fill(25);
  rig.faulty.unreadable = [](int64_t id) { return id > 20; };
  rig.queue->load(0, 10);
  rig.advance(rig.now + 60000);
  CHECK(rig.all_loaded);
  LONGS_EQUAL(20, rig.loaded.size());
  CHECK(rig.log.has("id 21 to 25 "));
}

TEST(queue_loading, a_long_damaged_range_is_passed_by_bisection_to_the_row) {
  fill(5);
  int64_t far = 50000000;
  for (int64_t id = far; id < far + 5; id++) rig.change(id, Lane::Fast);
  rig.advance(rig.now + 10);
  DamageSkip skip;
  skip.ask(5, 10);
  int tries = 0;
  for (bool taken = false; !taken && tries < 30000; tries++) {
    if (skip.after() < far - 1) CHECK(skip.failed());
    else taken = skip.read();
  }
  LONGLONGS_EQUAL(far - 1, skip.skipped_to());
}

TEST(queue_loading, a_table_of_which_nothing_can_be_read_is_given_up) {
  DamageSkip skip;
  skip.ask(0, 200);
  int tries = 0;
  while (skip.failed()) CHECK(++tries < 30000);
  LONGLONGS_EQUAL(DamageSkip::kEnd, skip.after());
}

TEST(queue_loading, writes_go_on_while_a_damaged_range_is_searched) {
  fill(60);
  rig.faulty.unreadable = [](int64_t id) { return id > 20 && id < 50; };
  rig.queue->load(20, 10);
  rig.advance(rig.now + 3099);
  rig.change(100, Lane::Fast);
  while (!rig.stored(100, 1)) rig.queue->run(++rig.now);
  CHECK_FALSE(rig.all_loaded);
}

TEST(queue_loading, a_store_that_answers_later_serves_pages_too) {
  fill(15);
  rig.faulty.delay_ms = 20;
  rig.queue->load(0, 10);
  rig.advance(rig.now + 100);
  CHECK(rig.all_loaded);
  LONGS_EQUAL(15, rig.loaded.size());
}

TEST(queue_loading, a_crash_loses_nothing_that_was_reported) {
  rig.faulty.delay_ms = 10;
  rig.change_range(1, 5, Lane::Fast);
  rig.advance(1010);
  rig.change_range(6, 9, Lane::Fast);
  rig.advance(1015);
  CHECK(rig.faulty.under_way());
  rig.faulty.crash(false);
  for (const Stored& s : rig.calls) {
    if (s.ok) CHECK(rig.stored(s.id, s.version));
  }
  LONGS_EQUAL(5, rig.memory.rows());
}

TEST(queue_loading, rows_wanted_out_of_turn_are_found_between_pages_and_in_order) {
  for (int64_t id = 1; id <= 30; id++) rig.change(id, Lane::Fast);
  rig.advance(2000);
  rig.faulty.delay_ms = 5;
  rig.queue->load(0, 10);
  for (int64_t id : {25, 99, 3}) rig.queue->find(row_of(id).row());
  rig.advance(3000);
  LONGS_EQUAL(3, rig.found.size());
  STRCMP_EQUAL("sip:user25@example.com 25 30", rig.found[0].c_str());
  STRCMP_EQUAL("sip:user99@example.com - 30", rig.found[1].c_str());
  STRCMP_EQUAL("sip:user3@example.com 3 30", rig.found[2].c_str());
  CHECK(rig.all_loaded);
}

TEST(queue_loading, what_cannot_be_found_now_waits_for_its_page) {
  rig.faulty.down = true;
  for (int64_t id : {1, 2, 3}) rig.queue->find(row_of(id).row());
  rig.advance(5000);
  LONGS_EQUAL(0, rig.found.size());
  LONGS_EQUAL(1, rig.faulty.finds);
  rig.faulty.down = false;
  rig.queue->find(row_of(4).row());
  rig.advance(6000);
  LONGS_EQUAL(1, rig.found.size());
}
