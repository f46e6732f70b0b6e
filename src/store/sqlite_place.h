// What stands at a database's path: whether it is still the file that was opened, and its write-ahead log, and whether somebody
// else has written into them. A few calls of stat: cheap enough for each commit.
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

// The file itself, where `path` is a link, or leads through one; where it will be, if it is not there yet.
std::string resolved_path(const std::string& path);

// Whether somebody has the file open for writing; a question to the kernel (a lease), which only the file's owner may ask.
// Whoever opens it meanwhile costs us no signal.
bool being_written(const std::string& path);

class SqlitePlace {
 public:
  enum class Change : uint8_t {
    None,
    Gone,      // nothing stands there
    Replaced,  // another file
    LogGone,   // the file is ours, but its log was removed, replaced or cut off: what it holds would be missing after a crash
    IndexGone, // ... or the index of its log (-shm) was: shared memory, and whoever reached for it would end by SIGBUS
    LogOther,  // ... or the log has other content than was written to it (SqliteLiveLog)
    Written,   // its size or time is not what we have left: a checkpoint by another program, or another file's content
  };
  // name: as configured. path: the file that was opened, where it led then.
  SqlitePlace(std::string name, std::string path) : name_(std::move(name)), path_(std::move(path)) {}
  // What is there now is what we have opened, or have written ourselves.
  void remember();
  // The log and its index are made with the first transaction.
  void remember_log();
  Change look();
  // What the last look() has seen of its log: another size or time than we have left; less of it.
  bool log_written() const { return log_.id.there && !(seen_log_ == log_); }
  bool log_shorter() const { return seen_log_.size < log_.size; }
  static const char* text(Change);

  const FileId& log() const { return log_.id; }
  std::string log_path() const { return path_ + "-wal"; }
  std::string index_path() const { return path_ + "-shm"; }
  struct State {
    FileId id;
    int64_t size = 0, changed_ns = 0;
    bool operator==(const State&) const = default;
    static State of(const std::string& path);
  };
  // Whether two looks have seen the same. Whoever is still copying the file or its log there changes it.
  struct Sight {
    State file, log;
    bool operator==(const Sight&) const = default;
  };
  static Sight sight(const std::string& name);

 private:
  std::string name_, path_;
  State now_, log_, seen_log_;
  FileId index_;
  int64_t index_size_ = 0;
};

}  // namespace pua
