// Write-ahead logs of SQLite, read from outside: which of our transactions one holds, and whether the file beside it is the one
// that it goes on from (docs/adr/0018-a-copy-is-not-the-table.md). Memory is bounded, however long the log is. puadbctl has the
// same rule in scripts/puadb/sqlite_wal.py; a test compares the two.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pua {

// One transaction of one connection of ours.
struct WriteCount {
  uint64_t mark = 0, number = 0;
  bool operator==(const WriteCount&) const = default;
  std::string text() const;  // "<16 hexadecimal digits> <number>"
};

// How the pages of a file are laid out, as far as two numbers of its first page tell: user_version, which we draw by lot where
// it is 0, and the cookie of the schema. A copy of the file has both; VACUUM and SQLite's backup call move the cookie, a dump
// brings no user_version.
struct DbLayout {
  uint32_t number = 0, cookie = 0;
  bool operator==(const DbLayout&) const = default;
};

// Line `writes` of the meta table, which each transaction of ours writes: "<mark> <number> <user_version>.<cookie>", and, where
// the line before it is another one than <number - 1> of the same mark, what may stand there: " after <mark> <number>", " after
// -": none.
struct WritesLine {
  WriteCount at;
  std::optional<DbLayout> layout;  // older programs say nothing of it, and nothing of what was before
  std::vector<std::optional<WriteCount>> after;
  bool operator==(const WritesLine&) const = default;
  std::string text() const;
  static std::optional<WritesLine> of(std::string_view text);
  bool before_known() const { return !after.empty() || at.number > 0; }
  bool may_follow(const std::optional<WriteCount>&) const;
};

// The line on one page, if it stands there: of the file, or of a frame of the log.
std::optional<WritesLine> line_on_page(const unsigned char* page, size_t size);

struct WalLog {
  struct Run {  // lines of one mark that follow each other, on one page
    uint32_t page = 0;
    WriteCount from;
    uint64_t to = 0;
  };
  struct FirstLine {
    uint32_t page = 0;
    WritesLine line;
  };
  uint32_t page_size = 0;
  uint64_t frames = 0;  // up to the last commit that is whole: what SQLite would play. 0: nothing
  std::array<unsigned char, 8> salt{};
  std::vector<Run> runs;             // in the order of the log
  std::vector<FirstLine> first;      // of each page
  std::vector<DbLayout> layouts;     // that lines tell, or first pages in it
  bool layout_told = false;          // by a line
  bool layout_open = false;          // the first page was written before the first line: what was there before is not known
  bool too_many = false;             // marks, pages or layouts: what was left out is not known
  std::optional<WriteCount> folded;  // the last one within the frames that the caller asked for

  // false: it cannot be read. No file, or a torn head: no frames.
  static bool read(const std::string& path, WalLog& out, uint64_t folded_frames = 0);

  std::optional<WriteCount> last() const;
  // Where it stands among the lines of the log, from 1 on; 0: the first one may follow it; -1: nowhere.
  int64_t position(const WriteCount&) const;
};

enum class WalFit : uint8_t {
  Belongs,     // each page of the file is as the log found it, or as the log has it: playing it gives what was committed last
  Unsure,      // nothing speaks against it, but something that would show it is missing
  Foreign,     // it goes on from another file, or from other content
  NoDatabase,  // the file is no SQLite database
};
// n octets of the database file; false: there are not so many.
using ReadAt = std::function<bool(uint64_t at, void* to, size_t n)>;
WalFit fits(const WalLog&, const ReadAt& file);
bool layout_of(const ReadAt& file, uint32_t& page_size, DbLayout&);

}  // namespace pua
