// TlsWatch: what sofia's TLS does with the connections of one agent, all to one server. Says whose certificate is believed
// (RFC 5922) and why a handshake failed; sofia itself closes such a connection without a word (docs/adr/0003).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_gate.h"

struct ssl_ctx_st;
struct ssl_st;
struct x509_store_ctx_st;

namespace pua {

// While it lives, the SSL_CTX objects that are made on this thread are noted: sofia shows its own to nobody.
class TlsCapture {
 public:
  TlsCapture();
  ~TlsCapture();
  TlsCapture(const TlsCapture&) = delete;
  TlsCapture& operator=(const TlsCapture&) = delete;
  const std::vector<ssl_ctx_st*>& found() const { return found_; }

 private:
  friend struct TlsHooks;
  int index_;
  std::vector<ssl_ctx_st*> found_;
};

class TlsWatch {
 public:
  // server: whom all certificates must be for: a host name or an address without brackets; empty: not known yet.
  // verify: false: any certificate will do.
  TlsWatch(bool verify, std::string server) : TlsWatch(verify) { server_ = std::move(server); }
  const std::string& server() const { return server_; }
  void set_server(std::string_view server) { server_ = server; }
  bool is_for(std::string_view server) const;  // case does not count
  // Call when the agent is gone.
  ~TlsWatch();
  TlsWatch(const TlsWatch&) = delete;
  TlsWatch& operator=(const TlsWatch&) = delete;

  // Takes over what an agent made. false: nothing was seen, so nobody would check names.
  bool adopt(const TlsCapture&);

  // Why TLS with that address failed last: "the certificate of 192.0.2.1:5061 is not trusted: self-signed certificate".
  // Empty: it did not. ended: a connection to it has just been closed, which may have been in the middle of its handshake.
  std::string failure(const std::string& peer, bool ended);
  // A message came from there.
  void works(const std::string& peer);
  bool any_failed() const { return !told_.empty(); }

 private:
  friend struct TlsHooks;
  explicit TlsWatch(bool verify);
  void fail(ssl_st* ssl, const std::string& why);
  void on_state(ssl_st* ssl, int where, int ret);
  bool believe(ssl_st* ssl, x509_store_ctx_st* store);
  void report(const std::string& peer, const std::string& why);
  std::string peer_of(ssl_st* ssl) const;

  bool verify_;
  std::string server_;
  std::vector<ssl_ctx_st*> contexts_;             // a reference of ours each
  std::map<ssl_st*, std::string> shaking_hands_;  // and with whom
  std::map<std::string, std::string> failed_;     // peer, why; until the next handshake with it
  std::map<std::string, std::string> told_;       // what stands in the log
  LogGate gate_;
};

}  // namespace pua
