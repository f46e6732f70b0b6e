// The config file: modparam("module", "name", value) lines, with comments.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace pua {

constexpr size_t kMaxConfigSize = 1 << 20;  // octets; a config file is written by people

// Where parameters are set that are set once: name -> "file:line:column" of the value.
using ConfigPlaces = std::map<std::string, std::string>;

// text: the whole file. filename: for messages only. warnings: sentences for the log are added to it.
// Grammar: modparam("module", "name", value), any white space, comments # ... and // ... to the end of the line and
// /* ... */ (they do not nest). value: an integer (30, -1, 0x1e, 0660) or a string in double quotes with the escapes
// \" \\ \n \r \t, on one line.
// Error (bad_config): the first mistake as "file:line:column: what", columns counted in characters from 1; then
// nothing of the file is used. A parameter that takes one value may be set once.
Result<Settings> parse_config(std::string_view text, std::string_view filename, std::vector<std::string>& warnings,
                              ConfigPlaces* places = nullptr);

// A fault that was found later, with the place of the first parameter that it names, or else the name of the file in front.
std::string with_place(const ConfigPlaces& places, const std::string& filename, const std::string& fault);

// Reads and parses a file. Errors (bad_config): cannot be read, not a regular file, over kMaxConfigSize, any mistake.
// A warning is added if people outside the file's own user and group can read it: it may hold passwords.
Result<Settings> load_config(const std::string& path, std::vector<std::string>& warnings, ConfigPlaces* places = nullptr);

}  // namespace pua
