#include "store/file_alarm.h"

#include <event2/event.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <utility>

namespace pua {

namespace {
// None of these comes from what SQLite does to a file that it keeps open. A file that another one is renamed over, or that is
// removed, changes its count of links (IN_ATTRIB); who copies over it closes it.
constexpr uint32_t kEvents = IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF;
}  // namespace

std::unique_ptr<FileAlarm> FileAlarm::create(StoreLoop loop, std::function<void()> changed) {
  if (!loop.base) return nullptr;
  int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return nullptr;
  std::unique_ptr<FileAlarm> a(new FileAlarm(std::move(loop), std::move(changed), fd));
  if (!a->event_ || event_add(a->event_, nullptr) != 0) return nullptr;
  return a;
}

FileAlarm::FileAlarm(StoreLoop loop, std::function<void()> changed, int fd)
    : loop_(std::move(loop)), changed_(std::move(changed)), fd_(fd) {
  event_ = event_new(loop_.base, fd_, EV_READ | EV_PERSIST, &FileAlarm::on_readable, this);
}

FileAlarm::~FileAlarm() {
  if (event_) event_free(event_);
  close(fd_);
}

bool FileAlarm::watch(const std::vector<std::string>& paths) {
  for (int w : std::exchange(watched_, {})) inotify_rm_watch(fd_, w);
  bool all = true;
  for (const std::string& path : paths) {
    int w = inotify_add_watch(fd_, path.c_str(), kEvents);
    all = all && w >= 0;
    if (w >= 0) watched_.push_back(w);
  }
  return all;
}

void FileAlarm::on_readable(int fd, short, void* self) {
  auto* a = static_cast<FileAlarm*>(self);
  alignas(inotify_event) char room[4096];
  bool any = false;
  for (ssize_t n = read(fd, room, sizeof room); n > 0; n = read(fd, room, sizeof room)) {
    const inotify_event* e = nullptr;
    for (ssize_t at = 0; at < n; at += static_cast<ssize_t>(sizeof *e + e->len)) {
      e = reinterpret_cast<const inotify_event*>(room + at);
      any = any || !(e->mask & IN_IGNORED);  // says that a watch is gone, also where we took it away
    }
  }
  if (!any) return;
  auto changed = a->changed_;  // may go with this object, inside
  if (!a->loop_.turn) return changed();
  auto turn = a->loop_.turn;
  Watchdog::Scope scope(a->loop_.watchdog, "store.file");
  turn(changed);
}

}  // namespace pua
