// What is made from the settings table: the dump of effective values, and the parameter list of pua.conf(5).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/settings.h"

namespace pua {

// A config file with the effective values and the help as comments. Passwords are shown as "***", which no start and no check
// takes for one (fit_passwords). Without secrets in it, parse_config of the dump gives the same settings.
std::string dump_config(const Settings&);

// The parameters as mdoc(7), what stands between the markers of man/pua.conf.5.
std::string man_parameters();

// Puts man_parameters() between the marker lines of the page. Error (bad_argument): the markers are not there.
Result<std::string> fill_man_page(std::string_view page);

}  // namespace pua
