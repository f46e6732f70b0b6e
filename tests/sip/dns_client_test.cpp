// Questions to name servers: repeated, given to the next server, over TCP, without EDNS; unguessable, and cancelled.
#include "sip/dns_client.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>
#include <string>

#include "tests/sip/locate_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using pua::test::DnsServer;
using pua::test::LocateRig;

TEST_GROUP(DnsClient) {
  LocateRig* rig = nullptr;
  DnsServer* dns = nullptr;
  std::unique_ptr<DnsClient> client;
  DnsAnswer answer;
  int answers = 0;
  void setup() override {
    rig = new LocateRig;
    dns = rig->dns.get();
    make({});
  }
  void teardown() override {
    client.reset();
    delete rig;
  }
  void make(DnsLimits limits) {
    client = std::make_unique<DnsClient>(*rig->driver, limits);
    client->use({server(*dns)});
  }
  static NameServer server(const DnsServer& s, const char* address = "127.0.0.1") {
    NameServer out;
    CHECK_TRUE(read_address(address, out.address));
    out.port = s.port();
    return out;
  }
  uint64_t ask(const char* name, DnsType type = DnsType::A) {
    return client->ask(name, type, [this](const DnsAnswer& a) {
      answer = a;
      answers++;
    });
  }
  bool answered() {
    int before = answers;
    return rig->until([&] { return answers > before; });
  }
};

TEST(DnsClient, an_answer) {
  dns->a("h.example", "192.0.2.1");
  ask("h.example");
  LONGS_EQUAL(0, answers);
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, answer.addresses.size());
  LONGS_EQUAL(60, answer.ttl);
  LONGS_EQUAL(0, client->open());
}

TEST(DnsClient, what_is_too_long_for_udp_is_asked_for_over_tcp) {
  dns->truncate = true;
  for (int i = 1; i <= 60; i++) dns->srv("_sip._udp.d.example", 1, static_cast<uint16_t>(i), "a-long-name-for-a-host.d.example");
  ask("_sip._udp.d.example", DnsType::Srv);
  CHECK_TRUE(answered());
  LONGS_EQUAL(60, answer.srvs.size());
  LONGS_EQUAL(1, dns->over_tcp);
}

TEST(DnsClient, a_name_server_that_breaks_its_connection_off_does_not_end_the_process) {
  sighandler_t before = signal(SIGPIPE, SIG_DFL);
  dns->truncate = true;
  int fd = dns->listener(), broken = 0;
  ask("h.example");
  CHECK_TRUE(rig->until([&] {
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, 0) > 0) {  // before the question is written
      int c = accept(fd, nullptr, nullptr);
      shutdown(c, SHUT_WR);
      linger now{1, 0};
      setsockopt(c, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      close(c);
      broken++;
    }
    return answers == 1;
  }));
  CHECK_TRUE(broken > 0);
  LONGS_EQUAL(static_cast<int>(DnsStatus::Silent), static_cast<int>(answer.status));
  signal(SIGPIPE, before);
}

TEST(DnsClient, a_name_server_without_edns_is_asked_without) {
  dns->no_edns = true;
  dns->a("h.example", "192.0.2.1");
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, answer.addresses.size());
  LONGS_EQUAL(2, dns->questions.size());
}

TEST(DnsClient, a_lost_question_is_repeated) {
  make({50, 2, 16});
  dns->a("h.example", "192.0.2.1");
  dns->mute = {"A h.example"};
  ask("h.example");
  CHECK_TRUE(rig->until([&] { return dns->questions.size() == 1; }));
  dns->mute.clear();
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, answer.addresses.size());
}

TEST(DnsClient, a_name_server_that_is_silent_is_left_for_the_next_one_which_is_asked_first_from_then_on) {
  DnsServer second(rig->base);
  second.a("h.example", "192.0.2.2");
  dns->silent = true;
  make({50, 2, 16});
  client->use({server(*dns), server(second)});
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, answer.addresses.size());
  LONGS_EQUAL(1, dns->questions.size());
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, dns->questions.size());
  LONGS_EQUAL(2, second.questions.size());
}

TEST(DnsClient, an_error_code_is_the_word_of_one_name_server) {
  DnsServer second(rig->base);
  second.a("h.example", "192.0.2.2");
  for (unsigned code : {2u, 4u, 5u}) {  // SERVFAIL, NOTIMP, REFUSED
    dns->codes = {{"A h.example", code}};
    client->use({server(*dns), server(second)});
    ask("h.example");
    CHECK_TRUE(answered());
    LONGS_EQUAL(1, answer.addresses.size());
  }
  second.codes = {{"A h.example", 5}};
  client->use({server(*dns), server(second)});
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(static_cast<int>(DnsStatus::Failed), static_cast<int>(answer.status));
  STRCMP_EQUAL("REFUSED", answer.detail.c_str());
}

TEST(DnsClient, a_name_that_does_not_exist_is_not_asked_for_elsewhere) {
  DnsServer second(rig->base);
  client->use({server(*dns), server(second)});
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(static_cast<int>(DnsStatus::NoName), static_cast<int>(answer.status));
  LONGS_EQUAL(0, second.questions.size());
}

TEST(DnsClient, a_port_where_nobody_listens_is_known_at_once) {
  NameServer nobody = server(*dns);
  nobody.port = 1;
  client->use({nobody});
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(static_cast<int>(DnsStatus::Silent), static_cast<int>(answer.status));
  STRCMP_EQUAL("no name server can be reached", answer.detail.c_str());
  dns->a("h.example", "192.0.2.1");
  client->use({nobody, server(*dns)});
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, answer.addresses.size());
}

TEST(DnsClient, a_name_server_by_ipv6) {
  DnsServer six(rig->base, 0, "::1");
  six.a("h.example", "192.0.2.6");
  client->use({server(six, "::1")});
  ask("h.example");
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, answer.addresses.size());
}

TEST(DnsClient, each_question_has_a_port_and_an_id_of_its_own) {
  std::set<std::string> ids;
  dns->by_hand = [&](const std::string&, const std::string& q) {
    ids.insert(q.substr(0, 2));
    return std::string();
  };
  for (int i = 0; i < 100; i++) ask("h.example");
  CHECK_TRUE(rig->until([&] { return dns->questions.size() >= 100; }));
  std::set<uint16_t> ports(dns->ports.begin(), dns->ports.end());
  CHECK_TRUE_TEXT(ports.size() == 100, std::to_string(ports.size()).c_str());
  CHECK_TRUE_TEXT(ids.size() > 95, std::to_string(ids.size()).c_str());
}

TEST(DnsClient, questions_over_the_limit_wait_for_their_turn) {
  make({1000, 2, 2});
  dns->a("h.example", "192.0.2.1");
  uint64_t ids[5];
  for (uint64_t& id : ids) id = ask("h.example");
  LONGS_EQUAL(2, client->open());
  client->cancel(ids[3]);  // it was not out yet
  CHECK_TRUE(rig->until([&] { return answers == 4; }));
  LONGS_EQUAL(4, dns->questions.size());
}

TEST(DnsClient, a_cancelled_question_is_not_answered_and_makes_room) {
  make({1000, 2, 1});
  dns->mute = {"A silent.example"};
  dns->a("h.example", "192.0.2.1");
  uint64_t silent = ask("silent.example");
  ask("h.example");
  CHECK_TRUE(rig->until([&] { return dns->questions.size() == 1; }));
  client->cancel(silent);
  client->cancel(silent);
  CHECK_TRUE(answered());
  LONGS_EQUAL(1, answers);
  LONGS_EQUAL(1, answer.addresses.size());
}

TEST(DnsClient, it_can_be_destroyed_inside_an_answer_and_with_questions_out) {
  dns->a("h.example", "192.0.2.1");
  client->ask("h.example", DnsType::A, [this](const DnsAnswer&) { client.reset(); });
  ask("h.example", DnsType::Naptr);
  dns->mute = {"NAPTR h.example"};
  CHECK_TRUE(rig->until([&] { return !client; }));
  LONGS_EQUAL(0, answers);
}
