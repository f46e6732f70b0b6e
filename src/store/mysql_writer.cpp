// MysqlConn: before the first statement. Session settings, the table's version, fences, and who may write (docs/adr/0009, 0018).
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "store/mono.h"
#include "store/mysql_conn.h"
#include "store/mysql_sql.h"
#include "store/schema_version.h"

namespace pua {

namespace {
constexpr MonoMs kFencePoll = 20;        // between two looks whether a killed session is gone
constexpr size_t kMostBegun = 16;
constexpr MonoMs kTakerPoll = 2;         // ... whether another connection of ours is done
}  // namespace

// --- before the first statement ------------------------------------------------------------------

void MysqlConn::set_up() {
  set_state(State::SettingUp);
  exec("SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',autocommit=1,wait_timeout=28800,"
       "innodb_lock_wait_timeout=0,foreign_key_checks=1,"
       // A server may be told not to believe what character set a client says that it speaks: escaping relies on it.
       "character_set_client='binary',character_set_results=NULL,collation_connection='binary'",
       [this](const DbReply& r) {
         if (r.code != 0) return not_set_up(r);
         mark_ = random_mark();
         std::string sql = "SELECT GET_LOCK('" + mark_ + "',0),(SELECT `table_version` FROM `version` WHERE CONVERT(`table_name` USING utf8mb4)=";
         append_quoted(sql, servers_.table);
         exec(sql + ")", [this](const DbReply& found) { check_version(found); });
       });
}

void MysqlConn::check_version(const DbReply& r) {
  if (r.code != 0) return not_set_up(r);
  MYSQL_ROW row = next_row(r.result, 2);
  std::string version = row && row[1] ? row[1] : "";
  if (version == std::to_string(servers_.version)) {
    servers_.stand_at(server_, address_);
    return fence();
  }
  DbReply bad;
  bad.code = 1;
  bad.fault = version.empty() ? DbFault::TableLost : DbFault::Down;
  bad.error = where() + ": table '" + servers_.table + "' ";
  bad.error += version.empty() ? "is not there, or has no row in table 'version': see puadbctl create" : other_version(version);
  not_set_up(bad);
}

void MysqlConn::not_set_up(const DbReply& r) {
  if (r.fault == DbFault::Lost && !fresh_) return connect();
  if (r.fault == DbFault::TableLost) servers_.writer_stands = false;
  if (r.fault == DbFault::Lost || r.fault == DbFault::HostUnfit) {
    std::string error = r.error;
    return cannot_connect(r.code, error.substr(std::min(error.size(), where().size() + 2)));
  }
  DbReply kept = r;
  kept.fault = no_rows_fault(r.fault);
  drop(false);
  finish(kept);
}

// Ends what broken connections have left behind at this server, then runs the statement.
void MysqlConn::fence() {
  std::vector<std::string>& fences = servers_.list[server_].fences;
  if (fences.empty()) return become_writer();
  if (state_ != State::SettingUp) {
    set_state(State::SettingUp);
    fence_until_ = 0;
  }
  MonoMs now = steady_ms();
  if (fence_until_ == 0) fence_until_ = now + servers_.timeout_ms;
  if (now > fence_until_) {
    fence_until_ = 0;
    return cannot_connect(2013, "a session of ours that broke does not end");
  }
  std::string mark = fences.front();
  exec("SELECT IS_USED_LOCK('" + mark + "')", [this, mark](const DbReply& r) {
    if (r.code != 0) return not_set_up(r);
    MYSQL_ROW row = next_row(r.result, 1);
    if (!row || !row[0]) {
      std::erase(servers_.list[server_].fences, mark);
      fence_until_ = 0;
      return fence();
    }
    exec("KILL " + std::to_string(strtoull(row[0], nullptr, 10)), [this](const DbReply& killed) {
      if (killed.fault == DbFault::Lost) return not_set_up(killed);
      pause(kFencePoll, [this] { fence(); });
    });
  });
}

// Writes and learns who may write, where that has changed, then runs the statement.
void MysqlConn::become_writer() {
  set_state(State::Busy);
  if (!servers_.writer_stands) {
    if (servers_.taker && servers_.taker != this) return pause(kTakerPoll, [this] { become_writer(); });
    // A value of its own each time: what is still under way for the former one moves nothing.
    if (!servers_.taker) servers_.writer = random_mark();
    servers_.taker = this;
    if (fence_until_ == 0) fence_until_ = steady_ms() + servers_.timeout_ms;
    std::string sql = "REPLACE INTO `" + servers_.table + "_meta` (`name`,`value`) VALUES (";
    append_quoted(sql, servers_.writer_name);
    sql += ",'" + servers_.writer + "')";
    return exec(sql, [this, written = servers_.writer](const DbReply& r) {
      if (r.code != 0) return no_writer(r);
      if (servers_.writer == written) return check_counts();
      become_writer();
    });
  }
  fence_until_ = 0;
  if (use_ == Use::Read || writer_ == servers_.writer) return run_statement();
  exec("SET @pua_writer='" + servers_.writer + "'", [this, told = servers_.writer](const DbReply& r) {
    if (r.code != 0) return not_set_up(r);
    writer_ = told;
    become_writer();
  });
}

void MysqlConn::no_writer(const DbReply& r) {
  copied_ = false;
  if (r.fault == DbFault::Collision) {  // locked by a statement that has not committed yet
    if (steady_ms() < fence_until_) return pause(kFencePoll, [this] { become_writer(); });
    return cannot_connect(r.code, servers_.writer_name + " is locked by a statement that does not end");
  }
  servers_.taker = nullptr;
  // Rows of a server that takes no writes can be read all the same.
  if (use_ == Use::Write || r.fault == DbFault::Lost) return not_set_up(r);
  fence_until_ = 0;
  run_statement();
}

// The writer's line is ours: no upsert of anybody else moves the counts any more. Are they where we have left them?
void MysqlConn::check_counts() {
  exec(counts_sql(servers_.table, servers_.counts[0].name, servers_.counts[1].name), [this](const DbReply& r) {
    if (r.code != 0) return no_writer(r);
    std::string found[2];
    while (MYSQL_ROW row = next_row(r.result, 2)) {
      for (int i = 0; i < 2; i++)
        if (row[0] && row[1] && servers_.counts[i].name == row[0]) found[i] = row[1];
    }
    for (int i = 0; i < 2; i++) {
      if (!servers_.may_say(servers_.counts[i], found[i])) copied_ = true;
    }
    begin_counts();
  });
}

void MysqlConn::begin_counts() {
  std::string sql = "REPLACE INTO `" + servers_.table + "_meta` (`name`,`value`) VALUES ";
  for (const MysqlCount& c : servers_.counts) {
    sql += &c == servers_.counts ? "(" : ",(";
    append_quoted(sql, c.name);
    sql += ",'" + servers_.writer + " 0')";
  }
  if (servers_.begun.size() >= kMostBegun) servers_.begun.erase(servers_.begun.begin());
  servers_.begun.push_back(servers_.writer);
  exec(sql, [this, begun = servers_.writer](const DbReply& r) {
    if (r.code != 0) return no_writer(r);
    servers_.taker = nullptr;
    servers_.begun.clear();
    bool copied = std::exchange(copied_, false);
    if (servers_.writer == begun) {
      for (MysqlCount& c : servers_.counts) c.begin(begun);
      servers_.writer_stands = true;
    }
    if (copied && servers_.on_copy) servers_.on_copy();
    become_writer();
  });
}

}  // namespace pua
