// What is remembered of servers: the last answered challenge of each realm, by scope. Bounded; the scope that was used least
// recently goes first.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sip/digest_challenge.h"

namespace pua {

// A challenge with what answers it. Made for one nonce: nonce count and cnonce begin anew with the next.
struct DigestAnswer {
  DigestChallenge challenge;
  bool literal = false;  // hashed as it stands between the quotes (QuotedText)
  std::string user;
  std::string a1, cnonce;
  uint32_t nc = 0;      // requests that carried this nonce
  uint64_t serial = 0;  // no two answers have the same
  uint64_t place = 0;   // scope and realm as one number, for DigestTroubles

  const std::string& realm() const { return challenge.realm.value; }
  size_t wire_octets() const {
    return challenge.realm.text.size() + challenge.nonce.text.size() + challenge.opaque.text.size();
  }
};

class DigestCache {
 public:
  static constexpr size_t kMaxScopes = 4096;
  static constexpr size_t kMaxRealms = 8;           // of one scope: each makes a header field
  static constexpr size_t kMaxScopeOctets = 20480;  // of one scope: with a document they must fit a datagram
  static constexpr size_t kMaxOctets = 4u << 20;    // of all
  using Answers = std::vector<std::unique_ptr<DigestAnswer>>;

  // Answers of a scope, null if there are none; it counts as used. Valid until the next put, drop or clear.
  Answers* find(std::string_view scope);
  DigestAnswer* find(std::string_view scope, std::string_view realm);
  // Takes the place of what was remembered of this realm.
  void put(std::string_view scope, std::unique_ptr<DigestAnswer>);
  // Only if it is still this answer: another request may have brought a newer one.
  void drop(std::string_view scope, uint64_t serial);
  void clear();

  bool empty() const { return scopes_.empty(); }
  size_t scopes() const { return scopes_.size(); }
  size_t octets() const { return octets_; }

 private:
  struct Scope {
    std::string key;
    Answers answers;
  };
  using Scopes = std::list<Scope>;
  void remove(Scope&, size_t index);
  void remove(Scopes::iterator);

  Scopes scopes_;                                                 // the one used last is first
  std::unordered_map<std::string_view, Scopes::iterator> index_;  // keys are views into scopes_
  size_t octets_ = 0;
};

}  // namespace pua
