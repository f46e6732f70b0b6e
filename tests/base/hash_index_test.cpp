// Hash index: what is in it is found by its hash, while it grows too.
#include <algorithm>
#include <deque>
#include <vector>

#include "base/hash_index.h"
#include "base/random.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
struct Guest : HashHook {
  int number = 0;
};
std::vector<int> numbers(const HashIndex<Guest>& index, uint64_t hash) {
  std::vector<int> out;
  for (Guest* g = index.first(hash); g; g = HashIndex<Guest>::next(*g)) out.push_back(g->number);
  std::sort(out.begin(), out.end());
  return out;
}
}  // namespace

TEST_GROUP(HashIndexTest) {};

TEST(HashIndexTest, those_of_one_hash_are_found_together_and_leave_one_by_one) {
  HashIndex<Guest> index;
  Guest a, b, c;
  a.number = 1, b.number = 2, c.number = 3;
  index.add(a, 7);
  index.add(b, 7);
  index.add(c, 7ull << 60 | 7);
  CHECK((numbers(index, 7) == std::vector<int>{1, 2}));
  CHECK((numbers(index, 8).empty()));
  index.remove(a);
  CHECK((numbers(index, 7) == std::vector<int>{2}));
  index.remove(a);   // it stands in none any more
  LONGS_EQUAL(2, index.size());
  index.add(a, 9);
  CHECK((numbers(index, 9) == std::vector<int>{1}));
}

TEST(HashIndexTest, a_hash_of_zero_is_a_hash_like_others) {
  HashIndex<Guest> index;
  Guest a;
  a.number = 5;
  index.add(a, 0);
  CHECK((numbers(index, 0) == std::vector<int>{5}));
  index.remove(a);
  CHECK(numbers(index, 0).empty());
  LONGS_EQUAL(0, index.size());
}

// Additions and removals in any order, beside a plain list of what must be there.
TEST(HashIndexTest, while_it_grows_nothing_is_lost_and_nothing_comes_back) {
  Random random(1);
  HashIndex<Guest> index(1);
  std::deque<Guest> all(3000);
  std::vector<uint64_t> hash(all.size());
  for (size_t i = 0; i < all.size(); i++) {
    all[i].number = static_cast<int>(i);
    hash[i] = random.below(1500) * 0x9e3779b97f4a7c15ull;   // some alike
  }
  size_t in = 0;
  for (int step = 0; step < 20000; step++) {
    size_t i = random.below(all.size());
    if (all[i].index_hash) index.remove(all[i]), in--;
    else index.add(all[i], hash[i]), in++;
    if (step % 100 == 0) {
      size_t j = random.below(all.size());
      std::vector<int> expected;
      for (size_t k = 0; k < all.size(); k++)
        if (all[k].index_hash && hash[k] == hash[j]) expected.push_back(static_cast<int>(k));
      CHECK(numbers(index, hash[j]) == expected);
    }
  }
  LONGS_EQUAL(in, index.size());
}
