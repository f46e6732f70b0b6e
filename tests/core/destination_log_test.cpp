// What the log says of a destination that fails: a line when that begins, one when it is left alone, one when it answers again,
// and never a flood.
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
  told.left_alone(spell, "d", 0, now);
  one_line("warning: d does not answer, 1 requests failed, the last: Connection refused. Only one request at a time is sent there until it does.");
  told.answered(spell, "d", now);
  lines.clear();
  now += 3600 * kSecond;
  fail("e: Connection refused");   // the text begins with another server than the destination: it stays
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
  told.left_alone(spell, "d", 0, now);
  LONGS_EQUAL(2, lines.size());
  TEXT_EQUAL("warning: d does not answer, 5 requests failed, the last: no answer in time. Only one request at a time is sent there until it does.",
             lines[1]);
  for (int i = 0; i < 100; i++) told.left_alone(spell, "d", 0, now);   // each probe
  LONGS_EQUAL(2, lines.size());
}

TEST(DestinationLog, one_that_asks_for_quiet_is_told_with_its_time) {
  fail("503 Overloaded, Retry-After: 120");
  told.left_alone(spell, "d", 120000, now);
  TEXT_EQUAL("warning: d has asked for quiet (503 Overloaded, Retry-After: 120): nothing is sent there for 120 s.", lines.at(1));
}

// One of a hundred requests a second is lost, which must not make a line for each.
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
  fail();                          // within the pause after the spell's end
  LONGS_EQUAL(0, lines.size());
  now += DestinationLog::kFirstPause;   // the pause after it is a short one again
  fail();
  one_line("warning: " + kBegins);
}

TEST(DestinationLog, many_destinations_at_once_are_gated_and_counted) {
  std::vector<FailureSpell> all(100);
  for (FailureSpell& s : all) told.failed(s, "d", "no such name", now);
  LONGS_EQUAL(5, lines.size());
  for (FailureSpell& s : all) told.answered(s, "d", now);   // spells whose beginning was not told have no line about their end
  LONGS_EQUAL(10, lines.size());
  lines.clear();
  now += 1000;
  fail();
  one_line("warning: Requests to d fail: no answer in time. They are kept and tried again (95 lines like this were left out).");
}

TEST(DestinationLog, one_that_nobody_wants_any_more_is_told_too) {
  fail();
  lines.clear();
  told.forgotten(spell, "d");
  one_line("notice: Nothing is to be sent to d any more; the last requests to it failed.");
  FailureSpell fine;
  told.forgotten(fine, "d");
  LONGS_EQUAL(0, lines.size());
}

TEST(DestinationLog, a_long_reason_ends_in_dots) {
  fail((std::string(296, 'x') + "\xc3\xa9\xc3\xa9\xc3\xa9").c_str());
  one_line("warning: Requests to d fail: " + std::string(296, 'x') + ".... They are kept and tried again.");
}

// --- the last line is true -----------------------------------------------------------------------------------------

// Each letter is a tenth of a second: f a failure, a an answer, o the breaker opens, q the server asks for a minute of quiet,
// anything else nothing. After it, so many seconds of silence.
TEST_GROUP_BASE(DestinationLogTruth, TEST_GROUP_CppUTestGroupDestinationLog) {
  void until(MonoMs when) {
    while (told.next_due() <= when) {
      now = std::max(now, told.next_due());
      told.run(now);
    }
    now = when;
  }
  void play(const std::string& events) {
    for (char c : events) {
      if (c == 'f' || c == 'o' || c == 'q') fail();
      if (c == 'o') told.left_alone(spell, "d", 0, now);
      if (c == 'q') told.left_alone(spell, "d", 60000, now);
      if (c == 'a') told.answered(spell, "d", now);
      until(now + 100);
    }
  }
  std::string last() const { return lines.empty() ? "" : lines.back(); }
};

TEST(DestinationLogTruth, whatever_came_the_last_line_is_true_five_seconds_later) {
  const std::string fails = "warning: Requests to d fail: ", alone = "warning: d does not answer, ", quiet = "warning: d has asked for quiet ",
                    answers = "notice: d answers again after ", ups = "notice: d failed and answered ";
  struct {
    const char* events;
    std::string begins;   // of the last line
    size_t lines;
  } const table[] = {
      {"", "", 0},
      {"a", "", 0},
      {"f", fails, 1},
      {"fa", answers, 2},
      {"faf", fails, 3},                    // within the pause
      {"fafff", fails, 3},
      {"fafo", alone, 3},                   // the breaker opened within the pause
      {"fafooooooo", alone, 3},
      {"fafq", quiet, 3},
      {"fo", alone, 2},
      {"fooo", alone, 2},
      {"foa", answers, 3},
      {"foafo", alone, 4},                  // it opens anew
      {"foafoa", answers, 3},               // ... and closes before that was told
      {"fq", quiet, 2},
      {"fqqqqqqq", quiet, 2},               // requests that were out together
      {"fqo", alone, 3},
      {"fqa", answers, 3},
      {"foq", quiet, 3},
      {"fafafafafafa", answers, 2},
      {"fafafafafafaf", fails, 3},
      {"fafafafafafao", alone, 3},
  };
  for (const auto& t : table) {
    lines.clear();
    spell = {};
    now += 3600 * kSecond;
    play(t.events);
    until(now + 5 * kSecond);
    std::string got = std::string(t.events) + ": " + last(), wanted = std::string(t.events) + ": " + t.begins;
    STRNCMP_EQUAL(wanted.c_str(), got.c_str(), wanted.size());
    LONGS_EQUAL(t.lines, lines.size());
    told.forgotten(spell, "d");
  }
}

TEST(DestinationLogTruth, what_was_not_told_is_counted_in_the_next_line) {
  play("fafafafaf");
  until(now + 5 * kSecond);
  TEXT_EQUAL("warning: Requests to d fail: no answer in time. They are kept and tried again (it failed and answered 3 times since the last "
             "line about it).", last());
}

TEST(DestinationLogTruth, or_in_a_line_of_its_own_where_none_comes) {
  play("fafafafa");
  until(now + 20 * kSecond);
  TEXT_EQUAL("notice: d failed and answered 3 times more since the last line about it, and answers now.", last());
  LONGS_EQUAL(3, lines.size());
  CHECK(spell.idle(now));
}

TEST(DestinationLogTruth, one_that_comes_and_goes_for_ten_minutes_floods_nothing) {
  for (int i = 0; i < 6000; i++) play("fa");
  CHECK(lines.size() <= 2 * 26);
  lines.clear();
  for (int i = 0; i < 120; i++) {   // and so does one that takes ten seconds for it
    play("f");
    until(now + 5 * kSecond);
    play("a");
    until(now + 5 * kSecond);
  }
  CHECK(lines.size() <= 2 * 120);
}

TEST(DestinationLogTruth, one_that_asks_for_quiet_again_and_again_is_told_of_less_and_less_often) {
  for (int i = 0; i < 360; i++) {   // an hour
    fail();
    told.left_alone(spell, "d", 10000, now);
    until(now + 10 * kSecond);
  }
  CHECK(lines.size() >= 50);
  CHECK(lines.size() <= 70);
  STRCMP_CONTAINS("d has asked for quiet", last().c_str());
}

TEST(DestinationLogTruth, a_second_long_quiet_is_told_again) {
  play("fq");
  until(now + 60 * kSecond);
  play("q");
  LONGS_EQUAL(3, lines.size());
  TEXT_EQUAL("warning: d has asked for quiet (no answer in time): nothing is sent there for 60 s.", last());
}

TEST(DestinationLogTruth, of_many_that_fail_at_once_the_number_is_told_though_nothing_follows) {
  std::vector<FailureSpell> all(100);
  for (FailureSpell& s : all) told.failed(s, "d", "no such name", now);
  until(now + 2 * kSecond);
  LONGS_EQUAL(6, lines.size());
  TEXT_EQUAL("warning: Requests to other destinations fail, too: 95 lines about them were left out.", last());
  LONGLONGS_EQUAL(kNever, told.next_due());
}

TEST(DestinationLogTruth, those_that_the_gate_keeps_back_are_put_right_later_where_a_line_says_otherwise) {
  std::vector<FailureSpell> all(20);
  std::vector<std::string> names;
  for (size_t i = 0; i < all.size(); i++) names.push_back("d" + std::to_string(i));
  for (size_t i = 0; i < all.size(); i++) {
    told.failed(all[i], names[i], "x", now);
    told.answered(all[i], names[i], now);
    until(now + kSecond);
  }
  until(now + 60 * kSecond);
  lines.clear();
  for (size_t i = 0; i < all.size(); i++) told.failed(all[i], names[i], "x", now);
  LONGS_EQUAL(5, lines.size());
  until(now + 5 * kSecond);
  LONGS_EQUAL(20, lines.size());
  for (const auto& n : names) LONGS_EQUAL(1, std::count(lines.begin(), lines.end(), "warning: Requests to " + n + " fail: x. They are kept and tried again."));
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

// A request that is refused here says nothing of its destination, which answers others all the time: it neither fails nor answers
// again.
TEST(DestinationLogEngine, a_request_that_cannot_be_sent_is_told_of_itself_and_not_of_its_destination) {
  rig.send_error = "a sips: URI goes by TLS only";
  rig.publish("b");
  rig.advance(kSecond);
  rig.send_error.clear();
  rig.ask({.uri = "sip:bob@example.com", .body = "b"});
  rig.settle();
  rig.ok("e1");
  rig.settle();
  rig.ask({.uri = "sip:carol@example.com", .body = "b"});
  rig.settle();
  rig.answer({.status = 500, .origin = ReplyOrigin::Local});   // the SIP stack could not make it
  rig.advance(60 * kSecond);
  CHECK(rig.logged(LogLevel::warning, "PUBLISH for sip:alice@example.com: it cannot be sent: a sips: URI goes by TLS only; kept and tried again"));
  CHECK(rig.logged(LogLevel::warning, "PUBLISH for sip:carol@example.com: it cannot be sent"));
  CHECK_FALSE(rig.logged(LogLevel::warning, "Requests to example.com fail"));
  CHECK_FALSE(rig.logged(LogLevel::notice, "answers again"));
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

TEST(DestinationLogEngine, one_that_fails_again_is_told_within_seconds_though_nothing_more_is_sent) {
  rig.live("e1");
  publish_and({.status = 503, .origin = ReplyOrigin::Transport});
  rig.advance(4 * kSecond);
  rig.ok("e2");
  CHECK(rig.logged(LogLevel::notice, "example.com answers again"));
  publish_and({.status = 500});
  rig.advance(5 * kSecond);
  CHECK_TEXT(rig.lines.back().second.find("Requests to example.com fail: 500") == 0 || count("Requests to example.com fail") == 2,
             rig.lines.back().second.c_str());
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
