// SQLite store: what is done when the file at its path is not the one that was opened. Nothing is committed into it any more,
// what stands there is opened when it has stayed the same for a while, and the engine makes it equal to its records.
#include <algorithm>
#include <utility>

#include "store/sqlite_store.h"

namespace pua {

namespace {
// Somebody may still be copying: what is seen there has to stay the same for so long.
constexpr MonoMs kSettleMs = 200;
constexpr MonoMs kReopenMs = 1000;  // between two tries
}  // namespace

// true: it is ours.
bool SqliteStore::look(MonoMs now) {
  look_at_ = next_look(now);
  SqlitePlace::Change change = watch_->look();
  switch (change) {
    case SqlitePlace::Change::None: return true;
    case SqlitePlace::Change::Written:
      place_ = Place::Suspect;
      place_error_ =
          db_.path() + ": another program has written into the file, and whether it is still ours is being looked at";
      break;
    case SqlitePlace::Change::Gone:
    case SqlitePlace::Change::Replaced:
    case SqlitePlace::Change::LogGone:
    case SqlitePlace::Change::LogOther:
    case SqlitePlace::Change::IndexGone: leave(change); break;
  }
  seen_ = SqlitePlace::sight(db_.name());
  settle_at_ = now + kSettleMs;
  return false;
}

// A log that was cut off or overwritten has to be noticed before SQLite reads it or writes on behind it, and an index that was
// cut off before SQLite reaches for memory that is gone.
bool SqliteStore::can_be_used(MonoMs now) {
  if (place_ == Place::Away) return false;
  SqlitePlace::Change change = watch_->look();
  bool gone = change == SqlitePlace::Change::LogGone || change == SqlitePlace::Change::LogOther ||
              change == SqlitePlace::Change::IndexGone;
  return !gone || look(now);
}

// Reports the batch as not written, without trying.
void SqliteStore::refuse(Lane lane, RowSource& rows, MonoMs now) {
  results_.assign(rows.size(), WriteResult::Deferred);
  WriteReport report;
  report.lane = lane;
  report.results = results_;
  report.down = true;
  report.error = place_error_;
  if (sink_) sink_->on_written(report, now);
}

void SqliteStore::settle(MonoMs now) {
  if (settle_at_ > now) return;
  SqlitePlace::Sight there = SqlitePlace::sight(db_.name());
  if (!(there == seen_)) {
    seen_ = there;
    settle_at_ = now + kSettleMs;
    return;
  }
  if (place_ == Place::Away) {
    std::string path = resolved_path(db_.name());
    if (!being_written(path) && !being_written(path + "-wal")) return come_back(now);
    settle_at_ = now + kSettleMs;
    if (!std::exchange(waits_for_others_, true))
      log_.warning(
          "store: %s: somebody has it open for writing, so it may be half of a copy: it is opened when they have closed it",
          path.c_str());
    return;
  }
  SqlitePlace::Change change = watch_->look();
  if (change == SqlitePlace::Change::None || (change == SqlitePlace::Change::Written && watch_->same_after_all())) {
    place_ = Place::Ours;  // its log, or a part of it, was folded into it by another program
    look_at_ = next_look(now);
    return;
  }
  leave(change);
  settle_at_ = now;
}

void SqliteStore::close_statements() {
  journal_.reset();
  watch_.reset();
  for (SqliteStmt* st :
       {&begin_, &commit_, &rollback_, &upsert_, &delete_, &exists_, &find_key_, &find_row_, &load_, &get_meta_, &set_meta_})
    st->reset();
}

// Gives the connection up: nothing of it is of use any more. Before what stands at the path is opened, it is looked at whether
// the log there belongs to the file there.
void SqliteStore::leave(SqlitePlace::Change change) {
  place_ = Place::Away;
  place_error_ = db_.path() + ": " + SqlitePlace::text(change);
  log_.error("store: %s; nothing is durable until what stands there was opened and all is written again", place_error_.c_str());
  waits_for_others_ = false;
  close_statements();
  db_.abandon();
}

void SqliteStore::come_back(MonoMs now) {
  Result<SqliteDb> db = SqliteDb::open(db_.name(), db_.abandon());
  Status opened = success();
  if (db) {
    db_ = std::move(*db);
    opened = start();
  } else {
    opened = db.error();
  }
  if (!opened) {
    close_statements();
    db_.abandon();
    if (place_error_ != opened.error().message)
      log_.error("store: %s; tried again each second", opened.error().message.c_str());
    place_error_ = opened.error().message;
    settle_at_ = now + kReopenMs;
    return;
  }
  place_ = Place::Ours;
  look_at_ = next_look(now);
  checkpoint_at_ = 0;
  log_.notice("store: %s: what stands there now is open", db_.path().c_str());
  tell(now);
}

// The engine writes everything again, and removes what should not be there.
void SqliteStore::tell(MonoMs now) {
  to_tell_ = false;
  log_.error("store: %s: table '%s' is not the one that was written to: an older copy of it, or made anew", db_.path().c_str(),
             table_.c_str());
  auto metas = metas_;
  for (const auto& [name, value] : metas) (void)set_meta(name, value);
  if (sink_) sink_->on_rows_missing(now);
}

}  // namespace pua
