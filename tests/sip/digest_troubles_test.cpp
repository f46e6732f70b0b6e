// What the log is told: once when it begins, once when it is over, and ever more seldom where it comes and goes.
#include "sip/digest_troubles.h"

#include <string>
#include <vector>

#include "base/log.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(SipDigestTroubles) {
  std::vector<std::string> lines;
  Log log{[this](LogLevel l, std::string_view s) { lines.push_back(std::string(log_level_name(l)) + " " + std::string(s)); }, LogLevel::info};
  DigestTroubles troubles{&log};
  MonoMs now = 0;
};

TEST(SipDigestTroubles, one_line_when_it_begins_and_one_when_it_is_over) {
  for (int i = 0; i < 100; i++) troubles.begin(1, "example.com", "refused us", now += 1000);
  troubles.begin(2, "example.org", "refused us too", now += 1000);
  CHECK_TRUE(troubles.any());
  troubles.over(1);
  troubles.over(1);
  troubles.over(3);
  CHECK_TRUE(troubles.any());
  troubles.over(2);
  CHECK_FALSE(troubles.any());
  LONGS_EQUAL(4, lines.size());
  STRCMP_EQUAL("warning sip: example.com refused us", lines[0].c_str());
  STRCMP_EQUAL("warning sip: example.org refused us too", lines[1].c_str());
  STRCMP_EQUAL("notice sip: example.com takes our requests again", lines[2].c_str());
  STRCMP_EQUAL("notice sip: example.org takes our requests again", lines[3].c_str());
}

TEST(SipDigestTroubles, what_comes_and_goes_is_told_ever_more_seldom) {
  for (int i = 0; i < 1000; i++) {
    troubles.begin(1, "example.com", "refused us", now += 1000);
    troubles.over(1);
  }
  LONGS_EQUAL(20, lines.size());  // times 1, 2, 4 ... 512, each with its end
}

TEST(SipDigestTroubles, places_are_bounded) {
  for (uint64_t i = 0; i < 10000; i++) troubles.begin(i, "h", "w", now += 1000);
  for (uint64_t i = 0; i < 10000; i++) troubles.over(i);
  CHECK_FALSE(troubles.any());
  LONGS_EQUAL(10000 + 256, lines.size());
}

TEST(SipDigestTroubles, many_at_once_make_few_lines) {
  for (uint64_t i = 0; i < 200; i++) troubles.begin(i, "h", "w", 5000);
  LONGS_EQUAL(10, lines.size());
  for (uint64_t i = 0; i < 200; i++) troubles.over(i);
  LONGS_EQUAL(20, lines.size());  // over is what was begun
  troubles.begin(1000, "h", "w", 6000);
  STRCMP_EQUAL("warning sip: h w (190 lines like this left out)", lines.back().c_str());
}

TEST(SipDigestTroubles, nothing_is_left_of_what_was_cleared) {
  troubles.begin(1, "h", "w", now += 1000);
  troubles.clear();
  CHECK_FALSE(troubles.any());
  troubles.over(1);
  troubles.begin(1, "h", "w", now += 1000);
  LONGS_EQUAL(2, lines.size());
}
