// One digest challenge, read from sofia's message: what is hashed, what goes back, and why it cannot be answered.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sip/digest_hash.h"

struct msg_auth_s;

namespace pua {

// Realm, nonce and opaque come back in our requests: together no more than this, octets as they stand on the wire.
constexpr size_t kMaxChallenge = 16384;

// The value of a quoted string. RFC 7616 means the value with its quoted pairs resolved ("\"" is one quote); many servers
// compare and hash the text between the quotes as it stands, backslashes included.
struct QuotedText {
  std::string value;  // quoted pairs resolved
  std::string text;   // between the quotes, to the octet
  bool plain() const { return value == text; }
};

// s: as on the wire, a quoted string, or a bare word, which servers write where a quoted string belongs. false: control
// characters (a folded line inside quotes must not come back in our request), or quotes where none may be.
bool read_quoted(std::string_view s, QuotedText& out);

struct DigestChallenge {
  QuotedText realm, nonce, opaque;
  bool has_opaque = false;
  std::string algorithm_name;  // as the server wrote it; empty: it named none
  DigestAlgorithm algorithm;
  std::string qop_offer;            // as the server wrote it
  DigestQop qop = DigestQop::None;  // what we take of it: auth before auth-int
  bool stale = false, userhash = false;
};

enum class ChallengeFault : uint8_t {
  None,
  Scheme,     // not Digest. Basic would show the password
  NoRealm,    // realm or nonce is missing
  Malformed,  // a value that is no quoted string and no word
  Length,     // over kMaxChallenge
  Algorithm,  // algorithm_name is none that we know
  Qop,        // qop_offer holds none that we know
};

// Parameters are taken in any order and any case of their names; of one that is there twice the first counts. `domain` is
// passed over: answers go where they were asked for and nowhere else. out is filled as far as it could be read.
ChallengeFault read_challenge(const msg_auth_s*, DigestChallenge& out);

}  // namespace pua
