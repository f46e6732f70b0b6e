#include "tests/support/tls_server.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace pua::test {

Cert::Cert(const Wish& w) : x509(X509_new()), key(EVP_EC_gen("P-256")) {
  static long serial = 1;
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x509), w.from_s);
  X509_gmtime_adj(X509_getm_notAfter(x509), w.until_s);
  X509_set_pubkey(x509, key);
  X509_NAME* name = X509_get_subject_name(x509);
  if (!w.cn.empty())
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(w.cn.data()),
                               static_cast<int>(w.cn.size()), -1, 0);
  X509_set_issuer_name(x509, w.by ? X509_get_subject_name(w.by->x509) : name);
  auto extend = [&](int nid, const std::string& value) {
    X509_EXTENSION* ext = value.empty() ? nullptr : X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (ext) X509_add_ext(x509, ext, -1);
    X509_EXTENSION_free(ext);
  };
  extend(NID_subject_alt_name, w.san);
  extend(NID_basic_constraints, w.ca ? "critical,CA:TRUE" : "");
  X509_sign(x509, w.by ? w.by->key : key, EVP_sha256());
}

Cert::~Cert() {
  X509_free(x509);
  EVP_PKEY_free(key);
}

void Cert::write(const std::string& dir, const Cert* trusted) const {
  std::filesystem::create_directories(dir);
  FILE* agent = fopen((dir + "/agent.pem").c_str(), "we");
  PEM_write_X509(agent, x509);
  PEM_write_PrivateKey(agent, key, nullptr, nullptr, 0, nullptr, nullptr);
  fclose(agent);
  FILE* ca = fopen((dir + "/cafile.pem").c_str(), "we");
  PEM_write_X509(ca, trusted ? trusted->x509 : x509);
  fclose(ca);
}

struct TlsServer::Connection {
  TlsServer* server;
  int fd;
  SSL* ssl;
  event* ev = nullptr;
  std::string in;
  bool up = false, flooding = false, broken = false;

  ~Connection() {
    if (ev) event_free(ev);
    SSL_free(ssl);
    close(fd);
  }
  void watch(bool write) {
    if (ev) event_free(ev);
    ev = event_new(server->base_, fd, static_cast<short>(EV_READ | EV_PERSIST | (write ? EV_WRITE : 0)), on_ready, this);
    event_add(ev, nullptr);
  }
};

TlsServer::TlsServer(event_base* base, const Cert& cert, const Cert* ask_client, bool tls12, const char* host,
                     uint16_t port)
    : base_(base), context_(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX_use_certificate(context_, cert.x509);
  SSL_CTX_use_PrivateKey(context_, cert.key);
  SSL_CTX_set_mode(context_, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
  if (tls12) SSL_CTX_set_max_proto_version(context_, TLS1_2_VERSION);
  if (ask_client) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), ask_client->x509);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  sockaddr_storage a{};
  socklen_t len = sizeof(sockaddr_in);
  auto* in = reinterpret_cast<sockaddr_in*>(&a);
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&a);
  if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    len = sizeof(sockaddr_in6);
  } else {
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    inet_pton(AF_INET, host, &in->sin_addr);
  }
  fd_ = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd_, reinterpret_cast<sockaddr*>(&a), len) != 0 || listen(fd_, 64) != 0) return;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &len);
  port_ = ntohs(a.ss_family == AF_INET ? in->sin_port : in6->sin6_port);
  ev_ = event_new(base_, fd_, EV_READ | EV_PERSIST, on_accept, this);
  event_add(ev_, nullptr);
}

TlsServer::~TlsServer() {
  connections_.clear();
  if (ev_) event_free(ev_);
  if (fd_ >= 0) close(fd_);
  SSL_CTX_free(context_);
}

void TlsServer::send(const std::string& text) {
  for (auto& [fd, c] : connections_) SSL_write(c->ssl, text.data(), static_cast<int>(text.size()));
}

void TlsServer::close_connections() { connections_.clear(); }

void TlsServer::on_accept(int fd, short, void* arg) {
  auto* self = static_cast<TlsServer*>(arg);
  int c = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (c < 0) return;
  self->accepted_++;
  SSL* ssl = SSL_new(self->context_);
  SSL_set_fd(ssl, c);
  SSL_set_accept_state(ssl);
  auto connection = std::make_unique<Connection>();
  connection->server = self;
  connection->fd = c;
  connection->ssl = ssl;
  connection->watch(false);
  self->connections_[c] = std::move(connection);
}

void TlsServer::on_ready(int, short, void* arg) {
  auto* c = static_cast<Connection*>(arg);
  c->server->serve(*c);
}

void TlsServer::serve(Connection& c) {
  static char scrap[4096];
  ERR_clear_error();
  if (!c.up) {
    int rc = SSL_do_handshake(c.ssl);
    int why = SSL_get_error(c.ssl, rc);
    if (rc != 1 && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      // No more of ours, but what is under way must not reset what was told.
      if (!c.broken) shutdown(c.fd, SHUT_WR);
      c.broken = true;
      ssize_t left;
      while ((left = recv(c.fd, scrap, sizeof scrap, 0)) > 0) {
      }
      if (left == 0) connections_.erase(c.fd);
      return;
    }
    if (rc != 1) return c.watch(why == SSL_ERROR_WANT_WRITE);
    c.up = true;
    const char* name = SSL_get_servername(c.ssl, TLSEXT_NAMETYPE_host_name);
    server_name = name ? name : "";
    c.watch(false);
  }
  if (c.flooding) {
    while (SSL_write(c.ssl, flood.data(), static_cast<int>(flood.size())) > 0) {
    }
  }
  char buf[4096];
  int n;
  while ((n = SSL_read(c.ssl, buf, sizeof buf)) > 0) c.in.append(buf, static_cast<size_t>(n));
  int why = SSL_get_error(c.ssl, n);
  for (size_t head; (head = c.in.find("\r\n\r\n")) != std::string::npos;) {
    size_t body = static_cast<size_t>(atoi(parse_sip(c.in.substr(0, head + 4)).header("Content-Length").c_str()));
    if (c.in.size() < head + 4 + body) break;
    requests.push_back(parse_sip(c.in.substr(0, head + 4 + body)));
    c.in.erase(0, head + 4 + body);
    if (!flood.empty()) {
      c.flooding = true;
      c.watch(true);
    } else if (!silent) {
      std::string reply = ScriptedServer::reply_text(requests.back(), 200, "OK", "SIP-ETag: tls\r\n");
      SSL_write(c.ssl, reply.data(), static_cast<int>(reply.size()));
    }
  }
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) connections_.erase(c.fd);
}

}  // namespace pua::test
