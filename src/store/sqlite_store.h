// SQLite store: the embedded database. Runs in the loop, so each call is bounded by time: a write turn, and one that folds the
// journal, by about 2 ms, a page by 3 ms, a checkpoint by the pages written since the last one, unless another program reads
// the file (docs/adr/0004-sqlite-in-the-loop.md).
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "store/adapter.h"
#include "store/file_alarm.h"
#include "store/sqlite_db.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_watch.h"

namespace pua {

struct SqliteOptions {
  std::string path;
  std::string table = "pua";      // checked by check_table_name
  bool synchronous_full = false;  // fsync at each commit: survives a power loss without losing the last group
  uint32_t cache_mb = 64;
  JournalLimits journal;
};

class SqliteStore : public StoreAdapter {
 public:
  // Errors: store_failed; nothing of an existing file was changed then. The log outlives the store. With a loop the kernel
  // tells it when somebody touches the file; without one it looks once a second.
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteOptions&, Log&, StoreLoop = {});
  ~SqliteStore() override;  // folds the WAL into the file

  BatchLimits limits() const override { return {kBatchRows, kBatchRows}; }
  bool immediate() const override { return true; }
  void write(Lane lane, RowSource& rows, MonoMs now) override;
  void load(int64_t after, uint32_t limit, MonoMs now) override;
  void find(const Row& key, MonoMs now) override;
  Result<std::string> get_meta(std::string_view name) override;
  Status set_meta(std::string_view name, std::string_view value) override;
  MonoMs next_due() const override;  // a checkpoint, a piece of the journal, or a look at the file
  void run(MonoMs now) override;
  bool readable() const override { return !journal_ || journal_->known(); }
  int64_t top_id() const override { return journal_ ? journal_->top_id() : 0; }
  size_t journal() const override { return journal_ ? journal_->waiting() : 0; }
  void hurry() override {
    if (journal_) journal_->hurry();
  }
  bool hurrying() const override { return journal_ && journal_->hurrying(); }
  std::string name() const override { return db_.path(); }

  sqlite3* handle() const { return db_.handle(); }  // for tests that provoke faults

 private:
  static constexpr uint32_t kBatchRows = 192;
  static constexpr MonoMs kLookMs = 1000;  // between two looks at the path where nothing is written, and nobody tells

  // Ours; Suspect: somebody has written to the file, and it is not known yet what; Away: it is not there, or another one is.
  enum class Place : uint8_t { Ours, Suspect, Away };
  SqliteStore(SqliteDb db, const SqliteOptions&, Log& log);
  Status start();
  Status check_sound();
  Status configure();
  Status prepare_statements();
  int upsert(const Row&, WriteResult&);
  int upsert_over_other_id(const Row&, WriteResult&);
  int remove(const Row&, WriteResult&);
  void bind(const Row&);
  static void read_row(sqlite3_stmt*, int at, Row&, std::string& text);
  static size_t text_bytes(sqlite3_stmt*, int first);
  // Rows that fit into the turn; returns SQLITE_OK or what ended the transaction.
  int write_rows(RowSource&, int64_t start_us);
  int take_back(int rc);
  // what stands at the path (sqlite_store_place.cpp)
  bool look(MonoMs now);
  bool can_be_used(MonoMs now);
  bool index_gone() { return watch_->look() == SqlitePlace::Change::IndexGone; }
  MonoMs next_look(MonoMs now) const { return watched_ ? kNever : now + kLookMs; }
  void refuse(Lane, RowSource&, MonoMs now);
  void leave(SqlitePlace::Change);
  void settle(MonoMs now);
  void come_back(MonoMs now);
  void tell(MonoMs now);
  void close_statements();
  MonoMs checkpoint_due() const;
  int checkpoint(MonoMs now);
  static int on_commit(void* self, sqlite3*, const char*, int frames);

  SqliteDb db_;
  std::string table_;
  Log& log_;
  const SqliteOptions options_;
  std::optional<SqliteWatch> watch_;      // these two: while the file is open
  std::optional<SqliteJournal> journal_;
  SqliteStmt begin_, commit_, rollback_;
  SqliteStmt upsert_, delete_, exists_, find_key_, find_row_, load_, get_meta_, set_meta_;

  std::vector<WriteResult> results_;
  std::string row_error_;         // of the first bad row of a batch
  uint32_t damaged_rows_ = 0;     // rows in a row that stand on damaged pages
  bool row_named_ = false;        // the batch was taken back because of one of them
  std::vector<Row> page_;
  std::string page_text_;         // what the views of page_ point at: reserved once, never moved

  int wal_frames_ = 0;            // pages in the WAL
  int wal_folded_ = 0;            // of these, already in the file
  MonoMs checkpoint_at_ = 0;      // no checkpoint before this time: another program that reads the file holds the rest back
  bool checkpoint_failed_ = false; // and that was logged
  // The disk had no more room. When there is room again, it first goes to what is in the WAL: new pages behind that could use
  // it all up, and then neither the checkpoint nor the writing could go on.
  bool full_ = false;

  Place place_ = Place::Ours;
  std::string place_error_;       // what is wrong with it
  std::unique_ptr<FileAlarm> alarm_;
  bool watched_ = false;          // by alarm_
  MonoMs look_at_ = kNever;       // next look at the path; from the first page or batch on
  MonoMs settle_at_ = 0;          // Suspect, Away: when what is seen there has stayed for long enough
  SqlitePlace::Sight seen_;
  bool waits_for_others_ = false;  // and that was logged
  bool to_tell_ = false;          // the sink is to be told that rows are missing, or are older ones
  std::map<std::string, std::string, std::less<>> metas_;  // values beside the rows, of this run
};

}  // namespace pua
