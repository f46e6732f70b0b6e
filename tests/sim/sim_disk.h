// What survives a kill: the rows, and narrow writes that are not in them yet. Looks at each narrow write: is it enough?
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "store/memory_store.h"

namespace sim {

class SimDisk : public pua::MemoryStore {
 public:
  // true: narrow writes go to a journal, as with SQLite, and whether there is a row for them is found out later.
  bool journaled = false;
  std::string wrong;   // the first narrow write that was none

  void write(pua::Lane lane, pua::RowSource& rows, pua::MonoMs now) override;
  void load(int64_t after, uint32_t limit, pua::MonoMs now) override;
  void find(const pua::Row& key, pua::MonoMs now) override;
  // As a reader finds it, with the journal; nullptr: not there.
  const pua::Row* find(int64_t id) const;
  // Some lines go into their rows, in no particular order; all of them where the next life is one that keeps no journal.
  void fold(pua::Random& random);
  void fold_all();

 private:
  void look_at(const pua::Row& narrow);
  const pua::StoredRow* line_of(int64_t id) const;   // the last one, if it is newer than the row
  void fold(size_t line);
  pua::WriteResult one(pua::Lane, pua::RowOp, const pua::Row&, pua::MonoMs now);
  std::vector<pua::StoredRow> lines_;
  mutable std::vector<pua::StoredRow> merged_;       // what find(id) shows
};

}  // namespace sim
