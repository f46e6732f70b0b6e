// The octets of one accepted connection, plain or by TLS. Nothing here waits, and nothing raises SIGPIPE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace pua {

// Certificate, key and rules of the TLS addresses: TLS 1.2 and later, no certificate asked of clients, no renegotiation.
class TlsServer {
 public:
  // dir: with agent.pem (certificate, those between it and the root, and the key) and cafile.pem. Errors: sip_failed (names
  // the file).
  static Result<std::unique_ptr<TlsServer>> load(const std::string& dir);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ssl_ctx_st* context() const { return context_; }

 private:
  explicit TlsServer(ssl_ctx_st* c) : context_(c) {}
  ssl_ctx_st* context_;
};

class InboundSocket {
 public:
  enum class Io : uint8_t { Done, WantRead, WantWrite, End, Failed };

  // fd: owned from now on. tls: null: plain; outlives the socket.
  InboundSocket(int fd, const TlsServer* tls) : fd_(fd), tls_(tls) {}
  ~InboundSocket();
  InboundSocket(const InboundSocket&) = delete;
  InboundSocket& operator=(const InboundSocket&) = delete;

  int fd() const { return fd_; }
  bool tls() const { return tls_ != nullptr; }
  // The next step of the handshake; Done: over, or plain. What TLS needs is allocated with the first call: a connection that
  // says nothing costs nothing.
  Io handshake();
  // n: octets read or written, where Done. End: the other side sends no more.
  Io read(char* to, size_t most, size_t& n);
  Io write(const char* from, size_t size, size_t& n);
  // Sends no more, and says so; the other side may still be sending.
  void finish();
  // Reads and forgets, also what is encrypted; never blocks. n: octets, where Done.
  Io discard(char* scratch, size_t size, size_t& n);
  // At once; only the destructor may follow.
  void close();
  // Why TLS failed, for a log line.
  std::string tls_error() const { return error_; }

 private:
  Io outcome(int result);

  int fd_;
  const TlsServer* tls_;
  ssl_st* ssl_ = nullptr;
  std::string error_;
};

}  // namespace pua
