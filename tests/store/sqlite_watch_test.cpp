// SQLite watch: what other programs do to our file, and what tells it from a copy.
#include "store/sqlite_watch.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/store/copy_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(sqlite_watch, CopyRig){};

// Each transaction, or two states of the file would say the same.
TEST(sqlite_watch, folding_cleaning_and_values_beside_the_rows_are_counted) {
  open();
  caller->put(row_of(1));
  auto line = [this] { return *store->get_meta("writes"); };
  std::string before = line();
  CHECK(store->set_meta("clock", "now").ok());
  CHECK(line() != before);
  caller->narrow(row_of(1, 2));
  store->hurry();
  int changes = 0;
  while (store->hurrying()) {
    before = line();
    store->run(now);
    changes += line() != before;
  }
  LONGS_EQUAL(2, changes);  // it is folded, and taken out of the journal
}

// Somebody has brought back an older line by SQL: what follows it is known all the same.
TEST(sqlite_watch, after_older_rows_were_brought_back_by_sql_the_log_belongs_to_the_file) {
  open();
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  {
    Other o(path);
    o.exec("ATTACH '" + copy +
           "' AS c; DELETE FROM pua_meta; INSERT INTO pua_meta SELECT * FROM c.pua_meta; PRAGMA wal_checkpoint(TRUNCATE)");
  }
  pass(1500);
  caller->put(row_of(3));
  crash();
  open();
  STRCMP_EQUAL("1 2 3", ids().c_str());
  CHECK_FALSE(std::filesystem::exists(path + "-wal.stale"));
}

TEST(sqlite_watch, whatever_checkpoint_another_program_makes_is_no_copy) {
  open();
  for (const char* how : {"PASSIVE", "FULL", "RESTART", "TRUNCATE"}) {
    caller->put(row_of(1));
    {
      Other o(path);
      o.exec("PRAGMA wal_checkpoint(" + std::string(how) + ")");
    }
    pass(3000);
    CHECK(caller->put(row_of(2)) == WriteResult::Ok);
    {
      Other o(path);
      o.exec("CREATE TABLE IF NOT EXISTS theirs (x); INSERT INTO theirs VALUES (1); PRAGMA wal_checkpoint(" + std::string(how) +
             ")");
    }
    pass(3000);
    caller->rows_missing = 0;  // another program's table may have been ours
    CHECK(caller->put(row_of(3)) == WriteResult::Ok);
    pass(3000);
    LONGS_EQUAL(0, caller->rows_missing);
  }
  CHECK_FALSE(log.has("nothing is durable until"));
  crash();
  open();
  STRCMP_EQUAL("1 2 3", ids().c_str());
}

TEST(sqlite_watch, a_checkpoint_of_another_program_that_is_killed_is_no_copy) {
  open();
  for (int i = 1; i < 5; i++) caller->put(row_of(i));
  std::map<uint32_t, std::string> pages = pages_in(octets(path + "-wal"));
  CHECK(pages.size() >= 3);
  for (size_t n = 1; n <= pages.size(); n++) {
    std::string half = with_pages(octets(path), pages, n);
    std::fstream(path, std::ios::binary | std::ios::in | std::ios::out) << half;
    pass(1500);
    CHECK(caller->put(row_of(4, 1 + static_cast<uint32_t>(n))) == WriteResult::Ok);
  }
  LONGS_EQUAL(0, caller->rows_missing);
  STRCMP_EQUAL("1 2 3 4", ids().c_str());
}

// It holds less than SQLite believes to be in the file already.
TEST(sqlite_watch, a_copy_of_before_a_checkpoint_is_one_also_where_the_log_goes_on_from_it) {
  open();
  for (int i = 1; i < 5; i++) caller->put(row_of(i));
  const std::string before = octets(path);
  {
    Other o(path);
    o.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }
  pass(1500);
  LONGS_EQUAL(0, caller->rows_missing);
  write(path, before);
  pass(1500);
  LONGS_EQUAL(1, caller->rows_missing);
  STRCMP_EQUAL("1 2 3 4", ids().c_str());  // the log holds it all
}

TEST(sqlite_watch, a_vacuumed_copy_written_over_the_file_counts_for_nothing) {
  open();
  for (int i = 1; i < 60; i++) caller->put(row_of(i));
  for (int i = 2; i < 60; i++) caller->drop(row_of(i));
  {
    Other o(path);
    o.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }
  pass(1500);
  back_up();
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  nothing_counts("another program has written into the file");
  is_open_again("1");
}

// While it is not known yet what was written, too.
TEST(sqlite_watch, nothing_is_read_from_a_log_that_was_written_over) {
  open();
  for (int i = 1; i < 10; i++) caller->put(row_of(i));
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  nothing_counts("another program has written into the file");
  write(path + "-wal", std::string(std::filesystem::file_size(path + "-wal"), 'x'));
  caller->load(0, 100);
  CHECK_TEXT(contains(caller->error, "other content was written over its write-ahead log"), caller->error.c_str());
}

// At the end, too: our log is not folded into a file that is not ours.
TEST(sqlite_watch, the_end_folds_nothing_into_other_content) {
  open();
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  close();
  open();
  STRCMP_EQUAL("1", ids().c_str());
}
