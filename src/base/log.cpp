#include "base/log.h"

#include <cstdio>

namespace pua {

static constexpr const char* kNames[] = {"error", "warning", "notice", "info", "debug"};

const char* log_level_name(LogLevel l) { return kNames[static_cast<int>(l)]; }

bool log_level_from(std::string_view name, LogLevel& out) {
  for (int i = 0; i < 5; i++) {
    if (name == kNames[i]) {
      out = static_cast<LogLevel>(i);
      return true;
    }
  }
  return false;
}

void Log::write(LogLevel l, const char* fmt, va_list ap) {
  char line[1024];  // longer lines are cut: a log line is for people
  int n = vsnprintf(line, sizeof line, fmt, ap);
  if (n < 0) return;
  if (n >= static_cast<int>(sizeof line)) n = sizeof line - 1;
  for (int i = 0; i < n; i++) {  // one event, one line: nothing from outside may forge a second
    if (static_cast<unsigned char>(line[i]) < 0x20 || line[i] == 0x7f) line[i] = '?';
  }
  sink_(l, std::string_view(line, static_cast<size_t>(n)));
}

#define PUA_LOG_CALL(name)                       \
  void Log::name(const char* fmt, ...) {         \
    if (!on(LogLevel::name)) return;             \
    va_list ap;                                  \
    va_start(ap, fmt);                           \
    write(LogLevel::name, fmt, ap);              \
    va_end(ap);                                  \
  }
PUA_LOG_CALL(error)
PUA_LOG_CALL(warning)
PUA_LOG_CALL(notice)
PUA_LOG_CALL(info)
PUA_LOG_CALL(debug)

}  // namespace pua
