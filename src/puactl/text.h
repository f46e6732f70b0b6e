// Text for terminals: safe and aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puactl {

// Characters that would control the terminal or mislead its reader become '?' (base/utf8.h). keep_lines: line ends and tabs
// stay, for bodies.
std::string printable(std::string_view text, bool keep_lines = false);
// "1:02:03" or "2d 03:04:05"; negative: "-".
std::string duration(int64_t seconds);
// Columns that the text takes on a terminal: two for most characters of East Asia, none for those that are set above others.
size_t width(std::string_view utf8);

// Columns as wide as their widest cell; the last one is not padded. Numbers (marked) stand to the right.
class Table {
 public:
  struct Column {
    std::string title;
    bool number = false;
    bool may_leave = false;   // cells that are too wide stand on a line of their own: of the first column above the row,
                              // of others under it and indented
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // limit: the columns there are; 0: as many as are needed. What does not fit leaves its row, where it may; nothing is cut.
  std::string text(size_t limit = 0) const;

 private:
  std::vector<size_t> widths(size_t limit) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace puactl
