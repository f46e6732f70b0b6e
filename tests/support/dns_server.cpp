#include "tests/support/dns_server.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace pua::test {
namespace {

constexpr unsigned kA = 1, kCname = 5, kAaaa = 28, kSrv = 33, kNaptr = 35;

const char* type_name(unsigned type) {
  return type == kA ? "A" : type == kAaaa ? "AAAA" : type == kSrv ? "SRV" : type == kNaptr ? "NAPTR" : "?";
}

std::string text(const std::string& s) { return dns_number(static_cast<unsigned>(s.size()), 1) + s; }

socklen_t loopback(const char* address, uint16_t port, sockaddr_storage& ss) {
  ss = {};
  if (std::strchr(address, ':')) {
    auto& in = reinterpret_cast<sockaddr_in6&>(ss);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    inet_pton(AF_INET6, address, &in.sin6_addr);
    return sizeof in;
  }
  auto& in = reinterpret_cast<sockaddr_in&>(ss);
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  inet_pton(AF_INET, address, &in.sin_addr);
  return sizeof in;
}

uint16_t port_of(const sockaddr_storage& ss) {
  return ntohs(ss.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(ss).sin6_port
                                        : reinterpret_cast<const sockaddr_in&>(ss).sin_port);
}

int bound(int type, const char* address, uint16_t& port) {
  sockaddr_storage ss{};
  socklen_t len = loopback(address, port, ss);
  int fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<sockaddr*>(&ss), len) != 0) {
    close(fd);
    return -1;
  }
  len = sizeof ss;
  getsockname(fd, reinterpret_cast<sockaddr*>(&ss), &len);
  port = port_of(ss);
  return fd;
}

}  // namespace

std::string dns_number(unsigned value, int octets) {
  std::string out;
  for (int i = octets - 1; i >= 0; i--) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string dns_name(const std::string& name) {
  std::string out;
  for (size_t at = 0; at < name.size();) {
    size_t dot = std::min(name.find('.', at), name.size());
    out += text(name.substr(at, dot - at));
    at = dot + 1;
  }
  return out + '\0';
}

std::string dns_record(const std::string& owner, unsigned type, uint32_t ttl, const std::string& data) {
  return dns_name(owner) + dns_number(type, 2) + dns_number(1, 2) + dns_number(ttl, 4) +
         dns_number(static_cast<unsigned>(data.size()), 2) + data;
}

DnsServer::DnsServer(event_base* base, uint16_t port, const char* address) : base_(base) {
  // A port that is free for both.
  for (int tries = 0; tries < 20 && listen_fd_ < 0; tries++) {
    port_ = port;
    fd_ = bound(SOCK_DGRAM, address, port_);
    listen_fd_ = fd_ < 0 ? -1 : bound(SOCK_STREAM, address, port_);
    if (listen_fd_ < 0 && fd_ >= 0) close(fd_);
  }
  listen(listen_fd_, 16);
  ev_ = event_new(base, fd_, EV_READ | EV_PERSIST, on_question, this);
  event_add(ev_, nullptr);
  listen_ev_ = event_new(base, listen_fd_, EV_READ | EV_PERSIST, on_accept, this);
  event_add(listen_ev_, nullptr);
}

DnsServer::~DnsServer() {
  for (auto& [fd, c] : connections_) {
    event_free(c.ev);
    close(fd);
  }
  event_free(ev_);
  event_free(listen_ev_);
  close(fd_);
  close(listen_fd_);
}

void DnsServer::a(const std::string& name, const std::string& address) {
  in_addr in{};
  inet_pton(AF_INET, address.c_str(), &in);
  add(name, kA, std::string(reinterpret_cast<char*>(&in), sizeof in));
}

void DnsServer::aaaa(const std::string& name, const std::string& address) {
  in6_addr in{};
  inet_pton(AF_INET6, address.c_str(), &in);
  add(name, kAaaa, std::string(reinterpret_cast<char*>(&in), sizeof in));
}

void DnsServer::cname(const std::string& name, const std::string& other) { add(name, kCname, dns_name(other)); }

void DnsServer::srv(const std::string& name, uint16_t priority, uint16_t port, const std::string& target, uint16_t weight) {
  add(name, kSrv, dns_number(priority, 2) + dns_number(weight, 2) + dns_number(port, 2) + dns_name(target));
}

void DnsServer::naptr(const std::string& name, uint16_t order, const std::string& service, const std::string& replacement,
                      uint16_t preference, const std::string& flags) {
  add(name, kNaptr,
      dns_number(order, 2) + dns_number(preference, 2) + text(flags) + text(service) + text("") + dns_name(replacement));
}

size_t DnsServer::asked(const std::string& question) const {
  return static_cast<size_t>(std::count(questions.begin(), questions.end(), question));
}

int DnsServer::listener() {
  event_del(listen_ev_);
  return listen_fd_;
}

std::string DnsServer::answer(const std::string& q, bool tcp) {
  if (q.size() < 17) return {};
  std::string name;
  size_t at = 12;
  while (at < q.size() && q[at] != 0 && at + static_cast<unsigned char>(q[at]) < q.size()) {
    size_t length = static_cast<unsigned char>(q[at]);
    if (!name.empty()) name.push_back('.');
    name += q.substr(at + 1, length);
    at += length + 1;
  }
  if (at + 5 > q.size()) return {};
  unsigned type = static_cast<unsigned>(static_cast<unsigned char>(q[at + 1]) << 8 | static_cast<unsigned char>(q[at + 2]));
  const std::string question = std::string(type_name(type)) + " " + name, asked_octets = q.substr(12, at + 5 - 12);
  questions.push_back(question);
  over_tcp += tcp;
  if (silent || mute.count(question)) return {};
  if (by_hand) return by_hand(question, q);
  auto reply = [&](unsigned flags, unsigned count, const std::string& answers) {
    return q.substr(0, 2) + dns_number(flags, 2) + dns_number(1, 2) + dns_number(count, 2) + dns_number(0, 4) + asked_octets +
           answers;
  };
  if (no_edns && q[11] != 0) return reply(0x8181, 0, "");
  if (truncate && !tcp) return reply(0x8380, 0, "");
  if (auto code = codes.find(question); code != codes.end()) return reply(0x8180 | code->second, 0, "");
  std::string answers;
  unsigned count = 0;
  bool known = false;
  for (int aliases = 0; aliases < 10; aliases++) {
    auto [from, to] = records_.equal_range(name);
    known = from != to;
    std::string alias;
    for (auto it = from; it != to; ++it) {
      if (it->second.type != type && it->second.type != kCname) continue;
      answers += dns_record(name, it->second.type, it->second.ttl, it->second.data);
      count++;
      if (it->second.type != kCname) continue;
      for (size_t i = 0; it->second.data[i] != 0; i += static_cast<unsigned char>(it->second.data[i]) + 1u)
        alias += (alias.empty() ? "" : ".") + it->second.data.substr(i + 1, static_cast<unsigned char>(it->second.data[i]));
    }
    if (alias.empty()) break;
    name = alias;
  }
  return reply(known ? 0x8580 : 0x8583, count, answers);
}

void DnsServer::on_question(int fd, short, void* self) {
  auto* s = static_cast<DnsServer*>(self);
  char octets[1500];
  sockaddr_storage ss{};
  socklen_t len = sizeof ss;
  ssize_t n = recvfrom(fd, octets, sizeof octets, 0, reinterpret_cast<sockaddr*>(&ss), &len);
  if (n <= 0) return;
  s->ports.push_back(port_of(ss));
  std::string out = s->answer(std::string(octets, static_cast<size_t>(n)), false);
  if (!out.empty()) sendto(fd, out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&ss), len);
}

void DnsServer::on_accept(int fd, short, void* self) {
  auto* s = static_cast<DnsServer*>(self);
  int c = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (c < 0) return;
  Connection& connection = s->connections_[c];
  connection.server = s;
  connection.fd = c;
  connection.ev = event_new(s->base_, c, EV_READ | EV_PERSIST, on_octets, &connection);
  event_add(connection.ev, nullptr);
}

void DnsServer::on_octets(int fd, short, void* arg) {
  auto* c = static_cast<Connection*>(arg);
  char octets[4096];
  ssize_t n = recv(fd, octets, sizeof octets, 0);
  if (n <= 0) {
    event_free(c->ev);
    close(fd);
    c->server->connections_.erase(fd);
    return;
  }
  c->in.append(octets, static_cast<size_t>(n));
  while (c->in.size() >= 2) {
    size_t length = static_cast<size_t>(static_cast<unsigned char>(c->in[0]) << 8 | static_cast<unsigned char>(c->in[1]));
    if (c->in.size() < length + 2) return;
    std::string out = c->server->answer(c->in.substr(2, length), true);
    c->in.erase(0, length + 2);
    if (out.empty()) continue;
    out = dns_number(static_cast<unsigned>(out.size()), 2) + out;
    if (send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0) return;
  }
}

}  // namespace pua::test
