// What the bits of event packages stand for in a table: kept as text, compared with what a configuration says.
#include <string>

#include "events/event_names.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(EventNames) {};

TEST(EventNames, they_are_kept_as_text) {
  EventNames names;
  STRCMP_EQUAL("", names.text().c_str());
  names.note(1 << 30, "b");
  names.note(512, "vq-rtcpxr");
  STRCMP_EQUAL("512 vq-rtcpxr\n1073741824 b\n", names.text().c_str());
  CHECK(EventNames::parse(names.text()) == names);
}

TEST(EventNames, what_cannot_be_read_is_left_out) {
  for (const char* bad : {"", "\n", "512", "512 ", "512vq", "x vq", "0 vq", "-512 vq", "513 vq", "99999999999 vq", " 512 vq"})
    STRCMP_EQUAL("1024 ok\n", EventNames::parse(std::string(bad) + "\n1024 ok").text().c_str());
}

TEST(EventNames, the_text_fits_the_column) {
  EventNames names;
  for (int bit = 9; bit < 31; bit++) names.note(1 << bit, std::string(128, 'x'));
  std::string text = names.text();
  CHECK(text.size() <= 1024);
  CHECK(text.size() > 1024 - 141);
  STRCMP_EQUAL(text.c_str(), EventNames::parse(text).text().c_str());
}

TEST(EventNames, a_bit_has_one_name_and_a_name_one_bit) {
  EventNames names = EventNames::parse("512 vq-rtcpxr\n");
  CHECK(names.fits(512, "vq-rtcpxr").ok());
  CHECK(names.fits(512, "VQ-RTCPXR").ok());
  CHECK(names.fits(1024, "other").ok());
  STRCMP_EQUAL("the bit 512 stands for vq-rtcpxr in the database, and cannot be given to other while there may be records of it",
               names.fits(512, "other").error().message.c_str());
  STRCMP_EQUAL("the bit 512 stands for vq-rtcpxr in the database, and vq-rtcpxr cannot be given the bit 1024 while there may be records of it",
               names.fits(1024, "vq-rtcpxr").error().message.c_str());
}

TEST(EventNames, those_that_nobody_registered_can_be_let_go) {
  Registry events;
  CHECK(events.add(1024, "kept", "a/b").ok());
  EventNames names = EventNames::parse("512 gone\n1024 kept\n");
  names.forget_unknown(events);
  STRCMP_EQUAL("1024 kept\n", names.text().c_str());
}
