// Log gate: a flood of one kind of event fills no disk, and the next line says how much was left out.
#include <vector>

#include "base/log_gate.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(LogGate) {
  LogGate gate{3};
  uint64_t left_out = 0;
  int passed(int events, MonoMs now) {
    int n = 0;
    for (int i = 0; i < events; i++) n += gate.pass(now, left_out);
    return n;
  }
};

TEST(LogGate, so_many_lines_a_second_pass_and_no_more) {
  LONGS_EQUAL(3, passed(1000, 5000));
  LONGS_EQUAL(0, passed(1000, 5999));
  LONGS_EQUAL(3, passed(1000, 6000));
}

TEST(LogGate, the_next_line_says_how_many_were_left_out) {
  passed(10, 5000);
  LONGS_EQUAL(0, left_out);
  CHECK(gate.pass(6000, left_out));
  LONGS_EQUAL(7, left_out);
  CHECK(gate.pass(6000, left_out));
  LONGS_EQUAL(0, left_out);
}

TEST(LogGate, it_tells_when_it_opens_and_what_nobody_was_told) {
  LONGS_EQUAL(0, gate.opens());
  passed(2, 5000);
  LONGS_EQUAL(0, gate.opens());
  passed(1, 5400);
  LONGS_EQUAL(6000, gate.opens());
  LONGS_EQUAL(0, gate.left_out());
  passed(4, 5500);
  LONGS_EQUAL(4, gate.left_out());
  LONGS_EQUAL(4, gate.take_left_out());
  LONGS_EQUAL(0, gate.left_out());
  CHECK(gate.pass(6000, left_out));
  LONGS_EQUAL(0, left_out);
}

TEST(LogGate, it_passes_from_the_very_beginning_of_the_clock) { LONGS_EQUAL(3, passed(5, 0)); }

TEST(LogGate, the_while_can_be_another_one) {
  LogGate slow{1, 60000};
  CHECK(slow.pass(0, left_out));
  CHECK(!slow.pass(59999, left_out));
  CHECK(slow.pass(60000, left_out));
  LONGS_EQUAL(1, left_out);
}
