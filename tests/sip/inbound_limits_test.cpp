// How many connections from outside there may be, who gives way, fairness, and the limit of descriptors; on real sockets.
#include <sys/resource.h>
#include <unistd.h>

#include <deque>

#include "base/descriptors.h"
#include "tests/sip/inbound_rig.h"

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(InboundLimits, InboundTest) {};

// --- how many --------------------------------------------------------------------------------------------------------------

// Once: 2,000 idle connections were never closed.
TEST(InboundLimits, idle_connections_are_bounded_and_honest_ones_go_on) {
  settings.max_connections = 100;
  settings.max_connections_per_address = 16;
  serve();
  StreamClient honest(at, "127.0.0.9");
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(honest, request("known-1")).c_str());
  std::deque<StreamClient> flood;
  for (int i = 0; i < 2000; i++) {
    flood.emplace_back(at, ("127.0.1." + std::to_string(1 + i % 50)).c_str());
    if (flood.size() > 300) flood.pop_front();
    turn();
    CHECK_TRUE(counters().open <= 100);
    if (i % 100 == 99) {
      STRCMP_EQUAL("SIP/2.0 200 OK", ask(honest, request("known-1")).c_str());   // who was there goes on
      StreamClient newcomer(at, "127.0.0.8");
      STRCMP_EQUAL("SIP/2.0 200 OK", ask(newcomer, request("known-2")).c_str());  // who comes gets in
    }
  }
  CHECK_FALSE(honest.closed);
  CHECK_TRUE(ended(InboundEnd::limit) > 1000);
  size_t told = 0;
  for (const std::string& l : lines) told += l.find("as many as max_connections allows") != std::string::npos;
  LONGS_EQUAL(1, told);
  flood.clear();
  CHECK_TRUE(until([&] { return counters().open <= 21; }));
  now += 10000;
  inbound->run_due();
  STRCMP_EQUAL("sip: there is room again for connections from outside", lines.back().c_str());
  adds_up();
}

TEST(InboundLimits, one_address_has_its_limit_and_its_oldest_stranger_gives_way) {
  settings.max_connections_per_address = 3;
  serve();
  StreamClient other(at, "127.0.0.2"), known(at);
  ask(other, request("x"));
  ask(known, request("known-1"));
  StreamClient first(at);
  CHECK_TRUE(until([&] { return counters().open == 3; }));
  StreamClient second(at);
  CHECK_TRUE(until([&] { return counters().open == 4; }));
  StreamClient third(at);
  CHECK_TRUE(until_closed(first));
  LONGS_EQUAL(4, counters().open);
  LONGS_EQUAL(1, ended(InboundEnd::address_limit));
  STRCMP_EQUAL("sip: 127.0.0.1 has as many connections as max_connections_per_address allows: its oldest ones give way to new ones",
               lines.back().c_str());
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(known, request("known-1")).c_str());
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(third, request("known-1")).c_str());
  STRCMP_EQUAL("SIP/2.0 481 Subscription Does Not Exist", ask(other, request("x")).c_str());
}

TEST(InboundLimits, a_flood_of_messages_leaves_known_connections_their_turn) {
  port.keep = false;
  serve();
  StreamClient honest(at, "127.0.0.2");
  ask(honest, request("known-1"));
  std::deque<StreamClient> flood;
  for (int i = 0; i < 60; i++) flood.emplace_back(at);
  std::string many;
  for (int i = 0; i < 100; i++) many += request("x", "");
  CHECK_TRUE(until([&] { return counters().open == 61; }));
  for (StreamClient& f : flood) f.send(many);
  turn();
  size_t before = port.count;
  turn();
  CHECK_TRUE(port.count - before <= 16 + 32 + 96);   // of one turn, however many have something to say
  honest.got.clear();
  honest.send(request("known-1"));
  int turns = 0;
  while (honest.answers() == 0 && turns < 100) {
    turn();
    turns++;
    honest.read();
  }
  CHECK_TRUE(turns <= 3);
  CHECK_TRUE(port.count < 6000);
  CHECK_TRUE(until([&] { return port.count >= 6002; }));   // and all of it is answered in the end
}

TEST(InboundLimits, a_newcomer_with_a_whole_notify_is_not_behind_unfinished_messages) {
  settings.max_connections_per_address = 1000;
  serve();
  std::deque<StreamClient> flood;
  for (int i = 0; i < 400; i++) flood.emplace_back(at);
  CHECK_TRUE(until([&] { return counters().open == 400; }));
  std::string part = "NOTIFY sip:a@b SIP/2.0\r\nSubject: " + std::string(20000, 'x');
  for (StreamClient& f : flood) f.send(part);
  StreamClient honest(at, "127.0.0.2");
  honest.send(request("known-1"));
  int turns = 0;
  while (honest.answers() == 0 && turns < 100) {
    turn();
    turns++;
    honest.read();
  }
  CHECK_TRUE(turns <= 4);
  LONGS_EQUAL(1, counters().known);
}

// --- descriptors -----------------------------------------------------------------------------------------------------------

TEST_GROUP_BASE(InboundDescriptors, InboundTest) {
  rlimit before{};
  std::deque<int> taken;

  void setup() override {
    InboundTest::setup();
    getrlimit(RLIMIT_NOFILE, &before);
    for (int i = 0; i < 100; i++) taken.push_back(dup(0));   // so that a reserve of ten is no quarter of the limit
  }
  void teardown() override {
    give_back();
    setrlimit(RLIMIT_NOFILE, &before);
    InboundTest::teardown();
  }
  // So many descriptors are left.
  void leave(int n) {
    int next = dup(0);
    close(next);
    rlimit l{static_cast<rlim_t>(next + n), before.rlim_max};
    LONGS_EQUAL(0, setrlimit(RLIMIT_NOFILE, &l));
  }
  void take_all() {
    for (int fd; (fd = dup(0)) >= 0;) taken.push_back(fd);
  }
  void give_back() {
    for (int fd : taken) close(fd);
    taken.clear();
  }
  size_t told(const std::string& what) {
    size_t n = 0;
    for (const std::string& l : lines) n += l.find(what) != std::string::npos;
    return n;
  }
};

// Once: 700,000 lines of "Error from accept() call" in 3 s, and a core busy.
TEST(InboundDescriptors, out_of_descriptors_accepting_pauses_without_a_spin_and_known_connections_go_on) {
  settings.descriptor_reserve = 0;
  serve();
  StreamClient honest(at);
  ask(honest, request("known-1"));
  StreamClient waits(at, "127.0.0.2"), waits_too(at, "127.0.0.2");
  leave(0);
  take_all();
  turn(5);
  LONGS_EQUAL(1, counters().open);
  LONGS_EQUAL(1, counters().pauses);
  for (int i = 0; i < 1000; i++) {
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    LONGS_EQUAL(2, event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED));   // its own timer and the known connection
  }
  LONGS_EQUAL(1, counters().pauses);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(honest, request("known-1")).c_str());
  pass(1000);   // it looks again, in vain
  LONGS_EQUAL(2, counters().pauses);
  LONGS_EQUAL(1, told("short of descriptors"));
  setrlimit(RLIMIT_NOFILE, &before);
  give_back();
  pass(1000);
  STRCMP_EQUAL("SIP/2.0 481 Subscription Does Not Exist", ask(waits, request("x")).c_str());
  STRCMP_EQUAL("SIP/2.0 481 Subscription Does Not Exist", ask(waits_too, request("x")).c_str());
  pass(10000);
  LONGS_EQUAL(1, told("short of descriptors"));
  LONGS_EQUAL(1, told("enough descriptors again"));
  LONGS_EQUAL(3, counters().open);
  adds_up();
}

TEST(InboundDescriptors, near_the_limit_strangers_give_way_and_the_reserve_stays_free) {
  settings.descriptor_reserve = 10;
  serve();
  StreamClient honest(at);
  ask(honest, request("known-1"));
  std::deque<StreamClient> idle;
  for (int i = 0; i < 30; i++) idle.emplace_back(at, "127.0.0.2");   // in the system's queue
  leave(20);
  turn(10);
  LONGS_EQUAL(11, counters().open);          // the known one, and ten below the reserve
  LONGS_EQUAL(20, ended(InboundEnd::descriptors));
  int next = dup(0);
  close(next);
  LONGS_EQUAL(descriptor_limit() - 10, next);
  LONGS_EQUAL(1, told("short of descriptors"));
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(honest, request("known-1")).c_str());
  LONGS_EQUAL(0, counters().pauses);
  adds_up();
}

TEST(InboundDescriptors, near_the_limit_a_newcomer_is_not_taken_where_all_others_are_known) {
  settings.descriptor_reserve = 10;
  serve();
  StreamClient honest(at);
  ask(honest, request("known-1"));
  StreamClient newcomer(at, "127.0.0.2"), waits(at, "127.0.0.2");
  leave(5);
  CHECK_TRUE(until_closed(newcomer));
  LONGS_EQUAL(1, counters().open);
  LONGS_EQUAL(1, counters().pauses);
  LONGS_EQUAL(1, ended(InboundEnd::descriptors));
  setrlimit(RLIMIT_NOFILE, &before);
  pass(1000);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(waits, request("known-2")).c_str());
  adds_up();
}

TEST(InboundDescriptors, a_limit_of_open_files_below_max_connections_is_told_at_start) {
  rlimit l{400, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &l);
  serve();
  STRCMP_EQUAL("sip: max_connections is 1024, but the limit of open files is 400, of which 100 are kept for other things", lines.at(0).c_str());
}
