#include "puad/pid_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pua {

static Error failed(const std::string& path, const char* what) {
  return Error{Errc::bad_config, "pid_file " + path + ": " + what + ": " + strerror(errno)};
}

// The locked file is the one that the path leads to: a process that just ended may have removed it in between.
static bool is_at(int fd, const std::string& path) {
  struct stat a, b;
  return fstat(fd, &a) == 0 && stat(path.c_str(), &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Why that file must not be taken over; empty: it may. It is emptied at every start, so it must be nothing but a pid file of
// ours: not another name of some file, nor a file that holds something else.
static std::string not_ours(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return strerror(errno);
  if (!S_ISREG(st.st_mode)) return "it is no regular file";
  if (st.st_nlink > 1)
    return "it is one of " + std::to_string(st.st_nlink) + " links to a file: whatever that is, it is not to be emptied";
  char text[33];
  ssize_t n = pread(fd, text, sizeof text, 0);
  if (n < 0) return strerror(errno);
  bool number = std::all_of(text, text + n, [](char c) { return (c >= '0' && c <= '9') || c == '\n' || c == ' '; });
  return n < static_cast<ssize_t>(sizeof text) && number
             ? ""
             : "it holds something else than a process id, and is not to be emptied";
}

Result<std::unique_ptr<PidFile>> PidFile::create(const std::string& path) {
  for (;;) {
    int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd < 0) return failed(path, "open");
    if (std::string why = not_ours(fd); !why.empty()) {
      close(fd);
      return Error{Errc::bad_config, "pid_file " + path + ": " + why};
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      Error error = failed(path, "lock");
      char holder[16] = "";
      if (pread(fd, holder, sizeof holder - 1, 0) > 0 && errno == EWOULDBLOCK) {
        error.message = "pid_file " + path + ": puad is already running, process " +
                        std::string(holder, strspn(holder, "0123456789"));
      }
      close(fd);
      return error;
    }
    if (!is_at(fd, path)) {
      close(fd);
      continue;
    }
    std::string text = std::to_string(getpid()) + "\n";
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      Error error = failed(path, "write");
      close(fd);
      return error;
    }
    return std::unique_ptr<PidFile>(new PidFile(path, fd));
  }
}

PidFile::~PidFile() {
  if (is_at(fd_, path_)) unlink(path_.c_str());
  close(fd_);
}

}  // namespace pua
