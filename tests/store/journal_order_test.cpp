// JournalOrder: lines of a journal in the order of id, and the last one of each.
#include <map>
#include <string>

#include "base/random.h"
#include "store/journal_order.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

// "1:4 3:2x": last entries by id, x: deleted.
std::string list(const JournalOrder& o) {
  std::string out;
  for (const JournalOrder::Entry& e : o.frozen())
    out += (out.empty() ? "" : " ") + std::to_string(e.id) + ":" + std::to_string(e.line()) + (e.gone() ? "x" : "");
  return out;
}

std::string show(const std::optional<JournalOrder::Entry>& e) { return e ? std::to_string(e->line()) + (e->gone() ? "x" : "") : "none"; }

}  // namespace

TEST_GROUP(JournalOrder) {
  JournalOrder order;
  void add(std::initializer_list<int64_t> ids, int64_t from = 1) {
    for (int64_t id : ids) order.add(id, from++, false);
  }
};

TEST(JournalOrder, the_frozen_list_has_the_last_line_of_each_id_in_the_order_of_id) {
  add({5, 3, 5, 9, 3, 5});
  LONGS_EQUAL(6, order.open());
  CHECK(order.merge_some(100));
  STRCMP_EQUAL("3:5 5:6 9:4", list(order).c_str());
  LONGS_EQUAL(6, order.frozen_to());
  LONGS_EQUAL(0, order.open());
}

TEST(JournalOrder, a_delete_stands_in_the_order_like_a_line) {
  add({5, 3});
  order.add(5, 3, true);
  order.add(3, 4, true);
  order.add(3, 5, false);
  order.merge_some(100);
  STRCMP_EQUAL("3:5 5:3x", list(order).c_str());
}

TEST(JournalOrder, the_last_line_of_an_id_is_known_in_every_state) {
  add({5, 3, 5});
  STRCMP_EQUAL("3", show(order.last(5)).c_str());
  STRCMP_EQUAL("2", show(order.last(3)).c_str());
  STRCMP_EQUAL("none", show(order.last(4)).c_str());
  CHECK_FALSE(order.merge_some(1));
  CHECK(order.merging());
  STRCMP_EQUAL("3", show(order.last(5)).c_str());
  STRCMP_EQUAL("none", show(order.last_open(5)).c_str());
  add({3}, 4);
  STRCMP_EQUAL("4", show(order.last(3)).c_str());
  STRCMP_EQUAL("4", show(order.last_open(3)).c_str());
  CHECK(order.merge_some(100));
  STRCMP_EQUAL("3:2 5:3", list(order).c_str());   // what came meanwhile is not in it
  STRCMP_EQUAL("4", show(order.last(3)).c_str());
  LONGS_EQUAL(3, order.frozen_to());
  order.drop_frozen();
  STRCMP_EQUAL("none", show(order.last(5)).c_str());
  STRCMP_EQUAL("4", show(order.last(3)).c_str());
}

TEST(JournalOrder, many_lines_are_merged_piece_by_piece) {
  Random random(3);
  std::map<int64_t, int64_t> last;
  for (int64_t n = 1; n <= 50000; n++) {
    int64_t id = static_cast<int64_t>(random.below(9000));
    order.add(id, n, false);
    last[id] = n;
  }
  for (int64_t id = 0; id < 9000; id += 97) STRCMP_EQUAL(last.contains(id) ? std::to_string(last[id]).c_str() : "none", show(order.last(id)).c_str());
  int pieces = 1;
  while (!order.merge_some(1000)) pieces++;
  LONGS_EQUAL(50, pieces);
  LONGS_EQUAL(last.size(), order.frozen().size());
  size_t i = 0;
  for (auto [id, n] : last) {
    LONGLONGS_EQUAL(id, order.frozen()[i].id);
    LONGLONGS_EQUAL(n, order.frozen()[i++].line());
  }
}
