// What the log says of destinations that fail: a line when it begins, one when they are left alone, one when it is over, and no flood.
#include <algorithm>
#include <string>
#include <vector>

#include "core/destination_log.h"
#include "tests/core/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

const std::string kBegins = "Requests to d fail: no answer in time. They are kept and tried again.";

}  // namespace

TEST_GROUP(DestinationLog) {
  std::vector<std::string> lines;
  Log log{[this](LogLevel l, std::string_view s) { lines.push_back(std::string(log_level_name(l)) + ": " + std::string(s)); }};
  DestinationLog told{log};
  FailureSpell spell;
  MonoMs now = 1000;

  void fail(const char* why = "no answer in time") { told.failed(spell, "d", why, now); }
  void one_line(const std::string& wanted) {
    LONGS_EQUAL(1, lines.size());
    TEXT_EQUAL(wanted, lines[0]);
    lines.clear();
  }
};

TEST(DestinationLog, the_first_failure_is_told_with_its_reason_and_the_next_ones_are_not) {
  fail();
  for (int i = 0; i < 1000; i++, now += 10) fail("Connection refused");
  one_line("warning: " + kBegins);
}

TEST(DestinationLog, a_server_that_the_reason_names_in_front_is_named_once) {
  fail("d: Connection refused");
  one_line("warning: Requests to d fail: Connection refused. They are kept and tried again.");
  told.left_alone(spell, "d", "d: Connection refused", 0);
  one_line("warning: d does not answer, 1 requests failed, the last: Connection refused. Only one request at a time is sent there until it does.");
  told.answered(spell, "d", now);
  lines.clear();
  now += 3600 * kSecond;
  fail("e: Connection refused");   // of another one, that stands behind the name
  one_line("warning: Requests to d fail: e: Connection refused. They are kept and tried again.");
}

TEST(DestinationLog, the_end_is_told_with_how_long_it_was_and_how_many_failed) {
  fail();
  fail();
  now += 65000;
  fail();
  lines.clear();
  told.answered(spell, "d", now);
  one_line("notice: d answers again after 65 s; 3 requests failed meanwhile.");
  told.answered(spell, "d", now);
  LONGS_EQUAL(0, lines.size());
}

TEST(DestinationLog, one_that_is_left_alone_is_told_once_more) {
  for (int i = 0; i < 5; i++) fail();
  told.left_alone(spell, "d", "no answer in time", 0);
  LONGS_EQUAL(2, lines.size());
  TEXT_EQUAL("warning: d does not answer, 5 requests failed, the last: no answer in time. Only one request at a time is sent there until it does.",
             lines[1]);
  for (int i = 0; i < 100; i++) told.left_alone(spell, "d", "no answer in time", 0);   // each probe
  LONGS_EQUAL(2, lines.size());
}

TEST(DestinationLog, one_that_asks_for_quiet_is_told_with_its_time) {
  fail("503 Overloaded, Retry-After: 120");
  told.left_alone(spell, "d", "503 Overloaded, Retry-After: 120", 120000);
  TEXT_EQUAL("warning: d has asked for quiet (503 Overloaded, Retry-After: 120): nothing is sent there for 120 s.", lines.at(1));
}

// Of a hundred requests a second one is lost: that is no hundred lines.
TEST(DestinationLog, one_that_comes_and_goes_is_told_of_less_and_less_often) {
  for (int i = 0; i < 6000; i++, now += 100) {
    fail();
    told.answered(spell, "d", now + 50);
  }
  // Begins and ends at 0, 10, 30, 70 s, and then once a minute.
  CHECK(lines.size() >= 2 * 10);
  CHECK(lines.size() <= 2 * 13);
}

TEST(DestinationLog, after_good_times_a_new_failure_is_told_at_once) {
  for (int i = 0; i < 100; i++, now += 1000) {
    fail();
    told.answered(spell, "d", now);
  }
  now += 10 * DestinationLog::kLongestPause;
  fail();
  told.answered(spell, "d", now);
  lines.clear();
  fail();                          // within the pause after its end
  LONGS_EQUAL(0, lines.size());
  now += DestinationLog::kFirstPause;   // which is a short one again
  fail();
  one_line("warning: " + kBegins);
}

TEST(DestinationLog, many_destinations_at_once_are_gated_and_counted) {
  std::vector<FailureSpell> all(100);
  for (FailureSpell& s : all) told.failed(s, "d", "no such name", now);
  LONGS_EQUAL(5, lines.size());
  for (FailureSpell& s : all) told.answered(s, "d", now);   // those that were not told do not end, either
  LONGS_EQUAL(10, lines.size());
  lines.clear();
  now += 1000;
  fail();
  one_line("warning: Requests to d fail: no answer in time. They are kept and tried again (95 lines like this were left out).");
}

TEST(DestinationLog, one_that_nobody_wants_any_more_is_told_too) {
  fail();
  lines.clear();
  told.forgotten(spell, "d", now);
  one_line("notice: Nothing is to be sent to d any more; the last requests to it failed.");
  FailureSpell fine;
  told.forgotten(fine, "d", now);
  LONGS_EQUAL(0, lines.size());
}

// --- the same through the engine ---------------------------------------------------------------------------------

TEST_GROUP(DestinationLogEngine) {
  Rig rig;
  void publish_and(const Answer& a) {
    rig.publish("b");
    rig.settle();
    rig.answer(a);
  }
  size_t count(const std::string& part) const {
    return static_cast<size_t>(std::count_if(rig.lines.begin(), rig.lines.end(), [&](auto& l) { return l.second.find(part) != std::string::npos; }));
  }
};

TEST(DestinationLogEngine, a_server_that_cannot_be_reached_is_named_with_the_reason_and_when_it_answers_again) {
  rig.publish("b");
  rig.settle();
  rig.answer({.status = 503, .origin = ReplyOrigin::Transport});
  CHECK(rig.logged(LogLevel::warning, "Requests to example.com fail: "));
  rig.advance(4 * kSecond);
  rig.time_out();
  LONGS_EQUAL(1, count("Requests to example.com fail"));
  rig.advance(10 * kSecond);
  rig.ok("e1");
  CHECK(rig.logged(LogLevel::notice, "example.com answers again"));
}

TEST(DestinationLogEngine, a_failure_of_our_own_is_told_too) {
  publish_and({.status = 503, .origin = ReplyOrigin::Transport, .ours = true});
  CHECK(rig.logged(LogLevel::warning, "Requests to example.com fail: "));
}

TEST(DestinationLogEngine, a_request_that_cannot_be_sent_names_what_the_port_said) {
  rig.send_error = "no socket fits";
  rig.publish("b");
  rig.settle();
  CHECK(rig.logged(LogLevel::warning, "Requests to example.com fail: no socket fits."));
}

TEST(DestinationLogEngine, a_server_that_says_500_is_named) {
  publish_and({.status = 500});
  CHECK(rig.logged(LogLevel::warning, "Requests to example.com fail: 500"));
}

TEST(DestinationLogEngine, a_breaker_that_opens_is_told) {
  for (int i = 0; i < 5; i++) rig.ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .body = "b"});
  rig.settle();
  for (int i = 0; i < 5; i++) rig.answer(rig.sent[static_cast<size_t>(i)], {.status = 408, .origin = ReplyOrigin::Timeout});
  LONGS_EQUAL(1, count("Requests to example.com fail: no answer in time."));
  LONGS_EQUAL(1, count("example.com does not answer, 5 requests failed"));
}

TEST(DestinationLogEngine, what_a_server_says_of_one_user_does_not_name_the_server) {
  publish_and({.status = 480});
  LONGS_EQUAL(0, count("Requests to"));
  CHECK(rig.logged(LogLevel::notice, "480 to PUBLISH for sip:alice@example.com: kept and tried again"));
}

TEST(DestinationLogEngine, a_table_that_cannot_be_read_is_told_once_and_when_it_can_be_read_again) {
  rig.live("e1");
  rig.kill();
  rig.loads_to_fail = 3;
  rig.boot();
  rig.advance(5 * kSecond);
  LONGS_EQUAL(1, count("the store tries again"));
  CHECK(rig.logged(LogLevel::notice, "load: the table can be read again"));
}
