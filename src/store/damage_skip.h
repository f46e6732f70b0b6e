// DamageSkip: how a load gets past a page that cannot be read: smaller pages first, then id by id until reading works.
//
//   Whole --a few failures of one page--> Halving --one row a page fails too--> Searching --reading works--> Whole
//
// Up to kById ids in a row are tried one by one, so no readable row between two damaged ones is missed. A longer gap is
// one damaged subtree: the step doubles, and the end of the gap is found by bisection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace pua {

class DamageSkip {
 public:
  static constexpr uint32_t kFirstTries = 6;  // with the queue's back-off some seconds: a disk may recover
  static constexpr uint32_t kNextTries = 2;   // once damage is known
  static constexpr int64_t kById = 20000;
  static constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

  // The engine asks for rows with id > after, at most `limit` of them.
  void ask(int64_t after, uint32_t limit) {
    if (after == asked_ && mode_ != Mode::Whole) return;  // the same page again: go on where the search is
    asked_ = probe_ = after;
    limit_ = limit;
    failures_ = 0;
    enter(Mode::Whole);
  }

  // What to read next.
  int64_t after() const { return probe_; }
  uint32_t limit() const { return limit_; }
  // The search is on: the next try needs no back-off, and nobody need hear of its failure.
  bool searching() const { return mode_ != Mode::Whole; }

  // The page could not be read. false: there is nothing more to try, the load ends here.
  bool failed() {
    switch (mode_) {
      case Mode::Whole:
        if (++failures_ < (known_ ? kNextTries : kFirstTries)) return true;
        known_ = true;
        enter(Mode::Halving);
        [[fallthrough]];
      case Mode::Halving:
        if (limit_ > 1) {
          limit_ /= 2;
          return true;
        }
        enter(Mode::Searching);
        bad_ = asked_;
        good_ = kEnd;
        step_ = 1;
        tried_ = 0;
        break;
      case Mode::Searching:
        bad_ = probe_;
        if (bad_ == kEnd) return false;
        break;
    }
    if (++tried_ > kById && good_ == kEnd && step_ < kEnd / 2) step_ *= 2;
    next_probe();
    return true;
  }

  // The page could be read. true: its rows follow on what was read or skipped before, take them; false: look closer first.
  bool read() {
    if (mode_ == Mode::Searching && probe_ - bad_ > 1) {
      good_ = probe_;
      next_probe();
      return false;
    }
    failures_ = 0;
    return true;
  }
  // After read(): the ids asked_ + 1 ... skipped_to() were skipped; none if it is the asked one.
  int64_t asked() const { return asked_; }
  int64_t skipped_to() const { return mode_ == Mode::Searching ? probe_ : asked_; }

  // The load, or this page of it, is over.
  void settle() { enter(Mode::Whole); }

 private:
  enum class Mode : uint8_t { Whole, Halving, Searching };
  void enter(Mode m) { mode_ = m; }
  void next_probe() {
    if (good_ == kEnd) probe_ = bad_ > kEnd - step_ ? kEnd : bad_ + step_;
    else probe_ = bad_ + (good_ - bad_ + 1) / 2;
  }

  Mode mode_ = Mode::Whole;
  int64_t asked_ = 0;
  int64_t probe_ = 0;
  uint32_t limit_ = 0;
  uint32_t failures_ = 0;  // of the asked page, whole
  bool known_ = false;     // damage was found in this load
  int64_t bad_ = 0;        // reading from here failed
  int64_t good_ = kEnd;    // reading from here worked; kEnd: not found yet
  int64_t step_ = 1, tried_ = 0;
};

}  // namespace pua
