// PathGuard: a socket or FIFO in the file system that is ours, removed when we go, and only if it is still ours.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>

namespace pua {

// Sets the umask so that what is created next gets exactly `mode`; back to what it was at the end of the scope.
class ExactMode {
 public:
  explicit ExactMode(mode_t mode) : old_(umask(0777 & ~mode)) {}
  ~ExactMode() { umask(old_); }
  ExactMode(const ExactMode&) = delete;
  ExactMode& operator=(const ExactMode&) = delete;

 private:
  mode_t old_;
};

class PathGuard {
 public:
  PathGuard() = default;
  ~PathGuard() { remove(); }
  PathGuard(const PathGuard&) = delete;
  PathGuard& operator=(const PathGuard&) = delete;

  void own(const std::string& path);  // the file that is there now
  bool still_there() const;           // the path leads to that same file
  void remove();                      // unlink it, if still_there

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace pua
