#include "puactl/client.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace puactl {

namespace {

constexpr size_t kMaxReply = 512 * 1024;  // octets: twice what the daemon sends
constexpr int kRetryMs = 20;              // between tries while the daemon's queue is full
constexpr size_t kMaxMessages = 1000;     // kept while a reply is awaited

}  // namespace

Client::Client(std::string socket, int timeout_s)
    : socket_(std::move(socket)), deadline_(std::chrono::steady_clock::now() + std::chrono::seconds(timeout_s)) {}

Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

// Binds to an address without a file, so that nothing has to be cleaned up. Its 128 random bits make sure that nobody had it
// before us, and that nobody gets it by chance when we are gone.
static bool bind_random(int fd) {
  unsigned char random[16];
  if (getrandom(random, sizeof random, 0) != sizeof random) return false;
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  int n = snprintf(own.sun_path + 1, sizeof own.sun_path - 1, "puactl/");
  for (unsigned char octet : random) n += snprintf(own.sun_path + 1 + n, sizeof own.sun_path - 1 - n, "%02x", octet);
  return bind(fd, reinterpret_cast<sockaddr*>(&own), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + n)) == 0;
}

std::string unreachable(const std::string& socket, int error) {
  std::string text = socket + ": ";
  switch (error) {
    case EMSGSIZE: return text + "request too large";
    case ENOENT:
    case ECONNREFUSED:
      return text + strerror(error) + ": is puad running, and is this its dgram_socket? --socket names another one";
    case EACCES: return text + strerror(error) + ": only root and the group of the socket, usually puad, may give orders";
    default: return text + strerror(error);
  }
}

Reach Client::open() {
  if (fd_ >= 0) return Reach::Answered;
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int on = 1;
  if (fd_ < 0 || setsockopt(fd_, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 || !bind_random(fd_)) {
    why_ = std::string("socket: ") + strerror(errno);
    return Reach::Unreachable;
  }
  int size = 4 << 20;
  setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return Reach::Answered;
}

bool Client::wait_for(short what) {
  using namespace std::chrono;
  for (;;) {
    auto left = duration_cast<milliseconds>(deadline_ - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd p = {fd_, what, 0};
    int n = poll(&p, what == 0 ? 0 : 1, static_cast<int>(std::min<int64_t>(left, what == 0 ? kRetryMs : 60000)));
    if (n > 0 || what == 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

Reach Client::send(const std::string& text) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (socket_.empty() || socket_.size() >= sizeof to.sun_path) {
    why_ = socket_ + ": no path of a socket";
    return Reach::Unreachable;
  }
  memcpy(to.sun_path, socket_.data(), socket_.size());
  struct stat st;
  if (stat(socket_.c_str(), &st) == 0) daemon_ = st.st_uid;   // asked each time, for another daemon may have made it since
  for (;;) {
    if (sendto(fd_, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to), sizeof to) >= 0) {
      return Reach::Answered;
    }
    if (errno == EAGAIN) {  // its queue is full; unconnected sockets get no event when there is room again
      if (wait_for(0)) continue;
      why_ = socket_ + ": the daemon takes no requests";
      return Reach::TimedOut;
    }
    if (errno == EINTR) continue;
    why_ = unreachable(socket_, errno);
    return Reach::Unreachable;
  }
}

// One datagram of the daemon's. -1: see errno; EINTR: it was another one's, and is counted and forgotten.
ssize_t Client::take(std::string& text) {
  text.resize(kMaxReply);
  alignas(cmsghdr) char credentials[CMSG_SPACE(sizeof(ucred))];  // and no room for descriptors
  iovec octets = {text.data(), text.size()};
  msghdr m{};
  m.msg_iov = &octets;
  m.msg_iovlen = 1;
  m.msg_control = credentials;
  m.msg_controllen = sizeof credentials;
  ssize_t n = recvmsg(fd_, &m, MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  const cmsghdr* c = CMSG_FIRSTHDR(&m);
  ucred who{};
  bool known =
      c != nullptr && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len >= CMSG_LEN(sizeof who);
  if (known) memcpy(&who, CMSG_DATA(c), sizeof who);
  if (!known || (who.uid != 0 && who.uid != daemon_)) {
    strangers_++;
    stranger_ = who.uid;
    errno = EINTR;
    return -1;
  }
  text.resize(static_cast<size_t>(n));
  return n;
}

std::string Client::strangers() const {
  if (strangers_ == 0) return {};
  return std::to_string(strangers_) + " messages were ignored: they came from user " + std::to_string(stranger_) + ", and " +
         socket_ + " belongs to user " + std::to_string(daemon_);
}

Reach Client::receive(std::string& text) {
  for (;;) {
    if (take(text) >= 0) return Reach::Answered;
    if (errno == EINTR && std::chrono::steady_clock::now() < deadline_) continue;
    if (errno != EAGAIN && errno != EINTR) {
      why_ = std::string("receive: ") + strerror(errno);
      return Reach::Unreachable;
    }
    if (errno == EINTR || !wait_for(POLLIN)) {
      why_ = "no answer in time";
      return Reach::TimedOut;
    }
  }
}

Reach Client::call(const std::string& method, json_t* params, Json& reply) {
  if (Reach r = open(); r != Reach::Answered) return r;
  Json request(json_pack("{s:s, s:s, s:O, s:I}", "jsonrpc", "2.0", "method", method.c_str(), "params", params, "id",
                         static_cast<json_int_t>(++id_)));
  if (Reach r = send(json_line(request.get())); r != Reach::Answered) return r;
  for (;;) {
    std::string text;
    if (Reach r = receive(text); r != Reach::Answered) return r;
    reply.reset(json_loadb(text.data(), text.size(), JSON_ALLOW_NUL, nullptr));   // a document may have one
    const json_t* id = json_object_get(reply.get(), "id");
    // Null: the daemon could not read the request far enough to know its id.
    if (json_is_null(id) || (json_is_integer(id) && json_integer_value(id) == id_)) return Reach::Answered;
    keep(std::move(reply));
  }
}

// Keeps a message that came unasked. A late reply to a request that was given up is none.
void Client::keep(Json&& message) {
  if (json_object_get(message.get(), "method") != nullptr && messages_.size() < kMaxMessages) {
    messages_.push_back(std::move(message));
  }
}

void Client::set_timeout(int seconds) {
  deadline_ = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
}

Reach Client::next_message(int ms, const sigset_t& blocked, Json& message) {
  using namespace std::chrono;
  const auto until = steady_clock::now() + milliseconds(ms);
  while (messages_.empty()) {
    auto left = duration_cast<milliseconds>(until - steady_clock::now()).count();
    if (left < 0) return Reach::TimedOut;
    pollfd p = {fd_, POLLIN, 0};
    timespec wait = {left / 1000, (left % 1000) * 1000000L};
    if (ppoll(&p, 1, &wait, &blocked) <= 0) return Reach::TimedOut;
    std::string text;
    if (take(text) < 0) {
      if (errno == EINTR) continue;
      return Reach::TimedOut;
    }
    keep(Json(json_loadb(text.data(), text.size(), JSON_ALLOW_NUL, nullptr)));
    if (messages_.empty()) return Reach::TimedOut;
  }
  message = std::move(messages_.front());
  messages_.pop_front();
  return Reach::Answered;
}

Reach Client::send_raw(const std::string& text, bool answer_expected, std::string& reply) {
  if (Reach r = open(); r != Reach::Answered) return r;
  if (Reach r = send(text); r != Reach::Answered) return r;
  return answer_expected ? receive(reply) : Reach::Answered;
}

}  // namespace puactl
