// SQLite journal: narrow writes are appended to a table of their own, which costs a tenth of finding the row and writing its
// page, and folded into the rows later, many at a time and in the order of id, so that each page is written once.
//
//   Scanning --all lines of earlier runs are known--> Collecting
//   Collecting --enough lines, or a pause--> Merging --> Folding --> Cleaning --> Collecting
//
// A line counts where it is newer than its row, by (owner_epoch, record_version, node): a whole row that was written after it
// makes it void, and folding it twice does no harm. After a delete it has no row to go into.
// Each step is bounded like a write turn (docs/adr/0015-rows-write-what-they-change.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "core/store_port.h"
#include "store/journal_order.h"
#include "store/sqlite_db.h"
#include "store/sqlite_watch.h"
#include "store/stored_row.h"

namespace pua {

struct JournalLimits {
  // When so many lines wait, they are folded even while rows are being written. The more lines at a time, the fewer pages are
  // written for each row. With four times as many, narrow writes are written as whole rows until there is room. 0: every narrow
  // write is written as a whole row.
  uint32_t lines = 262144;
  MonoMs quiet_ms = 1000;   // after so long without a narrow write, all lines are folded
  MonoMs age_ms = 30000;    // nothing waits longer than that for its fold to begin. Sooner: hurry()
};

class SqliteJournal {
 public:
  // All outlive it. watch: counts its transactions.
  SqliteJournal(SqliteDb& db, SqliteWatch& watch, Log& log, const std::string& table, const JournalLimits& limits);
  // Errors: store_failed: the table is not there, or another one.
  Status prepare();

  // Inside a transaction of the store, which then says how it ended.
  bool takes() const;                 // false: write a whole row
  int append(const Row&);             // SQLITE_OK, or what went wrong
  void gone(int64_t id);              // this row was deleted
  void ended(bool committed, MonoMs now);

  // Reading rows. All lines have to be known: known(), or know_all(), which takes its time.
  bool known() const { return stage_ != Stage::Scanning; }
  void know_all();
  // The last line of this row, nullptr: none. Valid until the next call.
  const Row* find(int64_t id);
  // The row as it is with this line, if that is newer. The line's strings are added to `text`, which has room for them.
  static size_t octets(const Row& line);
  static void merge(const Row& line, Row&, std::string& text);

  size_t waiting() const;             // lines that are not in their rows yet
  int64_t top_id() const { return top_id_; }   // of the lines; all have to be known
  bool full() { return std::exchange(full_, false); }   // a step found no room on the disk
  void hurry() { hurry_ = true; }
  bool hurrying() const { return hurry_ && waiting() > 0 && !failing_; }
  MonoMs next_due() const;
  void run(MonoMs now);
  // Rows that were written to in this run turned out not to be in the table; says it once.
  bool rows_missing() { return std::exchange(missing_, false); }

 private:
  enum class Stage : uint8_t { Scanning, Collecting, Merging, Folding, Cleaning };
  struct Pending {
    int64_t id, number;
    bool gone;
  };
  void enter(Stage s) { stage_ = s; }
  bool scan(size_t most);
  void lost(const char* what, int64_t number, const char* table_end);
  int fold_entry(const JournalOrder::Entry&);
  int look_for_row(const JournalOrder::Entry&);
  void fold(MonoMs now);
  void fold_failed(int rc, bool at_a_line, MonoMs now);
  void clean(MonoMs now);
  int clean_some(int64_t& low);
  int begin();
  int commit();
  void pause(MonoMs now);
  void failed(const char* what, int rc, MonoMs now);

  SqliteDb& db_;
  SqliteWatch& watch_;
  Log& log_;
  const std::string table_;
  const JournalLimits limits_;
  SqliteStmt begin_, commit_, rollback_, append_, scan_, first_, line_, update_, exists_, clean_, empty_;
  Stage stage_ = Stage::Scanning;
  JournalOrder order_;
  std::vector<Pending> pending_;      // of the transaction under way
  int64_t next_ = 1;                  // number of the next line
  int64_t own_from_ = 1;              // lines from here on were written in this run
  int64_t low_ = 0;                   // no line before this one is left, but those that cannot be folded
  int64_t scanned_ = 0;
  size_t place_ = 0;                  // in the frozen list: what stands before it is folded
  std::map<int64_t, int64_t> kept_;   // lines whose rows cannot be written: they stay, until the next run tries again. Line, id
  bool alone_ = false;                // one line a turn, to find the one that cannot be folded
  std::optional<StoredRow> found_;
  bool broken_ = false;               // lines cannot be read or appended: no more of them
  bool missing_ = false;
  bool full_ = false;                 // the disk
  int64_t top_id_ = 0;                // of the lines of earlier runs
  bool hurry_ = false;                // no waiting and no pauses, until all is folded
  bool failing_ = false;              // and it was logged
  MonoMs first_at_ = 0, last_at_ = 0; // of what is being collected
  MonoMs next_at_ = 0;                // of folding and cleaning
};

}  // namespace pua
