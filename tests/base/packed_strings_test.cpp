// Packed strings: what goes in comes out, also when the views point into the object itself.
#include <array>
#include <string>
#include <vector>

#include "base/packed_strings.h"
#include "base/random.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace std::string_literals;

namespace {
using Three = PackedStrings<3>;
void is(const Three& p, const std::string& a, const std::string& b, const std::string& c) {
  CHECK(p.get(0) == a);
  CHECK(p.get(1) == b);
  CHECK(p.get(2) == c);
}
// Not inlined: the compiler would warn of what cannot happen with these lengths.
__attribute__((noinline)) void put(Three& p, const std::string& a, const std::string& b, const std::string& c) {
  p.assign({a, b, c});
}
}  // namespace

TEST_GROUP(PackedStrings) {
  Three p;
};

TEST(PackedStrings, they_are_empty_at_first) {
  is(p, "", "", "");
  p.set(1, "");
  is(p, "", "", "");
}

TEST(PackedStrings, what_goes_in_comes_out) {
  put(p, "one", "", "three");
  is(p, "one", "", "three");
  put(p, "", "", "");
  is(p, "", "", "");
}

TEST(PackedStrings, one_is_replaced_by_a_shorter_longer_or_equally_long_one) {
  put(p, "one", "two", "three");
  p.set(1, "zwo");
  is(p, "one", "zwo", "three");
  p.set(1, "a much longer one");
  is(p, "one", "a much longer one", "three");
  p.set(1, "");
  is(p, "one", "", "three");
  p.set(2, "3");
  is(p, "one", "", "3");
}

TEST(PackedStrings, zeros_and_all_octets_are_kept) {
  std::string all;
  for (int i = 0; i < 256; i++) all += static_cast<char>(i);
  put(p, all, "a\0b"s, all);
  is(p, all, "a\0b"s, all);
}

TEST(PackedStrings, views_into_the_object_itself_are_legal) {
  put(p, "alpha", "beta", "gamma");
  auto v = p.views();
  p.assign({v[2], v[0], v[1]});
  is(p, "gamma", "alpha", "beta");
  p.set(0, p.get(1));  // the same length: in place
  is(p, "alpha", "alpha", "beta");
  p.set(2, p.get(0));
  is(p, "alpha", "alpha", "alpha");
  p.set(1, p.get(1).substr(1));
  is(p, "alpha", "lpha", "alpha");
}

TEST(PackedStrings, they_agree_with_plain_strings_over_random_operations) {
  Random random(5);
  std::array<std::string, 3> model;
  for (int i = 0; i < 5000; i++) {
    size_t n = random.below(3);
    model[n] = std::string(random.below(20), static_cast<char>('a' + random.below(26)));
    p.set(n, model[n]);
    is(p, model[0], model[1], model[2]);
  }
}
