// MariaDB's adapter beside what every adapter must do: connecting, refusals, broken sessions, locks, TLS.
#include <string>

#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tests/store/mysql_fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

// A port on loopback where somebody listens and never says a word, or nobody listens.
class SilentPort {
 public:
  explicit SilentPort(bool listening) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    bind(fd_, reinterpret_cast<sockaddr*>(&at), size);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    if (listening) listen(fd_, 10);
  }
  ~SilentPort() { close(fd_); }
  uint16_t port = 0;

 private:
  int fd_;
};

}  // namespace

// Each test begins with `if (!there()) return;`
TEST_GROUP(mysql_store) {
  std::unique_ptr<MysqlFixture> db;
  bool there() {
    if (!MysqlFixture::there()) return false;
    db = std::make_unique<MysqlFixture>();
    return true;
  }
  std::string refused(const MysqlOptions& o) {
    auto s = db->try_open(o);
    CHECK_FALSE(s.ok());
    LONGS_EQUAL(static_cast<int>(Errc::store_failed), static_cast<int>(s.code()));
    CHECK_FALSE(contains(s.error().message, "puapw"));
    return s.error().message;
  }
  // Ends every session of ours but the fixture's own; how many there were.
  int kill_sessions(const std::string& which = "") {
    int killed = 0;
    for (;;) {
      std::string id = db->sql("SELECT ID FROM information_schema.PROCESSLIST WHERE ID<>CONNECTION_ID() AND COMMAND<>'Killed'" +
                               which + " LIMIT 1");
      if (id.empty() || id[0] == '!') return killed;
      db->sql("KILL " + id);
      killed++;
    }
  }
};

TEST(mysql_store, its_name_shows_no_password) {
  if (!there()) return;
  auto s = db->open();
  CHECK(contains(s->name(), "mysql://pua@127.0.0.1:"));
  CHECK(contains(s->name(), "/presence"));
}

TEST(mysql_store, a_wrong_password_is_refused_by_name) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.url.password = "wrong";
  CHECK(contains(refused(o), "Access denied"));
}

TEST(mysql_store, an_unknown_database_is_refused_by_name) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.url.database = "nowhere";
  CHECK(contains(refused(o), "nowhere"));
}

TEST(mysql_store, a_table_of_another_version_is_refused) {
  if (!there()) return;
  db->sql("UPDATE `version` SET `table_version`=9");
  CHECK(contains(refused(db->options()), "table 'pua' has schema version 9, this build needs 12: see puadbctl migrate"));
  db->sql("DELETE FROM `version`");
  CHECK(contains(refused(db->options()), "puadbctl create"));
}

TEST(mysql_store, a_missing_table_is_refused) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.table = "other";
  CHECK(contains(refused(o), "puadbctl create"));
}

TEST(mysql_store, where_nobody_listens_it_is_refused_at_once_and_where_nobody_answers_soon) {
  if (!there()) return;
  SilentPort closed(false), deaf(true);
  MysqlOptions o = db->options();
  o.url.hosts = {{"127.0.0.1", closed.port}};
  MonoMs begin = steady_ms();
  CHECK(contains(refused(o), "127.0.0.1:" + std::to_string(closed.port)));
  CHECK(steady_ms() - begin < 1000);
  o.url.hosts = {{"127.0.0.1", deaf.port}};
  CHECK(contains(refused(o), "does not answer"));
  CHECK(steady_ms() - begin < 4000);
}

TEST(mysql_store, the_first_server_that_serves_is_taken) {
  if (!there()) return;
  SilentPort closed(false);
  MysqlOptions o = db->options();
  o.url.hosts.insert(o.url.hosts.begin(), {"127.0.0.1", closed.port});
  auto s = db->try_open(o);
  CHECK(s.ok());
  CHECK(db->log.has("the next server is tried"));
  Caller caller(**s);
  CHECK(caller.put(row_of(1)) == WriteResult::Ok);
}

TEST(mysql_store, waiting_at_start_opens_without_a_server) {
  if (!there()) return;
  SilentPort closed(false);
  MysqlOptions o = db->options();
  o.url.hosts = {{"127.0.0.1", closed.port}};
  o.wait_at_start = true;
  auto s = db->try_open(o);
  CHECK(s.ok());
  Caller caller(**s);
  CHECK(caller.put(row_of(1)) == WriteResult::FailedRetry);
  CHECK(caller.down);
  caller.load(0, 10);
  CHECK_FALSE(caller.error.empty());
  CHECK_FALSE(caller.last);
}

TEST(mysql_store, names_are_resolved_and_an_unknown_one_is_named) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.url.hosts[0].name = "localhost";   // with a port: over TCP
  CHECK(db->try_open(o).ok());
  o.url.hosts[0].name = "no-such-host.invalid";
  CHECK(contains(refused(o), "no-such-host.invalid"));
}

TEST(mysql_store, localhost_without_a_port_is_the_unix_socket) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.url.hosts = {{"localhost", 0}};
  o.socket = getenv("PUA_TEST_MYSQL_SOCKET");
  auto s = db->try_open(o);
  CHECK_TEXT(s.ok(), s ? "" : s.error().message.c_str());
  STRCMP_EQUAL("localhost", db->root("SELECT HOST FROM information_schema.PROCESSLIST WHERE USER='pua'").c_str());
}

TEST(mysql_store, sessions_that_were_killed_while_idle_cost_nothing) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  CHECK(caller.put(row_of(1)) == WriteResult::Ok);
  CHECK(kill_sessions() >= 2);
  CHECK(caller.put(row_of(2)) == WriteResult::Ok);
  CHECK(kill_sessions() >= 1);
  LONGS_EQUAL(2, caller.load_all().size());
}

TEST(mysql_store, a_value_longer_than_its_column_is_refused_before_it_is_sent) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  struct { std::string_view Row::*column; const char* name; size_t width; } const columns[] = {
      {&Row::pres_uri, "pres_uri", 1023}, {&Row::pres_id, "pres_id", 255}, {&Row::etag, "etag", 255}, {&Row::tuple_id, "tuple_id", 255},
      {&Row::watcher_uri, "watcher_uri", 1023}, {&Row::to_uri, "to_uri", 1023}, {&Row::call_id, "call_id", 255},
      {&Row::to_tag, "to_tag", 255}, {&Row::from_tag, "from_tag", 255}, {&Row::contact, "contact", 1023},
      {&Row::remote_contact, "remote_contact", 1023}, {&Row::sharing_tag, "sharing_tag", 255},
      {&Row::content_type, "content_type", 255}, {&Row::outbound_proxy, "outbound_proxy", 1023}, {&Row::event_id, "event_id", 255},
      {&Row::target, "target", 1023}, {&Row::record_route, "record_route", 65535}, {&Row::extra_headers, "extra_headers", 65535}};
  int64_t id = 0;
  for (auto& c : columns) {
    std::string fits(c.width, 'x'), wide(c.width + 1, 'x');
    Caller::Batch b;
    b.rows.emplace_back(RowOp::Upsert, with(row_of(++id), [&](Row& r) { r.*c.column = fits; }));
    b.rows.emplace_back(RowOp::Upsert, with(row_of(++id), [&](Row& r) { r.*c.column = wide; }));
    caller.write_all(b);
    CHECK_TEXT(caller.results[0] == WriteResult::Ok, c.name);
    CHECK_TEXT(caller.results[1] == WriteResult::BadRow, c.name);
    CHECK(contains(caller.error, std::string(c.name) + " is longer than " + std::to_string(c.width)));
    CHECK_FALSE(caller.down);
  }
  auto rows = caller.load_all();
  LONGS_EQUAL(std::size(columns), rows.size());
  for (size_t i = 0; i < rows.size(); i++) LONGS_EQUAL(columns[i].width, (rows[i].row().*columns[i].column).size());
}

TEST(mysql_store, a_batch_ends_where_its_statement_is_full) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  Caller::Batch b;
  std::string body(10000, 'b');
  for (int64_t id = 1; id <= 20; id++) b.rows.emplace_back(RowOp::Upsert, row_of(id, 1, body));
  caller.write(b);
  CHECK(caller.results[0] == WriteResult::Ok);
  CHECK(caller.results[19] == WriteResult::Deferred);
  caller.write_all(b);
  LONGS_EQUAL(20, caller.load_all().size());
}

TEST(mysql_store, a_row_that_somebody_else_has_locked_is_that_rows_trouble) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  caller.put(row_of(1));
  caller.put(row_of(2));
  db->sql("BEGIN; SELECT * FROM `pua` WHERE `id`=1 FOR UPDATE");
  CHECK(caller.put(row_of(2, 2)) == WriteResult::Ok);
  MonoMs begin = steady_ms();
  CHECK(caller.put(row_of(1, 2)) == WriteResult::FailedRetry);
  CHECK(steady_ms() - begin < 500);   // the rows behind it do not wait long
  CHECK_FALSE(caller.down);
  CHECK(contains(caller.error, "Lock wait"));
  db->sql("COMMIT");
  CHECK(caller.put(row_of(1, 2)) == WriteResult::Ok);
}

TEST(mysql_store, a_page_that_was_fetched_ahead_is_fetched_again_when_rows_were_written_meanwhile) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  for (int64_t id = 1; id <= 10; id++) caller.put(row_of(id));
  caller.load(0, 5);
  s->pump(100);                  // the next page has come
  caller.put(row_of(6, 2));
  caller.drop(row_of(7, 2));
  caller.load(5, 5);
  LONGS_EQUAL(4, caller.page.size());
  LONGS_EQUAL(2, caller.page[0].row().record_version);
  LONGS_EQUAL(8, caller.page[1].row().id);
  caller.load(0, 5);             // from the beginning again, though another page was fetched ahead
  LONGS_EQUAL(5, caller.page.size());
  LONGS_EQUAL(1, caller.page[0].row().id);
}

TEST(mysql_store, a_table_that_is_gone_is_told_as_lost_rows) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  caller.put(row_of(1));
  db->sql("DROP TABLE `pua`");
  CHECK(caller.put(row_of(1, 2)) == WriteResult::FailedRetry);
  CHECK(caller.down);
  CHECK(caller.rows_lost);
  db->create();
  CHECK(caller.put(row_of(1, 2)) == WriteResult::Ok);
}

TEST(mysql_store, a_read_only_server_is_down_until_it_is_not) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  db->root("SET GLOBAL read_only=1");
  WriteResult meanwhile = caller.put(row_of(1));
  bool down = caller.down;
  db->root("SET GLOBAL read_only=0");
  CHECK(meanwhile == WriteResult::FailedRetry);
  CHECK(down);
  CHECK(caller.put(row_of(1)) == WriteResult::Ok);
}

//  fast:  INSERT row 1 v1  ... the server is held up in the middle of it, our patience ends, the session lives on over there
//  other: DELETE row 1 v2  must not be carried out before that session is gone, or v1 would come back
TEST(mysql_store, what_a_broken_session_left_behind_is_ended_before_anything_newer_is_written) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.timeout_ms = 400;
  auto s = db->try_open(o);
  CHECK(s.ok());
  Caller caller(**s);
  caller.put(row_of(7));
  const char* at_work = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND='Query' AND ID<>CONNECTION_ID()";
  // A trigger stands for whatever may hold up a statement: it waits for a lock that the fixture holds.
  db->sql("SELECT GET_LOCK('gate',0)");
  db->sql("CREATE TRIGGER hold BEFORE INSERT ON `pua` FOR EACH ROW IF NEW.id=1 THEN DO GET_LOCK('gate',3600); END IF");
  CHECK(caller.put(row_of(1, 1)) == WriteResult::FailedRetry);
  CHECK(caller.down);
  CHECK(contains(caller.error, "no answer within 400 ms"));
  STRCMP_EQUAL("1", db->sql(at_work).c_str());
  Caller::Batch b;
  b.rows.emplace_back(RowOp::Delete, row_of(1, 2));
  caller.write(b, Lane::Bulk);  // by the other connection, which is whole
  CHECK(caller.results[0] == WriteResult::Ok);
  db->sql("SELECT RELEASE_LOCK('gate')");
  for (int ms = 0; ms < 10000 && db->sql(at_work) != "0"; ms++) usleep(1000);
  STRCMP_EQUAL("0", db->sql(at_work).c_str());
  db->sql("DROP TRIGGER hold");
  auto rows = caller.load_all();
  LONGS_EQUAL(1, rows.size());
  LONGS_EQUAL(7, rows[0].row().id);
}

TEST(mysql_store, a_deadlock_is_tried_again) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  caller.put(row_of(1));
  db->sql("DROP TABLE IF EXISTS once; CREATE TABLE once (n INT); INSERT INTO once VALUES (2)");
  // 1213 is raised for the first two tries. The counter is in a table without transactions, so it is not rolled back.
  db->sql("ALTER TABLE once ENGINE=Aria TRANSACTIONAL=0");
  db->sql("CREATE TRIGGER dead BEFORE UPDATE ON `pua` FOR EACH ROW BEGIN IF (SELECT n FROM once)>0 THEN "
          "UPDATE once SET n=n-1; SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO=1213, MESSAGE_TEXT='Deadlock found'; END IF; END");
  WriteResult r = caller.put(row_of(1, 2));
  std::string left = db->sql("SELECT n FROM once");
  db->sql("DROP TRIGGER dead; DROP TABLE once");
  CHECK(r == WriteResult::Ok);
  STRCMP_EQUAL("0", left.c_str());
}

TEST(mysql_store, ending_in_the_middle_of_a_statement_is_quick_and_leaves_nothing_open) {
  if (!there()) return;
  auto s = db->open();
  Caller::Batch b;
  b.rows.emplace_back(RowOp::Upsert, row_of(1));
  db->sql("LOCK TABLES `pua` WRITE");
  s->write(Lane::Fast, b, 0);
  s->pump(50);
  s->load(0, 10, 0);
  MonoMs begin = steady_ms();
  s.reset();
  CHECK(steady_ms() - begin < 100);
  db->sql("UNLOCK TABLES");
}

TEST(mysql_store, values_beside_the_rows_survive_and_are_this_nodes_own) {
  if (!there()) return;
  {
    auto s = db->open();
    CHECK(s->set_meta("clock", "1 2 3").ok());
    STRCMP_EQUAL("1 2 3", s->get_meta("clock")->c_str());
  }  // written at the end at the latest
  auto s = db->open();
  STRCMP_EQUAL("1 2 3", s->get_meta("clock")->c_str());
  CHECK(contains(db->sql("SELECT `name` FROM `pua_meta` WHERE `name` LIKE 'clock%'"), "clock@"));
}

TEST(mysql_store, the_session_is_ours_whatever_the_server_is_set_to) {
  if (!there()) return;
  db->root("SET GLOBAL sql_mode='NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH'");
  WriteResult r = WriteResult::FailedRetry;
  std::string back;
  std::string odd("it's \\ \"odd\"\0", 13);
  {
    auto s = db->open();
    Caller caller(*s);
    r = caller.put(with(row_of(1), [&](Row& row) { row.etag = odd; }));
    auto rows = caller.load_all();
    if (rows.size() == 1) back = rows[0].row().etag;
  }
  db->root("SET GLOBAL sql_mode=DEFAULT");
  CHECK(r == WriteResult::Ok);
  CHECK(back == odd);
}

//  the queue: set_meta, run: the value goes out on the connection of the Fast lane, which is not even connected yet
//             write Fast: waits for it on the same connection, and goes out behind it
TEST(mysql_store, rows_wait_for_a_value_that_is_being_written_and_both_arrive) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  CHECK(s->set_meta("clock", "now").ok());
  s->run(steady_ms());
  CHECK(caller.put(row_of(1)) == WriteResult::Ok);
  STRCMP_EQUAL("now", db->sql("SELECT `value` FROM `pua_meta` WHERE `name` LIKE 'clock@%'").c_str());
  CHECK(s->next_due() > steady_ms());   // a look at the tables is all that is due
}

TEST(mysql_store, no_row_is_written_before_a_value_that_was_set_first) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  CHECK(caller.put(row_of(1)) == WriteResult::Ok);
  CHECK(s->set_meta("clock", "first").ok());
  CHECK(caller.put(row_of(1)) == WriteResult::Ok);
  db->sql("BEGIN; UPDATE `pua_meta` SET `value`='held' WHERE `name` LIKE 'clock@%'");   // the line is locked
  CHECK(s->set_meta("clock", "second").ok());
  CHECK(caller.put(row_of(2)) == WriteResult::FailedRetry);
  CHECK(caller.down);
  STRCMP_EQUAL("0", db->sql("SELECT COUNT(*) FROM `pua` WHERE `id`=2").c_str());
  db->sql("ROLLBACK");
  CHECK(caller.put(row_of(2)) == WriteResult::Ok);
  STRCMP_EQUAL("second", db->sql("SELECT `value` FROM `pua_meta` WHERE `name` LIKE 'clock@%'").c_str());
}

TEST(mysql_store, pages_of_large_documents_are_short) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  std::string large(100000, 'x');
  for (int64_t id = 1; id <= 100; id++) CHECK(caller.put(with(row_of(id), [&](Row& r) { r.body = large; })) == WriteResult::Ok);
  for (int64_t id = 101; id <= 400; id++) CHECK(caller.put(row_of(id)) == WriteResult::Ok);
  size_t most_large = 0, most = 0;
  bool first = true;
  auto rows = caller.load_all(500, [&] {
    size_t n = 0;
    for (const StoredRow& r : caller.page) n += r.row().body.size() == large.size();
    if (!first) most_large = std::max(most_large, n);
    most = std::max(most, caller.page.size());
    first = false;
  });
  LONGS_EQUAL(400, rows.size());
  LONGS_EQUAL(400, rows.back().row().id);
  CHECK_TEXT(most_large <= 11, std::to_string(most_large).c_str());
  CHECK_TEXT(most >= 80, std::to_string(most).c_str());   // and long again behind them
}

// A name is being looked up, for another base and for this one, when the store goes; libevent calls back later.
TEST(mysql_store, it_may_go_while_the_name_of_its_server_is_being_looked_up) {
  event_base* base = event_base_new();
  TestLog log;
  MysqlOptions o;
  o.url = *parse_db_url("mysql://u:p@db.example.invalid/x");
  o.wait_at_start = true;
  o.timeout_ms = 100;
  auto s = MysqlStore::open(o, {base, nullptr, [] { return steady_ms(); }, [](const std::function<void()>& f) { f(); }}, log.log);
  CHECK(s.ok());
  (*s)->load(0, 10, 0);
  event_base_loop(base, EVLOOP_NONBLOCK);
  s->reset();
  for (int i = 0; i < 10; i++) event_base_loop(base, EVLOOP_NONBLOCK);
  event_base_free(base);
}

TEST(mysql_store, tls_is_used_where_it_is_asked_for_and_the_chain_is_checked) {
  if (!there()) return;
  std::string ca = getenv("PUA_TEST_MYSQL_CA"), other = ca.substr(0, ca.rfind('/')) + "/other-ca.pem";
  MysqlOptions o = db->options();
  db->root("ALTER USER pua@'%', pua@localhost REQUIRE SSL");
  std::string plain = refused(o);
  o.tls = true;
  bool on = db->try_open(o).ok();
  o.tls_verify = true;
  o.tls_ca = other;
  std::string strange = refused(o);
  o.tls_ca = ca;
  std::string unnamed = refused(o);        // the certificate names localhost, and no address
  o.url.hosts[0].name = "localhost";
  bool named = db->try_open(o).ok();
  db->root("ALTER USER pua@'%', pua@localhost REQUIRE NONE");
  CHECK(contains(plain, "Access denied"));
  CHECK(on);
  CHECK_TEXT(contains(strange, "certificate") || contains(strange, "TLS/SSL"), strange.c_str());
  CHECK_TEXT(contains(unnamed, "certificate") || contains(unnamed, "TLS/SSL"), unnamed.c_str());
  CHECK(named);
}
