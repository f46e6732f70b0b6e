// Base64, against the vectors of RFC 4648 section 10.
#include "base/base64.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Base64) {};

TEST(Base64, the_vectors_of_the_rfc_go_there_and_back) {
  const char* const vectors[][2] = {{"", ""},          {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (auto& [octets, text] : vectors) {
    STRCMP_EQUAL(text, to_base64(octets).c_str());
    std::string back;
    CHECK_TRUE(from_base64(text, back));
    STRCMP_EQUAL(octets, back.c_str());
  }
}

TEST(Base64, every_octet_goes_there_and_back) {
  std::string all, back;
  for (int i = 0; i < 256; i++) all += static_cast<char>(i);
  STRCMP_EQUAL("/+7dzA==", to_base64("\xff\xee\xdd\xcc").c_str());
  CHECK_TRUE(from_base64(to_base64(all), back));
  CHECK_TRUE(all == back);
}

TEST(Base64, what_is_none_is_told) {
  std::string out;
  for (const char* text : {"Zg=", "Zg", "Z===", "=", "Zg==Zg==", "Zm9v\n", "Zm9-", "Zm9v Zm8", "Z\xc3\xa9=="}) CHECK_FALSE_TEXT(from_base64(text, out), text);
}
