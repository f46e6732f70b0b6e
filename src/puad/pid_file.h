// PidFile: a file with our process id, locked as long as we live: a file left over by a dead process locks nothing.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace pua {

class PidFile {
 public:
  // Errors (bad_config): another process holds the lock (the message names it), the path leads to something that is no pid file
  // (another link to a file, other content), or the system's refusal.
  static Result<std::unique_ptr<PidFile>> create(const std::string& path);
  ~PidFile();  // removes the file
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  PidFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

}  // namespace pua
