// The readers of JSON: what the quick one takes it reads as jansson does, each kind of text that is not plain is left to jansson,
// and what is wrong is told in jansson's words.
#include <random>
#include <string>
#include <vector>

#include "control/json_reader.h"
#include "control/quick_json.h"
#include "tests/control/json_text.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace std::string_literals;

TEST_GROUP(JsonReader) {
  JsonDocument quick, slow;

  // Taken by the quick one, and read like this; jansson agrees.
  void takes(const std::string& text, const std::string& wanted) {
    CHECK_TEXT(read_quick_json(text, quick), text.substr(0, 200).c_str());
    STRCMP_EQUAL(wanted.c_str(), json_text(quick.root()).c_str());
    Status s = parse_json(text, slow);
    if (!s) FAIL(s.error().message.c_str());
    STRCMP_EQUAL(wanted.c_str(), json_text(slow.root()).c_str());
  }
  // Left to jansson, which reads it like this.
  void leaves_good(const std::string& text, const std::string& wanted) {
    CHECK_FALSE_TEXT(read_quick_json(text, quick), text.substr(0, 200).c_str());
    Status s = read_json(text, slow);
    if (!s) FAIL(s.error().message.c_str());
    STRCMP_EQUAL(wanted.c_str(), json_text(slow.root()).c_str());
  }
  void leaves_bad(const std::string& text) {
    CHECK_FALSE_TEXT(read_quick_json(text, quick), text.substr(0, 200).c_str());
    CHECK_FALSE_TEXT(parse_json(text, slow).ok(), text.substr(0, 200).c_str());
  }
  void refused(const std::string& text, const std::string& message) {
    Status s = read_json(text, slow);
    CHECK_FALSE_TEXT(s.ok(), text.c_str());
    STRCMP_EQUAL(message.c_str(), s.error().message.c_str());
  }
};

TEST(JsonReader, a_request_is_read_whole) {
  takes(R"({"jsonrpc":"2.0","method":"pua_publish","params":{"uri":"sip:a@b","expires":3600,"body":"<a/>\n"},"id":7})",
        "{\"jsonrpc\":\"2.0\",\"method\":\"pua_publish\",\"params\":{\"uri\":\"sip:a@b\",\"expires\":3600,\"body\":\"<a/>\n\"},\"id\":7}");
  takes(" [ 1 , -2,\t[ ] , { } ,\r\n{\"a\" : [true,false,null]} ] \n", "[1,-2,[],{},{\"a\":[true,false,null]}]");
  for (const char* text : {"\"x\"", "5", "null", "true", "false", "[]", "{}"}) takes(text, text);
}

TEST(JsonReader, members_are_found_by_name) {
  CHECK(read_quick_json(R"({"a":{"b":1,"c":[2,{"d":3}]},"e":"x"})", quick));
  const JsonValue& root = quick.root();
  LONGLONGS_EQUAL(1, root.member("a")->member("b")->number);
  STRCMP_EQUAL("[2,{\"d\":3}]", json_text(*root.member("a")->member("c")).c_str());
  STRCMP_EQUAL("x", std::string(root.member("e")->text).c_str());
  POINTERS_EQUAL(nullptr, root.member("d"));
  POINTERS_EQUAL(nullptr, root.member("e")->member("e"));
}

TEST(JsonReader, strings_lose_their_escapes) {
  takes(R"(["\"\\\/\b\f\n\r\t","\u0041\u007f\u000a","no","\\"])", "[\"\"\\/\b\f\n\r\t\",\"A\x7f\n\",\"no\",\"\\\"]");
  takes("[\"\",\"\x7f\",\"'\"]", "[\"\",\"\x7f\",\"'\"]");
}

// A special octet at each place of eight and beyond.
TEST(JsonReader, strings_are_read_alike_whatever_stands_where) {
  for (size_t length = 0; length < 20; length++) {
    for (size_t at = 0; at <= length; at++) {
      std::string left(at, 'x'), right(length - at, '~');
      takes("\"" + left + "\\n" + right + "\"", "\"" + left + "\n" + right + "\"");
      takes("\"" + left + "\xc3\xa9" + right + "\"", "\"" + left + "\xc3\xa9" + right + "\"");
      leaves_bad("\"" + left + "\x1f" + right + "\"");
      leaves_bad("\"" + left + "\xff" + right + "\"");
      leaves_bad("\"" + left + "\"" + right + "x\"");
    }
  }
}

TEST(JsonReader, utf8_is_checked) {
  takes("\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"", "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"");
  takes("{\"\xc3\xa4\":1}", "{\"\xc3\xa4\":1}");
  for (const char* text : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\x80", "\xf0\x80\x80\x80"}) {
    leaves_bad("\"" + std::string(text) + "\"");
    leaves_bad("\"\\n" + std::string(text) + "\"");
    leaves_bad("{\"" + std::string(text) + "\":1}");
    leaves_bad(text);
  }
}

TEST(JsonReader, integers_are_taken_as_far_as_they_surely_fit) {
  takes("[0,7,-7,999999999999999999,-999999999999999999]", "[0,7,-7,999999999999999999,-999999999999999999]");
  leaves_good("[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]");
  leaves_good("-0", "0");
  leaves_good("[1.5,1e3,2E-1,0.0]", "[real(1.5),real(1000.0),real(0.20000000000000001),real(0.0)]");
  for (const char* text : {"01", "-", "-01", "+1", "1.", ".5", "1e", "0x1", "1 2", "12a"}) leaves_bad(text);
}

TEST(JsonReader, escapes_by_number_beyond_ascii_are_left_alone) {
  leaves_good(R"("\u00e9\u20ac\ud83d\ude00")", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  leaves_good(R"({"\n":1})", "{\"\n\":1}");
  for (const char* text : {R"("\u0000")", R"("\ud83d")", R"("\ude00")", R"("\u00")", R"("\u00g1")", R"("\x")", R"("\)", R"("\u")"}) {
    leaves_bad(text);
  }
}

TEST(JsonReader, a_name_that_stands_twice_is_refused) {
  leaves_bad(R"({"a":1,"b":2,"a":3})");
  leaves_bad(R"({"x":{"a":[1,2],"b":{},"a":3}})");
  leaves_bad(R"({"a":1,"\u0061":2})");
  leaves_bad(R"({"":1,"":2})");
  takes(R"({"a":{"a":1},"b":[{"a":2}]})", R"({"a":{"a":1},"b":[{"a":2}]})");
}

TEST(JsonReader, what_is_not_json_is_left_alone) {
  for (const char* text : {"", " ", "{", "}", "[", "]", "{]", "[}", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
                           "{,}", "{a:1}", "{1:1}", "{'a':1}", "\"", "\"a", "tru", "truex", "nul", "nonsense", "[]]", "{} {}", "[1]x", "True",
                           "// c\n1", "[\v1]", "{\"a\" 1}", "{\"a\"::1}", "[:]"}) {
    leaves_bad(text);
  }
  leaves_bad("\"a\0b\""s);
  leaves_bad("[1]\0"s);
  leaves_bad("\0"s);
  leaves_bad("{\"a\0b\":1}"s);
}

TEST(JsonReader, bounds_are_kept_to_the_last_one) {
  auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  auto members = [](size_t n) {
    std::string s = "{";
    for (size_t i = 0; i < n; i++) s += (i > 0 ? ",\"m" : "\"m") + std::to_string(i) + "\":" + std::to_string(i);
    return s + "}";
  };
  auto values = [](size_t n) {   // n in all
    std::string s = "[0";
    for (size_t i = 2; i < n; i++) s += ",0";
    return s + "]";
  };
  takes(nested(kMaxQuickDepth), nested(kMaxQuickDepth));
  leaves_good(nested(kMaxQuickDepth + 1), nested(kMaxQuickDepth + 1));
  takes(members(kMaxQuickMembers), members(kMaxQuickMembers));
  leaves_good(members(kMaxQuickMembers + 1), members(kMaxQuickMembers + 1));
  takes(values(kMaxQuickValues), values(kMaxQuickValues));
  leaves_good(values(kMaxQuickValues + 1), values(kMaxQuickValues + 1));
  leaves_bad(nested(10000));
}

TEST(JsonReader, what_is_wrong_is_told_in_jansson_s_words) {
  refused("", "line 1, column 0: unexpected token near end of file");
  refused("{\n \"a\": oops\n}", "line 2, column 10: invalid token near 'oops'");
  refused("{\"a\":1,\"a\":2}", "line 1, column 10: duplicate object key near '\"a\"'");
  refused("[1]x", "line 1, column 4: end of file expected near 'x'");
}

TEST(JsonReader, nothing_of_a_text_is_left_for_the_next_one) {
  std::string many = "[0.5";
  for (int i = 0; i < 30000; i++) many += ",0";
  CHECK(read_json(many + "]", slow).ok());
  CHECK(slow.values.capacity() > 30000);
  slow.clear();
  CHECK(slow.values.capacity() < 5000);
  CHECK(slow.reals.empty());
  CHECK(slow.tree == nullptr);
  CHECK_FALSE(read_quick_json("[1,\"a\\n", quick));
  takes("[\"b\\t\"]", "[\"b\t\"]");
}

// Words of JSON in any order: thousands that nearly are JSON, and some that are.
TEST(JsonReader, whatever_the_quick_one_takes_jansson_reads_alike) {
  const std::vector<std::string> words = {"{\"a\":", "\"b\":", ",\"c\":", ",\"a\":", "{", "}", "[", "]", ",", ":", "1", "-2", "0", "\"\"",
                                          "\"x\\ny\"", "\"\xc3\xa9\"", "true", "null", "{}", "[]", " ", "\n", "1.5", "\"\\u0041\""};
  std::mt19937 random(20240608);
  size_t taken = 0;
  for (int i = 0; i < 200000; i++) {
    std::string text = i % 2 ? "[" : "{\"a\":";
    for (size_t n = random() % 6; n > 0; n--) text += words[random() % words.size()];
    text += i % 2 ? "]" : "}";
    if (!read_quick_json(text, quick)) continue;
    taken++;
    Status s = parse_json(text, slow);
    CHECK_TEXT(s.ok(), text.c_str());
    CHECK_TEXT(json_text(quick.root()) == json_text(slow.root()), text.c_str());
  }
  CHECK_TEXT(taken > 5000, std::to_string(taken).c_str());
}
