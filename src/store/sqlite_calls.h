// Small calls of SQLite that the store and its journal share.
#pragma once

#include <sqlite3.h>

#include <string_view>

#include "store/sqlite_db.h"

namespace pua {

inline int run_once(const SqliteStmt& st) {
  int rc = sqlite3_step(st.get());
  sqlite3_reset(st.get());
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

// Is the row at fault, or the store?
inline bool row_fault(int rc) {
  int primary = rc & 0xff;
  return primary == SQLITE_CONSTRAINT || primary == SQLITE_TOOBIG || primary == SQLITE_MISMATCH;
}

// Damage in the file, or a sector that cannot be read: it lies where this row or page lies, the rest may be fine.
inline bool damaged(int rc) {
  int primary = rc & 0xff;
  return primary == SQLITE_CORRUPT || rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ;
}

// The octets stay where they are until the statement was run: nothing is copied.
inline void bind_text(sqlite3_stmt* st, int at, std::string_view v) {
  sqlite3_bind_text(st, at, v.data() ? v.data() : "", static_cast<int>(v.size()), SQLITE_STATIC);
}

inline void bind_octets(sqlite3_stmt* st, int at, std::string_view v) {
  sqlite3_bind_blob(st, at, v.data() ? v.data() : "", static_cast<int>(v.size()), SQLITE_STATIC);
}

// As octets also where the column is text: asking for text may copy, to add a 0 at the end.
inline std::string_view column_octets(sqlite3_stmt* st, int at) {
  const void* p = sqlite3_column_blob(st, at);
  return {static_cast<const char*>(p), p ? static_cast<size_t>(sqlite3_column_bytes(st, at)) : 0};
}

}  // namespace pua
