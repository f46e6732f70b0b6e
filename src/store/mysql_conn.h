// MysqlConn: one connection to MariaDB, by the client library's non-blocking calls. Runs one statement at a time.
//
// What is to be done, and in which order, is the session's to say (mysql_session.h): an action is carried out, and what became
// of it is the session's next event. Here are the calls of the library, the loop's events, and the resolver.
//
// An answer has a length that it cannot exceed (mysql_meter.h), beyond which the connection is closed: a broken server, or rows
// that somebody has blown up, take no memory without bound.
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
#include "store/mysql_fiber.h"
#include "store/mysql_greeting.h"
#include "store/mysql_home.h"
#include "store/mysql_meter.h"
#include "store/mysql_session.h"

struct addrinfo;
struct event;

namespace pua {

struct DbReply : DbAnswer {
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
  using Use = mysql::Use;
  using Kind = mysql::Kind;
  static constexpr MonoMs kConnectMs = mysql::kConnectMs;

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
  // What is waited for. Found: addresses of a name that are told to the session in the next turn.
  enum class Wait : uint8_t { Nothing, Name, Found, Call, Pause, Idle };
  enum class Phase : uint8_t { Connect, Query, Result, Next };  // which call of the library was made last
  struct Closer {
    void operator()(MYSQL*) const;
  };
  struct Resolution;

  // what the session says
  void tell(const mysql::Event&);
  void carry_out(mysql::Action);
  void finish(const DbAnswer&);
  void close();
  // names and connecting (mysql_connect.cpp)
  void resolve(MonoMs until);
  void forget_resolution();
  static void dns_cb(int error, addrinfo*, void* resolution);
  void dial(const std::string& address, MonoMs until);
  void set_options();
  int connecting(int ready, std::function<int(int)> call);
  void on_ready(int come);
  TlsOffer look_at_greeting();
  void connected();
  void refused(unsigned code, std::string text);
  // one call of the library: _start, and _cont until it has settled
  void ask(mysql::Action);
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
  bool goes_on();
  bool more_answers() const { return mysql_errno(mysql_.get()) == 0 && mysql_more_results(mysql_.get()); }
  void answered();
  std::vector<mysql::Texts> take_rows();
  void break_off();
  // events
  void watch(int fd, short what, MonoMs until);
  void wait_call(int status);
  void wait_idle();
  void pause(Wait, MonoMs until);
  int has_come() const;
  void on_event(short what);
  void on_timeout();
  static void event_cb(int fd, short what, void* self);

  MysqlServers& servers_;
  MysqlHome& home_;
  Log& log_;
  mysql::Session session_;
  Done done_;                                 // of the statement that run() was given

  std::unique_ptr<MYSQL, Closer> mysql_;
  Wait waiting_ = Wait::Nothing;
  event* event_ = nullptr;
  Resolution* resolution_ = nullptr;
  mysql::Event found_{mysql::Input::Addresses};
  std::string address_;                       // the one being tried: the library looks at it until the connection stands

  // The call under way, or made last.
  Phase phase_ = Phase::Connect;
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
  std::string sql_;                           // what it was asked
  bool own_ = false;                          // ... by the session itself
};

}  // namespace pua
