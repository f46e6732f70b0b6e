#include "store/mysql_sql.h"

#include <charconv>

#include "store/columns.h"

namespace pua {

namespace {

void append_number(std::string& out, int64_t v) {
  char buf[24];
  auto [end, err] = std::to_chars(buf, buf + sizeof buf, v);
  out.append(buf, end);
}

std::string columns_sql() {
  std::string out;
  for (const Column& c : kColumns) out.append(out.empty() ? "`" : ",`").append(c.name).append("`");
  return out;
}

// What happens where the id or the key is in the table already (store/adapter.h): @pua_w says whether the new row wins, and
// is found before the first column changes, because assignments are made from left to right. Key columns never change.
std::string on_duplicate_sql() {
  constexpr std::string_view wins =
      "@pua_w:=IF(`id`=VALUES(`id`),"
      "(`owner_epoch`,`record_version`,`node`)<=(VALUES(`owner_epoch`),VALUES(`record_version`),VALUES(`node`)),"
      "(`owner_epoch`,`id`)<=(VALUES(`owner_epoch`),VALUES(`id`)))";
  std::string out;
  for (const Column& c : kColumns) {
    if (c.kind == ColumnKind::KeyText || c.kind == ColumnKind::KeyInt) continue;
    std::string name = std::string("`") + c.name + "`";
    out.append(out.empty() ? "" : ",").append(name).append("=IF(");
    out.append(c.kind == ColumnKind::Id ? wins : "@pua_w")
        .append(",VALUES(")
        .append(name)
        .append("),")
        .append(name)
        .append(")");
  }
  return out;
}

}  // namespace

void append_quoted(std::string& out, std::string_view value) {
  out += '\'';
  size_t from = 0;
  for (size_t i = 0; i < value.size(); i++) {
    char c = value[i];
    if (c != '\'' && c != '\\' && c != '\0' && c != '\x1a') continue;
    out.append(value, from, i - from);
    out += '\\';
    out += c == '\0' ? '0' : c == '\x1a' ? 'Z' : c;
    from = i + 1;
  }
  out.append(value, from);
  out += '\'';
}

// Reading the line locks it, shared: a new writer waits until the statement has committed.
static std::string writer_is_ours(std::string_view table, std::string_view writer) {
  std::string out = "(SELECT `value` FROM `" + std::string(table) + "_meta` WHERE `name`=";
  append_quoted(out, writer);
  return out + ")=@pua_writer";
}

UpsertSql::UpsertSql(std::string_view table, std::string_view writer)
    : head_("INSERT INTO `" + std::string(table) + "` (" + columns_sql() + ") VALUES "),
      tail_(" ON DUPLICATE KEY UPDATE " + on_duplicate_sql() + " RETURNING `id`,`owner_epoch`,`record_version`,`node`") {
  writer_ = "IF(" + writer_is_ours(table, writer) + ",";  // in place of the first id
}

void UpsertSql::add(const Row& r) {
  bool guarded = rows_++ == 0;
  text_ += guarded ? "(" + writer_ : ",(";
  auto put_number = [&](ColumnKind kind, int64_t v) {
    if (kind != ColumnKind::Id) text_ += ',';
    append_number(text_, v);
    if (kind == ColumnKind::Id && guarded) text_ += ",NULL)";
  };
  auto put_text = [&](ColumnKind kind, std::string_view v) {
    text_ += ',';
    if (v.empty() && kind != ColumnKind::KeyText) text_ += "NULL";
    else append_quoted(text_, v);
  };
  for_each_column(r, put_number, put_text);
  text_ += ')';
}

std::string UpsertSql::take() {
  std::string out = head_ + text_ + tail_;
  text_.clear();
  rows_ = 0;
  return out;
}

// The lines come first in the join: rows are found by their ids, and no others are locked. They are a list of values, which
// costs the server a fifth less than as many SELECTs.
NarrowSql::NarrowSql(std::string_view table, std::string_view writer) : head_("UPDATE (WITH v(`id`") {
  tail_ = ") SELECT * FROM v) v STRAIGHT_JOIN `" + std::string(table) + "` p ON p.`id`=v.`id` AND "
          "(p.`owner_epoch`,p.`record_version`,p.`node`)<=(v.`owner_epoch`,v.`record_version`,v.`node`) SET ";
  for (const Column& c : kNarrowColumns) {
    std::string name = std::string("`") + c.name + "`", value = "v." + name;
    if (name == "`node`") value = "IF(" + writer_is_ours(table, writer) + "," + value + ",NULL)";
    tail_.append(&c == kNarrowColumns ? "p." : ",p.").append(name).append("=").append(value);
    head_ += "," + name;
  }
  head_ += ") AS (VALUES ";
}

void NarrowSql::add(const Row& r) {
  text_ += text_.empty() ? "(" : ",(";
  append_number(text_, r.id);
  auto put_number = [&](ColumnKind, int64_t v) {
    text_ += ',';
    append_number(text_, v);
  };
  auto put_text = [&](ColumnKind, std::string_view v) {
    text_ += ',';
    if (v.empty()) text_ += "NULL";
    else append_quoted(text_, v);
  };
  for_each_narrow_column(r, put_number, put_text);
  text_ += ')';
}

std::string NarrowSql::take() {
  std::string out = head_ + text_ + tail_;
  text_.clear();
  return out;
}

void DeleteSql::add(const Row& r) {
  if (!text_.empty()) text_ += " OR ";
  text_ += "(`id`=";
  append_number(text_, r.id);
  text_ += " AND (`owner_epoch`,`record_version`,`node`)<=(";
  append_number(text_, r.owner_epoch);
  text_ += ',';
  append_number(text_, r.record_version);
  text_ += ',';
  append_number(text_, r.node);
  text_ += "))";
}

std::string DeleteSql::take() {
  std::string out = "DELETE FROM `" + table_ + "` WHERE " + text_ + " RETURNING `id`";
  text_.clear();
  return out;
}

std::string load_sql(std::string_view table, int64_t after, uint32_t limit) {
  return "SELECT " + columns_sql() + " FROM `" + std::string(table) + "` WHERE `id`>" + std::to_string(after) +
         " ORDER BY `id` LIMIT " + std::to_string(limit);
}

// What the digest of a key is made of: the same as column key_digest in db/mysql.
std::string find_sql(std::string_view table, const Row& key) {
  auto sized = [](std::string_view v) { return std::to_string(v.size()) + ":" + std::string(v); };
  std::string text = sized(key.pres_uri) + std::to_string(key.event) + "," + std::to_string(key.flag) + "," +
                     sized(key.pres_id) + sized(key.watcher_uri) + sized(key.to_uri);
  std::string t = "`" + std::string(table) + "`";
  std::string out = "SELECT m.top," + columns_sql() + " FROM (SELECT MAX(`id`) AS top FROM " + t + " WHERE `id`<=" +
                    std::to_string(kMaxCountedId) + ") m LEFT JOIN " + t + " ON `key_digest`=UNHEX(SHA2(";
  append_quoted(out, text);
  return out + ",256))";
}

static std::string of_ids(std::string out, std::string_view table, const std::vector<int64_t>& ids) {
  out.append(" FROM `").append(table).append("` WHERE `id` IN (");
  for (size_t i = 0; i < ids.size(); i++) {
    if (i > 0) out += ',';
    append_number(out, ids[i]);
  }
  return out + ")";
}

std::string versions_sql(std::string_view table, const std::vector<int64_t>& ids) {
  return of_ids("SELECT `id`,`owner_epoch`,`record_version`,`node`", table, ids);
}

static std::string meta_value(std::string_view table, std::string_view name) {
  std::string out = "(SELECT `value` FROM `" + std::string(table) + "_meta` WHERE `name`=";
  append_quoted(out, name);
  return out + ")";
}

std::string counts_sql(std::string_view table, std::string_view fast, std::string_view bulk) {
  std::string out = "SELECT `name`,`value` FROM `" + std::string(table) + "_meta` WHERE `name` IN (";
  append_quoted(out, fast);
  out += ',';
  append_quoted(out, bulk);
  return out + ")";
}

std::string count_sql(std::string_view table, const MysqlCount& c) {
  std::string meta = "`" + std::string(table) + "_meta`", out = "REPLACE INTO " + meta + " (`name`,`value`) SELECT `name`,";
  append_quoted(out, c.value(c.most + 1));
  out += " FROM " + meta + " WHERE `name`=";
  append_quoted(out, c.name);
  out += " AND `value` IN (";
  for (uint64_t n = c.number; n <= c.most; n++) {
    if (n > c.number) out += ',';
    append_quoted(out, c.value(n));
  }
  return out + ")";
}

std::string identity_sql(std::string_view table, std::string_view writer, const MysqlCount& fast, const MysqlCount& bulk) {
  std::string out =
      "SELECT " + meta_value(table, writer) + "," + meta_value(table, fast.name) + "," + meta_value(table, bulk.name) +
      ",(SELECT `CREATE_TIME` FROM `information_schema`.`TABLES` WHERE `TABLE_SCHEMA`=DATABASE() AND `TABLE_NAME`=";
  append_quoted(out, table);
  return out + ")";
}

std::string exists_sql(std::string_view table, const std::vector<int64_t>& ids) { return of_ids("SELECT `id`", table, ids); }

}  // namespace pua
