// Flood: the attacker of the attack suite. Sends one kind of message to one address of this machine as fast as it can, counts what comes
// back, and prints both as one line of JSON. Never to another machine: the address must be in 127.0.0.0/8.
//
// Usage: flood KIND udp|tcp ADDRESS PORT SECONDS [name=value ...]
//   KIND       invite options notify register response random   requests and responses of strangers, octets
//              known    NOTIFYs whose Call-ID is text=          raw      text= as it is, once in each datagram
//              icmp     forged "port unreachable" (raw socket)  idle     connections that say nothing
//              slow     connections that send an octet now and then      endless  one header line that never ends
//   count=N    at most so many messages (or connections); 0: no limit but the time
//   rate=N     at most so many a second; 0: as fast as it goes
//   sources=N  from 127.0.1.1 ... on, N addresses by turns; 0: from 127.0.0.1
//   size=N     octets of one message, filled up with a header field; at most 65,000
//   via_port=N no rport in Via, this port instead: answers go there
//   text=T     see known and raw; \r and \n are written as %0D and %0A
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr unsigned kBatch = 64;
constexpr size_t kLongest = 65000;
constexpr unsigned kMostSources = 250 * 250;
constexpr double kMostSeconds = 600;

struct Options {
  std::string kind, transport, text;
  sockaddr_in to{};
  double seconds = 1;
  uint64_t count = 0, rate = 0;
  unsigned sources = 0, size = 0, via_port = 0;
};

struct Totals {
  uint64_t sent = 0, sent_octets = 0, answers = 0, answer_octets = 0, refused = 0;
};

volatile sig_atomic_t g_stop = 0;

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) / 1e9;
}

// Seconds of user and system time so far.
double cpu() {
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return seconds(r.ru_utime) + seconds(r.ru_stime);
}

uint64_t next_random(uint64_t& state) {   // xorshift64*
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Dull;
}

sockaddr_in source(const Options& o, unsigned n) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  uint32_t host = o.sources == 0 ? 0x7f000001u : 0x7f000000u | (1 + n / 250) << 8 | (1 + n % 250);
  a.sin_addr.s_addr = htonl(host);
  return a;
}

// One message with places for a number that makes each one another.
class Message {
 public:
  explicit Message(const Options& o) : random_(o.kind == "random") {
    make(o);
    for (size_t at = octets_.find('@'); at != std::string::npos; at = octets_.find('@', at + 1))
      if (octets_.compare(at, 16, std::string(16, '@')) == 0) {
        places_.push_back(at);
        at += 15;
      }
    number(0);
  }
  std::string_view octets() const { return octets_; }
  void number(uint64_t n) {
    if (random_) {
      for (size_t i = 0; i + 8 <= octets_.size(); i += 8) {
        uint64_t r = next_random(seed_);
        memcpy(octets_.data() + i, &r, 8);
      }
      return;
    }
    char digits[17];
    for (unsigned i = 0; i < 16; i++) digits[i] = "0123456789"[(n / powers()[i]) % 10];
    for (size_t at : places_) memcpy(octets_.data() + at, digits, 16);
  }

 private:
  static const uint64_t* powers() {
    static uint64_t p[16] = {};
    if (p[15] == 0) {
      p[15] = 1;
      for (int i = 14; i >= 0; i--) p[i] = p[i + 1] * 10;
    }
    return p;
  }
  void make(const Options& o) {
    const std::string id(16, '@');
    if (random_) {
      octets_.assign(o.size ? o.size : 400, 'x');
      return;
    }
    if (o.kind == "raw" || o.kind == "endless") {
      octets_ = o.text;
      if (o.kind == "endless") octets_.append(16384, 'x');
      return;
    }
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%u", o.via_port ? o.via_port : 9u);
    std::string via = "Via: SIP/2.0/" + std::string(o.transport == "tcp" ? "TCP " : "UDP ") + host + ";branch=z9hG4bK" + id +
                      (o.via_port ? "" : ";rport") + "\r\n";
    std::string method = o.kind, call = id + "@127.0.0.1", tag = ";tag=t", more = "Max-Forwards: 70\r\n";
    for (char& c : method) c = char(toupper(c));
    if (o.kind == "known") {
      method = "NOTIFY";
      call = o.text;
    }
    if (method == "NOTIFY") {
      more += "Event: presence\r\nSubscription-State: active;expires=3600\r\nContact: <sip:x@127.0.0.1>\r\n";
      tag = ";tag=t" + id;
    }
    std::string first = method + " sip:127.0.0.1 SIP/2.0\r\n", cseq = "1";
    if (o.kind == "response") {
      first = "SIP/2.0 200 OK\r\n";
      method = "PUBLISH";
      more = "SIP-ETag: e" + id + "\r\nExpires: 3600\r\n";
    }
    octets_ = first + via + "From: <sip:x@127.0.0.1>;tag=f" + id + "\r\nTo: <sip:y@127.0.0.1>" + (method == "NOTIFY" ? tag : "") +
              "\r\nCall-ID: " + call + "\r\nCSeq: " + cseq + " " + method + "\r\n" + more;
    size_t end = octets_.size() + 21;
    if (o.size > end + 7) octets_.append("X-Fill: ").append(o.size - end - 10, 'x').append("\r\n");
    octets_ += "Content-Length: 0\r\n\r\n";
  }

  bool random_;
  uint64_t seed_ = 88172645463325252ull;
  std::string octets_;
  std::vector<size_t> places_;
};

// How many may go now, so that neither the rate nor the count is passed.
uint64_t allowed(const Options& o, const Totals& t, double begin) {
  uint64_t most = o.count ? o.count - std::min(o.count, t.sent) : UINT64_MAX;
  if (o.rate) {
    auto due = uint64_t((now() - begin) * double(o.rate)) + 1;
    most = std::min(most, due - std::min(due, t.sent));
  }
  return most;
}

bool over(const Options& o, const Totals& t, double begin) {
  return g_stop || now() - begin >= o.seconds || (o.count && t.sent >= o.count);
}

void take_answers(int fd, Totals& t) {
  static char buffer[65536];
  for (unsigned i = 0; i < 256; i++) {
    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n <= 0) return;
    t.answers++;
    t.answer_octets += uint64_t(n);
  }
}

int udp_from(const sockaddr_in& from, const sockaddr_in& to) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int size = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
      connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    perror("flood: socket");
    exit(1);
  }
  return fd;
}

void flood_datagrams(const Options& o, Totals& t) {
  std::vector<int> sockets;
  for (unsigned i = 0; i < std::max(1u, o.sources); i++) sockets.push_back(udp_from(source(o, i), o.to));
  std::vector<Message> messages(kBatch, Message(o));
  mmsghdr batch[kBatch];
  iovec parts[kBatch];
  for (unsigned i = 0; i < kBatch; i++) {
    parts[i] = {const_cast<char*>(messages[i].octets().data()), messages[i].octets().size()};
    batch[i] = {};
    batch[i].msg_hdr.msg_iov = &parts[i];
    batch[i].msg_hdr.msg_iovlen = 1;
  }
  double begin = now();
  uint64_t number = uint64_t(begin * 1e6);
  for (size_t turn = 0; !over(o, t, begin); turn++) {
    auto n = unsigned(std::min<uint64_t>(kBatch, allowed(o, t, begin)));
    int fd = sockets[turn % sockets.size()];
    if (n == 0) {
      usleep(500);
    } else {
      for (unsigned i = 0; i < n; i++) messages[i].number(++number);
      int sent = sendmmsg(fd, batch, n, 0);
      if (sent < 0) t.refused++;   // what the network said of an earlier one
      else t.sent += unsigned(sent), t.sent_octets += unsigned(sent) * parts[0].iov_len;
    }
    take_answers(fd, t);
  }
  for (double end = now() + 0.3; now() < end; usleep(10000))
    for (int fd : sockets) take_answers(fd, t);
}

uint16_t checksum(const void* data, size_t size) {
  uint32_t sum = 0;
  auto p = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i + 1 < size; i += 2) sum += uint32_t(p[i]) << 8 | p[i + 1];
  if (size % 2) sum += uint32_t(p[size - 1]) << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(uint16_t(~sum));
}

// "Port unreachable" for datagrams that the victim never sent: its kernel cannot tell, for its socket is not connected.
void flood_icmp(const Options& o, Totals& t) {
  int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  if (fd < 0) {
    perror("flood: raw socket");
    exit(77);
  }
  std::string text = "PUBLISH sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKnobody;rport\r\n";
  std::vector<uint8_t> packet(8 + 20 + 8 + text.size());
  packet[0] = ICMP_DEST_UNREACH;
  packet[1] = ICMP_PORT_UNREACH;
  uint8_t* ip = packet.data() + 8;
  auto total = uint16_t(packet.size() - 8);
  ip[0] = 0x45;
  ip[2] = uint8_t(total >> 8), ip[3] = uint8_t(total);
  ip[8] = 64, ip[9] = IPPROTO_UDP;
  memcpy(ip + 12, &o.to.sin_addr, 4);   // what came back was "sent" by the victim ...
  sockaddr_in server = source(o, 0);
  memcpy(ip + 16, &server.sin_addr, 4);
  uint16_t sum = checksum(ip, 20);
  memcpy(ip + 10, &sum, 2);
  uint8_t* udp = ip + 20;
  memcpy(udp, &o.to.sin_port, 2);       // ... from the socket that is attacked
  udp[2] = 0x13, udp[3] = 0xc4;
  auto length = uint16_t(8 + text.size());
  udp[4] = uint8_t(length >> 8), udp[5] = uint8_t(length);
  memcpy(udp + 8, text.data(), text.size());
  sum = checksum(packet.data(), packet.size());
  memcpy(packet.data() + 2, &sum, 2);

  sockaddr_in to = o.to;
  to.sin_port = 0;
  mmsghdr batch[kBatch];
  iovec part{packet.data(), packet.size()};
  for (mmsghdr& m : batch) {
    m = {};
    m.msg_hdr.msg_iov = &part;
    m.msg_hdr.msg_iovlen = 1;
    m.msg_hdr.msg_name = &to;
    m.msg_hdr.msg_namelen = sizeof to;
  }
  for (double begin = now(); !over(o, t, begin);) {
    auto n = unsigned(std::min<uint64_t>(kBatch, allowed(o, t, begin)));
    if (n == 0) usleep(500);
    else if (int sent = sendmmsg(fd, batch, n, 0); sent > 0) t.sent += unsigned(sent), t.sent_octets += unsigned(sent) * packet.size();
    else t.refused++;
  }
}

struct Connection {
  int fd = -1;
  std::string rest;      // of a message that went in part
  double next = 0;
};

int tcp_from(const Options& o, unsigned n) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in from = source(o, n % std::max(1u, o.sources));
  int one = 1;
  setsockopt(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
  if (fd < 0 || (o.sources && bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) ||
      (connect(fd, reinterpret_cast<const sockaddr*>(&o.to), sizeof o.to) != 0 && errno != EINPROGRESS)) {
    if (fd >= 0) close(fd);
    return -1;
  }
  return fd;
}

void drop(Connection& c, Totals& t) {
  close(c.fd);
  c = {};
  t.refused++;
}

// Whole messages one after the other, over connections that are made anew when the victim has closed them.
void flood_streams(const Options& o, Totals& t) {
  std::vector<Connection> connections(std::max(4u, std::min(o.sources, 200u)));
  Message message(o);
  double begin = now();
  uint64_t number = uint64_t(begin * 1e6);
  for (size_t turn = 0; !over(o, t, begin); turn++) {
    Connection& c = connections[turn % connections.size()];
    if (c.fd < 0) {
      c.fd = tcp_from(o, unsigned(turn % connections.size()));
      if (c.fd < 0) usleep(1000);
      continue;
    }
    static char buffer[65536];
    ssize_t got = recv(c.fd, buffer, sizeof buffer, 0);
    if (got > 0) t.answer_octets += uint64_t(got);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
      drop(c, t);
      continue;
    }
    uint64_t n = std::min<uint64_t>(32, allowed(o, t, begin));
    if (n == 0) usleep(500);
    for (; c.rest.size() < 16384 && n > 0; n--) {
      message.number(++number);
      c.rest.append(message.octets());
      t.sent++;
    }
    ssize_t put = send(c.fd, c.rest.data(), c.rest.size(), MSG_NOSIGNAL);
    if (put > 0) {
      t.sent_octets += uint64_t(put);
      c.rest.erase(0, size_t(put));
    } else if (errno != EAGAIN) {
      drop(c, t);
    } else if (turn % connections.size() == 0) {
      pollfd p{c.fd, POLLIN | POLLOUT, 0};
      poll(&p, 1, 1);
    }
  }
  for (Connection& c : connections)
    if (c.fd >= 0) close(c.fd);
}

// Many connections that say nothing, or an octet of a message every second; those that are closed are opened again.
void hold_connections(const Options& o, Totals& t) {
  rlimit files{20000, 20000};
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  Options plain = o;
  plain.kind = "options";
  Message message(plain);
  size_t most = o.count ? o.count : 5000;
  std::vector<Connection> connections(most);
  std::vector<size_t> at(most, 0);
  double begin = now();
  while (!g_stop && now() - begin < o.seconds) {
    unsigned opened = 0;
    for (size_t i = 0; i < most && !g_stop; i++) {
      Connection& c = connections[i];
      if (c.fd < 0) {
        if (opened >= 200) continue;   // in steps, so that the victim's backlog is not what is tested
        opened++;
        c.fd = tcp_from(o, unsigned(i));
        at[i] = 0;
        c.next = now();
        if (c.fd >= 0) t.sent++;
        continue;
      }
      if (now() < c.next) continue;
      c.next = now() + 1;
      char octet[64];
      ssize_t got = recv(c.fd, octet, sizeof octet, 0);
      bool gone = got == 0 || (got < 0 && errno != EAGAIN);
      if (!gone && o.kind == "slow" && at[i] + 4 < message.octets().size()) {
        gone = send(c.fd, message.octets().data() + at[i]++, 1, MSG_NOSIGNAL) != 1 && errno != EAGAIN;
        t.sent_octets++;
      }
      if (gone) drop(c, t);
    }
    usleep(10000);
  }
  for (Connection& c : connections)
    if (c.fd >= 0) close(c.fd);
}

void read_option(Options& o, const std::string& word) {
  size_t at = word.find('=');
  std::string name = word.substr(0, at), value = at == std::string::npos ? "" : word.substr(at + 1);
  if (name == "text") {
    for (size_t i = 0; i < value.size(); i++) {
      if (value.compare(i, 3, "%0D") == 0 || value.compare(i, 3, "%0A") == 0) {
        o.text.push_back(value[i + 2] == 'D' ? '\r' : '\n');
        i += 2;
      } else {
        o.text.push_back(value[i]);
      }
    }
    return;
  }
  uint64_t n = strtoull(value.c_str(), nullptr, 10);
  if (name == "count") o.count = n;
  else if (name == "rate") o.rate = n;
  else if (name == "sources") o.sources = unsigned(std::min<uint64_t>(n, kMostSources));
  else if (name == "size") o.size = unsigned(std::min<uint64_t>(n, kLongest));
  else if (name == "via_port") o.via_port = unsigned(n);
  else fprintf(stderr, "flood: unknown option %s\n", name.c_str()), exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fprintf(stderr, "usage: flood KIND udp|tcp ADDRESS PORT SECONDS [name=value ...]\n");
    return 2;
  }
  Options o;
  o.kind = argv[1];
  o.transport = argv[2];
  o.to.sin_family = AF_INET;
  o.to.sin_port = htons(uint16_t(atoi(argv[4])));
  o.seconds = std::min(atof(argv[5]), kMostSeconds);
  for (int i = 6; i < argc; i++) read_option(o, argv[i]);
  if (inet_pton(AF_INET, argv[3], &o.to.sin_addr) != 1 || ntohl(o.to.sin_addr.s_addr) >> 24 != 127) {
    fprintf(stderr, "flood: %s is no address of this machine alone (127.0.0.0/8)\n", argv[3]);
    return 2;
  }
  for (int number : {SIGTERM, SIGINT}) signal(number, [](int) { g_stop = 1; });
  Totals t;
  double begin = now();
  if (o.kind == "icmp") flood_icmp(o, t);
  else if (o.kind == "idle" || o.kind == "slow") hold_connections(o, t);
  else if (o.transport == "tcp") flood_streams(o, t);
  else flood_datagrams(o, t);
  printf("{\"sent\":%llu,\"sent_octets\":%llu,\"answers\":%llu,\"answer_octets\":%llu,\"refused\":%llu,\"seconds\":%.3f,\"cpu\":%.3f}\n",
         static_cast<unsigned long long>(t.sent), static_cast<unsigned long long>(t.sent_octets),
         static_cast<unsigned long long>(t.answers), static_cast<unsigned long long>(t.answer_octets),
         static_cast<unsigned long long>(t.refused), now() - begin, cpu());
  return 0;
}
