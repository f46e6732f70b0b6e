#include "control/dgram.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>

namespace pua {

namespace {

constexpr int kTurnDatagrams = 64;                        // datagrams read in one turn of the loop
constexpr auto kTurnTime = std::chrono::milliseconds(4);  // and no longer than this: SIP timers stand behind

Error system_error(const std::string& path, const char* what) {
  return Error{Errc::bad_config, "control socket " + path + ": " + what + ": " + strerror(errno)};
}

bool make_address(const std::string& path, sockaddr_un& address) {
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  memcpy(address.sun_path, path.data(), path.size());
  return true;
}

}  // namespace

// Nobody may answer at the path; a socket that nobody listens on is removed.
static Status clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) return errno == ENOENT ? success() : Status(system_error(path, "stat"));
  if (!S_ISSOCK(st.st_mode))
    return Status(Errc::bad_config, "control socket " + path + ": the path exists and is no socket");
  int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return system_error(path, "socket");
  int answered = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  int why = errno;
  close(probe);
  // Anything but "refused" may be a living server, for example one of another socket type.
  if (answered == 0 || why != ECONNREFUSED) {
    return Status(Errc::bad_config, "control socket " + path + ": in use by another process");
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(path, "unlink");
  return success();
}

Result<std::unique_ptr<DgramTransport>> DgramTransport::open(event_base* base, Dispatcher& dispatcher,
                                                             const std::string& path, int mode) {
  sockaddr_un address;
  if (!make_address(path, address)) {
    return Error{Errc::bad_config, "control socket " + path + ": the path must have 1 to " +
                                       std::to_string(sizeof address.sun_path - 1) + " octets"};
  }
  Status clear = clear_path(path, address);
  if (!clear) return clear.error();
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return system_error(path, "socket");
  auto replies = DgramReplies::open(base, fd, dispatcher.context().counters);
  if (!replies) return replies.error();
  {
    ExactMode exact(static_cast<mode_t>(mode));
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return system_error(path, "bind");
  }
  std::unique_ptr<DgramTransport> t(new DgramTransport(dispatcher, std::move(*replies)));
  t->guard_.own(path);
  t->event_ = event_new(base, fd, EV_READ | EV_PERSIST, &DgramTransport::readable, t.get());
  if (t->event_ == nullptr || event_add(t->event_, nullptr) != 0) {
    return Error{Errc::no_memory, "control socket " + path + ": no event"};
  }
  return t;
}

DgramTransport::DgramTransport(Dispatcher& dispatcher, std::shared_ptr<DgramReplies> replies)
    : dispatcher_(dispatcher), replies_(std::move(replies)) {}

DgramTransport::~DgramTransport() {
  if (event_ != nullptr) event_free(event_);
  guard_.remove();
}

void DgramTransport::readable(int, short, void* self) {
  auto* t = static_cast<DgramTransport*>(self);
  Watchdog::Scope scope(t->dispatcher_.context().pua.watchdog(), "control.dgram");
  t->read_some();
}

void DgramTransport::read_some() {
  // One octet more than a request may have: the dispatcher sees that it is too long, and says so.
  buffer_.resize(dispatcher_.context().max_request + 1);
  const auto end = std::chrono::steady_clock::now() + kTurnTime;
  for (int i = 0; i < kTurnDatagrams; i++) {
    sockaddr_un from;
    socklen_t from_size = sizeof from;
    ssize_t n =
        recvfrom(replies_->socket(), buffer_.data(), buffer_.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (n < 0) return;    // EAGAIN: all read
    std::string address;  // of a client without a name: empty, and no way back
    from_size = std::min<socklen_t>(from_size, sizeof from);  // of a path that fills sun_path Linux counts a NUL behind it
    if (from_size > offsetof(sockaddr_un, sun_path)) address.assign(reinterpret_cast<char*>(&from), from_size);
    std::weak_ptr<DgramReplies> replies = replies_;
    Caller caller{replies_, address};
    dispatcher_.handle(
        std::string_view(buffer_.data(), static_cast<size_t>(n)),
        [replies = std::move(replies), address = std::move(address)](std::string&& text) {
          auto alive = replies.lock();
          return !alive || alive->send(address, std::move(text));
        },
        nullptr, caller);
    if (std::chrono::steady_clock::now() >= end) return;
  }
}

}  // namespace pua
