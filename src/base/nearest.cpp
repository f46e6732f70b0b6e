#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace pua {

namespace {

constexpr size_t kLongest = 64;   // octets: longer words are not compared, because the work grows with the square of the length

// How many letters must be left out, added, changed, or swapped with their neighbour to make one word of the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before, above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) above[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return above[b.size()];
}

}  // namespace

Nearest::Nearest(std::string_view typed) : typed_(typed), best_(std::max<size_t>(1, typed.size() / 3) + 1) {}

void Nearest::offer(std::string_view name) {
  if (typed_.empty() || typed_.size() > kLongest || name.size() > kLongest) return;
  if (size_t d = edit_distance(typed_, name); d < best_) {
    best_ = d;
    name_ = name;
  }
}

std::string Nearest::question(std::string_view front) const {
  return name_.empty() ? "" : std::string("did you mean \"").append(front).append(name_).append("\"?");
}

std::string Nearest::suggestion(std::string_view front) const { return name_.empty() ? "" : " (" + question(front) + ")"; }

}  // namespace pua
