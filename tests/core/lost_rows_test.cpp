// After rows were lost, or older ones were brought back: the table is made equal to the records, removals included, and rows
// that belong to others stay.
#include <string>

#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(LostRows) {
  SubsRig rig;

  void lost() {
    static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
    rig.advance(2 * kSecond);
    CHECK_FALSE(rig.engine->rewriting());
  }
  void publish(const std::string& uri, int32_t event = kPresence) {
    rig.Rig::ask({.uri = uri, .expires = 600, .body = "b1", .event = event});
    rig.settle();
    rig.ok("e-" + uri, 600);
    rig.advance(kSecond);
  }
  void remove(const std::string& uri) {
    rig.Rig::ask({.uri = uri, .expires = 0});
    rig.settle();
    rig.ok("", 0);
    rig.advance(kSecond);
  }
  std::string table() {
    std::string out;
    for (const StoredRow& r : rig.rows())
      out += (out.empty() ? "" : ", ") + std::string(r.row().pres_uri) + " " + (r.row().watcher_uri.empty() ? std::string(r.row().etag) : "watched");
    return out;
  }
  void bring_back(const std::vector<StoredRow>& copy) {
    rig.disk.clear();
    for (const StoredRow& r : copy) rig.insert(r.row());
  }
};

TEST(LostRows, what_was_removed_since_the_copy_goes_again_and_what_was_changed_is_there) {
  publish("sip:a@x.org");
  publish("sip:b@x.org");
  auto copy = rig.rows();
  remove("sip:a@x.org");
  publish("sip:c@x.org");
  rig.Rig::ask({.uri = "sip:b@x.org", .expires = 600, .body = "b2"});
  rig.settle();
  rig.ok("e2", 600);
  rig.advance(kSecond);
  std::string before = table();
  TEXT_EQUAL("sip:b@x.org e2, sip:c@x.org e-sip:c@x.org", before);
  bring_back(copy);
  lost();
  TEXT_EQUAL(before, table());
  LONGS_EQUAL(1, rig.stats().tables_lost);
  CHECK(rig.logged(LogLevel::notice, "1 rows of the table that no record stands for are removed"));
  rig.restart();
  LONGS_EQUAL(2, rig.engine->records());
}

TEST(LostRows, a_key_that_was_published_anew_since_has_its_new_row) {
  publish("sip:a@x.org");
  auto copy = rig.rows();
  remove("sip:a@x.org");
  publish("sip:a@x.org");
  auto now = rig.rows();
  bring_back(copy);
  lost();
  LONGS_EQUAL(1, rig.rows().size());
  LONGLONGS_EQUAL(now[0].row().id, rig.rows()[0].row().id);
}

TEST(LostRows, subscriptions_alike) {
  rig.live();
  auto copy = rig.rows();
  LONGS_EQUAL(1, copy.size());
  rig.unsubscribe();
  rig.accept(0);
  rig.end();
  rig.advance(kSecond);
  LONGS_EQUAL(0, rig.rows().size());
  bring_back(copy);
  lost();
  LONGS_EQUAL(0, rig.rows().size());
  rig.live({.uri = "sip:c@x.org"});
  auto with = rig.rows();
  rig.disk.clear();
  lost();
  LONGS_EQUAL(1, rig.rows().size());
  CHECK(rig.rows()[0].row().watcher_uri == with[0].row().watcher_uri);
}

TEST(LostRows, rows_of_others_stay) {
  publish("sip:a@x.org");
  StoredRow ours(rig.rows()[0].row());
  auto insert = [&](int64_t id, const char* uri, auto change) {
    Row other = ours.row();
    other.id = id;
    other.pres_uri = uri;
    other.etag = "x";
    change(other);
    rig.insert(other);
  };
  insert(101, "sip:tag@x.org", [](Row& o) { o.sharing_tag = "vip"; });
  insert(102, "sip:node@x.org", [](Row& o) { o.node = 2; });
  insert(103, "sip:epoch@x.org", [](Row& o) { o.owner_epoch = 1; });
  insert(104, "sip:event@x.org", [](Row& o) { o.event = 1 << 20; });    // of a package that may be registered later
  insert(105, "not a uri", [](Row&) {});                                 // not readable
  insert(106, "sip:stray@x.org", [](Row&) {});
  lost();
  TEXT_EQUAL("sip:tag@x.org x, sip:node@x.org x, sip:epoch@x.org x, sip:event@x.org x, not a uri x, sip:a@x.org e-sip:a@x.org", table());
}

TEST(LostRows, a_newer_version_of_a_record_is_outdone) {
  publish("sip:a@x.org");
  StoredRow kept(rig.rows()[0].row());
  Row newer = kept.row();
  newer.record_version += 50;
  newer.etag = "of-another-life";
  rig.insert(newer);
  lost();
  TEXT_EQUAL("sip:a@x.org e-sip:a@x.org", table());
  rig.Rig::ask({.uri = "sip:a@x.org", .expires = 600, .body = "b2"});
  rig.settle();
  rig.ok("e2", 600);
  rig.advance(kSecond);
  TEXT_EQUAL("sip:a@x.org e2", table());
}

TEST(LostRows, many_strays_go_page_by_page) {
  publish("sip:a@x.org");
  StoredRow ours(rig.rows()[0].row());
  for (int64_t id = 1001; id <= 6000; id++) {
    std::string uri = "sip:s" + std::to_string(id) + "@x.org";
    Row r = ours.row();
    r.id = id;
    r.pres_uri = uri;
    rig.insert(r);
  }
  static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
  rig.advance(20 * kSecond);
  CHECK_FALSE(rig.engine->rewriting());
  LONGS_EQUAL(1, rig.rows().size());
  CHECK(rig.logged(LogLevel::notice, "5000 rows"));
}

TEST(LostRows, an_event_registered_meanwhile_is_loaded_and_its_rows_stay) {
  publish("sip:a@x.org");
  publish("sip:d@x.org", kDialog);
  EventInfo dialog = rig.events[kDialog];
  rig.events.erase(kDialog);
  rig.restart();
  LONGS_EQUAL(1, rig.engine->records());
  static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
  rig.events[kDialog] = dialog;
  rig.engine->event_added(kDialog);
  rig.advance(2 * kSecond);
  LONGS_EQUAL(2, rig.engine->records());
  LONGS_EQUAL(2, rig.rows().size());
}

TEST(LostRows, lost_once_more_while_the_table_is_looked_through) {
  publish("sip:a@x.org");
  StoredRow ours(rig.rows()[0].row());
  rig.store->delay_ms = 500;
  static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
  rig.advance(200);
  Row stray = ours.row();
  stray.id = 5000;
  stray.pres_uri = "sip:z@x.org";
  static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
  rig.insert(stray);
  rig.advance(10 * kSecond);
  CHECK_FALSE(rig.engine->rewriting());
  LONGS_EQUAL(1, rig.rows().size());
}

//   engine                          store
//     |-- load ----------------------->|
//     |<-- rows are lost --------------|   all records are written again: there are none so far
//     |<-- the page -------------------|   it was read before
TEST(LostRows, what_a_page_that_was_read_before_the_loss_brings_is_written_too_of_either_kind) {
  publish("sip:a@x.org");
  rig.live({.uri = "sip:c@x.org"});
  rig.advance(kSecond);
  auto page = rig.rows();
  LONGS_EQUAL(2, page.size());
  for (bool walk_is_over : {false, true}) {
    rig.kill();
    rig.loads_to_fail = 1000000;
    rig.boot();
    rig.disk.clear();
    static_cast<StoreSink&>(*rig.engine).on_rows_lost(rig.now);
    if (walk_is_over) rig.advance(kSecond);
    std::vector<Row> rows;
    for (const StoredRow& r : page) rows.push_back(r.row());
    rig.engine->on_page(rows, true, {}, rig.now);
    rig.advance(kSecond);
    LONGS_EQUAL(2, rig.engine->stats().records + rig.engine->stats().subscriptions);
    TEXT_EQUAL("sip:a@x.org e-sip:a@x.org, sip:c@x.org watched", table());
  }
}

TEST(LostRows, where_the_store_keeps_nothing_nothing_is_durable) {
  rig.store->keeps = false;
  rig.Rig::ask({.uri = "sip:a@x.org", .expires = 600, .body = "b1"});
  rig.settle();
  rig.ok("e1", 600);
  rig.advance(kSecond);
  LONGS_EQUAL(1, rig.completions);
  CHECK_FALSE(rig.calls.back().durable);
  LONGS_EQUAL(0, rig.stats().completed_not_durable);   // a store that keeps nothing is no fault to be counted
  remove("sip:a@x.org");
  CHECK_FALSE(rig.calls.back().durable);
}
