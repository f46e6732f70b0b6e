#include "sip/digest.h"

#include <errno.h>
#include <sofia-sip/sip.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdio>
#include <functional>

namespace pua {
namespace {

constexpr size_t kMaxChallenges = 32;  // read of one reply, of each kind
constexpr size_t kShown = 80;          // octets of a server's word in a log line

using Entry = AuthTrail::Entry;
using State = AuthTrail::State;

void lower(std::string_view s, std::string& out) {
  for (char c : s) out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
}

void place(const Target& t, std::string& out) {
  lower(t.host, out);
  out.append(":").append(t.port).push_back(';');
  lower(uri_param(t, "transport"), out);
  out.append(t.secure ? ";s" : ";");
}

std::string scope_key(bool proxy, const AuthScope& s) {
  std::string key(1, proxy ? 'p' : 'w');
  place(s.next_hop, key);
  if (!proxy) place(s.domain, key);
  return key;
}

uint64_t place_of(std::string_view scope, std::string_view realm) {
  return std::hash<std::string>()(std::string(scope).append("\n").append(realm));
}

// Words of others in our log: visible ASCII, and not endless.
std::string shown(std::string_view s) {
  std::string out = "\"";
  for (char c : s.substr(0, kShown)) out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  return out.append(s.size() > kShown ? "...\"" : "\"");
}

std::string where(bool proxy, const AuthScope& s) {
  const Target& t = proxy ? s.next_hop : s.domain;
  if (t.host.empty()) return s.next_hop.host.empty() ? "a server" : where(true, s);
  return std::string(t.host).append(t.port.empty() ? "" : ":").append(t.port);
}

std::string what_is_wrong(ChallengeFault fault, const msg_auth_s* ch, const DigestChallenge& c) {
  switch (fault) {
    case ChallengeFault::None: break;
    case ChallengeFault::Scheme:
      return "asks for credentials by scheme " + shown(ch->au_scheme ? ch->au_scheme : "") + ", which we do not answer";
    case ChallengeFault::NoRealm: return "asks for a digest and does not name realm and nonce";
    case ChallengeFault::Malformed: return "asks for a digest in words that cannot be read";
    case ChallengeFault::Length: return "asks for a digest of more than " + std::to_string(kMaxChallenge) + " octets";
    case ChallengeFault::Algorithm:
      return "asks for a digest of realm " + shown(c.realm.value) + " by algorithm " + shown(c.algorithm_name) +
             ", which we do not know";
    case ChallengeFault::Qop:
      return "asks for a digest of realm " + shown(c.realm.value) + " with qop " + shown(c.qop_offer) +
             ", which we do not know";
  }
  return {};
}

// 16 octets from the system, as hex. Empty: it has none.
std::string fresh_cnonce() {
  unsigned char octets[16];
  for (size_t n = 0; n < sizeof octets;) {
    ssize_t got = getrandom(octets + n, sizeof octets - n, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    n += static_cast<size_t>(got);
  }
  std::string out;
  for (unsigned char o : octets) {
    out.push_back("0123456789abcdef"[o >> 4]);
    out.push_back("0123456789abcdef"[o & 15]);
  }
  return out;
}

Entry* entry_of(AuthTrail& trail, bool proxy, std::string_view realm) {
  for (Entry& e : trail.entries)
    if (e.proxy == proxy && e.realm == realm) return &e;
  return nullptr;
}

// name="text"; text: as it may stand between quotes.
void quoted(std::string& out, std::string_view name, std::string_view text) {
  out.append(name).append("=\"").append(text).push_back('"');
}

void escaped(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("=\"");
  for (char c : value) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

void write_answer(bool proxy, DigestAnswer& a, std::string_view method, std::string_view uri, std::string_view body,
                  std::string& out) {
  const DigestChallenge& c = a.challenge;
  DigestInput in;
  in.hash = c.algorithm.hash;
  in.qop = c.qop;
  in.a1 = a.a1;
  in.nonce = a.literal ? c.nonce.text : c.nonce.value;
  char nc[9];
  snprintf(nc, sizeof nc, "%08x", ++a.nc);
  in.nc = nc;
  in.cnonce = a.cnonce;
  in.method = method;
  in.uri = uri;
  in.body = body;
  std::string realm(a.literal ? c.realm.text : c.realm.value);
  out.append(proxy ? "Proxy-Authorization: Digest " : "Authorization: Digest ");
  escaped(out, "username", c.userhash ? digest_hex(in.hash, {a.user, realm}) : a.user);
  quoted(out, ", realm", c.realm.text);
  quoted(out, ", nonce", c.nonce.text);
  escaped(out, ", uri", uri);
  quoted(out, ", response", digest_response(in));
  if (!c.algorithm_name.empty()) out.append(", algorithm=").append(c.algorithm_name);
  // Without qop there is no cnonce (RFC 2617 section 3.2.2), but a session key cannot be checked without one.
  if (c.qop != DigestQop::None || c.algorithm.session) quoted(out, ", cnonce", a.cnonce);
  if (c.has_opaque) quoted(out, ", opaque", c.opaque.text);
  if (c.qop != DigestQop::None) out.append(", qop=").append(digest_qop_name(c.qop)).append(", nc=").append(nc);
  if (c.userhash) out.append(", userhash=true");
  out.append("\r\n");
}

}  // namespace

struct Digest::Reading {
  bool answered = false, rejected = false;
  bool proxy = false;  // what `why` speaks of
  std::string why;     // the first thing that kept us from answering
  std::string realm;
  void fail(bool of_proxy, std::string text, std::string_view of_realm = {}) {
    if (!why.empty()) return;
    proxy = of_proxy;
    why = std::move(text);
    realm = of_realm;
  }
};

Digest::Digest(std::vector<SipCredential> credentials, Log* log) : credentials_(std::move(credentials)), troubles_(log) {}

Status Digest::check(const std::vector<SipCredential>& list) {
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  for (const SipCredential& c : list) {
    if (c.realm.empty() || c.user.empty()) return {Errc::bad_config, "a credential needs realm and user"};
    if (std::any_of(c.realm.begin(), c.realm.end(), control) || std::any_of(c.user.begin(), c.user.end(), control) ||
        c.user.find_first_of("\"\\") != std::string::npos)
      return {Errc::bad_config, "credential of realm " + c.realm + ": forbidden character in realm or user"};
  }
  return success();
}

void Digest::set_credentials(std::vector<SipCredential> credentials) {
  credentials_ = std::move(credentials);
  cache_.clear();
  troubles_.clear();
}

const SipCredential* Digest::find(std::string_view realm) const {
  const SipCredential* any = nullptr;
  for (const SipCredential& c : credentials_) {
    if (c.realm == realm) return &c;
    if (c.realm == "*" && !any) any = &c;
  }
  return any;
}

bool Digest::remember(const DigestChallenge& challenge, const SipCredential& credential, bool proxy, const AuthScope& scope,
                      bool literal) {
  std::string key = scope_key(proxy, scope);
  auto a = std::make_unique<DigestAnswer>();
  a->challenge = challenge;
  a->literal = literal;
  a->user = credential.user;
  // Requests that were out together are challenged with one nonce: they count it together.
  if (DigestAnswer* known = cache_.find(key, challenge.realm.value);
      known && known->challenge.nonce.text == challenge.nonce.text) {
    a->nc = known->nc;
    a->cnonce = known->cnonce;
  } else {
    a->cnonce = fresh_cnonce();
  }
  a->a1 = digest_a1(challenge.algorithm, a->user, literal ? challenge.realm.text : challenge.realm.value, credential.password,
                    literal ? challenge.nonce.text : challenge.nonce.value, a->cnonce);
  if (a->cnonce.empty() || a->a1.empty()) return false;
  a->serial = ++serial_;
  a->place = place_of(key, challenge.realm.value);
  cache_.put(key, std::move(a));
  return true;
}

// One challenge that can be answered, of a realm that we have credentials for.
void Digest::answer(const DigestChallenge& c, const SipCredential& credential, bool proxy, const AuthScope& scope,
                    AuthTrail& trail, Reading& reading) {
  const std::string& realm = c.realm.value;
  Entry* e = entry_of(trail, proxy, realm);
  if (!e) {
    trail.entries.emplace_back();
    e = &trail.entries.back();
    e->proxy = proxy;
    e->realm = realm;
  } else if (e->state == State::Refused || (e->state == State::Answered && e->sent && !c.stale)) {
    bool reread = e->state == State::Answered && !e->literal && !(c.realm.plain() && c.nonce.plain());
    if (!reread) {
      e->state = State::Refused;
      reading.rejected = true;
      reading.why.clear();
      reading.fail(proxy, "refused our password for realm " + shown(realm) + " as user " + shown(credential.user), realm);
      return;
    }
    e->literal = true;
  }
  if (!remember(c, credential, proxy, scope, e->literal))
    return reading.fail(proxy, "asks for a digest, and the system has no random numbers or no such hash", realm);
  e->state = State::Answered;
  reading.answered = true;
}

void Digest::take(const msg_auth_s* list, bool proxy, const AuthScope& scope, AuthTrail& trail, Reading& reading) {
  std::vector<std::string> named;  // one answer a realm, to the topmost challenge that we understand (RFC 8760 section 2.4)
  size_t read = 0;
  bool answered_before = reading.answered;
  reading.answered = false;
  for (const msg_auth_s* ch = list; ch && read < kMaxChallenges; ch = ch->au_next, read++) {
    DigestChallenge c;
    ChallengeFault fault = read_challenge(ch, c);
    if (fault != ChallengeFault::None) {
      reading.fail(proxy, what_is_wrong(fault, ch, c), c.realm.value);
      continue;
    }
    const std::string& realm = c.realm.value;
    if (std::find(named.begin(), named.end(), realm) != named.end()) continue;
    if (named.size() >= DigestCache::kMaxRealms) break;
    named.push_back(realm);
    if (const SipCredential* credential = find(realm)) answer(c, *credential, proxy, scope, trail, reading);
    else reading.fail(proxy, "asks for credentials of realm " + shown(realm) + ", and none are configured for it", realm);
    if (reading.rejected) return;
  }
  if (reading.answered) forget_unnamed(proxy, scope, trail, named);
  reading.answered |= answered_before;
}

// The server has forgotten the realm that it used to ask for: what we remember of it may be what it stumbles over.
void Digest::forget_unnamed(bool proxy, const AuthScope& scope, const AuthTrail& trail, const std::vector<std::string>& named) {
  auto is_named = [&](const Entry& e) { return std::find(named.begin(), named.end(), e.realm) != named.end(); };
  for (const Entry& e : trail.entries)
    if (e.sent && e.proxy == proxy && is_named(e)) return;  // one of several that it asks for in turn
  for (const Entry& e : trail.entries)
    if (e.sent && e.proxy == proxy && e.state == State::Remembered) cache_.drop(scope_key(proxy, scope), e.serial);
}

void Digest::forget_sent(const AuthScope& scope, const AuthTrail& trail) {
  for (const Entry& e : trail.entries)
    if (e.sent) cache_.drop(scope_key(e.proxy, scope), e.serial);
}

// Once without credentials, where the request has carried what was answered for another one: that may be the reason.
bool Digest::go_bare(AuthTrail& trail) {
  bool remembered =
      std::any_of(trail.entries.begin(), trail.entries.end(), [](const Entry& e) { return e.state == State::Remembered; });
  if (!remembered || trail.bare != AuthTrail::Bare::Not) return false;
  trail.bare = AuthTrail::Bare::Next;
  counters_.forgotten++;
  return true;
}

Digest::Verdict Digest::challenge(const sip_s* reply, const AuthScope& scope, AuthTrail& trail, MonoMs now) {
  int status = reply->sip_status ? reply->sip_status->st_status : 401;
  Reading reading;
  if (status == 401 || status == 407) {
    if (trail.retries >= kMaxRetries) {
      reading.rejected = true;
      reading.fail(!reply->sip_www_authenticate, "asks for credentials again and again");
    } else {
      if (reply->sip_www_authenticate) take(reply->sip_www_authenticate, false, scope, trail, reading);
      if (reply->sip_proxy_authenticate && !reading.rejected) take(reply->sip_proxy_authenticate, true, scope, trail, reading);
    }
    if (reading.answered && !reading.rejected) {
      trail.retries++;
      counters_.answered++;
      return Verdict::Retry;
    }
    reading.fail(status == 407, "refuses with " + std::to_string(status) + " and does not say what it asks for");
  }
  forget_sent(scope, trail);
  if (go_bare(trail)) return Verdict::Retry;
  if (status != 401 && status != 407) return Verdict::Unconcerned;
  (reading.rejected ? counters_.rejected : counters_.unanswered)++;
  bool proxy = reading.proxy && !reading.realm.empty();  // where no realm is known, any 2xx of the scope ends it
  troubles_.begin(place_of(scope_key(proxy, scope), reading.realm), where(reading.proxy, scope), reading.why, now);
  return reading.rejected ? Verdict::Rejected : Verdict::NoAnswer;
}

void Digest::authorize(const AuthScope& scope, std::string_view method, std::string_view uri, std::string_view body,
                       std::string& out, AuthTrail& trail) {
  for (Entry& e : trail.entries) e.sent = false;
  if (trail.bare == AuthTrail::Bare::Next) {
    trail.bare = AuthTrail::Bare::Was;
    return;
  }
  if (cache_.empty() && !troubles_.any()) return;
  for (bool proxy : {false, true}) {
    std::string key = scope_key(proxy, scope);
    if (!proxy && troubles_.any()) trail.place = place_of(key, {});
    DigestCache::Answers* list = cache_.find(key);
    if (!list) continue;
    for (size_t i = list->size(); i-- > 0;) {  // the newest first: some servers look at the first field only
      const auto& a = (*list)[i];
      if (a->nc == UINT32_MAX) continue;  // the next challenge brings a new nonce
      Entry* e = entry_of(trail, proxy, a->realm());
      if (!e) {
        trail.entries.emplace_back();
        e = &trail.entries.back();
        e->proxy = proxy;
        e->state = State::Remembered;
        e->realm = a->realm();
      } else if (e->state == State::Refused) {
        continue;
      }
      write_answer(proxy, *a, method, uri, body, out);
      e->sent = true;
      e->literal = a->literal;
      e->serial = a->serial;
      e->place = a->place;
    }
  }
}

void Digest::accepted(const AuthTrail& trail) {
  if (!troubles_.any()) return;
  troubles_.over(trail.place);
  for (const Entry& e : trail.entries)
    if (e.sent) troubles_.over(e.place);
}

}  // namespace pua
