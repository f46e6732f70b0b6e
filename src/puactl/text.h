// Text for terminals: safe and aligned.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puactl {

// Control characters become '?', so that nothing from the network can steer the terminal; keep_lines: line ends and
// tabs stay (bodies). text: UTF-8.
std::string printable(std::string_view text, bool keep_lines = false);
// "1:02:03" or "2d 03:04:05"; negative: "-".
std::string duration(int64_t seconds);

// Columns as wide as their widest cell; the last one is not padded. Numbers (marked) stand to the right.
class Table {
 public:
  struct Column {
    std::string title;
    bool number = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace puactl
