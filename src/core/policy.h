// Policy: every number that the publication machine goes by, in one place, with its reason. Pure.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/time.h"
#include "core/types.h"

namespace pua {

// What a final reply means for a publication.
enum class ReplyClass : uint8_t {
  Success,     // 2xx
  LostState,   // 412
  TooBrief,    // 423
  Transient,   // 3xx, 408, 429, 430, 480, 5xx, 6xx, timeout, transport: keep and try again
  Forbidden,   // 403, 404: the same, with a loud counter (a half-started server must not wipe a million records)
  Auth,        // 401, 407 that credentials could not answer: the same; the operator must act
  Fatal,       // 400, 405, 406, 413, 415, 420, 489: the same request can never succeed
  Shutdown,    // we are going down: nothing is known, nothing changes
};
ReplyClass classify(const SipReply&);

// What may be asked for, s.
struct ExpiresRule {
  uint32_t least = 0, most = 0;
  uint32_t standard = 0;                   // for what is wanted for ever
};
ExpiresRule expires_rule(const EngineSettings&, int32_t event);
// Expires for the wire: the remaining wanted time (ms, or kNever), raised to min_expires and the server's
// Min-Expires, lowered to max_expires. Never used for a removal, whose Expires is exactly 0.
uint32_t expires_to_ask(const ExpiresRule&, MonoMs remaining, uint32_t server_min);
// What to ask for after a 423 to a request that asked for `asked`: what the server wants (min_expires, -1: it does not say; then twice as
// much). 0: nothing that we may ask for (most) would be more.
uint32_t longer_to_ask(uint32_t asked, int64_t min_expires, int64_t most);

// ms after the request left at which a grant of `granted` s is refreshed: a fifth of the grant before its end, but at
// least 40 s (one full transaction timeout of 32 s and a retry) or half of a short grant; less a jitter of up to a
// tenth of the grant, so that records created together drift apart. Never sooner than kRefreshFloor.
MonoMs refresh_after(uint32_t granted, Random&);

// ms to wait before try number `attempts`+1: 2 s doubling to 5 minutes, a quarter of it jitter either way, and not
// before retry_after (s, -1 none; believed up to an hour).
MonoMs backoff(uint32_t attempts, int64_t retry_after, Random&);

constexpr int64_t kMaxRetryAfter = 3600;   // s
// ms between two refreshes of one record, however short its grant. As long as the shortest back-off: a server that answers is not
// asked more often than one that does not. A grant of two seconds or less lapses before its refresh, and is made anew.
constexpr MonoMs kRefreshFloor = 2000;
// Loaded records that are due already get their turn at about a thousand a second, but all of them within this window.
constexpr MonoMs kLoadSpread = 30000;

// Breaker per destination (core/destination.h): this many requests in a row without any answer open it ...
constexpr uint32_t kBreakerTrips = 5;
// ... and one probe is let through after this long, doubling up to the second figure. A probe stays out for up to 32 s
// and is retransmitted every 4 s, so a server that comes back is noticed within about 4 s.
constexpr MonoMs kBreakerFirst = 1000;
constexpr MonoMs kBreakerMax = 8000;
// A destination that nothing was sent to for this long, and that nothing waits for, is forgotten, open or not.
constexpr MonoMs kBreakerForget = 600000;

}  // namespace pua
