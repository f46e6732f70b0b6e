#include "sip/inbound.h"

#include <netdb.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "sip/inbound_server.h"
#include "sip/request.h"

namespace pua {
namespace {

constexpr int kBacklog = 512;

Error bad(const std::string& uri, const std::string& why) {
  return {Errc::bad_config, "listen address \"" + uri + "\": " + why};
}

// ":5060;transport=tcp" -> 5060; "*": 0, any that is free.
bool port_of_tail(std::string_view tail, bool tls, uint16_t& port) {
  tail = tail.substr(0, tail.find(';'));
  port = tls ? 5061 : 5060;
  if (tail.size() < 2) return tail.empty();
  tail.remove_prefix(1);
  port = 0;
  if (tail == "*") return true;
  auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), port);
  return error == std::errc() && end == tail.data() + tail.size() && port != 0;
}

void set_port(sockaddr_storage& a, uint16_t port) {
  (a.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(a).sin6_port : reinterpret_cast<sockaddr_in&>(a).sin_port) =
      htons(port);
}

// One listening socket. port: what is asked for, 0: any; then what it got.
Result<int> open_door(const std::string& uri, sockaddr_storage a, socklen_t length, uint16_t& port) {
  set_port(a, port);
  int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return {Errc::sip_failed, "cannot listen on " + uri + ": " + strerror(errno)};
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);   // a port whose old connections fade away is free
  if (a.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, reinterpret_cast<sockaddr*>(&a), length) != 0 || ::listen(fd, kBacklog) != 0) {
    int e = errno;
    close(fd);
    return {Errc::sip_failed, "cannot listen on " + uri + ": " + strerror(e)};
  }
  getsockname(fd, reinterpret_cast<sockaddr*>(&a), &length);
  port = ntohs(a.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(a).sin6_port
                                       : reinterpret_cast<sockaddr_in&>(a).sin_port);
  return fd;
}

}  // namespace

Result<std::unique_ptr<Inbound>> Inbound::create(event_base* base, const SipSettings& s, Log& log, Watchdog* watchdog,
                                                 std::function<MonoMs()> now) {
  auto server = std::make_shared<InboundServer>(base, s, log, watchdog, std::move(now));
  if (Status st = server->open(); !st) return st.error();
  return std::unique_ptr<Inbound>(new Inbound(std::move(server), s.tls_dir));
}

Inbound::~Inbound() { server_->retire(); }

bool Inbound::wanted(const std::string& uri) {
  auto target = parse_target(uri);
  if (!target) return false;
  std::string_view transport = uri_param(*target, "transport");
  return !(transport.size() == 3 && strncasecmp(transport.data(), "udp", 3) == 0);
}

Result<uint16_t> Inbound::listen(const std::string& uri, uint16_t port, IncomingPort& port_of) {
  auto target = parse_target(uri);
  if (!target) return bad(uri, target.error().message);
  uint16_t written = 0;
  if (!port_of_tail(target->tail, target->secure, written)) return bad(uri, "no port that can be listened on");
  if (port == 0) port = written;
  if (target->secure) {
    if (tls_dir_.empty()) return bad(uri, "needs tls_dir");
    if (Status st = server_->load_tls(tls_dir_); !st) return st.error();
  }
  std::string host(target->host);
  bool every = host == "*";
  if (every) host = "0.0.0.0";
  if (host.size() > 2 && host[0] == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (int e = getaddrinfo(host.c_str(), nullptr, &hints, &found); e != 0) return bad(uri, gai_strerror(e));
  sockaddr_storage at{};
  socklen_t length = found->ai_addrlen;
  memcpy(&at, found->ai_addr, length);
  freeaddrinfo(found);
  auto fd = open_door(uri, at, length, port);
  if (!fd) return fd.error();
  if (Status st = server_->add_door(*fd, target->secure, port_of); !st) return st.error();
  if (!every) return port;
  auto& any = reinterpret_cast<sockaddr_in6&>(at);
  any = sockaddr_in6{};
  any.sin6_family = AF_INET6;
  auto v6 = open_door(uri, at, sizeof any, port);
  if (!v6) return port;   // a machine without IPv6
  if (Status st = server_->add_door(*v6, target->secure, port_of); !st) return st.error();
  return port;
}

void Inbound::set_max_message(size_t octets) { server_->set_max_message(octets); }
void Inbound::retire() { server_->retire(); }
InboundCounters Inbound::counters() const { return server_->counters(); }
void Inbound::run_due() { server_->run_due(); }
MonoMs Inbound::next_due() const { return server_->next_due(); }

}  // namespace pua
