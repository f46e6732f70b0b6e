// Client: drives a publisher or subscriber through its unix datagram socket (JSON-RPC), ours and Kamailio's alike, and
// probes the bare round trip to the sink.
//   client publish --socket PATH --dialect pua|kamailio --sink PORT --count N [--first I] [--window W] [--rate PER_S]
//   client subscribe --socket PATH --dialect pua|kamailio --sink PORT --count N [--first I] [--watcher URI]
//          [--made W]    no more than W that are not made yet, as the sink says
//   client publish --http PORT --dialect kamailio ...     the same as HTTP POSTs to /RPC; answered after the final reply
//   client floor --sink PORT --count N       CPU of a bare sendto and recvfrom of such a PUBLISH, no SIP stack
//   client wake --mb M --touches N --idle S  CPU of N first touches of M MB of memory that lay idle for S seconds
//   client probe --sink PORT --rate PER_S --seconds S
//   client call --socket PATH --request JSON
// Prints one line of JSON. Several sockets share the window, because a unix datagram socket queues ten messages only.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "tests/bench/samples.h"

using namespace bench;

namespace {

constexpr int kPerSocket = 6;

struct Local {
  int fd = -1;
  int out = 0;
  std::string path;
  std::string partial;  // HTTP: what came of the answer so far
};

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (path.size() >= sizeof a.sun_path) { fprintf(stderr, "client: path too long\n"); exit(2); }
  memcpy(a.sun_path, path.c_str(), path.size());
  return a;
}

Local open_local(const std::string& path) {
  Local l;
  l.path = path;
  l.fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  unlink(path.c_str());
  sockaddr_un a = unix_address(path);
  if (l.fd < 0 || bind(l.fd, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) { perror("client: bind"); exit(1); }
  return l;
}

Local open_http(int port) {
  Local l;
  l.fd = socket(AF_INET, SOCK_STREAM, 0);
  int one = 1;
  setsockopt(l.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(uint16_t(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(l.fd, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) { perror("client: connect"); exit(1); }
  return l;
}

std::string json_text(const std::string& s) {
  std::string o;
  for (char c : s) {
    if (c == '\n') o += "\\n";
    else if (c == '"' || c == '\\') { o += '\\'; o += c; }
    else o += c;
  }
  return o;
}

// How many subscriptions were made, as the sink counts them: a peer that answers at once is not flooded.
struct Made {
  int fd = -1;
  size_t window = 0, lost = 0;
  uint64_t start = 0, now = 0;
  int64_t last = 0;

  void follow(int socket, size_t most) {
    fd = socket;
    window = most;
    if (send(fd, "!progress", 9, 0) < 0) { perror("client: sink"); exit(1); }
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, 2000) <= 0) { fprintf(stderr, "client: the sink is silent\n"); exit(1); }
    look();
    start = now;
    last = wall_ns();
  }
  void look() {
    char b[4096];
    for (ssize_t n; fd >= 0 && (n = recv(fd, b, sizeof b - 1, MSG_DONTWAIT)) > 0;) {
      b[n] = 0;
      if (!strncmp(b, "progress ", 9)) now = strtoull(b + 9, nullptr, 10);
      else if (const char* at = strstr(b, "\"made\":")) now = strtoull(at + 7, nullptr, 10);
      last = wall_ns();
    }
  }
  bool room(size_t sent) {
    if (fd < 0 || sent < now - start + lost + window) return true;
    if (wall_ns() - last < 500000000) return false;
    lost = sent - (now - start);  // what was open is not awaited any longer
    last = wall_ns();
    return true;
  }
};

struct Driver {
  bool kamailio = false, subscribe = false;
  int http = 0;  // port, 0: unix datagrams
  std::string proxy, body = json_text(body_text()), expires, watcher, server_address;
  sockaddr_un server{};
  std::vector<Local> local;
  std::vector<int64_t> started;
  unsigned first = 0;
  size_t answered = 0, errors = 0;
  std::string first_error;
  Times times;

  // Kamailio's pua.subscribe knows no outbound proxy: there the presentity is of the sink's own address, 27 characters too.
  int subscribe_text(size_t i, char* b, size_t room) const {
    unsigned k = first + unsigned(i);
    if (!kamailio)
      return snprintf(b, room,
                      "{\"jsonrpc\":\"2.0\",\"method\":\"pua_subscribe\",\"params\":{\"presentity_uri\":\"%s\","
                      "\"watcher_uri\":\"%s\",\"event_package\":\"presence\",\"expires\":%s},\"id\":%zu}",
                      uri_of(k).c_str(), watcher.c_str(), expires.c_str(), i);
    return snprintf(b, room,
                    "{\"jsonrpc\":\"2.0\",\"method\":\"pua.subscribe\",\"params\":[\"sip:u%06u@%s\",\"%s\","
                    "\"presence\",%s],\"id\":%zu}",
                    k % 1000000, server_address.c_str(), watcher.c_str(), expires.c_str(), i);
  }

  void send(size_t i, Local& l, int64_t when) {
    char b[2048];
    int n = subscribe ? subscribe_text(i, b, sizeof b)
        : kamailio
        ? snprintf(b, sizeof b,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":[\"%s\",\"%s\",\"presence\","
                   "\"application/pidf+xml\",\".\",\".\",\"%s\",\".\",\"%s\"],\"id\":%zu}",
                   http ? "pua.publish" : "pua.send_publish", uri_of(first + unsigned(i)).c_str(), expires.c_str(),
                   proxy.c_str(), body.c_str(), i)
        : snprintf(b, sizeof b,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"pua_publish\",\"params\":{\"presentity_uri\":\"%s\",\"expires\":%s,"
                   "\"event_package\":\"presence\",\"content_type\":\"application/pidf+xml\",\"body\":\"%s\"},\"id\":%zu}",
                   uri_of(first + unsigned(i)).c_str(), expires.c_str(), body.c_str(), i);
    started[i] = when;
    l.out++;
    if (http) {
      char head[128];
      int m = snprintf(head, sizeof head, "POST /RPC HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n", n);
      std::string all = std::string(head, size_t(m)) + std::string(b, size_t(n));
      if (::send(l.fd, all.data(), all.size(), 0) != ssize_t(all.size())) { perror("client: send"); exit(1); }
      return;
    }
    while (sendto(l.fd, b, size_t(n), 0, reinterpret_cast<sockaddr*>(&server), sizeof server) < 0)
      if (errno != EINTR) { perror("client: send"); exit(1); }
  }

  void answer(Local& l, const char* b, size_t n) {
    int64_t now = wall_ns();
    std::string_view s(b, n);
    size_t at = s.rfind("\"id\":");
    size_t i = at == s.npos ? started.size() : strtoul(b + at + 5, nullptr, 10);
    if (i >= started.size() || s.find("\"error\"") != s.npos) {
      if (!errors++) first_error = s;
    }
    if (i < started.size()) times.ns.push_back(now - started[i]);
    answered++;
    l.out--;
  }

  void receive(Local& l) {
    char b[65536];
    for (;;) {
      ssize_t n = recv(l.fd, b, sizeof b - 1, MSG_DONTWAIT);
      if (n <= 0) return;
      b[n] = 0;
      if (!http) {
        answer(l, b, size_t(n));
        continue;
      }
      l.partial.append(b, size_t(n));
      size_t end = l.partial.find("\r\n\r\n"), at = l.partial.find("Content-Length: ");
      if (end == l.partial.npos || at == l.partial.npos) continue;
      size_t whole = end + 4 + strtoul(l.partial.c_str() + at + 16, nullptr, 10);
      if (l.partial.size() < whole) continue;
      answer(l, l.partial.c_str(), whole);
      l.partial.erase(0, whole);
    }
  }

  void wait(int64_t until_ns, int also) {
    std::vector<pollfd> p;
    for (auto& l : local) p.push_back({l.fd, POLLIN, 0});
    p.push_back({also, POLLIN, 0});
    int64_t left = std::max<int64_t>(0, until_ns - wall_ns());
    timespec t{time_t(left / 1000000000), long(left % 1000000000)};
    if (ppoll(p.data(), p.size(), &t, nullptr) <= 0) return;
    for (size_t i = 0; i < local.size(); i++)
      if (p[i].revents & POLLIN) receive(local[i]);
  }
};

int connect_sink(const Options& o);

int drive(const Options& o, bool subscribe) {
  Driver d;
  d.subscribe = subscribe;
  d.watcher = o.text("watcher", watcher_text().c_str());
  d.server_address = std::string("127.0.0.1:") + o.text("sink", "0");
  d.kamailio = !strcmp(o.text("dialect", "pua"), "kamailio");
  d.expires = o.text("expires", "3600");
  d.first = unsigned(o.number("first", 0));
  d.proxy = std::string("sip:127.0.0.1:") + o.text("sink", "0");
  d.http = int(o.number("http", 0));
  std::string path = o.text("socket", "");
  d.server = unix_address(path);
  size_t count = size_t(o.number("count", 1000));
  long window = o.number("window", 96), rate = o.number("rate", 0);
  d.started.resize(count);
  d.times.ns.reserve(count);
  long sockets = rate ? 32 : std::max(1L, window / kPerSocket);
  int deep = d.http ? 1 : kPerSocket;
  for (long i = 0; i < window && d.http; i++) d.local.push_back(open_http(d.http));
  for (long i = 0; i < sockets && !d.http; i++)
    d.local.push_back(open_local(path + ".c" + std::to_string(getpid()) + "." + std::to_string(i)));

  Made made;
  if (o.number("made", 0)) made.follow(connect_sink(o), size_t(o.number("made", 0)));
  int64_t t0 = wall_ns(), last = t0;
  size_t sent = 0, turn = 0;
  while (d.answered < count) {
    int64_t now = wall_ns();
    if (rate) {
      while (sent < count && t0 + int64_t(sent) * 1000000000 / rate <= now) {
        for (size_t tried = 0; d.http && tried < d.local.size() && d.local[turn % d.local.size()].out; tried++) turn++;
        d.send(sent, d.local[turn++ % d.local.size()], t0 + int64_t(sent) * 1000000000 / rate);
        sent++;
      }
    } else {
      for (auto& l : d.local)
        while (sent < count && l.out < deep && made.room(sent)) {
          d.send(sent, l, wall_ns());
          sent++;
        }
    }
    size_t before = d.answered;
    int64_t next = rate && sent < count ? t0 + int64_t(sent) * 1000000000 / rate : now + 200000000;
    d.wait(next, made.fd);
    made.look();
    if (d.answered != before || sent < count) last = wall_ns();
    if (wall_ns() - last > 40000000000) break;  // longer than any transaction timeout: the rest is lost
  }
  double wall = double(wall_ns() - t0) / 1e9;
  for (auto& l : d.local) {
    close(l.fd);
    if (!l.path.empty()) unlink(l.path.c_str());
  }
  printf("{\"count\":%zu,\"answered\":%zu,\"errors\":%zu,\"wall_s\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
         "\"first_error\":\"%s\"}\n",
         count, d.answered, d.errors, wall, d.times.at(0.5), d.times.at(0.99), d.times.max(),
         json_text(d.first_error).c_str());
  return d.answered == count && !d.errors ? 0 : 1;
}

int connect_sink(const Options& o) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(uint16_t(o.number("sink", 0)));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) { perror("client: sink"); exit(1); }
  return fd;
}

int probe(const Options& o) {
  int fd = connect_sink(o);
  int64_t rate = o.number("rate", 100), n = rate * o.number("seconds", 5), t0 = wall_ns();
  Times times;
  int64_t lost = 0;
  std::string message(600, 'p');  // as long as a PUBLISH
  for (int64_t i = 0; i < n; i++) {
    int64_t due = t0 + i * 1000000000 / rate;
    timespec at{time_t(due / 1000000000), long(due % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
    snprintf(message.data(), message.size(), "probe %lld", (long long)i);
    int64_t start = wall_ns();
    if (send(fd, message.data(), message.size(), 0) < 0) { lost++; continue; }
    pollfd p{fd, POLLIN, 0};
    char b[1024];
    bool ok = false;
    while (poll(&p, 1, 1000) > 0 && recv(fd, b, sizeof b - 1, 0) > 6) {
      b[sizeof b - 1] = 0;
      if (atoll(b + 6) == i) { ok = true; break; }
    }
    if (ok) times.ns.push_back(wall_ns() - start);
    else lost++;
  }
  printf("{\"probes\":%lld,\"lost\":%lld,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n", (long long)n, (long long)lost,
         times.at(0.5), times.at(0.99), times.max());
  return 0;
}

int floor_cost(const Options& o) {
  int fd = connect_sink(o);
  long n = o.number("count", 50000), window = o.number("window", 100), sent = 0, got = 0;
  int64_t c0 = cpu_ns();
  while (got < n) {
    while (sent < n && sent - got < window) {
      char b[2048];
      std::string uri = uri_of(unsigned(sent));
      int len = snprintf(b, sizeof b,
                         "PUBLISH %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK%ld;rport\r\n"
                         "From: <%s>;tag=%ld\r\nTo: <%s>\r\nCall-ID: %ld@127.0.0.1\r\nCSeq: 1 PUBLISH\r\n"
                         "Max-Forwards: 70\r\nEvent: presence\r\nExpires: 3600\r\nContent-Type: application/pidf+xml\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         uri.c_str(), sent, uri.c_str(), sent, uri.c_str(), sent, body_text().size(), body_text().c_str());
      if (send(fd, b, size_t(len), 0) < 0) { perror("client: floor"); return 1; }
      sent++;
    }
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, 2000) <= 0) { fprintf(stderr, "client: floor: the sink is silent\n"); return 1; }
    char b[2048];
    while (got < n && recv(fd, b, sizeof b, MSG_DONTWAIT) > 0) got++;
  }
  printf("{\"count\":%ld,\"cpu_us\":%.3f}\n", n, double(cpu_ns() - c0) / 1e3 / double(n));
  return 0;
}

// What a machine takes from any program that wakes up: caches and TLB are cold, and a hypervisor may have taken pages away.
int wake(const Options& o) {
  constexpr size_t kPage = 4096;
  size_t bytes = size_t(o.number("mb", 64)) << 20, at = 0;
  long n = o.number("touches", 256), slow = 0;
  std::vector<char> memory(bytes, 1);
  usleep(useconds_t(o.number("idle", 4) * 1000000));
  int64_t c0 = cpu_ns(), before = c0;
  for (long i = 0; i < n; i++) {
    at = (at + 7919 * kPage + 64) % bytes;   // a prime number of pages on: another one each time
    auto* p = static_cast<volatile char*>(&memory[at]);
    *p = 2;
    int64_t now = cpu_ns();
    slow += now - before > 50000;
    before = now;
  }
  printf("{\"touches\":%ld,\"cpu_ms\":%.3f,\"over_50us\":%ld}\n", n, double(before - c0) / 1e6, slow);
  return 0;
}

int call(const Options& o) {
  std::string path = o.text("socket", ""), request = o.text("request", "");
  Local l = open_local(path + ".q" + std::to_string(getpid()));
  sockaddr_un server = unix_address(path);
  int rc = 1;
  if (sendto(l.fd, request.data(), request.size(), 0, reinterpret_cast<sockaddr*>(&server), sizeof server) >= 0) {
    pollfd p{l.fd, POLLIN, 0};
    char b[65536];
    ssize_t n = poll(&p, 1, int(o.number("timeout_ms", 5000))) > 0 ? recv(l.fd, b, sizeof b, 0) : -1;
    if (n > 0) {
      printf("%.*s\n", int(n), b);
      rc = 0;
    }
  }
  close(l.fd);
  unlink(l.path.c_str());
  return rc;
}

}  // namespace

int main(int argc, char** argv) {
  Options o{argc, argv};
  std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "publish" || mode == "subscribe") return drive(o, mode == "subscribe");
  if (mode == "floor") return floor_cost(o);
  if (mode == "wake") return wake(o);
  if (mode == "probe") return probe(o);
  if (mode == "call") return call(o);
  fprintf(stderr, "usage: client publish|subscribe|floor|wake|probe|call --name value ...\n");
  return 2;
}
