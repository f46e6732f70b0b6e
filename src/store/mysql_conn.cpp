#include "store/mysql_conn.h"

#include <event2/event.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "store/mono.h"
#include "store/mysql_sql.h"

namespace pua {

namespace {

// Before each further try after a deadlock, or where a row is locked: nobody waits for a lock in the server, where the
// rows behind would wait, too. Our own lanes hold theirs for some milliseconds.
constexpr MonoMs kCollisionPauses[] = {2, 10, 50};
constexpr uint32_t kWriterTries = 3;
constexpr size_t kMaxFences = 64;
constexpr unsigned kBroken = 2013;       // what the client library calls a connection that was lost
constexpr int kUnwindSteps = 64;         // calls that a broken connection's library call may need to come back
}  // namespace

std::string MysqlConn::random_mark() {
  unsigned long long n = 0;
  if (getrandom(&n, sizeof n, 0) != static_cast<ssize_t>(sizeof n)) n = static_cast<unsigned long long>(steady_ms());
  char buf[40];
  snprintf(buf, sizeof buf, "libpua.%016llx", n);
  return buf;
}

void MysqlConn::Closer::operator()(MYSQL* m) const { mysql_close(m); }

MysqlConn::MysqlConn(MysqlServers& servers, MysqlHome& home, Log& log, Use use, MysqlCount* count)
    : servers_(servers), home_(home), log_(log), use_(use), count_(count) {
  if (servers_.writer.empty()) servers_.writer = random_mark();
}

MysqlConn::~MysqlConn() { cancel(); }

void MysqlConn::cancel() {
  done_ = exec_done_ = nullptr;
  drop(true);
}

// --- a statement ---------------------------------------------------------------------------------

void MysqlConn::run(std::string sql, Done done, Kind kind) {
  sql_ = std::move(sql);
  kind_ = kind;
  done_ = std::move(done);
  servers_tried_ = collisions_ = not_writer_ = 0;
  begin();
}

void MysqlConn::begin() {
  if (state_ == State::Idle && (server_ != servers_.current || address_ != servers_.list[server_].address)) drop(false);
  fresh_ = state_ != State::Idle;
  if (state_ == State::Idle) fence();
  else connect();
}

void MysqlConn::run_statement() {
  size_t most = kind_ == Kind::Rows ? kMostRowsOctets : kMostOctets;
  if (kind_ != Kind::Counted) return exec(sql_, [this](const DbReply& r) { conclude(r); }, most);
  // One packet, one transaction: the count moves where the rows do, or neither does.
  uint64_t before = count_->most;
  std::string text = "START TRANSACTION;" + sql_ + ";" + count_sql(servers_.table, *count_) + ";COMMIT";
  count_->most++;
  bool stands = servers_.writer_stands;
  exec(std::move(text), [this, before, stands, life = count_->life](const DbReply& r) {
    bool known = stands && servers_.writer_stands && count_->life == life;   // else another connection begins the counts anew
    counted(r, before, known);
  });
}

void MysqlConn::counted(const DbReply& r, uint64_t before, bool known) {
  if (r.code == 0) {
    bool moved = changed_.size() > kCountChanged && changed_[kCountChanged] > 0;
    if (known && moved) count_->number = count_->most;
    else if (known) servers_.found_copy();
    return conclude(r);
  }
  if (state_ == State::Closed) return conclude(r);   // whether it was committed is found out by the next connection
  bool at_commit = changed_.size() > kCountChanged;
  DbReply kept = r;
  kept.owner = nullptr;
  kept.result = nullptr;
  exec("ROLLBACK", [this, before, known, at_commit, kept](const DbReply& rolled) {
    if (rolled.code != 0) return conclude(rolled);
    if (known && !at_commit) count_->most = before;
    conclude(kept);
  });
}

void MysqlConn::conclude(const DbReply& r) {
  if (r.code != 0 && again(r)) return;
  if (r.fault == DbFault::TableLost || r.code == kNotTheWriter) servers_.writer_stands = false;
  if (r.code != kNotTheWriter) return finish(r);
  DbReply told = r;
  told.fault = DbFault::TableLost;
  told.error = where() + ": " + servers_.writer_name + " in table '" + servers_.table +
               "_meta' is not what it was: the tables were made anew, or another program writes in our name";
  finish(told);
}

// true: the statement is on its way again.
bool MysqlConn::again(const DbReply& r) {
  if (r.code == kNotTheWriter && writer_ != servers_.writer && not_writer_++ < kWriterTries) {
    fence_until_ = 0;
    fence();
    return true;
  }
  switch (r.fault) {
    case DbFault::Collision:
      if (collisions_ >= std::size(kCollisionPauses)) return false;
      pause(kCollisionPauses[collisions_++], [this] { run_statement(); });
      return true;
    case DbFault::Lost:
      if (r.too_long && kind_ == Kind::Rows) return false;
      if (!fresh_) {
        connect();
        return true;
      }
      break;
    case DbFault::HostUnfit: drop(false); break;
    default: return false;
  }
  servers_.failed(server_);
  if (++servers_tried_ >= servers_.list.size()) return false;
  connect();
  return true;
}

void MysqlConn::finish(const DbReply& r) {
  Done done = std::exchange(done_, nullptr);
  if (state_ == State::Busy || state_ == State::SettingUp) set_state(State::Idle);
  if (done) done(r);
  if (state_ == State::Idle && !done_) wait_idle();
}

// --- one call of the library ---------------------------------------------------------------------

void MysqlConn::exec(std::string sql, Done done, size_t most_octets) {
  exec_sql_ = std::move(sql);
  exec_done_ = std::move(done);
  changed_.clear();
  timed_out_ = false;
  phase_ = Phase::Query;
  deadline_ = steady_ms() + servers_.timeout_ms;
  meter_.begin(most_octets);
  start([this] { return mysql_real_query_start(&query_error_, mysql_.get(), exec_sql_.data(), exec_sql_.size()); });
}

void MysqlConn::call(int status) {
  if (status != 0) wait(status);
  else settled();
}

int MysqlConn::resume(int ready) {
  MysqlMeter::Scope counting(meter_);
  switch (phase_) {
    case Phase::Connect:
      return connecting(ready, [this](int come) { return mysql_real_connect_cont(&connected_to_, mysql_.get(), come); });
    case Phase::Query: return mysql_real_query_cont(&query_error_, mysql_.get(), ready);
    case Phase::Result: return mysql_store_result_cont(&fetched_, mysql_.get(), ready);
    case Phase::Next: return mysql_next_result_cont(&query_error_, mysql_.get(), ready);
  }
  return 0;
}

void MysqlConn::connected() {
  fiber_.reset();
  // The library takes a server without TLS, whatever its options say; on_ready() does not let it get so far.
  bool in_the_clear = connected_to_ && servers_.tls && !address_.empty() && !mysql_get_ssl_cipher(mysql_.get());
  if (connected_to_ && !in_the_clear) return set_up();
  last_error_ = {mysql_errno(mysql_.get()), mysql_error(mysql_.get())};
  if (in_the_clear) last_error_ = {2026, "has no TLS, which db_tls asks for"};
  if (timed_out_) last_error_ = {2002, "does not answer"};
  if (meter_.over()) last_error_ = {kBroken, "says more than " + std::to_string(meter_.most()) + " octets before it lets us in"};
  drop(false);
  connect_next();
}

void MysqlConn::settled() {
  under_way_ = false;
  if (phase_ == Phase::Connect) return connected();
  if (phase_ == Phase::Result) {
    if (fetched_) changed_.push_back(0);
    if (fetched_ && result_) mysql_free_result(fetched_);   // one statement of ours answers with rows, and none with more
    else if (fetched_) result_ = fetched_;
    fetched_ = nullptr;
  } else if (query_error_ == 0) {
    if (mysql_field_count(mysql_.get()) > 0) {
      phase_ = Phase::Result;
      return start([this] { return mysql_store_result_start(&fetched_, mysql_.get()); });
    }
    changed_.push_back(mysql_affected_rows(mysql_.get()));
  }
  bool more = mysql_errno(mysql_.get()) == 0 && mysql_more_results(mysql_.get());
  if (more && !meter_.over() && changed_.size() < kMostAnswers) {
    phase_ = Phase::Next;
    return start([this] { return mysql_next_result_start(&query_error_, mysql_.get()); });
  }
  DbReply r;
  r.too_long = more || meter_.over();
  r.code = r.too_long ? kBroken : mysql_errno(mysql_.get());
  r.fault = fault_of(r.code);
  if (r.code != 0) r.error = where() + ": " + mysql_error(mysql_.get()) + " (" + std::to_string(r.code) + ")";
  if (timed_out_) {
    r.error = where() + ": no answer within " + std::to_string(servers_.timeout_ms) + " ms";
    fresh_ = true;  // the same server would keep us waiting again
  }
  if (r.too_long) {
    r.error = where() + (more ? ": more answers came than were asked for"
                              : ": an answer is longer than " + std::to_string(meter_.most()) + " octets");
    fresh_ = true;  // ... and answer the same again
  }
  r.result = std::exchange(result_, nullptr);
  if (r.code != 0 && r.result) mysql_free_result(std::exchange(r.result, nullptr));
  if (!changed_.empty()) r.changed = changed_[changed_.size() > 1 ? kStatementChanged : 0];
  MYSQL_RES* result = r.result;
  r.owner = &result;
  if (r.fault == DbFault::Lost) drop(true);
  Done done = std::exchange(exec_done_, nullptr);
  if (done) done(r);
  if (result) mysql_free_result(result);
}

// Closes. statement_under_way: the server may still carry it out.
void MysqlConn::drop(bool statement_under_way) {
  forget_resolution();
  if (event_) event_free(std::exchange(event_, nullptr));
  after_pause_ = nullptr;
  if (mysql_) {
    bool in_session = state_ == State::Busy;
    if (in_session && statement_under_way) {
      auto& fences = servers_.list[server_].fences;
      if (fences.size() >= kMaxFences) fences.erase(fences.begin());
      fences.push_back(mark_);
      servers_.writer = random_mark();
      servers_.writer_stands = false;
    }
    break_off();
    for (MYSQL_RES** left : {&result_, &fetched_})
      if (*left) mysql_free_result(std::exchange(*left, nullptr));
    fiber_.reset();
    mysql_.reset();
  }
  if (servers_.taker == this) servers_.taker = nullptr;
  mark_.clear();
  writer_.clear();
  set_state(State::Closed);
}

// Ends the call under way at once: on a socket that is shut down it comes back with an error.
void MysqlConn::break_off() {
  if (!under_way_) return;
  if (fiber_) fiber_->give_up();
  ::shutdown(mysql_get_socket(mysql_.get()), SHUT_RDWR);
  int steps = 0;
  while (steps++ < kUnwindSteps && resume(MYSQL_WAIT_READ | MYSQL_WAIT_WRITE | MYSQL_WAIT_EXCEPT) != 0) {
  }
  under_way_ = false;
}

// --- events --------------------------------------------------------------------------------------

void MysqlConn::watch(int fd, short what, MonoMs until) {
  if (event_) event_free(event_);
  event_ = event_new(home_.base(), fd, what, &MysqlConn::event_cb, this);
  MonoMs left = std::max<MonoMs>(0, until - steady_ms());
  timeval tv{static_cast<time_t>(left / 1000), static_cast<suseconds_t>(left % 1000 * 1000)};
  if (event_) event_add(event_, until == kNever ? nullptr : &tv);
}

void MysqlConn::wait(int status) {
  under_way_ = true;
  watched_ = static_cast<short>((status & MYSQL_WAIT_READ ? EV_READ : 0) | (status & MYSQL_WAIT_WRITE ? EV_WRITE : 0));
  watch(mysql_get_socket(mysql_.get()), watched_, deadline_);
}

void MysqlConn::wait_idle() {
  under_way_ = false;
  watch(mysql_get_socket(mysql_.get()), EV_READ, kNever);
}

void MysqlConn::pause(MonoMs ms, std::function<void()> then) {
  after_pause_ = std::move(then);
  watch(-1, EV_TIMEOUT, steady_ms() + ms);
}

void MysqlConn::event_cb(int, short what, void* self) {
  auto* c = static_cast<MysqlConn*>(self);
  c->home_.turn([c, what] { c->on_event(what); });
}

// What it waits for and what is there all the same, as the library names it; 0: nothing.
int MysqlConn::has_come() const {
  short wanted = static_cast<short>((watched_ & EV_READ ? POLLIN : 0) | (watched_ & EV_WRITE ? POLLOUT : 0));
  pollfd ready{mysql_get_socket(mysql_.get()), wanted, 0};
  if (poll(&ready, 1, 0) <= 0) return 0;
  if (ready.revents & (POLLERR | POLLHUP)) return MYSQL_WAIT_READ | MYSQL_WAIT_WRITE;
  return (ready.revents & POLLIN ? MYSQL_WAIT_READ : 0) | (ready.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0);
}

void MysqlConn::on_event(short what) {
  if (after_pause_) return std::exchange(after_pause_, nullptr)();
  if (!under_way_) return drop(false);  // idle, and the server says something unasked: it has closed
  if (what & EV_TIMEOUT) {
    // The loop may have stood still: the answer is there all the same, or our time was counted from before (libevent takes the
    // time at which its turn began).
    if (int come = has_come()) return on_ready(come);
    if (steady_ms() < deadline_) return watch(mysql_get_socket(mysql_.get()), watched_, deadline_);
    timed_out_ = true;
    break_off();
    return settled();
  }
  on_ready((what & EV_READ ? MYSQL_WAIT_READ : 0) | (what & EV_WRITE ? MYSQL_WAIT_WRITE : 0));
}

void MysqlConn::before_move() {
  forget_resolution();
  if (event_) event_free(std::exchange(event_, nullptr));
}

void MysqlConn::after_move() {
  switch (state_) {
    case State::Closed: return;
    case State::Resolving: return resolve(servers_.list[server_].host);
    case State::Idle: return wait_idle();
    case State::Connecting:
    case State::SettingUp:
    case State::Busy: break;
  }
  if (after_pause_) return watch(-1, EV_TIMEOUT, 0);
  if (under_way_) watch(mysql_get_socket(mysql_.get()), watched_, deadline_);
}

}  // namespace pua
