#include "sip/digest_cache.h"

namespace pua {
namespace {

// What an answer costs in memory, roughly: the texts twice (value and text), the rest, the heap's own.
size_t cost(const DigestAnswer& a) { return 2 * a.wire_octets() + 512; }

}  // namespace

DigestCache::Answers* DigestCache::find(std::string_view scope) {
  auto it = index_.find(scope);
  if (it == index_.end()) return nullptr;
  scopes_.splice(scopes_.begin(), scopes_, it->second);
  return &it->second->answers;
}

DigestAnswer* DigestCache::find(std::string_view scope, std::string_view realm) {
  if (Answers* list = find(scope))
    for (auto& a : *list)
      if (a->realm() == realm) return a.get();
  return nullptr;
}

void DigestCache::put(std::string_view key, std::unique_ptr<DigestAnswer> answer) {
  if (!find(key)) {
    scopes_.push_front({std::string(key), {}});
    index_.emplace(scopes_.front().key, scopes_.begin());
  }
  Scope& scope = scopes_.front();
  size_t wire = answer->wire_octets();
  for (size_t i = scope.answers.size(); i-- > 0;) {
    if (scope.answers[i]->realm() == answer->realm()) remove(scope, i);
    else wire += scope.answers[i]->wire_octets();
  }
  while (!scope.answers.empty() && (scope.answers.size() >= kMaxRealms || wire > kMaxScopeOctets)) {
    wire -= scope.answers.front()->wire_octets();
    remove(scope, 0);
  }
  octets_ += cost(*answer);
  scope.answers.push_back(std::move(answer));
  while (scopes_.size() > 1 && (scopes_.size() > kMaxScopes || octets_ > kMaxOctets)) remove(std::prev(scopes_.end()));
}

void DigestCache::drop(std::string_view key, uint64_t serial) {
  auto it = index_.find(key);
  if (it == index_.end()) return;
  Scope& scope = *it->second;
  for (size_t i = scope.answers.size(); i-- > 0;)
    if (scope.answers[i]->serial == serial) remove(scope, i);
  if (scope.answers.empty()) remove(it->second);
}

void DigestCache::clear() {
  index_.clear();
  scopes_.clear();
  octets_ = 0;
}

void DigestCache::remove(Scope& scope, size_t i) {
  octets_ -= cost(*scope.answers[i]);
  scope.answers.erase(scope.answers.begin() + static_cast<std::ptrdiff_t>(i));
}

void DigestCache::remove(Scopes::iterator scope) {
  while (!scope->answers.empty()) remove(*scope, scope->answers.size() - 1);
  index_.erase(scope->key);
  scopes_.erase(scope);
}

}  // namespace pua
