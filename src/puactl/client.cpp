#include "puactl/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

Reach Client::open() {
  if (fd_ >= 0) return Reach::Answered;
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  // An address without a file, chosen by the kernel (unix(7), autobind): nothing to clean up, nothing to guess.
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof(sa_family_t)) != 0) {
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
    why_ = socket_ + ": " + (errno == EMSGSIZE ? "request too large" : strerror(errno));
    return Reach::Unreachable;
  }
}

Reach Client::receive(std::string& text) {
  text.resize(kMaxReply);
  for (;;) {
    ssize_t n = recv(fd_, text.data(), text.size(), 0);
    if (n >= 0) {
      text.resize(static_cast<size_t>(n));
      return Reach::Answered;
    }
    if (errno != EAGAIN && errno != EINTR) {
      why_ = std::string("receive: ") + strerror(errno);
      return Reach::Unreachable;
    }
    if (errno == EAGAIN && !wait_for(POLLIN)) {
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
    reply.reset(json_loadb(text.data(), text.size(), 0, nullptr));
    const json_t* id = json_object_get(reply.get(), "id");
    // Null: the daemon could not read the request far enough to know its id.
    if (json_is_null(id) || (json_is_integer(id) && json_integer_value(id) == id_)) return Reach::Answered;
    keep(std::move(reply));
  }
}

// Late replies to requests that were given up are none.
void Client::keep(Json&& message) {
  if (json_object_get(message.get(), "method") != nullptr && messages_.size() < kMaxMessages) {
    messages_.push_back(std::move(message));
  }
}

void Client::set_timeout(int seconds) {
  deadline_ = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
}

Reach Client::next_message(int ms, const sigset_t& blocked, Json& message) {
  if (messages_.empty()) {
    pollfd p = {fd_, POLLIN, 0};
    timespec wait = {ms / 1000, (ms % 1000) * 1000000L};
    if (ppoll(&p, 1, &wait, &blocked) <= 0) return Reach::TimedOut;
    std::string text(kMaxReply, '\0');
    ssize_t n = recv(fd_, text.data(), text.size(), 0);
    if (n < 0) return Reach::TimedOut;
    keep(Json(json_loadb(text.data(), static_cast<size_t>(n), 0, nullptr)));
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
