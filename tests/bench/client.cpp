// Client: drives a publisher through its unix datagram socket (JSON-RPC), ours and Kamailio's alike, and probes the bare
// round trip to the sink.
//   client publish --socket PATH --dialect pua|kamailio --sink PORT --count N [--first I] [--window W] [--rate PER_S]
//   client probe --sink PORT --rate PER_S --seconds S
//   client call --socket PATH --request JSON
// Prints one line of JSON. Several sockets share the window, because a unix datagram socket queues ten messages only.
#include <arpa/inet.h>
#include <netinet/in.h>
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

std::string json_text(const std::string& s) {
  std::string o;
  for (char c : s) {
    if (c == '\n') o += "\\n";
    else if (c == '"' || c == '\\') { o += '\\'; o += c; }
    else o += c;
  }
  return o;
}

struct Driver {
  bool kamailio = false;
  std::string proxy, body = json_text(body_text()), expires;
  sockaddr_un server{};
  std::vector<Local> local;
  std::vector<int64_t> started;
  unsigned first = 0;
  size_t answered = 0, errors = 0;
  std::string first_error;
  Times times;

  void send(size_t i, Local& l, int64_t when) {
    char b[2048];
    int n = kamailio
        ? snprintf(b, sizeof b,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"pua.send_publish\",\"params\":[\"%s\",\"%s\",\"presence\","
                   "\"application/pidf+xml\",\".\",\".\",\"%s\",\".\",\"%s\"],\"id\":%zu}",
                   uri_of(first + unsigned(i)).c_str(), expires.c_str(), proxy.c_str(), body.c_str(), i)
        : snprintf(b, sizeof b,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"pua_publish\",\"params\":{\"presentity_uri\":\"%s\",\"expires\":%s,"
                   "\"event_package\":\"presence\",\"content_type\":\"application/pidf+xml\",\"body\":\"%s\"},\"id\":%zu}",
                   uri_of(first + unsigned(i)).c_str(), expires.c_str(), body.c_str(), i);
    started[i] = when;
    while (sendto(l.fd, b, size_t(n), 0, reinterpret_cast<sockaddr*>(&server), sizeof server) < 0)
      if (errno != EINTR) { perror("client: send"); exit(1); }
    l.out++;
  }

  void receive(Local& l) {
    char b[65536];
    for (;;) {
      ssize_t n = recv(l.fd, b, sizeof b - 1, MSG_DONTWAIT);
      if (n <= 0) return;
      b[n] = 0;
      int64_t now = wall_ns();
      std::string_view s(b, size_t(n));
      size_t at = s.rfind("\"id\":");
      size_t i = at == s.npos ? started.size() : strtoul(b + at + 5, nullptr, 10);
      if (i >= started.size() || s.find("\"error\"") != s.npos) {
        if (!errors++) first_error = b;
      }
      if (i < started.size()) times.ns.push_back(now - started[i]);
      answered++;
      l.out--;
    }
  }

  void wait(int64_t until_ns) {
    std::vector<pollfd> p;
    for (auto& l : local) p.push_back({l.fd, POLLIN, 0});
    int64_t left = std::max<int64_t>(0, until_ns - wall_ns());
    timespec t{time_t(left / 1000000000), long(left % 1000000000)};
    if (ppoll(p.data(), p.size(), &t, nullptr) <= 0) return;
    for (size_t i = 0; i < p.size(); i++)
      if (p[i].revents & POLLIN) receive(local[i]);
  }
};

int publish(const Options& o) {
  Driver d;
  d.kamailio = !strcmp(o.text("dialect", "pua"), "kamailio");
  d.expires = o.text("expires", "3600");
  d.first = unsigned(o.number("first", 0));
  d.proxy = std::string("sip:127.0.0.1:") + o.text("sink", "0");
  std::string path = o.text("socket", "");
  d.server = unix_address(path);
  size_t count = size_t(o.number("count", 1000));
  long window = o.number("window", 96), rate = o.number("rate", 0);
  d.started.resize(count);
  d.times.ns.reserve(count);
  long sockets = rate ? 32 : std::max(1L, window / kPerSocket);
  for (long i = 0; i < sockets; i++)
    d.local.push_back(open_local(path + ".c" + std::to_string(getpid()) + "." + std::to_string(i)));

  int64_t t0 = wall_ns(), last = t0;
  size_t sent = 0, turn = 0;
  while (d.answered < count) {
    int64_t now = wall_ns();
    if (rate) {
      while (sent < count && t0 + int64_t(sent) * 1000000000 / rate <= now) {
        d.send(sent, d.local[turn++ % d.local.size()], t0 + int64_t(sent) * 1000000000 / rate);
        sent++;
      }
    } else {
      for (auto& l : d.local)
        while (sent < count && l.out < kPerSocket) {
          d.send(sent, l, wall_ns());
          sent++;
        }
    }
    size_t before = d.answered;
    int64_t next = rate && sent < count ? t0 + int64_t(sent) * 1000000000 / rate : now + 200000000;
    d.wait(next);
    if (d.answered != before || sent < count) last = wall_ns();
    if (wall_ns() - last > 40000000000) break;  // longer than any transaction timeout: the rest is lost
  }
  double wall = double(wall_ns() - t0) / 1e9;
  for (auto& l : d.local) { close(l.fd); unlink(l.path.c_str()); }
  printf("{\"count\":%zu,\"answered\":%zu,\"errors\":%zu,\"wall_s\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
         "\"first_error\":\"%s\"}\n",
         count, d.answered, d.errors, wall, d.times.at(0.5), d.times.at(0.99), d.times.max(),
         json_text(d.first_error).c_str());
  return d.answered == count && !d.errors ? 0 : 1;
}

int probe(const Options& o) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(uint16_t(o.number("sink", 0)));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) { perror("client: probe"); return 1; }
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
  if (mode == "publish") return publish(o);
  if (mode == "probe") return probe(o);
  if (mode == "call") return call(o);
  fprintf(stderr, "usage: client publish|probe|call --name value ...\n");
  return 2;
}
