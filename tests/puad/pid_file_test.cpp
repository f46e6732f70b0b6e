// PidFile: one process at a time, and never somebody else's file.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "puad/pid_file.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
namespace fs = std::filesystem;

TEST_GROUP(PidFile) {
  std::string dir, path;
  void setup() override {
    char name[] = "/tmp/pua-pid-XXXXXX";
    dir = mkdtemp(name);
    path = dir + "/puad.pid";
  }
  void teardown() override { fs::remove_all(dir); }
  static std::string content(const std::string& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  void refused(const char* part) {
    auto made = PidFile::create(path);
    CHECK(!made.ok());
    LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(made.error().code));
    STRCMP_CONTAINS(part, made.error().message.c_str());
  }
};

TEST(PidFile, holds_our_process_id_and_goes_at_the_end) {
  {
    auto made = PidFile::create(path);
    CHECK(made.ok());
    STRCMP_EQUAL((std::to_string(getpid()) + "\n").c_str(), content(path).c_str());
    refused("puad is already running, process");
  }
  CHECK(!fs::exists(path));
}

TEST(PidFile, of_a_process_that_died_is_taken_over) {
  std::ofstream(path) << "123456\n";
  CHECK(PidFile::create(path).ok());
}

TEST(PidFile, that_is_another_name_of_a_file_empties_nothing) {
  std::ofstream(dir + "/precious") << "42\n";
  fs::create_hard_link(dir + "/precious", path);
  refused("it is one of 2 links to a file");
  STRCMP_EQUAL("42\n", content(dir + "/precious").c_str());
}

TEST(PidFile, that_holds_something_else_is_left_alone) {
  for (const char* text : {"[section]\n", "123 and more", "12345678901234567890123456789012345\n"}) {
    std::ofstream(path) << text;
    refused("it holds something else than a process id");
    STRCMP_EQUAL(text, content(path).c_str());
  }
}

TEST(PidFile, that_is_no_file_is_refused) {
  LONGS_EQUAL(0, mkfifo(path.c_str(), 0600));
  refused("it is no regular file");
  fs::remove(path);
  fs::create_symlink(dir + "/elsewhere", path);
  refused("open");
  CHECK(!fs::exists(dir + "/elsewhere"));
}
