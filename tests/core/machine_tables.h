// What is made from the lists of rules of the core: the table in the head of each machine's header, and docs/machines.md.
#pragma once

#include <string>

namespace pua::test {

// Pairs of a state and an input for which a list has no last rule, or one behind it, a line each.
std::string machine_gaps();
// The text with its part between "BEGIN TABLE" and "END TABLE" made anew: of src/core/publication.h, src/core/subscription.h.
std::string with_publication_table(const std::string& header);
std::string with_subscription_table(const std::string& header);
// docs/machines.md.
std::string machines_page();
// Writes all three, below the folder `root`; false: one could not be read or written.
bool write_machine_tables(const std::string& root);

}  // namespace pua::test
