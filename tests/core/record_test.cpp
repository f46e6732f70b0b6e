// Waiters of a record: they come out in their order, each once, and none is lost when lists are joined.
#include <string>
#include <utility>
#include <vector>

#include "core/publication_record.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(WaiterList) {
  std::vector<int> told;
  WaiterList list;
  void push(WaiterList& l, int n) {
    l.push([this, n](const Outcome&) { told.push_back(n); }, 1000 + n);
  }
  std::string drain(WaiterList& l) {
    std::string s;
    while (auto w = l.pop()) {
      told.clear();
      w->done(Outcome{});
      s += std::to_string(told.at(0)) + (w->superseded ? "s " : " ");
    }
    return s;
  }
};

TEST(WaiterList, they_come_out_in_the_order_they_came) {
  CHECK(list.empty());
  for (int i = 1; i <= 3; i++) push(list, i);
  LONGS_EQUAL(3, list.size());
  STRCMP_EQUAL("1 2 3 ", drain(list).c_str());
  CHECK(list.empty());
  LONGS_EQUAL(0, list.size());
  push(list, 4);  // and it can be filled again
  STRCMP_EQUAL("4 ", drain(list).c_str());
}

TEST(WaiterList, each_knows_when_it_came_in_no_more_memory) {
  push(list, 7);
  UNSIGNED_LONGS_EQUAL(1007, list.pop()->since);
  struct Without {
    std::unique_ptr<Waiter> next;
    RequestDone done;
    bool superseded;
  };
  LONGS_EQUAL(sizeof(Without), sizeof(Waiter));
}

TEST(WaiterList, those_that_are_here_now_are_marked_not_those_that_come) {
  push(list, 1);
  push(list, 2);
  list.mark_superseded();
  push(list, 3);
  STRCMP_EQUAL("1s 2s 3 ", drain(list).c_str());
}

TEST(WaiterList, joined_lists_keep_their_order_and_the_other_one_is_empty) {
  WaiterList other;
  push(list, 1);
  push(other, 2);
  push(other, 3);
  list.append(std::move(other));
  LONGS_EQUAL(3, list.size());
  LONGS_EQUAL(0, other.size());
  push(list, 4);
  push(other, 9);
  STRCMP_EQUAL("1 2 3 4 ", drain(list).c_str());
  STRCMP_EQUAL("9 ", drain(other).c_str());
}

TEST(WaiterList, an_empty_list_joins_without_a_trace) {
  WaiterList other;
  list.append(std::move(other));
  CHECK(list.empty());
  push(other, 1);
  list.append(std::move(other));
  STRCMP_EQUAL("1 ", drain(list).c_str());
}

TEST(WaiterList, a_moved_list_takes_its_waiters_along) {
  push(list, 1);
  WaiterList other(std::move(list));
  CHECK(list.empty());
  STRCMP_EQUAL("1 ", drain(other).c_str());
}
