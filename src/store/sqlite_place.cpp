#include "store/sqlite_place.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace pua {

FileId FileId::of(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return {};
  return {st.st_dev, st.st_ino, true};
}

bool being_written(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool busy = fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
  if (!busy) fcntl(fd, F_SETLEASE, F_UNLCK);
  close(fd);
  return busy;
}

bool line_in_file(const std::string& path, const std::string& table, std::string& line) {
  std::string name = "file:";
  for (char c : path) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    auto octet = static_cast<unsigned char>(c);
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '-' || c == '_';
    if (plain) name += c;
    else name.append(1, '%').append(1, kHex[octet >> 4]).append(1, kHex[octet & 15]);
  }
  sqlite3* db = nullptr;
  sqlite3_stmt* st = nullptr;
  // immutable: its log is not looked at.
  int rc = sqlite3_open_v2((name + "?immutable=1").c_str(), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  std::string sql = "SELECT value FROM \"" + table + "_meta\" WHERE name='writes'";
  if (rc == SQLITE_OK) rc = sqlite3_prepare_v2(db, sql.c_str(), -1, &st, nullptr);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  line.clear();
  if (rc == SQLITE_ROW)
    if (const void* p = sqlite3_column_blob(st, 0)) line.assign(static_cast<const char*>(p), static_cast<size_t>(sqlite3_column_bytes(st, 0)));
  sqlite3_finalize(st);
  sqlite3_close(db);
  return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

SqlitePlace::State SqlitePlace::state_of(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return {};
  return {{st.st_dev, st.st_ino, true}, st.st_size, static_cast<int64_t>(st.st_mtim.tv_sec) * 1000000000 + st.st_mtim.tv_nsec};
}

void SqlitePlace::remember() {
  State seen = state();
  if (now_.id.there && !(seen.id == now_.id)) return;  // not ours: look() says so
  now_ = seen;
  remember_log();
}

void SqlitePlace::remember_log() {
  State log = state_of(log_path());
  if (!log_.there) log_ = log.id;
  if (log.id == log_) log_size_ = log.size;
  State index = state_of(index_path());
  if (!index_.there) index_ = index.id;
  if (index.id == index_) index_size_ = index.size;
}

SqlitePlace::Change SqlitePlace::look() const {
  State seen = state();
  if (!seen.id.there) return Change::Gone;
  if (!(seen.id == now_.id)) return Change::Replaced;
  State log = state_of(log_path());
  if (log_.there && (!(log.id == log_) || log.size < log_size_)) return Change::LogGone;
  State index = state_of(index_path());
  if (index_.there && (!(index.id == index_) || index.size < index_size_)) return Change::IndexGone;
  return seen == now_ ? Change::None : Change::Written;
}

const char* SqlitePlace::text(Change c) {
  switch (c) {
    case Change::Gone: return "the file was removed";
    case Change::Replaced: return "another file stands in its place";
    case Change::LogGone: return "its write-ahead log was removed, replaced or cut off";
    case Change::IndexGone: return "the index of its write-ahead log (-shm) was removed, replaced or cut off";
    case Change::Written: return "another file's content was written over it";
    case Change::None: break;
  }
  return "it is as it was";
}

}  // namespace pua
