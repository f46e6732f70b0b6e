#include "puad/daemonize.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace pua {

// The parent's end: the status that the daemon reports; a daemon that dies without a word has failed.
[[noreturn]] static void wait_for_daemon(int from_daemon, pid_t child) {
  uint8_t status = 1;
  ssize_t n;
  do {
    n = read(from_daemon, &status, 1);
  } while (n < 0 && errno == EINTR);
  waitpid(child, nullptr, 0);  // the process between us and the daemon, which ends at once
  _exit(n == 1 ? status : 1);
}

static void point_to_null(int fd) {
  int null = open("/dev/null", O_RDWR);
  if (null < 0) return;
  dup2(null, fd);
  if (null > STDERR_FILENO) close(null);
}

Daemonize::Daemonize() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    failed_ = true;
    return;
  }
  pid_t child = fork();
  if (child < 0) {
    close(ends[0]);
    close(ends[1]);
    failed_ = true;
    return;
  }
  if (child > 0) {
    close(ends[1]);
    wait_for_daemon(ends[0], child);
  }
  close(ends[0]);
  parent_ = ends[1];
  setsid();
  // Not the leader of the session: it can never get a terminal again.
  child = fork();
  if (child > 0) _exit(0);
  if (child < 0) {
    failed_ = true;
    return;
  }
  umask(027);
  if (chdir("/") != 0) failed_ = true;
  point_to_null(STDIN_FILENO);
}

Daemonize::~Daemonize() {
  if (parent_ >= 0) close(parent_);
}

void Daemonize::ready(bool keep_stderr) {
  point_to_null(STDOUT_FILENO);
  if (!keep_stderr) point_to_null(STDERR_FILENO);
  report(0);
}

void Daemonize::not_ready(int status) { report(status); }

void Daemonize::report(int status) {
  if (parent_ < 0) return;
  auto octet = static_cast<uint8_t>(status);
  while (write(parent_, &octet, 1) < 0 && errno == EINTR) {
  }
  close(parent_);
  parent_ = -1;
}

}  // namespace pua
