// What the tests in tests/scripts ask of this library, so that the scripts say the same.
#pragma once

#include <iosfwd>

namespace pua::test {

// Reads questions, one a line, its words apart by tabs, and writes an answer of one line to each:
//   line OCTETS          the line `writes` that these hexadecimal digits stand for, or "none"
//   log FILE LOG         whether this write-ahead log belongs to this file, and what stands in it
//   note FILE            the note of this file for the lock file
//   untouched FILE NOTE  whether the file is as the note says: yes or no
//   aside FILE NOTE      what is said when the file is about to be opened and a log lies beside it, which may set it aside
//   fold FILE            opens the store there, folds its journal and closes it: how many lines are left
//   hold FILE            opens the store there, and keeps it open until the next file is held, or until the end
//   url OCTETS           what this db_url, in hexadecimal digits, names
//   table NAME           whether a table may have this name: yes or no
//   numbers              the version of the schema, and the bounds of what rows hold
void answer(std::istream& questions, std::ostream& out);

}  // namespace pua::test
