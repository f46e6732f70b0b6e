// What stands at a database's path: whether it is still the file that was opened, and its write-ahead log, and whether somebody else
// has written into it. Two calls of stat: cheap enough for each commit.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace pua {

// A file whatever its name is.
struct FileId {
  dev_t dev = 0;
  ino_t ino = 0;
  bool there = false;
  bool operator==(const FileId&) const = default;
  static FileId of(const std::string& path);
};

// Whether somebody has the file open for writing; a question to the kernel (a lease), which only the file's owner may ask.
bool being_written(const std::string& path);
// Line `writes` of the meta table as it stands in the file itself, whatever its write-ahead log holds. false: it cannot be read.
bool line_in_file(const std::string& path, const std::string& table, std::string& line);

class SqlitePlace {
 public:
  enum class Change : uint8_t {
    None,
    Gone,      // nothing stands there
    Replaced,  // another file
    LogGone,   // the file is ours, but its log was removed, replaced or cut off: what it holds would be missing after a crash
    IndexGone, // ... or the index of its log (-shm) was: memory that all connections share, in which each call would end the process
    Written,   // its size or time is not what we have left: a checkpoint by another program, or another file's content
  };
  explicit SqlitePlace(std::string path) : path_(std::move(path)) {}
  // What is there now is what we have opened, or have written ourselves.
  void remember();
  // The log and its index are made with the first transaction.
  void remember_log();
  Change look() const;
  static const char* text(Change);

  const FileId& log() const { return log_; }
  std::string log_path() const { return path_ + "-wal"; }
  std::string index_path() const { return path_ + "-shm"; }
  // Whether two looks have seen the same. Whoever is still copying a file there changes it.
  struct State {
    FileId id;
    int64_t size = 0, changed_ns = 0;
    bool operator==(const State&) const = default;
  };
  State state() const { return state_of(path_); }
  const State& remembered() const { return now_; }

 private:
  static State state_of(const std::string& path);
  std::string path_;
  State now_;
  FileId log_, index_;
  int64_t log_size_ = 0, index_size_ = 0;  // after the last commit
};

}  // namespace pua
