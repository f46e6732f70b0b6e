// The rules of the session with a MariaDB server: guards, actions, and the list of them.
#include <iterator>
#include <utility>
#include <vector>

#include "store/mysql_session_step.h"
#include "store/mysql_sql.h"
#include "store/schema_version.h"

namespace pua::mysql {
namespace {

// Before each further try after a deadlock, or where a row is locked: nobody waits for a lock in the server, where the
// rows behind would wait, too. Our own lanes hold theirs for some milliseconds.
constexpr MonoMs kCollisionPauses[] = {2, 10, 50};
constexpr MonoMs kFencePoll = 20;        // between two looks whether a killed session is gone, or a lock
constexpr MonoMs kTakerPoll = 2;         // ... whether another connection of ours is done
constexpr size_t kMostBegun = 16;

// Of what happened before the statement was sent.
DbFault no_rows_fault(DbFault f) { return f == DbFault::Row || f == DbFault::Collision ? DbFault::Down : f; }

// --- guards ----------------------------------------------------------------------------------------------------------

bool moved(const Step& s) {
  const MysqlServers& all = s.f.servers;
  return s.f.server != all.current || s.f.address != all.list[s.f.server].address;
}
bool address_left(const Step& s) { return !s.f.addresses.empty(); }
bool server_left(const Step& s) { return s.f.servers_tried + 1 < s.f.servers.list.size(); }
bool old_connection(const Step& s) { return !s.f.fresh; }
bool reads(const Step& s) { return s.f.use == Use::Read; }

bool other_version_there(const Step& s) { return s.f.version != std::to_string(s.f.servers.version); }
bool held(const Step& s) { return s.f.holder.has_value(); }
bool fence_left(const Step& s) { return !s.f.servers.list[s.f.server].fences.empty(); }
bool fence_too_long(const Step& s) { return fence_left(s) && s.now > s.f.give_up_at; }
bool fence_too_long_server_left(const Step& s) { return fence_too_long(s) && server_left(s); }
bool other_takes(const Step& s) { return !s.f.servers.writer_stands && s.f.servers.taker && s.f.servers.taker != &s.f; }
bool no_line(const Step& s) { return !s.f.servers.writer_stands; }
bool still_the_writer(const Step& s) { return s.f.servers.writer == s.f.asked; }
bool not_told(const Step& s) { return s.f.use == Use::Write && s.f.told != s.f.servers.writer; }
bool time_left(const Step& s) { return s.now < s.f.give_up_at; }
bool copied(const Step& s) { return s.f.copied; }
bool stuck(const Step& s) { return s.f.stuck; }
bool settled(const Step& s) { return s.f.settled; }

bool counted(const Step& s) { return s.f.kind == Kind::Counted; }
bool whole_rows(const Step& s) { return s.f.kind == Kind::Rows; }
bool try_left(const Step& s) { return s.f.collisions < std::size(kCollisionPauses); }
bool nobody_changed_it(const Step& s) { return !s.f.again; }
// What comes after a rollback that went well is the input of the statement (mysql_session.cpp).
bool not_rolled_back(const Step& s) { return s.e.input != Input::Answered; }

// --- actions: finding a server ---------------------------------------------------------------------------------------

void close(Step& s) {
  end_session(s.f, false);
  s.action.close = true;
}

void connect(Step& s) {
  Fields& f = s.f;
  close(s);
  f.fresh = true;
  f.server = f.servers.current;
  f.addresses.clear();
  f.give_up_at = 0;
  s.action.what = Action::Do::Resolve;
  s.action.until = s.now + kConnectMs;
}

void dial(Step& s) {
  Fields& f = s.f;
  f.address = f.addresses.front();
  f.addresses.erase(f.addresses.begin());
  s.action.what = Action::Do::Dial;
  s.action.text = f.address;
  s.action.until = s.now + kConnectMs;
}

void dial_next(Step& s) {
  close(s);
  dial(s);
}

void finish(Step& s, DbAnswer a) {
  s.action.what = Action::Do::Finish;
  s.action.answer = std::move(a);
}

// This server could not be used, before the statement was sent.
DbAnswer unreachable(Step& s) {
  DbAnswer a;
  a.code = s.f.code;
  a.fault = no_rows_fault(fault_of(a.code));
  a.error = where(s.f) + ": " + s.f.reason;
  s.f.servers.failed(s.f.server);
  s.f.servers_tried++;
  return a;
}

void next_server(Step& s) {
  s.action.skipped = unreachable(s).error;
  connect(s);
}

void no_server(Step& s) {
  close(s);
  finish(s, unreachable(s));
}

// --- actions: before the statement -----------------------------------------------------------------------------------

void ask(Step& s, std::string sql, bool own = true, size_t most_octets = kMostOctets) {
  s.action.what = Action::Do::Ask;
  s.action.text = std::move(sql);
  s.action.own = own;
  s.action.most_octets = most_octets;
  s.action.until = s.now + s.f.servers.timeout_ms;
}

void pause(Step& s, MonoMs ms) {
  s.action.what = Action::Do::Pause;
  s.action.until = s.now + ms;
}

void be_patient(Step& s) {
  if (s.f.give_up_at == 0) s.f.give_up_at = s.now + s.f.servers.timeout_ms;
}

void set_session(Step& s) {
  ask(s, "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',autocommit=1,wait_timeout=28800,"
         "innodb_lock_wait_timeout=0,foreign_key_checks=1,"
         // A server may be told not to believe what character set a client says that it speaks: escaping relies on it.
         "character_set_client='binary',character_set_results=NULL,collation_connection='binary'");
}

void ask_version(Step& s) {
  s.f.mark = s.f.new_mark();
  std::string sql = "SELECT GET_LOCK('" + s.f.mark + "',0),"
                    "(SELECT `table_version` FROM `version` WHERE CONVERT(`table_name` USING utf8mb4)=";
  append_quoted(sql, s.f.servers.table);
  ask(s, sql + ")");
}

// The caller hears it, and the next statement begins with a new connection.
void refuse(Step& s) {
  DbAnswer a = s.f.answer;
  if (a.fault == DbFault::TableLost) s.f.servers.writer_stands = false;
  a.fault = no_rows_fault(a.fault);
  close(s);
  finish(s, std::move(a));
}

void refuse_version(Step& s) {
  const std::string& version = s.f.version;
  DbAnswer& a = s.f.answer;
  a = {};
  a.code = 1;
  a.fault = version.empty() ? DbFault::TableLost : DbFault::Down;
  a.error = where(s.f) + ": table '" + s.f.servers.table + "' ";
  a.error += version.empty() ? "is not there, or has no row in table 'version': see puadbctl create" : other_version(version);
  refuse(s);
}

void ask_holder(Step& s) {
  be_patient(s);
  s.f.asked = s.f.servers.list[s.f.server].fences.front();
  ask(s, "SELECT IS_USED_LOCK('" + s.f.asked + "')");
}

void kill(Step& s) { ask(s, "KILL " + std::to_string(*s.f.holder)); }

void wait_for_fence(Step& s) { pause(s, kFencePoll); }

void no_end_of_fence(Step& s) {
  s.f.code = kBroken;
  s.f.reason = "a session of ours that broke does not end";
  s.f.give_up_at = 0;
}
void no_end_of_fence_next_server(Step& s) {
  no_end_of_fence(s);
  next_server(s);
}
void no_end_of_fence_no_server(Step& s) {
  no_end_of_fence(s);
  no_server(s);
}

void wait_for_taker(Step& s) { pause(s, kTakerPoll); }

// A value of its own each time: what is still under way for the former one moves nothing.
void write_line(Step& s) {
  MysqlServers& servers = s.f.servers;
  if (!servers.taker) servers.writer = s.f.new_mark();
  servers.taker = &s.f;
  be_patient(s);
  s.f.asked = servers.writer;
  std::string sql = "REPLACE INTO `" + servers.table + "_meta` (`name`,`value`) VALUES (";
  append_quoted(sql, servers.writer_name);
  ask(s, sql + ",'" + servers.writer + "')");
}

void wait_for_line(Step& s) { pause(s, kFencePoll); }

void line_locked(Step& s) { s.f.reason = s.f.servers.writer_name + " is locked by a statement that does not end"; }
void line_locked_next_server(Step& s) {
  line_locked(s);
  next_server(s);
}
void line_locked_no_server(Step& s) {
  line_locked(s);
  no_server(s);
}

void ask_counts(Step& s) {
  const MysqlServers& servers = s.f.servers;
  ask(s, counts_sql(servers.table, servers.counts[0].name, servers.counts[1].name));
}

void begin_counts(Step& s) {
  MysqlServers& servers = s.f.servers;
  std::string sql = "REPLACE INTO `" + servers.table + "_meta` (`name`,`value`) VALUES ";
  for (const MysqlCount& c : servers.counts) {
    sql += &c == servers.counts ? "(" : ",(";
    append_quoted(sql, c.name);
    sql += ",'" + servers.writer + " 0')";
  }
  if (servers.begun.size() >= kMostBegun) servers.begun.erase(servers.begun.begin());
  servers.begun.push_back(servers.writer);
  s.f.asked = servers.writer;
  ask(s, std::move(sql));
}

void tell_copy(Step& s) { s.action.what = Action::Do::Tell; }

void tell_writer(Step& s) {
  s.f.give_up_at = 0;
  s.f.asked = s.f.servers.writer;
  ask(s, "SET @pua_writer='" + s.f.asked + "'");
}

// --- actions: the statement ------------------------------------------------------------------------------------------

void send(Step& s) {
  Fields& f = s.f;
  f.give_up_at = 0;
  if (f.kind != Kind::Counted) return ask(s, f.sql, false, f.kind == Kind::Rows ? kMostRowsOctets : kMostOctets);
  // One packet, one transaction: the count moves where the rows do, or neither does.
  f.count_before = f.count->most;
  f.count_life = f.count->life;
  f.line_stood = f.servers.writer_stands;
  std::string text = "START TRANSACTION;" + f.sql + ";" + count_sql(f.servers.table, *f.count) + ";COMMIT";
  f.count->most++;
  ask(s, std::move(text), false);
}

void roll_back(Step& s) {
  s.f.answered_by = s.e.input;
  ask(s, "ROLLBACK");
}

void answered(Step& s) { finish(s, s.f.answer); }

void table_lost(Step& s) {
  s.f.servers.writer_stands = false;
  finish(s, s.f.answer);
}

void others_write(Step& s) {
  const MysqlServers& servers = s.f.servers;
  DbAnswer a = s.f.answer;
  a.fault = DbFault::TableLost;
  a.error = where(s.f) + ": " + servers.writer_name + " in table '" + servers.table +
            "_meta' is not what it was: the tables were made anew, or another program writes in our name";
  s.f.servers.writer_stands = false;
  finish(s, std::move(a));
}

void wait_for_lock(Step& s) { pause(s, kCollisionPauses[s.f.collisions++]); }

void gave_up_rows(Step& s) {
  close(s);
  finish(s, s.f.answer);
}

void server_failed(Step& s) {
  s.f.servers.failed(s.f.server);
  s.f.servers_tried++;
}
void run_elsewhere(Step& s) {
  server_failed(s);
  connect(s);
}
void run_nowhere(Step& s) {
  close(s);
  server_failed(s);
  finish(s, s.f.answer);
}

void cancel(Step& s) {
  end_session(s.f, true);
  s.action.close = true;
}

// --- the list --------------------------------------------------------------------------------------------------------

using S = State;
using I = Input;
using SessionRule = Rule<State, Input, Step>;
using Rules = std::vector<SessionRule>;

constexpr uint32_t kLost = on(I::Lost, I::TimedOut, I::TooLong);
constexpr uint32_t kErrors = on(I::TableLost, I::Down, I::NotWriter, I::Rejected);
constexpr uint32_t kSetUp = states(S::Settings, S::Version, S::Fence, S::Writer);
constexpr uint32_t kLine = states(S::Line, S::Counts, S::BeginCounts);
constexpr uint32_t kStatement = states(S::Statement, S::Rollback);
constexpr uint32_t kAll = (1u << kStates) - 1;

// All before the writer's line is done.
void from_line_on(Rules& r, uint32_t from, uint32_t input) {
  r.insert(r.end(), {
      {from, input, "no line stands, and another connection writes it", other_takes, S::TakerWait, wait_for_taker, ""},
      {from, input, "no line stands", no_line, S::Line, write_line, ""},
      {from, input, "the session does not know the writer", not_told, S::Writer, tell_writer, ""},
      {from, input, "", nullptr, S::Statement, send, ""},
  });
}

void from_fences_on(Rules& r, uint32_t from, uint32_t input) {
  r.push_back({from, input, "a session that broke may be left", fence_left, S::Fence, ask_holder, ""});
  from_line_on(r, from, input);
}

void find_server(Rules& r) {
  r.insert(r.end(), {
      {states(S::Closed), on(I::Run), "", nullptr, S::Resolving, connect, ""},
      {states(S::Resolving), on(I::Addresses), "there are some", address_left, S::Dialing, dial, ""},
      {states(S::Dialing), on(I::Refused), "another address is left", address_left, S::Dialing, dial_next, ""},
      {states(S::Dialing), on(I::Connected), "", nullptr, S::Settings, set_session, ""},
      {states(S::Resolving), on(I::Addresses, I::Unable), "another server is left", server_left, S::Resolving, next_server, ""},
      {states(S::Resolving), on(I::Addresses, I::Unable), "", nullptr, S::Closed, no_server, ""},
      {states(S::Dialing), on(I::Refused, I::Unable), "another server is left", server_left, S::Resolving, next_server, ""},
      {states(S::Dialing), on(I::Refused, I::Unable), "", nullptr, S::Closed, no_server, ""},
  });
}

void set_up(Rules& r) {
  r.insert(r.end(), {
      {states(S::Settings), on(I::Answered), "", nullptr, S::Version, ask_version, ""},
      {states(S::Version), on(I::Answered), "not this build's version", other_version_there, S::Closed, refuse_version, ""},
      {states(S::Idle), on(I::Run), "the others are at another server or address", moved, S::Resolving, connect, ""},
      {states(S::Fence), on(I::Answered), "a session holds the lock", held, S::Kill, kill, ""},
      {states(S::Kill), on(I::Answered, I::Unfit, I::Collision) | kErrors, "", nullptr, S::FenceWait, wait_for_fence, ""},
      {states(S::FenceWait), on(I::Due), "it does not end, and another server is left", fence_too_long_server_left,
       S::Resolving, no_end_of_fence_next_server, ""},
      {states(S::FenceWait), on(I::Due), "it does not end", fence_too_long, S::Closed, no_end_of_fence_no_server, ""},
  });
  from_fences_on(r, states(S::Version, S::Fence), on(I::Answered));
  from_fences_on(r, states(S::Idle), on(I::Run));
  from_fences_on(r, states(S::FenceWait), on(I::Due));
  r.insert(r.end(), {
      {states(S::Line), on(I::Answered), "it is still who is to write", still_the_writer, S::Counts, ask_counts, ""},
      // First of all: whatever becomes of the connection, what was found is not forgotten.
      {states(S::Counts), on(I::Answered), "they say that the tables are a copy", copied, S::Copied, tell_copy, ""},
      {states(S::Copied), on(I::Told), "the statement has its answer", settled, S::Idle, answered, ""},
      {states(S::Counts), on(I::Answered), "it is still who is to write", still_the_writer, S::BeginCounts, begin_counts, ""},
      {states(S::Copied), on(I::Told), "it is still who is to write", still_the_writer, S::BeginCounts, begin_counts, ""},
  });
  from_line_on(r, states(S::Line, S::Counts, S::BeginCounts, S::Writer), on(I::Answered));
  from_line_on(r, states(S::TakerWait, S::LineWait), on(I::Due));
  from_line_on(r, states(S::Copied), on(I::Told));
}

void set_up_fails(Rules& r) {
  r.insert(r.end(), {
      {kLine, on(I::Collision), "there is time", time_left, S::LineWait, wait_for_line, ""},
      {kLine, on(I::Collision), "another server is left", server_left, S::Resolving, line_locked_next_server, ""},
      {kLine, on(I::Collision), "", nullptr, S::Closed, line_locked_no_server, ""},
      // Rows of a server that takes no writes can be read all the same.
      {kLine, on(I::Unfit) | kErrors, "it only reads", reads, S::Statement, send, ""},
      {kSetUp | kLine | states(S::Kill), kLost, "the connection was an old one", old_connection, S::Resolving, connect, ""},
      {kSetUp | kLine | states(S::Kill), kLost, "another server is left", server_left, S::Resolving, next_server, ""},
      {kSetUp | kLine | states(S::Kill), kLost, "", nullptr, S::Closed, no_server, ""},
      {kSetUp | kLine, on(I::Unfit), "another server is left", server_left, S::Resolving, next_server, ""},
      {kSetUp | kLine, on(I::Unfit), "", nullptr, S::Closed, no_server, ""},
      {kSetUp | kLine, kErrors, "", nullptr, S::Closed, refuse, ""},
      {kSetUp, on(I::Collision), "", nullptr, S::Closed, refuse, ""},
  });
}

void run_statement(Rules& r) {
  r.insert(r.end(), {
      {states(S::Statement), on(I::Answered), "its count did not move: the tables are a copy", stuck, S::Copied, tell_copy, ""},
      {states(S::Statement), on(I::Answered), "", nullptr, S::Idle, answered, ""},
      {states(S::Statement), on(I::Unfit, I::Collision) | kErrors, "it is a counted one", counted, S::Rollback, roll_back, ""},
      {states(S::Rollback), on(I::Collision) | kErrors, "it failed itself", not_rolled_back, S::Closed, refuse, ""},
      {kStatement, on(I::TooLong), "whole rows were asked for", whole_rows, S::Closed, gave_up_rows, ""},
      {kStatement, kLost, "the connection was an old one", old_connection, S::Resolving, connect, ""},
      {kStatement, kLost | on(I::Unfit), "another server is left", server_left, S::Resolving, run_elsewhere, ""},
      {kStatement, kLost | on(I::Unfit), "", nullptr, S::Closed, run_nowhere, ""},
      {kStatement, on(I::Collision), "a try is left", try_left, S::Collided, wait_for_lock, ""},
      {kStatement, on(I::Collision, I::Down, I::Rejected), "", nullptr, S::Idle, answered, ""},
      {kStatement, on(I::TableLost), "", nullptr, S::Idle, table_lost, ""},
      {kStatement, on(I::NotWriter), "the session knew the writer, or was told too often", nobody_changed_it, S::Idle,
       others_write, ""},
      {states(S::Collided), on(I::Due), "", nullptr, S::Statement, send, ""},
      {states(S::Idle), on(I::Ended), "", nullptr, S::Closed, close, ""},
      {kAll, on(I::Cancel), "", nullptr, S::Closed, cancel, ""},
  });
  from_fences_on(r, kStatement, on(I::NotWriter));
}

}  // namespace

std::span<const Rule<State, Input, Step>> session_rules() {
  static const Rules rules = [] {
    Rules r;
    for (auto part : {find_server, set_up, set_up_fails, run_statement}) part(r);
    return r;
  }();
  return rules;
}

}  // namespace pua::mysql
