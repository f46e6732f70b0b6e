// The log: levels, one event one line, long lines.
#include <string>
#include <vector>

#include "base/log.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Log) {
  std::vector<std::pair<LogLevel, std::string>> lines;
  Log log{[this](LogLevel l, std::string_view s) { lines.emplace_back(l, s); }, LogLevel::debug};
};

TEST(Log, each_call_has_its_level) {
  log.error("e %d", 1);
  log.warning("w %s", "2");
  log.notice("n");
  log.info("i");
  log.debug("d");
  LONGS_EQUAL(5, lines.size());
  for (int i = 0; i < 5; i++) LONGS_EQUAL(i, static_cast<int>(lines[static_cast<size_t>(i)].first));
  STRCMP_EQUAL("e 1", lines[0].second.c_str());
  STRCMP_EQUAL("w 2", lines[1].second.c_str());
}

TEST(Log, what_is_below_the_level_is_not_written) {
  log.set_level(LogLevel::warning);
  log.notice("n");
  log.debug("d");
  log.warning("w");
  LONGS_EQUAL(1, lines.size());
  CHECK(log.on(LogLevel::error));
  CHECK_FALSE(log.on(LogLevel::notice));
}

TEST(Log, without_a_sink_nothing_happens) {
  Log silent;
  CHECK_FALSE(silent.on(LogLevel::error));
  silent.error("nobody hears this");
}

TEST(Log, nothing_from_outside_forges_a_second_line) {
  std::string evil = "sip:a@h\r\n2026 error: all is lost\x1b[2J\x07\x7f\ttab";
  log.error("bad URI %s", evil.c_str());
  LONGS_EQUAL(1, lines.size());
  for (char c : lines[0].second) CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  STRCMP_EQUAL("bad URI sip:a@h??2026 error: all is lost?[2J???tab", lines[0].second.c_str());
}

TEST(Log, utf_8_passes) {
  log.error("%s", "J\xc3\xbcrgen");
  STRCMP_EQUAL("J\xc3\xbcrgen", lines[0].second.c_str());
}

TEST(Log, characters_that_steer_terminals_or_turn_text_do_not_pass) {
  log.error("%s", "sip:\xc2\x9b" "31m\xe2\x80\xaeknil\xe2\x81\xa6\xff.");
  STRCMP_EQUAL("sip:?31m?knil??.", lines[0].second.c_str());
}

TEST(Log, a_long_line_is_cut_and_not_overrun) {
  log.error("%s", std::string(5000, 'x').c_str());
  LONGS_EQUAL(1, lines.size());
  LONGS_EQUAL(1023, lines[0].second.size());
}

TEST(Log, levels_have_names_and_back) {
  for (int i = 0; i < 5; i++) {
    LogLevel l{};
    CHECK(log_level_from(log_level_name(static_cast<LogLevel>(i)), l));
    LONGS_EQUAL(i, static_cast<int>(l));
  }
  LogLevel l = LogLevel::info;
  CHECK_FALSE(log_level_from("loud", l));
  CHECK_FALSE(log_level_from("", l));
  CHECK(l == LogLevel::info);
}
