#include "store/sqlite_store.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "store/columns.h"
#include "store/mono.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_schema.h"

namespace pua {

namespace {

// A write turn: rows go in for this long or this many octets, then the commit follows and takes about as long again
// for rows that lie all over the file (each page is written to the WAL).
constexpr int64_t kRowsUs = 1000;
constexpr size_t kTurnBytes = 384 * 1024;
// A page of rows ends early when it took this long (cold disk) or holds that much.
constexpr int64_t kPageUs = 3000;
constexpr size_t kPageBytes = 1024 * 1024;
// WAL pages that are folded into the file in one step. Two fsyncs a step, so not too few; 1-2 ms on a quick disk.
constexpr int kCheckpointPages = 128;
constexpr MonoMs kCheckpointRetryMs = 1000;
// A file up to this size is checked as a whole at open (some 10 ms). Damage in a larger one is found when it is read.
constexpr int64_t kCheckBytes = 8 * 1024 * 1024;
// So many rows in a row that stand on damaged pages are named one by one; after that the queue's own search goes on,
// which takes a store that refuses everything for down.
constexpr uint32_t kDamagedRows = 64;

const std::string kKeyIs = "pres_uri=?1 AND event=?2 AND flag=?3 AND pres_id=?4 AND watcher_uri=?5 AND to_uri=?6";

void bind_key(sqlite3_stmt* st, const Row& r) {
  bind_text(st, 1, r.pres_uri);
  sqlite3_bind_int64(st, 2, r.event);
  sqlite3_bind_int64(st, 3, r.flag);
  bind_text(st, 4, r.pres_id);
  bind_text(st, 5, r.watcher_uri);
  bind_text(st, 6, r.to_uri);
}

std::string columns_sql() {
  std::string out;
  for (const Column& c : kColumns) out += (out.empty() ? "" : ",") + std::string(c.name);
  return out;
}

std::string upsert_sql(const std::string& t) {
  std::string values, set;
  for (int i = 0; i < kColumnCount; i++) {
    values += (i ? ",?" : "?") + std::to_string(i + 1);
    ColumnKind k = kColumns[i].kind;
    if (k == ColumnKind::Id || k == ColumnKind::KeyText || k == ColumnKind::KeyInt) continue;
    set += (set.empty() ? "" : ",") + std::string(kColumns[i].name) + "=excluded." + kColumns[i].name;
  }
  return "INSERT INTO \"" + t + "\" (" + columns_sql() + ") VALUES (" + values + ") ON CONFLICT(id) DO UPDATE SET " + set +
         " WHERE (excluded.owner_epoch,excluded.record_version,excluded.node)>=(owner_epoch,record_version,node)";
}

}  // namespace

SqliteStore::SqliteStore(SqliteDb db, const SqliteOptions& o, Log& log)
    : db_(std::move(db)), table_(o.table), log_(log), options_(o) {}

SqliteStore::~SqliteStore() {
  if (!watch_) return;
  SqlitePlace::Change change = watch_->look();
  bool ours = change == SqlitePlace::Change::None || (change == SqlitePlace::Change::Written && watch_->same_after_all());
  if (ours) {
    watch_->before_checkpoint();  // closing makes the last one
    return;
  }
  close_statements();
  db_.abandon();  // the next start finds out what belongs together
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& o, Log& log, StoreLoop loop) {
  Result<SqliteDb> db = SqliteDb::open(o.path);
  if (!db) return db.error();
  std::unique_ptr<SqliteStore> s(new SqliteStore(std::move(*db), o, log));
  s->alarm_ = FileAlarm::create(std::move(loop), [store = s.get()] { store->look_at_ = 0; });
  if (Status st = s->start(); !st) return st.error();
  s->page_text_.reserve(kPageBytes);
  return s;
}

Status SqliteStore::start() {
  if (!db_.notice().empty()) log_.warning("store: %s", db_.notice().c_str());
  if (Status st = check_sound(); !st) return st;
  if (Status st = prepare_schema(db_, table_); !st) return st;
  if (Status st = configure(); !st) return st;
  if (Status st = prepare_statements(); !st) return st;
  watch_.emplace(db_, table_);
  if (Status st = watch_->prepare(); !st) return st;
  journal_.emplace(db_, *watch_, log_, table_, options_.journal);
  if (Status st = journal_->prepare(); !st) return st;
  wal_frames_ = wal_folded_ = 0;
  // Of a link that is turned to another place, the kernel says nothing.
  watched_ = alarm_ && db_.name() == db_.path() &&
             alarm_->watch({db_.path(), watch_->place().log_path(), watch_->place().index_path()});
  sqlite3_wal_hook(db_.handle(), &SqliteStore::on_commit, this);
  return success();
}

// Reads only: what is no database, or a damaged one, must be refused before anything in it is changed.
Status SqliteStore::check_sound() {
  Result<std::string> size = db_.value("SELECT page_count*page_size FROM pragma_page_count, pragma_page_size");
  if (!size) return size.error();
  if (strtoll(size->c_str(), nullptr, 10) > kCheckBytes) return success();
  Result<std::string> sound = db_.value("PRAGMA quick_check(1)");
  if (!sound) return sound.error();
  if (*sound == "ok") return success();
  return {Errc::store_failed, db_.path() + ": the database is damaged: " + sound->substr(0, 200)};
}

Status SqliteStore::configure() {
  sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  Result<std::string> mode = db_.value("PRAGMA journal_mode=WAL");
  if (!mode) return mode.error();
  if (*mode != "wal") return {Errc::store_failed, db_.path() + ": its file system cannot hold a write-ahead log"};
  std::string cache = "PRAGMA cache_size=-" + std::to_string(options_.cache_mb * 1024);
  for (const char* sql :
       {options_.synchronous_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", cache.c_str(),
        "PRAGMA wal_autocheckpoint=0",  // run() does it, in a turn of its own
        "PRAGMA journal_size_limit=67108864",   // a WAL that grew while somebody read the file gets small again
        "PRAGMA mmap_size=0",           // a page fault is a stall that nothing can bound
        "PRAGMA secure_delete=OFF",     // Debian's default writes zeros over every changed row
        "PRAGMA temp_store=MEMORY"}) {
    if (Status s = db_.exec(sql); !s) return s;
  }
  return success();
}

Status SqliteStore::prepare_statements() {
  std::string t = "\"" + table_ + "\"", meta = "\"" + table_ + "_meta\"";
  struct { SqliteStmt& st; std::string sql;
  } list[] = {{begin_, "BEGIN IMMEDIATE"},
              {commit_, "COMMIT"},
              {rollback_, "ROLLBACK"},
              {upsert_, upsert_sql(table_)},
              {delete_, "DELETE FROM " + t + " WHERE id=?1 AND (owner_epoch,record_version,node)<=(?2,?3,?4)"},
              {exists_, "SELECT 1 FROM " + t + " WHERE id=?1"},
              {find_key_, "SELECT id,owner_epoch FROM " + t + " WHERE " + kKeyIs},
              {find_row_, "SELECT m.top," + columns_sql() + " FROM (SELECT MAX(id) AS top FROM " + t +
                              " WHERE id<=?7) m LEFT JOIN " + t + " ON " + kKeyIs},
              {load_, "SELECT " + columns_sql() + " FROM " + t + " WHERE id>?1 ORDER BY id LIMIT ?2"},
              {get_meta_, "SELECT value FROM " + meta + " WHERE name=?1"},
              {set_meta_, "INSERT OR REPLACE INTO " + meta + " (name,value) VALUES (?1,?2)"}};
  for (auto& e : list) {
    Result<SqliteStmt> st = db_.prepare(e.sql);
    if (!st) return {Errc::store_failed, st.error().message + " (table '" + table_ + "' does not fit this build)"};
    e.st = std::move(*st);
  }
  return success();
}

// --- writing -------------------------------------------------------------------------------------

void SqliteStore::bind(const Row& r) {
  sqlite3_stmt* st = upsert_.get();
  int at = 0;
  // Values stay where they are until the statement was run: nothing is copied here.
  auto put_number = [&](ColumnKind, int64_t v) { sqlite3_bind_int64(st, ++at, v); };
  auto put_text = [&](ColumnKind kind, std::string_view v) {
    at++;
    if (v.empty() && kind != ColumnKind::KeyText) sqlite3_bind_null(st, at);
    else if (kind == ColumnKind::Blob) sqlite3_bind_blob(st, at, v.data(), static_cast<int>(v.size()), SQLITE_STATIC);
    else bind_text(st, at, v);
  };
  for_each_column(r, put_number, put_text);
}

int SqliteStore::upsert(const Row& r, WriteResult& out) {
  bind(r);
  int rc = run_once(upsert_);
  if (rc == SQLITE_CONSTRAINT_UNIQUE) return upsert_over_other_id(r, out);
  if (rc == SQLITE_OK) out = sqlite3_changes(db_.handle()) > 0 ? WriteResult::Ok : WriteResult::RefusedNewer;
  return rc;
}

// Another id holds the key. See store/adapter.h for which of the two stays.
int SqliteStore::upsert_over_other_id(const Row& r, WriteResult& out) {
  sqlite3_stmt* st = find_key_.get();
  bind_key(st, r);
  int rc = sqlite3_step(st);
  int64_t id = sqlite3_column_int64(st, 0), epoch = sqlite3_column_int64(st, 1);
  sqlite3_reset(st);
  if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_CONSTRAINT : rc;
  if (std::pair(r.owner_epoch, r.id) < std::pair(epoch, id)) {
    out = WriteResult::RefusedNewer;
    return SQLITE_OK;
  }
  st = delete_.get();
  sqlite3_bind_int64(st, 1, id);
  for (int i = 2; i <= 4; i++) sqlite3_bind_int64(st, i, INT64_MAX);
  rc = run_once(delete_);
  if (rc == SQLITE_OK) journal_->gone(id);
  if (rc == SQLITE_OK) rc = run_once(upsert_);  // still bound
  if (rc == SQLITE_OK) out = WriteResult::Ok;
  return rc;
}

int SqliteStore::remove(const Row& r, WriteResult& out) {
  sqlite3_stmt* st = delete_.get();
  sqlite3_bind_int64(st, 1, r.id);
  sqlite3_bind_int64(st, 2, r.owner_epoch);
  sqlite3_bind_int64(st, 3, r.record_version);
  sqlite3_bind_int64(st, 4, r.node);
  int rc = run_once(delete_);
  if (rc != SQLITE_OK) return rc;
  out = WriteResult::Ok;
  if (sqlite3_changes(db_.handle()) > 0) {
    journal_->gone(r.id);
    return rc;
  }
  sqlite3_bind_int64(exists_.get(), 1, r.id);  // not there, or newer?
  rc = sqlite3_step(exists_.get());
  sqlite3_reset(exists_.get());
  if (rc == SQLITE_ROW) out = WriteResult::RefusedNewer;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int SqliteStore::take_back(int rc) {
  row_error_ = db_.text(rc);
  row_named_ = true;
  if (sqlite3_get_autocommit(db_.handle()) == 0) run_once(rollback_);
  std::fill(results_.begin(), results_.end(), WriteResult::Deferred);
  return rc;
}

int SqliteStore::write_rows(RowSource& rows, int64_t start_us) {
  size_t bytes = 0;
  for (size_t i = 0; i < rows.size(); i++) {
    if (i > 0 && (bytes > kTurnBytes || steady_us() - start_us > kRowsUs)) break;
    Row r;
    RowOp op = rows.row(i, r);
    results_[i] = WriteResult::FailedRetry;
    if (op == RowOp::Narrow && journal_->takes()) {
      int rc = journal_->append(r);
      if (rc == SQLITE_OK) results_[i] = WriteResult::Ok;
      else if (!journal_->takes()) return take_back(rc);  // all go again, this one as a whole
      if (rc != SQLITE_OK) return rc;
      continue;
    }
    int rc = op == RowOp::Delete ? remove(r, results_[i]) : upsert(r, results_[i]);
    bytes += r.body.size() + r.pres_uri.size() + r.extra_headers.size();
    if (rc == SQLITE_OK) continue;
    if (damaged(rc) && ++damaged_rows_ <= kDamagedRows) {
      // The statement may have done half its work: all is taken back, and the others go again without this row.
      take_back(rc);
      results_[i] = WriteResult::BadRow;
      return rc;
    }
    // Some errors end the whole transaction: then no row of it may count as written.
    if (!row_fault(rc) || sqlite3_get_autocommit(db_.handle()) != 0) return rc;
    results_[i] = WriteResult::BadRow;
    if (row_error_.empty()) row_error_ = db_.text(rc);
  }
  return SQLITE_OK;
}

void SqliteStore::write(Lane lane, RowSource& rows, MonoMs now) {
  if (!can_be_used(now) || place_ != Place::Ours || (full_ && !look(now))) return refuse(lane, rows, now);
  results_.assign(rows.size(), WriteResult::Deferred);
  row_error_.clear();
  row_named_ = false;
  WriteReport report;
  report.lane = lane;
  int64_t start = steady_us();
  int rc = full_ ? checkpoint(now) : SQLITE_OK;
  if (rc == SQLITE_OK) rc = run_once(begin_);
  bool begun = rc == SQLITE_OK;
  if (begun) rc = watch_->begin();
  if (rc == SQLITE_OK) rc = write_rows(rows, start);
  bool damage = begun && damaged(rc);  // where the rows lie, not in all of the file
  if (rc == SQLITE_OK) rc = watch_->count();
  if (rc == SQLITE_OK) rc = run_once(commit_);
  if (rc == SQLITE_OK) damaged_rows_ = 0;
  if (rc == SQLITE_OK) watch_->committed();
  if (rc != SQLITE_OK && !row_named_) {
    row_error_ = db_.text(rc);
    report.down = !damage;
    full_ = full_ || disk_full(rc, db_);
    if (sqlite3_get_autocommit(db_.handle()) == 0) run_once(rollback_);
    for (WriteResult& r : results_) {
      if (r != WriteResult::Deferred) r = WriteResult::FailedRetry;
    }
  }
  journal_->ended(rc == SQLITE_OK, now);
  to_tell_ = watch_->other_tables() || to_tell_;
  if (!look(now)) {  // committed or not: into a file that is gone
    row_error_ = place_error_;
    report.down = true;
    for (WriteResult& r : results_) {
      if (r != WriteResult::Deferred) r = WriteResult::FailedRetry;
    }
  }
  report.took_us = steady_us() - start;
  report.results = results_;
  report.error = row_error_;
  if (sink_) sink_->on_written(report, now);
}

// --- reading -------------------------------------------------------------------------------------

// Column `at` and those behind it. The views point into `text`, which has room for them.
void SqliteStore::read_row(sqlite3_stmt* st, int at, Row& r, std::string& text) {
  auto take_text = [&](ColumnKind, std::string_view& v) {
    std::string_view octets = column_octets(st, at++);
    if (octets.empty()) return;
    size_t from = text.size();
    text.append(octets);
    v = std::string_view(text).substr(from);
  };
  auto take_number = [&](ColumnKind, auto& v) {
    v = fitting<std::remove_reference_t<decltype(v)>>(sqlite3_column_int64(st, at++));
  };
  for_each_column(r, take_number, take_text);
}

size_t SqliteStore::text_bytes(sqlite3_stmt* st, int first) {
  size_t bytes = 0;
  for (int i = 0; i < kColumnCount; i++) {
    ColumnKind k = kColumns[i].kind;
    if (k != ColumnKind::KeyText && k != ColumnKind::Text && k != ColumnKind::Blob) continue;
    bytes += static_cast<size_t>(sqlite3_column_bytes(st, first + i));
  }
  return bytes;
}

void SqliteStore::load(int64_t after, uint32_t limit, MonoMs now) {
  look_at_ = std::min(look_at_, now + kLookMs);
  if (!can_be_used(now)) return sink_ ? sink_->on_rows({}, false, place_error_, now) : void();
  page_.clear();
  page_text_.clear();
  journal_->know_all();
  int64_t start = steady_us();
  sqlite3_stmt* st = load_.get();
  sqlite3_bind_int64(st, 1, after);
  sqlite3_bind_int64(st, 2, limit);
  int rc;
  bool cut = false;
  while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
    const Row* line = journal_->find(sqlite3_column_int64(st, 0));
    size_t bytes = text_bytes(st, 0) + (line ? SqliteJournal::octets(*line) : 0);
    cut = !page_.empty() && (page_text_.size() + bytes > page_text_.capacity() || steady_us() - start > kPageUs);
    if (cut) break;
    page_text_.reserve(page_text_.size() + bytes);  // grows for a first row that is larger than a whole page only
    Row& r = page_.emplace_back();
    read_row(st, 0, r, page_text_);
    if (line) SqliteJournal::merge(*line, r, page_text_);
  }
  bool failed = !cut && rc != SQLITE_DONE;
  std::string error = failed && page_.empty() ? db_.text(rc) : std::string();
  sqlite3_reset(st);
  // What was read before a failure is good; the next page begins at the fault and reports it.
  bool last = !failed && !cut && page_.size() < limit;
  if (!sink_) return;
  if (!error.empty() && damaged(rc)) return sink_->on_unreadable(error, now);
  sink_->on_rows(page_, last, error, now);
}

void SqliteStore::find(const Row& key, MonoMs now) {
  if (!can_be_used(now)) return sink_ ? sink_->on_found(nullptr, 0, place_error_, now) : void();
  sqlite3_stmt* st = find_row_.get();
  bind_key(st, key);
  sqlite3_bind_int64(st, 7, kMaxCountedId);
  int rc = sqlite3_step(st);
  Row row;
  std::string text;
  bool found = rc == SQLITE_ROW && sqlite3_column_type(st, 1) != SQLITE_NULL;
  int64_t top = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
  if (found) {
    journal_->know_all();
    const Row* line = journal_->find(sqlite3_column_int64(st, 1));
    text.reserve(text_bytes(st, 1) + (line ? SqliteJournal::octets(*line) : 0));
    read_row(st, 1, row, text);
    if (line) SqliteJournal::merge(*line, row, text);
  }
  std::string error = rc == SQLITE_ROW ? std::string() : db_.text(rc);
  sqlite3_reset(st);
  if (sink_) sink_->on_found(found ? &row : nullptr, top, error, now);
}

// --- values beside the rows ----------------------------------------------------------------------

Result<std::string> SqliteStore::get_meta(std::string_view name) {
  if (place_ == Place::Away) return Error{Errc::store_failed, place_error_};
  sqlite3_stmt* st = get_meta_.get();
  bind_text(st, 1, name);
  int rc = sqlite3_step(st);
  std::string v;
  if (rc == SQLITE_ROW) {
    if (const void* p = sqlite3_column_blob(st, 0)) {
      v.assign(static_cast<const char*>(p), static_cast<size_t>(sqlite3_column_bytes(st, 0)));
    }
  }
  Error e = rc == SQLITE_ROW || rc == SQLITE_DONE ? Error{} : db_.error(rc);
  sqlite3_reset(st);
  if (!e.message.empty()) return e;
  return v;
}

Status SqliteStore::set_meta(std::string_view name, std::string_view value) {
  metas_.insert_or_assign(std::string(name), std::string(value));
  if (place_ == Place::Away) return {Errc::store_failed, place_error_};
  if (index_gone()) return {Errc::store_failed, db_.path() + ": " + SqlitePlace::text(SqlitePlace::Change::IndexGone)};
  sqlite3_stmt* st = set_meta_.get();
  bind_text(st, 1, name);
  bind_octets(st, 2, value);
  int rc = run_once(begin_);
  if (rc == SQLITE_OK) rc = watch_->begin();
  if (rc == SQLITE_OK) rc = run_once(set_meta_);
  if (rc == SQLITE_OK) rc = watch_->count();
  if (rc == SQLITE_OK) rc = run_once(commit_);
  to_tell_ = watch_->other_tables() || to_tell_;
  if (rc == SQLITE_OK) {
    watch_->committed();
    return success();
  }
  Error e = db_.error(rc);
  if (sqlite3_get_autocommit(db_.handle()) == 0) run_once(rollback_);
  return e;
}

// --- checkpoints ---------------------------------------------------------------------------------

int SqliteStore::on_commit(void* self, sqlite3*, const char*, int frames) {
  auto* s = static_cast<SqliteStore*>(self);
  if (frames < s->wal_frames_) s->wal_folded_ = 0;  // the log began anew
  s->wal_frames_ = frames;
  return SQLITE_OK;
}

MonoMs SqliteStore::checkpoint_due() const {
  if (full_) return checkpoint_at_;
  return wal_frames_ - wal_folded_ >= kCheckpointPages ? checkpoint_at_ : kNever;
}

MonoMs SqliteStore::next_due() const {
  if (place_ != Place::Ours) return settle_at_;
  if (to_tell_) return 0;
  if (full_) return checkpoint_due();
  return std::min({checkpoint_due(), journal_->next_due(), look_at_});
}

void SqliteStore::run(MonoMs now) {
  if (place_ != Place::Ours) return settle(now);
  if (to_tell_) return tell(now);
  bool work = checkpoint_due() <= now || journal_->next_due() <= now;
  if (look_at_ <= now || checkpoint_due() <= now) {
    if (!look(now)) return;
    if (!work && watch_->ask() == SQLITE_OK && watch_->other_tables()) return tell(now);
  }
  if (checkpoint_due() <= now) {
    checkpoint(now);
    return;
  }
  if (full_ || journal_->next_due() > now || !can_be_used(now)) return;
  journal_->run(now);
  to_tell_ = watch_->other_tables() || to_tell_;
  full_ = journal_->full();
  if (journal_->rows_missing() && sink_) sink_->on_rows_missing(now);
}

// SQLITE_OK also where somebody who reads the file keeps a part of the WAL back.
int SqliteStore::checkpoint(MonoMs now) {
  int frames = -1, folded = -1;
  watch_->before_checkpoint();
  int rc = sqlite3_wal_checkpoint_v2(db_.handle(), "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &folded);
  if (frames >= 0) {
    wal_frames_ = frames;
    wal_folded_ = folded;
  }
  watch_->checkpointed();
  if ((rc & 0xff) == SQLITE_BUSY) rc = SQLITE_OK;
  full_ = full_ && rc != SQLITE_OK;
  bool done = rc == SQLITE_OK && wal_frames_ - wal_folded_ < kCheckpointPages;
  checkpoint_at_ = done ? 0 : now + kCheckpointRetryMs;
  bool failed = rc != SQLITE_OK;
  if (failed && !checkpoint_failed_) log_.error("store: checkpoint, tried again each second: %s", db_.text(rc).c_str());
  if (!failed && checkpoint_failed_) log_.notice("store: checkpoints succeed again");
  checkpoint_failed_ = failed;
  return rc;
}

}  // namespace pua
