#include "base/log.h"

#include <algorithm>
#include <cstdio>

#include "base/utf8.h"

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

static bool plain(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

void Log::write(LogLevel l, const char* fmt, va_list ap) {
  char line[1024];  // longer lines are cut: a log line is for people
  int n = vsnprintf(line, sizeof line, fmt, ap);
  if (n < 0) return;
  if (n >= static_cast<int>(sizeof line)) n = sizeof line - 1;
  // One event makes one line. Text from outside must not forge a second line, steer a terminal, or look like other text.
  std::string_view text(line, static_cast<size_t>(n));
  if (plain(text)) return sink_(l, text);
  sink_(l, harmless(text));
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
