// DNS answers as octets: what is read, what is passed over, and what is refused.
#include "sip/dns_message.h"

#include <string>

#include "tests/support/dns_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using pua::test::dns_name;
using pua::test::dns_number;
using pua::test::dns_record;

namespace {

constexpr unsigned kA = 1, kCname = 5, kAaaa = 28, kSrv = 33, kNaptr = 35;

std::string message(const std::string& question, unsigned type, unsigned count, const std::string& answers,
                    unsigned flags = 0x8180) {
  return dns_number(7, 2) + dns_number(flags, 2) + dns_number(1, 2) + dns_number(count, 2) + dns_number(0, 4) + dns_name(question) +
         dns_number(type, 2) + dns_number(1, 2) + answers;
}
std::string octets(std::initializer_list<int> list) {
  std::string out;
  for (int i : list) out.push_back(static_cast<char>(i));
  return out;
}
std::string srv(unsigned priority, unsigned weight, unsigned port, const std::string& target) {
  return dns_number(priority, 2) + dns_number(weight, 2) + dns_number(port, 2) + target;
}

}  // namespace

TEST_GROUP(DnsMessage){
    void is(DnsStatus expected, const DnsAnswer& a){LONGS_EQUAL(static_cast<int>(expected), static_cast<int>(a.status));
}
}
;

TEST(DnsMessage, an_address_and_its_ttl) {
  DnsAnswer a = read_dns_answer(message("h.example", kA, 1, dns_record("h.example", kA, 300, octets({192, 0, 2, 1}))), "h.example",
                                DnsType::A);
  is(DnsStatus::Found, a);
  LONGS_EQUAL(300, a.ttl);
  LONGS_EQUAL(1, a.addresses.size());
  DnsAddress expected;
  CHECK_TRUE(read_address("192.0.2.1", expected));
  CHECK_TRUE(expected == a.addresses[0]);
}

TEST(DnsMessage, names_are_compared_and_given_in_lower_case) {
  std::string answer = dns_record("_SIP._udp.Example.COM", kSrv, 60, srv(1, 2, 5070, dns_name("One.Example.com")));
  DnsAnswer a = read_dns_answer(message("_sip._udp.example.com", kSrv, 1, answer), "_sip._udp.example.com", DnsType::Srv);
  is(DnsStatus::Found, a);
  LONGS_EQUAL(1, a.srvs[0].priority);
  LONGS_EQUAL(2, a.srvs[0].weight);
  LONGS_EQUAL(5070, a.srvs[0].port);
  STRCMP_EQUAL("one.example.com", a.srvs[0].target.c_str());
}

TEST(DnsMessage, compressed_names_are_followed) {
  // The owner points to the question (12), the target is "one" and a pointer to "example.com" in it (12 + 5 + 5).
  std::string answer = octets({0xc0, 12}) + dns_number(kSrv, 2) + dns_number(1, 2) + dns_number(60, 4) + dns_number(12, 2) +
                       srv(1, 0, 5060, octets({3, 'o', 'n', 'e', 0xc0, 22}));
  DnsAnswer a = read_dns_answer(message("_sip._udp.example.com", kSrv, 1, answer), "_sip._udp.example.com", DnsType::Srv);
  is(DnsStatus::Found, a);
  STRCMP_EQUAL("one.example.com", a.srvs[0].target.c_str());
}

TEST(DnsMessage, aliases_are_followed_in_any_order_and_the_least_ttl_counts) {
  std::string answers = dns_record("c.example", kA, 900, octets({192, 0, 2, 3})) +
                        dns_record("b.example", kCname, 20, dns_name("c.example")) +
                        dns_record("a.example", kCname, 500, dns_name("b.example"));
  DnsAnswer a = read_dns_answer(message("a.example", kA, 3, answers), "a.example", DnsType::A);
  is(DnsStatus::Found, a);
  LONGS_EQUAL(20, a.ttl);
}

TEST(DnsMessage, aliases_in_a_circle_end) {
  std::string answers =
      dns_record("a.example", kCname, 20, dns_name("b.example")) + dns_record("b.example", kCname, 20, dns_name("a.example"));
  is(DnsStatus::NoData, read_dns_answer(message("a.example", kA, 2, answers), "a.example", DnsType::A));
}

TEST(DnsMessage, a_pointer_that_does_not_go_back_is_broken) {
  // To itself, and forward: at 12 + 11 + 4 the answer's owner begins.
  for (int to : {27, 40}) {
    std::string answer =
        octets({0xc0, to}) + dns_number(kA, 2) + dns_number(1, 2) + dns_number(60, 4) + dns_number(4, 2) + octets({1, 2, 3, 4});
    DnsAnswer a = read_dns_answer(message("h.example", kA, 1, answer), "h.example", DnsType::A);
    is(DnsStatus::Failed, a);
    STRCMP_EQUAL("a broken answer", a.detail.c_str());
  }
}

TEST(DnsMessage, counts_that_are_not_true_are_broken) {
  std::string one = dns_record("h.example", kA, 60, octets({192, 0, 2, 1}));
  is(DnsStatus::Failed, read_dns_answer(message("h.example", kA, 65535, one), "h.example", DnsType::A));
  is(DnsStatus::Failed, read_dns_answer(message("h.example", kA, 1, one.substr(0, one.size() - 1)), "h.example", DnsType::A));
  is(DnsStatus::Failed, read_dns_answer("short", "h.example", DnsType::A));
}

TEST(DnsMessage, records_of_other_names_and_classes_are_passed_over) {
  std::string other_class =
      dns_name("h.example") + dns_number(kA, 2) + dns_number(3, 2) + dns_number(60, 4) + dns_number(4, 2) + octets({1, 2, 3, 4});
  std::string answers = dns_record("evil.example", kA, 1, octets({192, 0, 2, 66})) + other_class;
  is(DnsStatus::NoData, read_dns_answer(message("h.example", kA, 2, answers), "h.example", DnsType::A));
}

TEST(DnsMessage, more_records_than_anyone_needs_are_cut) {
  std::string answers;
  for (int i = 0; i < 200; i++) answers += dns_record("h.example", kA, 60, octets({192, 0, 2, i}));
  LONGS_EQUAL(kMostRecords, read_dns_answer(message("h.example", kA, 200, answers), "h.example", DnsType::A).addresses.size());
}

TEST(DnsMessage, addresses_that_no_server_has_are_passed_over) {
  for (auto list : {octets({0, 0, 0, 0}), octets({224, 0, 1, 75}), octets({239, 1, 1, 1}), octets({255, 255, 255, 255})})
    is(DnsStatus::NoData,
       read_dns_answer(message("h.example", kA, 1, dns_record("h.example", kA, 60, list)), "h.example", DnsType::A));
  std::string within = std::string(10, '\0') + octets({0xff, 0xff, 192, 0, 2, 1});
  for (const std::string& list : {std::string(16, '\0'), octets({0xff, 2}) + std::string(14, '\1'), within})
    is(DnsStatus::NoData,
       read_dns_answer(message("h.example", kAaaa, 1, dns_record("h.example", kAaaa, 60, list)), "h.example", DnsType::Aaaa));
}

TEST(DnsMessage, a_target_that_no_host_can_be_called_and_port_0_are_passed_over) {
  for (const std::string& target :
       {std::string("a b.example"), std::string("a@b.example"), std::string("x\r\ny.example"), std::string("a;b.example")}) {
    std::string answer = dns_record("_sip._udp.h.example", kSrv, 60, srv(1, 1, 5060, dns_name(target)));
    is(DnsStatus::NoData, read_dns_answer(message("_sip._udp.h.example", kSrv, 1, answer), "_sip._udp.h.example", DnsType::Srv));
  }
  std::string answer = dns_record("_sip._udp.h.example", kSrv, 60, srv(1, 1, 0, dns_name("a.example")));
  is(DnsStatus::NoData, read_dns_answer(message("_sip._udp.h.example", kSrv, 1, answer), "_sip._udp.h.example", DnsType::Srv));
}

TEST(DnsMessage, the_root_as_target_is_kept) {
  std::string answer = dns_record("_sip._udp.h.example", kSrv, 60, srv(0, 0, 0, std::string(1, '\0')));
  DnsAnswer a = read_dns_answer(message("_sip._udp.h.example", kSrv, 1, answer), "_sip._udp.h.example", DnsType::Srv);
  is(DnsStatus::Found, a);
  STRCMP_EQUAL("", a.srvs[0].target.c_str());
}

TEST(DnsMessage, a_naptr_record) {
  std::string data =
      dns_number(50, 2) + dns_number(20, 2) + "\1s\7SIP+D2U" + std::string(1, '\0') + dns_name("_sip._udp.h.example");
  DnsAnswer a =
      read_dns_answer(message("h.example", kNaptr, 1, dns_record("h.example", kNaptr, 60, data)), "h.example", DnsType::Naptr);
  is(DnsStatus::Found, a);
  LONGS_EQUAL(50, a.naptrs[0].order);
  LONGS_EQUAL(20, a.naptrs[0].preference);
  STRCMP_EQUAL("s", a.naptrs[0].flags.c_str());
  STRCMP_EQUAL("SIP+D2U", a.naptrs[0].service.c_str());
  STRCMP_EQUAL("", a.naptrs[0].regexp.c_str());
  STRCMP_EQUAL("_sip._udp.h.example", a.naptrs[0].replacement.c_str());
}

TEST(DnsMessage, data_that_ends_early_makes_only_its_record_void) {
  std::string answers =
      dns_record("h.example", kNaptr, 60, dns_number(50, 2) + dns_number(20, 2) + "\x20s") +
      dns_record("h.example", kNaptr, 60, dns_number(1, 2) + dns_number(2, 2) + std::string(3, '\0') + dns_name("x.example"));
  DnsAnswer a = read_dns_answer(message("h.example", kNaptr, 2, answers), "h.example", DnsType::Naptr);
  is(DnsStatus::Found, a);
  LONGS_EQUAL(1, a.naptrs.size());
  STRCMP_EQUAL("x.example", a.naptrs[0].replacement.c_str());
}

TEST(DnsMessage, what_the_name_server_says) {
  DnsAnswer gone = read_dns_answer(message("h.example", kA, 0, "", 0x8183), "h.example", DnsType::A);
  is(DnsStatus::NoName, gone);
  STRCMP_EQUAL("the name does not exist", gone.detail.c_str());
  DnsAnswer none = read_dns_answer(message("h.example", kA, 0, ""), "h.example", DnsType::A);
  is(DnsStatus::NoData, none);
  STRCMP_EQUAL("none", none.detail.c_str());
  DnsAnswer failed = read_dns_answer(message("h.example", kA, 0, "", 0x8182), "h.example", DnsType::A);
  is(DnsStatus::Failed, failed);
  STRCMP_EQUAL("SERVFAIL", failed.detail.c_str());
  STRCMP_EQUAL("REFUSED", read_dns_answer(message("h.example", kA, 0, "", 0x8185), "h.example", DnsType::A).detail.c_str());
}

TEST(DnsMessage, a_ttl_with_its_top_bit_set_is_none) {
  DnsAnswer a = read_dns_answer(message("h.example", kA, 1, dns_record("h.example", kA, 0x80000001u, octets({192, 0, 2, 1}))),
                                "h.example", DnsType::A);
  LONGS_EQUAL(0, a.ttl);
}

TEST(DnsMessage, host_names) {
  std::string out;
  CHECK_TRUE(host_name("Example.COM.", out));
  STRCMP_EQUAL("example.com", out.c_str());
  CHECK_TRUE(host_name("_sip._udp.a-b.example", out));
  CHECK_TRUE(host_name(std::string(63, 'a'), out));
  CHECK_TRUE(
      host_name(std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(61, 'a'), out));
  for (const std::string& bad :
       {std::string(""), std::string("."), std::string("a..b"), std::string(".a"), std::string("a b"), std::string("a%41"),
        std::string("b\xc3\xbc.example"), std::string(64, 'a'), std::string("a.").append(253, 'a'), std::string("a\0b", 3)})
    CHECK_FALSE_TEXT(host_name(bad, out), bad.c_str());
  CHECK_FALSE(
      host_name(std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(62, 'a'), out));
}
