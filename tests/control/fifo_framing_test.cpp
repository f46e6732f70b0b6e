// FifoFraming: OpenSIPS's and Kamailio's requests out of a stream of octets, broken ones included.
#include <string>
#include <utility>
#include <vector>

#include "control/fifo_framing.h"

#include "CppUTest/TestHarness.h"

using namespace pua;

TEST_GROUP(FifoFraming) {
  FifoFraming framing;
  std::vector<std::pair<std::string, std::string>> seen;
  size_t max = 1000;

  void feed(std::string_view octets) {
    framing.feed(octets, max, [this](std::string_view name, std::string_view text) { seen.emplace_back(name, text); });
  }
  void give_up() {
    framing.give_up([this](std::string_view name, std::string_view text) { seen.emplace_back(name, text); });
  }
  void expect(std::vector<std::pair<std::string, std::string>> wanted) {
    LONGS_EQUAL(wanted.size(), seen.size());
    for (size_t i = 0; i < wanted.size(); i++) {
      STRCMP_EQUAL(wanted[i].first.c_str(), seen[i].first.c_str());
      STRCMP_EQUAL(wanted[i].second.c_str(), seen[i].second.c_str());
    }
    seen.clear();
  }
};

TEST(FifoFraming, opensips_request_with_and_without_a_line_end) {
  feed(R"(:reply_1:{"a":1})");
  expect({{"reply_1", R"({"a":1})"}});
  feed(":reply_1:{\"a\":1}\n\n");
  expect({{"reply_1", R"({"a":1})"}});
  CHECK(!framing.partial());
}

TEST(FifoFraming, opensips_request_without_a_reply_name) {
  feed("::{}\n");
  expect({{"", "{}"}});
}

TEST(FifoFraming, opensips_batch) {
  feed(":r:[{},{}]");
  expect({{"r", "[{},{}]"}});
}

TEST(FifoFraming, kamailio_request_over_several_lines) {
  feed("{\n \"jsonrpc\": \"2.0\",\n \"reply_name\": \"me\"\n}\n");
  expect({{"", "{\n \"jsonrpc\": \"2.0\",\n \"reply_name\": \"me\"\n}"}});
}

TEST(FifoFraming, requests_one_behind_the_other) {
  feed(":a:{}:b:{}{}\n:c:[]");
  expect({{"a", "{}"}, {"b", "{}"}, {"", "{}"}, {"c", "[]"}});
}

TEST(FifoFraming, a_request_in_single_octets) {
  for (char c : std::string(":name: {\"x\":[1,{\"y\":\"}\"}]}\n")) feed(std::string_view(&c, 1));
  expect({{"name", R"({"x":[1,{"y":"}"}]})"}});
}

TEST(FifoFraming, brackets_and_quotes_inside_strings_do_not_count) {
  feed(R"(:r:{"a":"}]\"}{","b":"\\"})");
  expect({{"r", R"({"a":"}]\"}{","b":"\\"})"}});
}

TEST(FifoFraming, what_is_no_document_ends_with_its_line) {
  feed(":r:version\n:s:{}");
  expect({{"r", "version"}, {"s", "{}"}});
  feed("junk\n{}");
  expect({{"", "junk"}, {"", "{}"}});
  feed(":r:\n{}");
  expect({{"r", ""}, {"", "{}"}});
}

TEST(FifoFraming, a_string_that_is_not_closed_ends_with_its_line) {
  feed(":r:{\"a\":\"oops}\n:s:{}");
  expect({{"r", "{\"a\":\"oops}"}, {"s", "{}"}});
}

TEST(FifoFraming, a_document_that_is_not_closed_does_not_swallow_the_next_request) {
  feed(":r:{\"a\":1,\n:s:{}\n");
  expect({{"r", "{\"a\":1,\n"}, {"s", "{}"}});
}

// A process that died while it wrote, and others behind it: no JSON goes on with a brace there.
TEST(FifoFraming, a_request_that_was_never_finished_does_not_swallow_those_behind_it) {
  feed("{\"jsonrpc\":\"2.0\",\"method\":\"version\"{\"id\":1}{\"id\":2}");
  expect({{"", "{\"jsonrpc\":\"2.0\",\"method\":\"version\""}, {"", "{\"id\":1}"}, {"", "{\"id\":2}"}});
  feed("{\"a\":[1\n{\"id\":3}");
  expect({{"", "{\"a\":[1\n"}, {"", "{\"id\":3}"}});
  feed("[{\"id\":4},{\"id\":5}]{\"a\": {\"b\":{}}}");   // where one may stand
  expect({{"", "[{\"id\":4},{\"id\":5}]"}, {"", "{\"a\": {\"b\":{}}}"}});
}

TEST(FifoFraming, a_colon_at_the_start_of_a_json_line_is_no_request) {
  feed("{\"a\"\n:1}");
  expect({{"", "{\"a\"\n:1}"}});
}

TEST(FifoFraming, a_request_that_is_too_long_is_cut_and_the_next_one_is_whole) {
  feed(":r:{\"a\":\"" + std::string(5000, 'x') + "}\"}\n:s:{}");
  LONGS_EQUAL(2, seen.size());
  LONGS_EQUAL(max + 1, seen[0].second.size());
  STRCMP_EQUAL("r", seen[0].first.c_str());
  STRCMP_EQUAL("{}", seen[1].second.c_str());
}

TEST(FifoFraming, a_name_without_end_is_junk) {
  feed(":no name at all\n:r:{}");
  expect({{"", "no name at all"}, {"r", "{}"}});
  feed(":" + std::string(100000, 'n') + "\n:r:{}");
  LONGS_EQUAL(2, seen.size());
  STRCMP_EQUAL("", seen[0].first.c_str());
  CHECK(seen[0].second.size() <= max + 1);
  STRCMP_EQUAL("{}", seen[1].second.c_str());
}

TEST(FifoFraming, nul_and_white_space_between_requests_are_skipped) {
  feed(std::string_view("\0\0 \r\n\t:r:{}\0\0", 14));
  expect({{"r", "{}"}});
  CHECK(!framing.partial());
}

TEST(FifoFraming, closing_brackets_beyond_the_opening_ones_are_junk_of_their_own) {
  feed("{}}\n{}");
  expect({{"", "{}"}, {"", "}"}, {"", "{}"}});
}

TEST(FifoFraming, giving_up_hands_out_what_is_there) {
  feed(":r:{\"a\":");
  CHECK(framing.partial());
  give_up();
  expect({{"r", "{\"a\":"}});
  CHECK(!framing.partial());
  give_up();
  expect({});
}
