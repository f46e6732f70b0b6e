// Tidying of the heap: to be called where much was freed and little is asked for next.
//
// glibc keeps what was freed in lists, and sorts all of it at the next allocation that finds no fitting piece. That is cheap
// now, but takes tens of milliseconds where it comes seconds later and the machine has taken the pages away meanwhile.
#pragma once

#include <cstdlib>

namespace pua {

inline void tidy_heap() {
  constexpr size_t kPiece = 5000;   // no small one, which may fit at once; nor one that comes by mmap
  void* volatile piece = malloc(kPiece);
  free(piece);
}

}  // namespace pua
