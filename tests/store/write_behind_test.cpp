// Write-behind queue: when rows leave, in which groups, and what the engine hears of them.
#include <string>

#include "tests/store/queue_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(write_behind) {
  QueueRig rig;
};

TEST(write_behind, nothing_marked_nothing_due) {
  CHECK(rig.queue->next_due() == kNever);
  CHECK(rig.queue->clean());
}

TEST(write_behind, a_lone_waited_for_row_leaves_at_the_end_of_the_turn) {
  rig.change(1, Lane::Fast);
  LONGS_EQUAL(rig.now, rig.queue->next_due());
  CHECK(rig.calls.empty());  // never from inside mark
  rig.advance(rig.now);
  LONGS_EQUAL(1000, rig.acked_at(1));
  CHECK(rig.stored(1, 1));
}

TEST(write_behind, rows_marked_in_one_turn_are_one_group) {
  rig.change_range(1, 10, Lane::Fast);
  rig.advance(rig.now);
  LONGS_EQUAL(1, rig.faulty.batch_sizes.size());
  LONGS_EQUAL(10, rig.faulty.batch_sizes[0]);
}

TEST(write_behind, under_load_a_group_gathers_for_group_ms) {
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  rig.change(2, Lane::Fast);
  LONGS_EQUAL(1002, rig.queue->next_due());
  rig.now = 1001;
  rig.change(3, Lane::Fast);
  rig.advance(1002);
  LONGS_EQUAL(2, rig.faulty.batch_sizes.size());
  LONGS_EQUAL(2, rig.faulty.batch_sizes[1]);
  LONGS_EQUAL(1002, rig.acked_at(2));
}

TEST(write_behind, rows_that_nobody_waits_for_stand_aside_while_others_are_out) {
  rig.faulty.delay_ms = 10;
  rig.faulty.batch_limits.bulk_rows = 1;
  rig.change_range(1, 2, Lane::Bulk);
  rig.advance(1105);                      // 1 left at 1100, and ends at 1110
  rig.change(3, Lane::Fast);              // leaves at once, and ends at 1115
  rig.advance(1300);
  LONGS_EQUAL(1110, rig.acked_at(1));
  LONGS_EQUAL(1115, rig.acked_at(3));
  LONGS_EQUAL(1125, rig.acked_at(2));     // left when 3 had ended
}

TEST(write_behind, beside_waited_for_rows_without_end_the_others_leave_every_20_ms) {
  rig.faulty.delay_ms = 10;
  rig.faulty.batch_limits.bulk_rows = 1;
  rig.change_range(1, 3, Lane::Bulk);
  for (int64_t id = 100; rig.now < 1200; id++) {
    rig.change(id, Lane::Fast);
    rig.advance(rig.now + 1);
  }
  LONGS_EQUAL(1110, rig.acked_at(1));
  LONGS_EQUAL(1140, rig.acked_at(2));     // 20 ms after that, and 10 for itself
  LONGS_EQUAL(1170, rig.acked_at(3));
}

TEST(write_behind, every_waited_for_row_leaves_within_five_ms) {
  for (int64_t id = 1; id <= 200; id++) {
    MonoMs marked = rig.now;
    rig.change(id, Lane::Fast);
    rig.advance(rig.now + 1);
    for (const Stored& s : rig.calls) CHECK(s.at <= 1000 + s.id - 1 + 5);
    CHECK(marked == 1000 + id - 1);
  }
  rig.advance(rig.now + 5);
  LONGS_EQUAL(200, rig.calls.size());
}

TEST(write_behind, a_full_group_does_not_wait) {
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  rig.change_range(2, 17, Lane::Fast);
  CHECK(rig.queue->next_due() <= rig.now);
}

TEST(write_behind, a_row_nobody_waits_for_leaves_within_200_ms) {
  rig.change(1, Lane::Bulk);
  rig.now += 50;
  rig.change(2, Lane::Bulk);
  rig.change(1, Lane::Bulk);  // does not start the time again
  rig.advance(3000);
  CHECK(rig.acked_at(1) <= 1200);
  CHECK(rig.acked_at(2) <= 1250);
  CHECK(rig.acked_at(1) > 1050);  // but it does wait for company
  CHECK(rig.stored(1, 2));
  LONGS_EQUAL(1, rig.acks(1, true));
}

TEST(write_behind, update_period_delays_nothing_while_the_store_works) {
  WriteBehindPolicy p;
  p.retry_max_ms = 3600 * 1000;
  QueueRig slow(p);
  slow.change(1, Lane::Fast);
  slow.change(2, Lane::Bulk);
  slow.advance(1200);
  CHECK(slow.queue->clean());
}

TEST(write_behind, a_rush_of_bulk_rows_leaves_early) {
  rig.change_range(1, 1023, Lane::Bulk);
  CHECK(rig.queue->next_due() > rig.now);
  rig.change(1024, Lane::Bulk);
  CHECK(rig.queue->next_due() <= rig.now);
}

TEST(write_behind, ten_thousand_bulk_rows_are_written_once_each) {
  rig.change_range(1, 10000, Lane::Bulk);
  rig.advance(1200);
  CHECK(rig.queue->clean());
  LONGS_EQUAL(10000, rig.rows_asked);
  LONGS_EQUAL(10000, rig.stats().rows_written);
}

TEST(write_behind, marking_fast_moves_a_row_out_of_bulk) {
  Rec& r = rig.change(1, Lane::Bulk);
  rig.change(2, Lane::Bulk);
  rig.change(1, Lane::Fast);
  CHECK(r.queue == StoreHook::Queue::Fast);
  rig.advance(rig.now);
  CHECK(rig.stored(1, 2));
  CHECK_FALSE(rig.stored(2, 1));
  LONGS_EQUAL(1, rig.stats().backlog);
  rig.advance(1200);
  LONGS_EQUAL(1, rig.acks(1, true));
}

TEST(write_behind, marking_bulk_leaves_a_row_in_fast) {
  Rec& r = rig.change(1, Lane::Fast);
  rig.change(1, Lane::Bulk);
  CHECK(r.queue == StoreHook::Queue::Fast);
}

TEST(write_behind, many_changes_before_the_write_are_one_write_of_the_last) {
  for (int i = 0; i < 50; i++) rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  LONGS_EQUAL(1, rig.rows_asked);
  LONGS_EQUAL(1, rig.calls.size());
  LONGS_EQUAL(50, rig.calls[0].version);
  LONGS_EQUAL(50, rig.rec(1).written_version);
}

TEST(write_behind, a_row_changed_while_its_batch_is_under_way_is_queued_again_before_on_stored) {
  rig.faulty.delay_ms = 10;
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  CHECK(rig.rec(1).queue == StoreHook::Queue::Batch);
  rig.now += 3;
  rig.change(1, Lane::Fast);
  auto seen = StoreHook::Queue::None;
  rig.when_stored = [&](Rec& r, uint32_t version, bool) {
    if (version == 1) seen = r.queue;
  };
  rig.advance(1010);
  CHECK(seen == StoreHook::Queue::Fast);
  LONGS_EQUAL(1, rig.rec(1).written_version);  // dirty is cleared only where nothing changed
  rig.advance(1100);
  CHECK(rig.stored(1, 2));
  LONGS_EQUAL(2, rig.acks(1, true));
  CHECK(rig.queue->clean());
}

TEST(write_behind, the_lane_of_a_mark_during_a_batch_is_kept) {
  rig.faulty.delay_ms = 10;
  rig.change_range(1, 2, Lane::Fast);
  rig.advance(rig.now);
  rig.change(1, Lane::Bulk);
  rig.change(2, Lane::Bulk);
  rig.change(2, Lane::Fast);
  rig.advance(1010);
  CHECK(rig.rec(1).queue == StoreHook::Queue::Bulk);
  CHECK(rig.rec(2).queue == StoreHook::Queue::Fast || rig.rec(2).queue == StoreHook::Queue::Batch);
}

TEST(write_behind, rows_marked_while_a_batch_is_under_way_form_the_next_group) {
  rig.faulty.delay_ms = 10;
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  for (int64_t id = 2; id <= 9; id++) {
    rig.now++;
    rig.change(id, Lane::Fast);
    rig.advance(rig.now);
  }
  LONGS_EQUAL(1, rig.faulty.batch_sizes.size());
  rig.advance(1030);
  LONGS_EQUAL(2, rig.faulty.batch_sizes.size());
  LONGS_EQUAL(8, rig.faulty.batch_sizes[1]);
}

TEST(write_behind, bulk_under_way_does_not_hold_up_fast) {
  rig.faulty.delay_ms = 50;
  rig.change(1, Lane::Bulk);
  rig.advance(1100);
  CHECK(rig.rec(1).queue == StoreHook::Queue::Batch);
  rig.change(2, Lane::Fast);
  rig.advance(1100);
  CHECK(rig.rec(2).queue == StoreHook::Queue::Batch);
}

TEST(write_behind, what_a_turn_has_no_time_for_leaves_in_the_next_turn_in_order) {
  rig.faulty.rows_a_turn = 4;
  rig.change_range(1, 10, Lane::Fast);
  rig.advance(rig.now);
  LONGS_EQUAL(3, rig.turns);
  LONGS_EQUAL(10, rig.calls.size());  // deferred is no failure: one call each
  for (size_t i = 0; i < 10; i++) LONGS_EQUAL(i + 1, rig.calls[i].id);
  LONGS_EQUAL(0, rig.stats().errors);
}

TEST(write_behind, each_turn_does_one_bounded_piece_with_an_immediate_store) {
  rig.faulty.batch_limits = {8, 8};
  rig.change_range(1, 16, Lane::Fast);
  rig.change_range(101, 116, Lane::Bulk);
  rig.queue->flush(rig.now);
  rig.queue->run(rig.now);
  LONGS_EQUAL(1, rig.faulty.batch_sizes.size());
  rig.queue->run(rig.now);
  LONGS_EQUAL(2, rig.faulty.batch_sizes.size());
}

TEST(write_behind, bulk_rows_get_turns_while_fast_is_always_due) {
  rig.faulty.batch_limits = {8, 8};
  rig.change_range(1, 8, Lane::Bulk);
  rig.now += 100;
  for (int turn = 0; turn < 8; turn++) {
    rig.change_range(100 + turn * 20, 119 + turn * 20, Lane::Fast);
    rig.queue->run(rig.now);
  }
  CHECK(rig.stored(8, 1));
}

TEST(write_behind, a_deleted_record_may_be_freed_in_on_stored) {
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  rig.rec(1).gone = true;
  rig.change(1, Lane::Bulk);
  rig.queue->flush(rig.now);
  rig.advance(rig.now);
  CHECK(rig.recs.empty());
  CHECK(rig.memory.find(1) == nullptr);
  CHECK(rig.queue->clean());
}

TEST(write_behind, a_callback_may_mark_other_rows_of_its_batch) {
  rig.change_range(1, 4, Lane::Fast);
  rig.when_stored = [&](Rec& r, uint32_t, bool) {
    if (r.id != 1) return;
    rig.change(4, Lane::Fast);
    rig.change(5, Lane::Fast);
  };
  rig.advance(1100);
  LONGS_EQUAL(2, rig.acks(4, true));
  CHECK(rig.stored(4, 2));
  CHECK(rig.stored(5, 1));
}

TEST(write_behind, running_inside_a_callback_does_nothing) {
  rig.change(1, Lane::Fast);
  rig.when_stored = [&](Rec&, uint32_t, bool) {
    rig.change(2, Lane::Fast);
    rig.queue->run(rig.now + 50);
    LONGS_EQUAL(1, rig.faulty.batch_sizes.size());
    rig.when_stored = {};
  };
  rig.advance(1100);
  CHECK(rig.stored(2, 1));
}

TEST(write_behind, destroying_the_queue_touches_no_record) {
  rig.change_range(1, 3, Lane::Bulk);
  rig.recs.clear();
  rig.queue.reset();
}

TEST(write_behind, wake_is_called_only_when_the_time_became_earlier) {
  rig.change(1, Lane::Bulk);
  LONGS_EQUAL(1, rig.wakes);
  rig.change(2, Lane::Bulk);
  LONGS_EQUAL(1, rig.wakes);
  rig.change(3, Lane::Fast);
  LONGS_EQUAL(2, rig.wakes);
  rig.change(4, Lane::Fast);
  LONGS_EQUAL(2, rig.wakes);
}

TEST(write_behind, wake_is_called_when_a_late_batch_leaves_work_behind) {
  rig.faulty.delay_ms = 10;
  rig.faulty.own_event = true;
  rig.change(1, Lane::Fast);
  rig.advance(rig.now);
  CHECK(rig.queue->next_due() == kNever);
  rig.change(1, Lane::Fast);
  int before = rig.wakes;
  rig.now = 1010;
  rig.faulty.run(rig.now);
  CHECK(rig.wakes > before);
}

TEST(write_behind, the_gauges_show_backlog_and_age) {
  rig.change_range(1, 5, Lane::Bulk);
  rig.now += 30;
  rig.change_range(6, 7, Lane::Fast);
  LONGS_EQUAL(7, rig.stats().backlog);
  LONGS_EQUAL(30, rig.stats().oldest_ms);
  rig.advance(1200);
  LONGS_EQUAL(0, rig.stats().backlog);
  LONGS_EQUAL(0, rig.stats().oldest_ms);
  LONGS_EQUAL(7, rig.stats().rows_written);
}

TEST(write_behind, the_age_gauge_knows_rows_that_changed_lanes) {
  rig.change(1, Lane::Bulk);
  rig.now += 90;
  rig.change(2, Lane::Fast);
  rig.change(1, Lane::Fast);
  LONGS_EQUAL(90, rig.stats().oldest_ms);
}

TEST(write_behind, the_longest_flush_is_shown) {
  rig.faulty.delay_ms = 37;
  rig.change(1, Lane::Fast);
  rig.advance(1100);
  LONGS_EQUAL(37, rig.stats().flush_max_ms);
}

TEST(write_behind, flush_writes_everything_now) {
  rig.change_range(1, 1000, Lane::Bulk);
  rig.change_range(1001, 1010, Lane::Fast);
  rig.queue->flush(rig.now);
  rig.advance(rig.now);
  CHECK(rig.queue->clean());
  LONGS_EQUAL(1000, rig.now);
}

TEST(write_behind, flush_of_nothing_hurries_nothing_later) {
  rig.queue->flush(rig.now);
  rig.change(1, Lane::Bulk);
  LONGS_EQUAL(1100, rig.queue->next_due());
}
