#include "store/sqlite_watch.h"

#include <sys/random.h>

#include <cstdlib>
#include <vector>

#include "store/mono.h"
#include "store/sqlite_calls.h"

namespace pua {

namespace {

uint64_t drawn() {
  uint64_t n = 0;
  if (getrandom(&n, sizeof n, 0) != static_cast<ssize_t>(sizeof n)) n = static_cast<uint64_t>(steady_us());
  return n;
}

// One number of one row. SQLITE_OK, or what went wrong.
template <class N>
int number(const SqliteStmt& st, N& value) {
  int rc = sqlite3_step(st.get());
  if (rc == SQLITE_ROW) value = static_cast<N>(sqlite3_column_int64(st.get(), 0));
  sqlite3_reset(st.get());
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

std::optional<WriteCount> count_of(const std::string& line) {
  std::optional<WritesLine> l = WritesLine::of(line);
  if (!l) return {};
  return l->at;
}

}  // namespace

SqliteWatch::SqliteWatch(SqliteDb& db, const std::string& table)
    : db_(db), place_(db.name(), db.path()), log_(db.handle()), table_(table), mark_(drawn()) {}

Status SqliteWatch::prepare() {
  std::string meta = "\"" + table_ + "_meta\"";
  struct { SqliteStmt& st; std::string sql;
  } list[] = {{begin_, "BEGIN IMMEDIATE"},
              {commit_, "COMMIT"},
              {rollback_, "ROLLBACK"},
              {data_version_, "PRAGMA data_version"},
              {schema_version_, "PRAGMA schema_version"},
              {user_version_, "PRAGMA user_version"},
              {root_, "SELECT rootpage FROM sqlite_schema WHERE type='table' AND name='" + table_ + "_meta' COLLATE NOCASE"},
              {line_, "SELECT value FROM " + meta + " WHERE name='writes'"},
              {set_line_, "INSERT OR REPLACE INTO " + meta + " (name,value) VALUES ('writes',?1)"}};
  for (auto& e : list) {
    Result<SqliteStmt> st = db_.prepare(e.sql);
    if (!st) return st.error();
    e.st = std::move(*st);
  }
  if (int rc = read_layout(); rc != SQLITE_OK) return db_.error(rc);
  if (layout_.number == 0) {
    // It goes into the file itself at once, for the first line in the log says what the file has.
    (void)db_.exec(("PRAGMA user_version=" + std::to_string(1 + drawn() % INT32_MAX)).c_str());
    before_checkpoint();
    sqlite3_wal_checkpoint_v2(db_.handle(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  }
  Result<std::string> line = db_.value(("SELECT value FROM " + meta + " WHERE name='writes'").c_str());
  if (!line) return line.error();
  expected_ = *line;
  if (int rc = number(data_version_, seen_data_); rc != SQLITE_OK) return db_.error(rc);
  if (int rc = read_layout(); rc != SQLITE_OK) return db_.error(rc);
  // Where somebody else holds the lock, the first write does it.
  if (first_line() != SQLITE_OK && sqlite3_get_autocommit(db_.handle()) == 0) run_once(rollback_);
  checkpointed();
  return success();
}

int SqliteWatch::first_line() {
  int rc = run_once(begin_);
  if (rc == SQLITE_OK) rc = begin();
  if (rc == SQLITE_OK) rc = count();
  if (rc == SQLITE_OK) rc = run_once(commit_);
  if (rc == SQLITE_OK) committed();
  return rc;
}

// --- the tables ----------------------------------------------------------------------------------

int SqliteWatch::begin() {
  int64_t data = 0;
  if (int rc = number(data_version_, data); rc != SQLITE_OK) return rc;
  if (data == seen_data_) return SQLITE_OK;
  int rc = compare();
  if (rc == SQLITE_OK) seen_data_ = data;
  return rc;
}

int SqliteWatch::ask() { return begin(); }

int SqliteWatch::read_layout() {
  int rc = number(schema_version_, layout_.cookie);
  if (rc == SQLITE_OK) rc = number(user_version_, layout_.number);
  return rc == SQLITE_OK ? number(root_, page_) : rc;
}

int SqliteWatch::compare() {
  uint32_t cookie = layout_.cookie;
  int rc = read_layout();
  if (rc != SQLITE_OK) return rc;
  rc = sqlite3_step(line_.get());
  std::string line = rc == SQLITE_ROW ? std::string(column_octets(line_.get(), 0)) : std::string();
  sqlite3_reset(line_.get());
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  if (layout_.cookie != cookie || line != expected_) other_ = true;
  expected_ = line;
  return SQLITE_OK;
}

// Names the line before, unless that is the one that we have written last: somebody else's stands in the file then, or will
// when their log is folded.
std::string SqliteWatch::next_line() const {
  WritesLine l{{mark_, count_ + 1}, layout_, {}};
  if (count_ == 0 || expected_ != ours_) l.after.push_back(count_of(expected_));
  if (count_ != 0 && expected_ != ours_) l.after.push_back(count_of(ours_));
  return l.text();
}

int SqliteWatch::count() {
  if (!counting_) return SQLITE_OK;
  std::string text = next_line();
  bind_octets(set_line_.get(), 1, text);
  int rc = run_once(set_line_);
  if (damaged(rc)) {  // the line's page cannot be written: the rows are, without being counted
    counting_ = false;
    return SQLITE_OK;
  }
  return rc;
}

void SqliteWatch::committed() {
  other_log_ = !log_.committed() || other_log_;
  place_.remember_log();
  if (!counting_) return;
  expected_ = ours_ = next_line();
  count_++;
}

// --- the file and its log ------------------------------------------------------------------------

SqlitePlace::Change SqliteWatch::look() {
  SqlitePlace::Change change = place_.look();
  if (change != SqlitePlace::Change::None && change != SqlitePlace::Change::Written) return change;
  if (other_log_) return SqlitePlace::Change::LogOther;
  if (!place_.log_written()) return change;
  if (!log_.sound(place_.log_path()))
    return place_.log_shorter() ? SqlitePlace::Change::LogGone : SqlitePlace::Change::LogOther;
  place_.remember_log();
  return change;
}

// Reads the file itself, whatever the log holds. It uses SQLite's own descriptor, for closing another one would end SQLite's
// locks.
bool SqliteWatch::read_file(uint64_t at, void* to, size_t n) const {
  sqlite3_file* f = nullptr;
  if (sqlite3_file_control(db_.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || !f || !f->pMethods)
    return false;
  return f->pMethods->xRead(f, to, static_cast<int>(n), static_cast<sqlite3_int64>(at)) == SQLITE_OK;
}

std::optional<WriteCount> SqliteWatch::count_in_file() const {
  uint32_t size = 0;
  DbLayout layout;
  auto read = [this](uint64_t at, void* to, size_t n) { return read_file(at, to, n); };
  if (page_ == 0 || !layout_of(read, size, layout)) return {};
  std::vector<unsigned char> page(size);
  if (!read_file(uint64_t{page_ - 1} * size, page.data(), size)) return {};
  std::optional<WritesLine> line = line_on_page(page.data(), size);
  if (!line) return {};
  return line->at;
}

// A checkpoint only brings into the file what the log holds, and takes nothing back that was in it. What was folded before is
// to be there: SQLite reads it from the file.
bool SqliteWatch::same_after_all() {
  WalLog log;
  if (!WalLog::read(place_.log_path(), log, log_.folded()) || !log_.whole(place_.log_path())) return false;
  auto read = [this](uint64_t at, void* to, size_t n) { return read_file(at, to, n); };
  std::optional<WriteCount> there = count_in_file(), ours = count_of(expected_);
  uint32_t size = 0;
  DbLayout layout;
  bool same = false;
  if (log.runs.empty() || !counting_) {
    same = layout_of(read, size, layout) && layout == layout_ && (!counting_ || there == ours);
  } else if (fits(log, read) == WalFit::Belongs && log.last() == ours) {
    auto position = [&](const std::optional<WriteCount>& c) { return c ? log.position(*c) : int64_t{-1}; };
    same = position(there) >= position(log.folded) && position(there) >= position(base_);
  }
  if (same) checkpointed();
  return same;
}

void SqliteWatch::before_checkpoint() {
  SqliteNote n = SqliteNote::now(db_.path());
  n.folding = true;
  db_.claim().note(n);
}

void SqliteWatch::checkpointed() {
  place_.remember();
  log_.remember();
  base_ = count_in_file();
  db_.claim().note(SqliteNote::now(db_.path()));
}

}  // namespace pua
