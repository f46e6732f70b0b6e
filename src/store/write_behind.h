// Write-behind queue: collects what the engine marks, writes it in groups, and keeps it until it is committed.
//
//   mark --> [Fast] --group_ms--> batch --> adapter --ok--> on_stored     (a caller waits for these)
//        \-> [Bulk] --bulk_ms --> batch --> adapter --ok--> on_stored     (nobody waits)
//   a row refused on its own --> set aside, retried alone, later and later; the others go on
//   a narrow write (RowOp) of a row that is not there --> written as a whole, at once
//   store down               --> everything stays queued; one batch a lane tries again after a back-off
//
// Pure: no SQL, no clock, no events. The owner calls run() when next_due() has come; `wake` tells it that next_due()
// became earlier. With an adapter that writes inside the call (SQLite), each run() does one bounded piece of work.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/histogram.h"
#include "base/log.h"
#include "core/store_port.h"
#include "store/adapter.h"
#include "store/damage_skip.h"
#include "store/hook_queue.h"
#include "store/stored_row.h"

namespace pua {

struct WriteBehindPolicy {
  // Least time between two commits of the Fast lane. The first row after a pause leaves at the end of the loop turn, so
  // a lone caller never waits; under load it is the time in which a group gathers.
  uint32_t group_ms = 2;
  // When a row that nobody waits for leaves. The promise is 200 ms; the other half is for a burst to drain in.
  uint32_t bulk_ms = 100;
  // Where both lanes write at the same time: how long a batch of the Bulk lane waits, after the one before it, for rows of
  // the Fast lane that are on their way. They then have the server to themselves.
  uint32_t bulk_yield_ms = 20;
  // This many rows are worth a commit at once, however young they are.
  uint32_t group_rows = 16;
  uint32_t bulk_rush = 1024;
  // Back-off while the store is down, and of rows set aside. The ceiling of both is update_period.
  uint32_t retry_first_ms = 100;
  uint32_t aside_first_ms = 1000;
  uint32_t retry_max_ms = 30000;
};

struct WriteBehindStats {
  uint64_t backlog = 0;        // records with something unwritten, those set aside included
  int64_t oldest_ms = 0;       // age of the oldest unwritten change (exact to within one group)
  uint64_t rows_written = 0;
  uint64_t errors = 0;         // batches that failed as a whole, rows refused, pages that could not be read
  uint64_t refused_newer = 0;  // rows refused because the database holds a newer one (also counted as errors)
  uint64_t skipped_ranges = 0; // ranges of ids that could not be read at load
  uint64_t set_aside = 0;      // rows that wait alone for their retry
  uint64_t journal = 0;        // narrow writes that are committed, and not in their rows yet
  int64_t flush_max_ms = 0;    // longest batch so far, rounded up
  bool down = false;           // the last batch, or the last page, failed as a whole
};

// Of batches: 0.1 ms ... 5 s.
inline constexpr int64_t kWriteBounds[] = {100,   250,   500,    1000,   2500,    5000,    10000,
                                           25000, 50000, 100000, 250000, 1000000, 5000000};

class WriteBehind : public StorePort, private AdapterSink {
 public:
  // The adapter and the log outlive this object. wake may be empty. attach() comes before the first run().
  WriteBehind(StoreAdapter&, Log&, const WriteBehindPolicy&, std::function<void()> wake);
  ~WriteBehind() override;  // touches no hook
  void attach(StoreSink* sink) { sink_ = sink; }

  void mark(StoreHook&, Lane, MonoMs now) override;
  void load(int64_t after, uint32_t limit) override;
  void find(const Row& key) override;
  void erase(const Row&, MonoMs now) override;
  size_t erasing() const override { return strays_.size(); }
  bool durable() const override { return adapter_.durable(); }
  size_t backlog() const override;
  int64_t top_id() const override { return adapter_.top_id(); }

  // Everything that is unwritten leaves as fast as it can, set-aside rows and a store that was down included; narrow writes go
  // into their rows.
  void flush(MonoMs now);
  // update_period was changed.
  void set_retry_max(uint32_t ms) { policy_.retry_max_ms = ms; }

  MonoMs next_due() const;  // kNever: nothing to do. In the past: now
  void run(MonoMs now);     // no effect inside one of its own callbacks

  bool clean() const;       // nothing is unwritten
  bool folding() const { return adapter_.hurrying(); }  // narrow writes go into their rows since flush()
  bool writing() const { return !fast_.batch.empty() || !bulk_.batch.empty(); }
  WriteBehindStats stats(MonoMs now) const;
  const Histogram& writes() const { return writes_; }   // how long batches took, those that failed too

 private:
  struct Entry {
    StoreHook* hook;
    MonoMs since;        // dirty_since when the batch was made
    uint32_t version = 0;
    int64_t id = 0;
    WriteResult result = WriteResult::Deferred;
    bool whole = false;  // the whole row went out, not only its narrow columns
  };
  // A row to delete that no record stands for: id and what orders its versions.
  struct Stray : StoreHook {
    int64_t id = 0, owner_epoch = 0;
    uint32_t record_version = 0;
    int32_t node = 0;
  };
  struct LaneState : RowSource {
    explicit LaneState(StoreHook::Queue name) : queue(name) {}
    size_t size() const override { return batch.size(); }
    RowOp row(size_t i, Row& out) override;

    HookQueue queue;
    std::vector<Entry> batch;  // not empty: under way
    StoreSink* sink = nullptr;
    bool all_whole = false;    // no narrow writes in the batch: it is not known what the table holds
    MonoMs since = 0;          // when the queue became non-empty
    MonoMs started = -1000000; // when the last batch left
    MonoMs ended = -1000000;   // and when it was reported
    bool hurry = false;        // what is queued was due already
    size_t split_left = 0;     // a batch failed as a whole: this many rows at the front are suspects,
    size_t split_rows = 0;     // tried in batches of this size until the bad one is found
  };
  enum class Job : uint8_t { Fast, Bulk, Load, Find, Adapter };

  void on_written(const WriteReport&, MonoMs now) override;
  void on_rows(std::span<const Row>, bool last, std::string_view error, MonoMs now) override;
  void on_unreadable(std::string_view error, MonoMs now) override;
  void on_found(const Row* row, int64_t top, std::string_view error, MonoMs now) override;
  void on_rows_missing(MonoMs now) override;
  void give_page(std::span<const Row>, bool last, std::string_view error, MonoMs now);
  void tell_skipped(int64_t to);

  LaneState& lane(Lane l) { return l == Lane::Fast ? fast_ : bulk_; }
  const LaneState& lane(Lane l) const { return l == Lane::Fast ? fast_ : bulk_; }
  void enqueue(StoreHook&, Lane, MonoMs now);
  void requeue(Lane from, const Entry&, bool at_end, MonoMs now);
  void put_aside(const Entry&, std::string_view error, MonoMs now);
  void take_aside(StoreHook&);
  void retry_aside(MonoMs until, MonoMs now);
  void start_batch(Lane, MonoMs now);
  void sort_results(Lane, const WriteReport&, MonoMs now);
  void went_down(std::string_view error, MonoMs now);
  void came_up(MonoMs now);
  void after_failures(Lane, size_t tried, size_t failed);
  MonoMs lane_due(Lane) const;
  MonoMs due(Job) const;
  void run_job(Job, MonoMs now);
  void announce();

  StoreAdapter& adapter_;
  Log& log_;
  WriteBehindPolicy policy_;
  std::function<void()> wake_;
  StoreSink* sink_ = nullptr;

  LaneState fast_{StoreHook::Queue::Fast};
  LaneState bulk_{StoreHook::Queue::Bulk};
  std::multimap<MonoMs, StoreHook*> aside_;  // by time of the next try
  std::unordered_map<StoreHook*, std::multimap<MonoMs, StoreHook*>::iterator> aside_at_;
  std::multiset<MonoMs> aside_since_;        // dirty_since of the same, and of rows in the lanes that were refused before
  std::vector<Entry> ending_;                // batch whose on_stored calls are being made
  std::unordered_map<StoreHook*, std::unique_ptr<Stray>> strays_;

  bool down_ = false;
  enum class Rows : uint8_t { Kept, Lost, ToTell };  // Lost: the table was found to be away; ToTell: it is back
  Rows rows_ = Rows::Kept;
  MonoMs down_since_ = 0, retry_at_ = 0;
  uint32_t retry_ms_ = 0;
  // Rows that failed alone, one after the other; if there are many, the store is at fault and not the rows.
  uint32_t lone_failures_ = 0;

  enum class Load : uint8_t { None, Wanted, UnderWay };
  Load load_ = Load::None;
  DamageSkip skip_;             // what to read next
  std::string skip_error_;
  MonoMs load_at_ = 0;
  std::deque<StoredRow> finds_;  // keys; the first is under way if finding_
  bool finding_ = false;
  uint32_t load_retry_ms_ = 0;

  bool running_ = false;        // run() is on the stack
  bool reporting_ = false;      // one of our callbacks is
  size_t step_ = 0;             // place in the order of jobs
  MonoMs announced_ = kNever;   // next_due as the owner knows it
  WriteBehindStats stats_;
  int64_t flush_max_us_ = 0;
  Histogram writes_{kWriteBounds};
};

}  // namespace pua
