// Rig for the write-behind queue: an engine of a few records, a scripted store, a clock that stands still.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/memory_store.h"
#include "store/write_behind.h"
#include "tests/store/fixture.h"
#include "tests/support/faulty_store.h"

namespace pua::test {

struct Rec : StoreHook {
  int64_t id = 0;
  bool gone = false;
  bool narrow = false;        // what changes in it is narrow, once a whole row is there
  std::string body = "body";
};

struct Stored {
  int64_t id;
  uint32_t version;
  bool ok;
  MonoMs at;
};

class QueueRig : public StoreSink {
 public:
  explicit QueueRig(const WriteBehindPolicy& policy = {})
      : queue(std::make_unique<WriteBehind>(faulty, log.log, policy, [this] { wakes++; })) {
    queue->attach(this);
  }

  Rec& rec(int64_t id) {
    auto& r = recs[id];
    if (!r) {
      r = std::make_unique<Rec>();
      r->id = id;
    }
    return *r;
  }
  // A change worth storing, as the engine makes one.
  Rec& change(int64_t id, Lane lane) {
    Rec& r = rec(id);
    r.version++;
    queue->mark(r, lane, now);
    return r;
  }
  void change_range(int64_t from, int64_t to, Lane lane) {
    for (int64_t id = from; id <= to; id++) change(id, lane);
  }
  // As the owner does: runs what is due, at its time, up to `to`.
  void advance(MonoMs to) {
    for (int guard = 0; guard < 100000 && queue->next_due() <= to; guard++) {
      now = std::max(now, queue->next_due());
      queue->run(now);
      turns++;
    }
    now = std::max(now, to);
  }
  bool stored(int64_t id, uint32_t version) const {
    const Row* r = memory.find(id);
    return r && r->record_version == version;
  }
  size_t acks(int64_t id, bool ok) const {
    size_t n = 0;
    for (const Stored& s : calls) n += s.id == id && s.ok == ok;
    return n;
  }
  MonoMs acked_at(int64_t id) const {
    for (const Stored& s : calls) {
      if (s.id == id && s.ok) return s.at;
    }
    return kNever;
  }
  WriteBehindStats stats() const { return queue->stats(now); }

  RowOp row_of(const StoreHook& h, Row& out) override {
    const Rec& r = static_cast<const Rec&>(h);
    rows_asked++;
    row = std::make_unique<StoredRow>(pua::test::row_of(r.id, r.version, r.body));  // the views before this one are dead now
    out = row->row();
    return r.gone ? RowOp::Delete : r.narrow && !r.whole ? RowOp::Narrow : RowOp::Upsert;
  }
  void on_stored(StoreHook& h, uint32_t version, bool ok, MonoMs at) override {
    Rec& r = static_cast<Rec&>(h);
    calls.push_back({r.id, version, ok, at});
    if (when_stored) when_stored(r, version, ok);
    else if (ok && r.gone && r.queue == StoreHook::Queue::None) recs.erase(r.id);
  }
  void on_rows_lost(MonoMs) override { rows_lost++; }
  void on_found(const Row& key, const Row* hit, int64_t top, MonoMs) override {
    found.push_back(std::string(key.pres_uri) + " " + (hit ? std::to_string(hit->id) : "-") + " " + std::to_string(top));
  }
  void on_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs at) override {
    page_errors += !error.empty();
    pages.push_back(at);
    for (const Row& r : rows) loaded.push_back(r.id);
    if (last) all_loaded = true;
    else if (error.empty()) queue->load(rows.back().id, 10);
  }

  MemoryStore memory;
  FaultyStore faulty{memory};
  TestLog log;
  MonoMs now = 1000;
  int wakes = 0, turns = 0, rows_asked = 0;
  std::map<int64_t, std::unique_ptr<Rec>> recs;
  std::vector<Stored> calls;
  std::vector<int64_t> loaded;
  std::vector<MonoMs> pages;
  std::vector<std::string> found;
  int page_errors = 0, rows_lost = 0;
  bool all_loaded = false;
  std::function<void(Rec&, uint32_t version, bool ok)> when_stored;
  std::unique_ptr<StoredRow> row;
  std::unique_ptr<WriteBehind> queue;
};

}  // namespace pua::test
