// Parts of man pages that are made from lists in the code: mdoc(7) of plain text, and its place in the page.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pua {

// Text for an mdoc line: no escape, no macro at its start. quotes: also within a macro line.
std::string mdoc_text(std::string_view text, bool quotes = false);
// Adds the text: one sentence a line, as mdoc wants it, and lines of at most 72 octets.
void add_mdoc(std::string& out, std::string_view text);

// Takes the next line of at most `width` octets off the text, broken at a blank where there is one.
std::string_view take_line(std::string_view& text, size_t width);

// Puts text between the lines of the page that are comments and begin with BEGIN `part` and END `part`.
// Error (bad_argument): they are not there.
Result<std::string> fill_man_page(std::string_view page, std::string_view part, std::string_view text);

}  // namespace pua
