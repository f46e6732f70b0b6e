#include "puad/log_output.h"

#include <poll.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace pua {

static int facility_of(std::string_view name) {
  static constexpr struct {
    std::string_view name;
    int facility;
  } kFacilities[] = {{"daemon", LOG_DAEMON}, {"user", LOG_USER},     {"auth", LOG_AUTH},     {"local0", LOG_LOCAL0},
                     {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
                     {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}};
  for (const auto& f : kFacilities) {
    if (f.name == name) return f.facility;
  }
  return LOG_DAEMON;
}

static int priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::error: return LOG_ERR;
    case LogLevel::warning: return LOG_WARNING;
    case LogLevel::notice: return LOG_NOTICE;
    case LogLevel::info: return LOG_INFO;
    case LogLevel::debug: break;
  }
  return LOG_DEBUG;
}

// Whether fd is the journal's stream. The service manager puts its "device:inode" into the environment, which a child whose
// stderr leads elsewhere inherits as well.
static bool leads_to_journal(int fd) {
  const char* stream = getenv("JOURNAL_STREAM");
  unsigned long long device = 0, inode = 0;
  int end = 0;
  struct stat st;
  return stream != nullptr && sscanf(stream, "%llu:%llu%n", &device, &inode, &end) == 2 && stream[end] == '\0' &&
         fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

LogOutput::LogOutput(To to, const std::string& facility) : to_(to), journal_(leads_to_journal(STDERR_FILENO)) {
  if (to_ == To::Syslog) openlog("puad", LOG_PID | LOG_NDELAY, facility_of(facility));
}

LogOutput::~LogOutput() {
  if (to_ == To::Syslog) closelog();
}

Log::Sink LogOutput::sink() {
  return [this](LogLevel level, std::string_view line) { write(level, line); };
}

void LogOutput::write(LogLevel level, std::string_view line) {
  if (to_ == To::Syslog) {
    syslog(priority_of(level), "%.*s", static_cast<int>(line.size()), line.data());
  } else {
    write_stderr(level, line);
  }
}

void LogOutput::write_stderr(LogLevel level, std::string_view line) {
  // A pipe whose reader has stopped must not stop the loop: there is room for a line if poll says so (PIPE_BUF).
  pollfd p = {STDERR_FILENO, POLLOUT, 0};
  if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0) {
    lost_lines_++;
    return;
  }
  char head[96];
  if (journal_) {
    snprintf(head, sizeof head, "<%d>", priority_of(level));
  } else {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm local;
    char when[32];
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&now.tv_sec, &local));
    snprintf(head, sizeof head, "%s.%03ld %s: ", when, now.tv_nsec / 1000000, log_level_name(level));
  }
  std::string text = head;
  if (lost_lines_ > 0) text += "(" + std::to_string(lost_lines_) + " lines before this one could not be written) ";
  lost_lines_ = 0;
  text.append(line).append("\n");
  ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  if (written < 0) lost_lines_++;
}

}  // namespace pua
