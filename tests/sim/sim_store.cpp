#include "sim_store.h"

#include <algorithm>

#include "tests/support/adapter_sides.h"

namespace sim {

using namespace pua;
using pua::test::KeepingSink;
using pua::test::OfferedRows;

namespace {
struct Forward : AdapterSink {
  AdapterSink* to = nullptr;
  void on_written(const WriteReport&, MonoMs) override {}
  void on_rows(std::span<const Row> r, bool last, std::string_view e, MonoMs now) override { to->on_rows(r, last, e, now); }
  void on_found(const Row* r, int64_t top, std::string_view e, MonoMs now) override { to->on_found(r, top, e, now); }
};
}  // namespace

void SimStore::to_disk(std::vector<Item>& items, std::vector<WriteResult>& results, MonoMs now) {
  OfferedRows rows;
  for (auto& i : items) rows.rows.emplace_back(i.op, &i.row.row());
  KeepingSink c;
  disk_.attach(&c);
  disk_.write(Lane::Fast, rows, now);
  results = c.results;
}

void SimStore::write(Lane lane, RowSource& rows, MonoMs now) {
  if (random_.below(8) == 0) disk_.fold(random_);
  Batch& b = batch_[static_cast<int>(lane)];
  b.items.clear();
  b.active = true;
  size_t n = std::min<size_t>(rows.size(), 1 + random_.below(32));  // the others are left for the next batch
  for (size_t i = 0; i < n; i++) {
    Row r;
    RowOp op = rows.row(i, r);
    if (seen) seen(lane, op, r);
    b.items.push_back({op, StoredRow(r)});
  }
  MonoMs wait = mode == StoreMode::Slow ? static_cast<MonoMs>(50 + random_.below(3000)) : static_cast<MonoMs>(random_.below(4));
  b.due = now + wait;
  if (immediate_) finish(lane, b, now);
}

void SimStore::finish(Lane lane, Batch& b, MonoMs now) {
  std::vector<Item> items = std::move(b.items);
  b.items.clear();
  b.active = false;
  std::vector<WriteResult> results;
  WriteReport report;
  report.lane = lane;
  if (mode == StoreMode::Down || (mode == StoreMode::Failing && random_.below(3) == 0)) {
    results.assign(items.size(), WriteResult::FailedRetry);
    report.down = mode == StoreMode::Down;
    report.error = "simulated failure";
    // Only the answer was lost: the commit has happened.
    if (!immediate_ && random_.below(4) == 0) {
      std::vector<WriteResult> ignored;
      to_disk(items, ignored, now);
    }
  } else {
    to_disk(items, results, now);
  }
  report.results = results;
  report.took_us = 100;
  sink_->on_written(report, now);
}

void SimStore::load(int64_t after, uint32_t limit, MonoMs now) {
  load_ = {now + static_cast<MonoMs>(random_.below(40)), after, limit, true, {}};
  if (random_.below(2)) return;
  KeepingSink keep;   // as MariaDB's adapter fetches the next page while the engine works on one
  disk_.attach(&keep);
  disk_.load(after, limit, now);
  load_.early.emplace(std::move(keep.rows), keep.last);
}

void SimStore::find(const Row& key, MonoMs now) { find_.emplace(now + static_cast<MonoMs>(random_.below(20)), StoredRow(key)); }

MonoMs SimStore::next_due() const {
  MonoMs due = kNever;
  for (auto& b : batch_)
    if (b.active) due = std::min(due, b.due);
  if (load_.active) due = std::min(due, load_.due);
  if (find_) due = std::min(due, find_->first);
  return due;
}

void SimStore::run(MonoMs now) {
  for (int l = 0; l < 2; l++)
    if (batch_[l].active && batch_[l].due <= now) finish(static_cast<Lane>(l), batch_[l], now);
  if (find_ && find_->first <= now) {
    StoredRow key = find_->second;
    find_.reset();
    Forward f;
    f.to = sink_;
    disk_.attach(&f);
    if (mode == StoreMode::Down) sink_->on_found(nullptr, 0, "simulated read failure", now);
    else disk_.find(key.row(), now);
  }
  if (load_.active && load_.due <= now) {
    load_.active = false;
    if (mode == StoreMode::Down || (mode == StoreMode::Failing && random_.below(3) == 0)) {
      sink_->on_rows({}, false, "simulated read failure", now);
    } else {
      if (load_.early) {
        auto early = std::move(*load_.early);
        std::vector<Row> rows;
        for (const StoredRow& r : early.first) rows.push_back(r.row());
        return sink_->on_rows(rows, early.second, {}, now);
      }
      Forward f;
      f.to = sink_;
      disk_.attach(&f);
      disk_.load(load_.after, load_.limit, now);
    }
  }
}

void SimStore::kill(MonoMs now) {
  for (auto& b : batch_) {
    if (!b.active || random_.below(2)) continue;
    std::vector<WriteResult> ignored;
    to_disk(b.items, ignored, now);
  }
}

}  // namespace sim
