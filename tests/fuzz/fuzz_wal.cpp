// libFuzzer target: what stands in a SQLite file and its write-ahead log. The first octet says which: 0 a page, 1 a line `writes`, 2 pages
// of a log whose sums are right, and of a file, 3 a log as it comes.
// fuzz-rooms: loop store
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "store/sqlite_wal.h"
#include "tests/store/wal_image.h"

using namespace pua;
using namespace pua::test;

namespace {

void require(bool ok) {
  if (!ok) abort();
}

void read_and_compare(const void* log, size_t size, std::string_view file) {
  static const int fd = memfd_create("log", MFD_CLOEXEC);
  require(ftruncate(fd, 0) == 0 && pwrite(fd, log, size, 0) == static_cast<ssize_t>(size));
  WalLog wal;
  require(WalLog::read("/proc/self/fd/" + std::to_string(fd), wal, 2));
  require(wal.runs.size() <= 256 && wal.first.size() <= 256 && wal.layouts.size() <= 256);
  require(wal.runs.empty() == wal.first.empty() && (wal.frames > 0 || wal.runs.empty()));
  if (wal.frames == 0) return;
  if (wal.last() && !wal.too_many) require(wal.position(*wal.last()) > 0);
  fits(wal, [file](uint64_t at, void* to, size_t n) {
    if (at > file.size() || n > file.size() - at) return false;
    memcpy(to, file.data() + at, n);
    return true;
  });
}

// Of each 1026 octets: the number of a page, whether it is the last of its transaction, and the page.
void pages(const uint8_t* data, size_t size) {
  WalImage w;
  for (size_t at = 0; at + 2 < size && w.octets.size() < 40 * kPage; at += kPage + 2) {
    Octets page(kPage);
    memcpy(page.data(), data + at + 2, std::min<size_t>(kPage, size - at - 2));
    w.frame(data[at] % 8, page, data[at + 1] & 1);
  }
  std::string file(kPage, 0);
  Octets first = first_page({77, 4});
  memcpy(file.data(), first.data(), kPage);
  file.append(reinterpret_cast<const char*>(data), size);
  read_and_compare(w.octets.data(), w.octets.size(), file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  uint8_t way = *data++;
  size--;
  switch (way % 4) {
    case 0:
      if (auto line = line_on_page(data, size)) require(WritesLine::of(line->text()) == line);
      break;
    case 1:
      if (auto line = WritesLine::of({reinterpret_cast<const char*>(data), size})) require(WritesLine::of(line->text()) == line);
      break;
    case 2: pages(data, size); break;
    case 3: read_and_compare(data, size, {reinterpret_cast<const char*>(data), size}); break;
  }
  return 0;
}
