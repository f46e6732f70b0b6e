#include "tests/core/machine_tables.h"

#include "core/publication.h"
#include "core/subscription.h"
#include "tests/support/machine_table.h"

namespace pua::test {

namespace {

auto publication() { return Described{publication_rules(), kStates, kInputs, state_name, input_name}; }
auto subscription() { return Described{sub::subscription_rules(), sub::kStates, sub::kInputs, sub::state_name, sub::input_name}; }

}  // namespace

std::string machine_gaps() { return publication().gaps() + subscription().gaps(); }
std::string with_publication_table(const std::string& header) { return with_table(header, publication().table()); }
std::string with_subscription_table(const std::string& header) { return with_table(header, subscription().table()); }

std::string machines_page() {
  return "# Machines\n"
         "How publications and subscriptions change, rule by rule. This page is made from the lists in `src/core/publication.cpp` and\n"
         "`src/core/subscription_rules.cpp` by `build/release/tests/core/unit --write-machines .`, and a test compares it with them.\n\n"
         "A step looks at the rules for its state and its input in the order of the page, and takes the first one whose condition (\"where\")\n"
         "holds; \"else\" holds always. \"Next\" is the state after the step. What an input says by itself (what is wanted, what was granted, that\n"
         "a dialog was made) stands in the fields by then. \"Says\" names the section that asks for a rule; where it is empty the rule is ours.\n\n"
         "Nothing but `step()` and the actions of its rules changes the fields: an assignment anywhere else does not compile\n"
         "([proofs.md](proofs.md#an-assignment-that-does-not-compile) shows what the compiler says).\n\n"
         "## Publications (RFC 3903)\n\n" +
         publication().page() + "\n## Subscriptions (RFC 6665)\n\n" + subscription().page();
}

bool write_machine_tables(const std::string& root) {
  const std::string p = root + "/src/core/publication.h", s = root + "/src/core/subscription.h";
  return write_file(p, with_publication_table(read_file(p))) && write_file(s, with_subscription_table(read_file(s))) &&
         write_file(root + "/docs/machines.md", machines_page());
}

}  // namespace pua::test
