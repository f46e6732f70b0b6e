// File alarm: what others do to a file is told, once; what its owner does is not. Against the kernel itself.
#include <event2/event.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "store/file_alarm.h"
#include "store/sqlite_store.h"
#include "tests/store/fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace fs = std::filesystem;

TEST_GROUP(file_alarm) {
  TempDir dir;
  TestLog log;
  event_base* base = nullptr;
  std::string path, other;
  std::unique_ptr<FileAlarm> alarm;
  int told = 0;

  void setup() override {
    base = event_base_new();
    path = dir.file("pua.db"), other = dir.file("other.db");
    write(path, "one");
    alarm = FileAlarm::create(loop(), [this] { told++; });
    CHECK(alarm && alarm->watch({path}));
  }
  void teardown() override {
    alarm.reset();
    event_base_free(base);
  }
  StoreLoop loop() {
    return {base, nullptr, [] { return MonoMs{0}; }, [](const std::function<void()>& callback) { callback(); }};
  }
  static void write(const std::string& to, const char* text) { std::ofstream(to) << text; }
  int told_of() {  // since the last question; the kernel has queued it before the call that caused it returned
    told = 0;
    event_base_loop(base, EVLOOP_NONBLOCK);
    return told;
  }
};

TEST(file_alarm, silence_where_nothing_happens) {
  LONGS_EQUAL(0, told_of());
  std::ifstream(path).get();
  LONGS_EQUAL(0, told_of());  // reading is nobody's loss
}

TEST(file_alarm, a_file_that_is_removed) {
  fs::remove(path);
  LONGS_EQUAL(1, told_of());
}

TEST(file_alarm, a_file_that_another_one_is_renamed_over) {
  write(other, "two");
  LONGS_EQUAL(0, told_of());
  fs::rename(other, path);
  LONGS_EQUAL(1, told_of());
}

TEST(file_alarm, a_file_that_is_moved_away) {
  fs::rename(path, other);
  LONGS_EQUAL(1, told_of());
}

TEST(file_alarm, a_file_that_is_copied_over) {
  write(path, "two");
  LONGS_EQUAL(1, told_of());
}

TEST(file_alarm, much_at_once_is_told_once) {
  for (int i = 0; i < 1000; i++) write(path, "again");
  LONGS_EQUAL(1, told_of());
}

TEST(file_alarm, a_file_that_is_not_there_cannot_be_watched) {
  CHECK_FALSE(alarm->watch({path, other}));
  write(path, "the first one is, all the same");
  LONGS_EQUAL(1, told_of());
}

TEST(file_alarm, files_of_before_are_forgotten) {
  write(other, "two");
  CHECK(alarm->watch({other}));
  write(path, "three");
  LONGS_EQUAL(0, told_of());
}

TEST(file_alarm, without_a_loop_there_is_none) { CHECK_FALSE(FileAlarm::create({}, [] {})); }

// What it is for: a store that has nothing to do wakes nobody, until somebody touches its file.
TEST(file_alarm, an_idle_store_wakes_nobody_until_its_file_is_touched) {
  SqliteOptions o;
  o.path = dir.file("store.db");
  auto opened = SqliteStore::open(o, log.log, loop());
  CHECK_TEXT(opened.ok(), opened ? "" : opened.error().message.c_str());
  std::unique_ptr<SqliteStore> store = std::move(*opened);
  Caller caller(*store);
  CHECK(caller.put(row_of(1)) == WriteResult::Ok);
  for (MonoMs now = 0; now <= 100000 && store->next_due() != kNever;) {
    now = std::max(now, store->next_due());
    store->run(now);
  }
  CHECK(store->next_due() == kNever);
  event_base_loop(base, EVLOOP_NONBLOCK);
  CHECK(store->next_due() == kNever);    // what it did itself is no reason
  fs::rename(o.path, other);
  event_base_loop(base, EVLOOP_NONBLOCK);
  LONGS_EQUAL(0, store->next_due());
  store->run(200000);
  CHECK(log.has("nothing is durable until what stands there was opened"));
}
