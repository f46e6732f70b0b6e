#include "control/fifo_reply.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pua {

namespace {

constexpr size_t kMaxPending = 64;  // replies under way at once
constexpr int kOpenTries = 20, kOpenWaitMs = 50;
constexpr int kWriteWaitMs = 5000;
constexpr size_t kMaxName = 128;

}  // namespace

Result<std::shared_ptr<FifoReplies>> FifoReplies::open(event_base* base, const std::string& folder,
                                                       ControlCounters& counters, Log& log) {
  int fd = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error{Errc::bad_config, "fifo_reply_dir " + folder + ": " + strerror(errno)};
  return std::shared_ptr<FifoReplies>(new FifoReplies(base, fd, folder, counters, log));
}

FifoReplies::~FifoReplies() {
  while (!pending_.empty()) end(pending_.front(), false);
  close(folder_);
}

bool FifoReplies::name_allowed(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name.front() == '.') return false;
  for (size_t i = 0; i < name.size(); i++) {
    char c = name[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!plain && (c != '.' || name[i - 1] == '.')) return false;
  }
  return true;
}

void FifoReplies::send(std::string_view name, std::string&& text) {
  if (!name_allowed(name)) return lost(std::string(name), {0, "that is no plain file name"});
  if (pending_.size() >= kMaxPending) return lost(std::string(name), {0, "too many clients are slow already"});
  Pending& p = pending_.emplace_back();
  p.self = std::prev(pending_.end());
  p.owner = this;
  p.name = name;
  p.text = std::move(text);
  p.text += '\n';
  advance(p);
}

// -1: it cannot be opened; ENXIO: nobody has opened it for reading yet.
int FifoReplies::open_fifo(const std::string& name, FifoFailure& why) const {
  int fd = openat(folder_, name.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    why.error = errno;
    return -1;
  }
  struct stat st;  // of what was opened, so nobody can exchange it after the check
  if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_nlink == 1) return fd;
  why.text = S_ISFIFO(st.st_mode) ? "it has other links" : "it is no FIFO";
  close(fd);
  return -1;
}

void FifoReplies::advance(Pending& p) {
  if (p.fd < 0) {
    FifoFailure why;
    p.fd = open_fifo(p.name, why);
    if (p.fd < 0) {
      if (why.error != ENXIO) return end(p, false, why);
      if (++p.tries >= kOpenTries) return end(p, false, {0, "nobody opened it for reading within a second"});
      return wait(p, -1, 0, kOpenWaitMs);
    }
  }
  while (p.written < p.text.size()) {
    ssize_t n = write(p.fd, p.text.data() + p.written, p.text.size() - p.written);
    if (n > 0) {
      p.written += static_cast<size_t>(n);
    } else if (n < 0 && errno == EAGAIN) {
      return wait(p, p.fd, EV_WRITE, kWriteWaitMs);
    } else if (n == 0 || errno != EINTR) {
      return end(p, false, {n == 0 ? EPIPE : errno, ""});
    }
  }
  end(p, true);
}

void FifoReplies::wait(Pending& p, int fd, short what, int timeout_ms) {
  if (p.waiting != nullptr) event_free(p.waiting);
  p.waiting = event_new(base_, fd, what, &FifoReplies::on_event, &p);
  timeval tv = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
  if (p.waiting == nullptr || event_add(p.waiting, &tv) != 0) end(p, false);
}

void FifoReplies::on_event(int, short what, void* pending) {
  auto* p = static_cast<Pending*>(pending);
  if (p->fd >= 0 && (what & EV_TIMEOUT) != 0) return p->owner->end(*p, false, {EAGAIN, ""});  // reads too slowly
  p->owner->advance(*p);
}

void FifoReplies::lost(const std::string& name, FifoFailure why) {
  counters_.replies_dropped++;
  if (why.error != 0 || *why.text != '\0') undelivered_.to_fifo(folder_name_ + "/" + name, why.error, why.text);
}

void FifoReplies::end(Pending& p, bool sent, FifoFailure why) {
  if (sent) counters_.replies++;
  else lost(p.name, why);
  if (p.waiting != nullptr) event_free(p.waiting);
  if (p.fd >= 0) close(p.fd);
  pending_.erase(p.self);
}

}  // namespace pua
