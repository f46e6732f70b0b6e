// The lists of rules, and what is made from them: they cannot disagree with step(), which goes by them; these tests see to the rest.
#include <fstream>
#include <sstream>
#include <string>
#include <type_traits>

#include "core/publication.h"
#include "core/publication_record.h"
#include "core/subscription.h"
#include "core/subscription_record.h"
#include "tests/core/machine_tables.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

std::string read(const char* path) {
  std::stringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

// Of each state and input: the last rule holds always, so that there is no way through the list without one; and none stands behind it.
template <class Rules, class State, class Input>
std::string gaps(Rules rules, int states, int inputs, const char* (*state_name)(State), const char* (*input_name)(Input)) {
  std::string out;
  for (int s = 0; s < states; s++) {
    for (int i = 0; i < inputs; i++) {
      bool any = false, closed = false;
      for (const auto& r : rules) {
        if (!is_for(r, static_cast<State>(s), static_cast<Input>(i))) continue;
        any = true;
        if (closed) out += std::string(state_name(static_cast<State>(s))) + " x " + input_name(static_cast<Input>(i)) + ": a rule nobody reaches\n";
        if (!r.holds) closed = true;
      }
      if (any && !closed) out += std::string(state_name(static_cast<State>(s))) + " x " + input_name(static_cast<Input>(i)) + ": no last rule\n";
    }
  }
  return out;
}

template <class M>
concept FieldsCanBeAssigned = requires(M m) { m->state = m->state; };
template <class M>
concept CanBeReplaced = requires(M m, const M& other) { m = other; };

}  // namespace

TEST_GROUP(Machine) {};

TEST(Machine, a_step_finds_a_rule_in_every_case) {
  STRCMP_EQUAL("", gaps(publication_rules(), kStates, kInputs, state_name, input_name).c_str());
  STRCMP_EQUAL("", gaps(sub::subscription_rules(), sub::kStates, sub::kInputs, sub::state_name, sub::input_name).c_str());
}

TEST(Machine, the_headers_and_the_page_say_what_the_lists_say) {
  const std::string p = read("src/core/publication.h"), s = read("src/core/subscription.h"), page = read("docs/machines.md");
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
