// Policy: what replies mean, and the numbers by which both machines and the outbox go, each with its reason. Pure.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/time.h"
#include "core/types.h"

namespace pua {

// What a final reply means for a publication, but for a 400 to a refresh (Publications::heard), and for a subscription, but
// where it costs a dialog (sub::input_of).
enum class ReplyClass : uint8_t {
  Success,     // 2xx
  LostState,   // 412
  TooBrief,    // 423
  Transient,   // 3xx, 408, 429, 430, 480, 5xx, 6xx, timeout, transport: the record is kept and tried again
  Forbidden,   // 403, 404: the same, and the log has an error (a server that is half started must not wipe a million records)
  Auth,        // 401, 407 that credentials could not answer: the same, and the operator must act
  Fatal,       // 400, 405, 406, 413, 415, 420, 489: the same request can never succeed (RFC 3261 section 21.4). Whether another
               // one is worth a try, in place of a refresh, say the two functions named above
  Shutdown,    // the SIP stack ends without a reply: nothing changes
};
ReplyClass classify(const SipReply&);

// What may be asked for, s.
struct ExpiresRule {
  uint32_t least = 0, most = 0;
  uint32_t standard = 0;                   // what to ask for where a record is wanted for ever
};
ExpiresRule expires_rule(const EngineSettings&, int32_t event);
// Expires for the wire: the remaining wanted time (ms, or kNever), raised to min_expires and the server's Min-Expires, then
// lowered to max_expires. Not for removals and fetches, whose Expires is exactly 0.
uint32_t expires_to_ask(const ExpiresRule&, MonoMs remaining, uint32_t server_min);
// What to ask for after a 423 to a request that asked for `asked`: the server's Min-Expires, or, where it names none (-1),
// twice as much as before. 0: that would be no more than before, or more than we may ask for (most).
uint32_t longer_to_ask(uint32_t asked, int64_t min_expires, int64_t most);

// ms after the request left at which a grant of `granted` s is refreshed: a fifth of the grant before its end, but at
// least 40 s (one full transaction timeout of 32 s and a retry) or half of a short grant; less a jitter of up to a
// tenth of the grant, so that records created together drift apart. Never sooner than kRefreshFloor.
MonoMs refresh_after(uint32_t granted, Random&);

// ms to wait before try number `attempts`+1: 2 s, doubling up to 5 minutes, with a jitter of a quarter of it either way; at
// least retry_after (s, -1: none), which counts up to an hour (kMaxRetryAfter).
MonoMs backoff(uint32_t attempts, int64_t retry_after, Random&);

constexpr int64_t kMaxRetryAfter = 3600;   // s
// For no longer than this (s) is a removal tried because more was granted than was asked for.
constexpr int64_t kMaxBeyond = 3600;
// ms between two refreshes of one record at least, however short its grant. That is the shortest back-off: a server that
// answers is not sent more requests than one that does not. A grant of two seconds or less ends before its refresh, and is made
// anew.
constexpr MonoMs kRefreshFloor = 2000;
// An owner's request that came while the table is being loaded is answered after this long (ms) at the latest, with 503; it is
// kept.
constexpr MonoMs kIdlePatience = 5000;
// After a restart, records that are due already are refreshed at about a thousand a second, or faster, so that all of them are
// within this time (ms).
constexpr MonoMs kLoadSpread = 30000;

// Each destination (core/destination.h) has a breaker, which opens after this many requests in a row without an answer.
constexpr uint32_t kBreakerTrips = 5;
// One probe is let through after the first of these (ms); the time doubles with each probe without an answer, up to the second.
// A probe is out for up to 32 s and is retransmitted every 4 s, so that a server which comes back is noticed within about 4 s.
constexpr MonoMs kBreakerFirst = 1000;
constexpr MonoMs kBreakerMax = 8000;
// A destination to which nothing was sent for this long (ms), and for which nothing waits, is forgotten, whatever its breaker.
constexpr MonoMs kBreakerForget = 600000;

}  // namespace pua
