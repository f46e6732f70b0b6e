// SQLite watch: tells the file and the tables that were written to from others that came to stand in their place: removed, replaced,
// overwritten by an older copy, made anew by another program (docs/adr/0018-a-copy-is-not-the-table.md).
//
// Line `writes` of the meta table says "<mark> <count>": the mark is new with each connection, the count moves in the transaction of
// each write.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "store/sqlite_db.h"
#include "store/sqlite_place.h"

namespace pua {

class SqliteWatch {
 public:
  // db outlives it.
  SqliteWatch(SqliteDb& db, const std::string& table);
  // Learns what is there, and writes the line where the file can be written to. Errors: store_failed.
  Status prepare();

  // In the transaction of a write. SQLITE_OK, or what went wrong.
  int begin();                    // first: has another program changed the tables?
  int count();                    // at its end
  void committed();
  // Outside of one: the same question as begin().
  int ask();
  // The tables are not those that were written to; says it once.
  bool other_tables() { return std::exchange(other_, false); }

  // What stands at the path. Written: by whom is not said yet.
  SqlitePlace::Change look() const { return place_.look(); }
  // Written: is it this file all the same, after a checkpoint by another program? Then it is remembered as it is.
  bool same_after_all();
  // Around each time that we write to the file itself: a log is not taken for another file's where we end in the middle.
  void before_checkpoint();
  // whole: all that is in the log is in the file.
  void checkpointed(bool whole);
  const SqlitePlace& place() const { return place_; }

 private:
  int compare();
  void look_at_log();
  std::string text_of(uint64_t count) const { return mark_ + " " + std::to_string(count); }
  uint32_t folded() const;

  SqliteDb& db_;
  SqlitePlace place_;
  const std::string table_;
  SqliteStmt data_version_, schema_version_, line_, set_line_;
  std::string mark_;
  uint64_t count_ = 0;            // as it was last committed
  std::string expected_;          // what the line says, if nobody else has written it
  int64_t seen_data_ = 0, seen_schema_ = 0;
  uint32_t folded_ = 0;           // pages of the log that are in the file, as we know it
  bool folded_by_others_ = false;
  std::string base_;              // the line as it stands in the file itself
  bool counting_ = true;          // false: the line is on a damaged page
  bool other_ = false;
};

}  // namespace pua
