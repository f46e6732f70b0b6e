// Print: the daemon's results as people read them.
#pragma once

#include <string>

#include "puactl/arguments.h"
#include "puactl/json.h"

namespace puactl {

// The text for stdout, lines included. `more`: there are more records than are shown.
std::string for_people(Show show, const json_t* result, bool more);
// A NOTIFY, the parameters of a message pua_notify, with a line end: time, state, reason and the rest, then the body.
std::string notify_text(const json_t* params, bool json);
// One line for stderr.
std::string error_line(const json_t* error);

}  // namespace puactl
