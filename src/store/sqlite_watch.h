// SQLite watch: tells the file, its log and the tables that were written to from others that came to stand in their place:
// removed, replaced, overwritten by an older copy, made anew by another program (docs/adr/0018-a-copy-is-not-the-table.md).
//
// Each transaction of ours writes line `writes` of the meta table (sqlite_wal.h): a mark that is new with each connection, a
// number that moves, and how the file's pages are laid out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "store/sqlite_db.h"
#include "store/sqlite_live_log.h"
#include "store/sqlite_place.h"
#include "store/sqlite_wal.h"

namespace pua {

class SqliteWatch {
 public:
  // db outlives it.
  SqliteWatch(SqliteDb& db, const std::string& table);
  // Learns what is there, and writes the line where the file can be written to. Errors: store_failed.
  Status prepare();

  // In each transaction of ours that writes. SQLITE_OK, or what went wrong.
  int begin();                    // first: has another program changed the tables?
  int count();                    // at its end
  void committed();
  // Outside of one: the same question as begin().
  int ask();
  // The tables are not those that were written to; says it once.
  bool other_tables() { return std::exchange(other_, false); }

  // What stands at the path. Written: by whom is not said yet.
  SqlitePlace::Change look();
  // Written: is it this file all the same, after a checkpoint by another program, whole or not? Then it is remembered as it is.
  bool same_after_all();
  // Around each time that we write to the file itself.
  void before_checkpoint();
  void checkpointed();
  const SqlitePlace& place() const { return place_; }

 private:
  int compare();
  int read_layout();
  int first_line();
  bool read_file(uint64_t at, void* to, size_t n) const;
  std::optional<WriteCount> count_in_file() const;
  std::string next_line() const;

  SqliteDb& db_;
  SqlitePlace place_;
  SqliteLiveLog log_;
  const std::string table_;
  SqliteStmt begin_, commit_, rollback_, data_version_, schema_version_, user_version_, root_, line_, set_line_;
  uint64_t mark_;
  uint64_t count_ = 0;            // as it was last committed; 0: nothing was
  std::string expected_;          // what the line says, if nobody else has written it
  std::string ours_;              // what we have written last
  int64_t seen_data_ = 0;
  DbLayout layout_;
  uint32_t page_ = 0;               // where the meta table begins
  std::optional<WriteCount> base_;  // the line as it stands in the file itself
  bool counting_ = true;          // false: the line is on a damaged page
  bool other_ = false;
  bool other_log_ = false;  // our last commit went behind another log
};

}  // namespace pua
