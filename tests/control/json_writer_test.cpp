// JsonWriter: always valid JSON, always valid UTF-8.
#include <string>

#include "control/json_writer.h"

#include "CppUTest/TestHarness.h"

using namespace pua;

TEST_GROUP(JsonWriter) {
  void escaped(std::string_view in, const char* wanted) {
    std::string out;
    append_json_string(out, in);
    STRCMP_EQUAL(wanted, out.c_str());
  }
};

TEST(JsonWriter, commas_stand_between_members_and_values) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().member("a", int64_t{1}).key("b").begin_array().value("x").value(true).begin_object().end_object();
  w.end_array().member("c", std::string("y")).key("d").raw("null").end_object();
  STRCMP_EQUAL(R"({"a":1,"b":["x",true,{}],"c":"y","d":null})", out.c_str());
}

TEST(JsonWriter, a_document_is_text_or_octets) {
  auto body = [](std::string_view document) {
    std::string out;
    JsonWriter(out).begin_object().body(document).end_object();
    return out;
  };
  STRCMP_EQUAL(R"({"body":""})", body("").c_str());
  STRCMP_EQUAL("{\"body\":\"a\\n\\u009b\xe2\x82\xac\"}", body("a\n\xc2\x9b\xe2\x82\xac").c_str());   // the same value, escaped
  STRCMP_EQUAL(R"({"body_base64":"4oI="})", body("\xe2\x82").c_str());          // a character that is cut off
  STRCMP_EQUAL(R"({"body_base64":"YQA="})", body(std::string_view("a\0", 2)).c_str());
}

TEST(JsonWriter, control_characters_and_quotes_are_escaped) {
  escaped("a\"b\\c\n\r\t", R"("a\"b\\c\n\r\t")");
  escaped(std::string_view("\0\x1f\x7f", 3), R"("\u0000\u001f\u007f")");
  escaped("", R"("")");
}

TEST(JsonWriter, characters_that_steer_terminals_or_turn_text_are_escaped) {
  escaped("a\xc2\x9b" "31m", R"("a\u009b31m")");
  escaped("\xe2\x80\xae\xd8\x9c\xe2\x81\xa9\xe2\x80\xa8", R"("\u202e\u061c\u2069\u2028")");
}

TEST(JsonWriter, utf8_goes_through) {
  escaped("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

TEST(JsonWriter, octets_that_are_not_utf8_are_replaced_one_by_one) {
  escaped("a\xff" "b", "\"a\xef\xbf\xbd" "b\"");
  escaped("\xc3", "\"\xef\xbf\xbd\"");                      // cut short
  escaped("\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");      // overlong
  escaped("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
  escaped("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // beyond U+10FFFF
}
