// Reads JSON texts: plain ones in one quick pass, all others with jansson.
#pragma once

#include <string_view>

#include "base/result.h"
#include "control/json_document.h"

namespace pua {

// Any value, not only arrays and objects; no name twice in an object; UTF-8; no NUL, escaped neither; numbers of any size. `out` is what was read,
// until it reads another text; its views are into `text`, too.
// Error bad_argument: says where and what, "line 1, column 2: ...", in jansson's words.
Status read_json(std::string_view text, JsonDocument& out);

// The same by jansson alone: what the quick reader is held against.
Status parse_json(std::string_view text, JsonDocument& out);

}  // namespace pua
