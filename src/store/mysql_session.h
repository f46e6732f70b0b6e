// The session with a MariaDB server, pure: what comes next after what has come. It knows no socket, no client library and no
// clock; MysqlConn (mysql_conn.h) does what an action says, and tells what became of it by the next event.
//
// run gives it a statement. Where there is no connection, it makes one, server by server and address by address, and sets the
// session up: settings, and the version of the table. Before each statement it makes sure of two things:
//
// Fences. A connection that breaks while a statement is under way leaves the statement behind: a middlebox or a stalled server
// may carry it out much later, when newer ones were written elsewhere (a deleted row would come back). So each connection holds
// a named lock, and the next one to that server kills the session that still holds it, and waits until it is gone, before it
// does anything else.
//
// The writer's line. Fences reach only what stands at the server of the next connection, and nothing of a process that was
// killed. So line writer@node of the meta table holds a random value, made anew by each process and after each statement that
// was left behind, and written before anything newer. An upsert names the value that its session was told, and fails where
// another one stands. (A late delete harms nobody: versions decide.) Where the line is not what we wrote last, the tables are
// not those that we wrote to. Lines fast@node and bulk@node count our writes, in their transactions, and tell a copy of the
// tables that holds the right writer (docs/adr/0018). The owner is told of a copy before anything else is asked for: what
// becomes of the connection then is no matter.
//
// A statement is run again: on the next server, where this one is unfit or cannot be reached, each once; on a new connection,
// once, where an old one turns out to be broken; on the same one after a deadlock. All our statements may be run twice.
//
// Where each state leads, made from the list of rules in mysql_session_rules.cpp. What a rollback is answered is no input of
// its own where all is well: after it the session goes on by what the statement was answered.
// BEGIN TABLE
//  closed        run: resolving; cancel: closed
//  resolving     addresses: dialing, resolving, closed; unable: resolving, closed; cancel: closed
//  dialing       unable: resolving, closed; connected: settings; refused: dialing, resolving, closed; cancel: closed
//  settings      answered: version; lost, timed_out, too_long, unfit: resolving, closed;
//                collision, table_lost, down, not_writer, rejected, cancel: closed
//  version       answered: closed, fence, taker_wait, line, writer, statement;
//                lost, timed_out, too_long, unfit: resolving, closed;
//                collision, table_lost, down, not_writer, rejected, cancel: closed
//  fence         answered: kill, fence, taker_wait, line, writer, statement;
//                lost, timed_out, too_long, unfit: resolving, closed;
//                collision, table_lost, down, not_writer, rejected, cancel: closed
//  kill          answered, unfit, collision, table_lost, down, not_writer, rejected: fence_wait;
//                lost, timed_out, too_long: resolving, closed; cancel: closed
//  fence_wait    due: resolving, closed, fence, taker_wait, line, writer, statement; cancel: closed
//  taker_wait    due: taker_wait, line, writer, statement; cancel: closed
//  line          answered: counts, taker_wait, line, writer, statement; lost, timed_out, too_long: resolving, closed;
//                unfit: statement, resolving, closed; collision: line_wait, resolving, closed;
//                table_lost, down, not_writer, rejected: statement, closed; cancel: closed
//  line_wait     due: taker_wait, line, writer, statement; cancel: closed
//  counts        answered: copied, begin_counts, taker_wait, line, writer, statement;
//                lost, timed_out, too_long: resolving, closed; unfit: statement, resolving, closed;
//                collision: line_wait, resolving, closed; table_lost, down, not_writer, rejected: statement, closed;
//                cancel: closed
//  begin_counts  answered: taker_wait, line, writer, statement; lost, timed_out, too_long: resolving, closed;
//                unfit: statement, resolving, closed; collision: line_wait, resolving, closed;
//                table_lost, down, not_writer, rejected: statement, closed; cancel: closed
//  copied        told: idle, begin_counts, taker_wait, line, writer, statement; cancel: closed
//  writer        answered: taker_wait, line, writer, statement; lost, timed_out, too_long, unfit: resolving, closed;
//                collision, table_lost, down, not_writer, rejected, cancel: closed
//  statement     answered: copied, idle; lost, timed_out: resolving, closed; too_long: closed, resolving;
//                unfit: rollback, resolving, closed; collision: rollback, collided, idle;
//                table_lost, down, rejected: rollback, idle;
//                not_writer: rollback, idle, fence, taker_wait, line, writer, statement; cancel: closed
//  rollback      lost, timed_out, unfit: resolving, closed; too_long: closed, resolving; collision: closed, collided, idle;
//                table_lost, down, rejected: closed, idle;
//                not_writer: closed, idle, fence, taker_wait, line, writer, statement; cancel: closed
//  collided      due: statement; cancel: closed
//  idle          run: resolving, fence, taker_wait, line, writer, statement; ended, cancel: closed
// END TABLE
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "core/machine.h"
#include "store/mysql_errors.h"
#include "store/mysql_servers.h"

namespace pua {

// What became of a statement.
struct DbAnswer {
  unsigned code = 0;            // error number of the server or the client library, 0: none
  DbFault fault = DbFault::None;
  std::string error;            // names the server
  bool too_long = false;        // the answer; fault is Lost
  uint64_t changed = 0;         // rows, of a statement that answers with none
};

namespace mysql {

// A name that is not resolved, and a server that does not let us in by then: the next one.
inline constexpr MonoMs kConnectMs = 2000;
// A counted statement is sent together with its transaction's begin, the count and the commit: what is answered to each, and
// how many.
inline constexpr size_t kStatementAnswer = 1, kCountAnswer = 2, kMostAnswers = 4;
// Octets of an answer: some numbers for each row of a batch; the largest row that the table of db/mysql can hold.
inline constexpr size_t kMostOctets = 256 * 1024, kMostRowsOctets = 17 * 1024 * 1024;
inline constexpr unsigned kBroken = 2013;   // what the client library calls a connection that was lost

enum class Use : uint8_t { Write, Read };
// Counted: it writes rows, and what tells the tables from a copy moves with them (docs/adr/0018). Rows: it answers with whole
// rows of the table, of which one can be large; where the answer is too long, it is not asked for again.
enum class Kind : uint8_t { Plain, Counted, Rows };

enum class State : uint8_t {
  Closed,       // no connection
  Resolving,    // waits for the addresses of a server
  Dialing,      // waits until the server behind an address has let us in
  Settings,     // what the session needs is being set
  Version,      // takes the lock by which others know this session, and asks for the version of the table
  Fence,        // asks whether a session that broke is still there
  Kill,         // ... ends it
  FenceWait,    // ... and gives it time to go
  TakerWait,    // another connection of ours is writing the writer's line
  Line,         // writes it
  LineWait,     // it is locked by a statement that has not committed
  Counts,       // asks for the counts of our writes
  BeginCounts,  // ... begins them anew
  Copied,       // these tables are a copy of ours: the owner is being told
  Writer,       // tells the session what the line says
  Statement,    // the caller's statement is under way
  Rollback,     // ... failed inside its transaction
  Collided,     // ... met a lock, and waits for its next try
  Idle,         // the connection stands and has nothing to do
};
constexpr int kStates = 19;
const char* state_name(State);

enum class Input : uint8_t {
  Run,          // the caller gives a statement. Only where the session is closed or idle
  Addresses,    // what the server's name stands for; none: text says why
  Unable,       // resolving or dialing could not even be tried, or nobody answers: no other address would help
  Connected,    // the server let us in
  Refused,      // this address cannot be used
  Answered,     // what was asked, without an error
  Lost,         // errors by their meaning (mysql_errors.h): the connection broke
  TimedOut,     // ... as we gave the answer up
  TooLong,      // ... as the answer had no end
  Unfit,
  Collision,
  TableLost,
  Down,
  NotWriter,    // another value than ours stands in the writer's line
  Rejected,     // any other error of the server
  Due,          // the pause is over
  Told,         // the owner has been told of the copy
  Ended,        // the server has closed a connection that was idle
  Cancel,       // the caller gives the statement up
};
constexpr int kInputs = 19;
const char* input_name(Input);
// Of what was asked. code: error number; cut: the connection was given up before the end of the answer.
enum class Cut : uint8_t { No, TimedOut, TooLong };
Input input_of(unsigned code, Cut cut);

using Texts = std::vector<std::optional<std::string>>;   // a row

struct Event {                    // an input with what it carries
  Input input;
  std::string sql = {};           // Run
  Kind kind = Kind::Plain;        // Run
  std::vector<std::string> addresses = {};   // Addresses; "": the unix socket
  unsigned code = 0;              // errors, and what keeps us from a server
  std::string text = {};          // ... in words
  std::vector<uint64_t> changed = {};   // rows, by each statement that was sent together and has been answered
  std::vector<Texts> rows = {};   // Answered, to an own question
};

struct Action {
  enum class Do : uint8_t { Wait, Resolve, Dial, Ask, Pause, Tell, Finish };
  Do what = Do::Wait;             // Wait: for what comes by itself, or for the next statement
  bool close = false;             // before that: the connection, and what is under way
  std::string skipped = {};       // not empty: a server that is given up for the next one, and why; to be logged
  std::string text = {};          // Dial: the address; Ask: the statement
  bool own = false;               // Ask: a question of the session itself, which wants to see the rows
  size_t most_octets = 0;         // Ask: of the answer
  MonoMs until = kNever;          // Resolve, Dial, Ask: when to give up; Pause: its end
  DbAnswer answer = {};           // Finish: for the caller
};

// All that a session remembers.
struct Fields {
  MysqlServers& servers;
  Use use;
  MysqlCount* count;                         // what its counted statements move
  std::function<std::string()> new_mark;     // a text that nobody can guess, each time another one

  State state = State::Closed;
  size_t server = 0;                         // the one that this session is at
  std::vector<std::string> addresses = {};   // of the server, still to be tried
  std::string address = {};                  // the one in use
  unsigned code = 0;                         // what kept us from the last address or server
  std::string reason = {};                   // ... in words
  std::string socket_trouble = {};           // what kept us from the unix socket, to be told in front of reason; empty: nothing
  bool fresh = false;                        // no use in a new connection to the same server
  std::string mark = {};                     // name of the lock that this session holds
  std::string version = {};                  // of the table, as the server says
  std::string told = {};                     // @pua_writer of the session
  std::string asked = {};                    // the mark (Fence) or writer (Line, BeginCounts, Writer) that was sent
  std::optional<uint64_t> holder = {};       // the session that holds the lock of that mark
  MonoMs give_up_at = 0;                     // end of the patience with a fence or the writer's line; 0: none was needed
  bool copied = false;                       // the counts that were answered are not those that we have left

  // The statement.
  std::string sql = {};
  Kind kind = Kind::Plain;
  size_t servers_tried = 0;
  uint32_t collisions = 0, not_writer = 0;
  bool again = false;                        // another writer stood in the line, and the session was told a former one
  DbAnswer answer = {};                      // to what was asked last, or, after a rollback, to the statement
  Input answered_by = Input::Answered;       // ... as an input
  bool settled = false;                      // the statement has its answer
  uint64_t count_before = 0, count_life = 0; // as the statement was sent
  bool line_stood = false;
  bool count_known = false;                  // nobody has begun the count anew since
  bool at_commit = false;                    // all but the commit went well
  bool stuck = false;                        // all went well, and the count did not move
};

struct Step;                                 // mysql_session_step.h
std::span<const Rule<State, Input, Step>> session_rules();

class Session {
 public:
  // All outlive it. count: nullptr where it runs no counted statement.
  Session(MysqlServers&, Use, MysqlCount* count, std::function<std::string()> new_mark);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One step. Precondition: legal(state, input); else nothing changes.
  Action step(const Event&, MonoMs now);
  const Fields& fields() const { return fields_; }
  State state() const { return fields_.state; }
  const DbHost& host() const { return fields_.servers.list[fields_.server].host; }

 private:
  Fields fields_;
};

// The pairs that can happen; all others are programming errors.
bool legal(State, Input);

// Is it an address, and no name?
bool is_address(const std::string& host);
// The addresses that are known without asking anybody, in the order in which they are tried; none: the name is to be resolved.
std::vector<std::string> known_addresses(const DbHost&);

}  // namespace mysql
}  // namespace pua
