#include "puactl/text.h"

#include <wchar.h>

#include <algorithm>
#include <clocale>
#include <cstdio>

#include "base/utf8.h"

namespace puactl {

namespace {

constexpr size_t kGap = 2;        // between columns
constexpr size_t kNarrowest = 8;  // a column whose cells may leave is not made narrower

}  // namespace

std::string printable(std::string_view text, bool keep_lines) { return pua::harmless(text, keep_lines); }

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

// The C library knows widths in a UTF-8 locale only, and C.UTF-8 is always there.
static bool knows_widths() {
  static const bool known = [] {
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return utf8 != nullptr && uselocale(utf8) != nullptr;
  }();
  return known;
}

size_t width(std::string_view text) {
  size_t columns = 0;
  auto* p = reinterpret_cast<const unsigned char*>(text.data());
  for (size_t i = 0; i < text.size();) {
    size_t n = p[i] < 0x80 ? 1 : std::max<size_t>(pua::utf8_sequence(p + i, text.size() - i), 1);
    int w = n > 1 && knows_widths() ? wcwidth(static_cast<wchar_t>(pua::utf8_character(p + i, n))) : 1;
    columns += w < 0 ? 1 : static_cast<size_t>(w);
    i += n;
  }
  return columns;
}

// Those that may be narrower than their cells give way, the widest first.
std::vector<size_t> Table::widths(size_t limit) const {
  std::vector<size_t> all;
  size_t sum = columns_.empty() ? 0 : kGap * (columns_.size() - 1);
  for (size_t i = 0; i < columns_.size(); i++) {
    size_t w = width(columns_[i].title);
    for (const auto& r : rows_) w = std::max(w, width(r[i]));
    all.push_back(w);
    sum += w;
  }
  for (; limit > 0 && sum > limit; sum--) {
    size_t widest = columns_.size();
    for (size_t i = 0; i < columns_.size(); i++) {
      bool can = columns_[i].may_leave && all[i] > std::max(width(columns_[i].title), kNarrowest);
      if (can && (widest == columns_.size() || all[i] > all[widest])) widest = i;
    }
    if (widest == columns_.size()) break;
    all[widest]--;
  }
  return all;
}

std::string Table::text(size_t limit) const {
  const std::vector<size_t> wide = widths(limit);
  std::string out;
  auto line = [&](auto cell) {
    std::string l;
    for (size_t i = 0; i < columns_.size(); i++) {
      const std::string& c = cell(i);
      size_t pad = wide[i] - std::min(wide[i], width(c));
      if (columns_[i].number) l.append(pad, ' ');
      l += c;
      if (i + 1 == columns_.size()) break;
      if (!columns_[i].number) l.append(pad, ' ');
      l.append(kGap, ' ');
    }
    l.erase(l.find_last_not_of(' ') + 1);
    out += l + "\n";
  };
  bool titled = std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.title.empty(); });
  if (titled) line([&](size_t i) -> const std::string& { return columns_[i].title; });
  static const std::string kLeft;
  for (const auto& r : rows_) {
    auto leaves = [&](size_t i) { return columns_[i].may_leave && width(r[i]) > wide[i]; };
    // A record begins at the left edge and nothing else does, so what is indented belongs to the one above it.
    if (leaves(0)) out += r[0] + "\n";
    line([&](size_t i) -> const std::string& { return leaves(i) ? kLeft : r[i]; });
    for (size_t i = 1; i < columns_.size(); i++) {
      if (leaves(i)) out += "  " + columns_[i].title + " " + r[i] + "\n";
    }
  }
  return out;
}

}  // namespace puactl
