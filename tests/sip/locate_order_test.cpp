// The order in which servers are tried: RFC 2782's, and those that failed last.
#include "sip/locate_order.h"

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "sip/locate_place.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(LocateOrder){static Server server(const char* address, uint16_t port = 5060, Transport t = Transport::Udp){DnsAddress a;
CHECK_TRUE(read_address(address, a));
return server_at(a, port, t, "h.example", "example");
}
static Candidate candidate(uint32_t rank, uint16_t weight, const char* address) { return {rank, weight, {server(address)}}; }
static std::string text(const std::vector<Server>& list) {
  std::string out;
  for (const Server& s : list) out += (out.empty() ? "" : " ") + place_text(s).substr(4);
  return out;
}
}
;

TEST(LocateOrder, the_least_priority_comes_first_whatever_its_weight) {
  Random random(1);
  std::vector<Candidate> c = {candidate(1, 0, "192.0.2.1"), candidate(2, 65535, "192.0.2.2"), candidate(3, 1, "192.0.2.3")};
  CHECK_FALSE(has_choice(c));
  for (int i = 0; i < 50; i++) STRCMP_EQUAL("192.0.2.1:5060 192.0.2.2:5060 192.0.2.3:5060", text(in_order(c, random)).c_str());
}

TEST(LocateOrder, equals_are_drawn_by_their_weights) {
  Random random(1);
  std::vector<Candidate> c = {candidate(1, 60, "192.0.2.1"), candidate(1, 30, "192.0.2.2"), candidate(1, 10, "192.0.2.3")};
  CHECK_TRUE(has_choice(c));
  std::map<std::string, int> first, second;
  for (int i = 0; i < 10000; i++) {
    std::vector<Server> list = in_order(c, random);
    LONGS_EQUAL(3, list.size());
    first[place_text(list[0])]++;
    if (place_text(list[0]) == "UDP 192.0.2.1:5060") second[place_text(list[1])]++;
  }
  // Of 10000, 60, 30 and 10 percent, give or take four sigmas.
  CHECK_TRUE(first["UDP 192.0.2.1:5060"] > 5800 && first["UDP 192.0.2.1:5060"] < 6200);
  CHECK_TRUE(first["UDP 192.0.2.2:5060"] > 2800 && first["UDP 192.0.2.2:5060"] < 3200);
  CHECK_TRUE(first["UDP 192.0.2.3:5060"] > 850 && first["UDP 192.0.2.3:5060"] < 1150);
  // Behind the first, the others by theirs: 3 to 1.
  CHECK_TRUE(second["UDP 192.0.2.2:5060"] > 2 * second["UDP 192.0.2.3:5060"]);
  CHECK_TRUE(second["UDP 192.0.2.2:5060"] < 4 * second["UDP 192.0.2.3:5060"]);
}

TEST(LocateOrder, without_weights_all_are_alike) {
  Random random(1);
  std::vector<Candidate> c = {candidate(1, 0, "192.0.2.1"), candidate(1, 0, "192.0.2.2"), candidate(1, 0, "192.0.2.3")};
  std::map<std::string, int> first;
  for (int i = 0; i < 3000; i++) first[place_text(in_order(c, random)[0])]++;
  for (const auto& [place, times] : first) CHECK_TRUE_TEXT(times > 880 && times < 1120, place.c_str());
  LONGS_EQUAL(3, first.size());
}

TEST(LocateOrder, weight_0_beside_others_is_seldom_first_but_never_lost) {
  Random random(1);
  std::vector<Candidate> c = {candidate(1, 100, "192.0.2.1"), candidate(1, 0, "192.0.2.2")};
  int seldom = 0;
  for (int i = 0; i < 10000; i++) {
    std::vector<Server> list = in_order(c, random);
    LONGS_EQUAL(2, list.size());
    seldom += place_text(list[0]) == "UDP 192.0.2.2:5060";
  }
  CHECK_TRUE(seldom > 50 && seldom < 160);  // one in 101
}

TEST(LocateOrder, the_addresses_of_one_target_stay_together_and_in_order) {
  Random random(1);
  std::vector<Candidate> c = {{1, 1, {server("192.0.2.1"), server("2001:db8::1")}}, {1, 1, {server("192.0.2.2")}}};
  bool both[2] = {};
  for (int i = 0; i < 50; i++) {
    std::string list = text(in_order(c, random));
    both[list[8] == '2'] = true;
    CHECK_TRUE_TEXT(
        list == "192.0.2.1:5060 [2001:db8::1]:5060 192.0.2.2:5060" || list == "192.0.2.2:5060 192.0.2.1:5060 [2001:db8::1]:5060",
        list.c_str());
  }
  CHECK_TRUE(both[0] && both[1]);
}

TEST(LocateOrder, who_is_held_comes_last_for_that_time_only) {
  Holds holds;
  std::vector<Server> list = {server("192.0.2.1"), server("192.0.2.2"), server("192.0.2.3")};
  CHECK_FALSE(holds.any(0));
  holds.hold(list[0], 1000, 0);
  holds.hold(list[1], 500, 0);
  CHECK_TRUE(holds.any(999));
  auto at = [&](MonoMs now) {
    std::vector<Server> copy = list;
    holds.put_last(copy, now);
    return text(copy);
  };
  STRCMP_EQUAL("192.0.2.3:5060 192.0.2.1:5060 192.0.2.2:5060", at(499).c_str());
  STRCMP_EQUAL("192.0.2.2:5060 192.0.2.3:5060 192.0.2.1:5060", at(500).c_str());
  STRCMP_EQUAL("192.0.2.1:5060 192.0.2.2:5060 192.0.2.3:5060", at(1000).c_str());
  CHECK_FALSE(holds.any(1000));
  holds.hold(list[0], 3000, 1000);
  holds.release(list[0]);
  STRCMP_EQUAL("192.0.2.1:5060 192.0.2.2:5060 192.0.2.3:5060", at(1001).c_str());
}

TEST(LocateOrder, a_hold_is_for_a_transport_an_address_and_a_port) {
  Holds holds;
  holds.hold(server("192.0.2.1"), 1000, 0);
  CHECK_TRUE(holds.held(server("192.0.2.1"), 1));
  CHECK_FALSE(holds.held(server("192.0.2.1", 5062), 1));
  CHECK_FALSE(holds.held(server("192.0.2.1", 5060, Transport::Tcp), 1));
  CHECK_FALSE(holds.held(server("192.0.2.2"), 1));
  holds.hold(server("2001:db8::1", 5061, Transport::Tls), 1000, 0);
  CHECK_TRUE(holds.held(server("2001:db8::1", 5061, Transport::Tls), 1));
  CHECK_FALSE(holds.held(server("2001:db8::2", 5061, Transport::Tls), 1));
}

TEST(LocateOrder, holds_have_a_limit) {
  Holds holds;
  for (uint16_t i = 0; i < Holds::kMost + 100; i++) holds.hold(server("192.0.2.1", static_cast<uint16_t>(1000 + i)), 5000 + i, 0);
  LONGS_EQUAL(Holds::kMost, holds.size());
  CHECK_FALSE(holds.held(server("192.0.2.1", 1000), 1));  // those that end first went
  CHECK_TRUE(holds.held(server("192.0.2.1", 1000 + Holds::kMost + 99), 1));
}

TEST(LocateOrder, places_as_text_and_compared) {
  STRCMP_EQUAL("TLS [2001:db8::1]:5061", place_text(server("2001:db8::1", 5061, Transport::Tls)).c_str());
  STRCMP_EQUAL("UDP 192.0.2.1:5060", place_text(server("192.0.2.1")).c_str());
  CHECK_TRUE(same_place(server("192.0.2.1"), server("192.0.2.1")));
  CHECK_FALSE(same_place(server("192.0.2.1"), server("192.0.2.1", 5061)));
  CHECK_FALSE(same_place(server("192.0.2.1"), server("192.0.2.1", 5060, Transport::Tcp)));
  CHECK_FALSE(same_place(server("::1"), server("::2")));
  CHECK_FALSE(same_place(server("::1"), server("127.0.0.1")));
}
