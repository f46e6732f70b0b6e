// What every adapter must do, run against each of them. A new adapter joins by one line in EACH_ADAPTER.
#include <map>
#include <memory>
#include <string>

#include "base/random.h"
#include "store/sqlite_store.h"
#include "tests/store/fixture.h"
#include "tests/store/mysql_fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

struct MemoryMaker {
  TestLog log;
  std::unique_ptr<StoreAdapter> open() { return std::make_unique<MemoryStore>(); }
};

struct SqliteMaker {
  TempDir dir;
  TestLog log;
  std::unique_ptr<StoreAdapter> open() {
    SqliteOptions o;
    o.path = dir.file("pua.db");
    auto s = SqliteStore::open(o, log.log);
    CHECK_TEXT(s.ok(), s ? "" : s.error().message.c_str());
    return std::move(*s);
  }
};

void check_result(WriteResult want, WriteResult got) { LONGS_EQUAL(static_cast<int>(want), static_cast<int>(got)); }

}  // namespace

TEST_GROUP(memory_adapter){};
TEST_GROUP(sqlite_adapter){};
TEST_GROUP(mysql_adapter){};

#define EACH_ADAPTER(behaviour)                                                                             \
  static void behaviour(StoreAdapter& adapter, Caller& caller);                                             \
  TEST(memory_adapter, behaviour) { MemoryMaker m; auto a = m.open(); Caller c(*a); behaviour(*a, c); }     \
  TEST(sqlite_adapter, behaviour) { SqliteMaker m; auto a = m.open(); Caller c(*a); behaviour(*a, c); }     \
  TEST(mysql_adapter, behaviour) {                                                                          \
    if (!MysqlFixture::there()) return;                                                                     \
    MysqlFixture m; auto a = m.open(); CHECK(a != nullptr); Caller c(*a); behaviour(*a, c);                 \
  }                                                                                                         \
  static void behaviour([[maybe_unused]] StoreAdapter& adapter, [[maybe_unused]] Caller& caller)

EACH_ADAPTER(a_new_store_has_no_rows) {
  CHECK(caller.load_all().empty());
  CHECK(caller.last);
}

EACH_ADAPTER(every_column_comes_back) {
  Row r;
  r.id = INT64_MAX - 1;
  r.flag = INT32_MAX, r.event = 256, r.pres_uri = "sip:a@example.com", r.pres_id = "DIALOG_PUBLISH.7", r.watcher_uri = "sip:w@x";
  r.to_uri = "sip:t@x", r.expires = 4102444800, r.desired_expires = 4102444801, r.etag = "e", r.tuple_id = "t", r.call_id = "c";
  r.to_tag = "tt", r.from_tag = "ft", r.cseq = UINT32_MAX, r.record_route = "<sip:rr;lr>", r.contact = "sip:c@x";
  r.remote_contact = "sip:rc@x", r.version = UINT32_MAX - 1, r.extra_headers = "X-A: 1\r\n", r.sharing_tag = "vip", r.body = "b";
  r.content_type = "text/plain", r.outbound_proxy = "sip:p@x", r.event_id = "e-1", r.target = "sip:t@x", r.record_version = UINT32_MAX - 2, r.owner_epoch = INT64_MAX;
  r.node = INT32_MAX, r.updated_at = 1700000000, r.intent = 3, r.intent_expires = 3600;
  StoredRow want(r);
  check_result(WriteResult::Ok, caller.put(want));
  auto rows = caller.load_all();
  LONGS_EQUAL(1, rows.size());
  CHECK(same(want.row(), rows[0].row()));
}

EACH_ADAPTER(an_upsert_replaces_every_column_but_the_key) {
  caller.put(row_of(1, 1));
  StoredRow want = with(row_of(1, 2, ""), [](Row& r) { r.etag = {}, r.intent = 2, r.expires = 5, r.content_type = {}; });
  check_result(WriteResult::Ok, caller.put(want));
  auto rows = caller.load_all();
  LONGS_EQUAL(1, rows.size());
  CHECK(same(want.row(), rows[0].row()));
}

// An owner whose way is the parameter again: the column is as empty as the record's.
EACH_ADAPTER(a_way_that_is_not_named_any_more_is_gone_from_the_row) {
  for (int64_t id : {1, 2})
    caller.put(with(row_of(id, 1), [](Row& r) { r.outbound_proxy = "sip:p@x", r.contact = "sip:c@x", r.target = "sip:t@x"; }));
  check_result(WriteResult::Ok, caller.put(row_of(1, 2)));
  auto rows = caller.load_all();
  LONGS_EQUAL(2, rows.size());
  CHECK(rows[0].row().outbound_proxy.empty() && rows[0].row().contact.empty() && rows[0].row().target.empty());
  CHECK(rows[1].row().outbound_proxy == "sip:p@x");
}

EACH_ADAPTER(odd_strings_come_back_octet_by_octet) {
  using namespace std::string_view_literals;
  const std::string_view odd[] = {
      "nul\0inside"sv, "\0"sv, "four octets \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"sv, "not utf-8 \xff\xfe\xc0\x80"sv, "\r\n\t"sv,
      "'; DROP TABLE pua; --"sv, "\"pua\" WHERE 1=1 %s %n ?1 :a @b $c"sv, "\\'\\\"\\0"sv, "trailing space "sv};
  int64_t id = 0;
  std::vector<StoredRow> want;
  for (std::string_view s : odd) {
    Row r = row_of(++id).row();
    r.pres_uri = r.pres_id = r.watcher_uri = r.to_uri = r.etag = r.tuple_id = r.call_id = r.to_tag = r.from_tag = s;
    r.record_route = r.contact = r.remote_contact = r.extra_headers = r.sharing_tag = r.body = r.content_type = s;
    r.outbound_proxy = s;
    want.emplace_back(r);
    check_result(WriteResult::Ok, caller.put(want.back()));
  }
  auto rows = caller.load_all();
  LONGS_EQUAL(want.size(), rows.size());
  for (size_t i = 0; i < rows.size(); i++) CHECK(same(want[i].row(), rows[i].row()));
}

EACH_ADAPTER(a_body_of_a_megabyte_comes_back) {
  std::string body(1 << 20, '\0');
  for (size_t i = 0; i < body.size(); i++) body[i] = static_cast<char>(i * 31 + (i >> 8));
  caller.put(row_of(1, 1, body));
  caller.put(row_of(2, 1, body));
  auto rows = caller.load_all();
  LONGS_EQUAL(2, rows.size());
  CHECK(rows[0].row().body == body);
  CHECK(rows[1].row().body == body);
}

// What a narrow write makes of a row.
static StoredRow narrowed(const StoredRow& whole, uint32_t version) {
  return with(whole, [&](Row& r) {
    r.etag = "new etag", r.call_id = "new call", r.from_tag = "new tag", r.record_version = version, r.cseq = version + 70;
    r.expires = 1800000000, r.desired_expires = 1800000001, r.updated_at = 1700000000, r.intent = 3, r.intent_expires = 3600;
  });
}

EACH_ADAPTER(a_narrow_write_changes_its_columns_and_no_others) {
  StoredRow first = with(row_of(1, 1), [](Row& r) { r.tuple_id = "t", r.contact = "sip:c@x", r.version = 9, r.extra_headers = "X: 1\r\n"; });
  caller.put(first);
  caller.put(row_of(2, 1));
  StoredRow want = narrowed(first, 2);
  // All of the row is offered; of the rest nothing is taken.
  check_result(WriteResult::Ok, caller.narrow(with(want, [](Row& r) { r.body = "no", r.tuple_id = "no", r.version = 10, r.contact = {}; })));
  for (int worked = 0; worked < 2; worked++) {
    auto rows = caller.load_all();
    LONGS_EQUAL(2, rows.size());
    CHECK(same(want.row(), rows[0].row()));
    CHECK(same(row_of(2, 1).row(), rows[1].row()));
    caller.find(first.row());
    CHECK(caller.found != nullptr && same(want.row(), caller.found->row()));
    caller.work();
  }
  LONGS_EQUAL(0, adapter.journal());
  LONGS_EQUAL(0, caller.rows_missing);
}

EACH_ADAPTER(a_narrow_write_can_empty_a_column) {
  caller.put(row_of(1, 1));
  StoredRow want = with(row_of(1, 2), [](Row& r) { r.etag = {}, r.expires = 0; });
  check_result(WriteResult::Ok, caller.narrow(want));
  caller.work();
  CHECK(same(want.row(), caller.load_all()[0].row()));
}

EACH_ADAPTER(odd_strings_of_a_narrow_write_come_back_octet_by_octet) {
  using namespace std::string_view_literals;
  int64_t id = 0;
  std::vector<StoredRow> want;
  for (std::string_view s : {"nul\0inside"sv, "\0"sv, "not utf-8 \xff\xfe\xc0\x80"sv, "\r\n\t"sv, "'; DROP TABLE pua; --"sv, "\\'\\\"\\0"sv, "blank "sv}) {
    caller.put(row_of(++id, 1));
    want.push_back(with(row_of(id, 2), [&](Row& r) { r.etag = r.call_id = r.from_tag = s; }));
    check_result(WriteResult::Ok, caller.narrow(want.back()));
  }
  for (int worked = 0; worked < 2; worked++) {
    auto rows = caller.load_all();
    LONGS_EQUAL(want.size(), rows.size());
    for (size_t i = 0; i < rows.size(); i++) CHECK(same(want[i].row(), rows[i].row()));
    caller.work();
  }
}

EACH_ADAPTER(a_narrow_write_makes_no_row) {
  caller.put(row_of(1, 1));
  WriteResult r = caller.narrow(row_of(7, 1));
  LONGS_EQUAL(1, caller.load_all().size());
  caller.work();
  LONGS_EQUAL(1, caller.load_all().size());
  // Told at once, or when it is found out.
  CHECK(r == WriteResult::WantsWhole || (r == WriteResult::Ok && caller.rows_missing == 1));
}

EACH_ADAPTER(an_older_narrow_write_changes_nothing) {
  caller.put(row_of(1, 5));
  WriteResult r = caller.narrow(row_of(1, 4));
  for (int worked = 0; worked < 2; worked++) {
    STRCMP_EQUAL("etag-1-5", std::string(caller.load_all()[0].row().etag).c_str());
    caller.work();
  }
  CHECK(r == WriteResult::RefusedNewer || (r == WriteResult::Ok && adapter.immediate()));
  LONGS_EQUAL(0, caller.rows_missing);
}

EACH_ADAPTER(a_whole_row_makes_the_narrow_writes_before_it_void) {
  caller.put(row_of(1, 1));
  caller.narrow(row_of(1, 2));
  caller.narrow(row_of(1, 3));
  check_result(WriteResult::Ok, caller.put(row_of(1, 4, "new body")));
  for (int worked = 0; worked < 2; worked++) {
    CHECK(same(row_of(1, 4, "new body").row(), caller.load_all()[0].row()));
    caller.work();
  }
  caller.narrow(row_of(1, 5));
  CHECK(same(row_of(1, 5, "new body").row(), caller.load_all()[0].row()));
}

EACH_ADAPTER(what_was_narrowly_written_is_not_back_after_a_delete) {
  caller.put(row_of(1, 1));
  caller.narrow(row_of(1, 2));
  check_result(WriteResult::Ok, caller.drop(row_of(1, 3)));
  for (int worked = 0; worked < 2; worked++) {
    CHECK(caller.load_all().empty());
    caller.find(row_of(1).row());
    CHECK(caller.found == nullptr);
    caller.work();
  }
  LONGS_EQUAL(0, caller.rows_missing);   // we know why it is not there
}

EACH_ADAPTER(a_row_that_is_made_again_under_its_id_takes_nothing_from_before) {
  caller.put(row_of(1, 1));
  caller.narrow(row_of(1, 2));
  caller.drop(row_of(1, 3));
  StoredRow again = with(row_of(1, 4), [](Row& r) { r.etag = {}; });
  check_result(WriteResult::Ok, caller.put(again));
  caller.work();
  CHECK(same(again.row(), caller.load_all()[0].row()));
}

EACH_ADAPTER(a_batch_may_hold_writes_of_each_kind) {
  for (int64_t id : {1, 2, 3, 4}) caller.put(row_of(id, 1));
  Caller::Batch b;
  b.rows.emplace_back(RowOp::Narrow, row_of(1, 2, "x"));
  b.rows.emplace_back(RowOp::Upsert, row_of(2, 2, "new"));
  b.rows.emplace_back(RowOp::Delete, row_of(3, 2));
  b.rows.emplace_back(RowOp::Narrow, row_of(4, 2, "x"));
  b.rows.emplace_back(RowOp::Narrow, row_of(1, 3, "x"));
  b.rows.emplace_back(RowOp::Delete, row_of(4, 3));
  b.rows.emplace_back(RowOp::Narrow, row_of(2, 3, "x"));
  caller.write_all(b);
  LONGS_EQUAL(7, caller.results.size());
  for (WriteResult r : caller.results) check_result(WriteResult::Ok, r);
  for (int worked = 0; worked < 2; worked++) {
    auto rows = caller.load_all();
    LONGS_EQUAL(2, rows.size());
    CHECK(same(row_of(1, 3).row(), rows[0].row()));
    CHECK(same(row_of(2, 3, "new").row(), rows[1].row()));
    caller.work();
  }
}

EACH_ADAPTER(writes_of_every_kind_in_any_order_come_to_what_the_last_ones_say) {
  Random random(4711);
  std::map<int64_t, StoredRow> want;
  std::map<int64_t, uint32_t> versions;
  for (int round = 0; round < 60; round++) {
    Caller::Batch b;
    for (int n = 0; n < 20; n++) {
      int64_t id = 1 + static_cast<int64_t>(random.below(30));
      uint32_t version = ++versions[id];
      auto at = want.find(id);
      uint64_t what = random.below(10);
      if (at == want.end() || what < 2) {
        StoredRow row = row_of(id, version, "body " + std::to_string(version));
        b.rows.emplace_back(RowOp::Upsert, row);
        want.insert_or_assign(id, row);
      } else if (what == 2) {
        b.rows.emplace_back(RowOp::Delete, row_of(id, version));
        want.erase(id);
      } else {
        b.rows.emplace_back(RowOp::Narrow, row_of(id, version, "not taken"));
        at->second = row_of(id, version, at->second.row().body);
      }
    }
    for (WriteResult r : caller.write_all(b)) check_result(WriteResult::Ok, r);
    caller.work(static_cast<int>(random.below(4)));
    auto rows = caller.load_all(7);
    LONGS_EQUAL(want.size(), rows.size());
    size_t i = 0;
    for (auto& [id, row] : want) CHECK(same(row.row(), rows[i++].row()));
  }
  LONGS_EQUAL(0, caller.rows_missing);
}

EACH_ADAPTER(an_older_version_never_overwrites_a_newer_one) {
  caller.put(row_of(1, 5));
  check_result(WriteResult::RefusedNewer, caller.put(row_of(1, 4)));
  STRCMP_EQUAL("etag-1-5", std::string(caller.load_all()[0].row().etag).c_str());
}

EACH_ADAPTER(the_same_version_may_be_written_again) {
  caller.put(row_of(1, 5));
  check_result(WriteResult::Ok, caller.put(row_of(1, 5, "again")));
  STRCMP_EQUAL("again", std::string(caller.load_all()[0].row().body).c_str());
}

EACH_ADAPTER(epoch_counts_more_than_version_and_version_more_than_node) {
  auto at = [](int64_t epoch, uint32_t version, int32_t node) {
    return with(row_of(1, version), [&](Row& r) { r.owner_epoch = epoch, r.node = node; });
  };
  caller.put(at(2, 5, 5));
  check_result(WriteResult::RefusedNewer, caller.put(at(1, 9, 9)));
  check_result(WriteResult::RefusedNewer, caller.put(at(2, 4, 9)));
  check_result(WriteResult::RefusedNewer, caller.put(at(2, 5, 4)));
  check_result(WriteResult::Ok, caller.put(at(2, 5, 6)));
  check_result(WriteResult::Ok, caller.put(at(2, 6, 1)));
  check_result(WriteResult::Ok, caller.put(at(3, 1, 1)));
}

EACH_ADAPTER(a_delete_removes_the_row_with_that_id_only) {
  for (int64_t id : {1, 2, 3}) caller.put(row_of(id));
  check_result(WriteResult::Ok, caller.drop(row_of(2, 2)));
  auto rows = caller.load_all();
  LONGS_EQUAL(2, rows.size());
  LONGS_EQUAL(1, rows[0].row().id);
  LONGS_EQUAL(3, rows[1].row().id);
}

EACH_ADAPTER(a_delete_of_what_is_not_there_is_fine) { check_result(WriteResult::Ok, caller.drop(row_of(9))); }

EACH_ADAPTER(an_older_delete_leaves_a_newer_row) {
  caller.put(row_of(1, 5));
  check_result(WriteResult::RefusedNewer, caller.drop(row_of(1, 4)));
  LONGS_EQUAL(1, caller.load_all().size());
}

EACH_ADAPTER(the_key_stays_unique_and_the_later_id_wins) {
  auto id = [](int64_t i, uint32_t v) { return with(row_of(1, v), [&](Row& r) { r.id = i; }); };
  caller.put(id(7, 90));
  check_result(WriteResult::Ok, caller.put(id(8, 1)));             // a new record in the place of one that ended
  check_result(WriteResult::RefusedNewer, caller.put(id(7, 91)));  // the ended one must not come back
  check_result(WriteResult::Ok, caller.drop(id(7, 92)));           // and its delete hits nobody else
  auto rows = caller.load_all();
  LONGS_EQUAL(1, rows.size());
  LONGS_EQUAL(8, rows[0].row().id);
}

EACH_ADAPTER(a_key_differs_by_each_of_its_six_parts) {
  auto other = [](int64_t i, auto change) { return with(row_of(1), [&](Row& r) { r.id = i, change(r); }); };
  caller.put(row_of(1));
  caller.put(other(2, [](Row& r) { r.pres_uri = "sip:USER1@example.com"; }));  // case counts
  caller.put(other(3, [](Row& r) { r.event = 2; }));
  caller.put(other(4, [](Row& r) { r.flag = 2; }));
  caller.put(other(5, [](Row& r) { r.pres_id = "x"; }));
  caller.put(other(6, [](Row& r) { r.watcher_uri = "x"; }));
  caller.put(other(7, [](Row& r) { r.to_uri = "x"; }));
  caller.put(other(8, [](Row& r) { r.pres_id = "x "; }));  // so does a space at the end
  LONGS_EQUAL(8, caller.load_all().size());
}

EACH_ADAPTER(a_freed_key_can_be_taken_by_an_older_id) {
  auto id = [](int64_t i) { return with(row_of(1), [&](Row& r) { r.id = i; }); };
  caller.put(id(8));
  caller.drop(id(8));
  check_result(WriteResult::Ok, caller.put(id(7)));
}

EACH_ADAPTER(a_batch_of_writes_and_deletes_keeps_its_order) {
  Caller::Batch b;
  b.rows.emplace_back(RowOp::Upsert, row_of(1, 1));
  b.rows.emplace_back(RowOp::Upsert, row_of(2, 1));
  b.rows.emplace_back(RowOp::Delete, row_of(1, 2));
  b.rows.emplace_back(RowOp::Upsert, row_of(2, 2));
  caller.write_all(b);
  LONGS_EQUAL(4, caller.results.size());
  for (WriteResult r : caller.results) check_result(WriteResult::Ok, r);
  auto rows = caller.load_all();
  LONGS_EQUAL(1, rows.size());
  LONGS_EQUAL(2, rows[0].row().record_version);
}

EACH_ADAPTER(a_refused_row_does_not_harm_its_batch) {
  caller.put(row_of(2, 9));
  Caller::Batch b;
  for (int64_t id : {1, 2, 3}) b.rows.emplace_back(RowOp::Upsert, row_of(id, 1));
  caller.write(b);
  check_result(WriteResult::Ok, caller.results[0]);
  check_result(WriteResult::RefusedNewer, caller.results[1]);
  check_result(WriteResult::Ok, caller.results[2]);
  CHECK_FALSE(caller.down);
  LONGS_EQUAL(3, caller.load_all().size());
}

EACH_ADAPTER(pages_come_in_the_order_of_id_and_say_which_is_the_last) {
  for (int64_t id : {5, 3, 9, 1, 7}) caller.put(row_of(id));
  auto rows = caller.load_all(2);
  LONGS_EQUAL(5, rows.size());
  for (size_t i = 0; i < 5; i++) LONGS_EQUAL(1 + 2 * static_cast<int>(i), rows[i].row().id);
  caller.load(9, 2);
  CHECK(caller.last);
  CHECK(caller.page.empty());
}

EACH_ADAPTER(rows_that_change_while_pages_are_read_come_once_and_as_they_are) {
  for (int64_t id = 1; id <= 20; id++) caller.put(row_of(id, 1));
  int step = 0;
  auto rows = caller.load_all(5, [&] {
    if (step++ != 0) return;
    auto page = caller.page;       // the calls below do not touch it, but the next page will
    bool last = caller.last;
    caller.put(row_of(2, 2));      // behind the cursor
    caller.put(row_of(15, 2));     // ahead of it
    caller.drop(row_of(16, 2));    // ahead, goes away
    caller.put(row_of(21, 1));     // new
    caller.page = page, caller.last = last;
  });
  LONGS_EQUAL(20, rows.size());  // 20 - 1 + 1
  for (size_t i = 0; i < rows.size(); i++) {
    const Row& r = rows[i].row();
    LONGS_EQUAL(i < 15 ? i + 1 : i + 2, r.id);
    LONGS_EQUAL(r.id == 15 ? 2 : 1, r.record_version);
  }
}

EACH_ADAPTER(a_row_is_found_by_its_whole_key) {
  caller.find(row_of(1).row());
  CHECK(caller.found == nullptr);
  LONGLONGS_EQUAL(0, caller.top);
  std::string odd("it's \0 \\ \xff ", 10);
  StoredRow want = with(row_of(7, 3), [&](Row& r) { r.pres_id = odd, r.watcher_uri = "sip:w@x", r.to_uri = "sip:t@x", r.event = 8; });
  caller.put(row_of(5));
  caller.put(want);
  caller.put(with(row_of(9), [](Row& r) { r.id = kMaxRowId + 5; }));  // damage: no new id counts on from it
  caller.find(want.row());
  CHECK(caller.found != nullptr && same(want.row(), caller.found->row()));
  LONGLONGS_EQUAL(7, caller.top);
  auto missed = [&](auto change) {
    caller.find(with(want, change).row());
    CHECK(caller.found == nullptr);
    CHECK(caller.error.empty());
  };
  missed([](Row& r) { r.pres_uri = "sip:USER7@example.com"; });
  missed([](Row& r) { r.pres_id = "x"; });
  missed([](Row& r) { r.watcher_uri = {}; });
  missed([](Row& r) { r.to_uri = {}; });
  missed([](Row& r) { r.event = 1; });
  missed([](Row& r) { r.flag = 1; });
}

EACH_ADAPTER(meta_values_are_kept_octet_by_octet) {
  STRCMP_EQUAL("", adapter.get_meta("clock")->c_str());
  std::string v("a\0b\xff'", 5);
  CHECK(adapter.set_meta("clock", v).ok());
  CHECK(adapter.set_meta("it's", "").ok());
  CHECK(*adapter.get_meta("clock") == v);
  CHECK(adapter.set_meta("clock", "new").ok());
  STRCMP_EQUAL("new", adapter.get_meta("clock")->c_str());
}

EACH_ADAPTER(an_empty_batch_is_answered) {
  Caller::Batch b;
  caller.write(b);
  LONGS_EQUAL(1, caller.reports);
  LONGS_EQUAL(0, caller.results.size());
}
