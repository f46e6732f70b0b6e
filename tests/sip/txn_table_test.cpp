// Table of open transactions: tokens, and deadlines in their order.
#include "sip/txn_table.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(TxnTable) {
  TxnTable table;
  Txn& add(TxnId id) {
    Txn* t = table.add(id);
    CHECK(t != nullptr);
    return *t;
  }
};

TEST(TxnTable, a_token_finds_its_transaction_and_never_the_next_one_in_the_same_place) {
  Txn& a = add(1);
  uint64_t token = table.token(a);
  POINTERS_EQUAL(&a, table.find(token));
  table.set_deadline(a, 10);
  Txn& b = add(2);
  table.set_deadline(b, 20);
  LONGS_EQUAL(10, table.first_deadline());
  POINTERS_EQUAL(nullptr, table.overdue(9));
  POINTERS_EQUAL(&a, table.overdue(10));
  table.remove(a);
  POINTERS_EQUAL(nullptr, table.find(token));
  LONGS_EQUAL(20, table.first_deadline());
  Txn& c = add(3);
  POINTERS_EQUAL(&a, &c);  // the same place
  POINTERS_EQUAL(nullptr, table.find(token));
  CHECK_FALSE(table.token(c) == token);
  for (uint64_t wild : {uint64_t{0}, uint64_t{77}, ~uint64_t{0}, uint64_t{1} << 32}) POINTERS_EQUAL(nullptr, table.find(wild));
  LONGS_EQUAL(2, table.size());
}

TEST(TxnTable, nothing_of_the_last_one_is_left_in_a_place_that_is_used_again) {
  Txn& a = add(1);
  a.lane = 7;
  a.first_cseq = a.cseq = a.tries = a.server = 9;
  a.servers = std::make_shared<std::vector<Server>>(2);
  a.locating = true;
  table.set_deadline(a, 10);
  table.remove(a);
  Txn& b = add(2);
  POINTERS_EQUAL(&a, &b);
  LONGS_EQUAL(2, b.id);
  LONGS_EQUAL(0, b.lane);
  LONGS_EQUAL(0, b.first_cseq + b.cseq + b.tries + b.server);
  CHECK(!b.servers && !b.locating && !b.endpoint && !b.out);
  CHECK(b.deadline() == kNever);
  CHECK(table.first_deadline() == kNever);
  POINTERS_EQUAL(nullptr, table.any());
}

TEST(TxnTable, deadlines_come_in_the_order_that_they_were_set_in_whoever_leaves_between) {
  Txn &a = add(1), &b = add(2), &c = add(3);
  table.set_deadline(a, 10);
  table.set_deadline(b, 10);
  table.set_deadline(c, 30);
  table.remove(b);
  POINTERS_EQUAL(&a, table.any());
  table.remove(a);
  POINTERS_EQUAL(&c, table.any());
  POINTERS_EQUAL(nullptr, table.overdue(29));
  POINTERS_EQUAL(&c, table.overdue(30));
  table.remove(add(4));   // it had no deadline
  LONGS_EQUAL(1, table.size());
}
