// Result: a value or a named error; error codes and their texts.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Result) {};

TEST(Result, it_holds_a_value) {
  Result<std::string> r = std::string("x");
  CHECK(r.ok());
  CHECK(static_cast<bool>(r));
  STRCMP_EQUAL("x", r->c_str());
  STRCMP_EQUAL("x", (*r).c_str());
  CHECK(r.code() == Errc::ok);
}

TEST(Result, or_an_error_with_its_code_and_message) {
  Result<std::string> r{Errc::bad_uri, "pres_uri is empty"};
  CHECK_FALSE(r.ok());
  CHECK(r.code() == Errc::bad_uri);
  STRCMP_EQUAL("pres_uri is empty", r.error().message.c_str());
  Status s = r.error();
  CHECK(s.code() == Errc::bad_uri);
}


TEST(Result, it_carries_what_can_only_be_moved) {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  std::unique_ptr<int> p = std::move(*r);
  LONGS_EQUAL(7, *p);
}

TEST(Result, success_is_a_status_without_an_error) {
  CHECK(success().ok());
  CHECK(success().code() == Errc::ok);
}

TEST(Result, every_error_has_a_text_of_its_own) {
  std::set<std::string> texts;
  int known = 0;
  for (int e = -40; e <= 418; e++) {
    std::string t = errc_text(static_cast<Errc>(e));
    if (t == "unknown error") continue;
    known++;
    CHECK(texts.insert(t).second);
  }
  CHECK(known >= 23);
}

TEST(Result, the_documented_codes_have_their_documented_values) {
  LONGS_EQUAL(0, static_cast<int>(Errc::ok));
  LONGS_EQUAL(-1, static_cast<int>(Errc::generic));
  LONGS_EQUAL(-9, static_cast<int>(Errc::no_record));
  LONGS_EQUAL(-10, static_cast<int>(Errc::no_body));
  LONGS_EQUAL(418, static_cast<int>(Errc::bad_etag));
}
