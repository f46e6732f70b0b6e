// Nested mode: sofia's own reactor, turned by libevent, with its public headers only: its epoll fd is watched like any
// other, each readiness steps the root, and who calls sofia from outside kicks.
#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "sip/su_core.h"

namespace pua {

namespace {

constexpr int kSteps = 32;  // of up to four events each, before other callbacks of the loop get their turn

// Whether the epoll set `fd` of this process holds `member`: /proc/self/fdinfo/<fd> has a line "tfd: <member> ..." for each.
bool epoll_holds(int fd, int member) {
  std::string path = "/proc/self/fdinfo/" + std::to_string(fd);
  FILE* f = fopen(path.c_str(), "re");
  if (!f) return false;
  char line[256];
  bool found = false;
  while (!found && fgets(line, sizeof line, f)) {
    int target = -1;
    found = sscanf(line, "tfd: %d", &target) == 1 && target == member;
  }
  fclose(f);
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
      if (ending() || wait < 0) return kNoTimer;
      if (wait > 0) return wait + 1;
    }
    return 1;  // 0 from a step: events were served, or less than 1 ms is left. Sockets that wait wake us at once anyway.
  }

 private:
  static void on_io(evutil_socket_t, short, void* self) {
    auto* core = static_cast<NestedCore*>(self);
    core->stats_.io++;
    Turn turn(*core, "sip.io");
    core->work_and_arm();
  }

  struct event io_ {};
};

}  // namespace

SuCore* make_nested_core(event_base* base, Watchdog* wd, std::string& why) {
  auto core = std::make_unique<NestedCore>(base, wd);
  return core->start(why) ? core.release() : nullptr;
}

}  // namespace pua
