// MysqlConn: one connection to MariaDB, by the client library's non-blocking calls. Runs one statement at a time.
//
//   Closed --run--> Resolving --> Connecting --> SettingUp --> Busy --answer--> Idle --run--> Busy ...
//
// SettingUp: session settings, the table's version, and fences. A connection that breaks while a statement is under way
// leaves the statement behind: a middlebox or a stalled server may carry it out much later, when newer ones were written
// elsewhere (a deleted row would come back). So each connection holds a named lock, and the next one to that server kills
// the session that still holds the lock, and waits until it is gone, before it does anything else.
//
// That reaches only what stands at the server of the next connection, and nothing of a process that was killed. So there is
// a second fence, in the table: line writer@node of the meta table holds a random value, made anew by each process and
// after each statement left behind, and written before anything newer. An upsert names the value that its session knew, and
// fails where another one stands. (A late delete harms nobody: versions decide.) Where the line is not what we wrote last, the
// tables are not those that we wrote to. Lines fast@node and bulk@node count our writes, in their transactions, and tell a copy of
// the tables that holds the right writer.
//
// An answer has a length that it cannot exceed (mysql_meter.h), beyond which the connection is closed: a broken server, or rows that
// somebody has blown up, take no memory without bound.
//
// A statement is run again: on the next server, where this one is unfit or cannot be reached, each once; on a new
// connection, once, where an old one turns out to be broken; on the same one after a deadlock. All our statements may be
// run twice.
#pragma once

#include <charconv>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <mysql.h>

#include "base/log.h"
#include "base/time.h"
#include "store/mysql_errors.h"
#include "store/mysql_fiber.h"
#include "store/mysql_greeting.h"
#include "store/mysql_home.h"
#include "store/mysql_meter.h"
#include "store/mysql_servers.h"

struct addrinfo;
struct event;

namespace pua {

struct DbReply {
  unsigned code = 0;            // error number of the server or the client library, 0: none
  DbFault fault = DbFault::None;
  std::string error;            // names the server
  bool too_long = false;        // the answer; fault is Lost
  uint64_t changed = 0;         // rows, of a statement that answers with none
  MYSQL_RES* result = nullptr;  // of a statement that answers with rows; valid during the callback, which may take() it
  MYSQL_RES** owner = nullptr;
  MYSQL_RES* take() const { return owner ? std::exchange(*owner, nullptr) : nullptr; }
};

// The next row of an answer; nullptr: no more, or the server sends fewer columns than were asked for.
inline MYSQL_ROW next_row(MYSQL_RES* rows, unsigned columns) {
  return rows && mysql_num_fields(rows) >= columns ? mysql_fetch_row(rows) : nullptr;
}

inline int64_t row_number(const char* text) {
  int64_t v = 0;
  if (text) std::from_chars(text, text + strlen(text), v);
  return v;
}

class MysqlConn {
 public:
  using Done = std::function<void(const DbReply&)>;
  // A name that is not resolved, and a server that does not let us in by then: the next one.
  static constexpr MonoMs kConnectMs = 2000;

  enum class Use : uint8_t { Write, Read };
  // Counted: it writes rows, and what tells the tables from a copy moves with them (docs/adr/0018). Rows: it answers with whole rows of
  // the table, of which one can be large; where the answer is too long, it is not asked for again.
  enum class Kind : uint8_t { Plain, Counted, Rows };
  // All outlive it. count: what its counted statements move; nullptr: it runs none.
  MysqlConn(MysqlServers&, MysqlHome&, Log&, Use, MysqlCount* count = nullptr);
  ~MysqlConn();                 // callbacks that are due do not come any more
  MysqlConn(const MysqlConn&) = delete;
  MysqlConn& operator=(const MysqlConn&) = delete;

  // Precondition: !busy(). done is called once, from the loop or before run() returns; it may call run() again.
  void run(std::string sql, Done done, Kind = Kind::Plain);
  // Gives the statement up: done is not called, and the connection closed.
  void cancel();
  bool busy() const { return static_cast<bool>(done_); }
  // Around a move of the home to another base (MysqlHome::move).
  void before_move();
  void after_move();

 private:
  enum class State : uint8_t { Closed, Resolving, Connecting, SettingUp, Busy, Idle };
  enum class Phase : uint8_t { Connect, Query, Result, Next };  // which call of the library was made last
  // Places in changed_ of what a counted statement consists of: the transaction's begin, rows, count, commit.
  static constexpr size_t kStatementChanged = 1, kCountChanged = 2, kMostAnswers = 4;
  // Octets of an answer: some numbers for each row of a batch; the largest row that the table of db/mysql can hold.
  static constexpr size_t kMostOctets = 256 * 1024, kMostRowsOctets = 17 * 1024 * 1024;
  struct Closer {
    void operator()(MYSQL*) const;
  };
  struct Resolution;

  void set_state(State s) { state_ = s; }
  // a statement
  void begin();
  void run_statement();
  void counted(const DbReply&, uint64_t before, bool known);
  void conclude(const DbReply&);
  bool again(const DbReply&);
  void finish(const DbReply&);
  // connecting
  void connect();
  void resolve(const DbHost&);
  void forget_resolution();
  static void dns_cb(int error, addrinfo*, void* resolution);
  void connect_next();
  void set_options();
  int connecting(int ready, std::function<int(int)> call);
  void on_ready(int come);
  TlsOffer look_at_greeting();
  void connected();
  void cannot_connect(unsigned code, const std::string& error);
  // before the first statement
  void set_up();
  void check_version(const DbReply&);
  void not_set_up(const DbReply&);
  void fence();
  void become_writer();
  void no_writer(const DbReply&);
  void check_counts();
  void begin_counts();
  static std::string random_mark();
  // Of what happened before the statement was sent.
  static DbFault no_rows_fault(DbFault f) { return f == DbFault::Row || f == DbFault::Collision ? DbFault::Down : f; }
  // one call of the library: _start, and _cont until it has settled
  void exec(std::string sql, Done done, size_t most_octets = kMostOctets);
  template <class F>
  void start(F first_call) {
    int status;
    {
      MysqlMeter::Scope counting(meter_);
      status = first_call();
    }
    call(status);
  }
  void call(int status);
  int resume(int ready);
  void settled();
  void drop(bool statement_under_way);
  void break_off();
  // events
  void watch(int fd, short what, MonoMs until);
  void wait(int status);
  void wait_idle();
  void pause(MonoMs ms, std::function<void()> then);
  int has_come() const;
  void on_event(short what);
  static void event_cb(int fd, short what, void* self);
  std::string where() const { return servers_.label(server_); }

  MysqlServers& servers_;
  MysqlHome& home_;
  Log& log_;
  Use use_;
  MysqlCount* count_;

  State state_ = State::Closed;
  std::unique_ptr<MYSQL, Closer> mysql_;
  event* event_ = nullptr;
  std::function<void()> after_pause_;         // event_ is the end of a pause
  Resolution* resolution_ = nullptr;
  std::vector<std::string> addresses_;        // of the server, still to be tried; "": its unix socket
  std::string address_;                       // the one being tried: the library looks at it until the connection stands
  std::pair<unsigned, std::string> last_error_;
  size_t server_ = 0;                         // the one that this connection is at
  std::string mark_;                          // name of the lock that this connection holds
  std::string writer_;                        // @pua_writer of the session
  MonoMs fence_until_ = 0;

  // The call under way, or made last.
  Phase phase_ = Phase::Connect;
  bool under_way_ = false;                    // it waits for event_
  bool timed_out_ = false;
  short watched_ = 0;
  MonoMs deadline_ = 0;
  MYSQL* connected_to_ = nullptr;
  int query_error_ = 0;
  MysqlMeter meter_;                          // of what it answers
  MYSQL_RES *result_ = nullptr, *fetched_ = nullptr;
  std::vector<uint64_t> changed_;             // rows, by each statement that was sent together
  std::unique_ptr<MysqlFiber> fiber_;         // where the library connects with TLS
  bool greeting_to_see_ = false;              // it is looked at before the library goes on
  int connect_ready_ = 0;                     // what the library waited for meanwhile
  std::string exec_sql_;
  Done exec_done_;

  // The statement that run() was given.
  std::string sql_;
  Done done_;
  size_t servers_tried_ = 0;
  uint32_t collisions_ = 0, not_writer_ = 0;
  bool fresh_ = false;                        // no use in a new connection to the same server
  Kind kind_ = Kind::Plain;
  bool copied_ = false;                       // the counts were not what they should be
};

}  // namespace pua
