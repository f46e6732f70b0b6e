// What survives a kill: the rows, and the journal of narrow writes that are not in them yet. Checks of each narrow write that
// it is enough.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "store/memory_store.h"

namespace sim {

class SimDisk : public pua::MemoryStore {
 public:
  // true: narrow writes go to a journal, as with SQLite, and only later it is found out whether there is a row for them.
  bool journaled = false;
  std::string wrong;   // what was wrong with the first narrow write that should have been a whole one

  void write(pua::Lane lane, pua::RowSource& rows, pua::MonoMs now) override;
  void load(int64_t after, uint32_t limit, pua::MonoMs now) override;
  void find(const pua::Row& key, pua::MonoMs now) override;
  // The row as a reader finds it, with what the journal says of it; nullptr: there is none.
  const pua::Row* find(int64_t id) const;
  // Moves some lines of the journal into their rows, in no particular order; fold_all() moves all of them, before a life
  // without a journal.
  void fold(pua::Random& random);
  void fold_all();

 private:
  void look_at(const pua::Row& narrow);
  const pua::StoredRow* line_of(int64_t id) const;   // the last line of this row, if it is newer than the row
  void fold(size_t line);
  pua::WriteResult one(pua::Lane, pua::RowOp, const pua::Row&, pua::MonoMs now);
  std::vector<pua::StoredRow> lines_;
  mutable std::vector<pua::StoredRow> merged_;       // what find(id) shows
};

}  // namespace sim
