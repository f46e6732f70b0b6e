// Write-behind queue: which writes may be narrow (RowOp), and what makes the next one a whole row again.
#include <string>

#include "tests/store/queue_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(write_behind_narrow) {
  QueueRig rig;
  void setup() override { rig.rec(1).narrow = true; }
  // What went to the store since it was last asked, with everything that follows from a change of row 1.
  std::string after_a_change(Lane lane = Lane::Fast, MonoMs ms = 500) {
    rig.faulty.kinds.clear();
    rig.change(1, lane);
    rig.advance(rig.now + ms);
    return rig.faulty.kinds;
  }
};

TEST(write_behind_narrow, the_first_row_is_whole_and_the_next_ones_are_not) {
  STRCMP_EQUAL("whole", after_a_change().c_str());
  STRCMP_EQUAL("narrow", after_a_change().c_str());
  STRCMP_EQUAL("narrow", after_a_change(Lane::Bulk).c_str());
  CHECK(rig.stored(1, 3));
  LONGS_EQUAL(3, rig.acks(1, true));
  LONGS_EQUAL(3, rig.stats().rows_written);
}

TEST(write_behind_narrow, what_the_engine_calls_whole_is) {
  after_a_change();
  rig.rec(1).whole = true;
  STRCMP_EQUAL("whole", after_a_change().c_str());
  CHECK_FALSE(rig.rec(1).whole);
}

TEST(write_behind_narrow, a_whole_row_that_was_not_committed_is_whole_again) {
  rig.faulty.fail_writes = 2;
  STRCMP_EQUAL("whole whole whole", after_a_change(Lane::Fast, 5000).c_str());
  STRCMP_EQUAL("narrow", after_a_change().c_str());
}

TEST(write_behind_narrow, a_whole_row_whose_answer_was_lost_is_whole_again) {
  rig.faulty.lose_acks = 1;
  STRCMP_EQUAL("whole whole", after_a_change(Lane::Fast, 5000).c_str());
}

TEST(write_behind_narrow, a_narrow_write_that_failed_is_repeated_as_it_is) {
  after_a_change();
  rig.faulty.fail_writes = 1;
  STRCMP_EQUAL("narrow narrow", after_a_change(Lane::Fast, 5000).c_str());
  CHECK(rig.stored(1, 2));
}

TEST(write_behind_narrow, what_was_deferred_was_not_written) {
  rig.rec(2).narrow = true;
  rig.faulty.rows_a_turn = 1;
  rig.change_range(1, 2, Lane::Fast);
  rig.advance(rig.now + 100);
  STRCMP_EQUAL("whole whole", rig.faulty.kinds.c_str());
}

TEST(write_behind_narrow, a_change_while_the_row_is_under_way_counts_for_the_next_one) {
  rig.faulty.delay_ms = 20;
  rig.change(1, Lane::Fast);
  rig.advance(rig.now + 5);
  CHECK(rig.faulty.under_way());
  rig.rec(1).whole = true;
  rig.change(1, Lane::Fast);
  rig.advance(rig.now + 200);
  STRCMP_EQUAL("whole whole", rig.faulty.kinds.c_str());
}

TEST(write_behind_narrow, behind_a_delete_there_is_nothing_to_change) {
  after_a_change();
  rig.when_stored = [](Rec&, uint32_t, bool) {};   // the record stays
  rig.rec(1).gone = true;
  STRCMP_EQUAL("delete", after_a_change().c_str());
  rig.rec(1).gone = false;
  STRCMP_EQUAL("whole", after_a_change().c_str());
}

TEST(write_behind_narrow, a_delete_whose_answer_was_lost_may_have_happened) {
  after_a_change();
  rig.when_stored = [](Rec&, uint32_t, bool) {};
  rig.faulty.lose_acks = 1;
  rig.rec(1).gone = true;
  rig.faulty.kinds.clear();
  rig.change(1, Lane::Fast);
  rig.advance(rig.now + 50);
  rig.rec(1).gone = false;   // wanted again before the delete is repeated
  rig.change(1, Lane::Fast);
  rig.advance(rig.now + 5000);
  STRCMP_EQUAL("delete whole", rig.faulty.kinds.c_str());
  CHECK(rig.stored(1, 3));
}

TEST(write_behind_narrow, a_row_that_is_not_there_is_written_as_a_whole_at_once_and_nobody_is_told_of_a_failure) {
  after_a_change();
  rig.memory.clear();
  rig.calls.clear();
  STRCMP_EQUAL("narrow whole", after_a_change(Lane::Fast, 10).c_str());
  CHECK(rig.stored(1, 2));
  LONGS_EQUAL(0, rig.acks(1, false));
  LONGS_EQUAL(1, rig.acks(1, true));
  LONGS_EQUAL(0, rig.stats().errors);
}

TEST(write_behind_narrow, a_narrow_write_that_was_refused_on_its_own_goes_as_a_whole) {
  after_a_change();
  rig.faulty.bad_row = [](const Row&) { return true; };
  after_a_change(Lane::Fast, 100);
  rig.faulty.bad_row = nullptr;
  rig.faulty.kinds.clear();
  rig.advance(rig.now + 5000);
  STRCMP_EQUAL("whole", rig.faulty.kinds.c_str());
  CHECK(rig.stored(1, 2));
}

// The table may be an older copy of itself: what is not in a narrow write would be old for ever.
TEST(write_behind_narrow, where_rows_may_be_lost_all_are_whole_from_the_next_write_on) {
  after_a_change();
  rig.rec(2).narrow = true;
  rig.change(2, Lane::Fast);
  rig.advance(rig.now + 10);
  rig.faulty.down = rig.faulty.table_lost = true;
  after_a_change(Lane::Fast, 50);
  rig.faulty.down = false;
  rig.change(2, Lane::Fast);
  rig.faulty.kinds.clear();
  rig.advance(rig.now + 2000);
  STRCMP_EQUAL("whole whole", rig.faulty.kinds.c_str());
  LONGS_EQUAL(1, rig.rows_lost);
}

namespace {

// An adapter that has something to do before it can read, and finds rows missing.
struct Busy : MemoryStore {
  bool ready = false, find_missing = false;
  MonoMs next_due() const override { return ready && !find_missing ? kNever : 5; }
  bool readable() const override { return ready; }
  size_t journal() const override { return 7; }
  void run(MonoMs now) override {
    ready = true;
    if (std::exchange(find_missing, false)) sink_->on_rows_missing(now);
  }
};

}  // namespace

TEST(write_behind_narrow, rows_are_read_when_the_adapter_is_ready_for_it) {
  Busy store;
  WriteBehind queue(store, rig.log.log, {}, [] {});
  queue.attach(&rig);
  queue.load(0, 10);
  queue.find(row_of(1).row());
  queue.run(1);
  LONGS_EQUAL(0, rig.pages.size());
  LONGS_EQUAL(5, queue.next_due());
  queue.run(5);
  for (int i = 0; i < 4; i++) queue.run(6);
  LONGS_EQUAL(1, rig.pages.size());
  LONGS_EQUAL(1, rig.found.size());
  LONGS_EQUAL(7, queue.stats(6).journal);
}

TEST(write_behind_narrow, rows_that_the_adapter_misses_are_told_as_lost) {
  Busy store;
  WriteBehind queue(store, rig.log.log, {}, [] {});
  queue.attach(&rig);
  store.find_missing = true;
  queue.run(5);
  LONGS_EQUAL(1, rig.rows_lost);
  LONGS_EQUAL(1, queue.stats(6).errors);
}
