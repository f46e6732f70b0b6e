// The server's side of digest: reads an answer strictly and checks it with hashes of its own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/scripted_server.h"

namespace pua::test {

// The parameters of one Authorization or Proxy-Authorization value.
struct DigestFields {
  explicit DigestFields(const std::string& header);
  bool ok = false;                 // "Digest", then name=value, each name once, strings quoted that must be, others not
  std::string text(const char* name) const;   // between the quotes, or the bare word; "" if there is none
  std::string value(const char* name) const;  // with quoted pairs resolved
  bool has(const char* name) const;

 private:
  struct Field {
    std::string name, text;
  };
  std::vector<Field> fields_;
};

// Lower-case hex by name: "MD5", "SHA256", "SHA512-256".
std::string openssl_hex(const char* hash, const std::string& data);

enum class PairsAre { Resolved, Text };  // how the server reads quoted pairs where it hashes
// Is this the right answer of user:password to this request? Looks at everything but whether the nonce is one of ours.
bool digest_right(const SipReceived&, const std::string& header, const std::string& user, const std::string& password,
                  PairsAre = PairsAre::Resolved);

}  // namespace pua::test
