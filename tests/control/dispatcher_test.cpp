// The dispatcher: JSON-RPC 2.0, section by section, and input that is none.
#include <jansson.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/control/command_rig.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace pua::test;
using namespace std::string_literals;

namespace {

Json parse(const std::string& text) { return Json(json_loads(text.c_str(), JSON_REJECT_DUPLICATES, nullptr)); }

}  // namespace

TEST_GROUP(Dispatcher) {
  std::vector<std::string> answers;  // first: what is open when the world ends is answered then
  FakeWorld world;
  Dispatcher dispatcher{world.context};

  void send(const std::string& text) {
    dispatcher.handle(text, [this](std::string&& answer) {
      answers.push_back(std::move(answer));
      return true;
    });
  }
  // The only answer there is, which must be valid JSON.
  std::string answer() {
    LONGS_EQUAL_TEXT(1, answers.size(), "answers");
    CHECK_TEXT(parse(answers[0]) != nullptr, answers[0].c_str());
    return answers[0];
  }
  void expect(const std::string& request, const std::string& wanted) {
    answers.clear();
    send(request);
    STRCMP_EQUAL(wanted.c_str(), answer().c_str());
  }
  void expect_error(const std::string& request, int code, const char* id = "null") {
    answers.clear();
    send(request);
    Json j = parse(answer());
    LONGS_EQUAL_TEXT(code, json_integer_value(json_object_get(json_object_get(j.get(), "error"), "code")),
                     answers[0].c_str());
    CHECK_TEXT(*json_string_value(json_object_get(json_object_get(j.get(), "error"), "message")) != 0, "a message");
    std::string end = std::string(",\"id\":") + id + "}";
    CHECK_TEXT(answers[0].ends_with(end), answers[0].c_str());
  }
  void expect_message(const std::string& request, const char* part) {
    answers.clear();
    send(request);
    STRCMP_CONTAINS(part, answer().c_str());
  }
};

TEST(Dispatcher, a_call_is_answered_with_its_id) {
  expect(R"({"jsonrpc":"2.0","method":"version","id":7})",
         R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":7})");
  expect(R"({"jsonrpc":"2.0","method":"version","id":"a\"b"})",
         R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":"a\"b"})");
  expect(R"({"jsonrpc":"2.0","method":"version","id":null})",
         R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":null})");
  expect(R"({"jsonrpc":"2.0","method":"version","id":1.5})",
         R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":1.5})");
  expect(R"({"jsonrpc":"2.0","method":"version","id":-9223372036854775808})",
         R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":-9223372036854775808})");
}

TEST(Dispatcher, empty_params_count_as_none) {
  expect(R"({"jsonrpc":"2.0","method":"version","params":[],"id":1})",
         R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":1})");
  expect(R"({"jsonrpc":"2.0","method":"version","params":{},"id":1})",
         R"({"jsonrpc":"2.0","result":{"Server":"puad 1.2.3"},"id":1})");
}

TEST(Dispatcher, a_notification_gets_no_answer_but_is_carried_out) {
  send(R"({"jsonrpc":"2.0","method":"log_level","params":["debug"]})");
  LONGS_EQUAL(0, answers.size());
  LONGS_EQUAL(static_cast<int>(LogLevel::debug), static_cast<int>(world.pua.log().level()));
  send(R"({"jsonrpc":"2.0","method":"no_such_method"})");
  send(R"({"jsonrpc":"2.0","method":"log_level","params":["no such level"]})");
  LONGS_EQUAL(0, answers.size());
  LONGS_EQUAL(3, world.context.counters.notifications);
}

TEST(Dispatcher, broken_json_is_a_parse_error) {
  for (const char* text :
       {"", " ", "{", "}", "nonsense", "{\"a\":}", "{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1",
        "{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":1}}", "{\"a\":01}", "[1,]", "{'a':1}"}) {
    expect_error(text, -32700);
  }
}

TEST(Dispatcher, a_parse_error_names_the_place) { expect_message("{\n  \"jsonrpc\": oops\n}", "line 2"); }

TEST(Dispatcher, nesting_of_ten_thousand_is_a_parse_error) {
  expect_error(std::string(10000, '['), -32700);
  expect_error(std::string(10000, '[') + std::string(10000, ']'), -32700);
  std::string objects;
  for (int i = 0; i < 10000; i++) objects += "{\"a\":";
  expect_error(objects, -32700);
}

TEST(Dispatcher, a_megabyte_is_refused_before_it_is_parsed) {
  expect_error(R"({"jsonrpc":"2.0","method":"version","id":1,"x":")" + std::string(1 << 20, 'x') + "\"}", -32600);
  STRCMP_CONTAINS("65536 octets", answers[0].c_str());
  LONGS_EQUAL(1, world.context.counters.too_large);
}

TEST(Dispatcher, the_limit_itself_is_allowed) {
  std::string request = R"({"jsonrpc":"2.0","method":"version","id":1})";
  request += std::string(world.context.max_request - request.size(), ' ');
  expect_message(request, "result");
  expect_error(request + " ", -32600);
}

TEST(Dispatcher, a_key_given_twice_is_a_parse_error) {
  expect_error(R"({"jsonrpc":"2.0","method":"version","method":"uptime","id":1})", -32700);
  STRCMP_CONTAINS("duplicate", answers[0].c_str());
}

TEST(Dispatcher, octets_that_are_not_utf8_are_a_parse_error_and_the_answer_is_utf8) {
  expect_error("{\"jsonrpc\":\"2.0\",\"method\":\"ver\xff\xfesion\",\"id\":1}", -32700);
  expect_error("{\"a\":\"\xc3\"}", -32700);
  expect_error("{\"a\":\"\xed\xa0\x80\"}", -32700);
  expect_error("\xff\xfe{", -32700);
}

TEST(Dispatcher, nul_is_a_parse_error_raw_and_escaped) {
  expect_error("{\"jsonrpc\":\"2.0\",\"method\":\"ver\0sion\",\"id\":1}"s, -32700);
  expect_error("{\"jsonrpc\":\"2.0\"\0,\"method\":\"version\",\"id\":1}"s, -32700);
  expect_error(R"({"jsonrpc":"2.0","method":"ver\u0000sion","id":1})", -32700);
}

TEST(Dispatcher, what_is_no_request_is_an_invalid_request) {
  for (const char* text :
       {"5", "\"version\"", "null", "true", "{}", R"({"method":"version","id":null})",
        R"({"jsonrpc":"1.0","method":"version"})", R"({"jsonrpc":2.0,"method":"version"})", R"({"jsonrpc":"2.0"})",
        R"({"jsonrpc":"2.0","method":5})", R"({"jsonrpc":"2.0","method":"version","params":5})",
        R"({"jsonrpc":"2.0","method":"version","params":null})", R"({"jsonrpc":"2.0","method":"version","id":{}})",
        R"({"jsonrpc":"2.0","method":"version","id":[1]})", R"({"jsonrpc":"2.0","method":"version","id":true})"}) {
    expect_error(text, -32600);
  }
}

TEST(Dispatcher, an_invalid_request_keeps_its_id_where_it_has_one) {
  expect_error(R"({"jsonrpc":"2.0","method":"version","params":5,"id":3})", -32600, "3");
  expect_error(R"({"method":"version","id":"x"})", -32600, "\"x\"");
}

TEST(Dispatcher, an_unknown_method_is_named) {
  expect_error(R"({"jsonrpc":"2.0","method":"pua_destroy","id":4})", -32601, "4");
  STRCMP_CONTAINS("pua_destroy", answers[0].c_str());
  expect_error(R"({"jsonrpc":"2.0","method":"","id":4})", -32601, "4");
  expect_error(R"({"jsonrpc":"2.0","method":")" + std::string(5000, 'm') + "\",\"id\":4}", -32601, "4");
  CHECK(answers[0].size() < 300);
}

TEST(Dispatcher, invalid_params_name_the_parameter) {
  auto call = [](const std::string& method, const std::string& params) {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" + params + "}";
  };
  expect_message(call("version", R"({"x":1})"), "x: no such parameter");
  expect_message(call("version", "[1]"), "at most 0 parameters");
  expect_message(call("pua_show", "[]"), "presentity_uri: missing");
  expect_message(call("pua_show", "{}"), "presentity_uri: missing");
  expect_message(call("pua_show", "[5]"), "presentity_uri: must be a string");
  expect_message(call("pua_show", "[null]"), "presentity_uri: must be a string");
  expect_message(call("pua_show", R"({"presentity_uri":"sip:a@b","uri":"sip:a@b"})"), "presentity_uri: given twice");
  expect_message(call("pua_list", R"({"limit":"many"})"), "limit: must be an integer");
  expect_message(call("pua_list", R"({"limit":1.5})"), "limit: must be an integer");
  expect_message(call("pua_list", R"({"limit":4294967297})"), "limit: out of range");
  expect_message(call("pua_list", R"({"cursor":-1})"), "cursor: out of range");
  expect_message(call("pua_list", R"({"source":{}})"), "source: must be a string or an integer");
  LONGS_EQUAL(12, world.context.counters.errors);
  expect_error(call("pua_list", R"({"limit":"many"})"), -32602, "1");
}

TEST(Dispatcher, a_batch_is_one_array_of_answers) {
  send(R"([{"jsonrpc":"2.0","method":"version","id":1},{"jsonrpc":"2.0","method":"nope","id":2},)"
       R"({"jsonrpc":"2.0","method":"version"},7])");
  Json j = parse(answer());
  LONGS_EQUAL(3, json_array_size(j.get()));
  LONGS_EQUAL(1, json_integer_value(json_object_get(json_array_get(j.get(), 0), "id")));
  LONGS_EQUAL(2, json_integer_value(json_object_get(json_array_get(j.get(), 1), "id")));
  CHECK(json_is_null(json_object_get(json_array_get(j.get(), 2), "id")));
}

TEST(Dispatcher, a_batch_of_notifications_gets_no_answer) {
  send(R"([{"jsonrpc":"2.0","method":"version"},{"jsonrpc":"2.0","method":"version"}])");
  LONGS_EQUAL(0, answers.size());
}

TEST(Dispatcher, an_empty_batch_and_one_that_is_too_long_are_refused) {
  expect_error("[]", -32600);
  std::string batch = "[";
  for (size_t i = 0; i < Dispatcher::kMaxBatch; i++) batch += i == 0 ? "{}" : ",{}";
  answers.clear();
  send(batch + "]");
  LONGS_EQUAL(Dispatcher::kMaxBatch, json_array_size(parse(answer()).get()));
  expect_error(batch + ",{}]", -32600);
}

TEST(Dispatcher, a_batch_with_publishes_is_answered_when_the_last_is_done) {
  const char* publish = R"({"jsonrpc":"2.0","method":"pua_publish","params":["sip:a@b",60,"presence"],"id":)";
  send("[" + std::string(publish) + "1}," + publish + "2}]");
  LONGS_EQUAL(0, answers.size());
  world.pua.complete(200, "OK", "e1", 60);
  LONGS_EQUAL(0, answers.size());
  world.pua.complete(503, "Service Unavailable");
  Json j = parse(answer());
  LONGS_EQUAL(2, json_array_size(j.get()));
}

TEST(Dispatcher, a_request_dropped_by_the_library_is_answered_all_the_same) {
  send(R"({"jsonrpc":"2.0","method":"pua_publish","params":["sip:a@b",60,"presence"],"id":9})");
  world.pua.taken.clear();
  STRCMP_EQUAL(
      R"({"jsonrpc":"2.0","error":{"code":-32603,"message":"Internal error: the request was dropped"},"id":9})",
      answer().c_str());
}

TEST(Dispatcher, a_completion_that_comes_twice_is_answered_once) {
  send(R"({"jsonrpc":"2.0","method":"pua_publish","params":["sip:a@b",60,"presence"],"id":9})");
  RequestDone done = world.pua.taken.front().done;
  Outcome o;
  o.status = 200;
  o.reason = "OK";
  done(o);
  done(o);
  LONGS_EQUAL(1, answers.size());
}

TEST(Dispatcher, an_answer_that_does_not_fit_becomes_an_error_with_the_same_id) {
  std::vector<std::string> tried;
  dispatcher.handle(R"({"jsonrpc":"2.0","method":"help","id":5})", [&](std::string&& text) {
    tried.push_back(text);
    return text.size() < 200;
  });
  LONGS_EQUAL(2, tried.size());
  STRCMP_CONTAINS("\"code\":-32000", tried[1].c_str());
  STRCMP_CONTAINS("\"id\":5", tried[1].c_str());
}

TEST(Dispatcher, a_batch_whose_answers_grow_too_large_keeps_the_small_ones) {
  std::string batch = "[";
  for (int i = 0; i < 100; i++) batch += std::string(i == 0 ? "" : ",") + R"({"jsonrpc":"2.0","method":"help","id":1})";
  send(batch + "]");
  CHECK(answer().size() < 200 * 1024);
  LONGS_EQUAL(100, json_array_size(parse(answers[0]).get()));
  STRCMP_CONTAINS("\"code\":-32000", answers[0].c_str());
}

TEST(Dispatcher, reply_name_is_known_before_the_answer) {
  std::string name, seen;
  auto reply = [&](std::string&&) {
    seen = name;
    return true;
  };
  dispatcher.handle(R"({"jsonrpc":"2.0","method":"version","id":1,"reply_name":"me"})", reply, &name);
  STRCMP_EQUAL("me", seen.c_str());
  dispatcher.handle(R"([{"jsonrpc":"2.0","method":"version","id":1,"reply_name":"you"}])", reply, &name);
  STRCMP_EQUAL("you", seen.c_str());
  dispatcher.handle(R"({"jsonrpc":"2.0","method":"version","id":1,"reply_name":5})", reply, &name);
  STRCMP_EQUAL("you", name.c_str());
}

TEST(Dispatcher, a_reply_that_outlives_everything_goes_nowhere) {
  RequestDone done;
  bool replied = false;
  {
    FakeWorld other;
    Dispatcher short_lived{other.context};
    short_lived.handle(R"({"jsonrpc":"2.0","method":"pua_publish","params":["sip:a@b",60,"presence"],"id":9})",
                       [&](std::string&&) { return replied = true; });
    done = std::move(other.pua.taken.front().done);
  }
  Outcome o;
  o.status = 487;
  done(o);
  CHECK(replied);
}
