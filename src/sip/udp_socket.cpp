#include "sip/udp_socket.h"

#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pua {
namespace {

void set(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

// Only a process with CAP_NET_ADMIN gets more than net.core.rmem_max; others get as much as the system allows.
void set_buffer(int fd, int force, int plain, uint32_t octets) {
  int size = static_cast<int>(octets);
  if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) != 0) set(fd, SOL_SOCKET, plain, size);
}

unsigned slot_of(const NetAddress& a) {
  uint32_t h = 0;
  if (a.family() == AF_INET) {
    h = a.v4.sin_addr.s_addr;
  } else {
    uint32_t w[4];
    memcpy(w, &a.v6.sin6_addr, sizeof w);
    h = w[0] ^ w[1] ^ w[2] ^ w[3];
  }
  return h * 0x9e3779b1u >> 26;
}

}  // namespace

Result<std::unique_ptr<UdpSocket>> UdpSocket::open(const NetAddress& at, uint32_t buffer) {
  std::unique_ptr<UdpSocket> s(new UdpSocket);
  bool v6 = at.family() == AF_INET6;
  s->fd_ = socket(at.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s->fd_ < 0) return {Errc::sip_failed, strerror(errno)};
  if (v6) set(s->fd_, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  s->v6_ = v6;
  s->tell_errors(true);
  set_buffer(s->fd_, SO_RCVBUFFORCE, SO_RCVBUF, buffer);
  set_buffer(s->fd_, SO_SNDBUFFORCE, SO_SNDBUF, buffer);
  if (bind(s->fd_, &at.any, at.length()) != 0) return {Errc::sip_failed, strerror(errno)};
  s->local_ = at;
  socklen_t length = sizeof s->local_.v6;
  if (getsockname(s->fd_, &s->local_.any, &length) != 0) return {Errc::sip_failed, strerror(errno)};
  s->any_ = s->local_.is_any();
  s->text_ = s->local_.text();
  if (s->any_) s->ways_ = std::make_unique<Way[]>(kWays);
  return s;
}

UdpSocket::~UdpSocket() {
  if (fd_ >= 0) close(fd_);
}

// Connecting a UDP socket sends nothing: it only asks the routing table.
NetAddress source_toward(const NetAddress& to) {
  NetAddress from;
  from.any.sa_family = to.any.sa_family;
  int fd = socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  socklen_t length = sizeof from.v6;
  bool known = fd >= 0 && connect(fd, &to.any, to.length()) == 0 && getsockname(fd, &from.any, &length) == 0 && !from.is_any();
  if (fd >= 0) close(fd);
  // No route: the request will fail anyway, but an address must stand in it.
  if (!known) from = *NetAddress::literal(to.family() == AF_INET ? "127.0.0.1" : "::1", 0);
  from.set_port(0);
  return from;
}

bool has_way(const NetAddress& to) {
  int fd = socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool way = fd >= 0 && connect(fd, &to.any, to.length()) == 0;
  if (fd >= 0) close(fd);
  return way;
}

const std::string& UdpSocket::source(const NetAddress& to, MonoMs now) {
  if (!any_) return text_;
  Way& w = ways_[slot_of(to)];
  if (w.until <= now || !w.to.same_host(to)) {
    w.to = to;
    NetAddress from = source_toward(to);
    from.set_port(local_.port());
    w.source = from.text();
    w.until = now + kWayMs;
  }
  return w.source;
}

void UdpSocket::tell_errors(bool on) { set(fd_, v6_ ? IPPROTO_IPV6 : IPPROTO_IP, v6_ ? IPV6_RECVERR : IP_RECVERR, on); }

// The filter sees the UDP header, 8 octets, and then the message.
int UdpSocket::let_few_in(bool on) {
  static sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 8),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xdfdfdfff),                             // in any case
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5349502f, 4, 0),                       // "SIP/"
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x4e4f5449, 3, 0),                       // "NOTI"
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1u << 26, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  sock_fprog program{sizeof code / sizeof code[0], code};
  int zero = 0;
  int rc = on ? setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)
              : setsockopt(fd_, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero);
  return rc == 0 ? 0 : errno;
}

uint32_t UdpSocket::drops() const {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof info;
  return getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, info, &length) == 0 ? info[SK_MEMINFO_DROPS] : 0;
}

}  // namespace pua
