// Entropy: numbers from the system, each handed out once; what happens where the system has none.
#include <cerrno>
#include <cstring>
#include <set>

#include "base/entropy.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

int calls = 0;          // of the scripted source
int fails_from = 1000;  // its call that fails, and all after it
uint64_t counter = 0;   // it gives 1, 2, 3 ...

ssize_t scripted(void* to, size_t octets) {
  if (++calls >= fails_from) {
    errno = ENOSYS;
    return -1;
  }
  for (size_t i = 0; i < octets; i += 8) {
    counter++;
    memcpy(static_cast<char*>(to) + i, &counter, 8);
  }
  return static_cast<ssize_t>(octets);
}

}  // namespace

TEST_GROUP(Entropy) {
  void setup() override {
    calls = 0;
    fails_from = 1000;
    counter = 0;
  }
};

TEST(Entropy, the_systems_numbers_do_not_repeat) {
  auto a = SystemEntropy::open(), b = SystemEntropy::open();
  CHECK(a.ok());
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; i++) CHECK(seen.insert(a->next()).second && seen.insert(b->next()).second);
}

TEST(Entropy, each_number_of_the_source_is_handed_out_once_and_none_is_made_of_another) {
  auto e = SystemEntropy::open(scripted);
  std::set<uint64_t> seen;
  for (int i = 0; i < 64; i++) seen.insert(e->next());
  LONGS_EQUAL(64, seen.size());
  UNSIGNED_LONGLONGS_EQUAL(3, *seen.begin());     // 1 and 2 are the reserve
  UNSIGNED_LONGLONGS_EQUAL(66, *seen.rbegin());
}

TEST(Entropy, the_system_is_asked_once_for_many) {
  auto e = SystemEntropy::open(scripted);
  for (int i = 0; i < 64; i++) e->next();
  LONGS_EQUAL(3, calls);
}

TEST(Entropy, a_system_without_random_numbers_is_an_error) {
  fails_from = 1;
  auto e = SystemEntropy::open(scripted);
  CHECK_FALSE(e.ok());
  STRCMP_CONTAINS("getrandom", e.error().message.c_str());
  STRCMP_CONTAINS(strerror(ENOSYS), e.error().message.c_str());
}

TEST(Entropy, a_source_that_fails_later_is_followed_by_what_nobody_knows) {
  auto e = SystemEntropy::open(scripted);
  for (int i = 0; i < 32; i++) e->next();
  fails_from = calls + 1;
  std::set<uint64_t> seen;
  for (int i = 0; i < 100; i++) seen.insert(e->next());
  LONGS_EQUAL(100, seen.size());
  CHECK(seen.count(SipMac({1, 2}).add(uint64_t{7}).finish()));   // keyed by what was read at the start
  fails_from = 1000;
  UNSIGNED_LONGLONGS_EQUAL(66, e->next());                       // it is there again
}

TEST(Entropy, a_key_is_two_numbers) {
  auto e = SystemEntropy::open(scripted);
  HashKey key = e->key();
  UNSIGNED_LONGLONGS_EQUAL(34, key.k0);
  UNSIGNED_LONGLONGS_EQUAL(33, key.k1);
}
