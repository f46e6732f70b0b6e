// Which rows tell a copy of the table's rows from the rows, and which tell nothing.
#include "store/mysql_witness.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

RowState at(int64_t id, uint32_t version, bool there = true) { return {id, {7, version, 1}, there}; }

}  // namespace

TEST_GROUP(mysql_witness) {
  RowWitnesses w;
};

TEST(mysql_witness, a_row_as_it_was_written_is_no_contradiction_and_an_older_or_missing_one_is) {
  w.know(at(1, 5));
  LONGS_EQUAL(1, w.ask().size());
  CHECK_FALSE(w.contradicted_by({at(1, 5)}));
  CHECK(w.contradicted_by({at(1, 4)}));
  CHECK(w.contradicted_by({}));
  CHECK(w.contradicted_by({at(2, 5)}));
  CHECK(w.contradicted_by({{1, {6, 9, 9}, true}}));   // of a former owner
}

TEST(mysql_witness, a_removed_row_that_is_back_is_a_contradiction) {
  w.know(at(1, 5, false));
  w.ask();
  CHECK_FALSE(w.contradicted_by({}));
  CHECK(w.contradicted_by({at(1, 5)}));
  CHECK(w.contradicted_by({at(1, 2)}));
}

TEST(mysql_witness, what_somebody_else_has_written_since_is_none) {
  w.know(at(1, 5));
  w.know(at(2, 5, false));
  w.ask();
  CHECK_FALSE(w.contradicted_by({at(1, 6), at(2, 6)}));
}

TEST(mysql_witness, a_row_that_a_statement_is_on_its_way_to_tells_nothing) {
  w.know(at(1, 5));
  w.touch(1);
  CHECK(w.ask().empty());
  w.know(at(1, 6));
  LONGS_EQUAL(1, w.ask().size());
  w.touch(1);                        // while the table is asked
  w.know(at(1, 7));
  CHECK_FALSE(w.contradicted_by({at(1, 6)}));
  w.ask();
  CHECK(w.contradicted_by({at(1, 6)}));
}

TEST(mysql_witness, of_each_look_the_last_rows_stay_and_the_oldest_go) {
  for (int64_t id = 1; id <= 10; id++) w.know(at(id, 1));
  CHECK(w.ask() == (std::vector<int64_t>{7, 8, 9, 10}));
  for (int64_t look = 2; look <= 9; look++) {
    for (int64_t id = 1; id <= 10; id++) w.know(at(100 * look + id, 1));
    LONGS_EQUAL(std::min<size_t>(RowWitnesses::kMost, RowWitnesses::kOfOneLook * static_cast<size_t>(look)), w.ask().size());
  }
  LONGS_EQUAL(207, w.ask().front());
  w.clear();
  CHECK(w.ask().empty());
}
