#include "store/sqlite_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

namespace pua {

namespace {

// SQLite locks octets from 0x40000000 on, some 512 of them.
constexpr off_t kOurOctet = 0x40010000;

Error claim_error(const std::string& path, const std::string& what) { return {Errc::store_failed, path + ": " + what}; }

// Files claimed by this process: another look at them must not open and close them (see InodeClaim).
struct Claimed {
  std::mutex mutex;
  std::vector<FileId> files;
  bool has(const FileId& id) const { return std::find(files.begin(), files.end(), id) != files.end(); }
};

Claimed& claimed() {
  static Claimed all;
  return all;
}

}  // namespace

std::string this_boot() {
  char text[64] = "";
  int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) ::close(fd);
  std::string out(text, static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return out.substr(0, out.find('\n'));
}

std::string SqliteNote::text() const {
  if (boot.empty()) return "";
  char buf[320];
  auto number = [](auto n) { return static_cast<unsigned long long>(n); };
  snprintf(buf, sizeof buf, "file %llu %llu size %lld changed %lld status %lld folding %d boot %.60s", number(file.id.dev),
           number(file.id.ino), static_cast<long long>(file.size), static_cast<long long>(file.changed_ns),
           static_cast<long long>(status_ns), folding ? 1 : 0, boot.c_str());
  return buf;
}

SqliteNote SqliteNote::of(const std::string& line) {
  SqliteNote n;
  unsigned long long file[2] = {};
  long long size = 0, changed = 0, status = 0;
  int folding = 0;
  char boot[64] = "";
  int found = sscanf(line.c_str(), "file %llu %llu size %lld changed %lld status %lld folding %d boot %60s", &file[0], &file[1],
                     &size, &changed, &status, &folding, boot);
  if (found != 7) return {};
  n.file = {{static_cast<dev_t>(file[0]), static_cast<ino_t>(file[1]), file[1] != 0}, size, changed};
  n.status_ns = status;
  n.folding = folding != 0;
  n.boot = boot;
  return n;
}

SqliteNote SqliteNote::now(const std::string& path) {
  SqliteNote n;
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return n;
  auto ns = [](const timespec& t) { return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec; };
  n.file = {{st.st_dev, st.st_ino, true}, st.st_size, ns(st.st_mtim)};
  n.status_ns = ns(st.st_ctim);
  n.boot = this_boot();
  return n;
}

bool SqliteNote::untouched(const std::string& path) const {
  SqliteNote there = now(path);
  if (boot.empty() || boot != there.boot || !(file.id == there.file.id)) return false;
  return folding || (file == there.file && status_ns == there.status_ns);
}

Result<FileClaim> FileClaim::take(const std::string& path) {
  std::string lock = path + ".lock";
  int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0) return claim_error(path, "cannot make its lock file " + lock + ": " + strerror(errno));
  FileClaim claim(path, fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return claim_error(path, "cannot lock " + lock + ": " + strerror(errno));
    char pid[16] = {};
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    long owner = n > 0 ? strtol(pid, nullptr, 10) : 0;
    std::string who = owner == getpid() ? "another instance in this process"
                      : owner > 0       ? "process " + std::to_string(owner)
                                        : "another process";
    return claim_error(path, "in use by " + who);
  }
  char text[512] = {};
  if (pread(fd, text, sizeof text - 1, 0) > 0) {
    if (const char* second = strchr(text, '\n')) claim.last_ = SqliteNote::of(second + 1);
  }
  claim.note(claim.last_);
  return claim;
}

// The process id is for messages; a full disk must not matter here.
void FileClaim::note(const SqliteNote& n) {
  last_ = n;
  std::string text = std::to_string(getpid()) + "\n" + n.text() + "\n";
  if (pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ftruncate(fd_, static_cast<off_t>(text.size())) != 0)
    errno = 0;
}

FileClaim::~FileClaim() {
  if (fd_ >= 0) ::close(fd_);
}

Result<InodeClaim> InodeClaim::take(const std::string& path) {
  Claimed& all = claimed();
  std::lock_guard guard(all.mutex);
  if (all.has(FileId::of(path))) return claim_error(path, "in use by another instance in this process, under another name");
  int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
    return claim_error(path, "cannot be written (read-only)");
  if (fd < 0) return claim_error(path, strerror(errno));
  struct stat st;
  if (fstat(fd, &st) != 0) st = {};
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kOurOctet;
  lock.l_len = 1;
  // Where the file system knows no such locks, the claim by the lock file must be enough.
  if (fcntl(fd, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES)) {
    ::close(fd);
    return claim_error(path, "in use by another process, under another name or with a lock file that was removed");
  }
  FileId id{st.st_dev, st.st_ino, true};
  all.files.push_back(id);
  return InodeClaim(fd, id);
}

bool InodeClaim::held_here(const std::string& path) {
  Claimed& all = claimed();
  std::lock_guard guard(all.mutex);
  return all.has(FileId::of(path));
}

InodeClaim::~InodeClaim() {
  if (fd_ < 0) return;
  Claimed& all = claimed();
  std::lock_guard guard(all.mutex);
  std::erase(all.files, id_);
  ::close(fd_);
}

}  // namespace pua
