#include "sip/digest_challenge.h"

#include <sofia-sip/msg_types.h>

#include <algorithm>

#include "base/words.h"

namespace pua {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// What stands behind "name=", with its quotes. false: there is no such parameter.
bool param(const msg_auth_t* ch, std::string_view name, std::string_view& out) {
  for (const msg_param_t* p = ch->au_params; p && *p; p++) {
    std::string_view one = *p;
    size_t eq = one.find('=');
    if (eq == std::string_view::npos || !same_word(one.substr(0, eq), name)) continue;
    out = one.substr(eq + 1);
    return true;
  }
  return false;
}

std::string value(const msg_auth_t* ch, std::string_view name) {
  std::string_view raw;
  QuotedText q;
  return param(ch, name, raw) && read_quoted(raw, q) ? q.value : std::string();
}

// Chooses from "auth,auth-int" what we can do. false: we can do none of them. An empty list counts as if there were no qop.
bool choose_qop(std::string_view offer, DigestQop& out) {
  bool any = false, integrity = false;
  out = DigestQop::None;
  while (!offer.empty()) {
    size_t end = std::min(offer.find_first_of(", \t"), offer.size());
    std::string_view one = offer.substr(0, end);
    offer.remove_prefix(std::min(end + 1, offer.size()));
    if (one.empty()) continue;
    any = true;
    if (same_word(one, "auth")) out = DigestQop::Auth;
    if (same_word(one, "auth-int")) integrity = true;
  }
  if (out == DigestQop::None && integrity) out = DigestQop::AuthInt;
  return !any || out != DigestQop::None;
}

}  // namespace

bool read_quoted(std::string_view s, QuotedText& out) {
  out = {};
  if (std::any_of(s.begin(), s.end(), is_control)) return false;
  if (s.size() >= 2 && s.front() == '"' && s.back() == '"') {
    std::string_view text = s.substr(1, s.size() - 2);
    for (size_t i = 0; i < text.size(); i++) {
      if (text[i] == '"') return false;
      if (text[i] == '\\' && ++i == text.size()) return false;
      out.value.push_back(text[i]);
    }
    out.text = text;
    return true;
  }
  if (s.find_first_of("\"\\") != std::string_view::npos) return false;
  out.value = out.text = s;
  return true;
}

ChallengeFault read_challenge(const msg_auth_s* ch, DigestChallenge& out) {
  out = {};
  if (!ch->au_scheme || !same_word(ch->au_scheme, "Digest")) return ChallengeFault::Scheme;
  std::string_view realm, nonce, opaque;
  bool named = param(ch, "realm", realm) && param(ch, "nonce", nonce);
  out.has_opaque = param(ch, "opaque", opaque);
  if (realm.size() + nonce.size() + opaque.size() > kMaxChallenge) return ChallengeFault::Length;
  if (!read_quoted(realm, out.realm) || !read_quoted(nonce, out.nonce) || !read_quoted(opaque, out.opaque))
    return ChallengeFault::Malformed;
  if (!named) return ChallengeFault::NoRealm;
  out.stale = same_word(value(ch, "stale"), "true");
  out.userhash = same_word(value(ch, "userhash"), "true");
  out.algorithm_name = value(ch, "algorithm");
  if (!digest_algorithm(out.algorithm_name, out.algorithm)) return ChallengeFault::Algorithm;
  out.qop_offer = value(ch, "qop");
  return choose_qop(out.qop_offer, out.qop) ? ChallengeFault::None : ChallengeFault::Qop;
}

}  // namespace pua
