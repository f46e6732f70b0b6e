// Digest computing (RFC 7616 section 3.4, RFC 2617 for challenges without qop): algorithms, A1 and the response. Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace pua {

enum class DigestHash : uint8_t { Md5, Sha256, Sha512_256 };
enum class DigestQop : uint8_t { None, Auth, AuthInt };

struct DigestAlgorithm {
  DigestHash hash = DigestHash::Md5;
  bool session = false;  // "-sess": A1 is bound to the nonce and cnonce
};

// name: as in a challenge, in any case; empty: MD5. false: not known, or OpenSSL does not do it here (MD5 under FIPS).
bool digest_algorithm(std::string_view name, DigestAlgorithm& out);

const char* digest_qop_name(DigestQop);

// Lower-case hex of the hash of the parts, with a ':' between each two. Empty: OpenSSL does not do it.
std::string digest_hex(DigestHash, std::initializer_list<std::string_view> parts);

// H(A1). All values without quotes.
std::string digest_a1(DigestAlgorithm, std::string_view user, std::string_view realm, std::string_view password,
                      std::string_view nonce, std::string_view cnonce);

struct DigestInput {
  DigestHash hash = DigestHash::Md5;
  DigestQop qop = DigestQop::None;
  std::string_view a1;          // H(A1)
  std::string_view nonce;       // without quotes
  std::string_view nc, cnonce;  // not used without qop
  std::string_view method, uri;
  std::string_view body;  // counts with auth-int only
};
std::string digest_response(const DigestInput&);

}  // namespace pua
