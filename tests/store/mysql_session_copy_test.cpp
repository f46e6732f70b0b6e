// What the session with MariaDB makes of the counts of our writes: tables that are a copy of ours (docs/adr/0018). What else it
// says: mysql_session_rules_test.cpp.
#include <string>
#include <vector>

#include "tests/store/mysql_session_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using S = SessionState;

TEST_GROUP(mysql_session_copy) {};

TEST(mysql_session_copy, a_copy_of_the_tables_is_told_and_the_statement_goes_on) {
  SessionRig rig;
  rig.servers.counts[1].begin("w");
  rig.servers.counts[1].number = rig.servers.counts[1].most = 5;
  rig.bring_to(S::Counts);
  rig.give({.input = Input::Answered, .rows = {{"fast@h", "x 1"}, {"bulk@h", "w 4"}}});
  STRCMP_EQUAL("copied tell", rig.said().c_str());
  CHECK_FALSE(rig.servers.writer_stands);                        // what the owner writes now waits until the counts have begun
  CHECK(rig.servers.taker == &rig.session->fields());
  rig.give(Input::Told);
  asks(rig, "REPLACE INTO `pua_meta` (`name`,`value`) VALUES ('fast@h','m3 0'),('bulk@h','m3 0')");
  rig.go(S::Statement);
  rig.answer();
  STRCMP_EQUAL("idle finish", rig.said().c_str());   // told once
}

// The server may have carried out what begins the counts anew, and then nothing in the tables says any more that they are a copy.
TEST(mysql_session_copy, a_copy_is_told_once_whatever_becomes_of_the_connection_that_found_it) {
  for (Input end : {Input::TimedOut, Input::Lost, Input::Unfit, Input::Down, Input::Cancel}) {
    SessionRig rig;
    rig.servers.counts[1].begin("w");
    rig.servers.counts[1].number = rig.servers.counts[1].most = 5;
    rig.bring_to(S::Counts);
    rig.give({.input = Input::Answered, .rows = {{"bulk@h", "w 4"}}});
    STRCMP_EQUAL_TEXT("copied tell", rig.said().c_str(), mysql::input_name(end));
    rig.go(S::BeginCounts);
    const std::string begun = rig.servers.writer + " 0";
    rig.fail(end);
    LONGS_EQUAL(static_cast<int>(S::Closed), static_cast<int>(rig.state()));
    rig.fences().clear();
    rig.run();
    rig.go(S::Counts);
    rig.give({.input = Input::Answered, .rows = {{"fast@h", begun}, {"bulk@h", begun}}});
    STRCMP_EQUAL_TEXT("begin_counts ask", rig.said().c_str(), mysql::input_name(end));
    rig.go(S::Idle);
    STRCMP_EQUAL_TEXT("idle finish", rig.said().c_str(), mysql::input_name(end));
  }
}

TEST(mysql_session_copy, where_it_has_changed_while_the_owner_was_told_of_a_copy_it_is_written_anew) {
  SessionRig rig;
  rig.bring_to(S::Copied);
  rig.servers.writer = "newer";
  rig.give(Input::Told);
  asks(rig, "REPLACE INTO `pua_meta` (`name`,`value`) VALUES ('writer@h','newer')");
}

TEST(mysql_session_copy, counts_that_may_be_there_are_no_copy) {
  const std::vector<Texts> cases[] = {{{"bulk@h", "w 5"}},
                                      {{"bulk@h", "w 6"}},
                                      {{"bulk@h", "begun 0"}},
                                      {{"x@h", "w 1"}, {"bulk@h", "w 5"}, {std::nullopt, "w 1"}, {"bulk@h", std::nullopt}}};
  for (const auto& rows : cases) {
    SessionRig rig;
    rig.servers.counts[1].begin("w");
    rig.servers.counts[1].number = 5;
    rig.servers.counts[1].most = 6;
    rig.servers.begun = {"begun"};
    rig.bring_to(S::Counts);
    rig.give({.input = Input::Answered, .rows = rows});
    rig.answer();
    STRCMP_EQUAL("writer ask", rig.said().c_str());
  }
}

TEST(mysql_session_copy, writers_for_whom_the_counts_may_have_begun_are_kept_within_a_bound) {
  SessionRig rig;
  for (int i = 0; i < 20; i++) {
    rig.run();
    rig.go(S::BeginCounts);
    rig.fail(Input::Lost);
    rig.fences().clear();
  }
  LONGS_EQUAL(16, rig.servers.begun.size());
}

TEST(mysql_session_copy, a_count_that_did_not_move_is_a_copy_and_the_caller_hears_of_it_after_the_owner) {
  SessionRig rig;
  rig.bring_to(S::Statement, Kind::Counted);
  rig.give({.input = Input::Answered, .changed = {0, 3, 0, 0}});
  STRCMP_EQUAL("copied tell", rig.said().c_str());
  CHECK_FALSE(rig.servers.writer_stands);
  STRCMP_EQUAL("", rig.servers.counts[0].writer.c_str());
  rig.give(Input::Told);
  finishes(rig, 0, DbFault::None, "");
  LONGS_EQUAL(3, rig.last.answer.changed);
  STRCMP_EQUAL("idle finish", rig.said().c_str());
}

// Its counts begin anew meanwhile, by another connection, or are about to: what this one moved tells nothing.
TEST(mysql_session_copy, a_count_that_begins_anew_meanwhile_tells_nothing) {
  for (int what : {0, 1}) {
    SessionRig rig;
    rig.bring_to(S::Statement, Kind::Counted);
    if (what == 0) rig.servers.writer_stands = false;
    else rig.servers.counts[0].begin("newer");
    rig.give({.input = Input::Answered, .changed = {0, 3, 0, 0}});
    finishes(rig, 0, DbFault::None, "");
    LONGS_EQUAL(0, rig.servers.counts[0].number);
  }
}
