// SQLite schema: makes the tables of db/sqlite/pua-create.sql on first use, and checks that they are the right ones.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/sqlite_db.h"

namespace pua {

// The SQL text with every quoted name that begins with pua given the name `table` instead. `table` was checked.
std::string schema_sql(std::string_view table);

// Creates what is missing, in one transaction. Errors: store_failed: another version, or a table that has none.
Status prepare_schema(SqliteDb& db, const std::string& table);

}  // namespace pua
