// UTF-8: where characters end, and which of them nobody gets to see.
#include <string>

#include "base/utf8.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Utf8) {
  static size_t length(const std::string& s) { return utf8_sequence(reinterpret_cast<const unsigned char*>(s.data()), s.size()); }
  static long value(const std::string& s) {
    return static_cast<long>(utf8_character(reinterpret_cast<const unsigned char*>(s.data()), s.size()));
  }
};

TEST(Utf8, sequences_are_as_rfc_3629_has_them) {
  LONGS_EQUAL(2, length("\xc3\xa4"));
  LONGS_EQUAL(3, length("\xe2\x82\xac"));
  LONGS_EQUAL(4, length("\xf0\x9f\x98\x80"));
  for (const char* bad : {"\x80", "\xc0\xaf", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\xff"}) LONGS_EQUAL(0, length(bad));
}

TEST(Utf8, characters_are_read) {
  LONGS_EQUAL('a', value("a"));
  LONGS_EQUAL(0xe4, value("\xc3\xa4"));
  LONGS_EQUAL(0x20ac, value("\xe2\x82\xac"));
  LONGS_EQUAL(0x1f600, value("\xf0\x9f\x98\x80"));
}

TEST(Utf8, what_steers_terminals_turns_text_or_ends_lines_is_misleading) {
  for (char32_t c : {0x0u, 0x1bu, 0x7fu, 0x80u, 0x9bu, 0x9fu, 0x61cu, 0x200eu, 0x200fu, 0x2028u, 0x2029u, 0x202au, 0x202eu, 0x2066u, 0x2069u})
    CHECK(misleading(c));
  for (char32_t c : {0x20u, 0x7eu, 0xa0u, 0xe4u, 0x200du, 0x2030u, 0x65e5u, 0x1f600u}) CHECK(!misleading(c));
}

TEST(Utf8, harmless_text_has_question_marks_for_them) {
  STRCMP_EQUAL("a?b?c?d?", harmless("a\x1b" "b\xc2\x9b" "c\xe2\x80\xae" "d\xff").c_str());
  STRCMP_EQUAL("\xc3\xa4\xe6\x97\xa5", harmless("\xc3\xa4\xe6\x97\xa5").c_str());
  STRCMP_EQUAL("a?b", harmless("a\nb").c_str());
  STRCMP_EQUAL("a\nb", harmless("a\r\nb", true).c_str());
}

TEST(Utf8, harmless_json_means_the_same) {
  STRCMP_EQUAL("{\"a\":\"\\u202ex\\u009b\\u007f\",\n\"b\":1}", harmless_json("{\"a\":\"\xe2\x80\xaex\xc2\x9b\x7f\",\n\"b\":1}").c_str());
}
