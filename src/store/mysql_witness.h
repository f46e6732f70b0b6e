// Rows whose state in the table is known for certain, pure: where the table says something else, an older copy of its rows was
// brought back while the lines of the meta table stayed (docs/adr/0018).
//
// A copy lacks what was written after it was taken. So the rows written last are the witnesses, some of each second: those of
// the last second alone may all have been written since the copy was brought back. A row that a statement under way may change
// is no witness.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <tuple>
#include <vector>

namespace pua {

struct RowState {
  int64_t id = 0;
  std::tuple<int64_t, uint32_t, int32_t> version;  // owner_epoch, record_version, node, in the order in which they count
  bool there = true;                               // false: removed, at that version
};

class RowWitnesses {
 public:
  static constexpr size_t kOfOneLook = 4, kMost = 32;

  // A statement that may change the row is sent.
  void touch(int64_t id) {
    auto it_is = [id](const RowState& w) { return w.id == id; };
    std::erase_if(recent_, it_is);
    std::erase_if(asked_, it_is);
  }
  // ... and was committed.
  void know(const RowState& w) {
    touch(w.id);
    recent_.push_back(w);
    if (recent_.size() > kOfOneLook) recent_.pop_front();
  }
  // The ids of the rows to look for.
  std::vector<int64_t> ask() {
    asked_.insert(asked_.end(), recent_.begin(), recent_.end());
    recent_.clear();
    while (asked_.size() > kMost) asked_.pop_front();
    std::vector<int64_t> ids;
    for (const RowState& w : asked_) ids.push_back(w.id);
    return ids;
  }
  // found: those that are there. What was touched since ask() tells nothing; what is newer than we know, somebody else has
  // written.
  bool contradicted_by(const std::vector<RowState>& found) {
    auto says_other = [&found](const RowState& w) {
      auto at = std::find_if(found.begin(), found.end(), [&](const RowState& f) { return f.id == w.id; });
      if (at == found.end()) return w.there;
      return w.there ? at->version < w.version : at->version <= w.version;
    };
    return std::any_of(asked_.begin(), asked_.end(), says_other);
  }
  void clear() { recent_.clear(), asked_.clear(); }

 private:
  std::deque<RowState> recent_, asked_;
};

}  // namespace pua
