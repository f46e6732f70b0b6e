// Certificates made to measure, and TlsServer: a SIP server over TLS on the test's own loop. (ScriptedServer does UDP and TCP.)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/support/scripted_server.h"

struct event_base;
struct event;
struct x509_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_st;

namespace pua::test {

// One certificate with its key. Signed by itself, or by another one.
struct Cert {
  struct Wish {
    std::string cn = "test";
    std::string san = {};                    // as OpenSSL writes it: "DNS:a.example, IP:127.0.0.1, URI:sip:a.example"; empty: none
    long from_s = -3600, until_s = 86400;  // from now
    const Cert* by = nullptr;
    bool ca = false;                    // may sign others
  };
  explicit Cert(const Wish&);
  ~Cert();
  Cert(const Cert&) = delete;
  Cert& operator=(const Cert&) = delete;

  // The folder that `tls_dir` names: this certificate and key as agent.pem, `trusted` (or itself) as cafile.pem.
  void write(const std::string& dir, const Cert* trusted = nullptr) const;

  x509_st* x509 = nullptr;
  evp_pkey_st* key = nullptr;
};

class TlsServer {
 public:
  // ask_client: who connects must show a certificate that `ask_client` signed. tls12: TLS 1.2 and not 1.3.
  TlsServer(event_base* base, const Cert& cert, const Cert* ask_client = nullptr, bool tls12 = false,
            const char* host = "127.0.0.1", uint16_t port = 0);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  uint16_t port() const { return port_; }
  // Answers each request with 200 and an entity-tag of "tls".
  std::vector<SipReceived> requests;
  std::string server_name;        // that the client asked for last (SNI)
  int connections() const { return accepted_; }
  void close_connections();
  void send(const std::string& text);   // over each connection
  bool silent = false;            // no answers
  std::string flood;              // instead of an answer, without end

 private:
  struct Connection;
  static void on_accept(int fd, short, void* self);
  static void on_ready(int fd, short what, void* connection);
  void serve(Connection&);

  event_base* base_;
  ssl_ctx_st* context_ = nullptr;
  int fd_ = -1, accepted_ = 0;
  uint16_t port_ = 0;
  event* ev_ = nullptr;
  std::map<int, std::unique_ptr<Connection>> connections_;
};

}  // namespace pua::test
