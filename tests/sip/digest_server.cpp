#include "tests/sip/digest_server.h"

#include <openssl/evp.h>
#include <strings.h>

#include <algorithm>
#include <cstdio>

namespace pua::test {
namespace {

bool must_be_quoted(const std::string& name) {
  for (const char* n : {"username", "realm", "nonce", "uri", "response", "cnonce", "opaque"})
    if (name == n) return true;
  return false;
}

std::string resolved(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\' && i + 1 < text.size()) i++;
    out.push_back(text[i]);
  }
  return out;
}

}  // namespace

DigestFields::DigestFields(const std::string& h) {
  if (h.rfind("Digest ", 0) != 0) return;
  size_t i = 7;
  while (i < h.size()) {
    while (i < h.size() && h[i] == ' ') i++;
    size_t eq = h.find('=', i);
    if (eq == std::string::npos) return;
    Field f{h.substr(i, eq - i), ""};
    if (has(f.name.c_str())) return;
    i = eq + 1;
    bool quoted = i < h.size() && h[i] == '"';
    if (quoted != must_be_quoted(f.name)) return;
    if (quoted) {
      size_t end = i + 1;
      while (end < h.size() && h[end] != '"') end += h[end] == '\\' ? 2 : 1;
      if (end >= h.size()) return;
      f.text = h.substr(i + 1, end - i - 1);
      i = end + 1;
    } else {
      size_t end = std::min(h.find_first_of(", ", i), h.size());
      f.text = h.substr(i, end - i);
      i = end;
    }
    fields_.push_back(f);
    while (i < h.size() && h[i] == ' ') i++;
    if (i < h.size() && h[i++] != ',') return;
  }
  ok = true;
}

bool DigestFields::has(const char* name) const {
  for (const Field& f : fields_)
    if (f.name == name) return true;
  return false;
}

std::string DigestFields::text(const char* name) const {
  for (const Field& f : fields_)
    if (f.name == name) return f.text;
  return "";
}

std::string DigestFields::value(const char* name) const { return resolved(text(name)); }

std::string openssl_hex(const char* hash, const std::string& data) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  size_t size = 0;
  if (!EVP_Q_digest(nullptr, hash, nullptr, data.data(), data.size(), sum, &size)) return "";
  std::string out;
  char two[3];
  for (size_t i = 0; i < size; i++) {
    snprintf(two, sizeof two, "%02x", sum[i]);
    out += two;
  }
  return out;
}

bool digest_right(const SipReceived& r, const std::string& header, const std::string& user, const std::string& password, PairsAre pairs) {
  DigestFields f(header);
  if (!f.ok) return false;
  auto hashed = [&](const char* name) { return pairs == PairsAre::Text ? f.text(name) : f.value(name); };
  std::string algorithm = f.text("algorithm");
  bool session = algorithm.size() > 5 && algorithm.substr(algorithm.size() - 5) == "-sess";
  if (session) algorithm.resize(algorithm.size() - 5);
  const char* hash = algorithm == "SHA-256" ? "SHA256" : algorithm == "SHA-512-256" ? "SHA512-256" : "MD5";
  if (*hash == 'M' && !algorithm.empty() && strcasecmp(algorithm.c_str(), "MD5") != 0) return false;

  size_t method_end = r.start_line.find(' '), uri_end = r.start_line.find(' ', method_end + 1);
  std::string method = r.start_line.substr(0, method_end), uri = r.start_line.substr(method_end + 1, uri_end - method_end - 1);
  if (f.value("uri") != uri) return false;
  std::string name = f.text("userhash") == "true" ? openssl_hex(hash, user + ":" + hashed("realm")) : user;
  if (f.value("username") != name) return false;

  std::string a1 = openssl_hex(hash, user + ":" + hashed("realm") + ":" + password);
  if (session) a1 = openssl_hex(hash, a1 + ":" + hashed("nonce") + ":" + f.value("cnonce"));
  std::string qop = f.text("qop");
  std::string a2 = method + ":" + uri;
  if (qop == "auth-int") a2 += ":" + openssl_hex(hash, r.body);
  std::string expected = a1 + ":" + hashed("nonce") + ":";
  if (!qop.empty()) expected += f.text("nc") + ":" + f.value("cnonce") + ":" + qop + ":";
  if (qop.empty() && (f.has("nc") || f.has("cnonce") != session)) return false;
  return f.text("response") == openssl_hex(hash, expected + openssl_hex(hash, a2));
}

}  // namespace pua::test
