// Claims on a database file against a second owner, by its name and by the file itself, and what the last owner left a note of.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/sqlite_place.h"

namespace pua {

// What an owner notes of the file it works on. It only saves the next owner a long look at a file that nobody has touched
// since: without it, everything is found out all the same. puadbctl reads it, too (scripts/puadb/sqlite_stale_log.py).
struct SqliteNote {
  SqlitePlace::State file;    // as this owner has left it
  int64_t status_ns = 0;      // and its time that nobody can set (ctime)
  bool folding = false;       // this owner is just writing to it: its size and times say nothing
  std::string boot;           // of the machine: a crash of that may leave older content behind
  std::string text() const;   // one line
  static SqliteNote of(const std::string& line);
  static SqliteNote now(const std::string& path);
  // The file is the noted one, and nobody else has written to it as far as its inode and times tell.
  bool untouched(const std::string& path) const;
};

std::string this_boot();

// An exclusive claim on a database's path, held until destroyed or until the process ends. It lives in `<path>.lock`,
// which stays behind: removing it would let two owners lock two different files.
class FileClaim {
 public:
  // Errors: store_failed; another owner is named by its process id.
  static Result<FileClaim> take(const std::string& path);
  FileClaim(FileClaim&& o) noexcept : path_(std::move(o.path_)), fd_(o.fd_), last_(std::move(o.last_)) { o.fd_ = -1; }
  FileClaim(const FileClaim&) = delete;
  FileClaim& operator=(const FileClaim&) = delete;
  FileClaim& operator=(FileClaim&&) = delete;
  ~FileClaim();

  const SqliteNote& last() const { return last_; }  // of the owner before; of this one, once it has noted something
  void note(const SqliteNote&);
  const std::string& path() const { return path_; }

 private:
  FileClaim(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
  SqliteNote last_;
};

// The same on the file, whatever names it has: a lock on an octet that SQLite does not use. It needs a descriptor of its own,
// and closing one takes all of SQLite's locks on that file from this process: to be destroyed after the connection was closed.
class InodeClaim {
 public:
  // Errors: store_failed.
  static Result<InodeClaim> take(const std::string& path);
  // Whether this process holds the claim on that file, under whatever name: then the file must not be opened and closed here.
  static bool held_here(const std::string& path);
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
