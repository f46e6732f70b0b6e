// HttpServer: the control interface over HTTP, on libevent's evhttp. Known paths, one request a connection, nothing waits.
//
//   connection --request--> route --handler--> answer, closed
//       |  too many: the oldest one is closed      |  unknown path: 404; known, but not this way: 405 with Allow
//       |  silent or slow: closed                  |  too large, or no HTTP: 400, 413, 417, 501
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "base/spell.h"
#include "base/watchdog.h"
#include "control/context.h"

struct bufferevent;
struct evconnlistener;
struct event;
struct event_base;
struct evhttp;
struct evhttp_request;

namespace pua {

struct HttpAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
};

struct HttpLimits {
  using Ms = std::chrono::milliseconds;
  size_t connections = 64;
  Ms silence = Ms(5000);                   // without an octet, either way
  Ms lifetime = Ms(10000);                 // of a connection, however busy
  Ms pause = Ms(1000);                     // between two looks where there are no descriptors
  static constexpr size_t kHead = 8192, kBody = 4096;  // octets of a request
};

class HttpServer {
 public:
  // address: "127.0.0.1:8088", "[::1]:8088"; port 0: any that is free. watchdog may be null; it, the log, the counters and the
  // base outlive this. Errors (bad_config): no such address here, the port is taken, the system's refusal, by name.
  static Result<std::unique_ptr<HttpServer>> open(event_base*, const std::string& address, Log&, Watchdog*, ControlCounters&,
                                                  const HttpLimits& = {});
  // Closes all connections, answered or not. Not inside a handler.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // What answers GET of this path and, without its body, HEAD. Called in the loop; must not wait.
  using GetHandler = std::function<HttpAnswer()>;
  void get(std::string path, GetHandler handler) { routes_[std::move(path)].get = std::move(handler); }

  uint16_t port() const { return port_; }
  size_t connections();                    // open now
  bool paused() const { return paused_; }  // short of descriptors: no connection is accepted for a moment

 private:
  using Time = std::chrono::steady_clock::time_point;
  // What is done at a path, by method. Another way of asking joins here, and in Route::allow and answer().
  struct Route {
    GetHandler get;
    std::string allow() const { return get ? "GET, HEAD" : ""; }
  };
  // What evhttp reads and writes through. A reference of ours keeps it, and its descriptor, until we see that evhttp has
  // freed it.
  struct Connection {
    bufferevent* bev;
    Time since;
    bool answered = false;                 // by us: what evhttp refuses itself never gets here
  };

  HttpServer(const std::string& address, Log& log, Watchdog* watchdog, ControlCounters& counters, const HttpLimits& limits)
      : address_(address), log_(log), watchdog_(watchdog), counters_(counters), limits_(limits) {}
  static void refused(evconnlistener*, void* http);
  static void look_again(int, short, void* self);
  void pause(int error);
  static bufferevent* opened(event_base*, void* self);
  static void requested(evhttp_request*, void* self);
  static void answered(evhttp_request*, void* self);
  static void look_after(int, short, void* self);
  void answer(evhttp_request*);
  void reply(evhttp_request*, const HttpAnswer&, bool with_body);
  void forget_closed();
  void close_oldest();
  void arm(Time now);

  const std::string address_;
  Log& log_;
  Watchdog* watchdog_;
  ControlCounters& counters_;
  const HttpLimits limits_;
  std::map<std::string, Route, std::less<>> routes_;
  std::deque<Connection> open_;            // oldest first; some of them closed already
  evhttp* http_ = nullptr;
  evconnlistener* listener_ = nullptr;     // of http_
  event* timer_ = nullptr;                 // armed while a connection is kept
  event* pause_ = nullptr;                 // armed while descriptors are short
  Spell short_;
  bool paused_ = false;
  uint16_t port_ = 0;
};

}  // namespace pua
