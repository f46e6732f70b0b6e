// Digest (RFC 3261 section 22, RFC 2617): answers to challenges from the configured credentials, remembered so that later
// requests carry them at once.
//
//   PUBLISH ------------------>          nothing known of this server: no credentials
//   <-- 401 realm="r", nonce=n1          take the challenge
//   PUBLISH (n1, nc=1) ------->          same request, next CSeq
//   <-- 200
//   PUBLISH (n1, nc=2) ------->          any later request there
//   <-- 401 stale=true, nonce=n2         take the new nonce, once more
//   PUBLISH (n2, nc=1) ------->
//
// A nonce that came with the challenge to this very request and is refused without stale=true means that the password is
// wrong: the 401 goes to the caller and the remembered answer is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

struct sip_s;
struct msg_auth_s;

namespace pua {

struct SipCredential {
  std::string realm, user, password;  // realm "*": any realm that has no entry of its own
};

// Who gets which answers: WWW answers go to the domain asked for, proxy answers to the next hop (RFC 3261 section 22.2, 22.3).
struct AuthScope {
  std::string_view domain;    // host of the Request-URI
  std::string_view next_hop;  // host of the proxy, or again the domain
};

// What one request has been through. Lives as long as the request.
struct AuthTrail {
  struct Used {
    bool proxy;         // Proxy-Authorization
    bool fresh;         // the nonce came in answer to this request
    std::string realm;  // as on the wire, with quotes
    std::string nonce;
  };
  std::vector<Used> used;  // of the last attempt
  std::vector<std::pair<bool, std::string>> answered;  // (proxy, realm) challenged since the request was made
  uint8_t retries = 0;
  void clear() { used.clear(); answered.clear(); retries = 0; }
};

class Digest {
 public:
  enum class Verdict : uint8_t {
    Retry,       // send again, with authorize()
    NoAnswer,    // no credentials for the realm, or no algorithm that we know
    Rejected,    // the credentials were tried and refused
  };

  explicit Digest(std::vector<SipCredential> credentials);
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  // Errors: bad_config (empty realm or user, control characters or a quote in realm or user).
  static Status check(const std::vector<SipCredential>&);

  bool has_credentials() const { return !credentials_.empty(); }

  // Takes the challenges of a 401 or 407 to a request that was sent as `trail` tells.
  Verdict challenge(const sip_s* reply, const AuthScope&, AuthTrail& trail);

  // Appends Authorization and Proxy-Authorization lines for what is known of this server; writes trail.used.
  void authorize(const AuthScope&, std::string_view method, std::string_view uri, std::string_view body, std::string& out,
                 AuthTrail& trail);

 private:
  struct Answer;  // one realm of one server: sofia's auth_client with its nonce count
  using Answers = std::vector<std::unique_ptr<Answer>>;

  const SipCredential* find(std::string_view realm) const;
  static std::string scope_key(bool proxy, const AuthScope&);
  Answer* known(bool proxy, const AuthScope&, std::string_view realm);
  void forget(bool proxy, const AuthScope&, std::string_view realm);
  void remember(bool proxy, const AuthScope&, std::unique_ptr<Answer>);
  Verdict take(const msg_auth_s* list, bool proxy, const AuthScope&, AuthTrail&);

  std::vector<SipCredential> credentials_;
  std::unordered_map<std::string, Answers> known_;
};

}  // namespace pua
