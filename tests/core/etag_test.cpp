// Entity-tags of servers: which can be kept in a row and sent back.
#include <string>

#include "core/etag.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Etag) {};

TEST(Etag, whatever_one_line_of_a_header_field_can_carry) {
  for (const char* tag : {"a", "a.1234567890.1-2.3%!*_+`'~", "a b", "a\tb", "\"q\"", "a:b@c", "<>;,=?", "\xc3\xbc", "\xff\x80"})
    CHECK_TEXT(usable_etag(tag), tag);
  CHECK(usable_etag(std::string(kMaxEtag, 'a')));
}

TEST(Etag, what_would_break_the_line_or_the_row_or_come_back_changed_is_none) {
  CHECK_FALSE(usable_etag(""));
  CHECK_FALSE(usable_etag(std::string(kMaxEtag + 1, 'a')));
  for (char c = 1; c < 0x20; c++)
    if (c != '\t') CHECK_FALSE(usable_etag(std::string("a") + c + "b"));
  CHECK_FALSE(usable_etag(std::string("a\0b", 3)));
  CHECK_FALSE(usable_etag("a\x7f"));
  for (const char* tag : {" a", "a ", "\ta", "a\t", " "}) CHECK_FALSE(usable_etag(tag));   // parsers remove blanks at the ends
}
