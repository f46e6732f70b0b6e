// The log: a level, a sink, printf-like calls. Secrets never reach it: callers pass no passwords, no digest, no keys.
#pragma once

#include <cstdarg>
#include <functional>
#include <string_view>

namespace pua {

enum class LogLevel : int { error = 0, warning = 1, notice = 2, info = 3, debug = 4 };

const char* log_level_name(LogLevel l);
bool log_level_from(std::string_view name, LogLevel& out);

class Log {
 public:
  using Sink = std::function<void(LogLevel, std::string_view)>;

  explicit Log(Sink sink = {}, LogLevel level = LogLevel::notice) : sink_(std::move(sink)), level_(level) {}
  void set_sink(Sink sink) { sink_ = std::move(sink); }
  void set_level(LogLevel level) { level_ = level; }
  LogLevel level() const { return level_; }
  bool on(LogLevel l) const { return l <= level_ && sink_; }

  void error(const char* fmt, ...) __attribute__((format(printf, 2, 3)));
  void warning(const char* fmt, ...) __attribute__((format(printf, 2, 3)));
  void notice(const char* fmt, ...) __attribute__((format(printf, 2, 3)));
  void info(const char* fmt, ...) __attribute__((format(printf, 2, 3)));
  void debug(const char* fmt, ...) __attribute__((format(printf, 2, 3)));

 private:
  void write(LogLevel l, const char* fmt, va_list ap);
  Sink sink_;
  LogLevel level_;
};

}  // namespace pua
