// Tidying of the heap: to be called where much memory was freed and little is needed next.
//
// glibc keeps freed pieces in lists, and sorts them all at the next allocation for which no list has a fitting piece. Now that
// is cheap. Seconds later, when the machine may have taken the pages away, it takes tens of milliseconds.
#pragma once

#include <cstdlib>

namespace pua {

inline void tidy_heap() {
  constexpr size_t kPiece = 5000;   // too large for the lists of small pieces, and too small to come from mmap
  void* volatile piece = malloc(kPiece);
  free(piece);
}

}  // namespace pua
