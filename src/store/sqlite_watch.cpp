#include "store/sqlite_watch.h"

#include <sys/random.h>

#include <cstdio>
#include <cstdlib>

#include "store/mono.h"
#include "store/sqlite_calls.h"

namespace pua {

namespace {

std::string new_mark() {
  unsigned long long n = 0;
  if (getrandom(&n, sizeof n, 0) != static_cast<ssize_t>(sizeof n)) n = static_cast<unsigned long long>(steady_us());
  char buf[20];
  snprintf(buf, sizeof buf, "%016llx", n);
  return buf;
}

// One number of one row. SQLITE_OK, or what went wrong.
int number(const SqliteStmt& st, int64_t& value) {
  int rc = sqlite3_step(st.get());
  if (rc == SQLITE_ROW) value = sqlite3_column_int64(st.get(), 0);
  sqlite3_reset(st.get());
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

}  // namespace

SqliteWatch::SqliteWatch(SqliteDb& db, const std::string& table) : db_(db), place_(db.path()), table_(table), mark_(new_mark()) {}

Status SqliteWatch::prepare() {
  std::string meta = "\"" + table_ + "_meta\"";
  struct { SqliteStmt& st; std::string sql; } list[] = {
      {data_version_, "PRAGMA data_version"},
      {schema_version_, "PRAGMA schema_version"},
      {line_, "SELECT value FROM " + meta + " WHERE name='writes'"},
      {set_line_, "INSERT OR REPLACE INTO " + meta + " (name,value) VALUES ('writes',?1)"}};
  for (auto& e : list) {
    Result<SqliteStmt> st = db_.prepare(e.sql);
    if (!st) return st.error();
    e.st = std::move(*st);
  }
  Result<std::string> line = db_.value(("SELECT value FROM " + meta + " WHERE name='writes'").c_str());
  if (!line) return line.error();
  expected_ = *line;
  std::string first = text_of(0);
  bind_octets(set_line_.get(), 1, first);
  if (run_once(set_line_) == SQLITE_OK) expected_ = first;
  for (auto [st, value] : {std::pair(&data_version_, &seen_data_), std::pair(&schema_version_, &seen_schema_)}) {
    if (int rc = number(*st, *value); rc != SQLITE_OK) return db_.error(rc);
  }
  // A new file has all of it in its log, and could not be told from others.
  if (!line_in_file(db_.path(), table_, base_))
    sqlite3_wal_checkpoint_v2(db_.handle(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  checkpointed(false);
  return success();
}

// --- the tables ----------------------------------------------------------------------------------

int SqliteWatch::begin() {
  look_at_log();
  int64_t data = 0;
  if (int rc = number(data_version_, data); rc != SQLITE_OK) return rc;
  if (data == seen_data_) return SQLITE_OK;
  int rc = compare();
  if (rc == SQLITE_OK) seen_data_ = data;
  return rc;
}

int SqliteWatch::ask() { return begin(); }

int SqliteWatch::compare() {
  int64_t schema = 0;
  int rc = number(schema_version_, schema);
  if (rc != SQLITE_OK) return rc;
  rc = sqlite3_step(line_.get());
  std::string line = rc == SQLITE_ROW ? std::string(column_octets(line_.get(), 0)) : std::string();
  sqlite3_reset(line_.get());
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  if (schema != seen_schema_ || line != expected_) other_ = true;
  seen_schema_ = schema;
  expected_ = line;
  return SQLITE_OK;
}

int SqliteWatch::count() {
  if (!counting_) return SQLITE_OK;
  std::string text = text_of(count_ + 1);
  bind_octets(set_line_.get(), 1, text);
  int rc = run_once(set_line_);
  if (damaged(rc)) {  // the line's page cannot be written: the rows are, without being counted
    counting_ = false;
    return SQLITE_OK;
  }
  return rc;
}

void SqliteWatch::committed() {
  place_.remember_log();
  folded_ = folded();   // the log may have begun anew
  if (!counting_) return;
  count_++;
  expected_ = text_of(count_);
}

// --- the file ------------------------------------------------------------------------------------

// How many pages of the log are in the file, of the index that all connections share.
uint32_t SqliteWatch::folded() const {
  sqlite3_file* f = nullptr;
  void volatile* index = nullptr;
  constexpr int kIndexOctets = 32768;
  if (sqlite3_file_control(db_.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || !f || !f->pMethods) return 0;
  if (f->pMethods->iVersion < 2 || f->pMethods->xShmMap(f, 0, kIndexOctets, 0, &index) != SQLITE_OK || !index) return 0;
  return static_cast<uint32_t volatile*>(index)[kFoldedAt / sizeof(uint32_t)];
}

void SqliteWatch::look_at_log() {
  uint32_t n = folded();
  if (n != folded_) folded_by_others_ = true;
  folded_ = n;
}

// Another program's checkpoint, or nothing but another time: what is in the file is ours.
bool SqliteWatch::same_after_all() {
  look_at_log();
  std::string line;
  bool ours = folded_by_others_ || (line_in_file(db_.path(), table_, line) && (line == base_ || line == expected_));
  if (ours) checkpointed(false);
  return ours;
}

void SqliteWatch::before_checkpoint() { db_.claim().note({}); }

void SqliteWatch::checkpointed(bool whole) {
  place_.remember();
  folded_ = folded();
  folded_by_others_ = false;
  if (whole && counting_) base_ = expected_;
  else (void)line_in_file(db_.path(), table_, base_);
  SqliteNote n;
  n.file = place_.remembered();
  n.log = place_.log();
  n.folded = folded_;
  n.boot = this_boot();
  n.table = table_;
  n.base = base_;
  db_.claim().note(n);
}

}  // namespace pua
