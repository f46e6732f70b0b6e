#include "store/mysql_conn.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "store/mono.h"
#include "store/mysql_sql.h"
#include "store/schema_version.h"

namespace pua {

namespace {

constexpr MonoMs kFencePoll = 20;        // between two looks whether a killed session is gone
// Before each further try after a deadlock, or where a row is locked: nobody waits for a lock in the server, where the
// rows behind would wait, too. Our own lanes hold theirs for some milliseconds.
constexpr MonoMs kCollisionPauses[] = {2, 10, 50};
constexpr uint32_t kWriterTries = 3;
constexpr size_t kMaxFences = 64;
constexpr int kUnwindSteps = 64;         // calls that a broken connection's library call may need to come back
constexpr unsigned kPortOfMysql = 3306;

std::string random_mark() {
  unsigned long long n = 0;
  if (getrandom(&n, sizeof n, 0) != static_cast<ssize_t>(sizeof n)) n = static_cast<unsigned long long>(steady_ms());
  char buf[40];
  snprintf(buf, sizeof buf, "libpua.%016llx", n);
  return buf;
}

// Of what happened before the statement was sent.
DbFault no_rows_fault(DbFault f) { return f == DbFault::Row || f == DbFault::Collision ? DbFault::Down : f; }

bool is_address(const std::string& name) {
  unsigned char buf[sizeof(in6_addr)];
  std::string plain = name.substr(0, name.find('%'));
  return inet_pton(AF_INET, plain.c_str(), buf) == 1 || inet_pton(AF_INET6, plain.c_str(), buf) == 1;
}

}  // namespace

void MysqlConn::Closer::operator()(MYSQL* m) const { mysql_close(m); }

// A name being resolved, by a resolver of its own: it reads /etc/resolv.conf and /etc/hosts as they are now. libevent calls
// back later also after a cancel, when the connection may be gone, and works on the resolver while it does: so this owns it,
// knows nothing else, and goes a turn of the loop after that.
struct MysqlConn::Resolution {
  Resolution(MysqlConn* c, event_base* base) : owner(c), loop(base) {
    // Without a file /etc/resolv.conf the flags' error leaves a usable resolver behind: names of /etc/hosts still resolve.
    dns = evdns_base_new(loop, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
  }
  ~Resolution() {
    if (dns) evdns_base_free(dns, 0);
  }
  static void go(Resolution* r) {
    timeval now{};
    auto free = [](int, short, void* it) { delete static_cast<Resolution*>(it); };
    event_base_once(r->loop, -1, EV_TIMEOUT, free, r, &now);
  }

  MysqlConn* owner;
  event_base* loop;
  evdns_base* dns;
  evdns_getaddrinfo_request* request = nullptr;
};

MysqlConn::MysqlConn(MysqlServers& servers, MysqlHome& home, Log& log, Use use)
    : servers_(servers), home_(home), log_(log), use_(use) {
  if (servers_.writer.empty()) servers_.writer = random_mark();
}

MysqlConn::~MysqlConn() { cancel(); }

void MysqlConn::cancel() {
  done_ = exec_done_ = nullptr;
  drop(true);
}

// --- a statement ---------------------------------------------------------------------------------

void MysqlConn::run(std::string sql, Done done) {
  sql_ = std::move(sql);
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
  exec(sql_, [this](const DbReply& r) {
    if (r.code != 0 && again(r)) return;
    if (r.fault == DbFault::TableLost || r.code == kNotTheWriter) servers_.writer_stands = false;
    if (r.code != kNotTheWriter) return finish(r);
    DbReply told = r;
    told.fault = DbFault::TableLost;
    told.error = where() + ": " + servers_.writer_name + " in table '" + servers_.table +
                 "_meta' is not what it was: the tables were made anew, or another program writes in our name";
    finish(told);
  });
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

// --- connecting ----------------------------------------------------------------------------------

void MysqlConn::connect() {
  drop(false);
  fresh_ = true;
  server_ = servers_.current;
  const DbHost& host = servers_.list[server_].host;
  addresses_.clear();
  fence_until_ = 0;
  if (host.name == "localhost") {
    if (host.port == 0) addresses_.emplace_back();  // the unix socket, as the documentation has it
    addresses_.insert(addresses_.end(), {"127.0.0.1", "::1"});
  } else if (is_address(host.name)) {
    addresses_.push_back(host.name);
  } else {
    return resolve(host);
  }
  last_error_ = {2002, "no address"};
  connect_next();
}

void MysqlConn::resolve(const DbHost& host) {
  set_state(State::Resolving);
  auto made = std::make_unique<Resolution>(this, home_.base());
  if (!made->dns) return cannot_connect(2005, "no memory for the resolver");
  evutil_addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  resolution_ = made.release();
  auto* request = evdns_getaddrinfo(resolution_->dns, host.name.c_str(), nullptr, &hints, &MysqlConn::dns_cb, resolution_);
  if (!resolution_) return;  // it was answered inside the call: a name of /etc/hosts
  resolution_->request = request;
  pause(kConnectMs, [this] { cannot_connect(2005, "its name cannot be resolved: the name servers do not answer"); });
}

void MysqlConn::forget_resolution() {
  if (!resolution_) return;
  Resolution* r = std::exchange(resolution_, nullptr);
  r->owner = nullptr;
  if (r->request) evdns_getaddrinfo_cancel(r->request);  // and it will call back
}

void MysqlConn::dns_cb(int error, evutil_addrinfo* list, void* resolution) {
  auto* r = static_cast<Resolution*>(resolution);
  Resolution::go(r);
  std::vector<std::string> found;
  for (evutil_addrinfo* a = list; a; a = a->ai_next) {
    char buf[INET6_ADDRSTRLEN] = "";
    const void* from = a->ai_family == AF_INET6 ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(a->ai_addr)->sin6_addr)
                                                : &reinterpret_cast<sockaddr_in*>(a->ai_addr)->sin_addr;
    if (evutil_inet_ntop(a->ai_family, from, buf, sizeof buf)) found.emplace_back(buf);
  }
  if (list) evutil_freeaddrinfo(list);
  MysqlConn* c = r->owner;
  if (!c) return;
  c->resolution_ = nullptr;
  c->addresses_ = std::move(found);
  // Of several addresses the one that the other connections are at comes first: one lane sees what another has written.
  auto known = std::find(c->addresses_.begin(), c->addresses_.end(), c->servers_.list[c->server_].address);
  if (known != c->addresses_.end()) std::rotate(c->addresses_.begin(), known, known + 1);
  c->last_error_ = {2005, error ? std::string("its name cannot be resolved: ") + evutil_gai_strerror(error) : "no address"};
  c->set_state(State::Connecting);
  c->pause(0, [c] { c->connect_next(); });  // not inside the resolver's callback
}

void MysqlConn::connect_next() {
  if (addresses_.empty()) return cannot_connect(last_error_.first, last_error_.second);
  address_ = addresses_.front();
  addresses_.erase(addresses_.begin());
  set_state(State::Connecting);
  timed_out_ = false;
  mysql_.reset(mysql_init(nullptr));
  if (!mysql_) return cannot_connect(2008, "no memory");
  set_options();
  const DbHost& host = servers_.list[server_].host;
  phase_ = Phase::Connect;
  deadline_ = steady_ms() + kConnectMs;
  const char* to = address_.empty() ? "localhost" : address_.c_str();
  const char* socket = address_.empty() && !servers_.socket.empty() ? servers_.socket.c_str() : nullptr;
  call(mysql_real_connect_start(&connected_to_, mysql_.get(), to, servers_.user.c_str(), servers_.password.c_str(),
                                servers_.database.c_str(), host.port ? host.port : kPortOfMysql, socket, 0));
}

void MysqlConn::set_options() {
  MYSQL* m = mysql_.get();
  mysql_options(m, MYSQL_OPT_NONBLOCK, nullptr);
  unsigned connect_s = kConnectMs / 1000, none = 0;
  mysql_options(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
  mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &none);  // a server must not be able to ask for our files
  mysql_options(m, MYSQL_SET_CHARSET_NAME, "binary");
  mysql_options4(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "libpua");
  if (!servers_.tls) return;
  // The library compares names with what it was given, which is an address: only where db_url names one.
  my_bool yes = 1, verify = servers_.tls_verify && is_address(servers_.list[server_].host.name) ? 1 : 0;
  mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &yes);
  mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
  if (!servers_.tls_ca.empty()) mysql_options(m, MYSQL_OPT_SSL_CA, servers_.tls_ca.c_str());
}

void MysqlConn::cannot_connect(unsigned code, const std::string& error) {
  drop(false);
  DbReply r;
  r.code = code;
  r.fault = no_rows_fault(fault_of(code));
  r.error = where() + ": " + error;
  servers_.failed(server_);
  if (++servers_tried_ < servers_.list.size()) {
    log_.warning("store: %s; the next server is tried", r.error.c_str());
    return connect();
  }
  finish(r);
}

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
         std::string sql = "SELECT GET_LOCK('" + mark_ + "',0),(SELECT `table_version` FROM `version` WHERE `table_name`=";
         append_quoted(sql, servers_.table);
         exec(sql + ")", [this](const DbReply& found) { check_version(found); });
       });
}

void MysqlConn::check_version(const DbReply& r) {
  if (r.code != 0) return not_set_up(r);
  MYSQL_ROW row = r.result ? mysql_fetch_row(r.result) : nullptr;
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
    MYSQL_ROW row = r.result ? mysql_fetch_row(r.result) : nullptr;
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
    if (fence_until_ == 0) fence_until_ = steady_ms() + servers_.timeout_ms;
    std::string sql = "REPLACE INTO `" + servers_.table + "_meta` (`name`,`value`) VALUES (";
    append_quoted(sql, servers_.writer_name);
    sql += ",'" + servers_.writer + "')";
    return exec(sql, [this, written = servers_.writer](const DbReply& r) {
      if (r.fault == DbFault::Collision) {  // locked by a statement that has not committed yet
        if (steady_ms() < fence_until_) return pause(kFencePoll, [this] { become_writer(); });
        return cannot_connect(r.code, servers_.writer_name + " is locked by a statement that does not end");
      }
      if (r.code == 0) {
        if (servers_.writer == written) servers_.writer_stands = true;
        return become_writer();
      }
      // Rows of a server that takes no writes can be read all the same.
      if (use_ == Use::Write || r.fault == DbFault::Lost) return not_set_up(r);
      fence_until_ = 0;
      run_statement();
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

// --- one call of the library ---------------------------------------------------------------------

void MysqlConn::exec(std::string sql, Done done) {
  exec_sql_ = std::move(sql);
  exec_done_ = std::move(done);
  timed_out_ = false;
  phase_ = Phase::Query;
  deadline_ = steady_ms() + servers_.timeout_ms;
  call(mysql_real_query_start(&query_error_, mysql_.get(), exec_sql_.data(), exec_sql_.size()));
}

void MysqlConn::call(int status) {
  if (status != 0) wait(status);
  else settled();
}

int MysqlConn::resume(int ready) {
  switch (phase_) {
    case Phase::Connect: return mysql_real_connect_cont(&connected_to_, mysql_.get(), ready);
    case Phase::Query: return mysql_real_query_cont(&query_error_, mysql_.get(), ready);
    case Phase::Result: return mysql_store_result_cont(&result_, mysql_.get(), ready);
  }
  return 0;
}

void MysqlConn::settled() {
  under_way_ = false;
  if (phase_ == Phase::Connect) {
    // The library takes a server without TLS, whatever its options say.
    bool in_the_clear = connected_to_ && servers_.tls && !address_.empty() && !mysql_get_ssl_cipher(mysql_.get());
    if (connected_to_ && !in_the_clear) return set_up();
    last_error_ = {mysql_errno(mysql_.get()), mysql_error(mysql_.get())};
    if (in_the_clear) last_error_ = {2026, "has no TLS, which db_tls asks for"};
    if (timed_out_) last_error_ = {2002, "does not answer"};
    drop(false);
    return connect_next();
  }
  if (phase_ == Phase::Query && query_error_ == 0 && mysql_field_count(mysql_.get()) > 0) {
    phase_ = Phase::Result;
    return call(mysql_store_result_start(&result_, mysql_.get()));
  }
  DbReply r;
  r.code = mysql_errno(mysql_.get());
  r.fault = fault_of(r.code);
  if (r.code != 0) r.error = where() + ": " + mysql_error(mysql_.get()) + " (" + std::to_string(r.code) + ")";
  if (timed_out_) {
    r.error = where() + ": no answer within " + std::to_string(servers_.timeout_ms) + " ms";
    fresh_ = true;  // the same server would keep us waiting again
  }
  r.result = std::exchange(result_, nullptr);
  if (r.code == 0 && !r.result) r.changed = mysql_affected_rows(mysql_.get());
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
    if (result_) mysql_free_result(std::exchange(result_, nullptr));
    mysql_.reset();
  }
  mark_.clear();
  writer_.clear();
  set_state(State::Closed);
}

// Ends the call under way at once: on a socket that is shut down it comes back with an error.
void MysqlConn::break_off() {
  if (!under_way_) return;
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
    if (int come = has_come()) return call(resume(come));
    if (steady_ms() < deadline_) return watch(mysql_get_socket(mysql_.get()), watched_, deadline_);
    timed_out_ = true;
    break_off();
    return settled();
  }
  call(resume((what & EV_READ ? MYSQL_WAIT_READ : 0) | (what & EV_WRITE ? MYSQL_WAIT_WRITE : 0)));
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
