#include "sip/tls_watch.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <strings.h>

#include <algorithm>

#include "sip/cert_name.h"
#include "sip/sofia_log.h"
#include "sip/su_streams.h"

namespace pua {
namespace {

constexpr size_t kMaxPeers = 256;  // that are remembered; who needs more loses the first ones

thread_local TlsCapture* t_capture = nullptr;
thread_local std::vector<TlsWatch*> t_watches;

bool is_address(const std::string& s) {
  unsigned char raw[16];
  return inet_pton(AF_INET, s.c_str(), raw) == 1 || inet_pton(AF_INET6, s.c_str(), raw) == 1;
}

template <class K, class V>
void bound(std::map<K, V>& m) {
  while (m.size() > kMaxPeers) m.erase(m.begin());
}

std::string broken_off(const std::string& peer) { return peer + " closed the connection during the TLS handshake"; }

std::string why_not_shaken(const std::string& peer) {
  unsigned long e = ERR_peek_last_error();
  switch (ERR_GET_REASON(e)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
      return peer + " does not speak TLS";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return broken_off(peer);
    default: break;
  }
  const char* text = e ? ERR_reason_error_string(e) : nullptr;
  if (!text) return broken_off(peer);
  return "the TLS handshake with " + peer + " failed: " + text;
}

}  // namespace

struct TlsHooks {
  static void context_made(void* parent, void*, CRYPTO_EX_DATA*, int, long, void*) {
    if (t_capture) t_capture->found_.push_back(static_cast<SSL_CTX*>(parent));
  }

  static TlsWatch* watch_of(const SSL* ssl) {
    SSL_CTX* context = SSL_get_SSL_CTX(ssl);
    for (TlsWatch* w : t_watches)
      if (std::find(w->contexts_.begin(), w->contexts_.end(), context) != w->contexts_.end()) return w;
    return nullptr;
  }

  static void state(const SSL* ssl, int where, int ret) {
    if (TlsWatch* w = watch_of(ssl)) w->on_state(const_cast<SSL*>(ssl), where, ret);
  }

  static int verify(X509_STORE_CTX* store, void*) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    TlsWatch* w = ssl ? watch_of(ssl) : nullptr;
    return w && w->believe(ssl, store) ? 1 : 0;
  }
};

TlsCapture::TlsCapture()
    : index_(CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, TlsHooks::context_made, nullptr, nullptr)) {
  t_capture = this;
}

// The index is given back: OpenSSL must not call into a library that was unloaded.
TlsCapture::~TlsCapture() {
  t_capture = nullptr;
  if (index_ >= 0) CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL_CTX, index_);
}

TlsWatch::TlsWatch(bool verify) : verify_(verify), gate_(5) {
  t_watches.push_back(this);
}

TlsWatch::~TlsWatch() {
  t_watches.erase(std::remove(t_watches.begin(), t_watches.end(), this), t_watches.end());
  for (SSL_CTX* c : contexts_) {
    SSL_CTX_set_info_callback(c, nullptr);
    SSL_CTX_set_cert_verify_callback(c, nullptr, nullptr);
    SSL_CTX_free(c);
  }
}

bool TlsWatch::is_for(std::string_view server) const {
  return server.size() == server_.size() && strncasecmp(server.data(), server_.data(), server.size()) == 0;
}

bool TlsWatch::adopt(const TlsCapture& capture) {
  for (SSL_CTX* c : capture.found()) {
    SSL_CTX_up_ref(c);
    contexts_.push_back(c);
    SSL_CTX_set_info_callback(c, TlsHooks::state);
    if (!verify_) continue;
    // The handshake itself fails, so the other side is told, too. What sofia checks later has then been checked.
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(c, TlsHooks::verify, nullptr);
  }
  return !contexts_.empty();
}

std::string TlsWatch::failure(const std::string& peer, bool ended) {
  auto shaking = std::find_if(shaking_hands_.begin(), shaking_hands_.end(), [&](auto& s) { return s.second == peer; });
  if (ended && shaking != shaking_hands_.end()) fail(shaking->first, broken_off(peer));
  auto it = failed_.find(peer);
  return it == failed_.end() ? std::string() : it->second;
}

void TlsWatch::works(const std::string& peer) {
  failed_.erase(peer);
  if (told_.erase(peer)) sofia_notice("sip: TLS with " + peer + " works again", gate_);
}

std::string TlsWatch::peer_of(ssl_st* ssl) const {
  auto it = shaking_hands_.find(ssl);
  if (it != shaking_hands_.end()) return it->second;
  return stream_peer(SSL_get_rfd(ssl));
}

void TlsWatch::on_state(ssl_st* ssl, int where, int ret) {
  if (where & SSL_CB_HANDSHAKE_START) {
    std::string peer = peer_of(ssl);
    failed_.erase(peer);
    // A server of many names wants to know which (RFC 6066 section 3).
    if (!server_.empty() && !is_address(server_)) SSL_set_tlsext_host_name(ssl, server_.c_str());
    shaking_hands_[ssl] = std::move(peer);
    bound(shaking_hands_);
  } else if (where & SSL_CB_HANDSHAKE_DONE) {
    shaking_hands_.erase(ssl);
  } else if (where == SSL_CB_READ_ALERT && ret >> 8 == SSL3_AL_FATAL) {
    fail(ssl, peer_of(ssl) + " refused TLS: " + SSL_alert_desc_string_long(ret));
  } else if (where == SSL_CB_CONNECT_EXIT && ret <= 0) {
    BIO* bio = SSL_get_rbio(ssl);
    if (ERR_peek_error() == 0 && bio && BIO_should_retry(bio)) return;  // goes on when more has come
    fail(ssl, why_not_shaken(peer_of(ssl)));
  }
}

// The first reason is the right one: what follows comes of it.
void TlsWatch::fail(ssl_st* ssl, const std::string& why) {
  std::string peer = peer_of(ssl);
  shaking_hands_.erase(ssl);
  if (peer.empty() || !failed_.emplace(peer, why).second) return;
  bound(failed_);
  report(peer, why);
}

// One line for each server that begins to fail, or fails in another way.
void TlsWatch::report(const std::string& peer, const std::string& why) {
  std::string& told = told_[peer];
  if (told == why) return;
  told = why;
  bound(told_);
  sofia_warning("sip: " + why, gate_);
}

bool TlsWatch::believe(ssl_st* ssl, x509_store_ctx_st* store) {
  std::string peer = peer_of(ssl);
  if (X509_verify_cert(store) != 1) {
    fail(ssl, "the certificate of " + peer + " is not trusted: " +
                  X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    return false;
  }
  CertNames names = cert_names(X509_STORE_CTX_get0_cert(store));
  if (cert_is_for(names, server_)) return true;
  X509_STORE_CTX_set_error(store, is_address(server_) ? X509_V_ERR_IP_ADDRESS_MISMATCH : X509_V_ERR_HOSTNAME_MISMATCH);
  fail(ssl, "the certificate of " + peer + " is for " + cert_names_text(names) + ", not for " + server_);
  return false;
}

}  // namespace pua
