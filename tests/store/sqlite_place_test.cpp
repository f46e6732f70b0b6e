// What stands at the path: links, and who has it open.
#include "store/sqlite_place.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/store/copy_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(sqlite_place, CopyRig){};

TEST(sqlite_place, a_link_that_is_turned_to_another_place_is_noticed) {
  std::filesystem::create_directories(dir.file("v1"));
  std::filesystem::create_directories(dir.file("v2"));
  std::filesystem::create_symlink("v1", dir.file("cur"));
  path = dir.file("cur/pua.db");
  open();
  caller->put(row_of(1));
  copy = dir.file("v2/pua.db");
  back_up();
  caller->put(row_of(2));
  unlink(dir.file("cur").c_str());
  std::filesystem::create_symlink("v2", dir.file("cur"));
  nothing_counts("another file stands in its place");
  is_open_again("1");
  close();
  path = dir.file("v1/pua.db");  // is whole, with its own log
  open();
  STRCMP_EQUAL("1 2 9", ids().c_str());
}

// The kernel tells the holder of a lease by a signal that ends who does not know it.
TEST(sqlite_place, who_opens_a_file_while_it_is_asked_about_ends_nobody) {
  write(path, "x");
  static volatile sig_atomic_t signals;
  signals = 0;
  struct sigaction count {
  }, before;
  count.sa_handler = [](int) { signals = signals + 1; };
  sigaction(SIGIO, &count, &before);
  pid_t child = fork();
  if (child == 0)
    for (;;) ::close(::open(path.c_str(), O_RDWR | O_NONBLOCK));
  for (int i = 0; i < 5000; i++) being_written(path);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  sigset_t waiting;
  sigpending(&waiting);
  CHECK_FALSE(sigismember(&waiting, SIGIO));
  sigaction(SIGIO, &before, nullptr);
  LONGS_EQUAL(0, signals);
}

TEST(sqlite_place, a_path_is_resolved_where_the_file_is_not_there_yet) {
  std::filesystem::create_directories(dir.file("v1"));
  std::filesystem::create_symlink("v1", dir.file("cur"));
  const std::string there = std::filesystem::canonical(dir.path()).string();
  STRCMP_EQUAL((there + "/v1/new.db").c_str(), resolved_path(dir.file("cur/new.db")).c_str());
  STRCMP_EQUAL("/new.db", resolved_path("/new.db").c_str());
  STRCMP_EQUAL((dir.file("none") + "/new.db").c_str(), resolved_path(dir.file("none/new.db")).c_str());
}
