#include "core/policy.h"

#include <algorithm>

namespace pua {

ReplyClass classify(const SipReply& r) {
  if (r.origin == ReplyOrigin::Shutdown) return ReplyClass::Shutdown;
  if (r.origin != ReplyOrigin::Wire) return ReplyClass::Transient;
  if (r.status >= 200 && r.status < 300) return ReplyClass::Success;
  switch (r.status) {
    case 412: return ReplyClass::LostState;
    case 423: return ReplyClass::TooBrief;
    case 401:
    case 407: return ReplyClass::Auth;
    case 403:
    case 404: return ReplyClass::Forbidden;
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 420:
    case 489: return ReplyClass::Fatal;
    default: return ReplyClass::Transient;  // a status that is not listed must not end a record
  }
}

uint32_t longer_to_ask(uint32_t asked, int64_t min_expires, int64_t most) {
  int64_t longer = min_expires >= 0 ? min_expires : std::min<int64_t>(int64_t{asked} * 2, most);
  return longer > asked && longer <= most ? static_cast<uint32_t>(longer) : 0;
}

ExpiresRule expires_rule(const EngineSettings& s, int32_t event) {
  ExpiresRule rule{s.min_expires, s.max_expires, s.default_expires};
  for (auto& [flag, seconds] : s.max_expires_by_event)
    if (flag == event) rule.most = seconds;
  return rule;
}

uint32_t expires_to_ask(const ExpiresRule& rule, MonoMs remaining, uint32_t server_min) {
  int64_t ask = remaining == kNever ? rule.standard : std::max<int64_t>(1, (remaining + 999) / 1000);
  ask = std::max<int64_t>(ask, std::max(rule.least, server_min));
  return static_cast<uint32_t>(std::min<int64_t>(ask, rule.most));
}

MonoMs refresh_after(uint32_t granted, Random& random) {
  MonoMs grant = static_cast<MonoMs>(granted) * 1000;
  MonoMs margin = std::max(grant / 5, std::min<MonoMs>(40000, grant / 2));
  MonoMs jitter = static_cast<MonoMs>(random.below(static_cast<uint64_t>(grant / 10 + 1)));
  return std::max<MonoMs>(grant - margin - jitter, kRefreshFloor);
}

MonoMs backoff(uint32_t attempts, int64_t retry_after, Random& random) {
  uint32_t doublings = std::min<uint32_t>(attempts > 0 ? attempts - 1 : 0, 8);
  MonoMs base = std::min<MonoMs>(2000ll << doublings, 300000);
  MonoMs wait = base - base / 4 + static_cast<MonoMs>(random.below(static_cast<uint64_t>(base / 2 + 1)));
  if (retry_after >= 0) wait = std::max<MonoMs>(wait, std::min(retry_after, kMaxRetryAfter) * 1000);
  return wait;
}

}  // namespace pua
