// SQLite connection: opening with every way it can fail named, statements, error texts, the lock against a second owner.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/sqlite_claim.h"

namespace pua {

struct SqliteClose {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  void operator()(sqlite3_stmt* st) const { sqlite3_finalize(st); }
};
using SqliteHandle = std::unique_ptr<sqlite3, SqliteClose>;
using SqliteStmt = std::unique_ptr<sqlite3_stmt, SqliteClose>;

class SqliteDb {
 public:
  // Opens `path` for reading and writing, creates it (mode 0640) if absent. Never waits for a lock.
  // With the claim that a former connection had (abandon), or one of its own. A write-ahead log there that does not belong to
  // the file is set aside before (sqlite_stale_log.h).
  static Result<SqliteDb> open(const std::string& path, std::shared_ptr<FileClaim> claim = {});
  // Closes without writing to the file, which may not be the one at its path any more. Statements are to be finalized before.
  std::shared_ptr<FileClaim> abandon();

  sqlite3* handle() const { return db_.get(); }
  const std::string& name() const { return name_; }  // as configured
  const std::string& path() const { return path_; }  // the file itself, where that is a link
  FileClaim& claim() { return *claim_; }
  const InodeClaim& inode() const { return *inode_; }
  const std::string& notice() const { return notice_; }  // what opening found worth a line in the log; empty: nothing

  Status exec(const char* sql);
  Result<SqliteStmt> prepare(std::string_view sql);
  // One value of one row; "" if there is none.
  Result<std::string> value(const char* sql, std::string_view argument = {});

  // "<path>: <what is wrong>", for the last call that failed with rc.
  std::string text(int rc) const;
  Error error(int rc) const { return {Errc::store_failed, text(rc)}; }

 private:
  SqliteDb(std::string name, std::string path, std::shared_ptr<FileClaim> claim)
      : name_(std::move(name)), path_(std::move(path)), claim_(std::move(claim)) {}
  std::string name_, path_, notice_;
  std::shared_ptr<FileClaim> claim_;
  std::unique_ptr<InodeClaim> inode_;  // let go after the connection was closed
  SqliteHandle db_;
};

// Whether that was for want of room on the disk, a quota or a size limit. Right after the call that gave rc.
bool disk_full(int rc, const SqliteDb&);

}  // namespace pua
