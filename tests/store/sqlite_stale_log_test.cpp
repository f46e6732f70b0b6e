// A log that a killed process left behind: it is played where it belongs to the file there, whatever was noted of them, and set aside
// where it does not.
#include "store/sqlite_stale_log.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "tests/store/copy_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(sqlite_stale_log, CopyRig){};

TEST(sqlite_stale_log, the_log_of_the_file_that_stands_there_is_played) {
  killed_writer();
  open();
  STRCMP_EQUAL("1 2 3", ids().c_str());
  CHECK_FALSE(std::filesystem::exists(path + "-wal.stale"));
}

TEST(sqlite_stale_log, the_log_of_another_file_is_set_aside) {
  killed_writer();
  std::filesystem::rename(copy, path);
  open();
  STRCMP_EQUAL("1", ids().c_str());
  CHECK(std::filesystem::exists(path + "-wal.stale"));
  CHECK(log.has("belongs to another file"));
}

TEST(sqlite_stale_log, the_log_of_other_content_is_set_aside) {
  killed_writer();
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  open();
  STRCMP_EQUAL("1", ids().c_str());
  CHECK(std::filesystem::exists(path + "-wal.stale"));
}

// Of an archive that is unpacked in place, and of touch: inode and times differ, the content does not.
TEST(sqlite_stale_log, the_log_of_the_same_content_under_another_inode_and_time_is_played) {
  killed_writer();
  std::filesystem::copy_file(path, copy, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::rename(copy, path);
  open();
  STRCMP_EQUAL("1 2 3", ids().c_str());
  CHECK_FALSE(std::filesystem::exists(path + "-wal.stale"));
}

TEST(sqlite_stale_log, the_log_of_a_file_that_was_touched_is_played) {
  killed_writer();
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  open();
  STRCMP_EQUAL("1 2 3", ids().c_str());
}

// What a checkpoint of another program does that is killed after so many pages: they are written in their order.
TEST(sqlite_stale_log, a_checkpoint_of_another_program_may_have_been_killed_at_any_page) {
  killed_writer();
  const std::string file = octets(path), log_octets = octets(path + "-wal");
  std::map<uint32_t, std::string> pages = pages_in(log_octets);
  CHECK(pages.size() >= 3);
  for (size_t n = 0; n <= pages.size(); n++) {
    write(path, with_pages(file, pages, n));
    write(path + "-wal", log_octets);
    unlink((path + "-shm").c_str());
    open();
    STRCMP_EQUAL("1 2 3", ids().c_str());
    close();
  }
  CHECK_FALSE(std::filesystem::exists(path + "-wal.stale"));
}

TEST(sqlite_stale_log, the_log_of_other_content_is_set_aside_whatever_the_last_owner_has_noted) {
  killed_writer();
  const std::string log_octets = octets(path + "-wal"), note = octets(path + ".lock"), older = octets(copy);
  size_t boot = note.find("boot ");
  CHECK(boot != std::string::npos);
  for (const std::string& n :
       {std::string(), std::string("1\n\n"), note.substr(0, boot) + "boot 00000000-0000\n", std::string("1\nsomething\n")}) {
    write(path, older);
    write(path + "-wal", log_octets);
    unlink((path + "-shm").c_str());
    write(path + ".lock", n);
    open();
    STRCMP_EQUAL("1", ids().c_str());
    close();
  }
  CHECK(std::filesystem::exists(path + "-wal.stale4"));  // none is written over
}

TEST(sqlite_stale_log, a_copy_of_the_file_and_its_log_is_taken_with_its_log_also_where_it_was_written_over_both) {
  killed_writer();
  const std::string file = octets(path), log_octets = octets(path + "-wal");
  open();
  caller->drop(row_of(2));
  for (int i = 10; i < 400; i++) caller->put(row_of(i));
  pass(3000);
  caller->put(row_of(4));
  crash();
  write(path, file);  // the same inodes as before
  write(path + "-wal", log_octets);
  open();
  STRCMP_EQUAL("1 2 3", ids().c_str());
  CHECK_FALSE(std::filesystem::exists(path + "-wal.stale"));
}

// The same line, on other pages.
TEST(sqlite_stale_log, the_log_is_not_played_into_a_copy_with_other_pages) {
  open();
  for (int i = 1; i < 60; i++) caller->put(row_of(i));
  for (int i = 2; i < 60; i++) caller->drop(row_of(i));
  back_up();
  crash();
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  open();
  STRCMP_EQUAL("1", ids().c_str());
  CHECK(std::filesystem::exists(path + "-wal.stale"));
}

TEST(sqlite_stale_log, a_log_that_cannot_be_set_aside_is_no_log_to_start_with) {
  killed_writer();
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  for (int i = 1; i <= 10; i++) std::filesystem::create_directories(path + "-wal.stale" + (i > 1 ? std::to_string(i) : "") + "/x");
  const std::string file = octets(path), log_octets = octets(path + "-wal");
  auto s = try_open(path);
  CHECK_FALSE(s.ok());
  CHECK_TEXT(contains(s.error().message, "cannot be set aside as " + path + "-wal.stale: "), s.error().message.c_str());
  CHECK_TEXT(contains(s.error().message, "move " + path + "-wal away by hand"), s.error().message.c_str());
  CHECK(octets(path) == file && octets(path + "-wal") == log_octets);
}

TEST(sqlite_stale_log, a_log_that_another_program_has_open_is_not_set_aside_under_its_feet) {
  killed_writer();
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  int go[2], said[2];
  LONGS_EQUAL(0, pipe(go) | pipe(said));
  pid_t child = fork();
  if (child == 0) {
    sqlite3* db = nullptr;
    sqlite3_open(path.c_str(), &db);
    sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr);
    char c = 'x';
    if (::write(said[1], &c, 1) != 1 || read(go[0], &c, 1) != 1) _exit(1);
    kill(getpid(), SIGKILL);
  }
  char c;
  LONGS_EQUAL(1, read(said[0], &c, 1));
  auto s = try_open(path);
  CHECK_FALSE(s.ok());
  CHECK_TEXT(contains(s.error().message, "process " + std::to_string(child) + " has it open: end that first"),
             s.error().message.c_str());
  LONGS_EQUAL(1, ::write(go[1], "x", 1));
  waitpid(child, nullptr, 0);
  open();
  STRCMP_EQUAL("1", ids().c_str());
  for (int fd : {go[0], go[1], said[0], said[1]}) ::close(fd);
}

// Of root's own programs, say: whoever may not read the index cannot know whether somebody is at work on the log.
TEST(sqlite_stale_log, a_log_is_left_where_nobody_can_tell_who_has_it_open) {
  killed_writer();
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  const std::string log_octets = octets(path + "-wal"), index = path + "-shm";
  unlink(index.c_str());
  LONGS_EQUAL(0, symlink(index.c_str(), index.c_str()));   // root may read whatever can be opened
  auto s = try_open(path);
  CHECK_FALSE(s.ok());
  const std::string why = ", and its index " + index + " cannot be looked at: Too many levels of symbolic links";
  CHECK_TEXT(contains(s.error().message, why), s.error().message.c_str());
  CHECK(octets(path + "-wal") == log_octets);
  CHECK(std::filesystem::is_symlink(index));
  unlink(index.c_str());
  open();
  STRCMP_EQUAL("1", ids().c_str());
}

TEST(sqlite_stale_log, what_stands_in_the_place_of_the_index_holds_up_nobody) {
  killed_writer();
  std::filesystem::copy_file(copy, path, std::filesystem::copy_options::overwrite_existing);
  unlink((path + "-shm").c_str());
  LONGS_EQUAL(0, mkfifo((path + "-shm").c_str(), 0600));
  open();
  STRCMP_EQUAL("1", ids().c_str());
}

TEST(sqlite_stale_log, the_oldest_of_ten_logs_that_were_set_aside_makes_room) {
  killed_writer();
  const std::string log_octets = octets(path + "-wal"), older = octets(copy);
  for (int i = 1; i <= 10; i++) {
    std::string name = path + "-wal.stale" + (i > 1 ? std::to_string(i) : "");
    write(name, std::to_string(i));
    std::filesystem::last_write_time(name, std::filesystem::file_time_type::clock::now() - std::chrono::hours(i == 7 ? 30 : i));
  }
  write(path, older);
  open();
  CHECK(octets(path + "-wal.stale7") == log_octets);
  STRCMP_EQUAL("10", octets(path + "-wal.stale10").c_str());
}

// An empty file is one that was made a moment ago: SQLite would remove the log.
TEST(sqlite_stale_log, the_log_of_a_file_that_was_removed_is_set_aside) {
  killed_writer();
  unlink(path.c_str());
  open();
  STRCMP_EQUAL("", ids().c_str());
  CHECK(std::filesystem::exists(path + "-wal.stale"));
}
