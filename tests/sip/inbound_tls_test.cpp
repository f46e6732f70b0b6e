// TLS from outside, with a client of OpenSSL inside the test: handshakes, refusals, bounds.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/sip/inbound_rig.h"
#include "tests/support/tls_server.h"

using namespace pua;
using namespace pua::test;

namespace {

// Made once: a key takes its time.
const std::string& certificates() {
  static const struct Folder {
    std::string path;
    Folder() {
      char name[] = "/tmp/sip-in-XXXXXX";
      path = mkdtemp(name);
      Cert({.cn = "127.0.0.1", .san = "IP:127.0.0.1"}).write(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
  } kFolder;
  return kFolder.path;
}

class TlsClient : public StreamClient {
 public:
  explicit TlsClient(uint16_t port, int version = 0) : StreamClient(port) {
    context_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context_, 0);
    if (version) SSL_CTX_set_min_proto_version(context_, version);
    if (version) SSL_CTX_set_max_proto_version(context_, version);
    SSL_CTX_load_verify_locations(context_, (certificates() + "/cafile.pem").c_str(), nullptr);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd());
    SSL_set_connect_state(ssl);
  }
  ~TlsClient() {
    SSL_free(ssl);
    SSL_CTX_free(context_);
  }
  // One step. 1: the handshake is over; 0: not yet; -1: refused.
  int shake() {
    ERR_clear_error();
    int r = SSL_do_handshake(ssl);
    if (r == 1) return 1;
    int e = SSL_get_error(ssl, r);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  size_t say(std::string_view text) {
    size_t n = 0;
    ERR_clear_error();
    SSL_write_ex(ssl, text.data(), text.size(), &n);
    return n;
  }
  void hear() {
    char buf[16384];
    size_t n = 0;
    ERR_clear_error();
    int r;
    while ((r = SSL_read_ex(ssl, buf, sizeof buf, &n)) == 1) got.append(buf, n);
    if (int e = SSL_get_error(ssl, r); e != SSL_ERROR_WANT_READ) closed = true;
  }
  SSL* ssl;

 private:
  SSL_CTX* context_;
};

}  // namespace

TEST_GROUP_BASE(InboundTls, InboundTest) {
  void setup() override {
    InboundTest::setup();
    settings.tls_dir = certificates();
  }
  int shaken(TlsClient& c) {
    int r = 0;
    until([&] { return (r = c.shake()) != 0; });
    return r;
  }
  std::string ask(TlsClient& c, const std::string& text) {
    c.got.clear();
    c.say(text);
    until([&] {
      c.hear();
      return c.closed || c.got.ends_with("\r\n\r\n");
    });
    return c.got.substr(0, c.got.find('\r'));
  }
};

TEST(InboundTls, a_request_is_answered_over_tls) {
  serve("sips:127.0.0.1:*");
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient c(at, version);
    LONGS_EQUAL(1, shaken(c));
    LONGS_EQUAL(version, SSL_version(c.ssl));
    STRCMP_EQUAL("SIP/2.0 200 OK", ask(c, request("known-1")).c_str());
    CHECK_TRUE(port.peers.back().transport == Peer::Transport::Tls);
  }
}

TEST(InboundTls, many_messages_in_one_record_and_one_in_many) {
  serve("sips:127.0.0.1:*");
  TlsClient c(at);
  LONGS_EQUAL(1, shaken(c));
  std::string many;
  for (int i = 0; i < 300; i++) many += request("known-" + std::to_string(i), "");
  many += request("known-big", std::string(100000, 'b'));
  size_t sent = 0;
  CHECK_TRUE(until([&] {
    if (sent < many.size()) sent += c.say(std::string_view(many).substr(sent));
    c.hear();
    return c.answers() == 301;
  }));
  LONGS_EQUAL(301, port.count);
  LONGS_EQUAL(0, counters().held);
}

TEST(InboundTls, an_end_without_close_notify_is_an_end_and_what_was_whole_is_answered) {
  serve("sips:127.0.0.1:*");
  TlsClient c(at);
  LONGS_EQUAL(1, shaken(c));
  c.say(request("known-1") + "NOTIFY");
  c.finish();
  CHECK_TRUE(until([&] {
    c.hear();
    return c.closed;
  }));
  LONGS_EQUAL(1, c.answers());
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(1, ended(InboundEnd::peer));
}

TEST(InboundTls, versions_before_1_2_and_other_protocols_are_refused) {
  serve("sips:127.0.0.1:*");
  TlsClient old(at, TLS1_1_VERSION);
  LONGS_EQUAL(-1, shaken(old));
  StreamClient plain(at);
  plain.send(request("known-1"));
  CHECK_TRUE(until_closed(plain));
  LONGS_EQUAL(0, port.count);
  LONGS_EQUAL(2, ended(InboundEnd::tls));
  LONGS_EQUAL(1, lines.size());   // the second one is held back: one line a second
  STRCMP_CONTAINS("sip: a TLS handshake with a client failed: error:", lines[0].c_str());
  adds_up();
}

TEST(InboundTls, a_client_that_wants_to_negotiate_again_is_told_no) {
  serve("sips:127.0.0.1:*");
  TlsClient c(at, TLS1_2_VERSION);
  LONGS_EQUAL(1, shaken(c));
  ask(c, request("known-1"));
  LONGS_EQUAL(1, SSL_renegotiate(c.ssl));
  LONGS_EQUAL(-1, shaken(c));
}

TEST(InboundTls, a_handshake_has_tcp_silence) {
  serve("sips:127.0.0.1:*");
  StreamClient silent(at);
  TlsClient half(at), whole(at);
  half.shake();
  LONGS_EQUAL(1, shaken(whole));
  CHECK_TRUE(until([&] { return counters().open == 3; }));
  pass(9999);
  LONGS_EQUAL(3, counters().open);
  pass(1);
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(3, ended(InboundEnd::silent));
}

TEST(InboundTls, a_turn_of_the_loop_does_few_handshakes) {
  settings.max_connections_per_address = 100;
  serve("sips:127.0.0.1:*");
  std::deque<TlsClient> all;
  for (int i = 0; i < 40; i++) all.emplace_back(at, TLS1_3_VERSION);
  CHECK_TRUE(until([&] { return counters().open == 40; }));
  for (TlsClient& c : all) c.shake();   // a ClientHello of each
  auto done = [&] {
    int n = 0;
    for (TlsClient& c : all) n += SSL_is_init_finished(c.ssl) || c.shake() == 1;
    return n;
  };
  turn();
  CHECK_TRUE(done() <= 4);
  CHECK_TRUE(until([&] { return done() == 40; }));
  for (TlsClient& c : all) STRCMP_EQUAL("SIP/2.0 481 Subscription Does Not Exist", ask(c, request("x")).c_str());
}

TEST(InboundTls, a_handshake_octet_by_octet_is_taken_but_not_as_a_newcomer) {
  serve("sips:127.0.0.1:*");
  TlsClient c(at);
  BIO* out = BIO_new(BIO_s_mem());   // what it would send, to send it in pieces
  BIO_set_mem_eof_return(out, -1);
  SSL_set0_wbio(c.ssl, out);
  int r = 0;
  CHECK_TRUE(until([&] {
    r = c.shake();
    char octet;
    while (BIO_read(out, &octet, 1) == 1) {
      c.send({&octet, 1});
      turn();
    }
    return r != 0;
  }));
  LONGS_EQUAL(1, r);
  CHECK_TRUE(until([&] { return counters().held == 16384; }));   // a stranger's TLS counts
}

TEST(InboundTls, the_memory_of_strangers_tls_is_bounded) {
  settings.max_connections_per_address = 1000;
  serve("sips:127.0.0.1:*");
  TlsClient known(at);
  LONGS_EQUAL(1, shaken(known));
  ask(known, request("known-1"));
  LONGS_EQUAL(0, counters().held);
  std::deque<StreamClient> half;
  for (int i = 0; i < 600; i++) {
    half.emplace_back(at);
    half.back().send("\x16\x03\x01");   // the begin of a ClientHello
    turn(2);
  }
  CHECK_TRUE(until([&] { return ended(InboundEnd::memory) == 498; }));
  LONGS_EQUAL(1 + 102, counters().open);
  LONGS_EQUAL(102 * 40960, counters().held);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(known, request("known-1")).c_str());
  TlsClient newcomer(at);   // the oldest give way, not the one whose handshake is under way
  LONGS_EQUAL(1, shaken(newcomer));
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(newcomer, request("known-2")).c_str());
}

TEST(InboundTls, retired_inside_take_it_closes_everything_at_once) {
  serve("sips:127.0.0.1:*");
  TlsClient c(at);
  LONGS_EQUAL(1, shaken(c));
  port.then = [&] { inbound.reset(); };
  c.say(request("known-1"));
  CHECK_TRUE(until([&] {
    c.hear();
    return c.closed;
  }));
}

TEST(InboundTls, files_that_cannot_be_used_are_named) {
  std::string dir = certificates() + "/bad";
  std::filesystem::create_directory(dir);
  settings.tls_dir = dir;
  serve();
  auto refused = [&](const std::string& what) {
    auto r = inbound->listen("sips:127.0.0.1:*", 0, port);
    CHECK_FALSE(r.ok());
    CHECK_TRUE(r.code() == Errc::sip_failed);
    STRCMP_CONTAINS(("tls_dir: " + dir + what).c_str(), r.error().message.c_str());
  };
  refused("/agent.pem: ");
  std::filesystem::copy(certificates() + "/cafile.pem", dir + "/agent.pem");   // a certificate without key
  refused("/agent.pem: ");
  std::string lock = "openssl pkey -aes128 -passout pass:x -in " + certificates() + "/agent.pem >> " + dir + "/agent.pem 2>/dev/null";
  LONGS_EQUAL(0, system(lock.c_str()));
  refused("/agent.pem: ");                                                     // it does not ask the terminal for the password
  std::filesystem::copy(certificates() + "/agent.pem", dir + "/agent.pem", std::filesystem::copy_options::overwrite_existing);
  refused("/cafile.pem: ");
  std::filesystem::copy(certificates() + "/cafile.pem", dir + "/cafile.pem");
  CHECK_TRUE(inbound->listen("sips:127.0.0.1:*", 0, port).ok());
}
