// The lists of rules, and what is made from them: they cannot disagree with step(), which goes by them; these tests see to the rest.
#include <string>
#include <type_traits>

#include "core/publication.h"
#include "core/publication_record.h"
#include "core/subscription.h"
#include "core/subscription_record.h"
#include "tests/core/machine_tables.h"
#include "tests/support/machine_table.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

template <class M>
concept FieldsCanBeAssigned = requires(M m) { m->state = m->state; };
template <class M>
concept CanBeReplaced = requires(M m, const M& other) { m = other; };

}  // namespace

TEST_GROUP(Machine) {};

TEST(Machine, a_step_finds_a_rule_in_every_case) {
  STRCMP_EQUAL("", machine_gaps().c_str());
}

TEST(Machine, the_headers_and_the_page_say_what_the_lists_say) {
  const std::string p = read_file("src/core/publication.h"), s = read_file("src/core/subscription.h"), page = read_file("docs/machines.md");
  const char* how = "made anew by: build/release/tests/core/unit --write-machines .";
  CHECK_TEXT(p == with_publication_table(p), how);
  CHECK_TEXT(s == with_subscription_table(s), how);
  CHECK_TEXT(page == machines_page(), how);
}

// Only step() can write the fields: outside of it these expressions do not compile.
TEST(Machine, its_fields_cannot_be_assigned) {
  static_assert(!FieldsCanBeAssigned<decltype(PublicationRecord::m)>);
  static_assert(!FieldsCanBeAssigned<decltype(SubscriptionRecord::m)>);
  static_assert(!CanBeReplaced<decltype(PublicationRecord::m)>);
  static_assert(!CanBeReplaced<decltype(SubscriptionRecord::m)>);
  static_assert(FieldsCanBeAssigned<Publication*>);   // so it would be without Machine
}

// The page says "else" where a rule has no words, which is true only of a rule that holds always.
TEST(Machine, every_condition_has_its_words) {
  for (const auto& r : publication_rules()) CHECK(!r.holds || *r.guard);
  for (const auto& r : sub::subscription_rules()) CHECK(!r.holds || *r.guard);
}
