#include "store/mysql_conn.h"

#include <errmsg.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "store/mono.h"

namespace pua {

namespace {

constexpr int kUnwindSteps = 64;         // calls that a broken connection's library call may need to come back

std::string random_mark() {
  unsigned long long n = 0;
  if (getrandom(&n, sizeof n, 0) != static_cast<ssize_t>(sizeof n)) n = static_cast<unsigned long long>(steady_ms());
  char buf[40];
  snprintf(buf, sizeof buf, "libpua.%016llx", n);
  return buf;
}

}  // namespace

void MysqlConn::Closer::operator()(MYSQL* m) const { mysql_close(m); }

MysqlConn::MysqlConn(MysqlServers& servers, MysqlHome& home, Log& log, Use use, MysqlCount* count)
    : servers_(servers), home_(home), log_(log), session_(servers, use, count, random_mark) {}

MysqlConn::~MysqlConn() { cancel(); }

// --- what the session says -----------------------------------------------------------------------

void MysqlConn::run(std::string sql, Done done, Kind kind) {
  done_ = std::move(done);
  tell({.input = mysql::Input::Run, .sql = std::move(sql), .kind = kind});
}

void MysqlConn::cancel() {
  done_ = nullptr;
  tell({.input = mysql::Input::Cancel});
}

void MysqlConn::tell(const mysql::Event& e) { carry_out(session_.step(e, steady_ms())); }

void MysqlConn::carry_out(mysql::Action a) {
  using Do = mysql::Action::Do;
  if (a.close) close();
  if (!a.skipped.empty()) log_.warning("store: %s; the next server is tried", a.skipped.c_str());
  switch (a.what) {
    case Do::Wait: return;
    case Do::Resolve: return resolve(a.until);
    case Do::Dial: return dial(a.text, a.until);
    case Do::Ask: return ask(std::move(a));
    case Do::Pause: return pause(Wait::Pause, a.until);
    case Do::Tell:
      if (servers_.on_copy) servers_.on_copy();
      return tell({.input = mysql::Input::Told});
    case Do::Finish: return finish(a.answer);
  }
}

void MysqlConn::finish(const DbAnswer& a) {
  Done done = std::exchange(done_, nullptr);
  MYSQL_RES* result = std::exchange(result_, nullptr);
  DbReply r;
  static_cast<DbAnswer&>(r) = a;
  r.result = result;
  r.owner = &result;
  if (done) done(r);
  if (result) mysql_free_result(result);
  if (session_.state() == mysql::State::Idle && !done_) wait_idle();
}

void MysqlConn::close() {
  forget_resolution();
  if (event_) event_free(std::exchange(event_, nullptr));
  if (mysql_) {
    break_off();
    for (MYSQL_RES** left : {&result_, &fetched_})
      if (*left) mysql_free_result(std::exchange(*left, nullptr));
  }
  fiber_.reset();
  mysql_.reset();
  waiting_ = Wait::Nothing;
}

// --- one call of the library ---------------------------------------------------------------------

void MysqlConn::ask(mysql::Action a) {
  sql_ = std::move(a.text);
  own_ = a.own;
  changed_.clear();
  timed_out_ = false;
  phase_ = Phase::Query;
  deadline_ = a.until;
  meter_.begin(a.most_octets);
  start([this] { return mysql_real_query_start(&query_error_, mysql_.get(), sql_.data(), sql_.size()); });
}

void MysqlConn::call(int status) {
  if (status != 0) wait_call(status);
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

void MysqlConn::settled() {
  waiting_ = Wait::Nothing;
  if (phase_ == Phase::Connect) return connected();
  if (!goes_on()) answered();
}

// Takes what the call has brought; true: the next call for the same answer was made.
bool MysqlConn::goes_on() {
  if (phase_ == Phase::Result) {
    if (fetched_) changed_.push_back(0);
    if (fetched_ && result_) mysql_free_result(fetched_);   // one statement of ours answers with rows, and none with more
    else if (fetched_) result_ = fetched_;
    fetched_ = nullptr;
  } else if (query_error_ == 0) {
    if (mysql_field_count(mysql_.get()) > 0) {
      phase_ = Phase::Result;
      start([this] { return mysql_store_result_start(&fetched_, mysql_.get()); });
      return true;
    }
    changed_.push_back(mysql_affected_rows(mysql_.get()));
  }
  if (!more_answers() || meter_.over() || changed_.size() >= mysql::kMostAnswers) return false;
  phase_ = Phase::Next;
  start([this] { return mysql_next_result_start(&query_error_, mysql_.get()); });
  return true;
}

void MysqlConn::answered() {
  bool more = more_answers();
  mysql::Cut cut = more || meter_.over() ? mysql::Cut::TooLong : timed_out_ ? mysql::Cut::TimedOut : mysql::Cut::No;
  mysql::Event e{mysql::Input::Answered};
  e.code = mysql_errno(mysql_.get());
  e.text = mysql_error(mysql_.get());
  if (more) e.text = "more answers came than were asked for";
  else if (meter_.over()) e.text = "an answer is longer than " + std::to_string(meter_.most()) + " octets";
  e.input = mysql::input_of(e.code, cut);
  e.changed = std::move(changed_);
  bool failed = e.input != mysql::Input::Answered;
  if (own_ && !failed) e.rows = take_rows();
  if ((own_ || failed) && result_) mysql_free_result(std::exchange(result_, nullptr));
  tell(e);
}

std::vector<mysql::Texts> MysqlConn::take_rows() {
  std::vector<mysql::Texts> rows;
  while (MYSQL_ROW row = next_row(result_, 1)) {
    mysql::Texts& texts = rows.emplace_back();
    for (unsigned i = 0; i < mysql_num_fields(result_); i++) {
      if (row[i]) texts.emplace_back(row[i]);
      else texts.emplace_back();
    }
  }
  return rows;
}

// Ends the call under way at once: on a socket that is shut down it comes back with an error.
void MysqlConn::break_off() {
  if (waiting_ != Wait::Call) return;
  if (fiber_) fiber_->give_up();
  ::shutdown(mysql_get_socket(mysql_.get()), SHUT_RDWR);
  int steps = 0;
  while (steps++ < kUnwindSteps && resume(MYSQL_WAIT_READ | MYSQL_WAIT_WRITE | MYSQL_WAIT_EXCEPT) != 0) {
  }
  waiting_ = Wait::Nothing;
}

// --- events --------------------------------------------------------------------------------------

void MysqlConn::watch(int fd, short what, MonoMs until) {
  if (event_) event_free(event_);
  event_ = event_new(home_.base(), fd, what, &MysqlConn::event_cb, this);
  MonoMs left = std::max<MonoMs>(0, until - steady_ms());
  timeval tv{static_cast<time_t>(left / 1000), static_cast<suseconds_t>(left % 1000 * 1000)};
  if (event_) event_add(event_, until == kNever ? nullptr : &tv);
}

void MysqlConn::wait_call(int status) {
  waiting_ = Wait::Call;
  watched_ = static_cast<short>((status & MYSQL_WAIT_READ ? EV_READ : 0) | (status & MYSQL_WAIT_WRITE ? EV_WRITE : 0));
  watch(mysql_get_socket(mysql_.get()), watched_, deadline_);
}

void MysqlConn::wait_idle() {
  waiting_ = Wait::Idle;
  watch(mysql_get_socket(mysql_.get()), EV_READ, kNever);
}

void MysqlConn::pause(Wait what, MonoMs until) {
  waiting_ = what;
  watch(-1, EV_TIMEOUT, until);
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
  Wait was = waiting_;
  if (was != Wait::Call) waiting_ = Wait::Nothing;
  switch (was) {
    case Wait::Nothing: return;
    case Wait::Name:
      return tell({.input = mysql::Input::Unable, .code = CR_UNKNOWN_HOST,
                   .text = "its name cannot be resolved: the name servers do not answer"});
    case Wait::Found: return tell(std::exchange(found_, {mysql::Input::Addresses}));
    case Wait::Pause: return tell({.input = mysql::Input::Due});
    case Wait::Idle: return tell({.input = mysql::Input::Ended});   // the server says something unasked: it has closed
    case Wait::Call: break;
  }
  if (what & EV_TIMEOUT) return on_timeout();
  on_ready((what & EV_READ ? MYSQL_WAIT_READ : 0) | (what & EV_WRITE ? MYSQL_WAIT_WRITE : 0));
}

// The loop may have stood still: the answer is there all the same, or our time was counted from before (libevent takes the time
// at which its turn began).
void MysqlConn::on_timeout() {
  if (int come = has_come()) return on_ready(come);
  if (steady_ms() < deadline_) return watch(mysql_get_socket(mysql_.get()), watched_, deadline_);
  timed_out_ = true;
  break_off();
  settled();
}

void MysqlConn::before_move() {
  forget_resolution();
  if (event_) event_free(std::exchange(event_, nullptr));
}

void MysqlConn::after_move() {
  switch (waiting_) {
    case Wait::Nothing: return;
    case Wait::Name: return resolve(steady_ms() + kConnectMs);
    case Wait::Found:
    case Wait::Pause: return watch(-1, EV_TIMEOUT, 0);
    case Wait::Call: return watch(mysql_get_socket(mysql_.get()), watched_, deadline_);
    case Wait::Idle: return wait_idle();
  }
}

}  // namespace pua
