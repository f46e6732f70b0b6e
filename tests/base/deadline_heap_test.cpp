// Deadline heap against a simple reference.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/deadline_heap.h"
#include "base/random.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
struct Item {
  uint32_t heap_index = kNotInHeap;
  int n = 0;
};
}  // namespace

TEST_GROUP(DeadlineHeap) {
  DeadlineHeap<Item> heap;
};

TEST(DeadlineHeap, an_empty_one_is_never_due) {
  CHECK(heap.empty());
  LONGLONGS_EQUAL(kNever, heap.next());
  POINTERS_EQUAL(nullptr, heap.top());
  Item i;
  heap.remove(i);
  LONGLONGS_EQUAL(kNever, heap.due(i));
}

TEST(DeadlineHeap, never_disarms) {
  Item i;
  heap.set(i, kNever);
  CHECK(heap.empty());
  heap.set(i, 5);
  LONGLONGS_EQUAL(5, heap.next());
  heap.set(i, kNever);
  CHECK(heap.empty());
  LONGS_EQUAL(kNotInHeap, i.heap_index);
}

TEST(DeadlineHeap, re_arming_moves_in_either_direction) {
  Item a, b;
  heap.set(a, 10);
  heap.set(b, 20);
  POINTERS_EQUAL(&a, heap.top());
  heap.set(a, 30);
  POINTERS_EQUAL(&b, heap.top());
  heap.set(a, 1);
  POINTERS_EQUAL(&a, heap.top());
  LONGLONGS_EQUAL(1, heap.due(a));
  LONGLONGS_EQUAL(20, heap.due(b));
  LONGS_EQUAL(2, heap.size());
}

TEST(DeadlineHeap, it_agrees_with_a_reference_over_random_operations) {
  Random random(42);
  std::vector<Item> items(3000);
  std::multimap<MonoMs, Item*> model;
  std::vector<MonoMs> due(items.size(), kNever);
  auto forget = [&](size_t i) {
    if (due[i] == kNever) return;
    auto [from, to] = model.equal_range(due[i]);
    for (auto it = from; it != to; ++it) {
      if (it->second == &items[i]) {
        model.erase(it);
        break;
      }
    }
    due[i] = kNever;
  };
  for (int step = 0; step < 60000; step++) {
    size_t i = random.below(items.size());
    switch (random.below(6)) {
      case 0:
        heap.remove(items[i]);
        forget(i);
        break;
      case 1:
        if (Item* top = heap.top()) {
          size_t n = static_cast<size_t>(top - items.data());
          LONGLONGS_EQUAL(model.begin()->first, due[n]);
          heap.remove(*top);
          forget(n);
        }
        break;
      default:
        forget(i);
        due[i] = static_cast<MonoMs>(random.below(500));  // many the same
        model.emplace(due[i], &items[i]);
        heap.set(items[i], due[i]);
    }
    if (heap.size() != model.size()) FAIL("size");
    if (heap.next() != (model.empty() ? kNever : model.begin()->first)) FAIL("next");
    if (heap.due(items[i]) != due[i]) FAIL("due");
  }
}

TEST(DeadlineHeap, it_grows_and_shrinks_over_many_chunks_and_stays_in_order) {
  const int n = 20000;
  auto items = std::make_unique<Item[]>(n);
  Random random(1);
  Item extra;
  for (int i = 0; i < n; i++) heap.set(items[static_cast<size_t>(i)], static_cast<MonoMs>(random.below(1000000)));
  LONGS_EQUAL(n, heap.size());
  MonoMs last = -1;
  for (int i = 0; i < n; i++) {
    CHECK(heap.next() >= last);
    last = heap.next();
    heap.remove(*heap.top());
    if (heap.size() % 4096 < 2) heap.set(extra, last + 1), heap.remove(extra);  // over the edge of a chunk and back
  }
  CHECK(heap.empty());
}
