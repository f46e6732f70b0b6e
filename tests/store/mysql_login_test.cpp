// MariaDB: what a server is told before it has proven anything. Against servers that are none: one without TLS, ones that ask for the
// password in the clear.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <string>

#include "store/mono.h"
#include "store/mysql_greeting.h"
#include "store/mysql_store.h"
#include "tests/store/fake_mysql.h"
#include "tests/store/fixture.h"

#include <event2/event.h>

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

constexpr const char* kPassword = "s3cret-pass";

// Greets whoever comes, asks for another method when it was answered, and remembers all that it was told.
class GreetingServer {
 public:
  GreetingServer(std::string greeting, std::string ask_for, std::string path = "")
      : greeting_(std::move(greeting)), ask_for_(std::move(ask_for)), server_([this](int fd) { serve(fd); }, std::move(path)) {}
  std::string stop() {
    server_.stop();
    return told_;
  }
  uint16_t port() const { return server_.port; }
  size_t piece = 0;   // > 0: the greeting comes in pieces of that size

 private:
  void serve(int fd) {
    std::string first = greeting_;
    while (!first.empty()) {
      size_t n = piece ? std::min(piece, first.size()) : first.size();
      if (send(fd, first.data(), n, MSG_NOSIGNAL) < 0) break;
      first.erase(0, n);
      if (!first.empty()) usleep(2000);
    }
    for (int asked = 0;;) {
      std::string told = server_.hear(fd);
      if (told.empty()) return;
      std::lock_guard guard(mutex_);
      told_ += told;
      if (asked++ > 0 || ask_for_.empty()) return;
      std::string other = packet(2, '\xfe' + ask_for_ + '\0' + std::string("12345678901234567890") + '\0');
      if (!server_.say(fd, other)) return;
    }
  }

  std::string greeting_, ask_for_, told_;
  std::mutex mutex_;
  FakeServer server_;   // last: its thread uses the others
};

}  // namespace

TEST_GROUP(mysql_greeting) {};

TEST(mysql_greeting, says_whether_tls_is_offered_as_soon_as_it_can_be_known) {
  for (bool tls : {false, true}) {
    std::string all = greeting(tls, "mysql_native_password");
    TlsOffer said = TlsOffer::Unknown;
    size_t n = 0;
    for (; n <= all.size() && said == TlsOffer::Unknown; n++) said = tls_offer(all.substr(0, n));
    CHECK(said == (tls ? TlsOffer::Yes : TlsOffer::No));
    CHECK(n < all.size());
    CHECK(tls_offer(all) == said);
  }
}

TEST(mysql_greeting, what_is_no_greeting_offers_nothing) {
  CHECK(tls_offer("") == TlsOffer::Unknown);
  CHECK(tls_offer(packet(0, "\x09" "3.23")) == TlsOffer::No);
  CHECK(tls_offer(packet(0, std::string("\x0a" "10\0ab", 6))) == TlsOffer::No);   // ends before its flags
  CHECK(tls_offer(std::string("\xff\xff\xff\0\x0a", 5) + std::string(400, 'v')) == TlsOffer::No);
  CHECK(tls_offer(packet(0, std::string("\xff\xff\xff\x01\x01\x01\x10\0\0\x03" "abc", 13))) == TlsOffer::Odd);   // a report of progress
  CHECK(tls_offer(packet(0, "\xff\xff\xff\x01").substr(0, 6)) == TlsOffer::Unknown);
  CHECK(tls_offer(packet(0, "\xff\xff")) == TlsOffer::Yes);   // an error without a number: the library tells that, too
  CHECK(tls_offer(packet(0, "")) == TlsOffer::Unknown);
  CHECK(tls_offer(packet(0, "") + greeting(true, "mysql_native_password")) == TlsOffer::No);
  CHECK(tls_offer(packet(0, "\xff\x10\x04Too many connections")) == TlsOffer::Yes);   // an error: the library tells it
}

// The library takes an offer only from the packet. Where that ends before it, no octet behind it makes one.
TEST(mysql_greeting, what_comes_behind_the_packet_offers_nothing) {
  std::string all = greeting(true, "mysql_native_password"), behind = "\xff\xff\xff\xff";
  size_t flags = all.find('\0', 5) + 1 + 4 + 8 + 1;
  CHECK(tls_offer(packet(0, all.substr(4, flags + 2 - 4)) + behind) == TlsOffer::Yes);
  CHECK(tls_offer(packet(0, all.substr(4, flags + 1 - 4)) + behind) == TlsOffer::No);     // half of the flags is in it
  CHECK(tls_offer(packet(0, all.substr(4, flags - 4)) + behind) == TlsOffer::No);
  CHECK(tls_offer(packet(0, "\x0a" "5.5.5-10.11") + all.substr(5)) == TlsOffer::No);     // it ends inside the version
  CHECK(tls_offer(packet(0, all.substr(4, flags - 4))) == TlsOffer::No);
}

TEST_GROUP(mysql_login) {
  TestLog log;
  event_base* base = nullptr;
  void setup() override { base = event_base_new(); }
  void teardown() override { event_base_free(base); }

  std::string refused(uint16_t port, bool tls, bool verify, bool clear = false) {
    return refused("127.0.0.1:" + std::to_string(port), "", tls, verify, clear);
  }
  std::string refused(const std::string& host, const std::string& socket, bool tls, bool verify, bool clear) {
    MysqlOptions o;
    o.url = *parse_db_url(std::string("mysql://user:") + kPassword + "@" + host + "/x");
    o.socket = socket;
    o.tls = tls;
    o.tls_verify = verify;
    o.tls_ca = verify ? "/etc/ssl/certs/ca-certificates.crt" : "";
    o.clear_password = clear;
    o.timeout_ms = 1000;
    auto s = MysqlStore::open(o, {base, nullptr, [] { return steady_ms(); }, [](const std::function<void()>& f) { f(); }}, log.log);
    return s ? "" : s.error().message;
  }
};

TEST(mysql_login, without_tls_a_server_is_told_nothing_where_tls_was_asked_for) {
  for (bool verify : {false, true}) {
    for (size_t piece : {0, 1}) {
      for (const char* plugin : {"mysql_native_password", "mysql_clear_password"}) {
        GreetingServer server(greeting(false, plugin), "mysql_clear_password");
        server.piece = piece;
        std::string why = refused(server.port(), true, verify);
        CHECK_TEXT(contains(why, "no TLS"), why.c_str());
        STRCMP_EQUAL("", server.stop().c_str());
      }
    }
  }
}

TEST(mysql_login, flags_behind_the_packet_of_the_greeting_do_not_pass_for_an_offer_of_tls) {
  std::string all = greeting(true, "mysql_native_password");
  size_t flags = all.find('\0', 5) + 1 + 4 + 8 + 1;
  for (bool verify : {false, true}) {
    for (size_t in_packet : {flags - 4, flags + 1 - 4}) {
      GreetingServer server(packet(0, all.substr(4, in_packet)) + "\xff\xff\xff\xff", "");
      std::string why = refused(server.port(), true, verify);
      CHECK_TEXT(contains(why, "no TLS"), why.c_str());
      STRCMP_EQUAL("", server.stop().c_str());
    }
  }
}

TEST(mysql_login, the_password_is_never_sent_as_it_is_or_under_a_key_of_the_servers) {
  for (const char* plugin : {"mysql_clear_password", "dialog", "sha256_password", "caching_sha2_password", "mysql_old_password"}) {
    for (bool first : {false, true}) {
      GreetingServer server(greeting(false, first ? plugin : "mysql_native_password"), plugin);
      std::string why = refused(server.port(), false, false), told = server.stop();
      CHECK_TEXT(!why.empty(), plugin);
      CHECK_TEXT(!contains(told, kPassword), plugin);
      // The name of the user is there, and after the question for another method nothing more.
      if (!first) CHECK_TEXT(contains(told, "user"), plugin);
    }
  }
}

// A socket of this machine has no TLS to wait for, and db_tls holds nothing back there: it is db_clear_password alone that decides.
TEST(mysql_login, over_a_local_socket_the_password_goes_as_it_is_where_that_is_allowed_and_nowhere_else) {
  TempDir dir;
  for (bool clear : {false, true}) {
    for (bool tls : {false, true}) {
      if (clear && !tls) continue;   // a mistake in the configuration (check_store)
      for (const char* first : {"mysql_native_password", "mysql_clear_password"}) {
        GreetingServer server(greeting(false, first), "mysql_clear_password", dir.file("sock"));
        std::string why = refused("localhost", dir.file("sock"), tls, false, clear), told = server.stop();
        CHECK_TEXT(!why.empty(), first);
        CHECK_EQUAL_TEXT(clear, contains(told, kPassword), first);
      }
    }
  }
}

TEST(mysql_login, an_error_in_place_of_the_greeting_is_told) {
  GreetingServer server(packet(0, "\xff\x10\x04#08004Too many connections"), "");
  std::string why = refused(server.port(), true, false);
  CHECK_TEXT(contains(why, "Too many connections"), why.c_str());
  STRCMP_EQUAL("", server.stop().c_str());
}
