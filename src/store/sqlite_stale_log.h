// A write-ahead log that lies beside a database file when it is opened: one that does not belong to it is set aside, for SQLite would
// play it into the file, whatever that holds (docs/adr/0018-a-copy-is-not-the-table.md).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/sqlite_claim.h"

namespace pua {

// Whether a file that others may have brought here is read as a whole, to see that it is sound together with its log. Not in a running
// loop, but for small ones.
enum class LongLooks : uint8_t { No, Yes };

// Before the file is opened. Nothing in it, nor in a log that belongs to it, is changed. What there is to say in the log; "" if nothing.
// Errors: store_failed: it cannot be set aside, or is not to be. No file: none.
Result<std::string> set_stale_log_aside(const std::string& path, const SqliteNote& last, LongLooks);

}  // namespace pua
