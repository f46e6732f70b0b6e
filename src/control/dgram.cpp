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
  auto replies = DgramReplies::open(base, fd, dispatcher.context().counters, dispatcher.context().pua.log());
  if (!replies) return replies.error();
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);   // without: all clients count as one
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

// One datagram, and who sent it. -1: there is none.
static ssize_t receive(int socket, std::vector<char>& buffer, Caller& from) {
  union {
    sockaddr_un un;
    sockaddr_storage room;   // a length beyond the first is reported, see below
  } name;
  // Room for credentials and no more: descriptors that a client sends along are not taken.
  alignas(cmsghdr) char credentials[CMSG_SPACE(sizeof(ucred))];
  iovec octets = {buffer.data(), buffer.size()};
  msghdr m{};
  m.msg_name = &name;
  m.msg_namelen = sizeof name.un;
  m.msg_iov = &octets;
  m.msg_iovlen = 1;
  m.msg_control = credentials;
  m.msg_controllen = sizeof credentials;
  ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  socklen_t size =
      std::min<socklen_t>(m.msg_namelen, sizeof name.un);  // of a path that fills sun_path Linux counts a NUL behind it
  if (size > offsetof(sockaddr_un, sun_path)) from.address.assign(reinterpret_cast<char*>(&name.un), size);
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS || c->cmsg_len < CMSG_LEN(sizeof(ucred))) continue;
    ucred who;
    memcpy(&who, CMSG_DATA(c), sizeof who);
    from.user = who.uid;
    from.process = who.pid;
  }
  return n;
}

void DgramTransport::read_some() {
  // One octet more than a request may have: the dispatcher sees that it is too long, and says so.
  buffer_.resize(dispatcher_.context().max_request + 1);
  const auto end = std::chrono::steady_clock::now() + kTurnTime;
  for (int i = 0; i < kTurnDatagrams; i++) {
    Caller caller;
    caller.sink = replies_;
    ssize_t n = receive(replies_->socket(), buffer_, caller);
    if (n < 0) return;    // EAGAIN: all read
    std::weak_ptr<DgramReplies> replies = replies_;
    dispatcher_.handle(
        std::string_view(buffer_.data(), static_cast<size_t>(n)),
        [replies = std::move(replies), address = caller.address](std::string&& text) {
          auto alive = replies.lock();
          return !alive || alive->send(address, std::move(text));
        },
        nullptr, caller);
    if (std::chrono::steady_clock::now() >= end) return;
  }
}

}  // namespace pua
