#include "tests/support/scripted_server.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tests/support/socket_address.h"

namespace pua::test {
namespace {

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Binds a socket to a loopback address. port: in 0 for any, out the one it is; -1: not possible.
int bound_socket(int type, const std::string& host, uint16_t& port) {
  bool v6 = host.find(':') != std::string::npos;
  int fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage ss;
  socklen_t len = socket_address(host, port, ss);
  if (bind(fd, reinterpret_cast<sockaddr*>(&ss), len) != 0) {
    close(fd);
    return -1;
  }
  len = sizeof ss;
  getsockname(fd, reinterpret_cast<sockaddr*>(&ss), &len);
  port = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&ss)->sin6_port : reinterpret_cast<sockaddr_in*>(&ss)->sin_port);
  return fd;
}

std::string address_text(const sockaddr_storage& ss) {
  char text[64] = "";
  if (ss.ss_family == AF_INET6) {
    const auto* a = reinterpret_cast<const sockaddr_in6*>(&ss);
    inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(a->sin6_port));
  }
  const auto* a = reinterpret_cast<const sockaddr_in*>(&ss);
  inet_ntop(AF_INET, &a->sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(a->sin_port));
}

bool address_of(const std::string& text, sockaddr_storage& ss, socklen_t& len) {
  size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  uint16_t port = static_cast<uint16_t>(atoi(text.c_str() + colon + 1));
  ss = {};
  if (text[0] == '[') {
    auto* a = reinterpret_cast<sockaddr_in6*>(&ss);
    a->sin6_family = AF_INET6;
    a->sin6_port = htons(port);
    len = sizeof *a;
    return inet_pton(AF_INET6, text.substr(1, colon - 2).c_str(), &a->sin6_addr) == 1;
  }
  auto* a = reinterpret_cast<sockaddr_in*>(&ss);
  a->sin_family = AF_INET;
  a->sin_port = htons(port);
  len = sizeof *a;
  return inet_pton(AF_INET, text.substr(0, colon).c_str(), &a->sin_addr) == 1;
}

}  // namespace

std::string SipReceived::header(std::string_view name) const {
  for (const auto& [n, v] : headers)
    if (same(n, name)) return v;
  return "";
}

std::string SipReceived::line(std::string_view name) const {
  for (const auto& [n, v] : headers)
    if (same(n, name)) return n + ": " + v;
  return "";
}

std::vector<std::string> SipReceived::names() const {
  std::vector<std::string> out;
  for (const auto& [n, v] : headers) out.push_back(n);
  return out;
}

std::string SipReceived::param(std::string_view name, std::string_view parameter) const {
  std::string value = header(name);
  std::string key = ";" + std::string(parameter) + "=";
  size_t at = value.find(key);
  if (at == std::string::npos) return "";
  at += key.size();
  return value.substr(at, value.find_first_of(";, ", at) - at);
}

SipReceived parse_sip(std::string raw) {
  SipReceived r;
  r.raw = std::move(raw);
  size_t at = 0;
  bool first = true;
  for (;;) {
    size_t end = r.raw.find("\r\n", at);
    if (end == std::string::npos) break;
    std::string line = r.raw.substr(at, end - at);
    at = end + 2;
    if (line.empty()) break;
    if (first) {
      r.start_line = line;
      first = false;
      continue;
    }
    size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    size_t value = line.find_first_not_of(" \t", colon + 1);
    r.headers.emplace_back(line.substr(0, colon), value == std::string::npos ? "" : line.substr(value));
  }
  r.body = r.raw.substr(std::min(at, r.raw.size()));
  return r;
}

ScriptedServer::ScriptedServer(event_base* base, Kind kind, const char* host, uint16_t port)
    : base_(base), kind_(kind), port_(port), host_(host) {
  fd_ = bound_socket(kind == Kind::Udp ? SOCK_DGRAM : SOCK_STREAM, host_, port_);
  if (fd_ < 0) {
    port_ = 0;
    return;
  }
  if (kind == Kind::Tcp) listen(fd_, 64);
  if (kind == Kind::Udp) {
    int size = 8 << 20;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  }
  ev_ = event_new(base, fd_, EV_READ | EV_PERSIST, kind == Kind::Udp ? on_datagram : on_accept, this);
  event_add(ev_, nullptr);
}

ScriptedServer::~ScriptedServer() {
  close_connections();
  if (ev_) event_free(ev_);
  if (fd_ >= 0) close(fd_);
}

void ScriptedServer::close_connections() {
  for (auto& [id, c] : connections_) {
    event_free(c.ev);
    close(c.fd);
  }
  connections_.clear();
}

bool ScriptedServer::send_some(const SipReceived& to, std::string_view bytes) {
  auto it = connections_.find(to.connection);
  return it != connections_.end() &&
         (send(it->second.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN);
}

void ScriptedServer::send_to_all(std::string_view bytes) {
  for (auto& [id, c] : connections_)
    if (send(c.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return;
}

std::string ScriptedServer::uri() const {
  bool v6 = host_.find(':') != std::string::npos;
  return "sip:" + (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_) + (kind_ == Kind::Tcp ? ";transport=tcp" : "");
}

void ScriptedServer::take(SipReceived r) {
  requests.push_back(r);
  if (on_request) on_request(r);
}

void ScriptedServer::on_datagram(int fd, short, void* self) {
  auto* s = static_cast<ScriptedServer*>(self);
  static char buf[70000];
  for (int i = 0; i < 64; i++) {
    sockaddr_storage ss{};
    socklen_t len = sizeof ss;
    ssize_t n = recvfrom(fd, buf, sizeof buf, 0, reinterpret_cast<sockaddr*>(&ss), &len);
    if (n < 0) return;
    SipReceived r = parse_sip(std::string(buf, static_cast<size_t>(n)));
    r.from = address_text(ss);
    s->take(std::move(r));
  }
}

void ScriptedServer::on_accept(int fd, short, void* self) {
  auto* s = static_cast<ScriptedServer*>(self);
  int c = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (c < 0) return;
  int id = ++s->accepted_;
  Connection& k = s->connections_[id];
  k.fd = c;
  k.server = s;
  k.id = id;
  k.ev = event_new(s->base_, c, EV_READ | EV_PERSIST, on_bytes, &k);
  event_add(k.ev, nullptr);
}

void ScriptedServer::on_bytes(int fd, short, void* connection) {
  auto* k = static_cast<Connection*>(connection);
  ScriptedServer* s = k->server;
  int id = k->id;
  char buf[16384];
  ssize_t n = recv(fd, buf, sizeof buf, 0);
  if (n < 0) return;
  if (n == 0) {
    event_free(k->ev);
    close(k->fd);
    s->connections_.erase(id);
    return;
  }
  k->in.append(buf, static_cast<size_t>(n));
  for (;;) {
    auto it = s->connections_.find(id);  // a script may have closed it
    if (it == s->connections_.end()) return;
    std::string& in = it->second.in;
    in.erase(0, in.find_first_not_of("\r\n"));  // keep-alives
    size_t head = in.find("\r\n\r\n");
    if (head == std::string::npos) return;
    size_t body = static_cast<size_t>(atoi(parse_sip(in.substr(0, head + 4)).header("Content-Length").c_str()));
    if (in.size() < head + 4 + body) return;
    SipReceived r = parse_sip(in.substr(0, head + 4 + body));
    in.erase(0, head + 4 + body);
    sockaddr_storage peer{};
    socklen_t peer_len = sizeof peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_len) == 0) r.from = address_text(peer);
    r.connection = id;
    s->take(std::move(r));
  }
}

std::string ScriptedServer::reply_text(const SipReceived& r, int status, std::string_view reason, std::string_view headers,
                                       std::string_view body) {
  std::string out = "SIP/2.0 " + std::to_string(status) + " " + std::string(reason) + "\r\n";
  for (const auto& [n, v] : r.headers) {
    if (same(n, "Via") || same(n, "From") || same(n, "Call-ID") || same(n, "CSeq")) out += n + ": " + v + "\r\n";
    if (same(n, "To")) out += n + ": " + v + ";tag=server-1\r\n";
  }
  out += headers;
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return out + std::string(body);
}

void ScriptedServer::reply(const SipReceived& r, int status, std::string_view reason, std::string_view headers,
                           std::string_view body) {
  send_raw(r, reply_text(r, status, reason, headers, body));
}

void ScriptedServer::send_raw(const SipReceived& to, std::string_view bytes) {
  if (kind_ == Kind::Tcp) {
    auto it = connections_.find(to.connection);
    if (it != connections_.end() && send(it->second.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) close_connections();
    return;
  }
  sockaddr_storage ss{};
  socklen_t len = 0;
  if (address_of(to.from, ss, len)) sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&ss), len);
}

}  // namespace pua::test
