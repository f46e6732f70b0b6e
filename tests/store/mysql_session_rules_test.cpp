// What the session with MariaDB says, word by word and in which order, against a server, a network and a clock that the test
// plays.
#include <algorithm>
#include <string>
#include <vector>

#include "store/mysql_sql.h"
#include "tests/store/mysql_session_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using S = SessionState;

namespace {

const std::vector<DbHost> kTwoServers = {{"10.0.0.1", 3306}, {"10.0.0.2", 3306}};

void dials(const SessionRig& rig, const char* address) {
  STRCMP_EQUAL("dial", name_of(rig.last.what));
  STRCMP_EQUAL(address, rig.last.text.c_str());
}
// until: of the time that the test plays.
void pauses(const SessionRig& rig, MonoMs until) {
  STRCMP_EQUAL("pause", name_of(rig.last.what));
  LONGS_EQUAL(until, rig.last.until);
}

}  // namespace

// --- from nothing to the first statement -------------------------------------------------------------------------------

TEST_GROUP(mysql_session_start) {};

TEST(mysql_session_start, all_that_is_said_before_a_first_statement) {
  SessionRig rig;
  rig.run(Kind::Counted);
  LONGS_EQUAL(rig.now + 2000, rig.last.until);
  rig.now += 100;
  rig.give({.input = Input::Addresses, .addresses = {"10.0.0.1"}});
  dials(rig, "10.0.0.1");
  LONGS_EQUAL(rig.now + 2000, rig.last.until);
  rig.now += 100;
  rig.give(Input::Connected);
  asks(rig, "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',autocommit=1,wait_timeout=28800,innodb_lock_wait_timeout=0,"
            "foreign_key_checks=1,character_set_client='binary',character_set_results=NULL,collation_connection='binary'");
  CHECK(rig.last.own);
  LONGS_EQUAL(256 * 1024, rig.last.most_octets);
  LONGS_EQUAL(rig.now + 400, rig.last.until);
  rig.answer();
  asks(rig, "SELECT GET_LOCK('m2',0),(SELECT `table_version` FROM `version` WHERE CONVERT(`table_name` USING utf8mb4)='pua')");
  rig.answer();
  STRCMP_EQUAL("10.0.0.1", rig.servers.list[0].address.c_str());
  asks(rig, "REPLACE INTO `pua_meta` (`name`,`value`) VALUES ('writer@h','m3')");
  CHECK(rig.servers.taker == &rig.session->fields());
  rig.answer();
  asks(rig, "SELECT `name`,`value` FROM `pua_meta` WHERE `name` IN ('fast@h','bulk@h')");
  rig.answer();
  asks(rig, "REPLACE INTO `pua_meta` (`name`,`value`) VALUES ('fast@h','m3 0'),('bulk@h','m3 0')");
  CHECK_FALSE(rig.servers.writer_stands);
  rig.answer();
  CHECK(rig.servers.writer_stands && !rig.servers.taker && rig.servers.begun.empty());
  asks(rig, "SET @pua_writer='m3'");
  rig.answer();
  asks(rig, "START TRANSACTION;THE STATEMENT;REPLACE INTO `pua_meta` (`name`,`value`) SELECT `name`,'m3 1' FROM `pua_meta` "
            "WHERE `name`='fast@h' AND `value` IN ('m3 0');COMMIT");
  CHECK_FALSE(rig.last.own);
  rig.answer();
  finishes(rig, 0, DbFault::None, "");
  LONGS_EQUAL(1, rig.last.answer.changed);
  LONGS_EQUAL(1, rig.servers.counts[0].number);
}

TEST(mysql_session_start, a_second_statement_goes_out_at_once) {
  SessionRig rig;
  rig.bring_to(S::Idle);
  rig.run(Kind::Plain, "ANOTHER");
  asks(rig, "ANOTHER");
  LONGS_EQUAL(256 * 1024, rig.last.most_octets);
  rig.answer();
  rig.run(Kind::Rows, "ROWS");
  asks(rig, "ROWS");
  LONGS_EQUAL(17 * 1024 * 1024, rig.last.most_octets);
}

TEST(mysql_session_start, a_table_of_another_version_is_refused) {
  const struct { std::vector<Texts> rows; DbFault fault; const char* error; } cases[] = {
      {{}, DbFault::TableLost, "is not there, or has no row in table 'version': see puadbctl create"},
      {{{"1", std::nullopt}}, DbFault::TableLost, "is not there, or has no row in table 'version': see puadbctl create"},
      {{{"1"}}, DbFault::TableLost, "is not there, or has no row in table 'version': see puadbctl create"},
      {{{"1", "9"}}, DbFault::Down, "has schema version 9, this build needs 12: see puadbctl migrate"}};
  for (const auto& c : cases) {
    SessionRig rig(Use::Write, kTwoServers);
    rig.bring_to(S::Version);
    rig.servers.writer_stands = true;
    rig.give({.input = Input::Answered, .rows = c.rows});
    STRCMP_EQUAL("closed close+finish", rig.said().c_str());   // the next server would have the same table
    finishes(rig, 1, c.fault, std::string("10.0.0.1:3306: table 'pua' ") + c.error);
    CHECK_EQUAL(c.fault != DbFault::TableLost, rig.servers.writer_stands);
    STRCMP_EQUAL("", rig.servers.list[0].address.c_str());
  }
}

TEST(mysql_session_start, what_the_server_refuses_then_is_no_rows_fault) {
  for (Input i : {Input::Rejected, Input::Collision, Input::Down, Input::TableLost}) {
    SessionRig rig;
    rig.bring_to(S::Settings);
    rig.servers.writer_stands = true;
    rig.fail(i);
    finishes(rig, code_of(i), i == Input::TableLost ? DbFault::TableLost : DbFault::Down,
             "10.0.0.1:3306: why (" + std::to_string(code_of(i)) + ")");
    CHECK_EQUAL(i != Input::TableLost, rig.servers.writer_stands);
  }
}

TEST(mysql_session_start, of_the_addresses_of_a_name_the_one_of_the_other_connections_comes_first) {
  SessionRig rig(Use::Write, {{"db.example.com", 0}});
  rig.servers.list[0].address = "192.0.2.3";
  rig.run();
  rig.give({.input = Input::Addresses, .addresses = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}});
  for (const char* address : {"192.0.2.3", "192.0.2.1", "192.0.2.2", "192.0.2.4"}) {
    dials(rig, address);
    rig.fail(Input::Refused, std::string(address) + " does not answer", 2002);
  }
  finishes(rig, 2002, DbFault::Lost, "db.example.com: 192.0.2.4 does not answer");
}

TEST(mysql_session_start, at_localhost_the_socket_comes_first_wherever_the_others_are) {
  SessionRig rig(Use::Write, {{"localhost", 0}});
  rig.servers.list[0].address = "::1";
  rig.run();
  rig.give({.input = Input::Addresses, .addresses = mysql::known_addresses({"localhost", 0})});
  dials(rig, "");
  rig.fail(Input::Refused);
  dials(rig, "127.0.0.1");
}

// db_socket was set wrong: the addresses that are tried after it do not answer either, and say nothing of that.
TEST(mysql_session_start, the_trouble_with_the_socket_is_told_beside_that_of_the_last_address) {
  for (std::string path : {"/nope", ""}) {
    SessionRig rig(Use::Write, {{"localhost", 0}});
    rig.servers.socket = path;
    rig.run();
    rig.give({.input = Input::Addresses, .addresses = mysql::known_addresses({"localhost", 0})});
    rig.fail(Input::Refused, path.empty() ? "does not answer" : "Can't connect through socket '/nope' (2)", 2002);
    rig.fail(Input::Refused, "127.0.0.1 is closed", 2003);
    rig.fail(Input::Refused, "::1 is closed", 2003);
    finishes(rig, 2003, DbFault::Lost,
             path.empty() ? "localhost: the unix socket: does not answer; ::1 is closed"
                          : "localhost: Can't connect through socket '/nope' (2); ::1 is closed");
  }
}

TEST(mysql_session_start, what_keeps_us_from_a_server_is_told) {
  SessionRig none;
  none.bring_to(S::Resolving);
  none.fail(Input::Addresses, "its name cannot be resolved: nobody knows it", 2005);
  finishes(none, 2005, DbFault::Lost, "10.0.0.1:3306: its name cannot be resolved: nobody knows it");
  SessionRig unable;
  unable.run();
  unable.give({.input = Input::Addresses, .addresses = {"192.0.2.1", "192.0.2.2"}});
  unable.fail(Input::Unable, "no memory", 2008);   // which the other address does not change
  finishes(unable, 2008, DbFault::Lost, "10.0.0.1:3306: no memory");
  SessionRig unfit;
  unfit.bring_to(S::Dialing);
  unfit.fail(Input::Refused, "Access denied", 1045);
  finishes(unfit, 1045, DbFault::HostUnfit, "10.0.0.1:3306: Access denied");
  SessionRig silent;
  silent.bring_to(S::Settings);
  silent.fail(Input::TimedOut);
  finishes(silent, 2013, DbFault::Lost, "10.0.0.1:3306: no answer within 400 ms");
}

// --- servers -----------------------------------------------------------------------------------------------------------

TEST_GROUP(mysql_session_servers) {};

TEST(mysql_session_servers, each_is_tried_once) {
  SessionRig rig(Use::Write, {{"10.0.0.1", 3306}, {"10.0.0.2", 3306}, {"10.0.0.3", 3306}});
  rig.servers.current = 1;
  rig.bring_to(S::Dialing);
  rig.fail(Input::Refused, "no", 2002);
  STRCMP_EQUAL("10.0.0.2:3306: no", rig.last.skipped.c_str());
  rig.go(S::Settings);
  rig.fail(Input::Unfit);
  STRCMP_EQUAL("10.0.0.3:3306: why (1290)", rig.last.skipped.c_str());
  STRCMP_EQUAL("10.0.0.1", rig.session->host().name.c_str());
  rig.go(S::Statement);
  rig.fail(Input::Lost);
  finishes(rig, 2013, DbFault::Lost, "10.0.0.1:3306: why (2013)");
  LONGS_EQUAL(1, rig.servers.current);   // where the next statement begins
  rig.run();
  STRCMP_EQUAL("10.0.0.2", rig.session->host().name.c_str());
}

TEST(mysql_session_servers, a_statement_goes_on_at_the_next_one_without_a_word) {
  for (Input i : {Input::Unfit, Input::TimedOut}) {
    SessionRig rig(Use::Write, kTwoServers);
    rig.bring_to(S::Statement);
    rig.fail(i);
    STRCMP_EQUAL("resolving close+resolve", rig.said().c_str());
    STRCMP_EQUAL("", rig.last.skipped.c_str());
    LONGS_EQUAL(1, rig.servers.current);
    CHECK_FALSE(rig.servers.writer_stands);   // the other one may lag behind
    rig.go(S::Statement);
    asks(rig, "THE STATEMENT");
  }
}

TEST(mysql_session_servers, where_somebody_has_moved_on_already_nobody_moves_twice) {
  SessionRig rig(Use::Write, kTwoServers);
  rig.bring_to(S::Statement);
  rig.servers.current = 1;
  rig.fail(Input::Lost);
  LONGS_EQUAL(1, rig.servers.current);
  STRCMP_EQUAL("10.0.0.2", rig.session->host().name.c_str());
}

TEST(mysql_session_servers, a_connection_follows_the_others) {
  for (bool to_server : {false, true}) {
    SessionRig rig(Use::Write, kTwoServers);
    rig.bring_to(S::Idle);
    if (to_server) rig.servers.current = 1;
    else rig.servers.list[0].address = "10.0.0.9";
    rig.run();
    STRCMP_EQUAL("resolving close+resolve", rig.said().c_str());
    STRCMP_EQUAL(to_server ? "10.0.0.2" : "10.0.0.1", rig.session->host().name.c_str());
  }
}

TEST(mysql_session_servers, behind_another_address_the_line_is_written_anew) {
  SessionRig rig(Use::Write, {{"db.example.com", 3306}});
  rig.bring_to(S::Idle);
  rig.give(Input::Ended);
  rig.run();
  rig.give({.input = Input::Addresses, .addresses = {"192.0.2.9"}});
  rig.go(S::Version);
  CHECK(rig.servers.writer_stands);
  rig.answer();
  STRCMP_EQUAL("line ask", rig.said().c_str());
}

TEST(mysql_session_servers, an_old_connection_that_is_lost_is_made_anew_once) {
  SessionRig rig;
  rig.bring_to(S::Idle);
  rig.run(Kind::Plain, "AGAIN");
  rig.fail(Input::Lost);
  STRCMP_EQUAL("resolving close+resolve", rig.said().c_str());
  rig.go(S::Statement);
  asks(rig, "AGAIN");
  rig.fail(Input::Lost);
  finishes(rig, 2013, DbFault::Lost, "10.0.0.1:3306: why (2013)");
}

TEST(mysql_session_servers, an_answer_without_end_is_not_asked_for_again_where_rows_are_large) {
  SessionRig rig(Use::Read, kTwoServers);
  rig.bring_to(S::Statement, Kind::Rows);
  rig.fail(Input::TooLong, "an answer is longer than 17825792 octets");
  finishes(rig, 2013, DbFault::Lost, "10.0.0.1:3306: an answer is longer than 17825792 octets");
  CHECK(rig.last.answer.too_long);
  LONGS_EQUAL(0, rig.servers.current);   // it is not the server's fault
}

// --- fences ------------------------------------------------------------------------------------------------------------

TEST_GROUP(mysql_session_fence) {};

TEST(mysql_session_fence, a_session_that_broke_is_ended_and_waited_for_before_anything_else) {
  SessionRig rig;
  rig.bring_to(S::Statement);
  rig.fail(Input::TimedOut);   // the session with lock m2
  rig.run();
  rig.go(S::Fence);
  asks(rig, "SELECT IS_USED_LOCK('m2')");
  rig.give({.input = Input::Answered, .rows = {{"77"}}});
  asks(rig, "KILL 77");
  rig.fail(Input::Rejected);   // it was gone before
  pauses(rig, rig.now + 20);
  rig.now += 20;
  rig.give(Input::Due);
  asks(rig, "SELECT IS_USED_LOCK('m2')");
  LONGS_EQUAL(1, rig.fences().size());
  rig.answer();
  CHECK(rig.fences().empty());
  STRCMP_EQUAL("line ask", rig.said().c_str());
}

TEST(mysql_session_fence, each_has_a_patience_of_its_own) {
  SessionRig rig;
  rig.fences() = {"a", "b"};
  rig.run();
  for (const char* mark : {"a", "b"}) {
    for (MonoMs waited = 0; waited < 400; waited += 20) {
      rig.go(S::Fence);
      asks(rig, std::string("SELECT IS_USED_LOCK('") + mark + "')");
      rig.give({.input = Input::Answered, .rows = {{"77"}}});
      rig.give(Input::Answered);
      rig.now += 20;
      rig.give(Input::Due);
    }
    rig.answer();
  }
  STRCMP_EQUAL("line ask", rig.said().c_str());
}

TEST(mysql_session_fence, one_that_does_not_end_makes_the_server_unfit) {
  for (bool two : {false, true}) {
    SessionRig rig(Use::Write, two ? kTwoServers : std::vector<DbHost>{{"10.0.0.1", 3306}});
    rig.bring_to(S::FenceWait);
    rig.now += 401;
    rig.give(Input::Due);
    const char* error = "10.0.0.1:3306: a session of ours that broke does not end";
    if (two) STRCMP_EQUAL(error, rig.last.skipped.c_str());
    else finishes(rig, 2013, DbFault::Lost, error);
    STRCMP_EQUAL(two ? "resolving close+resolve" : "closed close+finish", rig.said().c_str());
    LONGS_EQUAL(1, rig.fences().size());
  }
}

TEST(mysql_session_fence, what_another_connection_has_ended_is_not_waited_for) {
  SessionRig rig;
  rig.bring_to(S::FenceWait);
  rig.fences().clear();
  rig.now += 1000;
  rig.give(Input::Due);
  STRCMP_EQUAL("line ask", rig.said().c_str());
}

TEST(mysql_session_fence, a_connection_that_stands_ends_what_the_others_have_left) {
  SessionRig rig;
  rig.bring_to(S::Idle);
  rig.fences().push_back("of another");
  rig.run();
  asks(rig, "SELECT IS_USED_LOCK('of another')");
}

TEST(mysql_session_fence, there_are_no_more_than_64) {
  SessionRig rig;
  for (int i = 0; i < 70; i++) {
    rig.run();
    std::vector<std::string> kept = std::exchange(rig.fences(), {});
    rig.go(S::Statement);
    rig.fences() = std::move(kept);
    rig.give(Input::Cancel);
  }
  LONGS_EQUAL(64, rig.fences().size());
}

// --- the writer's line -------------------------------------------------------------------------------------------------

TEST_GROUP(mysql_session_line) {};

TEST(mysql_session_line, one_connection_writes_it_and_the_others_wait) {
  SessionRig rig;
  rig.bring_to(S::Line);
  auto other = rig.another(Use::Read);
  rig.session.swap(other);
  rig.run();
  rig.go(S::TakerWait);
  pauses(rig, rig.now + 2);
  rig.give(Input::Due);
  pauses(rig, rig.now + 2);
  rig.session.swap(other);
  rig.last = {.what = Action::Do::Ask};
  rig.go(S::Idle);
  rig.session.swap(other);
  rig.give(Input::Due);
  asks(rig, "THE STATEMENT");   // who reads need not be told
}

TEST(mysql_session_line, where_it_has_changed_while_it_was_written_it_is_written_anew) {
  for (S state : {S::Line, S::Counts, S::BeginCounts}) {
    SessionRig rig;
    rig.bring_to(state);
    rig.servers.writer = "newer";
    rig.answer();
    asks(rig, "REPLACE INTO `pua_meta` (`name`,`value`) VALUES ('writer@h','" + rig.servers.writer + "')");
    CHECK_FALSE(rig.servers.writer_stands);
  }
}

TEST(mysql_session_line, a_lock_on_it_is_waited_for_and_not_for_ever) {
  for (bool two : {false, true}) {
    SessionRig rig(Use::Write, two ? kTwoServers : std::vector<DbHost>{{"10.0.0.1", 3306}});
    rig.bring_to(S::Line);
    std::string line = rig.last.text;
    for (MonoMs waited = 0; waited < 400; waited += 20) {
      rig.fail(Input::Collision);
      pauses(rig, rig.now + 20);
      CHECK(rig.servers.taker == &rig.session->fields());
      rig.now += 20;
      rig.give(Input::Due);
      asks(rig, line);
    }
    rig.fail(Input::Collision);
    const char* error = "10.0.0.1:3306: writer@h is locked by a statement that does not end";
    if (two) STRCMP_EQUAL(error, rig.last.skipped.c_str());
    else finishes(rig, 1213, DbFault::Down, error);
    CHECK(rig.servers.taker == nullptr);
  }
}

TEST(mysql_session_line, a_session_that_was_told_a_former_writer_is_told_the_new_one) {
  SessionRig rig;
  rig.bring_to(S::Idle);
  rig.servers.writer = "newer";
  rig.run();
  asks(rig, "SET @pua_writer='newer'");
}

// --- the statement -----------------------------------------------------------------------------------------------------

TEST_GROUP(mysql_session_statement) {};

TEST(mysql_session_statement, a_lock_is_tried_again_three_times) {
  SessionRig rig;
  rig.bring_to(S::Statement);
  for (MonoMs ms : {2, 10, 50}) {
    rig.fail(Input::Collision);
    pauses(rig, rig.now + ms);
    rig.now += ms;
    rig.give(Input::Due);
    asks(rig, "THE STATEMENT");
  }
  rig.fail(Input::Collision, "Lock wait timeout exceeded", 1205);
  finishes(rig, 1205, DbFault::Collision, "10.0.0.1:3306: Lock wait timeout exceeded (1205)");
  rig.run();
  rig.fail(Input::Collision);
  pauses(rig, rig.now + 2);   // the next statement has tries of its own
}

TEST(mysql_session_statement, a_counted_one_that_fails_is_rolled_back_and_counts_for_nothing) {
  SessionRig rig;
  rig.bring_to(S::Statement, Kind::Counted);
  LONGS_EQUAL(1, rig.servers.counts[0].most);
  rig.give({.input = Input::Rejected, .code = 4025, .text = "odd row", .changed = {0}});
  asks(rig, "ROLLBACK");
  rig.give(Input::Answered);
  finishes(rig, 4025, DbFault::Row, "10.0.0.1:3306: odd row (4025)");
  LONGS_EQUAL(0, rig.servers.counts[0].most);
}

TEST(mysql_session_statement, where_the_commit_failed_or_the_answer_was_lost_the_count_may_have_moved) {
  SessionRig rig;
  rig.bring_to(S::Statement, Kind::Counted);
  rig.give({.input = Input::Down, .code = 1180, .text = "commit failed", .changed = {0, 1, 2}});
  rig.give(Input::Answered);
  LONGS_EQUAL(1, rig.servers.counts[0].most);
  LONGS_EQUAL(1, rig.last.answer.changed);
  rig.run(Kind::Counted);
  asks(rig, "START TRANSACTION;THE STATEMENT;" + count_sql("pua", [&] {
         MysqlCount c = rig.servers.counts[0];
         c.most = 1;
         return c;
       }()) + ";COMMIT");
  rig.fail(Input::TimedOut);
  LONGS_EQUAL(2, rig.servers.counts[0].most);
  LONGS_EQUAL(0, rig.servers.counts[0].number);
}

// The transaction stands open: a statement that came next would be in it, and be told as written without a commit.
TEST(mysql_session_statement, a_rollback_that_fails_is_what_the_caller_hears_and_the_end_of_the_session) {
  const struct { Input input; DbFault fault; } cases[] = {{Input::Down, DbFault::Down},
                                                          {Input::Rejected, DbFault::Down},    // it says nothing of the row
                                                          {Input::Collision, DbFault::Down},
                                                          {Input::NotWriter, DbFault::Down},
                                                          {Input::Unfit, DbFault::HostUnfit},
                                                          {Input::TableLost, DbFault::TableLost}};
  for (const auto& c : cases) {
    SessionRig rig;
    rig.bring_to(S::Statement, Kind::Counted);
    const std::string mark = rig.session->fields().mark, writer = rig.servers.writer;
    rig.fail(Input::Rejected, "odd row");
    rig.fail(c.input, "no rollback");
    STRCMP_EQUAL_TEXT("closed close+finish", rig.said().c_str(), mysql::input_name(c.input));
    const unsigned code = code_of(c.input);
    finishes(rig, code, c.fault, "10.0.0.1:3306: no rollback (" + std::to_string(code) + ")");
    LONGS_EQUAL(1, rig.servers.counts[0].most);
    CHECK(rig.servers.writer != writer && !rig.servers.writer_stands);
    rig.run();
    rig.go(S::Fence);
    asks(rig, "SELECT IS_USED_LOCK('" + mark + "')");   // its locks are gone before anything is written
  }
}

TEST(mysql_session_statement, where_the_line_was_changed_since_the_session_was_told_it_is_told_again) {
  SessionRig rig;
  rig.bring_to(S::Statement, Kind::Counted);
  for (int n = 0; n < 3; n++) {
    rig.servers.writer = "newer" + std::to_string(n);
    rig.fences().push_back("left");
    rig.fail(Input::NotWriter);
    asks(rig, "ROLLBACK");
    rig.give(Input::Answered);
    asks(rig, "SELECT IS_USED_LOCK('left')");   // whoever changed it has left something behind
    rig.answer();
    asks(rig, "SET @pua_writer='newer" + std::to_string(n) + "'");
    rig.answer();
  }
  rig.servers.writer = "newest";
  rig.fail(Input::NotWriter);
  rig.give(Input::Answered);
  finishes(rig, 1048, DbFault::TableLost, "10.0.0.1:3306: writer@h in table 'pua_meta' is not what it was: the tables were made anew, or "
                                          "another program writes in our name");
}

TEST(mysql_session_statement, another_writer_in_the_line_is_told_as_lost_tables) {
  SessionRig rig;
  rig.bring_to(S::Statement);
  rig.fail(Input::NotWriter);
  STRCMP_EQUAL("idle finish", rig.said().c_str());
  LONGS_EQUAL(static_cast<int>(DbFault::TableLost), static_cast<int>(rig.last.answer.fault));
  CHECK_FALSE(rig.servers.writer_stands);
  rig.run();
  STRCMP_EQUAL("line ask", rig.said().c_str());
}

TEST(mysql_session_statement, a_table_that_is_gone_has_its_line_written_anew) {
  SessionRig rig;
  rig.bring_to(S::Statement);
  rig.fail(Input::TableLost);
  finishes(rig, 1146, DbFault::TableLost, "10.0.0.1:3306: why (1146)");
  CHECK_FALSE(rig.servers.writer_stands);
}
