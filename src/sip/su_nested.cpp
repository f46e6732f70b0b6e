// Nested mode: sofia's own reactor, turned by libevent, with its public headers only: its epoll fd is watched like any
// other, each readiness steps the root, and who calls sofia from outside kicks.
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "sip/su_core.h"
#include "sip/su_streams.h"

namespace pua {

namespace {

constexpr int64_t kLookMs = 20;  // between looks for connections
constexpr int kSteps = 32;  // of up to four events each, before other callbacks of the loop get their turn

// Calls f(member, events) for each descriptor in the epoll set `fd` of this process: /proc/self/fdinfo/<fd> has a line
// "tfd: <member> events: <mask> ..." for each. false: it cannot be read.
template <class F>
bool each_member(int fd, F f) {
  std::string path = "/proc/self/fdinfo/" + std::to_string(fd);
  FILE* file = fopen(path.c_str(), "re");
  if (!file) return false;
  char line[256];
  while (fgets(line, sizeof line, file)) {
    int target = -1;
    unsigned events = 0;
    if (sscanf(line, "tfd: %d events: %x", &target, &events) == 2) f(target, events);
  }
  fclose(file);
  return true;
}

bool epoll_holds(int fd, int member) {
  bool found = false;
  each_member(fd, [&](int target, unsigned) { found = found || target == member; });
  return found;
}

int find_epoll_with(int member) {
  DIR* dir = opendir("/proc/self/fd");
  if (!dir) return -1;
  int found = -1;
  while (dirent* e = found < 0 ? readdir(dir) : nullptr) {
    char link[64];
    ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link);
    if (n < 0 || std::string_view(link, static_cast<size_t>(n)) != "anon_inode:[eventpoll]") continue;
    int fd = -1;
    std::from_chars(e->d_name, e->d_name + strlen(e->d_name), fd);
    if (fd >= 0 && epoll_holds(fd, member)) found = fd;
  }
  closedir(dir);
  return found;
}

// The epoll fd of a root: the one that gets an fd we register on the root. -1: not there, the root polls in another way.
int epoll_of(su_root_t* root) {
  int marker = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (marker < 0) return -1;
  int found = -1;
  su_wait_t wait[1] = {SU_WAIT_INIT};
  if (su_wait_create(wait, marker, SU_WAIT_IN) == 0) {
    int id = su_root_register(root, wait, [](su_root_magic_t*, su_wait_t*, su_wakeup_arg_t*) { return 0; }, nullptr, 0);
    if (id > 0) {
      found = find_epoll_with(marker);
      su_root_deregister(root, id);
    }
  }
  close(marker);
  return found;
}

class NestedCore final : public SuCore {
 public:
  using SuCore::SuCore;
  ~NestedCore() override {
    if (event_initialized(&io_)) event_del(&io_);  // before the root closes its fd
    if (root_) su_root_destroy(root_);
  }
  SuDriver::Mode mode() const override { return SuDriver::Mode::Nested; }

  void stream_message(const sockaddr* peer) override {
    auto find = [&] {
      return std::find_if(streams_.begin(), streams_.end(), [&](const Stream& s) { return s.from(peer); });
    };
    auto it = find();
    if (it == streams_.end()) {
      look_at_streams();
      it = find();
    }
    if (it != streams_.end()) stream_octets(it->fd, it->read.at_message);
  }

  void stream_unanswered(const sockaddr* peer) override {
    look_at_streams();
    uint64_t octets = 0;
    for (Stream& s : streams_)
      if (s.from(peer) && stream_octets(s.fd, octets) && octets > s.read.at_message) cut(s, kHidden);
  }

  bool start(std::string& why) {
    root_ = su_root_create(nullptr);
    if (!root_) {
      why = "no root could be made";
      return false;
    }
    int fd = epoll_of(root_);
    if (fd < 0) {
      why = std::string("the root's epoll fd was not found (its port is \"") + su_root_name(root_) + "\")";
      return false;
    }
    epoll_ = fd;
    event_assign(&io_, base_, fd, EV_READ | EV_PERSIST, on_io, this);
    if (event_add(&io_, nullptr) != 0) {
      why = "the root's epoll fd could not be watched";
      return false;
    }
    return true;
  }

 protected:
  int64_t work() override {
    for (int i = 0; i < kSteps; i++) {
      su_duration_t wait = su_root_step(root_, 0);
      if (ending()) return kNoTimer;
      bool owed = most() > 0 && !look_in_time();
      if (wait < 0) return owed ? kLookMs : kNoTimer;
      if (wait > 0) return owed ? std::min<int64_t>(wait + 1, kLookMs) : wait + 1;
    }
    return 1;  // 0 from a step: events were served, or less than 1 ms is left. Sockets that wait wake us at once anyway.
  }

 private:
  // A TCP connection of sofia's, found in its epoll set.
  struct Stream {
    int fd = -1;
    sockaddr_storage peer{};
    StreamRead read;
    bool seen = false;

    bool from(const sockaddr* other) const {
      auto* a = reinterpret_cast<const sockaddr*>(&peer);
      if (a->sa_family != other->sa_family) return false;
      if (a->sa_family == AF_INET) {
        auto *x = reinterpret_cast<const sockaddr_in*>(a), *y = reinterpret_cast<const sockaddr_in*>(other);
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
      }
      auto *x = reinterpret_cast<const sockaddr_in6*>(a), *y = reinterpret_cast<const sockaddr_in6*>(other);
      return x->sin6_port == y->sin6_port && memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
    }
  };

  void cut(Stream& s, const char* why) {
    if (!s.read.cut) cut_stream(s.fd, why);
    s.read.cut = true;
  }

  // After each step while there are connections; else now and then: most of what comes may be datagrams. false: later.
  bool look_in_time() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t now = static_cast<int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
    if (streams_.empty() && now - looked_ < kLookMs) return false;
    looked_ = now;
    look_at_streams();
    return true;
  }

  // What su_port does at each event is done here after each step: sofia watches its sockets itself, but the kernel tells which
  // they are.
  void look_at_streams() {
    for (Stream& s : streams_) s.seen = false;
    each_member(epoll_, [&](int fd, unsigned events) {
      uint64_t octets = 0;
      sockaddr_storage peer{};
      socklen_t len = sizeof peer;
      if (!stream_octets(fd, octets) || getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &len) != 0) return;
      auto it = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& s) { return s.fd == fd; });
      // The number of the descriptor serves another connection by now: another peer, or fewer octets than there were.
      bool other = it == streams_.end() || octets < it->read.at_message || !it->from(reinterpret_cast<sockaddr*>(&peer));
      if (it == streams_.end()) it = streams_.insert(it, Stream{.fd = fd, .peer = {}, .read = {}});
      if (other) {
        it->peer = peer;
        it->read = {};
        limit_unread(fd, most());
      }
      it->seen = true;
      bool too_long = endless(it->read, octets), stalled = !(events & (EPOLLIN | EPOLLOUT));
      if (too_long || stalled) cut(*it, too_long ? kTooLong : kUnreadable);
    });
    streams_.erase(std::remove_if(streams_.begin(), streams_.end(), [](const Stream& s) { return !s.seen; }), streams_.end());
  }

  static void on_io(evutil_socket_t, short, void* self) {
    auto* core = static_cast<NestedCore*>(self);
    core->stats_.io++;
    Turn turn(*core, "sip.io");
    core->work_and_arm();
  }

  struct event io_ {};
  int epoll_ = -1;
  int64_t looked_ = 0;  // CLOCK_MONOTONIC, ms
  std::vector<Stream> streams_;
};

}  // namespace

SuCore* make_nested_core(event_base* base, Watchdog* wd, std::string& why) {
  auto core = std::make_unique<NestedCore>(base, wd);
  return core->start(why) ? core.release() : nullptr;
}

}  // namespace pua
