// LogOutput: where the daemon's log lines go: stderr, or syslog. They come from Log, which keeps each to one line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"

namespace pua {

class LogOutput {
 public:
  enum class To : uint8_t { Stderr, Syslog };

  // facility: a name of settings.h (syslog_facility); only for syslog.
  LogOutput(To to, const std::string& facility);
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  Log::Sink sink();  // valid as long as this

 private:
  void write(LogLevel level, std::string_view line);
  void write_stderr(LogLevel level, std::string_view line);

  To to_;
  bool journal_;             // stderr leads to the journal: it wants a priority, and knows the time
  uint64_t lost_lines_ = 0;  // since the last line that could be written
};

}  // namespace pua
