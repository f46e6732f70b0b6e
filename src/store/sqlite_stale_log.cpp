#include "store/sqlite_stale_log.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "store/sqlite_db.h"
#include "store/sqlite_wal.h"

namespace pua {

namespace {

// Files up to this size are read as a whole in some 10 ms.
constexpr int64_t kQuickBytes = 8 * 1024 * 1024;
// So many logs are kept; then the oldest makes room.
constexpr int kMostAside = 10;

Error refusal(const std::string& path, const std::string& what) { return {Errc::store_failed, path + ": " + what}; }

WalFit fit_of(const std::string& path, const WalLog& log) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return WalFit::Unsure;  // opening it tells why
  WalFit fit = fits(log, [fd](uint64_t at, void* to, size_t n) {
    return pread(fd, to, n, static_cast<off_t>(at)) == static_cast<ssize_t>(n);
  });
  ::close(fd);
  return fit;
}

std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (char c : path) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    auto octet = static_cast<unsigned char>(c);
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '.' ||
                 c == '-' || c == '_';
    if (plain) uri += c;
    else uri.append(1, '%').append(1, kHex[octet >> 4]).append(1, kHex[octet & 15]);
  }
  return uri;
}

// Reads all of it; nothing but the index of the log is written. immutable: without its log.
bool damaged_as_a_whole(const std::string& path, bool with_log) {
  sqlite3* raw = nullptr;
  std::string uri = uri_of(path) + (with_log ? "?mode=rw" : "?immutable=1");
  int flags = (with_log ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  int rc = sqlite3_open_v2(uri.c_str(), &raw, flags, nullptr);
  SqliteHandle db(raw);
  sqlite3_stmt* st = nullptr;
  if (rc == SQLITE_OK) sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (rc == SQLITE_OK) sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (rc == SQLITE_OK) rc = sqlite3_prepare_v2(raw, "PRAGMA quick_check(1)", -1, &st, nullptr);
  SqliteStmt check(st);
  if (rc == SQLITE_OK) rc = sqlite3_step(st);
  if (rc == SQLITE_ROW) {
    const unsigned char* text = sqlite3_column_text(st, 0);
    return !text || strcmp(reinterpret_cast<const char*>(text), "ok") != 0;
  }
  return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

// Who has the index of the log open, and so the log; empty: nobody. An index that is there and cannot be looked at may be
// anybody's. This process has it not open, so that closing it here takes no lock from anybody. The kernel gives no number of a
// process that this one cannot see (of another container, say).
Result<std::string> user_of(const std::string& path, const std::string& index) {
  constexpr off_t kOpenOctet = 128;  // each connection of SQLite holds a lock on it
  auto unknown = [&](int why) {
    return refusal(path, "the write-ahead log there belongs to another file than this one, and its index " + index +
                             " cannot be looked at: " + strerror(why));
  };
  int fd = ::open(index.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return std::string();
  if (fd < 0) return unknown(errno);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kOpenOctet;
  lock.l_len = 1;
  int why = fcntl(fd, F_GETLK, &lock) == 0 ? 0 : errno;
  ::close(fd);
  bool no_locks = why == EINVAL || why == ENOLCK || why == EOPNOTSUPP;  // the file system knows none
  if (why != 0 && !no_locks) return unknown(why);
  if (no_locks || lock.l_type == F_UNLCK) return std::string();
  return lock.l_pid > 0 ? "process " + std::to_string(lock.l_pid) : "another process";
}

// A name that is free, or that of the oldest log there.
std::string name_aside(const std::string& log) {
  std::string oldest;
  int64_t age = INT64_MAX;
  for (int i = 1; i <= kMostAside; i++) {
    std::string name = log + ".stale" + (i > 1 ? std::to_string(i) : "");
    struct stat st;
    if (lstat(name.c_str(), &st) != 0) return name;
    if (!S_ISREG(st.st_mode) || st.st_mtim.tv_sec >= age) continue;
    age = st.st_mtim.tv_sec;
    oldest = name;
  }
  return oldest.empty() ? log + ".stale" : oldest;
}

}  // namespace

Result<std::string> set_stale_log_aside(const std::string& path, const SqliteNote& last, LongLooks looks) {
  const std::string log = path + "-wal", index = path + "-shm";
  WalLog wal;
  if (!WalLog::read(log, wal)) return refusal(path, "its write-ahead log " + log + " cannot be read: " + strerror(errno));
  if (wal.frames == 0) return std::string();  // nothing would be played
  WalFit fit = fit_of(path, wal);
  if (fit == WalFit::NoDatabase) return refusal(path, "not a SQLite database, or encrypted");
  if (fit != WalFit::Foreign) {
    if (last.untouched(path) && (fit == WalFit::Belongs || !last.folding)) return std::string();
    bool small = SqlitePlace::State::of(path).size <= kQuickBytes;
    if (looks == LongLooks::No && !small) {
      if (fit == WalFit::Belongs) return std::string();
    } else if (!damaged_as_a_whole(path, true) || damaged_as_a_whole(path, false)) {
      return std::string();  // sound together, or damaged even without the log: that may hold the pages that are whole
    }
  }
  Result<std::string> user = user_of(path, index);
  if (!user) return user.error();
  if (!user->empty())
    return refusal(path, "the write-ahead log there belongs to another file than this one, and " + *user +
                             " has it open: end that first");
  std::string aside = name_aside(log);
  if (rename(log.c_str(), aside.c_str()) != 0)
    return refusal(path, "the write-ahead log there belongs to another file than this one, and cannot be set aside as " +
                             aside + ": " + strerror(errno) + "; move " + log + " away by hand");
  unlink(index.c_str());  // SQLite makes it anew
  return path + ": the write-ahead log there belongs to another file than this one: set aside as " + aside;
}

}  // namespace pua
