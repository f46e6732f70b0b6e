// File alarm: the kernel tells when somebody else has renamed, removed or replaced a file that we hold open, or closed it after
// writing, so that nobody has to look every second. It is a hint and no proof: whoever is called looks for himself
// (SqlitePlace).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/store_loop.h"

struct event;

namespace pua {

class FileAlarm {
 public:
  // changed: from the loop, once for all that happened since. nullptr: the kernel gives no watch (its limit is reached).
  static std::unique_ptr<FileAlarm> create(StoreLoop, std::function<void()> changed);
  ~FileAlarm();
  FileAlarm(const FileAlarm&) = delete;
  FileAlarm& operator=(const FileAlarm&) = delete;

  // These files from now on, and no others. false: not all of them can be watched.
  bool watch(const std::vector<std::string>& paths);

 private:
  FileAlarm(StoreLoop, std::function<void()> changed, int fd);
  static void on_readable(int, short, void* self);

  StoreLoop loop_;
  std::function<void()> changed_;
  int fd_;
  event* event_ = nullptr;
  std::vector<int> watched_;
};

}  // namespace pua
