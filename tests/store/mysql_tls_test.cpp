// MariaDB with TLS: whatever a server does, in the handshake or later, the loop goes on.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "tests/store/fake_mysql.h"
#include "tests/store/mysql_fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

// Offers TLS, and then does what it is told to. Whole: the real server is behind it.
class TlsServer {
 public:
  enum class Mode { Silent, Trickles, Closes, Garbage, Whole };
  explicit TlsServer(uint16_t real) : real_(real), server_([this](int fd) { serve(fd); }) {}
  // Connections that stand are closed.
  void become(Mode m) {
    mode = m;
    age++;
    while (standing > 0) usleep(1000);
  }
  // Those that stand do so in silence.
  void freeze() {
    frozen = true;
    while (silent < standing) usleep(1000);
  }
  void thaw() { frozen = false; }
  void stop() { server_.stop(); }
  uint16_t port() const { return server_.port; }
  std::atomic<int> greeted{0};              // connections

 private:
  bool here(int born) const { return born == age && !server_.ended(); }
  void serve(int fd) {
    int born = age;
    Mode m = mode;
    greeted++;
    standing++;
    if (m == Mode::Whole) whole(fd, born);
    else handshake(fd, born, m);
    shutdown(fd, SHUT_RDWR);
    standing--;
  }
  void handshake(int fd, int born, Mode m) {
    server_.say(fd, greeting(true, "mysql_native_password"));
    server_.hear(fd);   // it asks for TLS, and says hello
    if (m == Mode::Closes) return;
    if (m == Mode::Garbage) server_.say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    // The beginning of a record of 16 KB, with a ServerHello in it.
    std::string hello("\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", 11);
    for (size_t i = 0; here(born) && !gone(fd); i++) {
      if (m == Mode::Trickles && !server_.say(fd, i < hello.size() ? hello.substr(i, 1) : "a")) return;
    }
  }
  // Also passes the time.
  static bool gone(int fd) {
    pollfd p{fd, POLLRDHUP, 0};
    return poll(&p, 1, 20) > 0;
  }
  void whole(int fd, int born) {
    int real = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(real_);
    if (connect(real, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) abort();
    while (here(born) && (frozen || (pass(fd, real) & pass(real, fd)))) {
      if (!frozen) continue;
      silent++;
      while (frozen && here(born)) usleep(1000);
      silent--;
    }
    close(real);
  }
  bool pass(int from, int to) {
    pollfd p{from, POLLIN, 0};
    if (poll(&p, 1, 1) <= 0) return true;
    char buf[65536];
    ssize_t n = recv(from, buf, sizeof buf, 0);
    return n > 0 && server_.say(to, std::string(buf, static_cast<size_t>(n)));
  }

  std::atomic<Mode> mode{Mode::Whole};
  std::atomic<int> age{0}, standing{0}, silent{0};
  std::atomic<bool> frozen{false};
  uint16_t real_;
  FakeServer server_;                       // last: its threads use the others
};

// The longest time for which nothing else on the loop got its turn.
struct Turns {
  static void turn(int, short, void* self) {
    auto* t = static_cast<Turns*>(self);
    t->longest = std::max(t->longest, steady_ms() - t->last);
    t->last = steady_ms();
    t->count++;
  }
  event* tick = nullptr;
  MonoMs last = steady_ms(), longest = 0;
  int count = 0;
};

// Of seconds that a blocking call took; a busy machine is not to be taken for one.
constexpr MonoMs kLongestTurn = 300;

}  // namespace

TEST_GROUP(mysql_tls) {
  std::unique_ptr<MysqlFixture> db;
  std::unique_ptr<TlsServer> server;
  std::unique_ptr<MysqlStore> store;
  OneWriteSink sink;
  Caller::Batch batch;

  bool there(MonoMs timeout_ms = 5000) {
    if (!MysqlFixture::there()) return false;
    db = std::make_unique<MysqlFixture>();
    server = std::make_unique<TlsServer>(db->options().url.hosts[0].port);
    MysqlOptions o = db->options();
    o.url.hosts[0] = {"127.0.0.1", server->port()};
    o.tls = true;
    o.timeout_ms = timeout_ms;
    auto s = db->try_open(o);
    CHECK_TEXT(s.ok(), s ? "" : s.error().message.c_str());
    store = std::move(*s);
    store->attach(&sink);
    return true;
  }
  void teardown() override {
    if (store) store->attach(nullptr);
    store.reset();
    if (server) server->stop();
  }
  void write(uint32_t version) {
    sink = {};
    batch.rows.clear();
    batch.rows.emplace_back(RowOp::Upsert, row_of(1, version));
    store->write(Lane::Fast, batch, 0);
  }
  // Returns how the loop went meanwhile.
  template <class F>
  Turns turn_until(F done, MonoMs most) {
    Turns turns;
    turns.tick = event_new(db->base, -1, EV_PERSIST, &Turns::turn, &turns);
    timeval ten_ms{0, 10000};
    event_add(turns.tick, &ten_ms);
    for (MonoMs end = steady_ms() + most; !done() && steady_ms() < end;) event_base_loop(db->base, EVLOOP_ONCE);
    event_free(turns.tick);
    return turns;
  }
  Turns written() {
    return turn_until([this] { return sink.reports > 0; }, 8000);
  }
};

TEST(mysql_tls, a_server_that_stops_in_the_handshake_does_not_stop_the_loop_and_is_used_again_when_it_is_back) {
  if (!there()) return;
  write(1);
  written();
  STRCMP_EQUAL("", sink.error.c_str());
  uint32_t version = 1;
  using Mode = TlsServer::Mode;
  for (auto [mode, says] : {std::pair{Mode::Silent, "does not answer"}, {Mode::Trickles, "does not answer"}, {Mode::Closes, "TLS/SSL error"},
                            {Mode::Garbage, "wrong version number"}}) {
    server->become(mode);
    int before = server->greeted;
    write(++version);
    Turns turns = written();
    CHECK_TEXT(sink.result == WriteResult::FailedRetry, says);
    CHECK_TEXT(contains(sink.error, says), sink.error.c_str());
    CHECK_TEXT(turns.longest < kLongestTurn, says);
    CHECK_TEXT(server->greeted > before, says);
    if (mode == Mode::Silent) CHECK(turns.count > 100);   // of its 2 s

    server->become(Mode::Whole);
    write(version);
    written();
    CHECK_EQUAL_TEXT(std::string(), sink.error, says);
    CHECK(sink.result == WriteResult::Ok);
    STRCMP_EQUAL(std::to_string(version).c_str(), db->sql("SELECT record_version FROM pua WHERE id=1").c_str());
  }
}

// Of a statement that the server keeps waiting, OpenSSL's read() would wait for the answer.
TEST(mysql_tls, a_statement_that_takes_long_does_not_stop_the_loop) {
  if (!there()) return;
  write(1);
  written();
  db->root("LOCK TABLES pua READ");
  std::thread later([this] {
    usleep(1000000);
    db->root("UNLOCK TABLES");
  });
  write(2);
  Turns turns = written();
  later.join();
  CHECK(turns.longest < kLongestTurn);
  CHECK(turns.count > 50);   // of that second
  STRCMP_EQUAL("", sink.error.c_str());
  CHECK(sink.result == WriteResult::Ok);
}

TEST(mysql_tls, a_server_that_falls_silent_after_the_login_is_given_up_in_time) {
  if (!there(500)) return;
  write(1);
  written();
  server->freeze();
  write(2);
  Turns turns = written();
  CHECK_TEXT(contains(sink.error, "no answer within 500 ms"), sink.error.c_str());
  CHECK(sink.result == WriteResult::FailedRetry);
  CHECK(turns.longest < kLongestTurn);
  CHECK(turns.count > 20);
  server->thaw();
  write(2);
  written();
  STRCMP_EQUAL("", sink.error.c_str());
  CHECK(sink.result == WriteResult::Ok);
}

TEST(mysql_tls, a_store_that_goes_in_the_middle_of_a_handshake_leaves_nothing_behind) {
  if (!there()) return;
  write(1);
  written();
  server->become(TlsServer::Mode::Silent);
  int before = server->greeted;
  write(2);
  turn_until([&] { return server->greeted > before; }, 3000);
  turn_until([] { return false; }, 100);
  MonoMs began = steady_ms();
  store->attach(nullptr);
  store.reset();
  CHECK(steady_ms() - began < kLongestTurn);
  LONGS_EQUAL(0, sink.reports);
}
