// A write-ahead log that lies beside a database file when it is opened: one that does not belong to it is set aside, for SQLite
// would play it into the file, whatever that holds (docs/adr/0018-a-copy-is-not-the-table.md). puadbctl does the same
// (scripts/puadb/sqlite_stale_log.py).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/sqlite_claim.h"

namespace pua {

// Whether a file that others may have brought here is read as a whole, to see that it is sound together with its log. In a
// running loop only small files are.
enum class LongLooks : uint8_t { No, Yes };

// To be called before the file is opened. Changes nothing in the file, nor in a log that belongs to it. Returns a line for the
// program's log; empty: there is nothing to say, or no file. Errors: store_failed: the log cannot be set aside, or must not be.
Result<std::string> set_stale_log_aside(const std::string& path, const SqliteNote& last, LongLooks);

}  // namespace pua
