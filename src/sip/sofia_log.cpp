#include "sip/sofia_log.h"

#include <sofia-sip/su_log.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/log.h"

extern "C" {
extern su_log_t nua_log[];
extern su_log_t nta_log[];
extern su_log_t tport_log[];
extern su_log_t sresolv_log[];
}

namespace pua {
namespace {

thread_local std::vector<Log*> t_logs;  // scopes of this thread, the newest last

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
  char text[900];
  int n = vsnprintf(text, sizeof text, fmt, ap);
  if (n <= 0) return;
  std::string_view line(text, std::min<size_t>(static_cast<size_t>(n), sizeof text - 1));
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (line.empty() || secret(line)) return;
  t_logs.back()->debug("sofia: %.*s", static_cast<int>(line.size()), line.data());
}

su_log_t* const kLogs[] = {su_log_default, su_log_global, nua_log, nta_log, tport_log, sresolv_log};

}  // namespace

SofiaLogScope::SofiaLogScope(Log& log) : log_(log) {
  t_logs.push_back(&log_);
  su_log_redirect(nullptr, receive, nullptr);
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
