#include "control/http.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "config/addresses.h"

namespace pua {

namespace {

constexpr int kBacklog = 64;
constexpr const char* kText = "text/plain; charset=utf-8";
// Every method that has to do with a path: what it does not take is told by its 405.
constexpr uint16_t kEveryMethod = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                  EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH;

Error bad(const std::string& address, const std::string& why) {
  return Error{Errc::bad_config, "http_listen " + address + ": " + why};
}

timeval to_timeval(std::chrono::steady_clock::duration d) {
  auto us = std::chrono::duration_cast<std::chrono::microseconds>(std::max(d, d.zero())).count();
  timeval tv{};
  tv.tv_sec = static_cast<time_t>(us / 1000000);
  tv.tv_usec = static_cast<suseconds_t>(us % 1000000);
  return tv;
}

// Beyond the largest request nothing is read: evhttp itself would keep a chunk's line of any length. Not by a watermark:
// libevent calls a reader that leaves its buffer full again and again.
void stop_at_the_limit(evbuffer* input, const evbuffer_cb_info*, void* bev) {
  constexpr size_t kMost = HttpLimits::kHead + HttpLimits::kBody + 1024;
  if (evbuffer_get_length(input) > kMost) bufferevent_disable(static_cast<bufferevent*>(bev), EV_READ);
}

// A socket that listens there. port: the real one.
Result<int> listen_at(const std::string& address, uint16_t& port) {
  auto at = parse_host_port(address);
  if (!at) return bad(address, "is not an address with a port");
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } where{};
  socklen_t size = at->v6 ? sizeof where.v6 : sizeof where.v4;
  where.any.sa_family = at->v6 ? AF_INET6 : AF_INET;
  in_port_t& where_port = at->v6 ? where.v6.sin6_port : where.v4.sin_port;
  where_port = htons(at->port);
  void* octets = at->v6 ? static_cast<void*>(&where.v6.sin6_addr) : &where.v4.sin_addr;
  inet_pton(where.any.sa_family, at->host.c_str(), octets);
  int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return bad(address, std::string("socket: ") + strerror(errno));
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // a port whose old connections fade away is free
  const char* what = "bind";
  bool fine = bind(fd, &where.any, size) == 0;
  if (fine) {
    what = "listen";
    fine = listen(fd, kBacklog) == 0;
  }
  if (!fine) {
    Error error = bad(address, std::string(what) + ": " + strerror(errno));
    close(fd);
    return error;
  }
  getsockname(fd, &where.any, &size);
  port = ntohs(where_port);
  return fd;
}

int64_t mono_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// libevent reports a failed accept() with an argument of evhttp's and not with ours: so this list of the servers of the thread,
// in which ours is found.
struct Listening {
  evconnlistener* listener;
  HttpServer* server;
};
thread_local std::vector<Listening> t_servers;

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(event_base* base, const std::string& address, Log& log, Watchdog* watchdog,
                                                     ControlCounters& counters, const HttpLimits& limits) {
  std::unique_ptr<HttpServer> s(new HttpServer(address, log, watchdog, counters, limits));
  s->http_ = evhttp_new(base);
  s->timer_ = evtimer_new(base, &HttpServer::look_after, s.get());
  s->pause_ = evtimer_new(base, &HttpServer::look_again, s.get());
  if (s->http_ == nullptr || s->timer_ == nullptr || s->pause_ == nullptr)
    return Error{Errc::no_memory, "http_listen: no event"};
  timeval silence = to_timeval(limits.silence);
  evhttp_set_timeout_tv(s->http_, &silence);
  evhttp_set_max_headers_size(s->http_, HttpLimits::kHead);
  evhttp_set_max_body_size(s->http_, HttpLimits::kBody);
  evhttp_set_allowed_methods(s->http_, kEveryMethod);
  evhttp_set_bevcb(s->http_, &HttpServer::opened, s.get());
  evhttp_set_gencb(s->http_, &HttpServer::requested, s.get());
  auto fd = listen_at(address, s->port_);
  if (!fd) return fd.error();
  evhttp_bound_socket* bound = evhttp_accept_socket_with_handle(s->http_, *fd);
  if (bound == nullptr) {
    close(*fd);
    return Error{Errc::no_memory, "http_listen " + address + ": no event"};
  }
  s->listener_ = evhttp_bound_socket_get_listener(bound);
  t_servers.push_back({s->listener_, s.get()});
  evconnlistener_set_error_cb(s->listener_, &HttpServer::refused);
  return s;
}

HttpServer::~HttpServer() {
  std::erase_if(t_servers, [this](const Listening& l) { return l.server == this; });
  if (http_ != nullptr) evhttp_free(http_);
  for (Connection& c : open_) bufferevent_decref(c.bev);
  if (timer_ != nullptr) event_free(timer_);
  if (pause_ != nullptr) event_free(pause_);
}

// --- no descriptors ------------------------------------------------------------------------------

// accept() failed. Without this libevent prints a line, and tries again at once, for ever.
void HttpServer::refused(evconnlistener* listener, void*) {
  int error = errno;
  for (const Listening& l : t_servers)
    if (l.listener == listener) return l.server->pause(error);
}

void HttpServer::pause(int error) {
  if (short_.begins(mono_ms()))
    log_.warning("http_listen %s: a connection cannot be accepted (%s): those that come wait until it is possible again",
                 address_.c_str(), strerror(error));
  evconnlistener_disable(listener_);
  paused_ = true;
  timeval tv = to_timeval(limits_.pause);
  evtimer_add(pause_, &tv);
}

void HttpServer::look_again(int, short, void* self) {
  auto* s = static_cast<HttpServer*>(self);
  if (s->paused_) evconnlistener_enable(s->listener_);
  s->paused_ = false;
  if (s->short_.over(mono_ms())) {
    s->log_.notice("http_listen %s: connections are accepted again", s->address_.c_str());
    return;
  }
  timeval tv = to_timeval(s->limits_.pause);
  evtimer_add(s->pause_, &tv);
}

// --- connections ---------------------------------------------------------------------------------

// evhttp has accepted a connection and wants something to read and write it through.
bufferevent* HttpServer::opened(event_base* base, void* self) {
  auto* s = static_cast<HttpServer*>(self);
  Watchdog::Scope scope(s->watchdog_, "control.http");
  s->forget_closed();
  while (s->open_.size() >= s->limits_.connections) s->close_oldest();
  // The descriptor goes with the last reference, which is ours: no sooner than libevent has let go of it.
  bufferevent* bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  if (bev == nullptr) return nullptr;
  evbuffer_add_cb(bufferevent_get_input(bev), &stop_at_the_limit, bev);
  bufferevent_incref(bev);
  Time now = std::chrono::steady_clock::now();
  s->open_.push_back({bev, now});
  if (s->open_.size() == 1) s->arm(now);
  return bev;
}

// evhttp takes its callbacks off what it frees, and nobody else does.
void HttpServer::forget_closed() {
  std::erase_if(open_, [this](const Connection& c) {
    bufferevent_event_cb callback = nullptr;
    bufferevent_getcb(c.bev, nullptr, nullptr, &callback, nullptr);
    if (callback != nullptr) return false;
    if (!c.answered) counters_.http_bad++;
    bufferevent_decref(c.bev);
    return true;
  });
}

// As if it had been silent for too long: evhttp closes it and frees what belongs to it.
void HttpServer::close_oldest() {
  Connection c = open_.front();
  open_.pop_front();
  counters_.http_cut_off++;
  bufferevent_trigger_event(c.bev, BEV_EVENT_TIMEOUT | BEV_EVENT_READING, 0);
  bufferevent_decref(c.bev);
}

void HttpServer::answered(evhttp_request*, void* self) {
  event_active(static_cast<HttpServer*>(self)->timer_, EV_TIMEOUT, 0);  // evhttp closes it when this returns
}

void HttpServer::look_after(int, short, void* self) {
  auto* s = static_cast<HttpServer*>(self);
  Watchdog::Scope scope(s->watchdog_, "control.http");
  Time now = std::chrono::steady_clock::now();
  s->forget_closed();
  while (!s->open_.empty() && s->open_.front().since + s->limits_.lifetime <= now) s->close_oldest();
  s->arm(now);
}

void HttpServer::arm(Time now) {
  if (open_.empty()) return;
  timeval tv = to_timeval(open_.front().since + limits_.lifetime - now);
  evtimer_add(timer_, &tv);
}

size_t HttpServer::connections() {
  forget_closed();
  return open_.size();
}

// --- requests ------------------------------------------------------------------------------------

void HttpServer::requested(evhttp_request* request, void* self) {
  auto* s = static_cast<HttpServer*>(self);
  Watchdog::Scope scope(s->watchdog_, "control.http");
  s->answer(request);
}

void HttpServer::answer(evhttp_request* request) {
  const evhttp_uri* uri = evhttp_request_get_evhttp_uri(request);
  const char* path = uri != nullptr ? evhttp_uri_get_path(uri) : nullptr;
  auto route = routes_.find(std::string_view(path != nullptr ? path : ""));
  evhttp_cmd_type method = evhttp_request_get_command(request);
  bool head = method == EVHTTP_REQ_HEAD;
  if (route == routes_.end()) return reply(request, {404, kText, "Not Found\n"}, !head);
  if (route->second.get && (head || method == EVHTTP_REQ_GET)) return reply(request, route->second.get(), !head);
  evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", route->second.allow().c_str());
  reply(request, {405, kText, "Method Not Allowed\n"}, !head);
}

void HttpServer::reply(evhttp_request* request, const HttpAnswer& answer, bool with_body) {
  counters_.http_requests++;
  if (answer.status >= 400) counters_.http_refused++;
  bufferevent* bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
  for (Connection& c : open_) c.answered |= c.bev == bev;
  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  evhttp_add_header(headers, "Content-Type", answer.content_type.c_str());
  evhttp_add_header(headers, "Content-Length", std::to_string(answer.body.size()).c_str());
  evhttp_add_header(headers, "Cache-Control", "no-store");
  evhttp_add_header(headers, "Connection", "close");
  evbuffer* body = with_body ? evbuffer_new() : nullptr;
  if (body != nullptr) evbuffer_add(body, answer.body.data(), answer.body.size());
  evhttp_request_set_on_complete_cb(request, &HttpServer::answered, this);
  evhttp_send_reply(request, answer.status, nullptr, body);
  if (body != nullptr) evbuffer_free(body);
}

}  // namespace pua
