// Sink: the cheap UDP server of the benchmarks. Answers every PUBLISH with 200, SIP-ETag (27 characters) and Expires,
// every SUBSCRIBE (tests/bench/notifier.h), echoes any other datagram (the round-trip probe), and obeys control datagrams:
//   !stats  !reset  !silent 0|1  !grant SECONDS (0: as asked)
//   !notify 0|1|2   after an initial SUBSCRIBE: nothing, a NOTIFY, a NOTIFY on a dialog that is kept for bursts
//   !progress       tells the sender from now on, as "progress N", how many subscriptions were made since the last reset:
//                   NOTIFYs answered, or SUBSCRIBEs where no NOTIFY follows
//   !burst COUNT WINDOW   NOTIFYs on the kept dialogs; over when !stats says "notify_left":0
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

#include "tests/bench/notifier.h"

using namespace bench;

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
  Notifier notifier{0};
  sockaddr_in watcher{};  // who is told of progress, if its port is not 0
  uint64_t told = 0;
  std::vector<uint64_t> seen = std::vector<uint64_t>(1u << 20);
};

int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
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

size_t answer_subscribe(Sink& s, std::string_view m, const sockaddr_in& from, char* out) {
  Request r;
  if (!parse(m, r)) { s.n.unreadable++; return 0; }
  if (s.silent) return 0;
  if (r.uri.size() > s.n.uri_max) s.n.uri_max = r.uri.size();
  unsigned long asked = r.expires.empty() ? 3600 : strtoul(r.expires.data(), nullptr, 10);
  return s.notifier.answer(r, asked && s.grant ? s.grant : unsigned(asked), from, out, kReplyMax);
}

size_t answer_control(Sink& s, std::string_view m, const sockaddr_in& from, char* out, int64_t now) {
  char word[16] = "";
  unsigned value = 0, second = 0;
  char text[64];
  size_t n = m.size() < sizeof text - 1 ? m.size() : sizeof text - 1;
  memcpy(text, m.data(), n);
  text[n] = 0;
  sscanf(text, "!%15s %u %u", word, &value, &second);
  if (!strcmp(word, "silent")) s.silent = value;
  else if (!strcmp(word, "grant")) s.grant = value;
  else if (!strcmp(word, "notify")) s.notifier.mode(static_cast<Notifier::Mode>(value % 3));
  else if (!strcmp(word, "progress")) s.watcher = from;
  else if (!strcmp(word, "burst")) s.notifier.burst(value, second, now);
  else if (!strcmp(word, "reset")) {
    s.n = Counters();
    s.notifier.reset();
    s.watcher = {};
    s.told = 0;
  }
  const Counters& c = s.n;
  const Notifier::Counters& w = s.notifier.counters();
  auto low = [](uint64_t v) { return v == UINT64_MAX ? 0ull : (unsigned long long)v; };
  return size_t(snprintf(out, kReplyMax,
      "{\"initial\":%llu,\"refresh\":%llu,\"modify\":%llu,\"remove\":%llu,\"repeats\":%llu,\"unreadable\":%llu,"
      "\"body_min\":%llu,\"body_max\":%llu,\"etag_min\":%llu,\"uri_max\":%llu,\"first_ns\":%lld,\"last_ns\":%lld,"
      "\"subscribed\":%llu,\"resubscribed\":%llu,\"unsubscribed\":%llu,\"subscribe_repeats\":%llu,\"notify_sent\":%llu,"
      "\"notify_ok\":%llu,\"notify_bad\":%llu,\"notify_lost\":%llu,\"notify_first_bad\":%llu,\"notify_left\":%llu,"
      "\"burst_ns\":%lld,\"dialogs\":%zu,\"made\":%llu}",
      (unsigned long long)c.initial, (unsigned long long)c.refresh, (unsigned long long)c.modify,
      (unsigned long long)c.remove, (unsigned long long)c.repeats, (unsigned long long)c.unreadable, low(c.body_min),
      (unsigned long long)c.body_max, low(c.etag_min), (unsigned long long)c.uri_max, (long long)c.first_ns,
      (long long)c.last_ns, (unsigned long long)w.subscribed, (unsigned long long)w.resubscribed,
      (unsigned long long)w.unsubscribed, (unsigned long long)w.repeats, (unsigned long long)w.sent, (unsigned long long)w.ok,
      (unsigned long long)w.bad, (unsigned long long)w.lost, (unsigned long long)w.first_bad,
      (unsigned long long)s.notifier.left(), (long long)w.burst_ns, s.notifier.dialogs(),
      (unsigned long long)s.notifier.made()));
}

struct Outgoing {  // one batch of datagrams
  std::vector<char> text = std::vector<char>(2 * kBatch * kReplyMax);
  sockaddr_in peer[2 * kBatch];
  mmsghdr headers[2 * kBatch];
  iovec parts[2 * kBatch];
  unsigned count = 0;

  char* room() { return &text[count * kReplyMax]; }
  bool full() const { return count == 2 * kBatch; }
  void add(size_t n, const sockaddr_in& to) {
    parts[count] = {room(), n};
    peer[count] = to;
    memset(&headers[count], 0, sizeof headers[count]);
    headers[count].msg_hdr.msg_iov = &parts[count];
    headers[count].msg_hdr.msg_iovlen = 1;
    headers[count].msg_hdr.msg_name = &peer[count];
    headers[count].msg_hdr.msg_namelen = sizeof peer[count];
    count++;
  }
  void send(int fd) {
    for (unsigned sent = 0; sent < count;) {
      int n = sendmmsg(fd, headers + sent, count - sent, 0);
      sent += n > 0 ? unsigned(n) : 1;  // a reply nobody takes is dropped, as on a network
    }
    count = 0;
  }
};

// NOTIFYs that are due, after the answers: a dialog's 2xx comes first.
void send_notifies(Sink& s, Outgoing& out) {
  for (;;) {
    sockaddr_in to;
    size_t n = s.notifier.next(out.room(), kReplyMax, to);
    if (!n) break;
    out.add(n, to);
    if (out.full()) out.send(s.fd);
  }
  out.send(s.fd);
}

void tell_progress(Sink& s, Outgoing& out) {
  uint64_t made = s.notifier.made();
  if (!s.watcher.sin_port || s.told == made) return;
  s.told = made;
  int n = snprintf(out.room(), kReplyMax, "progress %llu", (unsigned long long)made);
  out.add(size_t(n), s.watcher);
}

size_t answer(Sink& s, std::string_view m, const sockaddr_in& from, char* o, int64_t now) {
  if (m.starts_with("PUBLISH ")) return answer_publish(s, m, o, now);
  if (m.starts_with("SUBSCRIBE ")) return answer_subscribe(s, m, from, o);
  if (m.starts_with("SIP/2.0 ")) {
    s.notifier.answered(m, now);
    return 0;
  }
  if (m.starts_with("!")) return answer_control(s, m, from, o, now);
  if (m.size() <= 4) return 0;  // a keep-alive
  size_t n = m.size() < kReplyMax ? m.size() : kReplyMax;
  memcpy(o, m.data(), n);
  return n;
}

void serve(Sink& s) {
  std::vector<char> in(kBatch * kRequestMax);
  std::vector<sockaddr_in> peer(kBatch);
  Outgoing out;
  mmsghdr rx[kBatch];
  iovec riov[kBatch];
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
    int64_t now = now_ns();
    if (got < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        s.notifier.stalled(now);
        send_notifies(s, out);
        continue;
      }
      if (errno == EINTR || errno == ECONNREFUSED) continue;
      perror("sink: recvmmsg");
      return;
    }
    for (int i = 0; i < got; i++) {
      std::string_view m(&in[size_t(i) * kRequestMax], rx[i].msg_len);
      size_t n = answer(s, m, peer[size_t(i)], out.room(), now);
      if (n) out.add(n, peer[size_t(i)]);
    }
    tell_progress(s, out);
    out.send(s.fd);
    send_notifies(s, out);
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
  timeval stall{0, 300000};  // how long a burst waits for an answer before it goes on without
  setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof stall);
  s.notifier = Notifier(ntohs(a.sin_port));
  printf("port %d\n", ntohs(a.sin_port));
  fflush(stdout);
  serve(s);
  close(s.fd);
  return 0;
}
