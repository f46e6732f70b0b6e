// Flushing: what waited for the store leaves at once, and nobody is told so before it is written.
#include <memory>

#include "store/write_behind.h"
#include "tests/store/queue_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

// What Instance does with one timer: wake -> arm(next_due()); an answer of the store's own socket -> arm(next_due());
// the timer fires -> run, arm(next_due()).
namespace {

struct OwnerRig : StoreSink {
  OwnerRig() {
    faulty.delay_ms = 5;
    faulty.own_event = true;
    queue = std::make_unique<WriteBehind>(faulty, log.log, WriteBehindPolicy{}, [this] { timer = queue->next_due(); });
    queue->attach(this);
  }
  void until(MonoMs to) {
    for (; now < to; now++) {
      if (faulty.under_way()) {
        int before = reports;
        faulty.run(now);                                   // Instance::run_store_callback
        if (reports != before) timer = queue->next_due();
      }
      if (timer <= now) {                                  // Instance::run_store
        timer = kNever;
        queue->run(now);
        timer = queue->next_due();
      }
    }
  }
  RowOp row_of(const StoreHook& h, Row& out) override {
    const Rec& r = static_cast<const Rec&>(h);
    row = std::make_unique<StoredRow>(pua::test::row_of(r.id, r.version, r.body));
    out = row->row();
    return RowOp::Upsert;
  }
  void on_stored(StoreHook&, uint32_t, bool, MonoMs) override { reports++; }
  void on_page(std::span<const Row>, bool, std::string_view, MonoMs) override {}
  void on_found(const Row&, const Row*, int64_t, MonoMs) override {}
  void on_rows_lost(MonoMs) override {}

  MemoryStore memory;
  FaultyStore faulty{memory};
  TestLog log;
  MonoMs now = 1000, timer = kNever;
  int reports = 0;
  std::unique_ptr<StoredRow> row;
  Rec a, b;
  std::unique_ptr<WriteBehind> queue;
};

}  // namespace

TEST_GROUP(WriteBehindFlush) {};

//  both lanes:  fail, store down; first report: try again at R1, the owner is told; second report: not before R2 > R1, and the
//               owner, who looks after each report, sets its timer to R2. The queue goes on thinking that it stands at R1.
//  store is back. Between R1 and R2: flush. Due at once, but later than R1: nobody is woken.
TEST(WriteBehindFlush, a_flush_wakes_the_owner_also_where_an_answer_has_put_the_next_try_off) {
  OwnerRig rig;
  rig.a.id = 1;
  rig.b.id = 2;
  rig.a.version = rig.b.version = 1;
  rig.faulty.down = true;
  rig.queue->mark(rig.a, Lane::Fast, rig.now);
  rig.queue->mark(rig.b, Lane::Bulk, rig.now);
  while (rig.timer - rig.now < 20000) rig.until(rig.now + 1);   // the last try is over, the next one is far away
  rig.until(rig.now + 10);
  MonoMs next = rig.timer;
  rig.faulty.down = false;
  rig.until(next - 100);
  rig.queue->flush(rig.now);
  rig.until(rig.now + 50);
  CHECK(rig.queue->clean());
}

// A flush tries at once, then the back-off of the outage goes on: the next try is 30 s (update_period: up to an hour) away, more
// than a flush or a shutdown waits.
TEST(WriteBehindFlush, a_flush_begins_the_back_off_anew) {
  QueueRig rig;
  rig.faulty.down = true;
  rig.change(1, Lane::Fast);
  rig.advance(200000);
  rig.queue->flush(rig.now);
  rig.advance(rig.now + 200);
  rig.faulty.down = false;       // back a moment after the flush
  rig.advance(rig.now + 2000);
  CHECK(rig.queue->clean());
}

// Row 1 was refused at 1000 and stands behind row 2, which is young: the age gauge does not see row 1, and who has asked for a
// flush at 2000 (Instance::progress_flushes: "oldest < now - asked") is told that all is written.
TEST(WriteBehindFlush, the_age_gauge_knows_a_refused_row_that_was_changed) {
  QueueRig rig;
  rig.faulty.bad_row = [](const Row& r) { return r.id == 1; };
  rig.change(1, Lane::Fast);
  rig.advance(rig.now + 10);
  LONGS_EQUAL(1, rig.stats().set_aside);
  rig.advance(1900);
  rig.now = 1900;
  rig.faulty.down = true;
  rig.change(3, Lane::Fast);
  rig.advance(1901);             // down: what is queued stays
  rig.change(2, Lane::Fast);
  rig.change(1, Lane::Fast);     // leaves the place of those set aside, for the end of the lane
  rig.now = 2500;
  LONGS_EQUAL(2500 - 1000, rig.stats().oldest_ms);
}
