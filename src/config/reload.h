// Reload: which settings may change in a running instance, and taking those over.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace pua {

// Takes over the reloadable settings of `fresh` into `running`. Names of the others that differ are added to `ignored`
// as "module name": they need a restart. Names of those taken over that differ go to `changed`.
void apply_reloadable(Settings& running, const Settings& fresh, std::vector<std::string>& changed,
                      std::vector<std::string>& ignored);

}  // namespace pua
