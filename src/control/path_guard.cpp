#include "control/path_guard.h"

#include <unistd.h>

namespace pua {

void PathGuard::own(const std::string& path) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) return;
  path_ = path;
  device_ = st.st_dev;
  inode_ = st.st_ino;
}

bool PathGuard::still_there() const {
  struct stat st;
  return !path_.empty() && lstat(path_.c_str(), &st) == 0 && st.st_dev == device_ && st.st_ino == inode_;
}

void PathGuard::remove() {
  if (still_there()) unlink(path_.c_str());
  path_.clear();
}

}  // namespace pua
