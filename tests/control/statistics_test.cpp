// get_statistics, list_statistics, reset_statistics: what OpenSIPS's and Kamailio's tools ask for.
#include <string>

#include "control/dispatcher.h"
#include "tests/control/fake_instance.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace pua::test;

TEST_GROUP(Statistics) {
  std::string answer;
  FakeWorld world;
  Dispatcher dispatcher{world.context};

  void setup() override {
    world.pua.counters.requests_initial = 5;
    world.pua.counters.live = 3;
  }
  // The result, without what is around it.
  std::string call(const std::string& method, const std::string& params) {
    answer.clear();
    dispatcher.handle(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" + params + "}", [this](std::string&& text) {
      answer = std::move(text);
      return true;
    });
    const std::string head = R"({"jsonrpc":"2.0","result":)", tail = R"(,"id":1})";
    return answer.starts_with(head) ? answer.substr(head.size(), answer.size() - head.size() - tail.size()) : answer;
  }
};

TEST(Statistics, are_got_by_name_with_their_group) {
  for (const char* params : {R"({"statistics":["requests_initial","pua:live"]})", R"([["requests_initial","pua:live"]])",
                             R"({"name":["pua:live","requests_initial","nosuch"]})"}) {
    STRCMP_EQUAL(R"({"pua:live":3,"pua:requests_initial":5})", call("get_statistics", params).c_str());
  }
  STRCMP_EQUAL(R"({"pua:live":3})", call("statistics:get", R"(["live"])").c_str());
}

TEST(Statistics, are_got_by_group_and_all_of_them) {
  STRCMP_CONTAINS(R"("pua_mi:requests":1)", call("get_statistics", R"({"statistics":["pua_mi:"]})").c_str());
  CHECK(answer.find("\"pua:") == answer.npos);
  for (const char* params : {R"({"statistics":["all"]})", R"([["all"]])", R"(["all"])"}) {
    STRCMP_CONTAINS(R"("pua:requests_initial":5)", call("get_statistics", params).c_str());
    STRCMP_CONTAINS(R"("pua_mi:pushed":0)", answer.c_str());
  }
}

TEST(Statistics, that_are_not_there_are_an_error) {
  STRCMP_CONTAINS(R"("code":404,"message":"Statistics Not Found")", call("get_statistics", R"({"statistics":["nosuch"]})").c_str());
  STRCMP_CONTAINS(R"("code":404)", call("reset_statistics", R"({"statistics":["nogroup:"]})").c_str());
  STRCMP_CONTAINS(R"("code":404)", call("get_statistics", R"({"statistics":[]})").c_str());
  STRCMP_CONTAINS(R"(-32602,"message":"Invalid params: statistics: missing")", call("get_statistics", "{}").c_str());
  STRCMP_CONTAINS("must be a string or an array", call("get_statistics", R"({"statistics":[1]})").c_str());
  STRCMP_CONTAINS("must be a string or an array", call("get_statistics", R"({"statistics":7})").c_str());
}

TEST(Statistics, are_listed_with_their_kind) {
  STRCMP_EQUAL(R"({"pua:live":"non-incremental","pua:requests_initial":"incremental"})",
               call("list_statistics", R"({"statistics":["live","requests_initial"]})").c_str());
  STRCMP_CONTAINS(R"("pua_mi:requests":"incremental")", call("statistics:list", "{}").c_str());
}

TEST(Statistics, a_reset_is_for_counters_and_for_these_commands_only) {
  STRCMP_EQUAL(R"("OK")", call("reset_statistics", R"({"statistics":["requests_initial","live"]})").c_str());
  STRCMP_EQUAL(R"({"pua:live":3,"pua:requests_initial":0})", call("get_statistics", R"({"statistics":["live","requests_initial"]})").c_str());
  world.pua.counters.requests_initial += 2;
  STRCMP_EQUAL(R"({"pua:requests_initial":2})", call("get_statistics", R"(["requests_initial"])").c_str());
  STRCMP_EQUAL(R"({"requests_initial":7})", call("pua_stats", R"(["requests_initial"])").c_str());
}

TEST(Statistics, kamailio_has_them_as_lines) {
  STRCMP_EQUAL(R"(["pua:live = 3","pua:requests_initial = 5"])", call("stats.get_statistics", R"([["live","requests_initial"]])").c_str());
  STRCMP_EQUAL(R"(["pua:live = 3"])", call("stats.get_statistics", R"(["pua:live"])").c_str());
}
