// UTF-8: where characters end, and which of them would mislead whoever reads a log or a list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pua {

// The length of the well-formed sequence at p (RFC 3629: no overlong forms, no surrogates); 0: there is none in `left` octets.
// Not to be called for ASCII.
size_t utf8_sequence(const unsigned char* p, size_t left);
// The character of a well-formed sequence of n octets.
char32_t utf8_character(const unsigned char* p, size_t n);

// Whether the character is a control character (C0, DEL, C1), which can steer a terminal; changes the direction of text, which
// then looks like other text; or ends a line.
bool misleading(char32_t);

// The text with a '?' in place of each misleading character and of each octet that is no UTF-8. keep_lines: line feeds and tabs
// stay, and carriage returns are left out.
std::string harmless(std::string_view text, bool keep_lines = false);

// The text, or, if it has more than `most` octets, as much of it as fits in front of "...", cut between two characters. most:
// at least 4.
std::string shortened(std::string_view text, size_t most);

// JSON text with an escape in place of each misleading character. Such characters stand in strings only, so that the value is
// the same.
std::string harmless_json(std::string_view json);

}  // namespace pua
