// Daemonize: fork into the background, and tell the parent how the start went.
#pragma once

namespace pua {

class Daemonize {
 public:
  // Forks before anything else is made (no sockets, threads or loops survive a fork). Returns in the daemon only: in a
  // session of its own, without a terminal, stdin from /dev/null. The parent waits for ready() or the daemon's end and
  // exits with 0 or the daemon's status. If it cannot fork, returns with failed() true.
  Daemonize();
  ~Daemonize();
  Daemonize(const Daemonize&) = delete;
  Daemonize& operator=(const Daemonize&) = delete;

  bool failed() const { return failed_; }
  // The daemon serves: the parent ends with 0. stdout goes to /dev/null, and stderr unless it is kept.
  void ready(bool keep_stderr);
  // The daemon did not start, and exits with `status`: so does the parent.
  void not_ready(int status);

 private:
  void report(int status);

  bool failed_ = false;
  int parent_ = -1;  // pipe to the waiting parent
};

}  // namespace pua
