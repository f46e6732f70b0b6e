#include "sip/su_streams.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "sip/su_core.h"

namespace pua {
namespace {

bool is(int fd, int option, int wanted) {
  int value = 0;
  socklen_t len = sizeof value;
  return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

uint16_t* port_of(sockaddr_storage& a) {
  if (a.ss_family == AF_INET) return &reinterpret_cast<sockaddr_in&>(a).sin_port;
  if (a.ss_family == AF_INET6) return &reinterpret_cast<sockaddr_in6&>(a).sin6_port;
  return nullptr;
}

// Puts a socket of the same address in its place that is bound, and no more than that. The old one leaves every epoll set with
// its last descriptor; the new one is in none.
bool replace(SuCore* core, int fd, uint16_t port) {
  if (!is(fd, SO_TYPE, SOCK_STREAM) || !is(fd, SO_ACCEPTCONN, 1)) return false;
  sockaddr_storage a{};
  socklen_t len = sizeof a;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&a), &len) != 0) return false;
  uint16_t* p = port_of(a);
  if (!p || ntohs(*p) != port) return false;
  int other = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int only = 1;
  if (other >= 0 && a.ss_family == AF_INET6) setsockopt(other, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  *p = 0;
  if (core) core->ignore(fd);
  bool done = other >= 0 && bind(other, reinterpret_cast<sockaddr*>(&a), len) == 0 && dup3(other, fd, O_CLOEXEC) == fd;
  if (!done) shutdown(fd, SHUT_RDWR);  // then at least nobody can connect
  if (other >= 0) close(other);
  return done;
}

}  // namespace

int unlisten(su_root_t* root, uint16_t port) {
  DIR* dir = opendir("/proc/self/fd");
  int n = 0;
  while (dirent* e = dir ? readdir(dir) : nullptr) {
    int fd = -1;
    std::from_chars(e->d_name, e->d_name + strlen(e->d_name), fd);
    if (fd >= 0 && fd != dirfd(dir) && replace(SuCore::of(root), fd, port)) n++;
  }
  if (dir) closedir(dir);
  return n;
}

void su_guard_streams(su_root_t* root, size_t most) {
  if (SuCore* core = SuCore::of(root)) core->guard_streams(most);
}

void su_stream_message(su_root_t* root, const sockaddr* peer) {
  if (SuCore* core = SuCore::of(root)) core->stream_message(peer);
}

void su_stream_unanswered(su_root_t* root, const sockaddr* peer) {
  if (SuCore* core = SuCore::of(root)) core->stream_unanswered(peer);
}

std::string peer_text(const sockaddr* a) {
  char text[INET6_ADDRSTRLEN] = "";
  if (a->sa_family == AF_INET) {
    auto* in = reinterpret_cast<const sockaddr_in*>(a);
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(in->sin_port));
  }
  if (a->sa_family != AF_INET6) return {};
  auto* in6 = reinterpret_cast<const sockaddr_in6*>(a);
  inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(in6->sin6_port));
}

std::string stream_peer(int fd) {
  sockaddr_storage a{};
  socklen_t len = sizeof a;
  auto* name = reinterpret_cast<sockaddr*>(&a);
  return getpeername(fd, name, &len) == 0 ? peer_text(name) : std::string();
}

void limit_unread(int fd, size_t most) {
  int octets = static_cast<int>(std::min<size_t>(std::max<size_t>(most, 65536), 1u << 22));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
}

bool stream_octets(int fd, uint64_t& out) {
  tcp_info info{};
  socklen_t len = sizeof info;
  int unread = 0;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return false;
  if (len < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) return false;
  if (ioctl(fd, FIONREAD, &unread) != 0) unread = 0;
  uint64_t received = info.tcpi_bytes_received, waiting = static_cast<uint64_t>(unread);
  out = received > waiting ? received - waiting : 0;
  return true;
}

}  // namespace pua
