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
//   fold FILE            opens the store there, and folds its journal: how many lines are left
void answer(std::istream& questions, std::ostream& out);

}  // namespace pua::test
