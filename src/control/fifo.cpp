#include "control/fifo.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pua {

namespace {

constexpr int kTurnReads = 4;  // reads in one turn of the loop
constexpr size_t kReadSize = 16 * 1024;
constexpr timeval kRestWait = {5, 0};  // for the rest of a request that has begun

Error system_error(const std::string& path, const char* what) {
  return Error{Errc::bad_config, "control FIFO " + path + ": " + what + ": " + strerror(errno)};
}

}  // namespace

// Nobody may read at the path; a FIFO that nobody reads is removed.
static Status clear_path(const std::string& path) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) return errno == ENOENT ? success() : Status(system_error(path, "stat"));
  if (!S_ISFIFO(st.st_mode))
    return Status(Errc::bad_config, "control FIFO " + path + ": the path exists and is no FIFO");
  int probe = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  int why = errno;
  if (probe >= 0) close(probe);
  if (probe >= 0 || why != ENXIO)
    return Status(Errc::bad_config, "control FIFO " + path + ": in use by another process");
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(path, "unlink");
  return success();
}

Result<std::unique_ptr<FifoTransport>> FifoTransport::open(event_base* base, Dispatcher& dispatcher,
                                                           const std::string& path, int mode,
                                                           const std::string& reply_dir) {
  auto replies = FifoReplies::open(base, reply_dir, dispatcher.context().counters, dispatcher.context().pua.log());
  if (!replies) return replies.error();
  Status clear = clear_path(path);
  if (!clear) return clear.error();
  {
    ExactMode exact(static_cast<mode_t>(mode));
    if (mkfifo(path.c_str(), static_cast<mode_t>(mode)) != 0) return system_error(path, "mkfifo");
  }
  // Read and write: holding a writing end ourselves, the FIFO never ends when a client closes it.
  int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    Error error = system_error(path, "open");
    unlink(path.c_str());
    return error;
  }
  std::unique_ptr<FifoTransport> t(new FifoTransport(dispatcher, fd, std::move(*replies)));
  t->guard_.own(path);
  t->read_event_ = event_new(base, fd, EV_READ | EV_PERSIST, &FifoTransport::readable, t.get());
  t->rest_timer_ = evtimer_new(base, &FifoTransport::waited_enough, t.get());
  if (t->read_event_ == nullptr || t->rest_timer_ == nullptr || event_add(t->read_event_, nullptr) != 0) {
    return Error{Errc::no_memory, "control FIFO " + path + ": no event"};
  }
  return t;
}

FifoTransport::FifoTransport(Dispatcher& dispatcher, int fd, std::shared_ptr<FifoReplies> replies)
    : dispatcher_(dispatcher), fd_(fd), replies_(std::move(replies)) {}

FifoTransport::~FifoTransport() {
  if (read_event_ != nullptr) event_free(read_event_);
  if (rest_timer_ != nullptr) event_free(rest_timer_);
  guard_.remove();
  close(fd_);
}

void FifoTransport::readable(int, short, void* self) {
  auto* t = static_cast<FifoTransport*>(self);
  Watchdog::Scope scope(t->dispatcher_.context().pua.watchdog(), "control.fifo");
  t->read_some();
}

void FifoTransport::waited_enough(int, short, void* self) {
  auto* t = static_cast<FifoTransport*>(self);
  Watchdog::Scope scope(t->dispatcher_.context().pua.watchdog(), "control.fifo");
  t->framing_.give_up([t](std::string_view name, std::string_view text) { t->request(name, text); });
}

void FifoTransport::read_some() {
  char buffer[kReadSize];
  bool ended = false;  // a request: what is partial now began after it
  for (int i = 0; i < kTurnReads; i++) {
    ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n <= 0) break;  // EAGAIN: all read
    framing_.feed(std::string_view(buffer, static_cast<size_t>(n)), dispatcher_.context().max_request,
                  [this, &ended](std::string_view name, std::string_view text) { ended = true, request(name, text); });
  }
  if (framing_.partial()) {
    if (ended || evtimer_pending(rest_timer_, nullptr) == 0) evtimer_add(rest_timer_, &kRestWait);
  } else {
    evtimer_del(rest_timer_);
  }
}

void FifoTransport::request(std::string_view name, std::string_view text) {
  // The dispatcher fills in Kamailio's reply_name, where the framing gave no name.
  auto reply_name = std::make_shared<std::string>(name);
  std::weak_ptr<FifoReplies> replies = replies_;
  dispatcher_.handle(
      text,
      [replies, reply_name](std::string&& answer) {
        auto alive = replies.lock();
        if (alive && !reply_name->empty()) alive->send(*reply_name, std::move(answer));
        return true;
      },
      name.empty() ? reply_name.get() : nullptr);
}

}  // namespace pua
