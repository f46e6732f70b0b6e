// What is remembered of servers stays within its bounds, and the oldest goes.
#include "sip/digest_cache.h"

#include <string>

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(SipDigestCache) {
  DigestCache cache;
  uint64_t serial = 0;
  uint64_t put(const std::string& scope, const std::string& realm, size_t nonce = 10) {
    auto a = std::make_unique<DigestAnswer>();
    a->challenge.realm.value = a->challenge.realm.text = realm;
    a->challenge.nonce.value = a->challenge.nonce.text = std::string(nonce, 'n');
    a->serial = ++serial;
    cache.put(scope, std::move(a));
    return serial;
  }
  uint64_t known(const std::string& scope, const std::string& realm) {
    DigestAnswer* a = cache.find(scope, realm);
    return a ? a->serial : 0;
  }
};

TEST(SipDigestCache, a_newer_answer_takes_the_place_of_the_one_of_its_realm) {
  put("a", "r");
  uint64_t other = put("a", "s");
  size_t octets = cache.octets();
  uint64_t newer = put("a", "r");
  LONGS_EQUAL(newer, known("a", "r"));
  LONGS_EQUAL(other, known("a", "s"));
  LONGS_EQUAL(0, known("b", "r"));
  LONGS_EQUAL(2, cache.find("a")->size());
  LONGS_EQUAL(octets, cache.octets());
}

TEST(SipDigestCache, only_the_answer_that_was_refused_is_dropped) {
  uint64_t older = put("a", "r"), newer = put("a", "r");
  cache.drop("a", older);
  LONGS_EQUAL(newer, known("a", "r"));
  cache.drop("b", newer);
  LONGS_EQUAL(newer, known("a", "r"));
  cache.drop("a", newer);
  LONGS_EQUAL(0, known("a", "r"));
  CHECK_TRUE(cache.empty());
  LONGS_EQUAL(0, cache.octets());
}

TEST(SipDigestCache, the_scope_used_least_recently_goes_first) {
  for (size_t i = 0; i < DigestCache::kMaxScopes; i++) put(std::to_string(i), "r");
  LONGS_EQUAL(DigestCache::kMaxScopes, cache.scopes());
  CHECK_TRUE(known("0", "r"));  // used
  put("one more", "r");
  LONGS_EQUAL(DigestCache::kMaxScopes, cache.scopes());
  CHECK_TRUE(known("0", "r"));
  CHECK_FALSE(known("1", "r"));
  CHECK_TRUE(known("2", "r"));
  CHECK_TRUE(known("one more", "r"));
}

TEST(SipDigestCache, long_nonces_are_bounded_in_total) {
  for (int i = 0; i < 1000; i++) put(std::to_string(i), "r", 16000);
  CHECK_TRUE(cache.octets() <= DigestCache::kMaxOctets);
  LONGS_EQUAL(DigestCache::kMaxOctets / (2 * 16001 + 512), cache.scopes());
  CHECK_TRUE(known("999", "r"));
  cache.clear();
  LONGS_EQUAL(0, cache.octets());
  CHECK_TRUE(cache.find("999") == nullptr);
}

TEST(SipDigestCache, realms_of_one_scope_are_bounded_in_number_and_length) {
  for (int i = 0; i < 20; i++) put("a", std::to_string(i));
  LONGS_EQUAL(DigestCache::kMaxRealms, cache.find("a")->size());
  CHECK_FALSE(known("a", "11"));
  CHECK_TRUE(known("a", "12") && known("a", "19"));
  for (int i = 0; i < 3; i++) put("b", std::to_string(i), 8000);
  LONGS_EQUAL(2, cache.find("b")->size());
  CHECK_FALSE(known("b", "0"));
  put("b", "2", 16000);
  LONGS_EQUAL(1, cache.find("b")->size());
}
