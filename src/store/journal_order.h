// JournalOrder: which lines of a journal belong to which row, so that they can be folded into the rows in the order of id.
//
//   add --> runs (sorted pieces) --merge_some--> frozen (one sorted list, the last entry of each id) --> folded, then dropped
//
// Pure. Each call is bounded: an add sorts a few thousand entries at most, a merge moves as many as it is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace pua {

class JournalOrder {
 public:
  struct Entry {
    int64_t id;
    int64_t at;  // its place in the order of time, times two; odd: the row was deleted, there is no line
    int64_t line() const { return at / 2; }
    bool gone() const { return at % 2 != 0; }
  };

  // Lines and deletes are numbered from 1 in one order. A delete counts where lines of its id may stand before it.
  void add(int64_t id, int64_t number, bool gone);
  size_t open() const { return open_; }               // entries that are not frozen

  // Takes everything that is open into the frozen list, `most` entries a call. true: done. To be called only while frozen() is
  // empty, and then again until it is done.
  bool merge_some(size_t most);
  bool merging() const { return !merging_.empty(); }
  const std::vector<Entry>& frozen() const { return frozen_; }
  int64_t frozen_to() const { return frozen_to_; }    // the largest number in it
  void drop_frozen();

  // The last entry of this id.
  std::optional<Entry> last(int64_t id) const;
  // The same, of what came after the frozen list was begun.
  std::optional<Entry> last_open(int64_t id) const;

 private:
  using Run = std::vector<Entry>;
  struct Head {           // of a run that is being merged
    size_t run, place;
  };
  static constexpr size_t kRun = 4096;
  static bool before(const Entry& a, const Entry& b) { return a.id != b.id ? a.id < b.id : a.at < b.at; }
  static void look(const Run& run, int64_t id, std::optional<Entry>& found);
  bool later(const Head& a, const Head& b) const;
  void begin_merge();

  Run tail_;              // as they came
  std::vector<Run> runs_; // sorted
  size_t open_ = 0;
  std::vector<Run> merging_;
  std::vector<Head> heads_;  // a heap, the smallest on top
  Run frozen_;
  int64_t frozen_to_ = 0, newest_ = 0;
};

}  // namespace pua
