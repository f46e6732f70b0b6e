#include "sip/udp_addresses.h"

#include <netdb.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "sip/scan.h"

namespace pua {
namespace {

constexpr int kTries = 16;   // for a port that is free in both families

// "5070", "*" or nothing. false: something else.
bool read_port(std::string_view tail, uint16_t& port) {
  port = 5060;
  if (tail.empty() || tail[0] != ':') return true;
  std::string_view text =
      tail.substr(1, tail.find(';') == std::string_view::npos ? std::string_view::npos : tail.find(';') - 1);
  if (text == "*") {
    port = 0;
    return true;
  }
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  return ec == std::errc() && end == text.data() + text.size();
}

Result<NetAddress> look_up(const std::string& host, uint16_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  if (int e = getaddrinfo(host.c_str(), nullptr, &hints, &found); e != 0) return {Errc::sip_failed, gai_strerror(e)};
  NetAddress a;
  memcpy(&a.any, found->ai_addr, std::min<size_t>(found->ai_addrlen, sizeof a.v6));
  freeaddrinfo(found);
  a.set_port(port);
  return a;
}

using Sockets = std::vector<std::unique_ptr<UdpSocket>>;

// Both families at one port. A machine without IPv6 has one.
Result<Sockets> open_all(uint16_t port, uint32_t buffer) {
  Error last{Errc::sip_failed, "no port is free"};
  for (int i = 0; i < (port ? 1 : kTries); i++) {
    Sockets out;
    auto v4 = UdpSocket::open(*NetAddress::literal("0.0.0.0", port), buffer);
    if (!v4) return v4.error();
    out.push_back(std::move(*v4));
    errno = 0;
    auto v6 = UdpSocket::open(*NetAddress::literal("::", out[0]->local().port()), buffer);
    if (v6) out.push_back(std::move(*v6));
    else if (errno == EADDRINUSE) {
      last = v6.error();
      continue;
    }
    return out;
  }
  return last;
}

}  // namespace

ListenTransports transports_of(const Target& t) {
  ListenTransports out;
  if (same_word(t.scheme, "sips")) {
    out.tls = true;
    return out;
  }
  std::string_view transport = uri_param(t, "transport");
  out.udp = transport.empty() || same_word(transport, "udp");
  out.tcp = transport.empty() || same_word(transport, "tcp");
  return out;
}

Result<Sockets> open_udp(const std::string& uri, uint32_t buffer) {
  auto failed = [&](const Error& e) { return Error{e.code, "cannot listen on " + uri + ": " + e.message}; };
  auto target = parse_target(uri);
  if (!target) return {Errc::bad_config, "listen address " + target.error().message};
  uint16_t port = 0;
  if (!read_port(target->tail, port)) return {Errc::bad_config, "listen address \"" + uri + "\": the port is no number"};
  if (target->host == "*") {
    auto both = open_all(port, buffer);
    if (!both) return failed(both.error());
    return both;
  }
  auto at = NetAddress::literal(target->host, port);
  if (!at) {
    auto found = look_up(std::string(target->host), port);
    if (!found) return failed(found.error());
    at = *found;
  }
  auto one = UdpSocket::open(*at, buffer);
  if (!one) return failed(one.error());
  Sockets out;
  out.push_back(std::move(*one));
  return out;
}

NetAddress machine_address(int family) {
  // Nothing is sent there (RFC 5737, RFC 3849): the way out of the machine is what counts.
  return source_toward(*NetAddress::literal(family == AF_INET ? "192.0.2.1" : "2001:db8::1", 9));
}

}  // namespace pua
