// Tokens, blanks, and words without case: each octet, and the ends of texts.
#include <string>
#include <string_view>

#include "base/words.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Words) {};

TEST(Words, a_token_has_the_octets_of_rfc_3261) {
  std::string found;
  for (int c = 0; c < 256; c++)
    if (is_token_char(static_cast<char>(c))) found += static_cast<char>(c);
  STRCMP_EQUAL("!%'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_`abcdefghijklmnopqrstuvwxyz~", found.c_str());
  CHECK(is_token("message-summary"));
  CHECK(!is_token("message summary"));
  CHECK(!is_token("presence\xe9"));
  CHECK(!is_token(""));
}

TEST(Words, the_case_of_ascii_letters_does_not_count) {
  CHECK(same_word("Call-ID", "cALL-id"));
  CHECK(same_word("", ""));
  CHECK(!same_word("Via", "Vi"));
  CHECK(!same_word("Vi", "Via"));
  CHECK(!same_word("a@", "a`"));       // the octets in front of 'A' and 'a'
  CHECK(!same_word("a[", "a{"));       // and behind 'Z' and 'z'
  CHECK(!same_word("\xc9", "\xe9"));   // letters of other alphabets are octets
}

TEST(Words, the_first_octet_of_a_set_is_found) {
  constexpr CharSet ends(";,\n\xff");
  CHECK_EQUAL(3u, ends.first_in("abc;d,"));
  CHECK_EQUAL(5u, ends.first_in("abc;d,", 4));
  CHECK_EQUAL(std::string_view::npos, ends.first_in("abc;d,", 6));
  CHECK_EQUAL(std::string_view::npos, ends.first_in("abc;d,", 7));   // behind the end of the text
  CHECK_EQUAL(0u, ends.first_in("\xff"));                            // octets of other alphabets, too
  CHECK_EQUAL(std::string_view::npos, ends.first_in(std::string_view("\0a", 2)));
}

TEST(Words, blanks_go_from_both_ends) {
  CHECK(trimmed(" \t a b\t ") == "a b");
  CHECK(trimmed("a") == "a");
  std::string_view blank = " \t ";
  CHECK(trimmed(blank).empty());
  POINTERS_EQUAL(blank.data() + 3, trimmed(blank).data());   // a field that is there and empty is not one that is not there
  CHECK(trimmed("").empty());
  CHECK(trimmed("\r\na \n") == "\r\na \n");
  CHECK(trimmed("\r\n a\t\n", kWhite) == "a");
}
