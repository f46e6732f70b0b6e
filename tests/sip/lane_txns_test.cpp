// Timers and table of the lane's transactions (RFC 3261 section 17.1.2.2), without sockets.
#include <string>
#include <vector>

#include "sip/lane_txns.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(LaneTxns) {
  LaneTxns txns{500, HashKey{1, 2}};
  LaneTxn* add(const std::string& branch, MonoMs now) { return txns.add(txns.key_of(branch), now); }
  // When it is sent again until `end`, with every deadline met in time.
  std::vector<MonoMs> resends(MonoMs from, MonoMs end) {
    std::vector<MonoMs> out;
    for (MonoMs now = from; now <= end; now = std::max(now + 1, txns.next_due())) {
      while (txns.resend(now)) out.push_back(now);
      if (txns.next_due() == kNever) break;
    }
    return out;
  }
};

TEST(LaneTxns, timer_e_doubles_up_to_t2_and_timer_f_ends_it) {
  LaneTxn* t = add("a", 1000);
  LONGS_EQUAL(1500, txns.next_due());
  std::vector<MonoMs> at = resends(1000, 32999);
  std::vector<MonoMs> want = {1500, 2500, 4500, 8500, 12500, 16500, 20500, 24500, 28500, 32500};
  CHECK(want == at);
  POINTERS_EQUAL(nullptr, txns.overdue(32999));
  POINTERS_EQUAL(t, txns.overdue(33000));
}

TEST(LaneTxns, after_a_provisional_response_it_is_sent_every_t2_and_timer_f_stays) {
  LaneTxn* t = add("a", 0);
  CHECK(std::vector<MonoMs>{500} == resends(0, 600));
  txns.proceed(*t);
  txns.proceed(*t);        // a second one changes nothing
  std::vector<MonoMs> want = {1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500};   // the running timer fires first
  CHECK(want == resends(601, 31999));
  POINTERS_EQUAL(t, txns.overdue(32000));
}

TEST(LaneTxns, a_completed_one_is_known_for_t4) {
  LaneTxn* t = add("a", 0);
  uint64_t key = t->key;
  txns.complete(*t, 100);
  POINTERS_EQUAL(nullptr, txns.find(key));
  CHECK_TRUE(txns.recent(key, 100));
  CHECK_TRUE(txns.recent(key, 5099));
  CHECK_FALSE(txns.recent(key, 5100));
  CHECK_FALSE(txns.recent(txns.key_of("b"), 100));
  LONGS_EQUAL(0, txns.size());
  CHECK(txns.next_due() == kNever);
}

TEST(LaneTxns, a_branch_is_out_once) {
  CHECK_TRUE(add("a", 0) != nullptr);
  POINTERS_EQUAL(nullptr, add("a", 1));
  LONGS_EQUAL(1, txns.size());
}

TEST(LaneTxns, a_handle_of_a_former_one_is_dead) {
  LaneTxn* t = add("a", 0);
  SlotHandle old = txns.handle(*t);
  POINTERS_EQUAL(t, txns.of(old));
  txns.remove(*t);
  POINTERS_EQUAL(nullptr, txns.of(old));
  LaneTxn* next = add("b", 0);
  POINTERS_EQUAL(t, next);   // the memory is used again
  POINTERS_EQUAL(nullptr, txns.of(old));
}

TEST(LaneTxns, thousands_are_found_whatever_goes_in_between) {
  std::vector<LaneTxn*> all;
  for (int i = 0; i < 5000; i++) all.push_back(add("b" + std::to_string(i), i));
  for (int i = 0; i < 5000; i += 3) txns.remove(*all[i]);
  for (int i = 0; i < 5000; i++)
    POINTERS_EQUAL(i % 3 == 0 ? nullptr : all[i], txns.find(txns.key_of("b" + std::to_string(i))));
  for (int i = 0; i < 5000; i += 3) all[i] = add("b" + std::to_string(i), 6000);
  for (int i = 0; i < 5000; i++) POINTERS_EQUAL(all[i], txns.find(txns.key_of("b" + std::to_string(i))));
  LONGS_EQUAL(501, txns.next_due());
}
