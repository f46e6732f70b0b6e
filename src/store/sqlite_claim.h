// Claims on a database file against a second owner, by its name and by the file itself, and what the last owner left a note of.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/sqlite_place.h"

namespace pua {

// What an owner notes of the files it works on, so that the next one can tell a write-ahead log that belongs to another file, or to
// other content: SQLite would play it into whatever stands at the path. Nothing is concluded from an empty one.
struct SqliteNote {
  SqlitePlace::State file;    // as this owner has left it
  FileId log;
  uint32_t folded = 0;        // pages of the log that were in the file then (wal_folded)
  std::string boot;           // of the machine: a crash of that may leave older times behind
  // What tells the content (SqliteWatch): the table, and its line `writes` as it stands in the file itself.
  std::string table, base;
  std::string text() const;   // one line
  static SqliteNote of(const std::string& line);
};

std::string this_boot();
// How many pages of a write-ahead log are in the file already, as its index beside it says (SQLite's walformat, octet 96).
constexpr size_t kFoldedAt = 96;

// An exclusive claim on a database's path, held until destroyed or until the process ends. It lives in `<path>.lock`,
// which stays behind: removing it would let two owners lock two different files.
class FileClaim {
 public:
  // Errors: store_failed; another owner is named by its process id.
  static Result<FileClaim> take(const std::string& path);
  FileClaim(FileClaim&& o) noexcept : fd_(o.fd_), last_(std::move(o.last_)) { o.fd_ = -1; }
  FileClaim(const FileClaim&) = delete;
  FileClaim& operator=(const FileClaim&) = delete;
  FileClaim& operator=(FileClaim&&) = delete;
  ~FileClaim();

  const SqliteNote& last() const { return last_; }  // of the owner before; of this one, once it has noted something
  void note(const SqliteNote&);

 private:
  explicit FileClaim(int fd) : fd_(fd) {}
  int fd_;
  SqliteNote last_;
};

// The same on the file, whatever names it has: a lock on an octet that SQLite does not use. It needs a descriptor of its own, and
// closing one takes all of SQLite's locks on that file from this process: to be destroyed after the connection was closed.
class InodeClaim {
 public:
  // Errors: store_failed.
  static Result<InodeClaim> take(const std::string& path);
  InodeClaim(InodeClaim&& o) noexcept : fd_(o.fd_), id_(o.id_) { o.fd_ = -1; }
  InodeClaim(const InodeClaim&) = delete;
  InodeClaim& operator=(const InodeClaim&) = delete;
  InodeClaim& operator=(InodeClaim&&) = delete;
  ~InodeClaim();

 private:
  InodeClaim(int fd, const FileId& id) : fd_(fd), id_(id) {}
  int fd_;
  FileId id_;
};

}  // namespace pua
