#include "store/sqlite_journal.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "store/columns.h"
#include "store/mono.h"
#include "store/sqlite_calls.h"

namespace pua {

namespace {

// A turn folds for that long; the commit takes about as long again where rows lie far apart. Between two turns there is time
// for everything else, unless more lines come in than are folded.
constexpr int64_t kFoldUs = 1000;
constexpr MonoMs kFoldPauseMs = 2;
constexpr MonoMs kRetryMs = 1000;
constexpr size_t kLinesATurn = 4096;       // found at start, put in order, or removed: about 1 ms
constexpr int64_t kEmptyLines = 32768;     // so many go at once, page by page, where nothing else is in the table
constexpr size_t kMostKept = 1024;
// The largest number of a line: JournalOrder doubles it, which still fits. At a million lines a second it is reached after
// 73,000 years: what stands beyond was not written by us.
constexpr int64_t kMostNumber = INT64_C(1) << 61;

auto order_of(const Row& r) { return std::tuple(r.owner_epoch, r.record_version, r.node); }

std::string narrow_list(const char* before, const char* after) {
  std::string out;
  for (const Column& c : kNarrowColumns) out.append(out.empty() ? "" : ",").append(before).append(c.name).append(after);
  return out;
}

// Parameters: 1 id, 2 the line's number, then the columns.
std::string append_sql(const std::string& journal) {
  std::string marks = "?1,?2";
  for (int i = 0; i < kNarrowCount; i++) marks += ",?" + std::to_string(i + 3);
  return "INSERT INTO " + journal + " (id,seq," + narrow_list("", "") + ") VALUES (" + marks + ")";
}

// Parameters: 1 id, then the columns.
std::string update_sql(const std::string& table) {
  std::string set, order[3];
  for (int i = 0; i < kNarrowCount; i++) {
    std::string_view name = kNarrowColumns[i].name;
    std::string mark = "?" + std::to_string(i + 2);
    set.append(set.empty() ? "" : ",").append(name).append("=").append(mark);
    if (name == "owner_epoch") order[0] = mark;
    if (name == "record_version") order[1] = mark;
    if (name == "node") order[2] = mark;
  }
  return "UPDATE " + table + " SET " + set + " WHERE id=?1 AND (owner_epoch,record_version,node)<(" + order[0] + "," +
         order[1] + "," + order[2] + ")";
}

}  // namespace

SqliteJournal::SqliteJournal(SqliteDb& db, SqliteWatch& watch, Log& log, const std::string& table, const JournalLimits& limits)
    : db_(db), watch_(watch), log_(log), table_(table), limits_(limits) {}

Status SqliteJournal::prepare() {
  std::string t = "\"" + table_ + "\"", j = "\"" + table_ + "_journal\"";
  struct { SqliteStmt& st; std::string sql; } list[] = {
      {begin_, "BEGIN IMMEDIATE"},
      {commit_, "COMMIT"},
      {rollback_, "ROLLBACK"},
      {append_, append_sql(j)},
      {scan_, "SELECT seq,id FROM " + j + " WHERE seq>?1 AND seq<?2 ORDER BY seq"},
      {first_, "SELECT min(seq) FROM " + j + " WHERE seq>=?1"},
      {line_, "SELECT id," + narrow_list("", "") + " FROM " + j + " WHERE seq=?1"},
      {update_, update_sql(t)},
      {exists_, "SELECT 1 FROM " + t + " WHERE id=?1"},
      {clean_, "DELETE FROM " + j + " WHERE seq BETWEEN ?1 AND ?2"},
      {empty_, "DELETE FROM " + j}};
  for (auto& e : list) {
    Result<SqliteStmt> st = db_.prepare(e.sql);
    if (!st) return {Errc::store_failed, st.error().message + " (table '" + table_ + "_journal' does not fit this build)"};
    e.st = std::move(*st);
  }
  Result<SqliteStmt> range = db_.prepare("SELECT min(seq),max(seq) FROM " + j + " WHERE seq BETWEEN 1 AND ?1");
  if (!range) return range.error();
  Result<std::string> strange =
      db_.value(("SELECT count(*) FROM " + j + " WHERE seq<1 OR seq>" + std::to_string(kMostNumber)).c_str());
  if (!strange) return strange.error();
  if (*strange != "0")
    log_.error("store: %s: %s lines of the journal have numbers that are not ours, they are left out", db_.path().c_str(),
               strange->c_str());
  sqlite3_bind_int64(range->get(), 1, kMostNumber);
  int rc = sqlite3_step(range->get());
  if (rc != SQLITE_ROW) return db_.error(rc);
  low_ = sqlite3_column_int64(range->get(), 0);
  next_ = own_from_ = sqlite3_column_int64(range->get(), 1) + 1;
  scanned_ = low_ - 1;
  if (sqlite3_column_type(range->get(), 0) == SQLITE_NULL) {
    low_ = next_;
    enter(Stage::Collecting);
  }
  return success();
}

// --- writing -------------------------------------------------------------------------------------

bool SqliteJournal::takes() const {
  return stage_ != Stage::Scanning && !broken_ && waiting() + pending_.size() < size_t{4} * limits_.lines;
}

int SqliteJournal::append(const Row& r) {
  sqlite3_stmt* st = append_.get();
  sqlite3_bind_int64(st, 1, r.id);
  sqlite3_bind_int64(st, 2, next_);
  int at = 2;
  auto put_number = [&](ColumnKind, int64_t v) { sqlite3_bind_int64(st, ++at, v); };
  auto put_text = [&](ColumnKind, std::string_view v) {
    at++;
    if (v.empty()) sqlite3_bind_null(st, at);
    else bind_text(st, at, v);
  };
  for_each_narrow_column(r, put_number, put_text);
  int rc = run_once(append_);
  if (rc == SQLITE_OK) {
    pending_.push_back({r.id, next_++, false});
  } else if (damaged(rc) || row_fault(rc)) {
    broken_ = true;
    log_.error("store: %s: the journal takes no more lines, rows are written as a whole: %s", db_.path().c_str(),
               db_.text(rc).c_str());
  }
  return rc;
}

void SqliteJournal::gone(int64_t id) {
  know_all();
  if (waiting() + pending_.size() + kept_.size() > 0) pending_.push_back({id, next_++, true});
}

void SqliteJournal::ended(bool committed, MonoMs now) {
  if (pending_.empty()) return;
  if (!committed) {
    next_ = pending_.front().number;
    pending_.clear();
    return;
  }
  if (order_.open() == 0) first_at_ = now;
  last_at_ = now;
  for (const Pending& p : pending_) {
    order_.add(p.id, p.number, p.gone);
    if (p.gone && !kept_.empty()) std::erase_if(kept_, [&](auto& kept) { return kept.second == p.id; });
  }
  pending_.clear();
}

// --- reading -------------------------------------------------------------------------------------

// Lines of earlier runs. true: all are known.
bool SqliteJournal::scan(size_t most) {
  sqlite3_stmt* st = scan_.get();
  sqlite3_bind_int64(st, 1, scanned_);
  sqlite3_bind_int64(st, 2, own_from_);
  int rc = SQLITE_ROW;
  for (size_t n = 0; n < most && (rc = sqlite3_step(st)) == SQLITE_ROW; n++) {
    scanned_ = sqlite3_column_int64(st, 0);
    int64_t id = sqlite3_column_int64(st, 1);
    order_.add(id, scanned_, false);
    if (id <= kMaxCountedId) top_id_ = std::max(top_id_, id);
  }
  std::string error = rc == SQLITE_ROW || rc == SQLITE_DONE ? std::string() : db_.text(rc);
  sqlite3_reset(st);
  if (!error.empty()) {
    broken_ = true;
    log_.error(
        "store: %s: the journal cannot be read behind line %lld: rows may be older than what was reported as durable: %s",
        db_.path().c_str(), static_cast<long long>(scanned_), error.c_str());
  }
  if (rc == SQLITE_ROW) return false;
  enter(Stage::Collecting);
  return true;
}

void SqliteJournal::know_all() {
  while (stage_ == Stage::Scanning) scan(SIZE_MAX);
}

const Row* SqliteJournal::find(int64_t id) {
  if (waiting() == 0 && kept_.empty()) return nullptr;
  std::optional<JournalOrder::Entry> last = order_.last(id);
  for (auto& [line, of] : kept_)
    if (of == id && !last) last = JournalOrder::Entry{id, line * 2};
  if (!last || last->gone()) return nullptr;
  sqlite3_stmt* st = line_.get();
  sqlite3_bind_int64(st, 1, last->line());
  // Not there: it was folded a moment ago, and the list is being removed.
  bool there = sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int64(st, 0) == id;
  if (there) {
    Row line;
    int at = 0;
    auto number = [&](ColumnKind, auto& v) {
      v = fitting<std::remove_reference_t<decltype(v)>>(sqlite3_column_int64(st, ++at));
    };
    auto octets = [&](ColumnKind, std::string_view& v) { v = column_octets(st, ++at); };
    for_each_narrow_column(line, number, octets);
    found_.emplace(line);
  }
  sqlite3_reset(st);
  return there ? &found_->row() : nullptr;
}

size_t SqliteJournal::octets(const Row& line) { return line.etag.size() + line.call_id.size() + line.from_tag.size(); }

void SqliteJournal::merge(const Row& line, Row& r, std::string& text) {
  if (order_of(line) <= order_of(r)) return;
  take_narrow(r, line);
  auto keep = [&](ColumnKind, std::string_view& v) {
    size_t from = text.size();
    text.append(v);
    v = std::string_view(text).substr(from);
  };
  for_each_narrow_column(r, [](ColumnKind, auto&) {}, keep);
}

// --- when ----------------------------------------------------------------------------------------

size_t SqliteJournal::waiting() const {
  switch (stage_) {
    case Stage::Scanning: return static_cast<size_t>(own_from_ - low_);
    case Stage::Collecting: return order_.open();
    case Stage::Merging:
    case Stage::Folding:
    case Stage::Cleaning: break;
  }
  return order_.open() + static_cast<size_t>(std::max<int64_t>(1, order_.frozen_to() - low_ + 1));
}

MonoMs SqliteJournal::next_due() const {
  switch (stage_) {
    case Stage::Scanning: return 0;
    case Stage::Collecting:
      if (order_.open() == 0) return kNever;
      if (hurry_ || order_.open() >= limits_.lines) return 0;
      return std::min(last_at_ + limits_.quiet_ms, first_at_ + limits_.age_ms);
    case Stage::Merging: return 0;
    case Stage::Folding:
    case Stage::Cleaning: return next_at_;
  }
  return kNever;
}

void SqliteJournal::run(MonoMs now) {
  switch (stage_) {
    case Stage::Scanning:
      if (scan(kLinesATurn)) first_at_ = last_at_ = now;
      return;
    case Stage::Collecting: enter(Stage::Merging); [[fallthrough]];
    case Stage::Merging:
      if (!order_.merge_some(kLinesATurn)) return;
      place_ = 0;
      next_at_ = now;
      return enter(Stage::Folding);
    case Stage::Folding: return fold(now);
    case Stage::Cleaning: return clean(now);
  }
}

void SqliteJournal::pause(MonoMs now) {
  next_at_ = hurry_ || order_.open() >= limits_.lines ? now : now + kFoldPauseMs;
  if (failing_) log_.notice("store: %s: the journal is folded again", db_.path().c_str());
  failing_ = false;
}

void SqliteJournal::failed(const char* what, int rc, MonoMs now) {
  std::string error = db_.text(rc);
  full_ = full_ || disk_full(rc, db_);
  if (sqlite3_get_autocommit(db_.handle()) == 0) run_once(rollback_);
  next_at_ = now + kRetryMs;
  if (!failing_) log_.error("store: %s the journal, tried again each second: %s", what, error.c_str());
  failing_ = true;
}

// --- folding -------------------------------------------------------------------------------------

void SqliteJournal::lost(const char* what, int64_t number, const char* table_end) {
  if (!missing_)
    log_.error("store: %s: %s %lld is not in table '%s%s' any more, and nobody here has removed it", db_.path().c_str(), what,
               static_cast<long long>(number), table_.c_str(), table_end);
  missing_ = true;
}

// A line of this run that met no row: it was deleted since the list was begun, or somebody else took it out of the table.
int SqliteJournal::look_for_row(const JournalOrder::Entry& e) {
  sqlite3_bind_int64(exists_.get(), 1, e.id);
  int rc = sqlite3_step(exists_.get());
  sqlite3_reset(exists_.get());
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  std::optional<JournalOrder::Entry> later = order_.last_open(e.id);
  bool deleted = later && later->gone();
  if (rc == SQLITE_DONE && e.line() >= own_from_ && !deleted) lost("row", e.id, "");
  return SQLITE_OK;
}

int SqliteJournal::fold_entry(const JournalOrder::Entry& e) {
  if (e.gone()) return SQLITE_OK;
  sqlite3_stmt *from = line_.get(), *to = update_.get();
  sqlite3_bind_int64(from, 1, e.line());
  int rc = sqlite3_step(from);
  bool there = rc == SQLITE_ROW && sqlite3_column_int64(from, 0) == e.id;
  if (there) {
    sqlite3_bind_int64(to, 1, e.id);
    for (int i = 1; i <= kNarrowCount; i++) {
      if (sqlite3_column_type(from, i) == SQLITE_NULL) sqlite3_bind_null(to, i + 1);
      else if (kNarrowColumns[i - 1].kind == ColumnKind::Text) bind_text(to, i + 1, column_octets(from, i));
      else sqlite3_bind_int64(to, i + 1, sqlite3_column_int64(from, i));
    }
    rc = run_once(update_);
  } else if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
    if (e.line() >= own_from_) lost("line", e.line(), "_journal");
    rc = SQLITE_OK;
  }
  sqlite3_reset(from);
  if (rc != SQLITE_OK || !there || sqlite3_changes(db_.handle()) > 0) return rc;
  return look_for_row(e);
}

// Begins a transaction that SqliteWatch counts.
int SqliteJournal::begin() {
  int rc = run_once(begin_);
  return rc == SQLITE_OK ? watch_.begin() : rc;
}

int SqliteJournal::commit() {
  int rc = watch_.count();
  if (rc == SQLITE_OK) rc = run_once(commit_);
  if (rc == SQLITE_OK) watch_.committed();
  return rc;
}

void SqliteJournal::fold(MonoMs now) {
  int64_t start = steady_us();
  const std::vector<JournalOrder::Entry>& list = order_.frozen();
  size_t at = place_;
  int rc = begin();
  bool at_a_line = false;
  while (rc == SQLITE_OK && at < list.size() && !(alone_ && at > place_) && (at == place_ || steady_us() - start < kFoldUs)) {
    rc = fold_entry(list[at]);
    at_a_line = rc != SQLITE_OK;
    if (rc == SQLITE_OK) at++;
  }
  if (rc == SQLITE_OK) rc = commit();
  if (rc != SQLITE_OK) return fold_failed(rc, at_a_line, now);
  place_ = at;
  pause(now);
  if (place_ == list.size()) enter(Stage::Cleaning);
}

// Where one line is at fault, it is found by itself, named, and stays in the journal; the others go on.
void SqliteJournal::fold_failed(int rc, bool at_a_line, MonoMs now) {
  bool its_fault = at_a_line && (damaged(rc) || row_fault(rc)) && kept_.size() < kMostKept;
  if (!its_fault) return failed("folding", rc, now);
  std::string error = db_.text(rc);
  if (sqlite3_get_autocommit(db_.handle()) == 0) run_once(rollback_);
  next_at_ = now;
  if (!std::exchange(alone_, !alone_)) return;
  const JournalOrder::Entry& e = order_.frozen()[place_++];
  log_.error("store: %s: line %lld of the journal stays there, row %lld cannot be written: %s", db_.path().c_str(),
             static_cast<long long>(e.line()), static_cast<long long>(e.id), error.c_str());
  kept_[e.line()] = e.id;
  if (place_ == order_.frozen().size()) enter(Stage::Cleaning);
}

// Removes a piece of what is folded. low: where what is left begins then.
int SqliteJournal::clean_some(int64_t& low) {
  int64_t to = order_.frozen_to();
  if (order_.open() == 0 && kept_.empty() && to - low_ < kEmptyLines) {
    low = to + 1;
    return run_once(empty_);
  }
  int64_t last = std::min(to, low_ + static_cast<int64_t>(kLinesATurn) - 1), next = last + 1;
  if (auto kept = kept_.lower_bound(low_); kept != kept_.end() && kept->first <= last) {
    last = kept->first - 1;
    next = kept->first + 1;
  }
  sqlite3_bind_int64(clean_.get(), 1, low_);
  sqlite3_bind_int64(clean_.get(), 2, last);
  int rc = run_once(clean_);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_int64(first_.get(), 1, next);   // there may be a gap
  rc = sqlite3_step(first_.get());
  bool left = rc == SQLITE_ROW && sqlite3_column_type(first_.get(), 0) != SQLITE_NULL;
  if (rc == SQLITE_ROW) low = left ? std::min<int64_t>(sqlite3_column_int64(first_.get(), 0), to + 1) : to + 1;
  sqlite3_reset(first_.get());
  return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

void SqliteJournal::clean(MonoMs now) {
  int64_t low = low_;
  int rc = begin();
  if (rc == SQLITE_OK) rc = clean_some(low);
  if (rc == SQLITE_OK) rc = commit();
  if (rc != SQLITE_OK) return failed("removing what is folded from", rc, now);
  low_ = low;
  pause(now);
  if (low_ <= order_.frozen_to()) return;
  order_.drop_frozen();
  enter(Stage::Collecting);
  if (order_.open() == 0) hurry_ = false;
}

}  // namespace pua
