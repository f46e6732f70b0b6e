// Servers that speak MariaDB's protocol as far as a test wants it, honest or not: on loopback or on a unix socket.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace pua::test {

inline std::string packet(unsigned char number, const std::string& content) {
  size_t n = content.size();
  return std::string{static_cast<char>(n), static_cast<char>(n >> 8), static_cast<char>(n >> 16), static_cast<char>(number)} + content;
}

// tls: offered. plugin: what the server begins with.
inline std::string greeting(bool tls, const std::string& plugin) {
  unsigned low = 0xf7ff & ~0x0800u, high = 0x81ff;   // PLUGIN_AUTH and what goes with it; nothing of MariaDB's own
  if (tls) low |= 0x0800;
  auto two = [](unsigned v) { return std::string{static_cast<char>(v), static_cast<char>(v >> 8)}; };
  std::string out = std::string("\x0a" "5.5.5-10.11.6-MariaDB") + '\0' + std::string("\1\0\0\0", 4) + "12345678" + '\0' + two(low) + '\x21' + two(2) + two(high) +
                    '\x15' + std::string(10, '\0') + "123456789012" + '\0' + plugin + '\0';
  return packet(0, out);
}

// What a server answers: that statement went well; more: another answer follows.
inline std::string ok_packet(unsigned char number, bool more = false) {
  return packet(number, std::string("\0\0\0", 3) + static_cast<char>(more ? 0x0a : 0x02) + std::string("\0\0\0", 3));
}
// The beginning of an answer of rows with so many columns of octets.
inline std::string columns_packets(unsigned char columns) {
  std::string out = packet(1, std::string(1, static_cast<char>(columns)));
  unsigned char number = 2;
  for (int i = 0; i < columns; i++)
    out += packet(number++, std::string("\x03" "def\0\0\0\x01" "c\x01" "c\x0c\x3f\0\xff\xff\0\0\xfd\0\0\0\0\0", 24));
  return out + packet(number, std::string("\xfe\0\0\x02\0", 5));
}
// One row; no value is longer than 250 octets.
inline std::string row_packet(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& v : values) out += static_cast<char>(v.size()) + v;
  return packet(9, out);
}
inline std::string rows_end_packet() { return packet(10, std::string("\xfe\0\0\x02\0", 5)); }

// Listens, and serves whoever comes, each in a thread.
class FakeServer {
 public:
  // path: of a unix socket; empty: loopback.
  explicit FakeServer(std::function<void(int fd)> serve, std::string path = "") : serve_(std::move(serve)), path_(std::move(path)) {
    listener_ = socket(path_.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_un u{};
    u.sun_family = AF_UNIX;
    path_.copy(u.sun_path, sizeof u.sun_path - 1);
    auto* address = path_.empty() ? reinterpret_cast<sockaddr*>(&a) : reinterpret_cast<sockaddr*>(&u);
    socklen_t size = path_.empty() ? sizeof a : sizeof u;
    if (bind(listener_, address, size) != 0 || listen(listener_, 8) != 0) abort();
    if (path_.empty() && getsockname(listener_, address, &size) != 0) abort();
    port = ntohs(a.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeServer() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    ended_ = true;
    thread_.join();
    for (std::thread& t : served_) t.join();
    close(listener_);
    if (!path_.empty()) unlink(path_.c_str());
  }
  bool ended() const { return ended_; }
  // What comes next; empty: nothing more.
  std::string hear(int fd) {
    while (!ended_) {
      if (!ready(fd, POLLIN)) continue;
      char buf[65536];
      ssize_t n = recv(fd, buf, sizeof buf, 0);
      return n > 0 ? std::string(buf, static_cast<size_t>(n)) : "";
    }
    return "";
  }
  // false: nobody listens any more.
  bool say(int fd, const std::string& octets) {
    for (size_t at = 0; at < octets.size() && !ended_;) {
      if (!ready(fd, POLLOUT)) continue;
      ssize_t n = send(fd, octets.data() + at, octets.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) return false;
      at += static_cast<size_t>(n);
    }
    return !ended_;
  }
  uint16_t port = 0;

 private:
  static bool ready(int fd, short what) {
    pollfd p{fd, what, 0};
    return poll(&p, 1, 20) > 0;
  }
  void run() {
    while (!ended_) {
      if (!ready(listener_, POLLIN)) continue;
      int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      served_.emplace_back([this, fd] {
        serve_(fd);
        close(fd);
      });
    }
  }

  std::function<void(int fd)> serve_;
  std::string path_;
  int listener_ = -1;
  std::atomic<bool> ended_{false};
  std::thread thread_;
  std::vector<std::thread> served_;
};

}  // namespace pua::test
