// The log of an open store: other content that is written over it is noticed.
#include "store/sqlite_live_log.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/store/copy_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(sqlite_live_log, CopyRig){};

// The same inode, the same size: what the head and the last frame say is what tells.
TEST(sqlite_live_log, another_log_written_over_ours_counts_for_nothing) {
  open();
  for (int i = 1; i < 30; i++) caller->put(row_of(i));
  const std::string older = octets(path + "-wal");
  for (int i = 1; i < 29; i++) caller->drop(row_of(i));
  {
    Other o(path);
    o.exec("PRAGMA wal_checkpoint(RESTART)");  // the next write begins it anew
  }
  pass(1000);
  for (int i = 30; i < 33; i++) caller->put(row_of(i));
  CHECK(older.size() <= std::filesystem::file_size(path + "-wal"));
  std::fstream(path + "-wal", std::ios::binary | std::ios::in | std::ios::out) << older;
  nothing_counts("other content was written over its write-ahead log");
  pass(500);
  LONGS_EQUAL(1, caller->rows_missing);
  STRCMP_EQUAL("29", ids().c_str());  // the log of before the checkpoint, which is in the file already
  CHECK(caller->put(row_of(9)) == WriteResult::Ok);
}

// Only a frame in the middle: neither the head nor the last one tells, but its time does.
TEST(sqlite_live_log, a_log_whose_middle_was_written_over_counts_for_nothing) {
  open();
  for (int i = 1; i < 10; i++) caller->put(row_of(i));
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the clock of files is a coarse one
  {
    std::fstream f(path + "-wal", std::ios::binary | std::ios::in | std::ios::out);
    f.seekp(32 + 2 * (24 + 4096) + 100);
    f << "something else";
  }
  nothing_counts("other content was written over its write-ahead log");
}
