// SQLite store: files that are not what they should be, a second owner, a full disk, what survives a SIGKILL.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "store/open.h"
#include "store/sqlite_schema.h"
#include "store/sqlite_store.h"
#include "tests/store/fixture.h"
#include "tests/store/queue_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A database as somebody else's program has it open.
class OtherProgram {
 public:
  explicit OtherProgram(const std::string& path) { LONGS_EQUAL(SQLITE_OK, sqlite3_open(path.c_str(), &db_)); }
  ~OtherProgram() { sqlite3_close(db_); }
  int exec(const char* sql) { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); }
  int64_t number(const char* sql) {
    sqlite3_stmt* st = nullptr;
    sqlite3_prepare_v2(db_, sql, -1, &st, nullptr);
    int64_t n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
    sqlite3_finalize(st);
    return n;
  }

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace

TEST_GROUP(sqlite_store) {
  TempDir dir;
  TestLog log;
  std::string path;
  void setup() override { path = dir.file("pua.db"); }

  std::unique_ptr<SqliteStore> open(const std::string& table = "pua", bool full = false) {
    SqliteOptions o;
    o.path = path;
    o.table = table;
    o.synchronous_full = full;
    auto s = SqliteStore::open(o, log.log);
    CHECK_TEXT(s.ok(), s ? "" : s.error().message.c_str());
    return std::move(*s);
  }
  // Opening must fail, name the file, and say `part`.
  void refuses(const char* part, const std::string& table = "pua") {
    SqliteOptions o;
    o.path = path;
    o.table = table;
    auto s = SqliteStore::open(o, log.log);
    CHECK_FALSE(s.ok());
    if (s.ok()) return;
    LONGS_EQUAL(static_cast<int>(Errc::store_failed), static_cast<int>(s.code()));
    CHECK_TEXT(contains(s.error().message, path), s.error().message.c_str());
    CHECK_TEXT(contains(s.error().message, part), s.error().message.c_str());
  }
  void fill(int64_t n, std::string_view body = "<presence/>") {
    auto s = open();
    Caller c(*s);
    for (int64_t id = 1; id <= n; id++) c.put(row_of(id, 1, body));
  }
};

TEST(sqlite_store, the_file_is_made_on_first_use_and_not_for_everybodys_eyes) {
  open();
  struct stat st;
  LONGS_EQUAL(0, stat(path.c_str(), &st));
  LONGS_EQUAL(0, st.st_mode & 07);
}

TEST(sqlite_store, rows_and_values_are_there_after_opening_again) {
  {
    auto s = open();
    Caller c(*s);
    c.put(row_of(1, 7));
    CHECK(s->set_meta("clock", "x").ok());
  }
  auto s = open();
  Caller c(*s);
  auto rows = c.load_all();
  LONGS_EQUAL(1, rows.size());
  CHECK(same(row_of(1, 7).row(), rows[0].row()));
  STRCMP_EQUAL("x", s->get_meta("clock")->c_str());
}

TEST(sqlite_store, the_schema_holds_the_columns_of_opensips_version_9_and_a_version_row) {
  open();
  OtherProgram p(path);
  LONGS_EQUAL(21, p.number("SELECT count(*) FROM pragma_table_info('pua') WHERE name IN ('id','pres_uri','pres_id','event',"
                           "'expires','desired_expires','flag','etag','tuple_id','watcher_uri','to_uri','call_id','to_tag',"
                           "'from_tag','cseq','record_route','contact','remote_contact','version','extra_headers','sharing_tag')"));
  LONGS_EQUAL(12, p.number("SELECT table_version FROM version WHERE table_name='pua'"));
  LONGS_EQUAL(1, p.number("SELECT count(*) FROM pragma_index_list('pua') WHERE \"unique\"=1"));
}

TEST(sqlite_store, another_table_name_is_used_everywhere) {
  {
    auto s = open("my_PUA2");
    Caller c(*s);
    c.put(row_of(1));
    CHECK(s->set_meta("a", "b").ok());
  }
  OtherProgram p(path);
  LONGS_EQUAL(1, p.number("SELECT count(*) FROM my_PUA2"));
  LONGS_EQUAL(1, p.number("SELECT count(*) FROM my_PUA2_meta WHERE name='a'"));
  LONGS_EQUAL(12, p.number("SELECT table_version FROM version WHERE table_name='my_PUA2'"));
  LONGS_EQUAL(0, p.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'pua%'"));
  CHECK(contains(schema_sql("pua"), "\"pua_key\""));
}

TEST(sqlite_store, other_tables_of_the_file_are_left_alone) {
  {
    OtherProgram p(path);
    p.exec("CREATE TABLE version(table_name TEXT PRIMARY KEY, table_version INTEGER); INSERT INTO version VALUES('acc',7);"
           "CREATE TABLE acc(a); INSERT INTO acc VALUES(1)");
  }
  open();
  OtherProgram p(path);
  LONGS_EQUAL(7, p.number("SELECT table_version FROM version WHERE table_name='acc'"));
  LONGS_EQUAL(1, p.number("SELECT count(*) FROM acc"));
}

TEST(sqlite_store, a_text_file_is_refused_and_left_as_it_is) {
  std::string text(5000, 'x');
  write_file(path, text);
  refuses("not a SQLite database");
  CHECK(read_file(path) == text);
}

TEST(sqlite_store, a_damaged_file_is_refused_and_left_as_it_is) {
  fill(300);
  std::string bytes = read_file(path);
  CHECK(bytes.size() > 40000);
  for (size_t i = 8192; i < 8192 + 4096 * 4; i++) bytes[i] = static_cast<char>(i * 7);
  write_file(path, bytes);
  refuses("damaged");
  CHECK(read_file(path) == bytes);
}

TEST(sqlite_store, a_cut_file_is_refused) {
  fill(300);
  std::string bytes = read_file(path);
  write_file(path, bytes.substr(0, bytes.size() / 2));
  refuses("damaged");
}

TEST(sqlite_store, damage_in_a_large_file_is_named_when_it_is_read_and_nothing_is_lost) {
  std::string body(16000, 'b');
  fill(1000, body);
  std::string bytes = read_file(path);
  CHECK(bytes.size() > 9 * 1024 * 1024);
  for (size_t page = 1500; page < 1520; page++) memset(&bytes[page * 4096], 0x5a, 4096);
  write_file(path, bytes);
  auto s = open();
  Caller c(*s);
  c.load_all();
  CHECK(contains(c.error, path));
  CHECK(contains(c.error, "damaged"));
  CHECK_FALSE(c.last);
}

TEST(sqlite_store, an_older_schema_version_is_refused_and_left_as_it_is) {
  {
    OtherProgram p(path);
    p.exec("CREATE TABLE version(table_name TEXT, table_version INTEGER); INSERT INTO version VALUES('pua',9);"
           "CREATE TABLE pua(id INTEGER PRIMARY KEY, pres_uri TEXT)");
  }
  std::string before = read_file(path);
  refuses("schema version 9, this build needs 12: see puadbctl migrate");
  CHECK(read_file(path) == before);
}

// As puad of that time made it: there is nothing yet to keep changes in.
TEST(sqlite_store, the_schema_before_the_journal_is_refused_and_left_as_it_is) {
  open();
  {
    OtherProgram p(path);
    LONGS_EQUAL(SQLITE_OK, p.exec("DROP VIEW pua_rows; DROP TABLE pua_journal; UPDATE version SET table_version=11"));
  }
  std::string before = read_file(path);
  refuses("schema version 11, this build needs 12: see puadbctl upgrade");
  CHECK(read_file(path) == before);
}

TEST(sqlite_store, a_newer_schema_version_is_refused) {
  open();
  {
    OtherProgram p(path);
    p.exec("UPDATE version SET table_version=13");
  }
  refuses("schema version 13, this build needs 12: a later libpua has made it");
}

TEST(sqlite_store, a_table_without_a_version_is_refused) {
  {
    OtherProgram p(path);
    p.exec("CREATE TABLE pua(id INTEGER PRIMARY KEY)");
  }
  refuses("no row in table 'version'");
}

TEST(sqlite_store, a_right_version_over_wrong_columns_is_refused) {
  {
    OtherProgram p(path);
    p.exec("CREATE TABLE version(table_name TEXT, table_version INTEGER); INSERT INTO version VALUES('pua',12);"
           "CREATE TABLE pua(id INTEGER PRIMARY KEY, pres_uri TEXT)");
  }
  refuses("does not fit");
}

TEST(sqlite_store, a_folder_or_a_missing_folder_is_refused) {
  path = dir.path();
  refuses("not a file");
  path = dir.file("no/such/folder.db");
  refuses("No such file");
}

TEST(sqlite_store, a_file_that_cannot_be_written_is_refused) {
  fill(1);
  chmod(path.c_str(), 0444);
  if (geteuid() != 0) {
    refuses("read-only");
    return;
  }
  // Root may write everything: look as somebody else, in a child.
  chmod(dir.path().c_str(), 0777);
  unlink((path + ".lock").c_str());
  pid_t child = fork();
  if (child == 0) {
    int rc = seteuid(65534) == 0 ? 0 : 2;
    SqliteOptions o;
    o.path = path;
    auto s = SqliteStore::open(o, log.log);
    if (s.ok() || !contains(s.error().message, "read-only") || !contains(s.error().message, path)) rc = 1;
    _exit(rc);
  }
  int status = 0;
  waitpid(child, &status, 0);
  LONGS_EQUAL(0, WEXITSTATUS(status));
}

TEST(sqlite_store, a_second_instance_in_this_process_is_refused) {
  auto first = open();
  refuses("another instance in this process");
  Caller c(*first);
  LONGS_EQUAL(static_cast<int>(WriteResult::Ok), static_cast<int>(c.put(row_of(1))));  // the first one goes on
}

TEST(sqlite_store, a_second_process_is_refused_by_the_pid_of_the_first) {
  int ready[2], done[2];
  LONGS_EQUAL(0, pipe(ready) | pipe(done));
  pid_t child = fork();
  if (child == 0) {
    SqliteOptions o;
    o.path = path;
    auto s = SqliteStore::open(o, log.log);
    char c = s.ok() ? 'y' : 'n';
    if (write(ready[1], &c, 1) != 1 || read(done[0], &c, 1) != 1) _exit(1);
    _exit(0);
  }
  char c = 0;
  LONGS_EQUAL(1, read(ready[0], &c, 1));
  LONGS_EQUAL('y', c);
  refuses(("in use by process " + std::to_string(child)).c_str());
  LONGS_EQUAL(1, write(done[1], &c, 1));
  waitpid(child, nullptr, 0);
  open();  // gone without closing: its claim went with it
  for (int fd : {ready[0], ready[1], done[0], done[1]}) close(fd);
}

TEST(sqlite_store, another_name_of_the_same_file_is_the_same_file) {
  auto first = open();
  std::string link = dir.file("link.db");
  LONGS_EQUAL(0, symlink(path.c_str(), link.c_str()));
  SqliteOptions o;
  o.path = link;
  CHECK_FALSE(SqliteStore::open(o, log.log).ok());
}

TEST(sqlite_store, a_closed_store_can_be_opened_again) {
  open();
  open();
}

TEST(sqlite_store, others_may_read_while_it_runs) {
  auto s = open();
  Caller c(*s);
  c.put(row_of(1));
  OtherProgram p(path);
  LONGS_EQUAL(1, p.number("SELECT count(*) FROM pua"));
  LONGS_EQUAL(static_cast<int>(WriteResult::Ok), static_cast<int>(c.put(row_of(2))));
}

TEST(sqlite_store, a_lock_held_by_another_program_is_reported_at_once_and_nothing_is_lost) {
  auto s = open();
  QueueRig rig;
  rig.queue = std::make_unique<WriteBehind>(*s, log.log, WriteBehindPolicy{}, nullptr);
  rig.queue->attach(&rig);
  OtherProgram p(path);
  p.exec("BEGIN IMMEDIATE");
  rig.change_range(1, 5, Lane::Fast);
  rig.advance(1000);
  CHECK(rig.stats().down);
  CHECK(rig.stats().flush_max_ms < 1000);  // no waiting in the loop
  CHECK(log.has("locked by another process"));
  LONGS_EQUAL(5, rig.stats().backlog);
  for (int64_t id = 1; id <= 5; id++) LONGS_EQUAL(1, rig.acks(id, false));  // no caller hangs on it
  p.exec("ROLLBACK");
  rig.advance(1200);
  CHECK(rig.queue->clean());
  LONGS_EQUAL(5, p.number("SELECT count(*) FROM pua"));
}

TEST(sqlite_store, a_lock_held_at_open_is_reported_at_once) {
  {
    OtherProgram p(path);
    p.exec("CREATE TABLE x(a)");
    p.exec("BEGIN EXCLUSIVE");
    refuses("locked by another process");
  }
  open();
}

TEST(sqlite_store, a_full_disk_stops_no_row_from_being_written_later) {
  auto s = open();
  QueueRig rig;
  rig.queue = std::make_unique<WriteBehind>(*s, log.log, WriteBehindPolicy{}, nullptr);
  rig.queue->attach(&rig);
  sqlite3_exec(s->handle(), "PRAGMA max_page_count=40", nullptr, nullptr, nullptr);
  for (int64_t id = 1; id <= 400; id++) rig.rec(id).body = std::string(900, 'x');
  rig.change_range(1, 400, Lane::Fast);
  rig.advance(1000);
  CHECK(rig.stats().down);
  CHECK(log.has("the disk is full"));
  CHECK(log.has(path));
  for (const Stored& c : rig.calls) CHECK(!c.ok || c.id < 400);
  rig.advance(20000);
  LONGS_EQUAL(400 - rig.stats().rows_written, rig.stats().backlog);
  sqlite3_exec(s->handle(), "PRAGMA max_page_count=1000000", nullptr, nullptr, nullptr);
  rig.advance(60000);
  CHECK(rig.queue->clean());
  OtherProgram p(path);
  LONGS_EQUAL(400, p.number("SELECT count(*) FROM pua"));
}

TEST(sqlite_store, a_file_size_limit_is_told_as_a_full_disk_and_what_was_committed_can_be_read_under_it) {
  pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    size_t committed = 0;
    {
      auto s = open();
      struct rlimit tiny = {400000, 400000};
      setrlimit(RLIMIT_FSIZE, &tiny);
      Caller c(*s);
      while (c.put(row_of(static_cast<int64_t>(committed) + 1, 1, std::string(900, 'x'))) == WriteResult::Ok) committed++;
      if (!c.down || !contains(c.error, "the disk is full") || !contains(c.error, path)) _exit(1);
      if (c.load_all().size() != committed) _exit(2);
      s->run(0);
      s->run(2000);
    }
    SqliteOptions o;
    o.path = path;
    auto again = SqliteStore::open(o, log.log);
    if (!again.ok()) _exit(3);
    Caller c(**again);
    _exit(committed > 20 && c.load_all().size() == committed ? 0 : 4);
  }
  int status = 0;
  waitpid(child, &status, 0);
  LONGS_EQUAL(0, WEXITSTATUS(status));
}

TEST(sqlite_store, a_full_disk_at_creation_is_an_error) {
  pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit tiny = {9000, 9000};
    setrlimit(RLIMIT_FSIZE, &tiny);
    SqliteOptions o;
    o.path = path;
    auto s = SqliteStore::open(o, log.log);
    _exit(!s.ok() && contains(s.error().message, path) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  LONGS_EQUAL(0, WEXITSTATUS(status));
}

TEST(sqlite_store, a_row_that_a_rule_of_the_database_refuses_does_not_harm_the_others) {
  auto s = open();
  sqlite3_exec(s->handle(),
               "CREATE TRIGGER no BEFORE INSERT ON pua WHEN new.pres_id='bad' BEGIN SELECT RAISE(ABORT,'not that one'); END",
               nullptr, nullptr, nullptr);
  Caller c(*s);
  Caller::Batch b;
  for (int64_t id : {1, 2, 3}) {
    b.rows.emplace_back(RowOp::Upsert, with(row_of(id), [&](Row& r) { r.pres_id = r.id == 2 ? "bad" : "good"; }));
  }
  c.write(b);
  LONGS_EQUAL(static_cast<int>(WriteResult::BadRow), static_cast<int>(c.results[1]));
  CHECK(contains(c.error, "not that one"));
  CHECK_FALSE(c.down);
  LONGS_EQUAL(2, c.load_all().size());
}

TEST(sqlite_store, a_batch_whose_transaction_ends_early_counts_as_not_written) {
  auto s = open();
  sqlite3_exec(s->handle(),
               "CREATE TRIGGER no BEFORE INSERT ON pua WHEN new.pres_id='bad' BEGIN SELECT RAISE(ROLLBACK,'all of it'); END",
               nullptr, nullptr, nullptr);
  Caller c(*s);
  Caller::Batch b;
  for (int64_t id : {1, 2, 3}) {
    b.rows.emplace_back(RowOp::Upsert, with(row_of(id), [&](Row& r) { r.pres_id = r.id == 2 ? "bad" : "good"; }));
  }
  c.write(b);
  for (WriteResult r : c.results) CHECK(r == WriteResult::FailedRetry || r == WriteResult::Deferred);
  CHECK(c.down);
  LONGS_EQUAL(0, c.load_all().size());
}

TEST(sqlite_store, a_write_turn_is_bounded) {
  auto s = open();
  Caller c(*s);
  Caller::Batch b;
  std::string body(16000, 'x');
  for (int64_t id = 1; id <= 192; id++) b.rows.emplace_back(RowOp::Upsert, row_of(id, 1, body));
  c.write(b);
  size_t deferred = 0;
  for (WriteResult r : c.results) deferred += r == WriteResult::Deferred;
  CHECK(deferred > 0);
  CHECK(deferred < 192);
  CHECK(c.results[0] == WriteResult::Ok);
  LONGS_EQUAL(192 - deferred, c.load_all().size());
}

TEST(sqlite_store, large_rows_make_short_pages_and_all_come) {
  std::string body(16000, 'x');
  fill(300, body);
  auto s = open();
  Caller c(*s);
  LONGS_EQUAL(300, c.load_all(500).size());
  CHECK(c.pages > 3);
}

TEST(sqlite_store, the_log_is_folded_into_the_file_in_steps) {
  auto s = open();
  Caller c(*s);
  auto nothing_to_fold = [&] { return s->next_due() >= 1000; };   // a look at the file is all that is due
  CHECK(nothing_to_fold());
  std::string body(3000, 'x');
  int64_t id = 0;
  while (nothing_to_fold() && id < 1000) c.put(row_of(++id, 1, body));
  CHECK(id < 1000);
  LONGS_EQUAL(0, s->next_due());
  s->run(500);
  CHECK(nothing_to_fold());
  CHECK(read_file(path).size() > 30 * 4096);
  for (int i = 0; i < 20; i++) {  // the log is used again from its beginning
    while (nothing_to_fold()) c.put(row_of(++id, 1, body));
    s->run(500);
  }
  CHECK(std::filesystem::file_size(path + "-wal") < 2 * 1024 * 1024);
}

TEST(sqlite_store, a_reader_that_stays_makes_the_log_wait_and_not_the_loop) {
  auto s = open();
  Caller c(*s);
  c.put(row_of(1));
  OtherProgram p(path);
  p.exec("BEGIN; SELECT count(*) FROM pua");
  std::string body(3000, 'x');
  for (int64_t id = 2; id < 300; id++) c.put(row_of(id, 1, body));
  s->run(5000);
  CHECK(s->next_due() > 5000);
  LONGS_EQUAL(299, c.load_all().size());
  p.exec("COMMIT");
  MonoMs due = s->next_due();
  s->run(due);
  CHECK(s->next_due() >= due + 1000);
}

TEST(sqlite_store, what_was_reported_committed_is_there_after_sigkill) {
  for (int round = 0; round < 4; round++) {
    std::string file = dir.file("kill" + std::to_string(round) + ".db");
    int report[2];
    LONGS_EQUAL(0, pipe(report));
    pid_t child = fork();
    if (child == 0) {
      close(report[0]);
      SqliteOptions o;
      o.path = file;
      o.synchronous_full = round == 3;
      auto s = SqliteStore::open(o, log.log);
      if (!s.ok()) _exit(1);
      Caller c(**s);
      for (uint32_t v = 1;; v++) {
        Caller::Batch b;
        for (int64_t id = 1; id <= 40; id++) {
          // Every third version deletes some rows: what was removed must not come back.
          bool gone = v % 3 == 0 && id % 4 == 0;
          b.rows.emplace_back(gone ? RowOp::Delete : RowOp::Upsert, row_of(id, v, std::string(500, 'x')));
        }
        c.write(b);
        for (WriteResult r : c.results) {
          if (r != WriteResult::Ok && r != WriteResult::Deferred) _exit(2);
        }
        for (size_t i = 0; i < c.results.size(); i++) {
          if (c.results[i] == WriteResult::Deferred) continue;
          uint32_t line[2] = {static_cast<uint32_t>(b.rows[i].second.row().id),
                              b.rows[i].first == RowOp::Delete ? v | 0x80000000u : v};
          if (write(report[1], line, sizeof line) != sizeof line) _exit(3);
        }
        if ((*s)->next_due() == 0) (*s)->run(1);
      }
    }
    close(report[1]);
    std::map<int64_t, uint32_t> committed;
    uint32_t line[2];
    for (int n = 0; n < (round == 3 ? 600 : 3000 + round * 700) && read(report[0], line, sizeof line) == sizeof line; n++) committed[line[0]] = line[1];
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    while (read(report[0], line, sizeof line) == sizeof line) committed[line[0]] = line[1];
    close(report[0]);

    path = file;
    auto s = open();
    Caller c(*s);
    std::map<int64_t, uint32_t> found;
    for (const StoredRow& r : c.load_all()) found[r.row().id] = r.row().record_version;
    LONGS_EQUAL(40, committed.size());
    for (auto [id, v] : committed) {
      bool gone = (v & 0x80000000u) != 0;
      v &= 0x7fffffffu;
      if (found.count(id)) CHECK(found[id] > v || (found[id] == v && !gone));
      else CHECK(gone || (v + 1) % 3 == 0);  // absent: deleted then, or by the batch that was cut off
    }
  }
}

TEST(sqlite_store, full_synchronous_writes_too) {
  auto s = open("pua", true);
  Caller c(*s);
  LONGS_EQUAL(static_cast<int>(WriteResult::Ok), static_cast<int>(c.put(row_of(1))));
}
