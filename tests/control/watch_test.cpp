// Watches: who is told of which NOTIFY, the bounds, and clients that do not read or have gone.
#include <event2/event.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/dgram.h"
#include "control/dispatcher.h"
#include "control/watches.h"
#include "tests/control/fake_instance.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace pua::test;

namespace {

// Clients by name: what they were told, and whether they take it.
struct FakeSink : PushSink {
  struct Line : PushLine {
    explicit Line(std::string to) : client(std::move(to)) {}
    std::string client;
  };
  std::map<std::string, std::vector<std::string>> told;
  size_t largest = 1 << 20;
  bool full = false, deaf = false;
  std::string gone;
  static const std::string& name(const PushLine& line) { return static_cast<const Line&>(line).client; }
  Result<PushLinePtr> line_to(const std::string& client) override {
    if (deaf) return Error{Errc::not_supported, "connected"};
    return PushLinePtr(std::make_shared<Line>(client));
  }
  bool push(const PushLinePtr& line, std::string&& text, const std::shared_ptr<PushState>& state) override {
    if (text.size() > largest) return false;
    if (full || name(*line) == gone) {
      state->lost++;
      state->gone = name(*line) == gone;
      return true;
    }
    told[name(*line)].push_back(std::move(text));
    return true;
  }
  bool anybody_at(const PushLine& line) const override { return name(line) != gone; }
};

RecordView subscription(std::string_view pres_uri, std::string_view watcher_uri, int32_t event = 1) {
  RecordView r;
  r.kind = Kind::Subscription;
  r.pres_uri = pres_uri;
  r.watcher_uri = watcher_uri;
  r.event = event;
  r.event_name = event == 1 ? "presence" : "message-summary";
  r.call_id = "c@h";
  return r;
}

NotifyView active(const RecordView& r, std::string_view body = {}) {
  return {r, "active", "", 600, -1, body.empty() ? std::string_view() : "text/plain", body, false};
}

}  // namespace

TEST_GROUP(Watches) {
  FakeInstance pua;
  std::shared_ptr<FakeSink> sink = std::make_shared<FakeSink>();
  std::optional<Watches> watches{pua};
  RecordView bob = subscription("sip:bob@b", "sip:alice@a");

  Caller client(const char* name, uid_t user = Caller::kNobodyKnown, pid_t process = 0) { return {sink, name, user, process}; }
  int64_t add(const char* name, WatchFilter filter = {}) {
    auto id = watches->add(client(name), std::move(filter));
    CHECK(id.ok());
    return id->id;
  }
  size_t told(const char* name) { return sink->told[name].size(); }
};

TEST(Watches, a_client_is_told_of_each_notify_as_a_notification) {
  add("one");
  LONGS_EQUAL(0x7fffffff, pua.observed_sources);
  NotifyView n{bob, "terminated", "probation", -1, 30, "text/plain", "hi \"there\"", true};
  pua.notify(n);
  STRCMP_EQUAL(R"({"jsonrpc":"2.0","method":"pua_notify","params":{"watch":1,"presentity_uri":"sip:bob@b",)"
               R"("watcher_uri":"sip:alice@a","event":"presence","call_id":"c@h","state":"terminated",)"
               R"("reason":"probation","retry_after":30,"content_type":"text/plain","body":"hi \"there\"","gap":true}})",
               sink->told["one"].at(0).c_str());
}

// Once: each octet that is no UTF-8 came as U+FFFD, and the document was lost.
TEST(Watches, a_document_that_is_no_utf_8_comes_to_the_octet) {
  add("one");
  pua.notify(active(bob, "<n>\xe9</n>"));
  STRCMP_CONTAINS(R"("content_type":"text/plain","body_base64":"PG4+6Twvbj4="}})", sink->told["one"].at(0).c_str());
  pua.notify(active(bob, std::string_view("<\0a\0", 4)));
  STRCMP_CONTAINS(R"("content_type":"text/plain","body_base64":"PABhAA=="}})", sink->told["one"].at(1).c_str());
  pua.notify(active(bob, "<n>\xc3\xa9</n>"));
  STRCMP_CONTAINS("\"content_type\":\"text/plain\",\"body\":\"<n>\xc3\xa9</n>\"}}", sink->told["one"].at(2).c_str());
}

TEST(Watches, filters_are_of_presentity_watcher_and_event) {
  add("all");
  add("bob", {"sip:bob@b", "", 0});
  add("b", {"sip:b*", "", 0});
  add("carol", {"sip:carol@c", "", 0});
  add("alice", {"", "sip:alice@a", 0});
  add("dave", {"", "sip:dave@d", 0});
  add("mwi", {"", "", 8});
  pua.notify(active(bob));
  LONGS_EQUAL(1, told("all"));
  LONGS_EQUAL(1, told("bob"));
  LONGS_EQUAL(1, told("b"));
  LONGS_EQUAL(0, told("carol"));
  LONGS_EQUAL(1, told("alice"));
  LONGS_EQUAL(0, told("dave"));
  LONGS_EQUAL(0, told("mwi"));
  RecordView mail = subscription("sip:bob@b", "sip:alice@a", 8);
  pua.notify(active(mail));
  LONGS_EQUAL(1, told("mwi"));
}

TEST(Watches, asking_for_the_same_again_changes_nothing) {
  CHECK(watches->add(client("one"), {})->fresh);
  CHECK(!watches->add(client("one"), {})->fresh);
  LONGS_EQUAL(1, add("one"));
  LONGS_EQUAL(2, add("one", {"sip:bob@b", "", 0}));
  LONGS_EQUAL(3, add("two"));
  LONGS_EQUAL(3, watches->size());
  LONGS_EQUAL(1, pua.notify_observers.size());
}

TEST(Watches, a_watch_ends_when_its_client_says_so) {
  add("one");
  add("one", {"sip:bob@b", "", 0});
  add("two");
  LONGS_EQUAL(0, watches->remove("two", 1).watches);
  LONGS_EQUAL(1, watches->remove("one", 2).watches);
  pua.notify(active(bob));
  LONGS_EQUAL(1, told("one"));
  LONGS_EQUAL(1, watches->remove("one", 0).watches);
  LONGS_EQUAL(1, watches->size());
}

TEST(Watches, there_are_64_at_most_and_those_of_dead_clients_make_room) {
  for (int i = 0; i < 64; i++) add(("c" + std::to_string(i)).c_str());
  auto refused = watches->add(client("one too many"), {});
  LONGS_EQUAL(static_cast<int>(Errc::too_large), static_cast<int>(refused.error().code));
  sink->gone = "c5";
  LONGS_EQUAL(65, add("one too many"));
  LONGS_EQUAL(64, watches->size());
}

// One that asks again and again, from one socket or from many, leaves room for the others.
TEST(Watches, one_client_has_16_at_most_however_many_sockets_it_opens) {
  for (int i = 0; i < 16; i++) CHECK(watches->add(client(("c" + std::to_string(i)).c_str(), 7, 100), {}).ok());
  auto refused = watches->add(client("c16", 7, 100), {});
  LONGS_EQUAL(static_cast<int>(Errc::too_large), static_cast<int>(refused.error().code));
  STRCMP_EQUAL("this client has 16 watches already", refused.error().message.c_str());
  CHECK(!watches->add(client("c3", 7, 100), {})->fresh);   // what it has goes on
  CHECK(watches->add(client("other", 7, 101), {}).ok());
  sink->gone = "c5";
  CHECK(watches->add(client("c16", 7, 100), {}).ok());
}

TEST(Watches, one_address_has_16_at_most_where_its_process_is_not_known) {
  for (int i = 0; i < 16; i++) add("one", {"sip:" + std::to_string(i), "", 0});
  CHECK(!watches->add(client("one"), {"sip:16", "", 0}).ok());
  CHECK(watches->add(client("two"), {}).ok());
}

TEST(Watches, one_user_leaves_some_to_the_others) {
  for (int i = 0; i < 48; i++) CHECK(watches->add(client(("c" + std::to_string(i)).c_str(), 7, 100 + i), {}).ok());
  auto refused = watches->add(client("one too many", 7, 500), {});
  STRCMP_EQUAL("user 7 has 48 watches already", refused.error().message.c_str());
  for (int i = 0; i < 16; i++) CHECK(watches->add(client(("d" + std::to_string(i)).c_str(), 8, 600 + i), {}).ok());
  STRCMP_EQUAL("there are 64 watches already", watches->add(client("e", 9, 700), {}).error().message.c_str());
}

// The name of a killed client may be another's by now: what the first one asked for is not told to it.
TEST(Watches, another_process_at_the_same_address_begins_anew) {
  CHECK(watches->add(client("one", 7, 100), {"sip:carol@c", "", 0})->fresh);
  CHECK(watches->add(client("one", 7, 101), {"sip:bob@b", "", 0})->fresh);
  LONGS_EQUAL(1, watches->size());
  CHECK(watches->add(client("one", 7, 102), {"sip:bob@b", "", 0})->fresh);
  LONGS_EQUAL(1, watches->size());
}

TEST(Watches, a_client_that_nothing_can_be_sent_to_is_refused) {
  sink->deaf = true;
  auto refused = watches->add(client("one"), {});
  LONGS_EQUAL(static_cast<int>(Errc::not_supported), static_cast<int>(refused.error().code));
  LONGS_EQUAL(0, watches->size());
}

TEST(Watches, a_client_that_has_gone_is_forgotten_at_the_next_notify) {
  add("one");
  add("two");
  sink->gone = "one";
  pua.notify(active(bob));
  LONGS_EQUAL(1, watches->size());
  sink.reset();
  pua.notify(active(bob));
  LONGS_EQUAL(0, watches->size());
}

TEST(Watches, a_slow_client_is_told_how_many_it_lost) {
  add("one");
  sink->full = true;
  pua.notify(active(bob));
  pua.notify(active(bob));
  sink->full = false;
  pua.notify(active(bob));
  LONGS_EQUAL(1, told("one"));
  STRCMP_CONTAINS("\"lost\":2", sink->told["one"][0].c_str());
  LONGS_EQUAL(2, watches->remove("one", 0).lost);
}

TEST(Watches, a_body_that_no_message_holds_is_left_out) {
  add("one");
  sink->largest = 1000;
  std::string body(2000, 'x');
  pua.notify(active(bob, body));
  STRCMP_CONTAINS("\"truncated\":true", sink->told["one"].at(0).c_str());
  sink->largest = 10;
  pua.notify(active(bob, body));
  LONGS_EQUAL(1, watches->remove("one", 0).lost);
}

TEST(Watches, nothing_is_observed_before_the_first_and_after_the_end) {
  LONGS_EQUAL(0, pua.notify_observers.size());
  add("one");
  watches.reset();
  LONGS_EQUAL(0, pua.notify_observers.size());
}

// --- over the socket -----------------------------------------------------------------------------

TEST_GROUP(WatchSocket) {
  std::string dir, path, answer;
  event_base* base = event_base_new();
  std::unique_ptr<FakeWorld> world = std::make_unique<FakeWorld>(base);
  std::unique_ptr<Dispatcher> dispatcher = std::make_unique<Dispatcher>(world->context);
  std::unique_ptr<DgramTransport> transport;
  RecordView bob = subscription("sip:bob@b", "sip:alice@a");
  int client = -1;
  std::string address;   // of the client, as the kernel gave it

  void setup() override {
    char name[] = "/tmp/pua-watch-XXXXXX";
    dir = mkdtemp(name);
    path = dir + "/ctl.sock";
    auto t = DgramTransport::open(base, *dispatcher, path, 0600);
    CHECK(t.ok());
    transport = std::move(*t);
    sockaddr_un any{};
    any.sun_family = AF_UNIX;
    client = bound_to({reinterpret_cast<char*>(&any), sizeof(sa_family_t)});
    socklen_t size = sizeof any;
    getsockname(client, reinterpret_cast<sockaddr*>(&any), &size);
    address.assign(reinterpret_cast<char*>(&any), size);
  }
  static int bound_to(const std::string& name) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    LONGS_EQUAL(0, bind(fd, reinterpret_cast<const sockaddr*>(name.data()), static_cast<socklen_t>(name.size())));
    return fd;
  }
  void teardown() override {
    if (client >= 0) close(client);
    transport.reset();
    world.reset();
    event_base_free(base);
    std::filesystem::remove_all(dir);
  }
  void turn() { event_base_loop(base, EVLOOP_NONBLOCK); }
  void ask(std::string_view text) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    memcpy(to.sun_path, path.data(), path.size());
    CHECK(sendto(client, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to) > 0);
    turn();
  }
  std::string receive() {
    std::string text(300000, '\0');
    ssize_t n = recv(client, text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return text;
  }
  ControlCounters& counters() { return world->context.counters; }
};

TEST(WatchSocket, notifies_come_as_datagrams_until_unwatch) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch","params":{"presentity_uri":"sip:bob@b","event":"presence"}})");
  STRCMP_EQUAL(R"({"jsonrpc":"2.0","result":{"watch":1,"new":true},"id":1})", receive().c_str());
  world->pua.notify(active(bob, "hi"));
  STRCMP_CONTAINS("\"method\":\"pua_notify\"", receive().c_str());
  LONGS_EQUAL(1, counters().pushed);
  ask(R"({"jsonrpc":"2.0","id":2,"method":"pua_unwatch"})");
  STRCMP_EQUAL(R"({"jsonrpc":"2.0","result":{"watches":1,"lost":0},"id":2})", receive().c_str());
  world->pua.notify(active(bob, "hi"));
  STRCMP_EQUAL("", receive().c_str());
  ask(R"({"jsonrpc":"2.0","id":3,"method":"pua_unwatch","params":[1]})");
  STRCMP_CONTAINS("\"code\":404", receive().c_str());
}

TEST(WatchSocket, unknown_events_are_refused) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch","params":{"event":"nonsense"}})");
  STRCMP_CONTAINS("\"code\":400,\"message\":\"Unknown event\"", receive().c_str());
}

TEST(WatchSocket, a_client_that_does_not_read_loses_and_nothing_waits) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})");
  receive();
  for (int i = 0; i < 500; i++) world->pua.notify(active(bob, "hi"));
  CHECK(counters().pushes_lost > 300);
  int64_t lost = counters().pushes_lost;
  int got = 0;
  for (int i = 0; i < 100; i++) {  // what was kept still comes
    while (!receive().empty()) got++;
    event_base_loop(base, got + lost < 500 ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
  }
  LONGS_EQUAL(500, got + lost);
  world->pua.notify(active(bob, "hi"));
  STRCMP_CONTAINS(("\"lost\":" + std::to_string(lost)).c_str(), receive().c_str());
}

TEST(WatchSocket, replies_come_in_their_order_among_the_messages) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})");
  receive();
  for (int i = 0; i < 30; i++) world->pua.notify(active(bob, "hi"));
  ask(R"({"jsonrpc":"2.0","id":2,"method":"version"})");
  int messages = 0;
  std::string text;
  for (int i = 0; i < 100 && text.find("\"id\":2") == text.npos; i++) {
    text = receive();
    if (text.find("pua_notify") != text.npos) messages++;
    if (text.empty()) event_base_loop(base, EVLOOP_ONCE);
  }
  LONGS_EQUAL(30, messages);
  STRCMP_CONTAINS("\"id\":2", text.c_str());
}

TEST(WatchSocket, a_closed_client_is_forgotten) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})");
  close(client);
  client = -1;
  world->pua.notify(active(bob, "hi"));
  LONGS_EQUAL(0, world->context.watches.size());
  LONGS_EQUAL(1, counters().pushes_lost);
}

TEST(WatchSocket, whoever_takes_the_name_of_a_dead_client_gets_none_of_its_notifies) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})");
  receive();
  close(client);
  client = bound_to(address);
  world->pua.notify(active(bob, "a secret"));
  STRCMP_EQUAL("", receive().c_str());
  LONGS_EQUAL(0, world->context.watches.size());
  LONGS_EQUAL(1, counters().pushes_lost);
  ask(R"({"jsonrpc":"2.0","id":2,"method":"pua_watch"})");   // asked for by itself, it comes
  STRCMP_CONTAINS("\"new\":true", receive().c_str());
  world->pua.notify(active(bob, "mine"));
  STRCMP_CONTAINS("mine", receive().c_str());
}

TEST(WatchSocket, what_waits_for_a_client_that_dies_is_not_told_to_its_successor) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})");
  receive();
  for (int i = 0; i < 100; i++) world->pua.notify(active(bob, "a secret"));
  close(client);
  client = bound_to(address);
  CHECK(counters().pushed + counters().pushes_lost < 100);   // some wait
  while (counters().pushed + counters().pushes_lost < 100) event_base_loop(base, EVLOOP_ONCE);
  STRCMP_EQUAL("", receive().c_str());
}

TEST(WatchSocket, one_that_opens_its_socket_anew_and_asks_again_is_told) {
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})");
  receive();
  close(client);
  client = bound_to(address);
  ask(R"({"jsonrpc":"2.0","id":2,"method":"pua_watch"})");
  STRCMP_CONTAINS("\"watch\":1", receive().c_str());
  world->pua.notify(active(bob, "hi"));
  STRCMP_CONTAINS("\"body\":\"hi\"", receive().c_str());
}

TEST(WatchSocket, one_client_cannot_take_all_watches) {
  for (int i = 0; i < 16; i++) {
    ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch","params":["sip:)" + std::to_string(i) + R"(@b"]})");
    STRCMP_CONTAINS("\"new\":true", receive().c_str());
  }
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch","params":["sip:x@b"]})");
  STRCMP_CONTAINS("\"code\":503", receive().c_str());
  close(client);
  client = bound_to({address.data(), sizeof(sa_family_t)});   // another socket is no other client
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch","params":["sip:x@b"]})");
  std::string text = receive();   // those of the closed one made room
  STRCMP_CONTAINS("\"new\":true", text.c_str());
  LONGS_EQUAL(1, counters().watches_refused);
}

TEST(WatchSocket, a_client_that_has_connected_its_socket_is_told_that_it_cannot_watch) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  memcpy(to.sun_path, path.data(), path.size());
  LONGS_EQUAL(0, connect(client, reinterpret_cast<sockaddr*>(&to), sizeof to));
  ask(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})");
  std::string text = receive();
  STRCMP_CONTAINS("\"code\":501", text.c_str());
  STRCMP_CONTAINS("sendto(2)", text.c_str());
}

TEST(WatchSocket, descriptors_that_a_client_sends_along_are_not_taken) {
  int before = dup(0);
  close(before);
  for (int i = 0; i < 5; i++) {
    std::string text = R"({"jsonrpc":"2.0","id":1,"method":"version"})";
    iovec octets = {text.data(), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    memcpy(to.sun_path, path.data(), path.size());
    msghdr m{};
    m.msg_name = &to;
    m.msg_namelen = sizeof to;
    m.msg_iov = &octets;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    cmsghdr* c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &client, sizeof client);
    CHECK(sendmsg(client, &m, 0) > 0);
    turn();
    CHECK(!receive().empty());
  }
  int after = dup(0);
  close(after);
  LONGS_EQUAL(before, after);
}

TEST(WatchSocket, there_is_no_way_back_without_an_address_or_from_a_fifo) {
  std::string text;
  dispatcher->handle(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})", [&](std::string&& t) {
    text = std::move(t);
    return true;
  });
  STRCMP_CONTAINS("\"code\":501,\"message\":\"Only on the datagram socket", text.c_str());
  LONGS_EQUAL(0, world->context.watches.size());
}
