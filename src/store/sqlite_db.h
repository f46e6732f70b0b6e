// SQLite connection: opening with every way it can fail named, statements, error texts, the lock against a second owner.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pua {

// An exclusive claim on a database file, held until destroyed or until the process ends. It lives in `<path>.lock`,
// which stays behind: removing it would let two owners lock two different files.
class FileClaim {
 public:
  // Errors: store_failed; another owner is named by its process id.
  static Result<FileClaim> take(const std::string& path);
  FileClaim(FileClaim&& o) noexcept : fd_(o.fd_) { o.fd_ = -1; }
  FileClaim(const FileClaim&) = delete;
  FileClaim& operator=(const FileClaim&) = delete;
  FileClaim& operator=(FileClaim&&) = delete;
  ~FileClaim();

 private:
  explicit FileClaim(int fd) : fd_(fd) {}
  int fd_;
};

struct SqliteClose {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  void operator()(sqlite3_stmt* st) const { sqlite3_finalize(st); }
};
using SqliteHandle = std::unique_ptr<sqlite3, SqliteClose>;
using SqliteStmt = std::unique_ptr<sqlite3_stmt, SqliteClose>;

class SqliteDb {
 public:
  // Opens `path` for reading and writing, creates it (mode 0640) if absent. Never waits for a lock.
  static Result<SqliteDb> open(const std::string& path);

  sqlite3* handle() const { return db_.get(); }
  const std::string& path() const { return path_; }

  Status exec(const char* sql);
  Result<SqliteStmt> prepare(std::string_view sql);
  // One value of one row; "" if there is none.
  Result<std::string> value(const char* sql, std::string_view argument = {});

  // "<path>: <what is wrong>", for the last call that failed with rc.
  std::string text(int rc) const;
  Error error(int rc) const { return {Errc::store_failed, text(rc)}; }

 private:
  SqliteDb(std::string path, FileClaim claim) : path_(std::move(path)), claim_(std::move(claim)) {}
  std::string path_;
  FileClaim claim_;  // let go after the connection was closed
  SqliteHandle db_;
};

// Whether that was for want of room on the disk, a quota or a size limit. Right after the call that gave rc.
bool disk_full(int rc, const SqliteDb&);

}  // namespace pua
