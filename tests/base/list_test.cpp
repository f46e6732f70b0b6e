// Intrusive list: order, leaving without the list, one list per hook.
#include <string>
#include <vector>

#include "base/list.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
struct FirstHook : ListHook {};
struct SecondHook : ListHook {};
struct Item : FirstHook, SecondHook {
  explicit Item(int number) : n(number) {}
  int n;
};
using First = List<Item, FirstHook>;
using Second = List<Item, SecondHook>;

template <class L>
std::string text(L& list) {
  std::string s;
  list.for_each([&](Item& t) { s += std::to_string(t.n) + " "; });
  return s;
}
}  // namespace

TEST_GROUP(List) {
  Item a{1}, b{2}, c{3};
  First list;
  bool linked(Item& i) { return static_cast<FirstHook&>(i).linked(); }
};

TEST(List, it_keeps_the_order_of_arrival) {
  CHECK(list.empty());
  POINTERS_EQUAL(nullptr, list.front());
  POINTERS_EQUAL(nullptr, list.pop_front());
  list.push_back(a);
  list.push_back(b);
  list.push_back(c);
  CHECK_FALSE(list.empty());
  STRCMP_EQUAL("1 2 3 ", text(list).c_str());
  POINTERS_EQUAL(&a, list.front());
  POINTERS_EQUAL(&a, list.pop_front());
  POINTERS_EQUAL(&b, list.pop_front());
  POINTERS_EQUAL(&c, list.pop_front());
  CHECK(list.empty());
}

TEST(List, an_element_may_come_to_the_front) {
  list.push_front(b);
  list.push_front(a);
  list.push_back(c);
  STRCMP_EQUAL("1 2 3 ", text(list).c_str());
  POINTERS_EQUAL(&a, list.pop_front());
  POINTERS_EQUAL(&b, list.pop_front());
  POINTERS_EQUAL(&c, list.pop_front());
}

TEST(List, an_element_leaves_from_anywhere_without_the_list) {
  for (Item* i : {&a, &b, &c}) list.push_back(*i);
  First::erase(b);
  STRCMP_EQUAL("1 3 ", text(list).c_str());
  First::erase(c);
  STRCMP_EQUAL("1 ", text(list).c_str());
  First::erase(a);
  CHECK(list.empty());
}

TEST(List, an_element_knows_whether_it_stands_in_a_list) {
  CHECK_FALSE(linked(a));
  list.push_back(a);
  CHECK(linked(a));
  list.pop_front();
  CHECK_FALSE(linked(a));
  list.push_back(a);  // and may come again
  STRCMP_EQUAL("1 ", text(list).c_str());
  list.pop_front();
}

TEST(List, an_element_stands_in_one_list_per_hook) {
  Second other;
  list.push_back(a);
  list.push_back(b);
  other.push_back(b);
  other.push_back(a);
  STRCMP_EQUAL("1 2 ", text(list).c_str());
  STRCMP_EQUAL("2 1 ", text(other).c_str());
  First::erase(b);
  STRCMP_EQUAL("1 ", text(list).c_str());
  STRCMP_EQUAL("2 1 ", text(other).c_str());
}
