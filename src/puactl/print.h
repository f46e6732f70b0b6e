// Print: the daemon's results as people read them.
#pragma once

#include <string>

#include "puactl/arguments.h"
#include "puactl/json.h"

namespace puactl {

struct Layout {
  size_t columns = 80;   // of lists; 0: as many as they need
  bool wide = false;     // lists show all that is known of each record
};

// The text for stdout, lines included. `more`: there are more records than are shown.
std::string for_people(Show show, const json_t* result, bool more, const Layout& = {});
// A NOTIFY, the parameters of a message pua_notify, with a line end: time, state, reason and the rest, then the body.
// octets: a body that is no UTF-8 goes out as it came, for a file or a program; else with a '?' for each octet that a terminal
// should not see.
std::string notify_text(const json_t* params, bool json, bool octets);
// One line for stderr.
std::string error_line(const json_t* error);

}  // namespace puactl
