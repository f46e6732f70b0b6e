// UTF-8: where characters end, and which of them would play with whoever reads a log or a list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pua {

// Length of the well-formed sequence at p (RFC 3629: no overlong forms, no surrogates), 0 if there is none in `left` octets. Not
// for ASCII.
size_t utf8_sequence(const unsigned char* p, size_t left);
// The character of a well-formed sequence of n octets.
char32_t utf8_character(const unsigned char* p, size_t n);

// Control characters (C0, DEL, C1), which steer terminals; those that turn the direction of text, so that it reads as something else
// than it is; those that end lines.
bool misleading(char32_t);

// The text with a '?' for each misleading character and each octet that is no UTF-8. keep_lines: line feeds and tabs stay, and carriage
// returns are left out.
std::string harmless(std::string_view text, bool keep_lines = false);

// The text, or as much of it as fits into so many octets, cut between two characters, with "..." where something is missing. most: 4 at least.
std::string shortened(std::string_view text, size_t most);

// JSON text with each misleading character that stands in it raw, which is in strings only, as an escape: the same value.
std::string harmless_json(std::string_view json);

}  // namespace pua
