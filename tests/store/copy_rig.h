// What the tests of copies share: a store on a file, another program's connection, and ways to bring files back.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "store/sqlite_store.h"
#include "tests/store/fixture.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {

// Another program's connection.
struct Other {
  explicit Other(const std::string& path) { LONGS_EQUAL(SQLITE_OK, sqlite3_open(path.c_str(), &db)); }
  ~Other() { sqlite3_close(db); }
  void exec(const std::string& sql) {
    char* why = nullptr;
    int rc = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &why);
    std::string text = why ? why : "";
    sqlite3_free(why);
    CHECK_TEXT(rc == SQLITE_OK, (sql.substr(0, 60) + ": " + text).c_str());
  }
  sqlite3* db = nullptr;
};

class CopyRig : public Utest {
 protected:
  TempDir dir;
  TestLog log;
  std::string path, copy;
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<Caller> caller;
  MonoMs now = 0;
  CopyRig() { path = dir.file("pua.db"), copy = dir.file("copy.db"); }
  ~CopyRig() override { close(); }
  void close() { caller.reset(), store.reset(); }

  Result<std::unique_ptr<SqliteStore>> try_open(const std::string& at) {
    SqliteOptions o;
    o.path = at;
    return SqliteStore::open(o, log.log);
  }
  void open() {
    auto s = try_open(path);
    CHECK_TEXT(s.ok(), s ? "" : s.error().message.c_str());
    store = std::move(*s);
    caller = std::make_unique<Caller>(*store);
  }
  // As a careful backup has it: the rows, without a log.
  void back_up() {
    Other o(path);
    o.exec("VACUUM INTO '" + copy + "'");
  }
  // The adapter's own work, at its time, for a while.
  void pass(MonoMs ms) {
    for (MonoMs end = now + ms; store->next_due() <= end;) {
      now = std::max(now, store->next_due());
      store->run(now);
    }
    now += ms;
  }
  std::string ids() {
    std::string out;
    for (const StoredRow& r : caller->load_all()) out += (out.empty() ? "" : " ") + std::to_string(r.row().id);
    return out;
  }
  // A write that must not count, and why.
  void nothing_counts(const char* why) {
    CHECK(caller->put(row_of(9)) != WriteResult::Ok);
    CHECK(caller->down);
    CHECK_TEXT(contains(caller->error, why), caller->error.c_str());
    LONGS_EQUAL(0, caller->rows_missing);
  }
  void is_open_again(const char* holds) {
    pass(500);
    LONGS_EQUAL(1, caller->rows_missing);
    STRCMP_EQUAL(holds, ids().c_str());
    CHECK(caller->put(row_of(9)) == WriteResult::Ok);
    pass(3000);
    LONGS_EQUAL(1, caller->rows_missing);
  }
  static std::string octets(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // In place, as cp does it.
  static void write(const std::string& file, const std::string& octets) { std::ofstream(file, std::ios::binary) << octets; }
  // The last content of each page in a log.
  static std::map<uint32_t, std::string> pages_in(const std::string& log) {
    std::map<uint32_t, std::string> pages;
    for (size_t at = 32; at + 24 + 4096 <= log.size() && log.compare(at + 8, 8, log, 16, 8) == 0; at += 24 + 4096) {
      uint32_t number = 0;
      for (size_t i = 0; i < 4; i++) number = number << 8 | static_cast<unsigned char>(log[at + i]);
      pages[number] = log.substr(at + 24, 4096);
    }
    return pages;
  }
  static std::string with_pages(std::string file, const std::map<uint32_t, std::string>& pages, size_t first) {
    for (auto page = pages.begin(); page != pages.end() && first > 0; ++page, first--) {
      file.resize(std::max(file.size(), size_t{page->first} * 4096));
      file.replace((size_t{page->first} - 1) * 4096, 4096, page->second);
    }
    return file;
  }
  // As after a SIGKILL: the files as they are now, under the same names and inodes.
  void crash() {
    const std::string file = octets(path), log_octets = octets(path + "-wal"), note = octets(path + ".lock");
    close();
    write(path, file);
    write(path + "-wal", log_octets);
    write(path + ".lock", note);
  }
  // A process that writes rows 1 to 3, is killed, and leaves its log behind; the copy holds row 1.
  void killed_writer() {
    pid_t child = fork();
    if (child == 0) {
      auto s = try_open(path);
      if (!s.ok()) _exit(1);
      {
        Caller c(**s);
        c.put(row_of(1));
        sqlite3* db = nullptr;
        sqlite3_open(path.c_str(), &db);
        if (sqlite3_exec(db, ("VACUUM INTO '" + copy + "'").c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) _exit(2);
        c.put(row_of(2));
        c.put(row_of(3));
      }
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    CHECK(std::filesystem::file_size(path + "-wal") > 0);
  }
};

}  // namespace pua::test
