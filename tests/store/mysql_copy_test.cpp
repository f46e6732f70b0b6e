// MariaDB: a copy of the tables is told from the tables (docs/adr/0018), whatever was copied when, and no copy is seen where there is
// none.
#include <string>

#include "store/mysql_sql.h"
#include "tests/store/mysql_fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

// Each test begins with `if (!there()) return;`
TEST_GROUP(mysql_copy) {
  std::unique_ptr<MysqlFixture> db;
  std::unique_ptr<MysqlStore> store;
  std::unique_ptr<Caller> caller;
  bool there() {
    if (!MysqlFixture::there()) return false;
    db = std::make_unique<MysqlFixture>();
    store = db->open();
    caller = std::make_unique<Caller>(*store);
    return true;
  }
  void teardown() override {
    if (db) db->sql("DROP TABLE IF EXISTS copy_rows, copy_meta");
    caller.reset(), store.reset(), db.reset();
  }
  void back_up() {
    STRCMP_EQUAL("", db->sql("DROP TABLE IF EXISTS copy_rows, copy_meta; CREATE TABLE copy_meta LIKE pua_meta; "
                             "INSERT INTO copy_meta SELECT * FROM pua_meta; CREATE TABLE copy_rows LIKE pua; INSERT INTO copy_rows (id,pres_uri,event,flag,"
                             "record_version) SELECT id,pres_uri,event,flag,record_version FROM pua").c_str());
  }
  // Into the tables that are there, as a load of a dump without DROP has it.
  void bring_back() {
    STRCMP_EQUAL("", db->sql("BEGIN; DELETE FROM pua; INSERT INTO pua (id,pres_uri,event,flag,record_version) SELECT id,pres_uri,event,flag,"
                             "record_version FROM copy_rows; DELETE FROM pua_meta; INSERT INTO pua_meta SELECT * FROM copy_meta; COMMIT").c_str());
  }
  std::string line(const char* lane) {
    return db->sql(std::string("SELECT `value` FROM `pua_meta` WHERE `name` LIKE '") + lane + "@%'");
  }
  // Looks as the loop would have it look, until it is done.
  void look() {
    store->run(steady_ms() + 5000);
    store->pump(1000);
  }
};

TEST(mysql_copy, every_start_and_every_write_moves_something) {
  if (!there()) return;
  std::string writer = line("writer"), first = line("fast");
  STRCMP_EQUAL((writer + " 0").c_str(), first.c_str());
  caller->put(row_of(1));
  STRCMP_EQUAL((writer + " 1").c_str(), line("fast").c_str());
  caller->narrow(row_of(1, 2));
  caller->drop(row_of(1, 3));
  STRCMP_EQUAL((writer + " 3").c_str(), line("fast").c_str());
  STRCMP_EQUAL((writer + " 0").c_str(), line("bulk").c_str());
  Caller::Batch b;
  b.rows.emplace_back(RowOp::Upsert, row_of(2));
  caller->write(b, Lane::Bulk);
  STRCMP_EQUAL((writer + " 1").c_str(), line("bulk").c_str());
  caller.reset(), store.reset();
  store = db->open();
  CHECK(line("writer") != writer);
}

TEST(mysql_copy, a_row_that_is_refused_moves_nothing) {
  if (!there()) return;
  caller->put(row_of(1));
  std::string before = line("fast");
  db->sql("ALTER TABLE pua ADD CONSTRAINT odd CHECK (id<>77)");
  CHECK(caller->put(row_of(77)) == WriteResult::FailedRetry);
  STRCMP_EQUAL(before.c_str(), line("fast").c_str());
  STRCMP_EQUAL("0", db->root("SELECT COUNT(*) FROM information_schema.INNODB_TRX").c_str());   // nothing stays open
  CHECK(caller->put(row_of(2)) == WriteResult::Ok);
  LONGS_EQUAL(0, caller->rows_missing);
  db->sql("ALTER TABLE pua DROP CONSTRAINT odd");
}

TEST(mysql_copy, a_copy_of_the_same_life_is_noticed_by_the_next_write) {
  if (!there()) return;
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  caller->drop(row_of(1, 2));
  bring_back();
  caller->put(row_of(3));
  LONGS_EQUAL(1, caller->rows_missing);
  CHECK(db->log.has("is not the one that was written to"));
  CHECK(caller->put(row_of(4)) == WriteResult::Ok);   // it is the table now
  LONGS_EQUAL(1, caller->rows_missing);
}

TEST(mysql_copy, a_delete_notices_it_too) {
  if (!there()) return;
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  bring_back();
  CHECK(caller->drop(row_of(1, 2)) == WriteResult::Ok);
  LONGS_EQUAL(1, caller->rows_missing);
}

TEST(mysql_copy, it_is_noticed_within_a_second_where_nothing_is_written) {
  if (!there()) return;
  CHECK(store->set_meta("clock", "then").ok());
  caller->put(row_of(1));
  back_up();
  CHECK(store->set_meta("clock", "now").ok());
  caller->put(row_of(2));
  CHECK(store->next_due() <= steady_ms() + 1000);
  look();
  LONGS_EQUAL(0, caller->rows_missing);
  bring_back();
  look();
  LONGS_EQUAL(1, caller->rows_missing);
  caller->put(row_of(3));   // the values of this run go first
  STRCMP_EQUAL("now", line("clock").c_str());
}

TEST(mysql_copy, rows_alone_put_in_the_place_of_ours_are_noticed) {
  if (!there()) return;
  caller->put(row_of(1));
  look();
  db->sql("UPDATE pua_meta SET value=value");
  // The time at which a table was made has no finer grain than a second.
  db->sql("DO SLEEP(1.1); CREATE TABLE copy_rows LIKE pua; DROP TABLE pua; RENAME TABLE copy_rows TO pua");
  look();
  LONGS_EQUAL(1, caller->rows_missing);
}

TEST(mysql_copy, a_copy_on_a_server_that_was_away_is_noticed_at_the_next_connection) {
  if (!there()) return;
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  bring_back();
  for (std::string id; id = db->sql("SELECT ID FROM information_schema.PROCESSLIST WHERE ID<>CONNECTION_ID() AND COMMAND<>'Killed' LIMIT 1"),
                       !id.empty() && id[0] != '!';)
    db->sql("KILL " + id);
  db->sql("DELETE FROM pua_meta WHERE name LIKE 'writer@%'");   // what it was before our time, say
  store->run(steady_ms() + 5000);
  store->pump(1000);
  caller->put(row_of(3));
  CHECK(caller->rows_missing + caller->rows_lost > 0);
}

TEST(mysql_copy, sessions_that_break_are_no_copy) {
  if (!there()) return;
  for (uint32_t v = 1; v <= 5; v++) {
    CHECK(caller->put(row_of(1, v)) == WriteResult::Ok);
    Caller::Batch b;
    b.rows.emplace_back(RowOp::Upsert, row_of(2, v));
    caller->write(b, Lane::Bulk);
    std::string id = db->sql("SELECT ID FROM information_schema.PROCESSLIST WHERE ID<>CONNECTION_ID() ORDER BY ID LIMIT 1");
    db->sql("KILL " + id);
    look();
  }
  LONGS_EQUAL(0, caller->rows_missing);
  CHECK_FALSE(caller->rows_lost);
}

TEST(mysql_copy, an_answer_that_was_lost_is_no_copy) {
  if (!there()) return;
  MysqlCount c;
  c.name = "x@h";
  c.begin("w");
  c.most = 2;
  CHECK(c.holds("w 0") && c.holds("w 1") && c.holds("w 2"));
  CHECK_FALSE(c.holds("w 3") || c.holds("v 1") || c.holds(""));
  STRCMP_EQUAL("REPLACE INTO `pua_meta` (`name`,`value`) SELECT `name`,'w 3' FROM `pua_meta` WHERE `name`='x@h' AND `value` IN ('w 0','w 1','w 2')", count_sql("pua", c).c_str());
}
