// db_url: which database. sqlite:///absolute/path | memory: | mysql://user:password@host[,host...][:port]/database
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pua {

enum class DbKind : uint8_t { Memory, Sqlite, Mysql };

struct DbHost {
  std::string name;   // host name, or an address without brackets
  uint16_t port = 0;  // 0: none was given
};

struct DbUrl {
  DbKind kind = DbKind::Memory;
  std::string path;                      // Sqlite: absolute
  std::string user, password, database;  // Mysql
  std::vector<DbHost> hosts;             // Mysql: in the order they are tried, at least one
};

// sqlite://: everything behind it is the path, taken literally (no %-escapes, no ?options), and it must begin with '/'.
// sqlite:////path, as some other programs write an absolute path, is the same file as sqlite:///path.
// mysql://: user and password reach up to the last '@' before the hosts, and may be left out; %xx stands for an octet in
// user, password and database. A port behind the last host counts for all that have none. An IPv6 address stands in [].
// "memory:" keeps nothing over a restart. Errors: bad_config. Messages show the scheme only, never a password.
Result<DbUrl> parse_db_url(std::string_view url);

// Is this a table name that can stand in SQL text: a letter or '_', then letters, digits and '_', 60 in all at most, and no
// name that the database or the schema uses itself? Errors: bad_config.
Status check_table_name(std::string_view name);

}  // namespace pua
