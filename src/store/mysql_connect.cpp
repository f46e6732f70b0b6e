// MysqlConn: connecting. Names, what the library is told, and TLS before anything else.
#include <errmsg.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "store/mono.h"
#include "store/mysql_conn.h"

namespace pua {

namespace {

constexpr unsigned kPortOfMysql = 3306;
constexpr const char* kNoTls = "has no TLS, which db_tls asks for";
// Methods that show a server nothing it could use elsewhere. Of the others some send the password as it is
// (mysql_clear_password, dialog), some under a key that the server names (sha256_password, caching_sha2_password);
// mysql_old_password is never taken.
constexpr const char* kSafeMethods = "mysql_native_password,client_ed25519,auth_gssapi_client,parsec";
constexpr const char* kAllMethods =
    "mysql_native_password,client_ed25519,auth_gssapi_client,parsec,mysql_clear_password,dialog,sha256_password,"
    "caching_sha2_password";

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

// Addresses that are known are told at once.
void MysqlConn::resolve(MonoMs until) {
  const DbHost& host = session_.host();
  std::vector<std::string> known = mysql::known_addresses(host);
  if (!known.empty()) return tell({.input = mysql::Input::Addresses, .addresses = std::move(known)});
  auto made = std::make_unique<Resolution>(this, home_.base());
  if (!made->dns) return tell({.input = mysql::Input::Unable, .code = CR_UNKNOWN_HOST, .text = "no memory for the resolver"});
  evutil_addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  resolution_ = made.release();
  auto* request = evdns_getaddrinfo(resolution_->dns, host.name.c_str(), nullptr, &hints, &MysqlConn::dns_cb, resolution_);
  if (!resolution_) return;  // it was answered inside the call: a name of /etc/hosts
  resolution_->request = request;
  pause(Wait::Name, until);
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
    const void* from = &reinterpret_cast<sockaddr_in*>(a->ai_addr)->sin_addr;
    if (a->ai_family == AF_INET6) from = &reinterpret_cast<sockaddr_in6*>(a->ai_addr)->sin6_addr;
    if (evutil_inet_ntop(a->ai_family, from, buf, sizeof buf)) found.emplace_back(buf);
  }
  if (list) evutil_freeaddrinfo(list);
  MysqlConn* c = r->owner;
  if (!c) return;
  c->resolution_ = nullptr;
  std::string why = error ? std::string("its name cannot be resolved: ") + evutil_gai_strerror(error) : "no address";
  c->found_ = {
      .input = mysql::Input::Addresses, .addresses = std::move(found), .code = CR_UNKNOWN_HOST, .text = std::move(why)};
  c->pause(Wait::Found, steady_ms());  // not inside the resolver's callback
}

// address: "": the unix socket.
void MysqlConn::dial(const std::string& address, MonoMs until) {
  address_ = address;
  timed_out_ = false;
  bool over_tls = servers_.tls && !address_.empty();
  mysql_.reset(mysql_init(nullptr));
  if (over_tls) fiber_ = MysqlFiber::make();
  if (!mysql_ || (over_tls && !fiber_))
    return tell({.input = mysql::Input::Unable, .code = CR_OUT_OF_MEMORY, .text = "no memory"});
  set_options();
  const DbHost& host = session_.host();
  phase_ = Phase::Connect;
  deadline_ = until;
  const char* to = address_.empty() ? "localhost" : address_.c_str();
  const char* socket = address_.empty() && !servers_.socket.empty() ? servers_.socket.c_str() : nullptr;
  greeting_to_see_ = true;
  connect_ready_ = 0;
  meter_.begin(mysql::kMostOctets);
  start([&] {
    return connecting(0, [&](int) {
      return mysql_real_connect_start(&connected_to_, mysql_.get(), to, servers_.user.c_str(), servers_.password.c_str(),
                                      servers_.database.c_str(), host.port ? host.port : kPortOfMysql, socket,
                                      session_.fields().use == Use::Write ? CLIENT_MULTI_STATEMENTS : 0);
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
  // The library compares the certificate's name with what it was told to connect to. That is always an address, which a
  // certificate holds only where db_url names the address, too.
  my_bool yes = 1, verify = servers_.tls_verify && mysql::is_address(session_.host().name) ? 1 : 0;
  mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &yes);
  mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
  if (!servers_.tls_ca.empty()) mysql_options(m, MYSQL_OPT_SSL_CA, servers_.tls_ca.c_str());
}

void MysqlConn::connected() {
  fiber_.reset();
  // The library takes a server without TLS, whatever its options say; on_ready() does not let it get so far.
  bool in_the_clear = connected_to_ && servers_.tls && !address_.empty() && !mysql_get_ssl_cipher(mysql_.get());
  if (connected_to_ && !in_the_clear) return tell({.input = mysql::Input::Connected});
  if (meter_.over())
    return refused(CR_SERVER_LOST, "says more than " + std::to_string(meter_.most()) + " octets before it lets us in");
  if (timed_out_) return refused(CR_CONNECTION_ERROR, "does not answer");
  if (in_the_clear) return refused(CR_SSL_CONNECTION_ERROR, kNoTls);
  refused(mysql_errno(mysql_.get()), mysql_error(mysql_.get()));
}

// What the server is refused for, or what it refuses us for.
void MysqlConn::refused(unsigned code, std::string text) {
  tell({.input = mysql::Input::Refused, .code = code, .text = std::move(text)});
}

// --- TLS before anything else ----------------------------------------------------------------------------------------------

// The library goes on in the clear where a server offers no TLS, and sends what it knows of the password. So its connection is
// held until the greeting has come, which says what the server offers: the octets that are looked at are those that the library
// reads.
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
      if (offer == TlsOffer::No) return refused(CR_SSL_CONNECTION_ERROR, kNoTls);
      return refused(CR_MALFORMED_PACKET, "does not speak as MariaDB servers do");
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
  // The library crashes on such a packet. It can only be stopped by letting it read on, so what it would read is taken away
  // first.
  if (offer == TlsOffer::Odd) shutdown(fd, SHUT_RDWR);
  while (offer == TlsOffer::Odd && recv(fd, octets, sizeof octets, MSG_DONTWAIT) > 0) {
  }
  if (offer == TlsOffer::Unknown) least += static_cast<int>(std::max<ssize_t>(n, 0));
  setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);   // woken when there is more to look at
  return offer;
}

}  // namespace pua
