#include "store/journal_order.h"

#include <algorithm>
#include <utility>

namespace pua {

void JournalOrder::add(int64_t id, int64_t number, bool gone) {
  tail_.push_back({id, number * 2 + (gone ? 1 : 0)});
  newest_ = number;
  open_++;
  if (tail_.size() < kRun) return;
  std::sort(tail_.begin(), tail_.end(), before);
  runs_.push_back(std::exchange(tail_, {}));
}

bool JournalOrder::later(const Head& a, const Head& b) const {
  return before(merging_[b.run][b.place], merging_[a.run][a.place]);
}

void JournalOrder::begin_merge() {
  std::sort(tail_.begin(), tail_.end(), before);
  if (!tail_.empty()) runs_.push_back(std::exchange(tail_, {}));
  merging_ = std::exchange(runs_, {});
  frozen_.reserve(open_);
  frozen_to_ = newest_;
  open_ = 0;
  for (size_t i = 0; i < merging_.size(); i++) heads_.push_back({i, 0});
  auto order = [this](const Head& a, const Head& b) { return later(a, b); };
  std::make_heap(heads_.begin(), heads_.end(), order);
}

bool JournalOrder::merge_some(size_t most) {
  if (merging_.empty()) begin_merge();
  auto order = [this](const Head& a, const Head& b) { return later(a, b); };
  for (size_t n = 0; n < most && !heads_.empty(); n++) {
    std::pop_heap(heads_.begin(), heads_.end(), order);
    Head& h = heads_.back();
    const Run& run = merging_[h.run];
    if (!frozen_.empty() && frozen_.back().id == run[h.place].id) frozen_.back() = run[h.place];
    else frozen_.push_back(run[h.place]);
    if (++h.place < run.size()) std::push_heap(heads_.begin(), heads_.end(), order);
    else heads_.pop_back();
  }
  if (!heads_.empty()) return false;
  merging_ = {};
  heads_ = {};
  return true;
}

void JournalOrder::drop_frozen() { frozen_ = Run(); }

void JournalOrder::look(const Run& run, int64_t id, std::optional<Entry>& found) {
  auto at = std::upper_bound(run.begin(), run.end(), Entry{id, INT64_MAX}, before);
  if (at == run.begin() || (--at)->id != id) return;
  if (!found || found->at < at->at) found = *at;
}

std::optional<JournalOrder::Entry> JournalOrder::last_open(int64_t id) const {
  std::optional<Entry> found;
  for (auto e = tail_.rbegin(); e != tail_.rend() && !found; ++e)
    if (e->id == id) found = *e;
  if (found) return found;  // nothing in a run is newer
  for (const Run& run : runs_) look(run, id, found);
  return found;
}

std::optional<JournalOrder::Entry> JournalOrder::last(int64_t id) const {
  std::optional<Entry> found = last_open(id);
  if (found) return found;
  for (const Run& run : merging_) look(run, id, found);
  if (merging_.empty()) look(frozen_, id, found);
  return found;
}

}  // namespace pua
