#include "puactl/text.h"

#include <algorithm>
#include <cstdio>

namespace puactl {

std::string printable(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    auto c = static_cast<unsigned char>(text[i]);
    bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;  // U+0080 to U+009F
    if (c1) {
      out += '?';
      i++;
    } else if ((c < 0x20 && !(keep_lines && (c == '\n' || c == '\t'))) || c == 0x7f) {
      if (!(keep_lines && c == '\r')) out += '?';
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string duration(int64_t seconds) {
  if (seconds < 0) return "-";
  char b[64];
  int64_t d = seconds / 86400, h = seconds / 3600 % 24, m = seconds / 60 % 60, s = seconds % 60;
  if (d > 0) {
    snprintf(b, sizeof b, "%lldd %02lld:%02lld:%02lld", static_cast<long long>(d), static_cast<long long>(h),
             static_cast<long long>(m), static_cast<long long>(s));
  } else {
    snprintf(b, sizeof b, "%lld:%02lld:%02lld", static_cast<long long>(h), static_cast<long long>(m),
             static_cast<long long>(s));
  }
  return b;
}

// Characters, not octets.
static size_t width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); i++) {
    size_t w = width(columns_[i].title);
    for (const auto& r : rows_) w = std::max(w, width(r[i]));
    widths.push_back(w);
  }
  std::string out;
  auto line = [&](auto cell) {
    for (size_t i = 0; i < columns_.size(); i++) {
      const std::string& c = cell(i);
      size_t pad = widths[i] - width(c);
      if (columns_[i].number) out.append(pad, ' ');
      out += c;
      if (i + 1 == columns_.size()) break;
      if (!columns_[i].number) out.append(pad, ' ');
      out += "  ";
    }
    out += '\n';
  };
  bool titled = std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.title.empty(); });
  if (titled) line([&](size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& r : rows_) line([&](size_t i) -> const std::string& { return r[i]; });
  return out;
}

}  // namespace puactl
