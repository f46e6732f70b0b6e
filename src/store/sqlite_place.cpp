#include "store/sqlite_place.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

namespace pua {

namespace {

// Whoever holds a lease is told by SIGIO that somebody opens the file, and that signal ends a process that does not handle it.
// While we ask, it goes to this thread alone and is blocked, and afterwards it is taken off: a handler of the host's never sees
// it.
class NoLeaseSignal {
 public:
  explicit NoLeaseSignal(int fd) {
    sigemptyset(&set_);
    sigaddset(&set_, SIGIO);
    sigset_t waiting;
    sigpending(&waiting);
    was_waiting_ = sigismember(&waiting, SIGIO) == 1;
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
    f_owner_ex to{F_OWNER_TID, gettid()};
    to_us_ = fcntl(fd, F_SETOWN_EX, &to) == 0;
  }
  ~NoLeaseSignal() {
    timespec none{};
    while (!was_waiting_ && sigtimedwait(&set_, nullptr, &none) < 0 && errno == EINTR) {}
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoLeaseSignal(const NoLeaseSignal&) = delete;
  NoLeaseSignal& operator=(const NoLeaseSignal&) = delete;
  bool to_us() const { return to_us_; }

 private:
  sigset_t set_, before_;
  bool was_waiting_ = false, to_us_ = false;
};

}  // namespace

FileId FileId::of(const std::string& path) { return SqlitePlace::State::of(path).id; }

std::string resolved_path(const std::string& path) {
  char buf[PATH_MAX];
  if (realpath(path.c_str(), buf)) return buf;
  size_t slash = path.rfind('/');  // it is not there: its folder may be
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (!realpath(folder.c_str(), buf)) return path;
  std::string name = path.substr(slash + 1);
  return std::string(buf) == "/" ? "/" + name : std::string(buf) + "/" + name;
}

bool being_written(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  bool busy = false;
  {
    NoLeaseSignal quiet(fd);
    if (quiet.to_us()) {
      busy = fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
      if (!busy) fcntl(fd, F_SETLEASE, F_UNLCK);
    }
  }
  close(fd);
  return busy;
}

SqlitePlace::State SqlitePlace::State::of(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return {};
  return {{st.st_dev, st.st_ino, true}, st.st_size, static_cast<int64_t>(st.st_mtim.tv_sec) * 1000000000 + st.st_mtim.tv_nsec};
}

SqlitePlace::Sight SqlitePlace::sight(const std::string& name) {
  std::string path = resolved_path(name);
  return {State::of(path), State::of(path + "-wal")};
}

void SqlitePlace::remember() {
  State seen = State::of(name_);
  if (now_.id.there && !(seen.id == now_.id)) return;  // not ours: look() says so
  now_ = seen;
  remember_log();
}

void SqlitePlace::remember_log() {
  State log = State::of(log_path());
  if (!log_.id.there || log.id == log_.id) log_ = log;
  State index = State::of(index_path());
  if (!index_.there) index_ = index.id;
  if (index.id == index_) index_size_ = index.size;
}

SqlitePlace::Change SqlitePlace::look() {
  State seen = State::of(name_);
  if (!seen.id.there) return Change::Gone;
  if (!(seen.id == now_.id)) return Change::Replaced;
  seen_log_ = State::of(log_path());
  if (log_.id.there && !(seen_log_.id == log_.id)) return Change::LogGone;
  State index = State::of(index_path());
  if (index_.there && (!(index.id == index_) || index.size < index_size_)) return Change::IndexGone;
  return seen == now_ ? Change::None : Change::Written;
}

const char* SqlitePlace::text(Change c) {
  switch (c) {
    case Change::Gone: return "the file was removed";
    case Change::Replaced: return "another file stands in its place";
    case Change::LogGone: return "its write-ahead log was removed, replaced or cut off";
    case Change::IndexGone: return "the index of its write-ahead log (-shm) was removed, replaced or cut off";
    case Change::LogOther: return "other content was written over its write-ahead log";
    case Change::Written: return "another file's content was written over it";
    case Change::None: break;
  }
  return "it is as it was";
}

}  // namespace pua
