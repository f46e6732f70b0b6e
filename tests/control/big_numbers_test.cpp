// Numbers beyond 64 bits are JSON, and out of range.
#include <string>

#include "control/dispatcher.h"
#include "control/json_reader.h"
#include "tests/control/fake_instance.h"
#include "tests/control/json_text.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace pua::test;

TEST_GROUP(BigNumbers) {
  JsonDocument document;
  std::string answer;
  FakeWorld world;
  Dispatcher dispatcher{world.context};

  std::string read(const std::string& text) {
    Status s = read_json(text, document);
    return s ? json_text(document.root()) : s.error().message;
  }
  const char* ask(const std::string& text) {
    dispatcher.handle(text, [this](std::string&& a) {
      answer = std::move(a);
      return true;
    });
    return answer.c_str();
  }
};

TEST(BigNumbers, are_read_as_near_as_a_double_is) {
  STRCMP_EQUAL("[real(1e20)]", read("[100000000000000000000]").c_str());
  STRCMP_EQUAL("[real(-1e20),9223372036854775807,-9223372036854775808]", read("[-100000000000000000000,9223372036854775807,-9223372036854775808]").c_str());
  STRCMP_EQUAL("[real(1.7976931348623157e308),real(-1.7976931348623157e308)]", read("[1e999,-1E+999]").c_str());
  STRCMP_EQUAL("[real(1.7976931348623157e308)]", read("[" + std::string(400, '9') + "]").c_str());
  STRCMP_EQUAL("{\"99999999999999999999\":\"a\"99999999999999999999\",\"b\":real(1e20)}",
               read("{\"99999999999999999999\":\"a\\\"99999999999999999999\",\"b\":99999999999999999999}").c_str());
}

TEST(BigNumbers, do_not_make_broken_json_right) {
  STRCMP_CONTAINS("line 1", read("[99999999999999999999").c_str());
  STRCMP_CONTAINS("line 1", read("[99999999999999999999,]").c_str());
  STRCMP_CONTAINS("line 1", read("[099999999999999999999]").c_str());
}

TEST(BigNumbers, are_out_of_range_for_a_parameter_and_the_request_keeps_its_id) {
  for (const char* number : {"99999999999999999999", "-99999999999999999999", "1e30", "\"99999999999999999999\"", "9223372036854775808"}) {
    STRCMP_CONTAINS("\"code\":-32602,\"message\":\"Invalid params: cursor: out of range\"},\"id\":7",
                    ask("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"pua_list\",\"params\":{\"cursor\":" + std::string(number) + "}}"));
  }
  STRCMP_CONTAINS("expires: out of range", ask(R"({"jsonrpc":"2.0","id":7,"method":"pua_publish","params":{"expires":99999999999999999999}})"));
  STRCMP_CONTAINS("cursor: must be an integer", ask(R"({"jsonrpc":"2.0","id":7,"method":"pua_list","params":{"cursor":1.5}})"));
}

TEST(BigNumbers, may_be_ids) {
  STRCMP_CONTAINS("\"result\":{\"Server\":\"puad 1.2.3\"},\"id\":1e20}", ask(R"({"jsonrpc":"2.0","id":100000000000000000000,"method":"version"})"));
}
