// MysqlConn: connecting. Names, addresses, what the library is told, and TLS before anything else.
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "store/mono.h"
#include "store/mysql_conn.h"

namespace pua {

namespace {

constexpr unsigned kPortOfMysql = 3306;
// Methods that show a server nothing it could use elsewhere. Of the others some send the password as it is (mysql_clear_password,
// dialog), some under a key that the server names (sha256_password, caching_sha2_password); mysql_old_password is never taken.
constexpr const char* kSafeMethods = "mysql_native_password,client_ed25519,auth_gssapi_client,parsec";
constexpr const char* kAllMethods =
    "mysql_native_password,client_ed25519,auth_gssapi_client,parsec,mysql_clear_password,dialog,sha256_password,"
    "caching_sha2_password";

bool is_address(const std::string& name) {
  unsigned char buf[sizeof(in6_addr)];
  std::string plain = name.substr(0, name.find('%'));
  return inet_pton(AF_INET, plain.c_str(), buf) == 1 || inet_pton(AF_INET6, plain.c_str(), buf) == 1;
}

}  // namespace

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
  greeting_to_see_ = true;
  connect_ready_ = 0;
  if (servers_.tls && !address_.empty() && !(fiber_ = MysqlFiber::make())) return cannot_connect(2008, "no memory");
  meter_.begin(kMostOctets);
  start([&] {
    return connecting(0, [&](int) {
      return mysql_real_connect_start(&connected_to_, mysql_.get(), to, servers_.user.c_str(), servers_.password.c_str(),
                                      servers_.database.c_str(), host.port ? host.port : kPortOfMysql, socket,
                                      use_ == Use::Write ? CLIENT_MULTI_STATEMENTS : 0);
    });
  });
}

int MysqlConn::connecting(int ready, std::function<int(int)> call) {
  return fiber_ ? fiber_->go(ready, std::move(call)) : call(ready);
}

void MysqlConn::set_options() {
  MYSQL* m = mysql_.get();
  mysql_options(m, MYSQL_OPT_NONBLOCK, nullptr);
  mysql_options(m, MARIADB_OPT_IO_WAIT, reinterpret_cast<const void*>(&MysqlFiber::io_wait));
  unsigned connect_s = kConnectMs / 1000, none = 0;
  mysql_options(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
  mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &none);  // a server must not be able to ask for our files
  mysql_options(m, MYSQL_SET_CHARSET_NAME, "binary");
  mysql_options4(m, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "libpua");
  // How the password is proven. A server, or who stands in for one, may ask for it in the clear or under a key of its own.
  mysql_options(m, MARIADB_OPT_RESTRICTED_AUTH, servers_.clear_password ? kAllMethods : kSafeMethods);
  if (!servers_.tls) return;
  // The library compares the certificate's name with what it was told to connect to. That is always an address, which a certificate
  // holds only where db_url names the address, too.
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

// --- TLS before anything else ----------------------------------------------------------------------------------------------

// The library goes on in the clear where a server offers no TLS, and sends what it knows of the password. So its connection is held
// until the greeting has come, which says what the server offers: the octets that are looked at are those that the library reads.
void MysqlConn::on_ready(int come) {
  if (phase_ != Phase::Connect || !greeting_to_see_) return call(resume(come));
  connect_ready_ |= come;
  TlsOffer offer = look_at_greeting();
  if (offer == TlsOffer::No && (!servers_.tls || address_.empty())) offer = TlsOffer::Yes;   // nobody asks for it
  switch (offer) {
    case TlsOffer::Unknown:
      watched_ = EV_READ;
      return watch(mysql_get_socket(mysql_.get()), EV_READ, deadline_);
    case TlsOffer::No:
    case TlsOffer::Odd:
      break_off();
      last_error_ = offer == TlsOffer::No ? std::pair(2026u, std::string("has no TLS, which db_tls asks for"))
                                          : std::pair(2027u, std::string("does not speak as MariaDB servers do"));
      drop(false);
      return connect_next();
    case TlsOffer::Yes: break;
  }
  greeting_to_see_ = false;
  call(resume(connect_ready_));
}

TlsOffer MysqlConn::look_at_greeting() {
  int fd = mysql_get_socket(mysql_.get()), least = 1;
  pollfd state{fd, POLLIN, 0};
  // Broken already: nothing can be sent any more, and the library finds out why.
  if (poll(&state, 1, 0) < 0 || (state.revents & (POLLERR | POLLHUP | POLLNVAL))) return TlsOffer::Yes;
  char octets[512];
  ssize_t n = recv(fd, octets, sizeof octets, MSG_PEEK | MSG_DONTWAIT);
  if (n == 0) return TlsOffer::Yes;   // closed, without a greeting
  TlsOffer offer = tls_offer({octets, static_cast<size_t>(std::max<ssize_t>(n, 0))});
  // The library crashes on such a packet. It can only be stopped by letting it read on, so what it would read is taken away first.
  if (offer == TlsOffer::Odd) shutdown(fd, SHUT_RDWR);
  while (offer == TlsOffer::Odd && recv(fd, octets, sizeof octets, MSG_DONTWAIT) > 0) {
  }
  if (offer == TlsOffer::Unknown) least += static_cast<int>(std::max<ssize_t>(n, 0));
  setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);   // woken when there is more to look at
  return offer;
}

}  // namespace pua
