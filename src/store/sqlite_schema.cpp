#include "store/sqlite_schema.h"

#include <cstdlib>

#include "store/schema_version.h"

namespace pua {

namespace {

constexpr std::string_view kCreate =
#include "schema_sqlite.inc"
    ;

Status create(SqliteDb& db, const std::string& table) {
  if (Status s = db.exec("BEGIN IMMEDIATE"); !s) return s;
  // What is left of a table that somebody has dropped alone belongs to rows that are gone.
  Status s = db.exec(("DROP VIEW IF EXISTS \"" + table + "_rows\"; DROP TABLE IF EXISTS \"" + table + "_journal\"").c_str());
  if (s.ok()) s = db.exec(schema_sql(table).c_str());
  if (s.ok()) s = db.exec("COMMIT");
  if (!s) {
    // The error is what counts; a transaction that SQLite has already rolled back cannot be rolled back again.
    if (sqlite3_get_autocommit(db.handle()) == 0) (void)db.exec("ROLLBACK");
  }
  return s;
}

}  // namespace

std::string schema_sql(std::string_view table) {
  std::string out;
  for (size_t i = 0; i < kCreate.size();) {
    char c = kCreate[i];
    bool quoted = (c == '"' || c == '\'') && kCreate.substr(i + 1, 3) == "pua" && i + 4 < kCreate.size() &&
                  (kCreate[i + 4] == c || kCreate[i + 4] == '_');
    out += c;
    i++;
    if (!quoted) continue;
    out += table;
    i += 3;
  }
  return out;
}

Status prepare_schema(SqliteDb& db, const std::string& table) {
  Result<std::string> there = db.value("SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?1 COLLATE NOCASE", table);
  if (!there) return there.error();
  if (there->empty()) return create(db, table);

  Result<std::string> versions = db.value("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='version'");
  if (!versions) return versions.error();
  std::string version;
  if (!versions->empty()) {
    Result<std::string> v = db.value("SELECT table_version FROM version WHERE table_name=?1", table);
    if (!v) return v.error();
    version = *v;
  }
  std::string name = db.path() + ": table '" + table + "' ";
  if (version.empty()) return {Errc::store_failed, name + "has no row in table 'version': not made by this program"};
  if (version != std::to_string(kSchemaVersion)) return {Errc::store_failed, name + other_version(version)};
  return success();
}

}  // namespace pua
