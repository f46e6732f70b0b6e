#include "sip/inbound_socket.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pua {
namespace {

// OpenSSL's own BIO for sockets writes with write(), which raises SIGPIPE in a host that does not ignore it.
int bio_fd(BIO* b) { return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(b))); }

int bio_result(BIO* b, ssize_t n, int retry) {
  BIO_clear_retry_flags(b);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(n);
}
int bio_read(BIO* b, char* to, int size) {
  ssize_t n = recv(bio_fd(b), to, static_cast<size_t>(size), 0);
  if (n == 0) BIO_set_flags(b, BIO_FLAGS_IN_EOF);
  return bio_result(b, n, BIO_FLAGS_READ);
}
int bio_write(BIO* b, const char* from, int size) {
  return bio_result(b, send(bio_fd(b), from, static_cast<size_t>(size), MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}
long bio_ctrl(BIO* b, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}
int no_password(char*, int, int, void*) { return 0; }  // else OpenSSL asks the terminal, and waits

BIO_METHOD* bio_method() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pua stream");
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
  }();
  return kMethod;
}

std::string openssl_error() {
  char text[200] = "no reason given";
  if (unsigned long e = ERR_peek_last_error()) ERR_error_string_n(e, text, sizeof text);
  ERR_clear_error();
  return text;
}

}  // namespace

Result<std::unique_ptr<TlsServer>> TlsServer::load(const std::string& dir) {
  ERR_clear_error();
  SSL_CTX* c = SSL_CTX_new(TLS_server_method());
  if (!c) return {Errc::no_memory, "TLS: " + openssl_error()};
  std::unique_ptr<TlsServer> out(new TlsServer(c));
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  // An end of the connection without close_notify is an end: Content-Length says whether a message was whole.
  SSL_CTX_set_options(
      c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);  // who comes again brings a ticket
  SSL_CTX_set_verify(c, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_default_passwd_cb(c, no_password);
  std::string agent = dir + "/agent.pem", ca = dir + "/cafile.pem";
  if (SSL_CTX_use_certificate_chain_file(c, agent.c_str()) != 1)
    return {Errc::sip_failed, "tls_dir: " + agent + ": " + openssl_error()};
  if (SSL_CTX_use_PrivateKey_file(c, agent.c_str(), SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(c) != 1)
    return {Errc::sip_failed, "tls_dir: " + agent + ": " + openssl_error()};
  // Certificates between ours and the root are found there, too, as sofia does it.
  if (SSL_CTX_load_verify_locations(c, ca.c_str(), nullptr) != 1)
    return {Errc::sip_failed, "tls_dir: " + ca + ": " + openssl_error()};
  return out;
}

TlsServer::~TlsServer() { SSL_CTX_free(context_); }

InboundSocket::~InboundSocket() { close(); }

void InboundSocket::close() {
  if (ssl_) SSL_free(ssl_);
  ssl_ = nullptr;
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

InboundSocket::Io InboundSocket::outcome(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return Io::WantRead;
    case SSL_ERROR_WANT_WRITE: return Io::WantWrite;
    case SSL_ERROR_ZERO_RETURN: return Io::End;
    case SSL_ERROR_SYSCALL: error_ = errno ? strerror(errno) : "the connection was closed"; break;
    default: error_ = openssl_error(); break;
  }
  return Io::Failed;
}

InboundSocket::Io InboundSocket::handshake() {
  if (!tls_) return Io::Done;
  ERR_clear_error();
  if (!ssl_) {
    ssl_ = SSL_new(tls_->context());
    BIO* bio = ssl_ ? BIO_new(bio_method()) : nullptr;
    if (!bio) {
      error_ = "no memory";
      return Io::Failed;
    }
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd_)));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_accept_state(ssl_);
  }
  errno = 0;
  int r = SSL_do_handshake(ssl_);
  return r == 1 ? Io::Done : outcome(r);
}

InboundSocket::Io InboundSocket::read(char* to, size_t most, size_t& n) {
  n = 0;
  if (tls_) {
    ERR_clear_error();
    errno = 0;
    int r = SSL_read_ex(ssl_, to, most, &n);
    return r == 1 ? Io::Done : outcome(r);
  }
  ssize_t got = recv(fd_, to, most, 0);
  if (got > 0) n = static_cast<size_t>(got);
  if (got > 0) return Io::Done;
  if (got == 0) return Io::End;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Io::WantRead : Io::Failed;
}

InboundSocket::Io InboundSocket::write(const char* from, size_t size, size_t& n) {
  n = 0;
  if (tls_) {
    ERR_clear_error();
    errno = 0;
    int r = SSL_write_ex(ssl_, from, size, &n);
    return r == 1 ? Io::Done : outcome(r);
  }
  ssize_t sent = send(fd_, from, size, MSG_NOSIGNAL);
  if (sent >= 0) n = static_cast<size_t>(sent);
  if (sent >= 0) return Io::Done;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Io::WantWrite : Io::Failed;
}

void InboundSocket::finish() {
  if (ssl_ && SSL_is_init_finished(ssl_)) {
    ERR_clear_error();
    SSL_shutdown(ssl_);  // one record; where it does not fit, the end of the connection alone must tell
  }
  shutdown(fd_, SHUT_WR);
}

InboundSocket::Io InboundSocket::discard(char* scratch, size_t size, size_t& n) {
  ssize_t got = recv(fd_, scratch, size, 0);
  n = got > 0 ? static_cast<size_t>(got) : 0;
  if (got > 0) return Io::Done;
  if (got == 0) return Io::End;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Io::WantRead : Io::Failed;
}

}  // namespace pua
