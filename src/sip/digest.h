// Digest (RFC 3261 section 22, RFC 7616, RFC 8760): answers to challenges from the configured credentials, remembered so that
// later requests carry them at once.
//
//   PUBLISH ------------------>          nothing known of this server: no credentials
//   <-- 401 realm="r", nonce=n1          take the challenge
//   PUBLISH (n1, nc=1) ------->          same request, next CSeq
//   <-- 200
//   PUBLISH (n1, nc=2) ------->          any later request there
//   <-- 401 stale=true, nonce=n2         take the new nonce, once more
//   PUBLISH (n2, nc=1) ------->
//   <-- 200
//   PUBLISH (n2, nc=2) ------->          much later, the server knows n2 no more
//   <-- 401 without challenge            (or 407, 403, 400): forget n2, once without credentials
//   PUBLISH ------------------>
//
// An answer to a challenge of this very request that is refused without stale=true means that the password is wrong: the
// 401 goes to the caller and the answer is forgotten. Each request is repeated at most kMaxRetries times with credentials, and
// once without.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sip/digest_cache.h"
#include "sip/digest_troubles.h"
#include "sip/request.h"

struct sip_s;
struct msg_auth_s;

namespace pua {

struct SipCredential {
  std::string realm, user, password;  // realm "*": any realm that has no entry of its own
};

// Who gets which answers: proxy answers go to the next hop, WWW answers to the domain asked for by way of that next hop (RFC
// 3261 section 22.2, 22.3). Host, port, transport and security count: another port is another server, and what was answered
// over TLS is not sent in the clear.
struct AuthScope {
  Target domain;    // Request-URI
  Target next_hop;  // the proxy, or again the Request-URI
};

// What one request has been through. Lives as long as the request.
struct AuthTrail {
  enum class State : uint8_t {
    Remembered,  // what it carried was answered for another request
    Answered,    // it was challenged itself, and carried the answer
    Refused,     // that answer was refused: not tried again
  };
  struct Entry {         // one realm
    bool proxy = false;  // Proxy-Authorization
    State state = State::Answered;
    bool sent = false;     // with the last attempt
    bool literal = false;  // with the second reading of quoted pairs (QuotedText)
    uint64_t serial = 0;   // of the DigestAnswer
    uint64_t place = 0;
    std::string realm;
  };
  enum class Bare : uint8_t { Not, Next, Was };  // whether an attempt goes out without any credentials

  std::vector<Entry> entries;
  uint64_t place = 0;   // of the scope
  uint8_t retries = 0;  // with credentials
  Bare bare = Bare::Not;
  void clear() {
    entries.clear();
    place = 0;
    retries = 0;
    bare = Bare::Not;
  }
};

struct DigestCounters {
  uint64_t answered = 0;    // attempts made to answer a challenge
  uint64_t forgotten = 0;   // attempts made without credentials, because what was remembered was refused
  uint64_t rejected = 0;    // requests that failed because our credentials were refused
  uint64_t unanswered = 0;  // requests that failed because a challenge could not be answered
};

// Loop thread only.
class Digest {
 public:
  static constexpr uint8_t kMaxRetries = 4;  // two realms on the way, each with one stale nonce

  enum class Verdict : uint8_t {
    Retry,        // send again, with authorize()
    NoAnswer,     // no credentials for the realm, or a challenge that we cannot answer
    Rejected,     // the credentials were tried and refused
    Unconcerned,  // it has nothing to do with credentials
  };

  // log: outlives it; null: nobody is told of what fails.
  explicit Digest(std::vector<SipCredential> credentials, Log* log = nullptr);
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  // Errors: bad_config (empty realm or user, control characters in realm or user, a quote or backslash in the user).
  static Status check(const std::vector<SipCredential>&);
  // Is a final reply of this status to be given to challenge()?
  static bool reads(int status) { return status == 400 || status == 401 || status == 403 || status == 407; }

  // Takes other credentials, and forgets what was remembered of servers.
  void set_credentials(std::vector<SipCredential>);
  bool has_credentials() const { return !credentials_.empty(); }

  // Takes a final reply with one of those statuses to a request that was sent as `trail` tells. What it ends in goes to the log
  // (DigestTroubles), never with a secret. now: for the rate of those lines.
  Verdict challenge(const sip_s* reply, const AuthScope&, AuthTrail& trail, MonoMs now = 0);

  // Appends Authorization and Proxy-Authorization lines for what is known of this server, and writes down in trail what went
  // out. uri: as it stands in the request line.
  void authorize(const AuthScope&, std::string_view method, std::string_view uri, std::string_view body, std::string& out,
                 AuthTrail& trail);

  // The request of this trail got a 2xx.
  void accepted(const AuthTrail& trail);

  const DigestCounters& counters() const { return counters_; }
  const DigestCache& cache() const { return cache_; }

 private:
  struct Reading;  // what the challenges of one reply come to

  const SipCredential* find(std::string_view realm) const;
  void take(const msg_auth_s* list, bool proxy, const AuthScope&, AuthTrail&, Reading&);
  void answer(const DigestChallenge&, const SipCredential&, bool proxy, const AuthScope&, AuthTrail&, Reading&);
  bool remember(const DigestChallenge&, const SipCredential&, bool proxy, const AuthScope&, bool literal);
  void forget_sent(const AuthScope&, const AuthTrail&);
  void forget_unnamed(bool proxy, const AuthScope&, const AuthTrail&, const std::vector<std::string>& named);
  bool go_bare(AuthTrail&);

  std::vector<SipCredential> credentials_;
  DigestCache cache_;
  DigestTroubles troubles_;
  DigestCounters counters_;
  uint64_t serial_ = 0;
};

}  // namespace pua
