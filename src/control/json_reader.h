// Reads JSON texts: plain ones in one quick pass, all others with jansson.
#pragma once

#include <string_view>

#include "base/result.h"
#include "control/json_document.h"

namespace pua {

// Takes any value, not only arrays and objects; no name twice in an object; UTF-8; no NUL, not even escaped; numbers of any
// size. `out` holds what was read until it is used for another text; its views point into `text`, too.
// Error bad_argument: says where and what, "line 1, column 2: ...", in jansson's words.
Status read_json(std::string_view text, JsonDocument& out);

// The same by jansson alone, for tests that compare the quick reader with it.
Status parse_json(std::string_view text, JsonDocument& out);

}  // namespace pua
