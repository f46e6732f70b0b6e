// What puactl prints of what the daemon says.
#include <string>

#include "puactl/print.h"

#include <CppUTest/TestHarness.h>

using namespace puactl;

TEST_GROUP(Print) {
  static std::string notify(const char* params, bool json, bool octets) {
    Json p(json_loads(params, 0, nullptr));
    std::string text = notify_text(p.get(), json, octets);
    return json ? text : text.substr(text.find('\n') + 1);   // without the line with the time
  }
  static constexpr const char* kLatin = R"({"state":"active","content_type":"text/plain","body_base64":"PG4+6RtbMm08L24+"})";
};

TEST(Print, a_body_that_is_no_utf_8_goes_into_a_file_as_it_came_and_harmless_to_a_terminal) {
  STRCMP_EQUAL("<n>\xe9\x1b[2m</n>\n", notify(kLatin, false, true).c_str());
  STRCMP_EQUAL("<n>??[2m</n>\n", notify(kLatin, false, false).c_str());
  STRCMP_CONTAINS(R"("body_base64":"PG4+6RtbMm08L24+")", notify(kLatin, true, true).c_str());
}

TEST(Print, other_bodies_are_text_wherever_they_go) {
  constexpr const char* text = R"({"state":"active","body":"a\u001b[2m\u00e9"})";
  for (bool octets : {true, false}) STRCMP_EQUAL("a?[2m\xc3\xa9\n", notify(text, false, octets).c_str());
  STRCMP_EQUAL("", notify(R"({"state":"active","body_base64":"no!"})", false, true).c_str());
}

TEST(Print, a_record_shows_such_a_body_too) {
  Json result(json_loads(R"({"records":[{"presentity_uri":"sip:a@b","kind":"subscription","state":"live","body_base64":"PG4+6Twvbj4="}]})", 0, nullptr));
  STRCMP_CONTAINS("\n\n<n>?</n>\n", for_people(Show::Details, result.get(), false).c_str());
}
