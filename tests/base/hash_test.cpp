// SipHash-1-3 and 2-4: known values, and that fields stay apart.
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
uint64_t of(HashKey k, std::string_view a, std::string_view b) { return SipHash(k).add(a).add(b).finish(); }
}  // namespace

TEST_GROUP(Hash) {
  HashKey key{0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
};

TEST(Hash, the_empty_message_has_its_published_value) {
  UNSIGNED_LONGLONGS_EQUAL(0xabac0158050fc4dcull, SipHash(key).finish());
}

TEST(Hash, the_mac_of_the_empty_message_is_that_of_siphash_2_4) {
  UNSIGNED_LONGLONGS_EQUAL(0x726fdb47dd0e0e31ull, SipMac(key).finish());
}

TEST(Hash, whole_blocks_are_those_of_siphash_1_3) {
  // 256 blocks: the count that we close with is then, modulo 256, the length in octets that the algorithm closes with.
  // The value is CPython's hash() of the same octets with a zero key.
  unsigned char message[2048];
  for (size_t i = 0; i < sizeof message; i++) message[i] = static_cast<unsigned char>(i % 251);
  SipHash h({0, 0});
  for (size_t i = 0; i < sizeof message; i += 8) {
    uint64_t block;
    memcpy(&block, message + i, 8);
    h.add(block);
  }
  UNSIGNED_LONGLONGS_EQUAL(0x15aeaa9ee2f2e23eull, h.finish());
}

TEST(Hash, the_same_fields_give_the_same_value) {
  UNSIGNED_LONGLONGS_EQUAL(of(key, "sip:alice@example.com", "x"), of(key, "sip:alice@example.com", "x"));
}

TEST(Hash, fields_are_kept_apart) {
  std::string text = "abcdefghijklmnopqrstuvwxyz";
  std::set<uint64_t> seen;
  for (size_t cut = 0; cut <= text.size(); cut++)
    CHECK(seen.insert(of(key, std::string_view(text).substr(0, cut), std::string_view(text).substr(cut))).second);
}

TEST(Hash, an_empty_field_counts) {
  CHECK(SipHash(key).add("a").finish() != SipHash(key).add("a").add("").finish());
  CHECK(SipHash(key).finish() != SipHash(key).add("").finish());
}

TEST(Hash, trailing_zeros_count) {
  std::set<uint64_t> seen;
  for (size_t n = 0; n < 40; n++) CHECK(seen.insert(SipHash(key).add(std::string(n, '\0')).finish()).second);
}

TEST(Hash, every_bit_of_the_key_counts) {
  std::set<uint64_t> seen{SipHash(key).add("x").finish()};
  for (int bit = 0; bit < 64; bit++) {
    CHECK(seen.insert(SipHash({key.k0 ^ 1ull << bit, key.k1}).add("x").finish()).second);
    CHECK(seen.insert(SipHash({key.k0, key.k1 ^ 1ull << bit}).add("x").finish()).second);
  }
}

TEST(Hash, a_copy_goes_its_own_way) {
  SipHash a = SipHash(key).add("uri");
  SipHash b = a;
  a.add("id");
  UNSIGNED_LONGLONGS_EQUAL(SipHash(key).add("uri").finish(), b.finish());
  UNSIGNED_LONGLONGS_EQUAL(of(key, "uri", "id"), a.finish());
}

TEST(Hash, it_spreads_similar_strings) {
  std::map<uint64_t, int> buckets;
  for (int i = 0; i < 16000; i++) buckets[SipHash(key).add("sip:u" + std::to_string(i) + "@example.com").finish() >> 60]++;
  LONGS_EQUAL(16, buckets.size());
  for (auto& [b, n] : buckets) CHECK(n > 850 && n < 1150);
}
