#include "sip/digest.h"

#include <sofia-sip/auth_client.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/url.h>
#include <strings.h>

#include <algorithm>
#include <cctype>

#include "sip/raw_message.h"

namespace pua {
namespace {

constexpr uint8_t kMaxRetries = 4;      // two realms on the way, each with one stale nonce
constexpr size_t kMaxScopes = 4096;     // servers remembered; beyond, one is forgotten and has to ask again
constexpr size_t kMaxRealms = 8;        // realms remembered of one server

std::string_view param(const msg_auth_t* ch, const char* name) {
  const char* v = msg_header_find_param(ch->au_common, name);
  return v ? std::string_view(v) : std::string_view();
}

std::string unquoted(std::string_view s) {
  if (s.size() < 2 || s.front() != '"' || s.back() != '"') return std::string(s);
  std::string out;
  for (size_t i = 1; i + 1 < s.size(); i++) {
    if (s[i] == '\\' && i + 2 < s.size()) i++;
    out.push_back(s[i]);
  }
  return out;
}

bool is_true(std::string_view v) { return strcasecmp(unquoted(v).c_str(), "true") == 0; }

bool usable(const msg_auth_t* ch) {
  if (!ch->au_scheme || strcasecmp(ch->au_scheme, "Digest") != 0) return false;  // Basic would show the password
  if (param(ch, "realm=").empty() || param(ch, "nonce=").empty()) return false;
  // Realm, nonce and opaque go back in our request: a folded line inside their quotes must not.
  for (const msg_param_t* p = ch->au_params; p && *p; p++)
    for (const char* c = *p; *c; c++)
      if (static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f) return false;
  std::string algorithm = unquoted(param(ch, "algorithm="));
  return algorithm.empty() || strcasecmp(algorithm.c_str(), "MD5") == 0 || strcasecmp(algorithm.c_str(), "MD5-sess") == 0;
}

}  // namespace

struct Digest::Answer {
  su_home_t home[1] = {SU_HOME_INIT(home)};
  auth_client_t* client = nullptr;
  std::string realm, nonce;  // as on the wire, with quotes

  Answer() { su_home_init(home); }
  ~Answer() { su_home_deinit(home); }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
};

Digest::Digest(std::vector<SipCredential> credentials) : credentials_(std::move(credentials)) {}
Digest::~Digest() = default;

Status Digest::check(const std::vector<SipCredential>& list) {
  for (const SipCredential& c : list) {
    if (c.realm.empty() || c.user.empty()) return {Errc::bad_config, "a credential needs realm and user"};
    for (std::string_view s : {std::string_view(c.realm), std::string_view(c.user)})
      for (char ch : s)
        if (static_cast<unsigned char>(ch) < 0x20 || ch == 0x7f || ch == '"' || ch == '\\')
          return {Errc::bad_config, "credential of realm " + c.realm + ": forbidden character in realm or user"};
  }
  return success();
}

const SipCredential* Digest::find(std::string_view realm) const {
  const SipCredential* any = nullptr;
  for (const SipCredential& c : credentials_) {
    if (c.realm == realm) return &c;
    if (c.realm == "*" && !any) any = &c;
  }
  return any;
}

std::string Digest::scope_key(bool proxy, const AuthScope& s) {
  std::string key(1, proxy ? 'p' : 'w');
  for (char c : proxy ? s.next_hop : s.domain) key.push_back(static_cast<char>(tolower(static_cast<unsigned char>(c))));
  return key;
}

Digest::Answer* Digest::known(bool proxy, const AuthScope& scope, std::string_view realm) {
  auto it = known_.find(scope_key(proxy, scope));
  if (it == known_.end()) return nullptr;
  for (auto& a : it->second)
    if (a->realm == realm) return a.get();
  return nullptr;
}

void Digest::forget(bool proxy, const AuthScope& scope, std::string_view realm) {
  auto it = known_.find(scope_key(proxy, scope));
  if (it == known_.end()) return;
  std::erase_if(it->second, [&](const auto& a) { return a->realm == realm; });
  if (it->second.empty()) known_.erase(it);
}

void Digest::remember(bool proxy, const AuthScope& scope, std::unique_ptr<Answer> answer) {
  forget(proxy, scope, answer->realm);
  if (known_.size() >= kMaxScopes) known_.erase(known_.begin());
  Answers& list = known_[scope_key(proxy, scope)];
  if (list.size() >= kMaxRealms) list.erase(list.begin());
  list.push_back(std::move(answer));
}

Digest::Verdict Digest::take(const msg_auth_s* list, bool proxy, const AuthScope& scope, AuthTrail& trail) {
  Verdict verdict = Verdict::NoAnswer;
  std::vector<std::string_view> seen;  // one answer a realm, to the first challenge of it that we understand
  for (const msg_auth_t* ch = list; ch; ch = ch->au_next) {
    if (!usable(ch)) continue;
    std::string_view realm = param(ch, "realm="), nonce = param(ch, "nonce=");
    if (std::find(seen.begin(), seen.end(), realm) != seen.end()) continue;
    seen.push_back(realm);
    const SipCredential* credential = find(unquoted(realm));
    if (!credential) continue;
    auto used = std::find_if(trail.used.begin(), trail.used.end(),
                             [&](const AuthTrail::Used& u) { return u.proxy == proxy && u.realm == realm; });
    bool refused = used != trail.used.end() && !is_true(param(ch, "stale=")) && (used->nonce == nonce || used->fresh);
    if (refused) {
      // Another request may have brought a newer nonce in the meantime: only the answer that was refused goes.
      if (Answer* a = known(proxy, scope, realm); a && (a->nonce == used->nonce)) forget(proxy, scope, realm);
      return Verdict::Rejected;
    }
    auto answer = std::make_unique<Answer>();
    answer->realm = realm;
    answer->nonce = nonce;
    msg_auth_t one = *ch;
    one.au_next = nullptr;
    // A client of its own for each nonce: nonce count and cnonce start anew with it, and nothing piles up.
    if (auc_challenge(&answer->client, answer->home, &one, proxy ? sip_proxy_authorization_class : sip_authorization_class) <= 0 ||
        auc_all_credentials(&answer->client, "Digest", nullptr, credential->user.c_str(), credential->password.c_str()) <= 0)
      continue;
    trail.answered.emplace_back(proxy, std::string(realm));
    remember(proxy, scope, std::move(answer));
    verdict = Verdict::Retry;
  }
  return verdict;
}

Digest::Verdict Digest::challenge(const sip_s* reply, const AuthScope& scope, AuthTrail& trail) {
  if (trail.retries >= kMaxRetries) return Verdict::Rejected;
  Verdict www = Verdict::NoAnswer, proxy = Verdict::NoAnswer;
  if (reply->sip_www_authenticate) www = take(reply->sip_www_authenticate, false, scope, trail);
  if (reply->sip_proxy_authenticate) proxy = take(reply->sip_proxy_authenticate, true, scope, trail);
  if (www == Verdict::Rejected || proxy == Verdict::Rejected) return Verdict::Rejected;
  if (www == Verdict::Retry || proxy == Verdict::Retry) {
    trail.retries++;
    return Verdict::Retry;
  }
  return Verdict::NoAnswer;
}

void Digest::authorize(const AuthScope& scope, std::string_view method, std::string_view uri, std::string_view body,
                       std::string& out, AuthTrail& trail) {
  trail.used.clear();
  if (known_.empty()) return;
  for (bool proxy : {false, true}) {
    auto it = known_.find(scope_key(proxy, scope));
    if (it == known_.end()) continue;
    for (auto& a : it->second) {
      su_home_t home[1] = {SU_HOME_INIT(home)};
      su_home_init(home);
      std::string whole(uri);   // signed as it goes out (RFC 3261 section 22.4)
      url_t url;
      url_in_one_piece(whole, url);
      msg_payload_t payload[1] = {};
      payload->pl_data = const_cast<char*>(body.data());
      payload->pl_len = body.size();
      msg_header_t* h = nullptr;
      std::string m(method);
      if (auc_authorization_headers(&a->client, home, m.c_str(), &url, body.empty() ? nullptr : payload, &h) > 0 && h) {
        char text[2048];
        issize_t n = msg_header_e(text, sizeof text, h, 0);
        if (n > 0 && static_cast<size_t>(n) < sizeof text) {
          out.append(text, static_cast<size_t>(n));
          bool fresh = std::find(trail.answered.begin(), trail.answered.end(), std::make_pair(proxy, a->realm)) !=
                       trail.answered.end();
          trail.used.push_back({proxy, fresh, a->realm, a->nonce});
        }
      }
      su_home_deinit(home);
    }
  }
}

}  // namespace pua
