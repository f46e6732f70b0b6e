// Nearest: what somebody may have meant.
#include <string>

#include "base/nearest.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Nearest) {
  static std::string of(std::string_view typed) {
    Nearest n(typed);
    for (std::string_view name : {"live", "sending", "backoff", "presence"}) n.offer(name);
    return std::string(n.name());
  }
};

TEST(Nearest, one_letter_more_less_other_or_swapped) {
  STRCMP_EQUAL("live", of("liv").c_str());
  STRCMP_EQUAL("live", of("lives").c_str());
  STRCMP_EQUAL("live", of("lice").c_str());
  STRCMP_EQUAL("live", of("lvie").c_str());
  STRCMP_EQUAL("presence", of("presnece").c_str());
}

TEST(Nearest, what_is_far_from_all_is_near_none) {
  STRCMP_EQUAL("", of("foo").c_str());
  STRCMP_EQUAL("", of("").c_str());
  STRCMP_EQUAL("", of(std::string(1000, 'x')).c_str());
}

TEST(Nearest, the_suggestion_is_a_question) {
  Nearest n("liv");
  STRCMP_EQUAL("", n.suggestion().c_str());
  n.offer("live");
  STRCMP_EQUAL(" (did you mean \"live\"?)", n.suggestion().c_str());
  STRCMP_EQUAL(" (did you mean \"--live\"?)", n.suggestion("--").c_str());
  STRCMP_EQUAL("did you mean \"live\"?", n.question().c_str());
}
