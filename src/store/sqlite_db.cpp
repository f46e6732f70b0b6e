#include "store/sqlite_db.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "store/sqlite_stale_log.h"

namespace pua {

namespace {

Error file_error(const std::string& path, const std::string& what) {
  return {Errc::store_failed, path + ": " + what};
}

const char* plain_text(int rc) {
  switch (rc & 0xff) {
    case SQLITE_FULL: return "the disk is full";
    case SQLITE_NOTADB: return "not a SQLite database, or encrypted";
    case SQLITE_CORRUPT: return "the database is damaged";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "locked by another process";
    case SQLITE_READONLY: return "cannot be written (read-only)";
    case SQLITE_IOERR: return "read or write error";
    case SQLITE_CANTOPEN: return "cannot be opened";
    case SQLITE_NOMEM: return "out of memory";
    default: return nullptr;
  }
}

// errno of the last failed call on the file or its log; 0 if SQLite has not kept it.
int system_error(sqlite3* db) {
  int e = sqlite3_system_errno(db);
  for (int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* f = nullptr;
    if (e != 0 || sqlite3_file_control(db, "main", which, &f) != SQLITE_OK || !f || !f->pMethods) continue;
    if (f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &e) != SQLITE_OK) e = 0;
  }
  return e;
}

}  // namespace

Result<SqliteDb> SqliteDb::open(const std::string& name, std::shared_ptr<FileClaim> claim) {
  std::string path = resolved_path(name);
  struct stat st;
  if (stat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode)) return file_error(path, "not a file");
  size_t slash = path.rfind('/');
  std::string folder = slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
  if (stat(folder.c_str(), &st) != 0) return file_error(path, "its folder: " + std::string(strerror(errno)));

  bool again = claim != nullptr;  // in the life of one store
  if (!claim || claim->path() != path) {
    Result<FileClaim> own = FileClaim::take(path);
    if (!own) return own.error();
    claim = std::make_shared<FileClaim>(std::move(*own));
  }
  // Rows hold what people publish: not for everybody's eyes. SQLite gives its WAL the mode of the file.
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd >= 0) ::close(fd);
  else if (errno != EEXIST) return file_error(path, strerror(errno));

  SqliteDb db(name, path, std::move(claim));
  // This comes before the claim on the file, which is lost when any other descriptor of the file is closed.
  if (!InodeClaim::held_here(path)) {
    Result<std::string> notice = set_stale_log_aside(path, db.claim_->last(), again ? LongLooks::No : LongLooks::Yes);
    if (!notice) return notice.error();
    db.notice_ = std::move(*notice);
  }
  Result<InodeClaim> inode = InodeClaim::take(path);
  if (!inode) return inode.error();
  db.inode_ = std::make_unique<InodeClaim>(std::move(*inode));
  sqlite3* raw = nullptr;
  int rc = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  db.db_.reset(raw);
  if (rc != SQLITE_OK) return file_error(path, std::string("cannot be opened: ") + (raw ? sqlite3_errmsg(raw) : "no memory"));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 0);
  if (sqlite3_db_readonly(raw, "main") == 1) return file_error(path, plain_text(SQLITE_READONLY));
  return db;
}

std::shared_ptr<FileClaim> SqliteDb::abandon() {
  if (db_) sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  db_.reset();
  inode_.reset();
  return claim_;
}

Status SqliteDb::exec(const char* sql) {
  int rc = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return error(rc);
  return success();
}

Result<SqliteStmt> SqliteDb::prepare(std::string_view sql) {
  sqlite3_stmt* st = nullptr;
  int rc = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &st, nullptr);
  if (rc != SQLITE_OK) return error(rc);
  return SqliteStmt(st);
}

Result<std::string> SqliteDb::value(const char* sql, std::string_view argument) {
  Result<SqliteStmt> st = prepare(sql);
  if (!st) return st.error();
  sqlite3_stmt* s = st->get();
  if (sqlite3_bind_parameter_count(s) > 0) {
    sqlite3_bind_text(s, 1, argument.data(), static_cast<int>(argument.size()), SQLITE_STATIC);
  }
  int rc = sqlite3_step(s);
  if (rc == SQLITE_DONE) return std::string();
  if (rc != SQLITE_ROW) return error(rc);
  const void* p = sqlite3_column_blob(s, 0);
  return std::string(static_cast<const char*>(p), p ? static_cast<size_t>(sqlite3_column_bytes(s, 0)) : 0);
}

std::string SqliteDb::text(int rc) const {
  const char* detail = sqlite3_errmsg(handle());
  const char* plain = plain_text(rc);
  bool file = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
  int sys = file ? system_error(handle()) : 0;
  if (disk_full(rc, *this)) plain = plain_text(SQLITE_FULL);
  std::string out = path_ + ": ";
  if (!plain) return out + detail + " (" + std::to_string(rc) + ")";
  out += std::string(plain) + " (" + detail;
  if (sys != 0) out += std::string(", ") + strerror(sys);
  return out + ")";
}

// Quotas and size limits come as write errors; they are the same thing.
bool disk_full(int rc, const SqliteDb& db) {
  if ((rc & 0xff) == SQLITE_FULL) return true;
  int sys = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN ? system_error(db.handle()) : 0;
  return sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
}

}  // namespace pua
