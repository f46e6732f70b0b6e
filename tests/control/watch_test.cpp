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
  std::map<std::string, std::vector<std::string>> told;
  size_t largest = 1 << 20;
  bool full = false;
  std::string gone;
  bool push(const std::string& client, std::string&& text, const std::shared_ptr<PushState>& state) override {
    if (text.size() > largest) return false;
    if (full || client == gone) {
      state->lost++;
      state->gone = client == gone;
      return true;
    }
    told[client].push_back(std::move(text));
    return true;
  }
  bool anybody_at(const std::string& client) const override { return client != gone; }
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

  Caller client(const char* name) { return {sink, name}; }
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

  void setup() override {
    char name[] = "/tmp/pua-watch-XXXXXX";
    dir = mkdtemp(name);
    path = dir + "/ctl.sock";
    auto t = DgramTransport::open(base, *dispatcher, path, 0600);
    CHECK(t.ok());
    transport = std::move(*t);
    client = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    bind(client, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t));
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

TEST(WatchSocket, there_is_no_way_back_without_an_address_or_from_a_fifo) {
  std::string text;
  dispatcher->handle(R"({"jsonrpc":"2.0","id":1,"method":"pua_watch"})", [&](std::string&& t) {
    text = std::move(t);
    return true;
  });
  STRCMP_CONTAINS("\"code\":501,\"message\":\"Only on the datagram socket", text.c_str());
  LONGS_EQUAL(0, world->context.watches.size());
}
