// What sofia writes: into our log, few lines a second, and never to stderr.
#include "sip/sofia_log.h"

#include <fcntl.h>
#include <sofia-sip/su_log.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/log.h"
#include "base/log_gate.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

extern "C" {
extern su_log_t tport_log[];
extern su_log_t stun_log[];
}

TEST_GROUP(SofiaLog) {
  std::vector<std::string> lines;
  Log log{[this](LogLevel l, std::string_view s) { lines.push_back(std::string(log_level_name(l)) + " " + std::string(s)); },
          LogLevel::notice};
  size_t flood(su_log_t* l, unsigned level, int n) {
    size_t before = lines.size();
    for (int i = 0; i < n; i++) su_llog(l, level, "tport(%d): %s\n", i, "Too many open files");
    return lines.size() - before;
  }
  // The gates are the thread's, and look at CLOCK_MONOTONIC: what earlier tests wrote counts for a second.
  size_t first_of(su_log_t* l, unsigned level) {
    for (int i = 0; i < 300 && lines.empty(); i++) {
      flood(l, level, 1);
      usleep(10000);
    }
    return lines.size();
  }
};

TEST(SofiaLog, serious_messages_are_warnings_and_a_flood_of_them_is_not_one_of_lines) {
  SofiaLogScope scope(log);
  LONGS_EQUAL(1, first_of(tport_log, 0));
  size_t n = flood(tport_log, 0, 100000);
  CHECK_TRUE(n <= 50);   // five for each second that it takes
  for (const std::string& l : lines) STRCMP_CONTAINS("warning sofia: tport(", l.c_str());
  LONGS_EQUAL(0, flood(tport_log, 1, 1000));   // less serious: not at this level
}

TEST(SofiaLog, debug_text_is_bounded_too) {
  log.set_level(LogLevel::debug);
  SofiaLogScope scope(log);
  LONGS_EQUAL(1, first_of(tport_log, 3));
  size_t n = flood(tport_log, 3, 100000);
  CHECK_TRUE(n <= 1000);
  for (const std::string& l : lines) STRCMP_CONTAINS("debug sofia: tport(", l.c_str());
}

TEST(SofiaLog, nothing_goes_to_stderr_with_a_scope_or_without) {
  char path[] = "/tmp/sofia-log-XXXXXX";
  int file = mkstemp(path), saved = dup(2);
  dup2(file, 2);
  {
    SofiaLogScope scope(log);
    flood(tport_log, 0, 10);
    flood(stun_log, 0, 10);
    flood(su_log_default, 0, 10);
  }
  sofia_log_install();
  flood(tport_log, 0, 10);
  su_perror("accept");
  dup2(saved, 2);
  LONGS_EQUAL(0, lseek(file, 0, SEEK_END));
  close(saved);
  close(file);
  unlink(path);
}

TEST(SofiaLog, lines_of_this_room_pass_their_own_gate_and_say_what_was_left_out) {
  LogGate gate(2);
  sofia_warning("nobody is there", gate);
  LONGS_EQUAL(0, lines.size());
  SofiaLogScope scope(log);
  LogGate fresh(1);
  for (int i = 0; i < 5; i++) sofia_warning("it fails", fresh);
  sofia_notice("it works", gate);
  CHECK_TRUE(lines.size() >= 2);
  STRCMP_EQUAL("warning it fails", lines[0].c_str());
  STRCMP_EQUAL("notice it works", lines.back().c_str());
}
