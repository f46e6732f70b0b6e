// Who may write to MariaDB (docs/adr/0009): a statement left behind by a former writer changes nothing.
#include <string>

#include "store/mysql_sql.h"
#include "tests/store/mysql_fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

// Each test begins with `if (!there()) return;`
TEST_GROUP(mysql_writer) {
  std::unique_ptr<MysqlFixture> db;
  bool there() {
    if (!MysqlFixture::there()) return false;
    db = std::make_unique<MysqlFixture>();
    return true;
  }
  std::string line(const char* column) {
    return db->sql(std::string("SELECT `") + column + "` FROM `pua_meta` WHERE `name` LIKE 'writer@%'");
  }
  // As it arrives from a session of that writer.
  std::string upsert(const std::string& writer, std::initializer_list<int64_t> ids) {
    UpsertSql statement("pua", line("name"));
    for (int64_t id : ids) statement.add(row_of(id).row());
    return db->sql("SET sql_mode='STRICT_ALL_TABLES',@pua_writer='" + writer + "'; " + statement.take());
  }
};

TEST(mysql_writer, what_a_former_process_left_behind_changes_nothing) {
  if (!there()) return;
  {
    auto s = db->open();
    CHECK(Caller(*s).put(row_of(1)) == WriteResult::Ok);
  }
  std::string former = line("value");
  auto s = db->open();
  Caller caller(*s);
  CHECK(caller.put(row_of(2)) == WriteResult::Ok);
  CHECK(line("value") != former);
  upsert(former, {3});
  upsert(former, {4, 5});
  LONGS_EQUAL(2, caller.load_all().size());
  STRCMP_EQUAL("6", upsert(line("value"), {6, 7}).c_str());
  LONGS_EQUAL(4, caller.load_all().size());
}

TEST(mysql_writer, a_new_one_waits_for_the_statement_under_way) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  caller.put(row_of(1));
  db->sql("BEGIN");
  upsert(line("value"), {2});
  MysqlOptions o = db->options();
  o.timeout_ms = 200;
  auto early = db->try_open(o);  // what it read might not be all
  CHECK_FALSE(early.ok());
  CHECK(contains(early.error().message, "is locked by a statement that does not end"));
  db->sql("COMMIT");
  auto other = db->try_open(o);
  CHECK(other.ok());
  LONGS_EQUAL(2, Caller(**other).load_all().size());
}

TEST(mysql_writer, tables_that_were_made_anew_are_told_as_lost_rows) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  caller.put(row_of(1));
  db->create();
  CHECK(caller.put(row_of(1, 2)) == WriteResult::FailedRetry);
  CHECK(caller.down);
  CHECK(caller.rows_lost);
  CHECK(contains(caller.error, "the tables were made anew"));
  CHECK(caller.put(row_of(1, 2)) == WriteResult::Ok);
}
