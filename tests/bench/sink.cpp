// Sink: the cheap UDP server of the benchmarks. Answers every PUBLISH with 200, SIP-ETag (27 characters) and Expires,
// echoes any other datagram (the round-trip probe), and obeys control datagrams:
//   !stats  !reset  !silent 0|1  !grant SECONDS (0: as asked)
// Usage: sink [--port N] [--core N] [--grant S]. Prints "port N" once it listens. Ends on SIGTERM.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace {

constexpr unsigned kBatch = 64;
constexpr size_t kRequestMax = 65536;
constexpr size_t kReplyMax = 8192;

volatile sig_atomic_t g_stop = 0;

struct Counters {
  uint64_t initial = 0, refresh = 0, modify = 0, remove = 0;
  uint64_t repeats = 0;    // retransmissions: a branch seen lately
  uint64_t unreadable = 0;
  uint64_t body_min = UINT64_MAX, body_max = 0, etag_min = UINT64_MAX, uri_max = 0;
  int64_t first_ns = 0, last_ns = 0;
};

struct Sink {
  int fd = -1;
  bool silent = false;
  unsigned grant = 0;
  Counters n;
  std::vector<uint64_t> seen = std::vector<uint64_t>(1u << 20);
};

int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

uint64_t fnv(std::string_view s, uint64_t h) {
  for (unsigned char c : s) h = (h ^ c) * 1099511628211u;
  return h;
}

struct Request {
  std::string_view uri, via[8], from, to, call_id, cseq, expires, if_match;
  unsigned vias = 0;
  size_t body = 0;
};

bool is(std::string_view name, const char* full, char compact) {
  if (compact && name.size() == 1) return (name[0] | 32) == compact;
  return name.size() == strlen(full) && strncasecmp(name.data(), full, name.size()) == 0;
}

// The few header fields a reply needs. Folded lines are not expected: both peers send none.
bool parse(std::string_view m, Request& r) {
  size_t eol = m.find("\r\n");
  if (eol == m.npos) return false;
  std::string_view line = m.substr(0, eol);
  size_t a = line.find(' '), b = line.rfind(' ');
  if (a == line.npos || a == b) return false;
  r.uri = line.substr(a + 1, b - a - 1);
  size_t at = eol + 2;
  for (;;) {
    eol = m.find("\r\n", at);
    if (eol == m.npos) return false;
    if (eol == at) break;
    line = m.substr(at, eol - at);
    at = eol + 2;
    size_t colon = line.find(':');
    if (colon == line.npos) return false;
    std::string_view name = line.substr(0, colon), value = line.substr(colon + 1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (name.empty()) return false;
    switch (name[0] | 32) {
      case 'v':
        if (is(name, "via", 'v') && r.vias < 8) r.via[r.vias++] = value;
        break;
      case 'f':
        if (is(name, "from", 'f')) r.from = value;
        break;
      case 't':
        if (is(name, "to", 't')) r.to = value;
        break;
      case 'i':
        if (is(name, "call-id", 'i')) r.call_id = value;
        break;
      case 'c':
        if (is(name, "call-id", 0)) r.call_id = value;
        else if (is(name, "cseq", 0)) r.cseq = value;
        break;
      case 'e':
        if (is(name, "expires", 0)) r.expires = value;
        break;
      case 's':
        if (is(name, "sip-if-match", 0)) r.if_match = value;
        break;
      default: break;
    }
  }
  r.body = m.size() - at - 2;
  return r.vias && !r.from.empty() && !r.to.empty() && !r.call_id.empty() && !r.cseq.empty();
}

// 27 characters that depend on the request alone: a retransmission gets the same entity-tag again.
void make_etag(const Request& r, char out[28]) {
  uint64_t a = fnv(r.cseq, fnv(r.call_id, 14695981039346656037u)), b = fnv(r.call_id, a * 31 + 7);
  static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  out[0] = 'e';
  for (int i = 1; i <= 13; i++, a /= 36) out[i] = digits[a % 36];
  for (int i = 14; i < 27; i++, b /= 36) out[i] = digits[b % 36];
  out[27] = 0;
}

struct Text {
  char* p;
  char* end;
  bool ok = true;
  void add(std::string_view s) {
    if (size_t(end - p) < s.size()) { ok = false; return; }
    memcpy(p, s.data(), s.size());
    p += s.size();
  }
};

size_t answer_publish(Sink& s, std::string_view m, char* out, int64_t now) {
  Request r;
  if (!parse(m, r)) { s.n.unreadable++; return 0; }
  uint64_t h = fnv(r.via[0], fnv(r.cseq, 14695981039346656037u)) | 1;
  uint64_t& slot = s.seen[h >> 44];
  unsigned long asked = r.expires.empty() ? 3600 : strtoul(r.expires.data(), nullptr, 10);
  if (slot == h) {
    s.n.repeats++;
  } else {
    slot = h;
    if (r.expires.size() && asked == 0) s.n.remove++;
    else if (r.if_match.empty()) s.n.initial++;
    else if (r.body) s.n.modify++;
    else s.n.refresh++;
    if (r.body) {
      if (r.body < s.n.body_min) s.n.body_min = r.body;
      if (r.body > s.n.body_max) s.n.body_max = r.body;
    }
    if (!r.if_match.empty() && r.if_match.size() < s.n.etag_min) s.n.etag_min = r.if_match.size();
    if (r.uri.size() > s.n.uri_max) s.n.uri_max = r.uri.size();
  }
  if (!s.n.first_ns) s.n.first_ns = now;
  s.n.last_ns = now;
  if (s.silent) return 0;

  char etag[28], tail[160];
  make_etag(r, etag);
  unsigned long granted = asked == 0 ? 0 : s.grant ? s.grant : asked;
  Text t{out, out + kReplyMax};
  t.add("SIP/2.0 200 OK\r\n");
  for (unsigned i = 0; i < r.vias; i++) { t.add("Via: "); t.add(r.via[i]); t.add("\r\n"); }
  t.add("From: "); t.add(r.from);
  t.add("\r\nTo: "); t.add(r.to);
  if (r.to.find(";tag=") == r.to.npos) t.add(";tag=sink");
  t.add("\r\nCall-ID: "); t.add(r.call_id);
  t.add("\r\nCSeq: "); t.add(r.cseq);
  int n = snprintf(tail, sizeof tail, "\r\nExpires: %lu\r\nSIP-ETag: %s\r\nContent-Length: 0\r\n\r\n", granted, etag);
  t.add({tail, size_t(n)});
  return t.ok ? size_t(t.p - out) : 0;
}

size_t answer_control(Sink& s, std::string_view m, char* out) {
  char word[16] = "";
  unsigned value = 0;
  char text[64];
  size_t n = m.size() < sizeof text - 1 ? m.size() : sizeof text - 1;
  memcpy(text, m.data(), n);
  text[n] = 0;
  sscanf(text, "!%15s %u", word, &value);
  if (!strcmp(word, "silent")) s.silent = value;
  else if (!strcmp(word, "grant")) s.grant = value;
  else if (!strcmp(word, "reset")) s.n = Counters();
  const Counters& c = s.n;
  auto low = [](uint64_t v) { return v == UINT64_MAX ? 0ull : (unsigned long long)v; };
  return size_t(snprintf(out, kReplyMax,
      "{\"initial\":%llu,\"refresh\":%llu,\"modify\":%llu,\"remove\":%llu,\"repeats\":%llu,\"unreadable\":%llu,"
      "\"body_min\":%llu,\"body_max\":%llu,\"etag_min\":%llu,\"uri_max\":%llu,\"first_ns\":%lld,\"last_ns\":%lld}",
      (unsigned long long)c.initial, (unsigned long long)c.refresh, (unsigned long long)c.modify,
      (unsigned long long)c.remove, (unsigned long long)c.repeats, (unsigned long long)c.unreadable, low(c.body_min),
      (unsigned long long)c.body_max, low(c.etag_min), (unsigned long long)c.uri_max, (long long)c.first_ns,
      (long long)c.last_ns));
}

void serve(Sink& s) {
  std::vector<char> in(kBatch * kRequestMax), out(kBatch * kReplyMax);
  std::vector<sockaddr_in> peer(kBatch);
  mmsghdr rx[kBatch], tx[kBatch];
  iovec riov[kBatch], tiov[kBatch];
  while (!g_stop) {
    for (unsigned i = 0; i < kBatch; i++) {
      riov[i] = {&in[i * kRequestMax], kRequestMax};
      memset(&rx[i], 0, sizeof rx[i]);
      rx[i].msg_hdr.msg_iov = &riov[i];
      rx[i].msg_hdr.msg_iovlen = 1;
      rx[i].msg_hdr.msg_name = &peer[i];
      rx[i].msg_hdr.msg_namelen = sizeof peer[i];
    }
    int got = recvmmsg(s.fd, rx, kBatch, MSG_WAITFORONE, nullptr);
    if (got < 0) {
      if (errno == EINTR || errno == ECONNREFUSED) continue;
      perror("sink: recvmmsg");
      return;
    }
    int64_t now = now_ns();
    unsigned k = 0;
    for (int i = 0; i < got; i++) {
      std::string_view m(&in[size_t(i) * kRequestMax], rx[i].msg_len);
      char* o = &out[k * kReplyMax];
      size_t n = 0;
      if (m.starts_with("PUBLISH ")) n = answer_publish(s, m, o, now);
      else if (m.starts_with("!")) n = answer_control(s, m, o);
      else if (m.size() > 4) { n = m.size() < kReplyMax ? m.size() : kReplyMax; memcpy(o, m.data(), n); }
      if (!n) continue;  // silent, unreadable, or a keep-alive
      tiov[k] = {o, n};
      memset(&tx[k], 0, sizeof tx[k]);
      tx[k].msg_hdr.msg_iov = &tiov[k];
      tx[k].msg_hdr.msg_iovlen = 1;
      tx[k].msg_hdr.msg_name = &peer[size_t(i)];
      tx[k].msg_hdr.msg_namelen = rx[i].msg_hdr.msg_namelen;
      k++;
    }
    for (unsigned sent = 0; sent < k;) {
      int n = sendmmsg(s.fd, tx + sent, k - sent, 0);
      sent += n > 0 ? unsigned(n) : 1;  // a reply nobody takes is dropped, as on a network
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Sink s;
  int port = 0, core = -1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--core")) core = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--grant")) s.grant = unsigned(atoi(argv[i + 1]));
    else { fprintf(stderr, "sink: unknown option %s\n", argv[i]); return 2; }
  }
  if (core >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(unsigned(core), &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) perror("sink: core");
  }
  struct sigaction sa {};
  sa.sa_handler = [](int) { g_stop = 1; };
  sigaction(SIGTERM, &sa, nullptr);
  sigaction(SIGINT, &sa, nullptr);

  s.fd = socket(AF_INET, SOCK_DGRAM, 0);
  int size = 16 << 20;  // a burst of 10,000 requests must fit
  if (setsockopt(s.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(uint16_t(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof a;
  if (bind(s.fd, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0 || getsockname(s.fd, reinterpret_cast<sockaddr*>(&a), &len) < 0) {
    perror("sink: bind");
    return 1;
  }
  printf("port %d\n", ntohs(a.sin_port));
  fflush(stdout);
  serve(s);
  close(s.fd);
  return 0;
}
