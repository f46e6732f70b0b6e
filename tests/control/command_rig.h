// A dispatcher with its commands, a library that takes note of what reaches it, and the answer of the last call as JSON.
#pragma once

#include <jansson.h>

#include <memory>
#include <string>

#include "control/dispatcher.h"
#include "tests/control/fake_instance.h"

#include "CppUTest/TestHarness.h"

namespace pua::test {

struct JsonFree {
  void operator()(json_t* j) const { json_decref(j); }
};
using Json = std::unique_ptr<json_t, JsonFree>;

class CommandRig : public Utest {
 public:
  std::string answer;  // first: what is open when the world ends is answered then
  unsigned answers = 0;
  Json document;
  FakeWorld world;
  Dispatcher dispatcher{world.context};

  json_t* call(const std::string& method, const std::string& params) {
    answer.clear();
    answers = 0;
    dispatcher.handle(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":)" + params + "}",
                      [this](std::string&& text) {
                        answers++;
                        answer = std::move(text);
                        return true;
                      });
    return result();
  }
  // The result of the last call, null while there is none or for an error.
  json_t* result() {
    document.reset(answer.empty() ? nullptr : json_loads(answer.c_str(), 0, nullptr));
    CHECK_TEXT(answer.empty() || document != nullptr, answer.c_str());
    CHECK_TEXT(answers <= 1, "answered twice");
    return json_object_get(document.get(), "result");
  }
  void error(int code, const char* message) {
    result();
    json_t* e = json_object_get(document.get(), "error");
    LONGS_EQUAL_TEXT(code, json_integer_value(json_object_get(e, "code")), answer.c_str());
    STRCMP_EQUAL(message, json_string_value(json_object_get(e, "message")));
  }
  void fails(const std::string& method, const std::string& params, int code, const char* message) {
    call(method, params);
    error(code, message);
    LONGS_EQUAL_TEXT(0, world.pua.taken.size(), "nothing reaches the library");
  }
};

}  // namespace pua::test
