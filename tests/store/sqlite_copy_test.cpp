// SQLite: what stands at the path, or in the tables, is not what was written to: removed, replaced, an older copy, made anew. It is
// noticed, nothing of it is told to be committed, and the caller hears that rows are missing.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/sqlite_schema.h"
#include "store/sqlite_store.h"
#include "tests/store/copy_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(sqlite_copy, CopyRig){};

TEST(sqlite_copy, a_file_that_was_removed_counts_for_nothing_and_is_made_anew) {
  open();
  CHECK(caller->put(row_of(1)) == WriteResult::Ok);
  unlink(path.c_str());
  nothing_counts("the file was removed");
  is_open_again("");
  close();
  open();
  STRCMP_EQUAL("9", ids().c_str());
}

TEST(sqlite_copy, a_copy_moved_over_the_file_counts_for_nothing_and_our_log_is_not_played_into_it) {
  open();
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  caller->drop(row_of(1));
  std::filesystem::rename(copy, path);
  nothing_counts("another file stands in its place");
  is_open_again("1");
}

TEST(sqlite_copy, a_copy_written_over_the_file_counts_for_nothing) {
  open();
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  nothing_counts("another program has written into the file");
  is_open_again("1");
}

TEST(sqlite_copy, a_log_that_was_removed_counts_for_nothing) {
  open();
  caller->put(row_of(1));
  unlink((path + "-wal").c_str());
  nothing_counts("its write-ahead log was removed");
  is_open_again("");
}

TEST(sqlite_copy, it_is_noticed_within_a_second_where_nothing_is_written) {
  open();
  caller->put(row_of(1));
  back_up();
  caller->drop(row_of(1));
  std::filesystem::rename(copy, path);
  pass(1500);
  LONGS_EQUAL(1, caller->rows_missing);
  STRCMP_EQUAL("1", ids().c_str());
}

TEST(sqlite_copy, who_is_still_copying_is_waited_for) {
  open();
  caller->put(row_of(1));
  back_up();
  unlink(path.c_str());
  nothing_counts("removed");
  std::string octets;
  {
    std::ifstream in(copy, std::ios::binary);
    octets.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (size_t n = 4096; n < octets.size(); n += 4096) {
    std::ofstream(path, std::ios::binary) << octets.substr(0, n);
    pass(150);
  }
  LONGS_EQUAL(0, caller->rows_missing);
  std::ofstream(path, std::ios::binary) << octets;
  is_open_again("1");
}

TEST(sqlite_copy, what_cannot_be_opened_is_tried_again) {
  open();
  caller->put(row_of(1));
  std::ofstream(dir.file("text")) << std::string(5000, 'x');
  std::filesystem::rename(dir.file("text"), path);
  nothing_counts("another file stands in its place");
  pass(5000);
  CHECK(log.has("not a SQLite database"));
  LONGS_EQUAL(0, caller->rows_missing);
  CHECK(caller->put(row_of(9)) == WriteResult::Deferred);   // nothing is tried
  CHECK(caller->down);
  caller->load(0, 10);
  CHECK(contains(caller->error, "not a SQLite database"));
  unlink(path.c_str());
  pass(1500);
  LONGS_EQUAL(1, caller->rows_missing);
  CHECK(caller->put(row_of(9)) == WriteResult::Ok);
}

TEST(sqlite_copy, a_checkpoint_by_another_program_is_no_copy) {
  open();
  caller->put(row_of(1));
  {
    Other o(path);
    o.exec("PRAGMA wal_checkpoint");
  }
  pass(3000);
  LONGS_EQUAL(0, caller->rows_missing);
  CHECK(caller->put(row_of(2)) == WriteResult::Ok);
  STRCMP_EQUAL("1 2", ids().c_str());
}

TEST(sqlite_copy, tables_made_anew_are_told) {
  open();
  caller->put(row_of(1));
  {
    Other o(path);
    o.exec("DROP VIEW pua_rows; DROP TABLE pua; DROP TABLE pua_journal; DROP TABLE pua_meta; DELETE FROM version; " + schema_sql("pua"));
  }
  CHECK(caller->put(row_of(2)) == WriteResult::Ok);   // it is in the table
  pass(0);
  LONGS_EQUAL(1, caller->rows_missing);
  pass(3000);
  LONGS_EQUAL(1, caller->rows_missing);
  STRCMP_EQUAL("2", ids().c_str());
}

TEST(sqlite_copy, a_table_made_anew_is_told_also_where_nothing_is_written_and_the_values_beside_it_stay) {
  open();
  caller->put(row_of(1));
  std::string sql = schema_sql("pua");
  {
    Other o(path);
    o.exec("CREATE TABLE old AS SELECT * FROM pua; DROP VIEW pua_rows; DROP TABLE pua; " +
           sql.substr(sql.find("CREATE TABLE \"pua\""), sql.find("CREATE TABLE IF NOT EXISTS \"pua_meta\"") - sql.find("CREATE TABLE \"pua\"")));
  }
  pass(1500);
  LONGS_EQUAL(1, caller->rows_missing);
}

TEST(sqlite_copy, older_rows_brought_back_by_sql_are_told_and_values_of_this_run_are_written_again) {
  open();
  CHECK(store->set_meta("clock", "then").ok());
  caller->put(row_of(1));
  back_up();
  CHECK(store->set_meta("clock", "now").ok());
  caller->put(row_of(2));
  {
    Other o(path);
    o.exec("ATTACH '" + copy + "' AS c; DELETE FROM pua; INSERT INTO pua SELECT * FROM c.pua; DELETE FROM pua_meta; "
           "INSERT INTO pua_meta SELECT * FROM c.pua_meta");
  }
  pass(1500);
  LONGS_EQUAL(1, caller->rows_missing);
  STRCMP_EQUAL("1", ids().c_str());
  STRCMP_EQUAL("now", store->get_meta("clock")->c_str());
}

TEST(sqlite_copy, what_another_program_writes_beside_our_tables_is_none_of_our_business) {
  open();
  caller->put(row_of(1));
  Other o(path);
  o.exec("CREATE TABLE theirs (x)");
  pass(1500);
  int before = caller->rows_missing;   // the schema has changed: that may have been ours, too
  for (int i = 0; i < 5; i++) {
    o.exec("INSERT INTO theirs VALUES (1)");
    CHECK(caller->put(row_of(1, 2)) == WriteResult::Ok);
    pass(1500);
  }
  LONGS_EQUAL(before, caller->rows_missing);
}

// --- a second owner ------------------------------------------------------------------------------

TEST(sqlite_copy, another_name_of_the_file_is_no_way_in) {
  open();
  std::filesystem::create_hard_link(path, dir.file("other.db"));
  auto second = try_open(dir.file("other.db"));
  CHECK_FALSE(second.ok());
  CHECK_TEXT(contains(second.error().message, "in use by another instance in this process"), second.error().message.c_str());
  CHECK(caller->put(row_of(1)) == WriteResult::Ok);
}

TEST(sqlite_copy, another_process_gets_in_neither_by_another_name_nor_without_the_lock_file) {
  int go[2], said[2];
  LONGS_EQUAL(0, pipe(go) | pipe(said));
  pid_t child = fork();   // before there is anything to inherit
  if (child == 0) {
    char c;
    for (const std::string& name : {path, dir.file("other.db")}) {
      if (read(go[0], &c, 1) != 1) _exit(1);
      auto s = try_open(name);
      std::string text = s.ok() ? "open" : s.error().message;
      text.resize(300, ' ');
      if (::write(said[1], text.data(), text.size()) != 300) _exit(2);
    }
    _exit(0);
  }
  open();
  std::filesystem::create_hard_link(path, dir.file("other.db"));
  unlink((path + ".lock").c_str());
  for (int i = 0; i < 2; i++) {
    char text[300];
    LONGS_EQUAL(1, ::write(go[1], "x", 1));
    LONGS_EQUAL(300, read(said[0], text, sizeof text));
    CHECK_TEXT(contains({text, 300}, "in use by another process"), std::string(text, 300).c_str());
  }
  int status = 0;
  waitpid(child, &status, 0);
  LONGS_EQUAL(0, status);
  for (int fd : {go[0], go[1], said[0], said[1]}) ::close(fd);
}

// --- what looks like another file, and is none ---------------------------------------------------

TEST(sqlite_copy, a_file_that_is_touched_is_ours_all_the_same) {
  open();
  caller->put(row_of(1));
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  nothing_counts("another program has written into the file");   // it is not known yet what
  pass(500);
  LONGS_EQUAL(0, caller->rows_missing);
  CHECK(caller->put(row_of(3)) == WriteResult::Ok);
  close();
  open();
  STRCMP_EQUAL("1 3 9", ids().c_str());   // 9 was said to have failed, and is asked for again: it may be there
}

TEST(sqlite_copy, a_log_that_was_cut_off_counts_for_nothing) {
  open();
  caller->put(row_of(1));
  LONGS_EQUAL(0, truncate((path + "-wal").c_str(), 0));
  CHECK(caller->put(row_of(2)) != WriteResult::Ok);
  CHECK(log.has("its write-ahead log was removed, replaced or cut off"));
  pass(500);
  LONGS_EQUAL(1, caller->rows_missing);
  CHECK(caller->put(row_of(9)) == WriteResult::Ok);
}

// The index of the log is memory: whoever reaches for a part that was cut off is ended by the kernel.
TEST(sqlite_copy, an_index_that_was_cut_off_or_removed_is_made_anew_from_the_log) {
  open();
  for (auto gone : {+[](const std::string& p) { std::filesystem::resize_file(p, 0); }, +[](const std::string& p) { std::filesystem::remove(p); }}) {
    caller->put(row_of(1));
    caller->put(row_of(2));
    gone(path + "-shm");
    nothing_counts("the index of its write-ahead log (-shm) was removed, replaced or cut off");
    CHECK(std::filesystem::file_size(path + "-wal") > 0);   // what is durable is in it
    is_open_again("1 2");
    CHECK(caller->drop(row_of(9)) == WriteResult::Ok);
    caller->rows_missing = 0;
  }
}

TEST(sqlite_copy, an_index_that_was_cut_off_is_seen_by_whoever_comes_first) {
  open();
  caller->put(row_of(1));
  std::vector<std::function<void()>> first = {
      [&] { caller->load(0, 10); }, [&] { caller->find(row_of(1).row()); }, [&] { pass(2000); },
      [&] {
        caller->narrow(row_of(1, 2));   // its line waits to go into the row
        std::filesystem::resize_file(path + "-shm", 0);
        caller->work(1);
      },
      [&] { CHECK_FALSE(store->set_meta("clock", "now").ok()); },
  };
  int told = 0;
  for (const auto& come : first) {
    std::filesystem::resize_file(path + "-shm", 0);
    come();
    pass(1000);
    STRCMP_EQUAL("1", ids().c_str());
    LONGS_EQUAL(++told, caller->rows_missing);
  }
  std::filesystem::resize_file(path + "-shm", 0);
  close();   // the end comes first
  open();
  STRCMP_EQUAL("1", ids().c_str());
  LONGS_EQUAL(0, caller->rows_missing);
}

TEST(sqlite_copy, what_stands_there_is_not_opened_while_somebody_writes_it) {
  open();
  caller->put(row_of(1));
  back_up();
  std::filesystem::rename(copy, path);
  FILE* other = fopen(path.c_str(), "r+");
  nothing_counts("another file stands in its place");
  pass(5000);
  LONGS_EQUAL(0, caller->rows_missing);
  LONGS_EQUAL(1, std::count_if(log.lines.begin(), log.lines.end(),
                               [](auto& l) { return contains(l, "somebody has it open for writing"); }));
  fclose(other);
  is_open_again("1");
}

TEST(sqlite_copy, nor_while_somebody_writes_its_log) {
  open();
  caller->put(row_of(1));
  back_up();
  std::filesystem::rename(copy, path);
  FILE* other = fopen((path + "-wal").c_str(), "r+");
  nothing_counts("another file stands in its place");
  pass(5000);
  LONGS_EQUAL(0, caller->rows_missing);
  fclose(other);
  is_open_again("1");
}

TEST(sqlite_copy, a_table_that_was_dropped_alone_is_made_again_at_the_next_start) {
  open();
  caller->put(row_of(1));
  close();
  Other(path).exec("DROP TABLE pua");
  open();
  STRCMP_EQUAL("", ids().c_str());
  CHECK(caller->put(row_of(1)) == WriteResult::Ok);
}
