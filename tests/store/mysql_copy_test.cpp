// MariaDB: a copy of the tables is told from the tables (docs/adr/0018), whatever was copied when, and no copy is seen where there is
// none.
#include <filesystem>
#include <functional>
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
  // The rows alone: the table stays, and so does the meta table.
  void bring_rows_back() {
    STRCMP_EQUAL("", db->sql("BEGIN; DELETE FROM pua; INSERT INTO pua (id,pres_uri,event,flag,record_version) SELECT id,pres_uri,event,flag,"
                             "record_version FROM copy_rows; COMMIT").c_str());
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

// The next write notices it by its counts, the next look by the time at which the table was made: that is one accident.
TEST(mysql_copy, a_copy_in_a_table_made_anew_is_told_of_once) {
  if (!there()) return;
  caller->put(row_of(1));
  back_up();
  caller->put(row_of(2));
  look();
  db->sql("DO SLEEP(1.1); CREATE TABLE other LIKE pua; DROP TABLE pua; RENAME TABLE other TO pua");
  bring_back();
  caller->put(row_of(3));
  LONGS_EQUAL(1, caller->rows_missing);
  look();
  look();
  LONGS_EQUAL(1, caller->rows_missing);
}

TEST(mysql_copy, rows_brought_back_under_a_table_that_stays_are_noticed) {
  if (!there()) return;
  struct {
    const char* what;
    std::function<void(Caller&)> change;
  } changes[] = {
      {"written", [](Caller& c) { c.put(row_of(1, 2)); }},
      {"changed", [](Caller& c) { c.narrow(row_of(1, 2)); }},
      {"new", [](Caller& c) { c.put(row_of(9)); }},
      {"removed", [](Caller& c) { c.drop(row_of(1, 2)); }},
      {"changed, beside one that is not there", [](Caller& c) {
         Caller::Batch b;
         b.rows.emplace_back(RowOp::Narrow, row_of(1, 2));
         b.rows.emplace_back(RowOp::Narrow, row_of(77, 2));
         c.write(b);
       }},
  };
  int missing = 0;
  for (const auto& c : changes) {
    for (int64_t id : {1, 2, 9}) caller->drop(row_of(id, 5));
    caller->put(row_of(1));
    caller->put(row_of(2));
    back_up();
    c.change(*caller);
    look();
    LONGS_EQUAL_TEXT(missing, caller->rows_missing, c.what);
    bring_rows_back();
    look();
    LONGS_EQUAL_TEXT(++missing, caller->rows_missing, c.what);
    look();
    LONGS_EQUAL_TEXT(missing, caller->rows_missing, c.what);   // told once
    for (int64_t id : {1, 2, 9}) caller->put(row_of(id, 5));
    look();
    LONGS_EQUAL_TEXT(missing, caller->rows_missing, c.what);
  }
}

TEST(mysql_copy, rows_written_since_a_copy_of_the_rows_was_brought_back_hide_it_not) {
  if (!there()) return;
  caller->put(row_of(1));
  back_up();
  caller->drop(row_of(1, 2));
  look();
  bring_rows_back();
  for (int64_t id = 10; id < 30; id++) caller->put(row_of(id));
  look();
  LONGS_EQUAL(1, caller->rows_missing);
}

TEST(mysql_copy, a_tablespace_that_is_taken_away_and_one_that_is_brought_back_are_noticed) {
  if (!there()) return;
  caller->put(row_of(1));
  std::string folder = db->root("SELECT CONCAT(@@datadir,DATABASE())");
  STRCMP_EQUAL("", db->root("FLUSH TABLES pua FOR EXPORT").c_str());
  for (const char* kind : {".ibd", ".cfg"}) std::filesystem::copy_file(folder + "/pua" + kind, folder + "/old" + kind);
  db->root("UNLOCK TABLES");
  caller->put(row_of(2));
  look();
  LONGS_EQUAL(0, caller->rows_missing);
  auto bring_back = [&] {
    STRCMP_EQUAL("", db->sql("ALTER TABLE pua DISCARD TABLESPACE").c_str());
    for (const char* kind : {".ibd", ".cfg"}) std::filesystem::copy_file(folder + "/old" + kind, folder + "/pua" + kind);
  };
  bring_back();
  CHECK(caller->put(row_of(3)) == WriteResult::FailedRetry);   // meanwhile
  CHECK(caller->rows_lost);
  STRCMP_EQUAL("", db->sql("ALTER TABLE pua IMPORT TABLESPACE").c_str());
  look();
  caller->put(row_of(4));
  look();
  int missing = caller->rows_missing;
  bring_back();   // nothing is written meanwhile
  STRCMP_EQUAL("", db->sql("ALTER TABLE pua IMPORT TABLESPACE").c_str());
  look();
  LONGS_EQUAL(missing + 1, caller->rows_missing);
  for (const char* kind : {".ibd", ".cfg"}) std::filesystem::remove(folder + "/old" + kind);
  db->create();
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
