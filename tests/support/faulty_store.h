// Faulty store: an adapter with a script of faults in front of another one. For unit tests and the simulation.
// Header only, so that whoever includes it needs no further object file.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "store/adapter.h"
#include "store/memory_store.h"
#include "tests/support/adapter_sides.h"

namespace pua::test {

class FaultyStore : public StoreAdapter, private AdapterSink {
 public:
  explicit FaultyStore(StoreAdapter& inner) : inner_(inner) { inner_.attach(this); }
  ~FaultyStore() override { inner_.attach(nullptr); }

  // --- the script; each may be changed at any time ---
  bool down = false;              // every write and load fails
  bool table_lost = false;        // with down: because the table is not there
  bool keeps = true;              // false: as if all went with the process
  int fail_writes = 0;            // the next n batches fail like a store that is down
  int fail_unnamed = 0;           // the next n batches fail as a whole, store up, no row named
  int lose_acks = 0;              // the next n batches are committed, but reported as failed
  int fail_loads = 0;             // the next n pages fail
  bool fail_finds = false;
  std::function<bool(int64_t id)> unreadable;  // a page with such a row in it is damaged
  size_t rows_a_turn = SIZE_MAX;  // the rest of a batch is deferred
  MonoMs delay_ms = 0;            // > 0: batches and pages end later, from run()
  bool own_event = false;         // next_due() does not tell of them: whoever plays the socket calls run()
  std::function<bool(const Row&)> bad_row;  // true: this row is refused
  bool bad_row_named = true;      // false: as by a multi-row statement, its whole batch fails and nobody knows why
  BatchLimits batch_limits;
  int64_t left_over = 0;          // the largest id that something without a row is left of

  // --- what happened ---
  std::vector<size_t> batch_sizes;  // rows tried, batch by batch
  std::string kinds;                // of them, one word each: "whole", "narrow" or "delete"
  int loads = 0, finds = 0;

  // The process dies. What was under way was committed or not: the server's choice, not ours.
  void crash(bool committed) {
    AdapterSink* sink = std::exchange(sink_, nullptr);
    auto pending = std::exchange(pending_, {});
    for (Pending& p : pending) {
      if (committed && !p.is_load && !p.is_find) finish(p, p.due);
    }
    sink_ = sink;
  }
  bool under_way() const { return !pending_.empty(); }

  BatchLimits limits() const override { return batch_limits; }
  int64_t top_id() const override { return left_over; }
  bool immediate() const override { return delay_ms == 0; }
  bool durable() const override { return keeps; }

  void write(Lane lane, RowSource& rows, MonoMs now) override {
    Pending p;
    p.lane = lane;
    p.due = now + delay_ms;
    p.offered = rows.size();
    for (size_t i = 0; i < std::min(rows.size(), rows_a_turn); i++) {
      Row r;
      RowOp op = rows.row(i, r);
      kinds += kinds.empty() ? "" : " ";
      kinds += op == RowOp::Upsert ? "whole" : op == RowOp::Narrow ? "narrow" : "delete";
      p.rows.emplace_back(op, r);
    }
    batch_sizes.push_back(p.rows.size());
    p.down = down || take(fail_writes);
    p.table_lost = p.down && table_lost;
    p.unnamed = !p.down && take(fail_unnamed);
    p.lose_ack = !p.down && !p.unnamed && take(lose_acks);
    start(std::move(p), now);
  }

  void load(int64_t after, uint32_t limit, MonoMs now) override {
    Pending p;
    p.is_load = true;
    p.after = after;
    p.limit = limit;
    p.due = now + delay_ms;
    p.down = down || take(fail_loads);
    loads++;
    start(std::move(p), now);
  }

  void find(const Row& key, MonoMs now) override {
    Pending p;
    p.is_find = true;
    p.due = now + delay_ms;
    p.down = down || fail_finds;
    p.rows.emplace_back(RowOp::Upsert, key);
    finds++;
    start(std::move(p), now);
  }

  Result<std::string> get_meta(std::string_view n) override { return inner_.get_meta(n); }
  Status set_meta(std::string_view n, std::string_view v) override { return inner_.set_meta(n, v); }
  std::string name() const override { return "faulty"; }

  MonoMs next_due() const override {
    MonoMs m = inner_.next_due();
    for (const Pending& p : pending_) m = own_event ? m : std::min(m, p.due);
    return m;
  }
  void run(MonoMs now) override {
    if (inner_.next_due() <= now) inner_.run(now);
    for (;;) {
      auto it = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) { return p.due <= now; });
      if (it == pending_.end()) return;
      Pending p = std::move(*it);
      pending_.erase(it);
      finish(p, now);
    }
  }

 private:
  struct Pending {
    bool is_load = false, is_find = false;
    Lane lane = Lane::Bulk;
    MonoMs due = 0;
    bool down = false, table_lost = false, unnamed = false, lose_ack = false;
    size_t offered = 0;
    std::vector<std::pair<RowOp, StoredRow>> rows;
    int64_t after = 0;
    uint32_t limit = 0;
  };

  static bool take(int& n) { return n > 0 ? (n--, true) : false; }

  void start(Pending p, MonoMs now) {
    if (delay_ms > 0) pending_.push_back(std::move(p));
    else finish(p, now);
  }

  void finish(const Pending& p, MonoMs now) {
    if (p.is_find) {
      if (!p.down) return inner_.find(p.rows[0].second.row(), now);
      if (sink_) sink_->on_found(nullptr, 0, "the scripted store cannot read", now);
      return;
    }
    if (p.is_load) {
      if (!p.down) return inner_.load(p.after, p.limit, now);
      if (sink_) sink_->on_rows({}, false, "the scripted store cannot read", now);
      return;
    }
    std::vector<WriteResult> results(p.rows.size(), WriteResult::FailedRetry);
    bool refuse = p.down || p.unnamed;
    auto bad = [&](const auto& r) { return bad_row && r.first != RowOp::Delete && bad_row(r.second.row()); };
    if (!bad_row_named) refuse = refuse || std::any_of(p.rows.begin(), p.rows.end(), bad);
    if (!refuse) {
      OfferedRows good;   // for the adapter behind
      for (const auto& r : p.rows) {
        if (!bad(r)) good.rows.emplace_back(r.first, &r.second.row());
      }
      inner_.write(p.lane, good, now);
      size_t next = 0;
      for (size_t i = 0; i < results.size(); i++) results[i] = bad(p.rows[i]) ? WriteResult::BadRow : inner_results_[next++];
    }
    if (p.lose_ack) results.assign(results.size(), WriteResult::FailedRetry);
    results.resize(p.offered, WriteResult::Deferred);
    WriteReport report;
    report.lane = p.lane;
    report.results = results;
    report.down = p.down || p.lose_ack;
    report.rows_lost = p.table_lost;
    report.error = report.down || refuse || bad_row ? "scripted fault" : "";
    if (sink_) sink_->on_written(report, now);
  }

  void on_written(const WriteReport& r, MonoMs) override { inner_results_.assign(r.results.begin(), r.results.end()); }
  void on_found(const Row* row, int64_t top, std::string_view error, MonoMs now) override {
    if (sink_) sink_->on_found(row, top, error, now);
  }
  void on_rows(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) override {
    if (!sink_) return;
    if (unreadable && std::any_of(rows.begin(), rows.end(), [&](const Row& r) { return unreadable(r.id); }))
      return sink_->on_unreadable("scripted damage", now);
    sink_->on_rows(rows, last, error, now);
  }

  StoreAdapter& inner_;
  std::deque<Pending> pending_;
  std::vector<WriteResult> inner_results_;
};

}  // namespace pua::test
