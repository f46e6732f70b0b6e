// Quick reader of plain JSON: one pass over the octets of a request as nearly every client writes it. What it does not know
// by heart is left to jansson (control/json_reader.h), which is the judge of everything.
#pragma once

#include <cstddef>
#include <string_view>

#include "control/json_document.h"

namespace pua {

// Bounds of what it takes.
constexpr size_t kMaxQuickDepth = 16;
constexpr size_t kMaxQuickMembers = 16;      // of one object: each name is compared with all others
constexpr size_t kMaxQuickValues = 2048;
constexpr size_t kMaxQuickDigits = 18;       // of an integer: no overflow

// Plain is: objects without a name twice, arrays, strings in UTF-8, integers, true, false, null. Not plain: numbers with a
// point or an exponent, "-0", long ones, escapes by number of anything but ASCII, names with escapes, and whatever is not JSON.
//
// True: `out` holds the text as jansson would have read it; its views are into `text` and into `out`. False: nothing is known
// of the text.
bool read_quick_json(std::string_view text, JsonDocument& out);

}  // namespace pua
