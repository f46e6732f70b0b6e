// Slots: places that are used again, and handles that find nothing once what they were made of is gone.
#include <string>
#include <vector>

#include "base/slots.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
struct Guest : Slot {
  std::string name;
};
}  // namespace

TEST_GROUP(Slots) {
  Slots<Guest> slots;
  Guest& add(const std::string& name) {
    Guest* g = slots.add();
    CHECK(g != nullptr);
    g->name = name;
    return *g;
  }
  std::string names() {
    std::string s;
    slots.for_each([&](Guest& g) { s += g.name + " "; });
    return s;
  }
};

TEST(Slots, a_handle_finds_what_it_was_made_of_and_not_the_next_one_in_that_place) {
  Guest& a = add("a");
  SlotHandle old = slots.handle(a);
  POINTERS_EQUAL(&a, slots.find(old));
  slots.remove(a);
  POINTERS_EQUAL(nullptr, slots.find(old));
  Guest& b = add("b");
  POINTERS_EQUAL(&a, &b);   // the place is used again
  POINTERS_EQUAL(nullptr, slots.find(old));
  CHECK(old != slots.handle(b));
  POINTERS_EQUAL(&b, slots.find(slots.handle(b)));
}

TEST(Slots, numbers_that_are_no_handles_find_nothing) {
  for (SlotHandle wild : {SlotHandle{0}, SlotHandle{1} << 32, ~SlotHandle{0}}) POINTERS_EQUAL(nullptr, slots.find(wild));
  Guest& a = add("a");
  CHECK(slots.handle(a) != 0);
  for (SlotHandle wild : {SlotHandle{0}, SlotHandle{2} << 32, SlotHandle{1} << 32 | 1, SlotHandle{1} << 32 | 77, ~SlotHandle{0}})
    POINTERS_EQUAL(nullptr, slots.find(wild));
  slots.remove(a);
  POINTERS_EQUAL(nullptr, slots.find(SlotHandle{2} << 32));   // what the next handle of a free place will be
}

TEST(Slots, no_two_handles_of_a_place_are_the_same) {
  std::vector<SlotHandle> seen;
  for (int i = 0; i < 100; i++) {
    Guest& a = add("a");
    for (SlotHandle h : seen) CHECK(h != slots.handle(a));
    seen.push_back(slots.handle(a));
    slots.remove(a);
  }
  LONGS_EQUAL(0, slots.size());
  for (SlotHandle h : seen) POINTERS_EQUAL(nullptr, slots.find(h));
}

TEST(Slots, places_stay_where_they_are_and_handles_go_on_finding_them_however_many_come) {
  std::vector<Guest*> all;
  std::vector<SlotHandle> handles;
  for (int i = 0; i < 1000; i++) {
    all.push_back(&add(std::to_string(i)));
    handles.push_back(slots.handle(*all.back()));
    LONGS_EQUAL(i, slots.place(*all.back()));
  }
  for (size_t i = 0; i < 1000; i += 3) slots.remove(*all[i]);
  LONGS_EQUAL(666, slots.size());
  for (size_t i = 0; i < 1000; i++) {
    POINTERS_EQUAL(i % 3 == 0 ? nullptr : all[i], slots.find(handles[i]));
    STRCMP_EQUAL(std::to_string(i).c_str(), all[i]->name.c_str());
  }
  for (size_t i = 0; i < 334; i++) CHECK(slots.place(add("new")) % 3 == 0);   // no new place while one is free
  LONGS_EQUAL(1000, slots.place(add("one more")));
}

TEST(Slots, the_place_given_back_last_is_the_next_and_holds_what_was_left_in_it) {
  Guest &a = add("a"), &b = add("b");
  add("c");
  slots.remove(b);
  slots.remove(a);
  Guest* next = slots.add();
  POINTERS_EQUAL(&a, next);
  STRCMP_EQUAL("a", next->name.c_str());
  POINTERS_EQUAL(&b, slots.add());
}

TEST(Slots, there_are_as_many_as_was_said_and_no_more) {
  Slots<Guest> few(3);
  Guest* first = few.add();
  CHECK(first != nullptr && few.add() != nullptr && few.add() != nullptr);
  POINTERS_EQUAL(nullptr, few.add());
  LONGS_EQUAL(3, few.size());
  few.remove(*first);
  POINTERS_EQUAL(first, few.add());
  POINTERS_EQUAL(nullptr, few.add());
}

TEST(Slots, by_its_place_is_found_who_is_there_now) {
  POINTERS_EQUAL(nullptr, slots.in_place(0));
  Guest& a = add("a");
  POINTERS_EQUAL(&a, slots.in_place(0));
  POINTERS_EQUAL(nullptr, slots.in_place(1));
  slots.remove(a);
  POINTERS_EQUAL(nullptr, slots.in_place(0));
  add("b");
  STRCMP_EQUAL("b", slots.in_place(0)->name.c_str());
}

TEST(Slots, a_walk_shows_those_in_use_each_of_which_may_leave) {
  for (const char* name : {"a", "b", "c", "d"}) add(name);
  slots.remove(*slots.in_place(1));
  STRCMP_EQUAL("a c d ", names().c_str());
  slots.for_each([&](Guest& g) {
    if (g.name != "c") slots.remove(g);
  });
  STRCMP_EQUAL("c ", names().c_str());
  LONGS_EQUAL(1, slots.size());
}
