// SQL text for MariaDB, pure. Strings go in as octets: the session's character set is binary and its sql_mode is ours, so
// escaping quotes and backslashes is all that is needed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/store_port.h"
#include "store/mysql_servers.h"

namespace pua {

void append_quoted(std::string& out, std::string_view value);  // 'value', escaped

// One multi-row statement that writes rows, in order, each under the rules of store/adapter.h. It answers with a line per
// row: id, owner_epoch, record_version, node as they stand in the table afterwards.
// It fails with kNotTheWriter unless line `writer` of the meta table holds the session's @pua_writer (mysql_session.h).
class UpsertSql {
 public:
  UpsertSql(std::string_view table, std::string_view writer);
  void add(const Row&);
  bool empty() const { return rows_ == 0; }
  size_t size() const { return text_.size(); }
  std::string take();  // the statement; begins anew

 private:
  std::string head_, writer_, tail_, text_;
  size_t rows_ = 0;
};

inline constexpr unsigned kNotTheWriter = 1048;  // a column cannot be NULL: no other statement of ours brings that about

// One statement that changes the narrow columns (store/columns.h) of rows that are there, unless the one in the table is newer.
// How many rows it has changed is less than its lines where some are missing, newer, or as they are: ask versions_sql.
// It fails with kNotTheWriter like the one above, unless no row was met.
class NarrowSql {
 public:
  NarrowSql(std::string_view table, std::string_view writer);
  void add(const Row&);
  bool empty() const { return text_.empty(); }
  size_t size() const { return text_.size(); }
  std::string take();

 private:
  std::string head_, tail_, text_;
};

// One statement that deletes rows, unless the one in the table is newer. It answers with the ids that went.
class DeleteSql {
 public:
  explicit DeleteSql(std::string_view table) : table_(table) {}
  void add(const Row&);
  bool empty() const { return text_.empty(); }
  size_t size() const { return text_.size(); }
  std::string take();

 private:
  std::string table_, text_;
};

// Rows with id > after, in the order of id, every column in the order of store/columns.h.
std::string load_sql(std::string_view table, int64_t after, uint32_t limit);
// The largest id up to kMaxCountedId, then every column of the row with this key: NULL where there is none.
std::string find_sql(std::string_view table, const Row& key);
// id, owner_epoch, record_version and node of those of these ids that are in the table.
std::string versions_sql(std::string_view table, const std::vector<int64_t>& ids);
// The lines of these two names in the meta table: name, value.
std::string counts_sql(std::string_view table, std::string_view fast, std::string_view bulk);
// Moves a count by one, from any value that it may have. It changes no line where another value stands. (It is a REPLACE
// because whoever has the right to write the other lines has the right to that, too.)
std::string count_sql(std::string_view table, const MysqlCount&);
// One line that says which tables these are: the values of three lines of the meta table, and when the table of the rows was
// made.
std::string identity_sql(std::string_view table, std::string_view writer, const MysqlCount& fast, const MysqlCount& bulk);
// Which of these ids are in the table.
std::string exists_sql(std::string_view table, const std::vector<int64_t>& ids);

}  // namespace pua
