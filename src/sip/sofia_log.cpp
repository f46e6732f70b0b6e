#include "sip/sofia_log.h"

#include <sofia-sip/su_log.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/log_gate.h"

extern "C" {
extern su_log_t nua_log[];
extern su_log_t nta_log[];
extern su_log_t tport_log[];
extern su_log_t sresolv_log[];
}

namespace pua {
namespace {

thread_local std::vector<Log*> t_logs;  // scopes of this thread, the newest last

// sofia can repeat one message for each event of a socket in trouble: 230,000 a second were seen.
thread_local LogGate t_serious(5), t_debug(100);

MonoMs now_ms() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<MonoMs>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
}

void write(Log& log, LogLevel level, const char* what, int len, const char* text, uint64_t left_out) {
  std::string more = left_out == 0 ? "" : " (" + std::to_string(left_out) + " lines before this one were left out)";
  if (level == LogLevel::debug) log.debug("%s%.*s%s", what, len, text, more.c_str());
  else if (level == LogLevel::notice) log.notice("%s%.*s%s", what, len, text, more.c_str());
  else log.warning("%s%.*s%s", what, len, text, more.c_str());
}

void say(LogLevel level, const std::string& line, LogGate& gate) {
  uint64_t left_out = 0;
  if (t_logs.empty() || !t_logs.back()->on(level) || !gate.pass(now_ms(), left_out)) return;
  write(*t_logs.back(), level, "", static_cast<int>(line.size()), line.c_str(), left_out);
}

// With TPORT_LOG in the environment sofia prints whole messages; credentials must not get through that way.
bool secret(std::string_view line) {
  for (std::string_view word : {"authorization:", "response=\"", "authenticate:"}) {
    auto same = [](char a, char b) { return tolower(static_cast<unsigned char>(a)) == b; };
    if (std::search(line.begin(), line.end(), word.begin(), word.end(), same) != line.end()) return true;
  }
  return false;
}

void receive(void*, char const* fmt, va_list ap) {
  if (t_logs.empty()) return;
  Log& log = *t_logs.back();
  // Above debug sofia is set to its most serious level: whatever comes then is that.
  bool debug = log.on(LogLevel::debug);
  LogLevel level = debug ? LogLevel::debug : LogLevel::warning;
  uint64_t left_out = 0;
  if (!log.on(level) || !(debug ? t_debug : t_serious).pass(now_ms(), left_out)) return;
  char text[900];
  int n = vsnprintf(text, sizeof text, fmt, ap);
  if (n <= 0) return;
  std::string_view line(text, std::min<size_t>(static_cast<size_t>(n), sizeof text - 1));
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (line.empty() || secret(line)) return;
  write(log, level, "sofia: ", static_cast<int>(line.size()), line.data(), left_out);
}

su_log_t* const kLogs[] = {su_log_default, su_log_global, nua_log, nta_log, tport_log, sresolv_log};

}  // namespace

void sofia_log_install() { su_log_redirect(nullptr, receive, nullptr); }

void sofia_warning(const std::string& line, LogGate& gate) { say(LogLevel::warning, line, gate); }
void sofia_notice(const std::string& line, LogGate& gate) { say(LogLevel::notice, line, gate); }

SofiaLogScope::SofiaLogScope(Log& log) : log_(log) {
  t_logs.push_back(&log_);
  sofia_log_install();
  follow_level();
}

SofiaLogScope::~SofiaLogScope() {
  auto it = std::find(t_logs.rbegin(), t_logs.rend(), &log_);
  if (it != t_logs.rend()) t_logs.erase(std::next(it).base());
}

void SofiaLogScope::follow_level() {
  unsigned level = log_.on(LogLevel::debug) ? 3 : 0;
  for (su_log_t* l : kLogs) su_log_set_level(l, level);
}

}  // namespace pua
