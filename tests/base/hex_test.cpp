// Hexadecimal text: the digits, and what is none.
#include <string>

#include "base/hex.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
std::string hex(uint64_t v, int digits) {
  char text[17] = {};
  CHECK(write_hex(text, v, digits) == text + digits);
  return text;
}
}  // namespace

TEST_GROUP(Hex) {};

TEST(Hex, as_many_digits_as_asked_for) {
  STRCMP_EQUAL("0123456789abcdef", hex(0x0123456789abcdef, 16).c_str());
  STRCMP_EQUAL("89abcdef", hex(0x0123456789abcdef, 8).c_str());
  STRCMP_EQUAL("00000000", hex(0, 8).c_str());
  STRCMP_EQUAL("ffffffffffffffff", hex(UINT64_MAX, 16).c_str());
}

TEST(Hex, what_was_written_is_read) {
  for (uint64_t v : {uint64_t{0}, uint64_t{1}, uint64_t{0x0123456789abcdef}, UINT64_MAX}) {
    uint64_t back = 7;
    CHECK(read_hex(hex(v, 16), back));
    UNSIGNED_LONGLONGS_EQUAL(v, back);
  }
}

TEST(Hex, what_we_do_not_write_is_refused_and_changes_nothing) {
  uint64_t out = 7;
  for (const char* text : {"", "0123456789abcdef0", "ABCDEF", "12 4", "0x12", "-1", "g"}) CHECK_FALSE(read_hex(text, out));
  UNSIGNED_LONGLONGS_EQUAL(7, out);
}
