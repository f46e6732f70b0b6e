// ScriptedServer: a SIP server on loopback that does exactly what a test tells it, over UDP or TCP, on the test's own loop.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct event_base;
struct event;

namespace pua::test {

// A request as it stood on the wire.
struct SipReceived {
  std::string raw;
  std::string start_line;
  std::vector<std::pair<std::string, std::string>> headers;  // name as written, value; in order
  std::string body;
  std::string from;   // "127.0.0.1:5060": where it came from
  int connection = 0; // TCP: which one

  std::string header(std::string_view name) const;   // first value, "" if there is none
  std::string line(std::string_view name) const;     // the whole line, "" if there is none
  std::vector<std::string> names() const;            // all names, in order
  std::string param(std::string_view name, std::string_view parameter) const;  // "branch" of "Via"
};

SipReceived parse_sip(std::string raw);

class ScriptedServer {
 public:
  enum class Kind : uint8_t { Udp, Tcp };
  // host: "127.0.0.1" or "::1". The port is free, or the one given. port() is 0 if the address is not there.
  ScriptedServer(event_base* base, Kind kind, const char* host = "127.0.0.1", uint16_t port = 0);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  uint16_t port() const { return port_; }
  std::string uri() const;  // "sip:127.0.0.1:5060", with ";transport=tcp" for TCP
  bool up() const { return port_ != 0; }

  // Called for each request, repeated ones too; they are also kept in `requests`. Empty: silence.
  std::function<void(const SipReceived&)> on_request;
  std::vector<SipReceived> requests;

  // A reply to that request: Via, From, To with a tag, Call-ID, CSeq copied; headers: whole lines.
  static std::string reply_text(const SipReceived&, int status, std::string_view reason, std::string_view headers = "",
                                std::string_view body = "");
  void reply(const SipReceived&, int status, std::string_view reason, std::string_view headers = "",
             std::string_view body = "");
  void send_raw(const SipReceived& to, std::string_view bytes);
  // TCP: as much of it as the connection takes now. false: it is gone.
  bool send_some(const SipReceived& to, std::string_view bytes);
  void send_to_all(std::string_view bytes);  // TCP: over each connection, whether or not it asked for anything
  void close_connections();  // TCP
  int connections() const { return accepted_; }
  size_t open_connections() const { return connections_.size(); }

 private:
  struct Connection {
    int fd = -1;
    event* ev = nullptr;
    std::string in;
    ScriptedServer* server = nullptr;
    int id = 0;
  };
  static void on_datagram(int fd, short, void* self);
  static void on_accept(int fd, short, void* self);
  static void on_bytes(int fd, short, void* connection);
  void take(SipReceived r);

  event_base* base_;
  Kind kind_;
  int fd_ = -1;
  event* ev_ = nullptr;
  uint16_t port_ = 0;
  std::string host_;
  std::map<int, Connection> connections_;
  int accepted_ = 0;
};

}  // namespace pua::test
