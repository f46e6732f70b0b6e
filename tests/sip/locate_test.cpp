// The Locator's memory, those who wait, name servers that say nothing, files that change, limits, and the end.
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/sip/locate_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using pua::test::DnsServer;
using pua::test::LocateRig;

namespace {

constexpr const char* kGate = "sip:gate.example:5070";

}  // namespace

// clang-format off
TEST_GROUP_BASE(Locate, LocateTest) {
  std::string log_text() {
    std::string out;
    for (const std::string& l : rig->lines) out += l + "\n";
    return out;
  }
};
// clang-format on

// --- memory --------------------------------------------------------------------------------------------------------------

TEST(Locate, what_was_found_is_remembered_for_the_least_ttl_of_all_that_led_to_it) {
  rig->start();
  dns->ttl = 1000;
  dns->naptr("d.example", 1, "SIP+D2U", "_sip._udp.d.example");
  dns->ttl = 50;
  dns->srv("_sip._udp.d.example", 1, 5060, "one.d.example");
  dns->ttl = 700;
  dns->a("one.d.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5060", rig->find("sip:d.example"));
  size_t asked = dns->questions.size();
  rig->pass(44000);
  IS("UDP 192.0.2.1:5060", rig->ask("sip:d.example"));
  LONGS_EQUAL(asked, dns->questions.size());
  rig->pass(6000);
  IS("asking", rig->ask("sip:d.example"));
  CHECK_TRUE(rig->until_told(1));
  LONGS_EQUAL(2, dns->asked("NAPTR d.example"));
}

TEST(Locate, a_ttl_of_nothing_holds_for_a_second) {
  rig->start();
  dns->ttl = 0;
  dns->a("gate.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5070", rig->find(kGate));
  IS("UDP 192.0.2.1:5070", rig->ask(kGate));
  LONGS_EQUAL(1, dns->asked("A gate.example"));
  rig->pass(1000);
  IS("asking", rig->ask(kGate));
}

TEST(Locate, a_ttl_without_end_holds_for_an_hour) {
  rig->start();
  dns->ttl = 0x7fffffff;
  dns->a("gate.example", "192.0.2.1");
  rig->find(kGate);
  rig->pass(3200000);
  IS("UDP 192.0.2.1:5070", rig->ask(kGate));
  LONGS_EQUAL(1, dns->asked("A gate.example"));
  rig->pass(400000);
  IS("asking", rig->ask(kGate));
}

TEST(Locate, a_name_in_use_is_asked_for_anew_before_its_time_is_over_and_nobody_waits) {
  rig->start();
  dns->ttl = 100;
  dns->a("gate.example", "192.0.2.1");
  rig->find(kGate);
  rig->pass(91000);
  dns->clear();
  dns->a("gate.example", "192.0.2.2");
  IS("UDP 192.0.2.1:5070", rig->ask(kGate));
  CHECK_TRUE(rig->until([&] { return dns->asked("A gate.example") == 2; }));
  CHECK_TRUE(rig->until([&] { return rig->ask(kGate) == "UDP 192.0.2.2:5070"; }));
  LONGS_EQUAL(2, dns->asked("A gate.example"));
}

TEST(Locate, what_was_not_found_is_remembered_for_ten_seconds) {
  rig->start();
  const std::string why =
      "failed: no server for gate.example was found: A gate.example: the name does not exist; AAAA gate.example: the name does not "
      "exist";
  IS(why, rig->find(kGate));
  dns->a("gate.example", "192.0.2.1");
  rig->pass(9800);
  IS(why, rig->ask(kGate));
  LONGS_EQUAL(1, dns->asked("A gate.example"));
  rig->pass(300);
  IS("UDP 192.0.2.1:5070", rig->find(kGate));
  LONGS_EQUAL(1, rig->locator->counters().failed);
  LONGS_EQUAL(0, rig->locator->counters().unanswered);
}

TEST(Locate, ports_and_transports_of_a_name_are_remembered_apart) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5070", rig->find("sip:gate.example:5070"));
  IS("UDP 192.0.2.1:5071", rig->find("sip:gate.example:5071"));
  IS("TCP 192.0.2.1:5070", rig->find("sip:gate.example:5070;transport=tcp"));
  IS("TCP 192.0.2.1:5070", rig->ask("sip:bob@GATE.Example:5070;lr;transport=TCP"));
  LONGS_EQUAL(3, rig->locator->counters().lookups);
}

TEST(Locate, the_name_used_longest_ago_is_forgotten_first) {
  rig->settings.max_names = 3;
  rig->start();
  for (const char* n : {"a.example", "b.example", "c.example", "d.example"}) dns->a(n, "192.0.2.1");
  for (const char* u : {"sip:a.example:1", "sip:b.example:1", "sip:c.example:1"}) rig->find(u);
  IS("UDP 192.0.2.1:1", rig->ask("sip:a.example:1"));
  rig->find("sip:d.example:1");
  IS("UDP 192.0.2.1:1", rig->ask("sip:a.example:1"));
  IS("UDP 192.0.2.1:1", rig->ask("sip:c.example:1"));
  IS("UDP 192.0.2.1:1", rig->ask("sip:d.example:1"));
  IS("asking", rig->ask("sip:b.example:1"));
}

// --- those who wait --------------------------------------------------------------------------------------------------------

TEST(Locate, all_who_wait_for_a_name_share_one_lookup_and_are_told_in_their_order) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  for (uint64_t t = 1; t <= 100; t++) IS("asking", rig->ask(kGate, t));
  LONGS_EQUAL(100, rig->locator->waiting());
  CHECK_TRUE(rig->until([&] { return rig->order.size() == 100; }));
  for (uint64_t t = 1; t <= 100; t++) LONGS_EQUAL(t, rig->order[t - 1]);
  LONGS_EQUAL(1, dns->asked("A gate.example"));
  LONGS_EQUAL(1, rig->locator->counters().lookups);
  LONGS_EQUAL(0, rig->locator->waiting());
}

TEST(Locate, a_token_that_is_cancelled_is_not_told) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  for (uint64_t t = 1; t <= 3; t++) rig->ask(kGate, t);
  rig->locator->cancel(2);
  rig->locator->cancel(77);
  CHECK_TRUE(rig->until_told(3));
  IS("", rig->told(2));
  IS("UDP 192.0.2.1:5070", rig->told(1));
}

TEST(Locate, a_token_can_be_cancelled_while_others_are_told) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  for (uint64_t t = 1; t <= 3; t++) rig->ask(kGate, t);
  rig->then = [&](uint64_t t) {
    if (t == 1) rig->locator->cancel(2);
  };
  CHECK_TRUE(rig->until_told(3));
  LONGS_EQUAL(2, rig->order.size());
}

TEST(Locate, a_token_that_is_given_again_is_told_once_and_of_the_last_name) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  dns->a("other.example", "192.0.2.2");
  rig->ask(kGate, 1);
  rig->ask(kGate, 1);
  rig->ask("sip:other.example:5070", 1);
  rig->ask(kGate, 2);
  LONGS_EQUAL(2, rig->locator->waiting());
  CHECK_TRUE(rig->until([&] { return rig->order.size() >= 2; }));
  rig->pass(200);
  LONGS_EQUAL(2, rig->order.size());
  IS("UDP 192.0.2.2:5070", rig->told(1));
}

TEST(Locate, inside_on_located_the_name_is_known_and_others_can_be_asked_for) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  dns->a("other.example", "192.0.2.2");
  rig->ask(kGate, 1);
  rig->then = [&](uint64_t t) {
    if (t != 1) return;
    IS("UDP 192.0.2.1:5070", rig->ask(kGate, 2));
    IS("asking", rig->ask("sip:other.example:5070", 3));
    rig->locator->failed((*rig->lists[1])[0], 0);
  };
  CHECK_TRUE(rig->until_told(3));
  IS("UDP 192.0.2.2:5070", rig->told(3));
}

TEST(Locate, many_are_told_in_several_turns) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  for (uint64_t t = 1; t <= 1000; t++) rig->ask(kGate, t);
  size_t most = 0, before = 0;
  for (int turn = 0; turn < 10000 && rig->order.size() < 1000; turn++) {
    rig->turn();
    rig->driver->settle();
    most = std::max(most, rig->order.size() - before);
    before = rig->order.size();
    rig->pass(1);
  }
  LONGS_EQUAL(1000, rig->order.size());
  CHECK_TRUE_TEXT(most <= 64, std::to_string(most).c_str());   // a turn of the loop and what was due after it: 32 each
}

// --- name servers that do not help -----------------------------------------------------------------------------------------

TEST(Locate, name_servers_that_say_nothing_are_waited_for_eight_seconds) {
  rig->start();
  dns->silent = true;
  IS("asking", rig->ask("sip:d.example"));
  rig->pass(7400);
  IS("", rig->told(1));
  rig->pass(700);
  IS("failed: no server for d.example was found: NAPTR d.example: no answer; SRV _sip._udp.d.example: no answer; "
     "SRV _sip._tcp.d.example: no answer; A d.example: no answer; AAAA d.example: no answer",
     rig->told(1));
  LONGS_EQUAL(1, rig->locator->counters().unanswered);
  // For the next five seconds nobody waits for them again.
  size_t asked = dns->questions.size();
  STRCMP_CONTAINS("failed: no server for d.example", rig->ask("sip:d.example").c_str());
  rig->pass(4800);
  STRCMP_CONTAINS("failed: no server for d.example", rig->ask("sip:d.example").c_str());
  LONGS_EQUAL(asked, dns->questions.size());
  rig->pass(300);
  IS("asking", rig->ask("sip:d.example"));
}

TEST(Locate, a_name_server_that_knows_no_naptr_and_srv_costs_two_steps_only) {
  rig->start();
  dns->mute = {"NAPTR d.example", "SRV _sip._udp.d.example", "SRV _sip._tcp.d.example"};
  dns->ttl = 3600;
  dns->a("d.example", "192.0.2.1");
  rig->ask("sip:d.example");
  rig->pass(5000);
  CHECK_TRUE(rig->until_told(1));
  IS("UDP 192.0.2.1:5060", rig->told(1));
  rig->pass(29000);  // an answer in doubt is not kept for long
  IS("UDP 192.0.2.1:5060", rig->ask("sip:d.example"));
  LONGS_EQUAL(2, rig->locator->counters().lookups);
}

TEST(Locate, an_error_of_the_name_server_is_named) {
  rig->start();
  dns->codes = {{"A gate.example", 2}, {"AAAA gate.example", 5}};
  IS("failed: no server for gate.example was found: A gate.example: SERVFAIL; AAAA gate.example: REFUSED", rig->find(kGate));
}

TEST(Locate, where_no_name_server_can_be_reached_it_is_said_at_once) {
  rig->start();
  LocateRig::write(rig->settings.resolv_conf, "nameserver 127.0.0.1\nport 1\n");
  rig->locator->reread();
  IS("failed: no server for gate.example was found: A gate.example: no name server can be reached; "
     "AAAA gate.example: no name server can be reached",
     rig->find(kGate));
}

TEST(Locate, a_known_name_is_used_on_while_name_servers_say_nothing) {
  rig->start();
  dns->ttl = 60;
  dns->a("gate.example", "192.0.2.1");
  rig->find(kGate);
  dns->silent = true;
  rig->pass(60000);
  IS("asking", rig->ask(kGate, 2));
  rig->pass(8100);
  IS("UDP 192.0.2.1:5070", rig->told(2));
  IS("UDP 192.0.2.1:5070", rig->ask(kGate, 3));  // without waiting again
  LONGS_EQUAL(1, rig->locator->counters().stale);
  rig->pass(86400000 + 60000);
  rig->ask(kGate, 4);
  rig->pass(8100);
  STRCMP_CONTAINS("failed: no server for gate.example", rig->told(4).c_str());  // but not for ever
}

TEST(Locate, a_known_name_that_is_gone_is_believed_to_be_gone) {
  rig->start();
  dns->ttl = 10;
  dns->a("gate.example", "192.0.2.1");
  rig->find(kGate);
  dns->clear();
  rig->pass(10000);
  STRCMP_CONTAINS("the name does not exist", rig->find(kGate).c_str());
}

TEST(Locate, silence_is_logged_once_and_so_is_its_end) {
  rig->start();
  dns->silent = true;
  for (uint64_t t = 1; t <= 5; t++) rig->ask("sip:h" + std::to_string(t) + ".example:5070", t);
  rig->pass(8100);
  LONGS_EQUAL(5, rig->order.size());
  LONGS_EQUAL(1, rig->lines.size());
  STRCMP_CONTAINS("The name servers (127.0.0.1:", rig->lines[0].c_str());
  STRCMP_CONTAINS(") do not answer: no server for h", rig->lines[0].c_str());
  dns->silent = false;
  rig->pass(5000);
  rig->find("sip:h1.example:5070");
  rig->find("sip:h2.example:5070");
  LONGS_EQUAL(2, rig->lines.size());
  STRCMP_CONTAINS(") answer again.", rig->lines[1].c_str());
}

// --- files that change -------------------------------------------------------------------------------------------------------

TEST(Locate, a_dead_resolv_conf_at_the_start_is_got_over_when_it_changes) {
  DnsServer dead(rig->base);
  dead.silent = true;
  LocateRig::write(rig->settings.resolv_conf, rig->conf_for(dead));
  rig->start();
  rig->ask(kGate);
  rig->pass(8100);
  STRCMP_CONTAINS("no answer", rig->told(1).c_str());
  dns->a("gate.example", "192.0.2.1");
  LocateRig::write(rig->settings.resolv_conf, rig->conf_for(*dns));
  rig->pass(1000);
  IS("UDP 192.0.2.1:5070", rig->find(kGate));  // though the failure was still remembered
  STRCMP_CONTAINS("The files that say how names are found have changed. The name servers are 127.0.0.1:", log_text().c_str());
}

TEST(Locate, an_empty_or_missing_resolv_conf_at_the_start_is_got_over_when_it_changes) {
  for (bool missing : {false, true}) {
    LocateRig::write(rig->settings.resolv_conf, "");
    if (missing) unlink(rig->settings.resolv_conf.c_str());
    rig->start();
    dns->clear();
    dns->a("gate.example", "192.0.2.1");
    rig->ask("sip:nobody.invalid:5070");  // asks the name server of this machine, whatever that says
    LocateRig::write(rig->settings.resolv_conf, rig->conf_for(*dns));
    rig->pass(1000);
    IS("UDP 192.0.2.1:5070", rig->find(kGate));
  }
}

TEST(Locate, who_waits_for_dead_name_servers_is_asked_for_again_at_a_reread) {
  DnsServer dead(rig->base);
  dead.silent = true;
  LocateRig::write(rig->settings.resolv_conf, rig->conf_for(dead));
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  rig->ask(kGate);
  rig->pass(500);
  LocateRig::write(rig->settings.resolv_conf, rig->conf_for(*dns));
  rig->locator->reread();
  CHECK_TRUE(rig->until_told(1));
  IS("UDP 192.0.2.1:5070", rig->told(1));
}

TEST(Locate, a_reread_does_not_make_anyone_wait_longer) {
  rig->start();
  dns->silent = true;
  rig->ask(kGate);
  for (int i = 0; i < 4; i++) {
    rig->pass(1900);
    rig->locator->reread();
  }
  IS("", rig->told(1));
  rig->pass(500);
  STRCMP_CONTAINS("failed:", rig->told(1).c_str());
}

TEST(Locate, a_reread_asks_anew_for_what_is_known) {
  rig->start();
  dns->ttl = 3600;
  dns->a("gate.example", "192.0.2.1");
  rig->find(kGate);
  dns->clear();
  dns->a("gate.example", "192.0.2.2");
  rig->locator->reread();
  IS("UDP 192.0.2.2:5070", rig->find(kGate));
  // And where the name servers do not answer, what is known serves.
  dns->silent = true;
  rig->locator->reread();
  rig->ask(kGate);
  rig->pass(8100);
  IS("UDP 192.0.2.2:5070", rig->told(1));
}

TEST(Locate, a_changed_hosts_file_is_seen) {
  rig->start();
  STRCMP_CONTAINS("the name does not exist", rig->find(kGate).c_str());
  LocateRig::write(rig->settings.hosts, "192.0.2.8 gate.example\n");
  rig->pass(1000);
  IS("UDP 192.0.2.8:5070", rig->ask(kGate));
  LONGS_EQUAL(1, rig->locator->counters().config_reads);
}

// --- limits, hostile answers, the end ----------------------------------------------------------------------------------------

TEST(Locate, lookups_at_a_time_are_limited) {
  rig->settings.max_lookups = 2;
  rig->start();
  dns->silent = true;
  IS("asking", rig->ask("sip:a.example:1", 1));
  IS("asking", rig->ask("sip:b.example:1", 2));
  IS("failed: too many names are being looked up", rig->ask("sip:c.example:1", 3));
  IS("asking", rig->ask("sip:a.example:1", 4));  // shares one
  LONGS_EQUAL(1, rig->locator->counters().refused);
  rig->pass(8100);
  LONGS_EQUAL(3, rig->order.size());
  dns->silent = false;
  dns->a("c.example", "192.0.2.1");
  IS("UDP 192.0.2.1:1", rig->find("sip:c.example:1"));
}

TEST(Locate, requests_that_wait_are_limited) {
  rig->settings.max_waiting = 2;
  rig->start();
  dns->silent = true;
  IS("asking", rig->ask(kGate, 1));
  IS("asking", rig->ask(kGate, 2));
  IS("failed: too many requests wait for name servers", rig->ask(kGate, 3));
  rig->locator->cancel(1);
  IS("asking", rig->ask(kGate, 4));
}

TEST(Locate, questions_that_wait_for_their_turn_lengthen_nothing) {
  rig->settings.max_questions = 4;
  rig->start();
  dns->silent = true;
  for (uint64_t t = 1; t <= 50; t++) IS("asking", rig->ask("sip:h" + std::to_string(t) + ".example:5070", t));
  rig->pass(8100);
  LONGS_EQUAL(50, rig->order.size());
  dns->silent = false;
  for (uint64_t t = 1; t <= 50; t++) dns->a("h" + std::to_string(t) + ".example", "192.0.2.1");
  rig->pass(5100);
  rig->order.clear();
  for (uint64_t t = 1; t <= 50; t++) rig->ask("sip:h" + std::to_string(t) + ".example:5070", t);
  CHECK_TRUE(rig->until([&] { return rig->order.size() == 50; }));
  for (uint64_t t = 1; t <= 50; t++) IS("UDP 192.0.2.1:5070", rig->told(t));
}

TEST(Locate, hostile_answers_end_in_a_failure) {
  using pua::test::dns_name;
  using pua::test::dns_number;
  rig->start();
  const std::vector<std::string> tails = {
      std::string("\xc0\x0c", 2),                                              // ends in the middle of a record
      dns_number(0xc01f, 2) + std::string(10, '\0'),                           // a name that points to itself
      pua::test::dns_record("gate.example", 5, 60, dns_name("gate.example")),  // an alias of itself
      std::string(400, '\xff'),
  };
  uint64_t token = 1;
  for (const std::string& tail : tails) {
    dns->by_hand = [&](const std::string&, const std::string& q) {
      size_t end = q.find('\0', 12) + 5;
      return q.substr(0, 2) + dns_number(0x8180, 2) + dns_number(1, 2) + dns_number(0xffff, 2) + dns_number(0, 4) +
             q.substr(12, end - 12) + tail;
    };
    std::string got = rig->find("sip:gate.example:" + std::to_string(6000 + token), token);
    STRCMP_CONTAINS("failed: no server for gate.example was found: A gate.example: a broken answer", got.c_str());
    token++;
  }
}

TEST(Locate, answers_to_another_question_are_not_taken) {
  rig->start();
  dns->by_hand = [&](const std::string&, const std::string& q) {
    std::string other = q;
    other[13] = 'x';  // "xate.example"
    other[2] = '\x81';
    return other;
  };
  rig->ask(kGate);
  rig->pass(8100);
  STRCMP_CONTAINS("no answer", rig->told(1).c_str());
}

TEST(Locate, after_the_shutdown_nobody_is_told_and_each_request_fails) {
  rig->start();
  dns->silent = true;
  rig->ask(kGate, 1);
  rig->locator->shutdown();
  LONGS_EQUAL(0, rig->locator->waiting());
  rig->pass(10000);
  IS("", rig->told(1));
  IS("failed: the SIP stack is shutting down", rig->ask(kGate, 2));
  rig->locator->shutdown();
}

TEST(Locate, it_can_be_shut_down_and_destroyed_inside_on_located) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  for (uint64_t t = 1; t <= 3; t++) rig->ask(kGate, t);
  rig->ask("sip:other.example", 4);
  rig->then = [&](uint64_t) {
    rig->locator->shutdown();
    rig->locator.reset();
  };
  CHECK_TRUE(rig->until([&] { return !rig->locator; }));
  LONGS_EQUAL(1, rig->order.size());
  rig->pass(10000);
  LONGS_EQUAL(1, rig->order.size());
}

TEST(Locate, it_can_be_destroyed_inside_on_located_of_a_deadline_and_of_a_later_turn) {
  dns->silent = true;
  rig->start();
  rig->ask(kGate, 1);
  rig->then = [&](uint64_t) { rig->locator.reset(); };
  rig->pass(8100);
  CHECK_FALSE(rig->locator);
  dns->silent = false;
  dns->a("gate.example", "192.0.2.1");
  rig->start();
  rig->order.clear();
  rig->then = [&](uint64_t t) {
    if (t == 40) rig->locator.reset();
  };
  for (uint64_t t = 1; t <= 60; t++) rig->ask(kGate, t);
  CHECK_TRUE(rig->until([&] { return !rig->locator; }));
  LONGS_EQUAL(40, rig->order.size());
}

TEST(Locate, idle_it_wakes_nobody) {
  rig->start();
  dns->a("gate.example", "192.0.2.1");
  rig->find(kGate);
  rig->turn();
  SuStats before = rig->driver->stats();
  rig->pass(20000);
  LONGS_EQUAL(before.io, rig->driver->stats().io);
}

TEST_GROUP(LocateNested){};

TEST(LocateNested, it_works_on_the_other_driver) {
  LocateRig rig(SuDriver::Mode::Nested);
  rig.start();
  rig.dns->srv("_sip._udp.d.example", 1, 5066, "one.d.example");
  rig.dns->a("one.d.example", "192.0.2.1");
  IS("UDP 192.0.2.1:5066", rig.find("sip:d.example"));
  rig.dns->truncate = true;
  rig.dns->a("gate.example", "192.0.2.3");
  IS("UDP 192.0.2.3:5070", rig.find(kGate));
  rig.dns->silent = true;
  rig.ask("sip:e.example", 2);
  rig.pass(8100);
  STRCMP_CONTAINS("no answer", rig.told(2).c_str());
}
