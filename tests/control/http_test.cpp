// The HTTP server, on real sockets over loopback and a real event_base: answers, refusals, bounds, bad clients, the end.
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "control/control.h"
#include "control/http.h"
#include "tests/control/fake_instance.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace pua::test;

namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kGet = "GET /page HTTP/1.1\r\nHost: x\r\n\r\n";

class Browser {
 public:
  explicit Browser(uint16_t port) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~Browser() { leave(); }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  size_t send(std::string_view text) {
    ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    return n < 0 ? 0 : static_cast<size_t>(n);
  }
  // Takes what has come; true while the other side has not closed.
  bool open() {
    char b[65536];
    for (;;) {
      ssize_t n = recv(fd_, b, sizeof b, 0);
      if (n > 0) answer.append(b, static_cast<size_t>(n));
      else return n < 0 && errno == EAGAIN;
    }
  }
  void leave(bool abruptly = false) {
    if (fd_ < 0) return;
    linger hard{1, 0};
    if (abruptly) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd_);
    fd_ = -1;
  }

  bool connected = false;
  std::string answer;

 private:
  int fd_;
};

}  // namespace

TEST_GROUP(Http) {
  event_base* base = event_base_new();
  std::vector<std::string> lines;
  Log log{[this](LogLevel, std::string_view line) { lines.emplace_back(line); }};
  ControlCounters counters;
  std::unique_ptr<HttpServer> server;
  int asked = 0;

  static inline int warnings;              // of libevent: for instance a descriptor closed too soon

  void setup() override {
    warnings = 0;
    event_set_log_callback([](int severity, const char*) { warnings += severity >= EVENT_LOG_WARN; });
    serve();
  }
  void teardown() override {
    server.reset();
    event_base_free(base);
    event_set_log_callback(nullptr);
    LONGS_EQUAL(0, warnings);
  }
  void serve(const HttpLimits& limits = {}) {
    auto made = HttpServer::open(base, "127.0.0.1:0", log, nullptr, counters, limits);
    CHECK_TEXT(made.ok(), made ? "" : made.error().message.c_str());
    server = std::move(*made);
    server->get("/page", [this] {
      asked++;
      return HttpAnswer{200, "text/x", "hello\n"};
    });
  }
  void turn(int times = 10) {
    for (int i = 0; i < times; i++) event_base_loop(base, EVLOOP_NONBLOCK);
  }
  // Turns the loop until the server has closed this connection, 5 s at most.
  bool closed(Browser& b) {
    for (auto end = Clock::now() + std::chrono::seconds(5); Clock::now() < end;) {
      turn(1);
      if (!b.open()) return true;
    }
    return false;
  }
  std::string ask(std::string_view request) {
    Browser b(server->port());
    b.send(request);
    CHECK(closed(b));
    return b.answer;
  }
  void refused(std::string_view request) {   // as evhttp does it, by its version
    std::string answer = ask(request);
    CHECK_TEXT(answer.starts_with("HTTP/1.1 413 ") || answer.starts_with("HTTP/1.1 400 "), answer.substr(0, 40).c_str());
  }
  void status(int wanted, std::string_view request) {
    std::string answer = ask(request);
    STRCMP_CONTAINS(("HTTP/1.1 " + std::to_string(wanted) + " ").c_str(), answer.substr(0, 20).c_str());
  }
};

// --- answers -------------------------------------------------------------------------------------

TEST(Http, a_known_path_is_answered_and_the_connection_closed) {
  std::string answer = ask(kGet);
  STRCMP_CONTAINS("HTTP/1.1 200 OK\r\n", answer.c_str());
  STRCMP_CONTAINS("\r\nContent-Type: text/x\r\n", answer.c_str());
  STRCMP_CONTAINS("\r\nContent-Length: 6\r\n", answer.c_str());
  STRCMP_CONTAINS("\r\nConnection: close\r\n", answer.c_str());
  CHECK(answer.ends_with("\r\n\r\nhello\n"));
  LONGS_EQUAL(1, counters.http_requests);
  LONGS_EQUAL(0, counters.http_refused);
  LONGS_EQUAL(0, server->connections());
  LONGS_EQUAL(0, counters.http_bad);
}

TEST(Http, head_is_get_without_the_body) {
  std::string answer = ask("HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n");
  STRCMP_CONTAINS("HTTP/1.1 200 OK\r\n", answer.c_str());
  STRCMP_CONTAINS("\r\nContent-Length: 6\r\n", answer.c_str());
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST(Http, old_clients_and_queries_are_served) {
  CHECK(ask("GET /page HTTP/1.0\r\n\r\n").ends_with("hello\n"));
  CHECK(ask("GET /page?x=%20y HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("hello\n"));
  CHECK(ask("GET http://x/page HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("hello\n"));
}

TEST(Http, a_request_may_come_octet_by_octet) {
  Browser b(server->port());
  for (const char* c = kGet; *c; c++) {
    b.send(std::string_view(c, 1));
    turn(2);
  }
  CHECK(closed(b));
  CHECK(b.answer.ends_with("hello\n"));
}

TEST(Http, a_large_page_is_sent_whole_to_a_client_that_reads_slowly) {
  server->get("/large", [] { return HttpAnswer{200, "text/x", std::string(20000000, 'x')}; });
  Browser b(server->port());
  b.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  turn(50);
  CHECK(closed(b));
  LONGS_EQUAL(20000000, b.answer.size() - b.answer.find("\r\n\r\n") - 4);
}

TEST(Http, one_request_a_connection) {
  std::string answer = ask(std::string(kGet) + kGet);
  LONGS_EQUAL(1, asked);
  LONGS_EQUAL(answer.find("HTTP/1.1"), answer.rfind("HTTP/1.1"));
}

TEST(Http, other_paths_are_not_found) {
  for (const char* path : {"/", "/pag", "/page/", "/page/x", "/%70age", "//page", "/../page"})
    status(404, "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  LONGS_EQUAL(0, asked);
  LONGS_EQUAL(counters.http_requests, counters.http_refused);
}

TEST(Http, other_methods_are_told_which_ones_there_are) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    std::string answer = ask(std::string(method) + " /page HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    STRCMP_CONTAINS("HTTP/1.1 405 Method Not Allowed\r\n", answer.c_str());
    STRCMP_CONTAINS("\r\nAllow: GET, HEAD\r\n", answer.c_str());
  }
  status(405, "TRACE /page HTTP/1.1\r\nHost: x\r\n\r\n");
  status(501, "BREW /page HTTP/1.1\r\nHost: x\r\n\r\n");
  LONGS_EQUAL(0, asked);
}

TEST(Http, a_client_that_asks_first_is_told_to_go_on) {
  std::string ask_first = "POST /page HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  Browser b(server->port());
  b.send(ask_first);
  turn();
  CHECK(b.open());
  STRCMP_EQUAL("HTTP/1.1 100 Continue\r\n\r\n", b.answer.c_str());
  b.send("abc");
  CHECK(closed(b));
  STRCMP_CONTAINS("HTTP/1.1 405 ", b.answer.c_str());
  status(417, "POST /page HTTP/1.1\r\nHost: x\r\nExpect: the-impossible\r\nContent-Length: 3\r\n\r\n");
}

// evhttp does not close after an answer to CONNECT, whatever was said.
TEST(Http, a_proxy_it_is_not) {
  serve({.silence = HttpLimits::Ms(50)});
  std::string answer = ask("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_TEXT(answer.starts_with("HTTP/1.1 501 "), answer.c_str());
  LONGS_EQUAL(0, asked);
  LONGS_EQUAL(0, server->connections());
  LONGS_EQUAL(1, counters.http_bad);
}

// --- bounds --------------------------------------------------------------------------------------

TEST(Http, a_head_that_is_too_long_is_refused) {
  std::string many;
  for (int i = 0; i < 1000; i++) many += "X-" + std::to_string(i) + ": 0123456789\r\n";
  refused("GET /page HTTP/1.1\r\n" + many + "\r\n");
  refused("GET /page HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n");
  refused("GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n\r\n");
  refused("GET /page HTTP/1.1\r\nX: " + std::string(9000, 'x'));   // it is not waited for
  LONGS_EQUAL(0, asked);
}

TEST(Http, a_body_that_is_too_long_is_refused) {
  status(413, "POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n");
  status(413, "POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n");
  status(413, "POST /page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n");
  status(405, "POST /page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

TEST(Http, what_is_no_http_is_refused) {
  for (const char* request : {"hello\r\n\r\n", "GET\r\n\r\n", "GET /page\r\n\r\n", "GET /page HTTP/9.9.9\r\n\r\n", "\r\n\r\n",
                              "GET /page HTTP/1.1\r\nno header\r\n\r\n", "POST /page HTTP/1.1\r\nContent-Length: -5\r\n\r\n"}) {
    std::string answer = ask(request);
    CHECK_TEXT(answer.find(" 200 ") == std::string::npos, request);
  }
  LONGS_EQUAL(0, asked);
  CHECK(ask(kGet).ends_with("hello\n"));
  LONGS_EQUAL(0, server->connections());
  LONGS_EQUAL(7, counters.http_bad + counters.http_refused);
}

// evhttp itself keeps the line of a chunk's size, however long it is.
TEST(Http, a_line_without_an_end_is_not_kept) {
  Browser b(server->port());
  b.send("POST /page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string more(1 << 20, '1');
  constexpr size_t kTooMuch = 32 << 20;   // more than the kernel keeps
  size_t taken = 0;
  for (int refused = 0; refused < 100 && taken < kTooMuch; turn(4)) {
    size_t n = b.send(more);
    taken += n;
    refused = n ? 0 : refused + 1;
  }
  CHECK_TEXT(taken < kTooMuch, std::to_string(taken).c_str());
  LONGS_EQUAL(1, server->connections());   // its time is not over: the loop did not turn on the spot until then
}

TEST(Http, a_client_that_says_nothing_is_closed) {
  serve({.silence = HttpLimits::Ms(30)});
  Browser b(server->port());
  CHECK(closed(b));
  STRCMP_EQUAL("", b.answer.c_str());
  LONGS_EQUAL(0, server->connections());
}

TEST(Http, a_client_that_goes_on_talking_is_closed_as_well) {
  serve({.lifetime = HttpLimits::Ms(50)});
  Browser b(server->port());
  b.send("GET /page HTTP/1.1\r\n");
  bool open = true;
  int octets = 0;
  auto begin = Clock::now();
  while (open && Clock::now() < begin + std::chrono::seconds(5)) {
    if (Clock::now() > begin + std::chrono::milliseconds(octets)) octets += b.send("X") ? 1 : 0;   // one a millisecond
    turn(1);
    open = b.open();
  }
  CHECK(!open);
  STRCMP_EQUAL("", b.answer.c_str());
  LONGS_EQUAL(1, counters.http_cut_off);
  CHECK(ask(kGet).ends_with("hello\n"));
}

TEST(Http, a_client_that_does_not_read_its_answer_is_closed) {
  serve({.lifetime = HttpLimits::Ms(100)});
  server->get("/large", [] { return HttpAnswer{200, "text/x", std::string(50000000, 'x')}; });
  Browser b(server->port());
  b.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  for (auto end = Clock::now() + std::chrono::seconds(5); Clock::now() < end;) {
    turn(1);
    if (counters.http_requests == 1 && server->connections() == 0) break;
  }
  LONGS_EQUAL(0, server->connections());
}

TEST(Http, of_too_many_connections_the_oldest_is_closed) {
  serve({.connections = 3});
  std::deque<Browser> idle;
  for (int i = 0; i < 10; i++) {
    idle.emplace_back(server->port());
    turn();
    CHECK(server->connections() <= 3);
  }
  CHECK(ask(kGet).ends_with("hello\n"));
  LONGS_EQUAL(8, counters.http_cut_off);
  turn();
  for (size_t i = 0; i < idle.size(); i++) CHECK_EQUAL(i >= 8, idle[i].open());
}

TEST(Http, many_that_come_at_once_are_bounded_too) {
  serve({.connections = 3});
  std::deque<Browser> idle;
  for (int i = 0; i < 30; i++) idle.emplace_back(server->port());
  turn();
  LONGS_EQUAL(3, server->connections());
  LONGS_EQUAL(27, counters.http_cut_off);
  CHECK(ask(kGet).ends_with("hello\n"));
}

TEST(Http, clients_that_vanish_do_no_harm) {
  for (int i = 0; i < 50; i++) {
    Browser b(server->port());
    b.send(std::string_view(kGet).substr(0, static_cast<size_t>(i) % 33));
    if (i % 2) turn(1);
    b.leave(i % 3 == 0);
    turn(1);
  }
  turn();
  LONGS_EQUAL(0, server->connections());
  CHECK(ask(kGet).ends_with("hello\n"));
}

TEST(Http, descriptors_are_given_back) {
  auto count = [] {
    std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  auto before = count();
  for (int i = 0; i < 20; i++) ask(kGet);
  {
    Browser gone(server->port()), refused(server->port());
    refused.send("hello\r\n\r\n");
    turn();
    CHECK(count() > before);
  }
  turn();
  server->connections();   // what is closed is seen, here or with the next connection
  turn();
  LONGS_EQUAL(before, count());
}

// --- start and end -------------------------------------------------------------------------------

TEST(Http, the_end_closes_every_connection_and_frees_the_port) {
  Browser idle(server->port()), half(server->port()), answered(server->port());
  half.send("GET /page HT");
  server->get("/large", [] { return HttpAnswer{200, "text/x", std::string(50000000, 'x')}; });
  answered.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  turn();
  LONGS_EQUAL(3, server->connections());
  std::string address = "127.0.0.1:" + std::to_string(server->port());
  server.reset();
  CHECK(!idle.open());
  CHECK(!half.open());
  CHECK(!answered.open());
  turn();
  auto again = HttpServer::open(base, address, log, nullptr, counters);
  CHECK_TEXT(again.ok(), again ? "" : again.error().message.c_str());
}

TEST(Http, what_cannot_be_listened_at_is_named) {
  std::string address = "127.0.0.1:" + std::to_string(server->port());
  auto refused = [&](const std::string& where, const char* part) {
    auto r = HttpServer::open(base, where, log, nullptr, counters);
    CHECK(!r.ok());
    LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(r.error().code));
    STRCMP_CONTAINS(("http_listen " + where + ": ").c_str(), r.error().message.c_str());
    STRCMP_CONTAINS(part, r.error().message.c_str());
  };
  refused(address, "Address already in use");
  refused("192.0.2.1:8088", "Cannot assign requested address");
  refused("nonsense", "is not an address");
}

TEST(Http, an_ipv6_address_will_do) {
  auto r = HttpServer::open(base, "[::1]:0", log, nullptr, counters);
  if (!r.ok()) return;   // a machine without IPv6
  CHECK((*r)->port() != 0);
}

// --- as control composes it ----------------------------------------------------------------------

// Out of descriptors libevent's own listener printed 700,000 lines in 3 s, and took a core.
TEST(Http, without_descriptors_it_waits_without_a_spin_and_says_so_once) {
  serve({.pause = HttpLimits::Ms(1)});
  Browser waits(server->port());
  waits.send(kGet);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  int next = dup(0);
  close(next);
  rlimit few{static_cast<rlim_t>(next), before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  turn(1);
  CHECK(server->paused());
  for (int i = 0; i < 200; i++) {       // the pause ends, and begins again
    event_base_loop(base, EVLOOP_ONCE);
    CHECK(waits.open());
  }
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(closed(waits));
  CHECK_FALSE(server->paused());
  CHECK(waits.answer.starts_with("HTTP/1.1 200 OK\r\n"));
  LONGS_EQUAL(1, lines.size());
  STRCMP_EQUAL("http_listen 127.0.0.1:0: a connection cannot be accepted (Too many open files): those that come wait until it is possible "
               "again", lines[0].c_str());
}

TEST_GROUP(HttpMetrics) {
  event_base* base = event_base_new();
  FakeWorld world{base};
  std::unique_ptr<Control> control;
  Settings settings;

  void setup() override {
    settings.dgram_socket = "";
    settings.http_listen = "127.0.0.1:0";
  }
  void teardown() override {
    control.reset();
    event_base_free(base);
  }
  Status start() {
    auto made = Control::start(world.pua, world.events, settings, "puad 1.2.3", nullptr);
    if (!made) return made.error();
    control = std::move(*made);
    return success();
  }
  std::string get(const std::string& path) {
    Browser b(control->http()->port());
    b.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 1000 && b.open(); i++) event_base_loop(base, EVLOOP_NONBLOCK);
    return b.answer;
  }
};

TEST(HttpMetrics, the_page_shows_the_numbers_of_the_instance_and_of_control) {
  CHECK(start().ok());
  world.pua.counters.store_backlog = 17;
  world.pua.measured.publications = {{"live", 4}};
  std::string page = get("/metrics");
  STRCMP_CONTAINS("HTTP/1.1 200 OK\r\n", page.c_str());
  STRCMP_CONTAINS("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n", page.c_str());
  STRCMP_CONTAINS("\npua_store_backlog 17\n", page.c_str());
  STRCMP_CONTAINS("\npua_publications{state=\"live\"} 4\n", page.c_str());
  STRCMP_CONTAINS("\npua_control_http_requests_total 0\n", page.c_str());
  STRCMP_CONTAINS("\npua_control_http_requests_total 1\n", get("/metrics").c_str());
  STRCMP_CONTAINS("HTTP/1.1 404 Not Found\r\n", get("/").c_str());
  LONGS_EQUAL(0, world.pua.list_calls);
}

TEST(HttpMetrics, without_the_setting_there_is_none) {
  settings.http_listen = "";
  CHECK(start().ok());
  CHECK(control->http() == nullptr);
}

TEST(HttpMetrics, a_reload_changes_nothing_of_it) {
  CHECK(start().ok());
  uint16_t port = control->http()->port();
  settings.http_listen = "";
  control->reload(settings);
  event_base_loop(base, EVLOOP_NONBLOCK);
  LONGS_EQUAL(port, control->http()->port());
  STRCMP_CONTAINS("200 OK", get("/metrics").c_str());
}

TEST(HttpMetrics, a_port_that_is_taken_lets_nothing_start) {
  CHECK(start().ok());
  settings.http_listen = "127.0.0.1:" + std::to_string(control->http()->port());
  auto second = Control::start(world.pua, world.events, settings, "puad 1.2.3", nullptr);
  CHECK(!second.ok());
  STRCMP_CONTAINS("Address already in use", second.error().message.c_str());
}
