// db_url: which database. sqlite:///absolute/path | memory: | mysql://user:password@host[,host...][:port]/database
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pua {

enum class DbKind : uint8_t { Memory, Sqlite };

struct DbUrl {
  DbKind kind = DbKind::Memory;
  std::string path;  // Sqlite: absolute
};

// Everything after "sqlite://" is the path, taken literally (no %-escapes, no ?options), and it must begin with '/'.
// sqlite:////path, as some other programs write an absolute path, is the same file as sqlite:///path.
// "memory:" keeps nothing over a restart. Errors: store_failed for a database that this build does not have (mysql),
// bad_config for everything else. Messages show the scheme only, never a password.
Result<DbUrl> parse_db_url(std::string_view url);

// Is this a table name that can stand in SQL text: a letter or '_', then letters, digits, '_', 1 to 60 of them, and no
// name the database or the schema uses itself? Errors: bad_config.
Status check_table_name(std::string_view name);

}  // namespace pua
