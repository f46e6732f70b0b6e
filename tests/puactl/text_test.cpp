// Text for terminals: what reaches them, and columns that stand below each other.
#include <string>

#include "puactl/text.h"

#include <CppUTest/TestHarness.h>

using namespace puactl;

TEST_GROUP(Text){};

TEST(Text, nothing_steers_the_terminal_or_turns_the_text) {
  STRCMP_EQUAL("a?[2J?b??c", printable("a\x1b[2J\x7f" "b\r\nc").c_str());
  STRCMP_EQUAL("a?31m", printable("a\xc2\x9b" "31m").c_str());                       // CSI in one character
  STRCMP_EQUAL("a?31m", printable("a\x9b" "31m").c_str());                           // and in one octet
  STRCMP_EQUAL("sip:?live", printable("sip:\xe2\x80\xaelive").c_str());              // right to left from here on
  STRCMP_EQUAL("????", printable("\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c\xe2\x80\xa8").c_str());
  STRCMP_EQUAL("J\xc3\xbcrgen \xe6\x97\xa5\xe6\x9c\xac", printable("J\xc3\xbcrgen \xe6\x97\xa5\xe6\x9c\xac").c_str());
}

TEST(Text, bodies_keep_their_lines) { STRCMP_EQUAL("a\n\tb?", printable("a\r\n\tb\x07", true).c_str()); }

TEST(Text, width_is_that_of_a_terminal) {
  LONGS_EQUAL(5, width("alice"));
  LONGS_EQUAL(6, width("J\xc3\xbcrgen"));
  LONGS_EQUAL(4, width("\xe6\x97\xa5\xe6\x9c\xac"));     // two characters of two columns
  LONGS_EQUAL(1, width("e\xcc\x81"));                    // an accent above the e
  LONGS_EQUAL(2, width("\xef\xbc\xa1"));                 // a full-width A
}

TEST(Text, columns_stand_below_each_other_whatever_is_in_them) {
  Table t({{"WHO"}, {"N", true}, {"STATE"}});
  t.row({"\xe6\x97\xa5\xe6\x9c\xac", "7", "live"});
  t.row({"alice", "12", "backoff"});
  STRCMP_EQUAL(
      "WHO     N  STATE\n"
      "\xe6\x97\xa5\xe6\x9c\xac    7  live\n"
      "alice  12  backoff\n",
      t.text().c_str());
}

TEST(Text, what_does_not_fit_leaves_its_row_and_nothing_is_cut) {
  Table t({{"WHO", false, true}, {"STATE"}, {"TAG", false, true}});
  t.row({"sip:alice@example.com", "live", "e1"});
  t.row({"sip:somebody-with-a-long-name@department.example.com", "live", "e2"});
  t.row({"sip:bob@example.com", "live", "a-tag-that-is-very-long-indeed-and-then-some"});
  auto padded = [](std::string cell) { return cell + std::string(25 + 2 - cell.size(), ' '); };   // what is left to WHO
  STRCMP_EQUAL((padded("WHO") + "STATE  TAG\n" +
                padded("sip:alice@example.com") + "live   e1\n"
                "sip:somebody-with-a-long-name@department.example.com\n" +
                padded("") + "live   e2\n" +
                padded("sip:bob@example.com") + "live\n" +
                "  TAG a-tag-that-is-very-long-indeed-and-then-some\n").c_str(),
               t.text(60).c_str());
}

// Between two short rows, a line above its row would look like a part of the row before.
TEST(Text, what_has_left_a_row_stands_under_it_and_before_the_next_one) {
  Table t({{"WHO", false, true}, {"STATE"}, {"TAG", false, true}});
  t.row({"sip:e@example.com", "backoff", "-"});
  t.row({"sip:quite-a-long-name-of-a-user@example.com", "live", "a.1796010191.5212.20.0"});
  t.row({"sip:q@example.com", "live", "a1"});
  STRCMP_EQUAL("WHO                STATE    TAG\n"
               "sip:e@example.com  backoff  -\n"
               "sip:quite-a-long-name-of-a-user@example.com\n"
               "                   live\n"
               "  TAG a.1796010191.5212.20.0\n"
               "sip:q@example.com  live     a1\n",
               t.text(46).c_str());
}

TEST(Text, without_a_limit_each_row_is_a_line) {
  Table t({{"WHO", false, true}, {"STATE"}});
  t.row({std::string(200, 'x'), "live"});
  STRCMP_EQUAL(("WHO" + std::string(199, ' ') + "STATE\n" + std::string(200, 'x') + "  live\n").c_str(), t.text().c_str());
}
