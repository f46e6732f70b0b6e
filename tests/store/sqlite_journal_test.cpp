// SQLite's journal: when it is folded, what a crash at each moment leaves, and what happens where it cannot be folded.
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/random.h"
#include "store/sqlite_store.h"
#include "tests/store/fixture.h"
#include "tests/support/adapter_sides.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(sqlite_journal) {
  TempDir dir;
  TestLog log;
  JournalLimits limits;
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<Caller> caller;

  SqliteOptions options(const std::string& file) {
    SqliteOptions o;
    o.path = file;
    o.journal = limits;
    return o;
  }
  void open(const std::string& file = "pua.db") {
    close();
    auto s = SqliteStore::open(options(dir.file(file)), log.log);
    CHECK_TEXT(s.ok(), s ? "" : s.error().message.c_str());
    store = std::move(*s);
    caller = std::make_unique<Caller>(*store);
  }
  void close() {
    caller.reset();
    store.reset();
  }
  void teardown() override { close(); }
  // As after a SIGKILL: the files as they are now, under another name.
  std::string crashed(int n) {
    std::string name = "crash" + std::to_string(n) + ".db";
    for (const char* end : {"", "-wal"}) {
      std::error_code none;
      std::filesystem::copy_file(dir.file("pua.db" + std::string(end)), dir.file(name + end), std::filesystem::copy_options::overwrite_existing, none);
    }
    return name;
  }
  int64_t number(const std::string& sql) {
    sqlite3_stmt* st = nullptr;
    sqlite3_prepare_v2(store->handle(), sql.c_str(), -1, &st, nullptr);
    int64_t n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
    sqlite3_finalize(st);
    return n;
  }
  int exec(const std::string& sql) { return sqlite3_exec(store->handle(), sql.c_str(), nullptr, nullptr, nullptr); }
  int64_t lines() { return number("SELECT count(*) FROM pua_journal"); }
  int64_t version_in_table(int64_t id) { return number("SELECT record_version FROM pua WHERE id=" + std::to_string(id)); }
  // Rows 1 to n, each narrowly written once.
  void fill(int64_t n) {
    for (uint32_t version : {1u, 2u}) {
      Caller::Batch b;
      for (int64_t id = 1; id <= n; id++) b.rows.emplace_back(version == 1 ? RowOp::Upsert : RowOp::Narrow, row_of(id, version));
      caller->write_all(b);
    }
  }
  void all_rows_have(uint32_t version, size_t n) {
    auto rows = caller->load_all();
    LONGS_EQUAL(n, rows.size());
    for (const StoredRow& r : rows) CHECK(same(row_of(r.row().id, version).row(), r.row()));
  }
};

TEST(sqlite_journal, a_narrow_write_is_a_line_until_it_is_folded) {
  open();
  fill(3);
  LONGS_EQUAL(3, lines());
  LONGS_EQUAL(3, store->journal());
  LONGS_EQUAL(1, version_in_table(2));
  caller->work();
  LONGS_EQUAL(0, lines());
  LONGS_EQUAL(0, store->journal());
  LONGS_EQUAL(2, version_in_table(2));
  CHECK(store->next_due() >= 1000);     // idle: a look at the file once a second
}

TEST(sqlite_journal, it_is_folded_when_nothing_was_written_for_a_while) {
  open();
  fill(1);   // at 0
  LONGS_EQUAL(limits.quiet_ms, store->next_due());
}

TEST(sqlite_journal, it_is_folded_after_a_time_also_where_writing_never_ends) {
  KeepingSink sink;
  open();
  fill(1);
  caller.reset();
  store->attach(&sink);
  for (MonoMs now = 500; now < limits.age_ms; now += 500) {
    CHECK(store->next_due() > now);
    Caller::Batch b;
    b.rows.emplace_back(RowOp::Narrow, row_of(1, static_cast<uint32_t>(now)));
    store->write(Lane::Bulk, b, now);
  }
  LONGS_EQUAL(limits.age_ms, store->next_due());
}

TEST(sqlite_journal, it_is_folded_at_once_when_it_holds_so_many_lines) {
  limits.lines = 100;
  open();
  fill(99);
  CHECK(store->next_due() > 0);
  caller->narrow(row_of(1, 3));
  LONGS_EQUAL(0, store->next_due());
}

TEST(sqlite_journal, beyond_four_times_that_rows_are_whole_until_there_is_room) {
  limits.lines = 10;
  open();
  fill(50);
  LONGS_EQUAL(40, lines());
  LONGS_EQUAL(1, version_in_table(40));
  LONGS_EQUAL(2, version_in_table(41));   // written as a whole
  all_rows_have(2, 50);
  caller->work();
  all_rows_have(2, 50);
  caller->narrow(row_of(1, 3));
  LONGS_EQUAL(1, lines());
}

TEST(sqlite_journal, without_a_journal_all_rows_are_whole) {
  limits.lines = 0;
  open();
  fill(2);
  LONGS_EQUAL(0, lines());
  LONGS_EQUAL(2, version_in_table(1));
  limits = {};
  open();
  caller->narrow(row_of(1, 3));
  limits.lines = 0;
  open();   // what is in it from before is folded all the same
  caller->work();
  LONGS_EQUAL(3, version_in_table(1));
}

TEST(sqlite_journal, in_a_hurry_it_is_folded_at_once_and_without_pauses) {
  open();
  CHECK((store->hurry(), !store->hurrying()));   // there is nothing
  fill(3000);
  store->hurry();
  for (int turns = 0; store->hurrying(); turns++) {
    LONGS_EQUAL(0, store->next_due());
    store->run(0);
    CHECK(turns < 1000);
  }
  LONGS_EQUAL(0, lines());
  caller->work();   // a checkpoint, where many small turns made the log long
  fill(1);
  if (store->next_due() == 0) store->run(0);         // one more checkpoint, where that line made the log just long enough
  LONGS_EQUAL(limits.quiet_ms, store->next_due());   // that was once
}

TEST(sqlite_journal, a_hurry_that_leads_nowhere_is_over) {
  open();
  fill(10);
  sqlite3* other = nullptr;
  sqlite3_open(dir.file("pua.db").c_str(), &other);
  sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  store->hurry();
  for (int i = 0; i < 3; i++) store->run(0);
  CHECK_FALSE(store->hurrying());
  sqlite3_close(other);
}

// A crash between any two turns of folding and removing: the rows are those of before, and no line is folded for ever.
TEST(sqlite_journal, a_crash_at_any_moment_changes_no_row) {
  open();
  fill(1500);
  caller->drop(row_of(7, 3));
  caller->put(row_of(8, 3));
  int n = 0;
  for (bool more = true; more; n++) {
    more = store->journal() > 0;
    std::string name = crashed(n % 4);
    std::unique_ptr<SqliteStore> mine = std::move(*SqliteStore::open(options(dir.file(name)), log.log));
    Caller other(*mine);
    for (int worked = 0; worked < 2; worked++) {
      auto rows = other.load_all();
      LONGS_EQUAL(1499, rows.size());
      for (const StoredRow& r : rows) CHECK(same(row_of(r.row().id, r.row().id == 8 ? 3 : 2).row(), r.row()));
      other.work();
    }
    LONGS_EQUAL(0, other.rows_missing);
    if (more) caller->work(1);
  }
  CHECK(n > 5);
}

TEST(sqlite_journal, lines_of_a_former_run_are_looked_for_in_turns_and_nothing_is_read_before) {
  open();
  fill(10000);
  open();
  CHECK_FALSE(store->readable());
  LONGS_EQUAL(0, store->next_due());
  LONGS_EQUAL(10000, store->journal());
  int turns = 0;
  for (; !store->readable(); turns++) store->run(0);
  CHECK(turns > 1);
  all_rows_have(2, 10000);   // before they are folded
  CHECK(lines() == 10000);
  caller->work();
  LONGS_EQUAL(0, lines());
  all_rows_have(2, 10000);
}

// Their lines would count as those of new rows with the same ids, which begin with a lower version.
TEST(sqlite_journal, the_ids_of_removed_rows_whose_lines_are_left_are_told) {
  open();
  fill(20);
  for (int64_t id = 11; id <= 20; id++) caller->drop(row_of(id, 3));
  open(crashed(1));
  LONGS_EQUAL(10, caller->load_all().size());
  LONGS_EQUAL(20, lines());
  LONGS_EQUAL(20, store->top_id());
  caller->find(row_of(5).row());
  LONGS_EQUAL(20, store->top_id());
}

TEST(sqlite_journal, numbers_that_are_not_ours_are_left_out_and_a_gap_costs_nothing) {
  open();
  fill(3);
  for (const char* seq : {"0", "-5", "5000000000000000000", "9223372036854775807"})
    LONGS_EQUAL(SQLITE_OK, exec("INSERT INTO pua_journal (seq,id,record_version,owner_epoch,node) VALUES (" + std::string(seq) + ",2,9,0,0)"));
  LONGS_EQUAL(SQLITE_OK, exec("UPDATE pua_journal SET seq=3000000000 WHERE seq=3"));
  open();
  all_rows_have(2, 3);
  CHECK(log.has("4 lines of the journal have numbers that are not ours, they are left out"));
  caller->narrow(row_of(1, 3));
  int turns = 0;
  for (; store->journal() > 0 && turns < 1000; turns++) store->run(store->next_due());
  CHECK_TEXT(turns < 50, std::to_string(turns).c_str());
  LONGS_EQUAL(0, store->journal());
  for (int64_t id = 1; id <= 3; id++) LONGS_EQUAL(id == 1 ? 3 : 2, version_in_table(id));
  open();
  CHECK(caller->load_all().size() == 3);
}

// Folding writes pages into SQLite's log. It must not eat the room that the log needs to get into the file.
TEST(sqlite_journal, after_a_full_disk_the_log_goes_into_the_file_before_anything_is_folded) {
  open();
  fill(50);
  exec("PRAGMA max_page_count=" + std::to_string(number("PRAGMA page_count")));
  StoredRow large = row_of(51);
  std::string body(200000, 'x');
  Row r = large.row();
  r.body = body;
  CHECK(caller->put(StoredRow(r)) == WriteResult::FailedRetry);
  exec("PRAGMA max_page_count=1000000");
  auto before = std::filesystem::file_size(dir.file("pua.db"));
  store->run(store->next_due());
  CHECK(std::filesystem::file_size(dir.file("pua.db")) > before);
  LONGS_EQUAL(50, lines());
  LONGS_EQUAL(1, version_in_table(2));
  caller->work();
  LONGS_EQUAL(0, lines());
  LONGS_EQUAL(2, version_in_table(2));
}

TEST(sqlite_journal, whoever_reads_before_that_gets_what_is_true) {
  open();
  fill(9000);
  open();
  caller->find(row_of(4321).row());
  CHECK(caller->found && same(row_of(4321, 2).row(), caller->found->row()));
  all_rows_have(2, 9000);
}

TEST(sqlite_journal, a_write_before_that_is_whole) {
  open();
  fill(5000);
  open();
  caller->narrow(row_of(1, 3));
  LONGS_EQUAL(3, version_in_table(1));
  caller->work();
  LONGS_EQUAL(3, version_in_table(1));
}

TEST(sqlite_journal, folding_is_bounded_and_leaves_time_between) {
  open();
  fill(5000);
  MonoMs now = store->next_due();
  int turns = 0, apart = 0;
  while (store->journal() > 0) {
    store->run(now);
    MonoMs due = store->next_due();
    apart += due > now && due != kNever;
    now = due;
    turns++;
  }
  CHECK(turns >= 5);
  CHECK(apart >= 3);
}

// While more lines come in than are folded, folding does not pause.
TEST(sqlite_journal, folding_keeps_up) {
  limits.lines = 500;
  open();
  fill(500);
  store->run(0);                                   // put in order
  Caller::Batch b;
  for (int64_t id = 1; id <= 500; id++) b.rows.emplace_back(RowOp::Narrow, row_of(id, 3));
  caller->write_all(b);
  store->run(0);                                   // a turn of folding
  LONGS_EQUAL(0, store->next_due());
  caller->work();
  all_rows_have(3, 500);
}

TEST(sqlite_journal, writes_go_on_while_it_is_folded) {
  open();
  Random random(99);
  std::map<int64_t, uint32_t> versions;
  Caller::Batch b;
  for (int64_t id = 1; id <= 400; id++) b.rows.emplace_back(RowOp::Upsert, row_of(id, versions[id] = 1));
  caller->write_all(b);
  for (int round = 0; round < 300; round++) {
    Caller::Batch more;
    for (int n = 0; n < 50; n++) {
      int64_t id = 1 + static_cast<int64_t>(random.below(400));
      more.rows.emplace_back(random.below(20) ? RowOp::Narrow : RowOp::Upsert, row_of(id, ++versions[id]));
    }
    for (WriteResult r : caller->write_all(more)) CHECK(r == WriteResult::Ok);
    if (store->next_due() != kNever && random.below(2)) store->run(store->next_due());
    if (round % 50 == 49) open(), caller->load_all();   // as after a clean end
  }
  caller->work();
  auto rows = caller->load_all();
  LONGS_EQUAL(400, rows.size());
  for (const StoredRow& r : rows) LONGS_EQUAL(versions[r.row().id], r.row().record_version);
  LONGS_EQUAL(0, lines());
  LONGS_EQUAL(0, caller->rows_missing);
}

TEST(sqlite_journal, the_view_shows_what_is_true) {
  open();
  fill(5);
  caller->narrow(row_of(1, 3));
  caller->put(row_of(2, 4));
  caller->drop(row_of(3, 4));
  for (int worked = 0; worked < 2; worked++) {
    LONGS_EQUAL(4, number("SELECT count(*) FROM pua_rows"));
    LONGS_EQUAL(3, number("SELECT record_version FROM pua_rows WHERE id=1 AND etag='etag-1-3' AND body=x'3c70726573656e63652f3e'"));
    LONGS_EQUAL(4, number("SELECT record_version FROM pua_rows WHERE id=2 AND etag='etag-2-4'"));
    LONGS_EQUAL(2, number("SELECT record_version FROM pua_rows WHERE id=5 AND etag='etag-5-2'"));
    caller->work();
  }
}

// --- others at the table -----------------------------------------------------------------------------------------

TEST(sqlite_journal, a_row_that_somebody_else_deletes_is_missed) {
  open();
  fill(3);
  LONGS_EQUAL(SQLITE_OK, exec("DELETE FROM pua WHERE id=2"));
  caller->work();
  LONGS_EQUAL(1, caller->rows_missing);
  CHECK(log.has("row 2 is not in table 'pua' any more"));
  LONGS_EQUAL(2, version_in_table(3));
  LONGS_EQUAL(0, lines());
}

TEST(sqlite_journal, a_journal_that_somebody_else_empties_is_missed) {
  open();
  fill(3);
  LONGS_EQUAL(SQLITE_OK, exec("DELETE FROM pua_journal"));
  caller->work();
  LONGS_EQUAL(1, caller->rows_missing);
  CHECK(log.has("is not in table 'pua_journal' any more"));
}

TEST(sqlite_journal, a_delete_of_ours_while_its_line_is_on_the_way_is_not_missed) {
  open();
  fill(3);
  store->run(store->next_due());          // the list is made
  caller->drop(row_of(2, 3));             // before it is folded
  caller->work();
  LONGS_EQUAL(0, caller->rows_missing);
  LONGS_EQUAL(2, caller->load_all().size());
}

TEST(sqlite_journal, a_delete_that_was_not_committed_leaves_what_was_written_narrowly) {
  open();
  fill(2);
  sqlite3* other = nullptr;
  sqlite3_open(dir.file("pua.db").c_str(), &other);
  LONGS_EQUAL(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
  CHECK(caller->drop(row_of(2, 3)) != WriteResult::Ok);
  CHECK(caller->narrow(row_of(1, 3)) != WriteResult::Ok);
  CHECK(caller->down);
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  all_rows_have(2, 2);
  caller->work();
  all_rows_have(2, 2);
}

TEST(sqlite_journal, while_another_program_locks_the_file_it_waits_and_says_so_once) {
  open();
  fill(100);
  sqlite3* other = nullptr;
  sqlite3_open(dir.file("pua.db").c_str(), &other);
  sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  MonoMs now = store->next_due();
  store->run(now);                          // put in order
  for (int i = 0; i < 3; i++) {
    store->run(now);
    LONGS_EQUAL(now + 1000, store->next_due());
    now += 1000;
  }
  size_t said = 0;
  for (const std::string& line : log.lines) said += line.find("folding the journal, tried again each second") != std::string::npos;
  LONGS_EQUAL(1, said);
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  caller->work();
  CHECK(log.has("the journal is folded again"));
  LONGS_EQUAL(0, lines());
  all_rows_have(2, 100);
}

TEST(sqlite_journal, a_row_that_cannot_be_written_keeps_its_line_and_the_others_are_folded) {
  open();
  fill(200);
  LONGS_EQUAL(SQLITE_OK, exec("CREATE TRIGGER no BEFORE UPDATE ON pua WHEN old.id IN (77,78) BEGIN SELECT RAISE(ABORT, 'refused'); END"));
  caller->work();
  LONGS_EQUAL(2, lines());
  CHECK(log.has("of the journal stays there, row 77 cannot be written: "));
  all_rows_have(2, 200);
  LONGS_EQUAL(200, number("SELECT count(*) FROM pua_rows WHERE record_version=2"));
  LONGS_EQUAL(1, version_in_table(77));
  caller->narrow(row_of(5, 3));             // life goes on
  caller->work();
  LONGS_EQUAL(2, lines());
  LONGS_EQUAL(3, version_in_table(5));
  exec("DROP TRIGGER no");
  open();                                   // and the next run tries again
  caller->work();
  LONGS_EQUAL(2, version_in_table(77));
  LONGS_EQUAL(0, lines());
}

TEST(sqlite_journal, a_journal_that_takes_no_line_costs_no_row) {
  open();
  fill(3);
  exec("CREATE TRIGGER no BEFORE INSERT ON pua_journal BEGIN SELECT RAISE(ABORT, 'refused'); END");
  Caller::Batch b;
  for (int64_t id = 1; id <= 3; id++) b.rows.emplace_back(RowOp::Narrow, row_of(id, 3));
  caller->write(b);
  CHECK_FALSE(caller->down);
  for (WriteResult r : caller->results) CHECK(r == WriteResult::Deferred);
  for (WriteResult r : caller->write_all(b)) CHECK(r == WriteResult::Ok);
  LONGS_EQUAL(3, version_in_table(1));
  CHECK(log.has("the journal takes no more lines, rows are written as a whole"));
}
