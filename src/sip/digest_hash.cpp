#include "sip/digest_hash.h"

#include <openssl/evp.h>

#include <memory>

#include "base/words.h"

namespace pua {
namespace {

struct ContextEnd {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};

// Fetched once and kept: looking one up costs more than hashing what is hashed here.
const EVP_MD* function_of(DigestHash h) {
  static const EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const sha512_256 = EVP_MD_fetch(nullptr, "SHA512-256", nullptr);
  switch (h) {
    case DigestHash::Md5: return md5;
    case DigestHash::Sha256: return sha256;
    case DigestHash::Sha512_256: return sha512_256;
  }
  return nullptr;
}

}  // namespace

bool digest_algorithm(std::string_view name, DigestAlgorithm& out) {
  static constexpr std::string_view kSession = "-sess";
  out = {};
  if (name.size() > kSession.size() && same_word(name.substr(name.size() - kSession.size()), kSession)) {
    out.session = true;
    name.remove_suffix(kSession.size());
  }
  if (name.empty() || same_word(name, "MD5")) out.hash = DigestHash::Md5;
  else if (same_word(name, "SHA-256")) out.hash = DigestHash::Sha256;
  else if (same_word(name, "SHA-512-256")) out.hash = DigestHash::Sha512_256;
  else return false;
  return function_of(out.hash) != nullptr;
}

const char* digest_qop_name(DigestQop q) {
  switch (q) {
    case DigestQop::None: return "";
    case DigestQop::Auth: return "auth";
    case DigestQop::AuthInt: return "auth-int";
  }
  return "";
}

std::string digest_hex(DigestHash hash, std::initializer_list<std::string_view> parts) {
  std::unique_ptr<EVP_MD_CTX, ContextEnd> context(EVP_MD_CTX_new());
  const EVP_MD* function = function_of(hash);
  if (!context || !function || !EVP_DigestInit_ex(context.get(), function, nullptr)) return {};
  bool first = true;
  for (std::string_view part : parts) {
    if (!first && !EVP_DigestUpdate(context.get(), ":", 1)) return {};
    if (!EVP_DigestUpdate(context.get(), part.data(), part.size())) return {};
    first = false;
  }
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!EVP_DigestFinal_ex(context.get(), sum, &size)) return {};
  std::string out;
  out.reserve(size_t{2} * size);
  for (unsigned i = 0; i < size; i++) {
    out.push_back("0123456789abcdef"[sum[i] >> 4]);
    out.push_back("0123456789abcdef"[sum[i] & 15]);
  }
  return out;
}

std::string digest_a1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm, std::string_view password,
                      std::string_view nonce, std::string_view cnonce) {
  std::string a1 = digest_hex(algorithm.hash, {user, realm, password});
  return algorithm.session ? digest_hex(algorithm.hash, {a1, nonce, cnonce}) : a1;
}

std::string digest_response(const DigestInput& in) {
  std::string a2 = in.qop == DigestQop::AuthInt ? digest_hex(in.hash, {in.method, in.uri, digest_hex(in.hash, {in.body})})
                                                : digest_hex(in.hash, {in.method, in.uri});
  if (in.qop == DigestQop::None) return digest_hex(in.hash, {in.a1, in.nonce, a2});
  return digest_hex(in.hash, {in.a1, in.nonce, in.nc, in.cnonce, digest_qop_name(in.qop), a2});
}

}  // namespace pua
