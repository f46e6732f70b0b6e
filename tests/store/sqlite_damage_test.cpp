// SQLite store over a file with damaged pages: what can be read is read, what can be written is written.
#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "store/sqlite_store.h"
#include "store/write_behind.h"
#include "tests/store/fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

constexpr int64_t kRows = 1000;
const std::string kBody(16000, 'b');

// An engine that knows rows by their ids only.
struct RowsOnly : StoreSink {
  struct Rec : StoreHook {
    int64_t id = 0;
  };
  std::array<Rec, kRows> recs;
  std::set<int64_t> loaded;
  bool all_loaded = false;
  StorePort* queue = nullptr;
  std::unique_ptr<StoredRow> row;

  RowOp row_of(const StoreHook& h, Row& out) override {
    const Rec& r = static_cast<const Rec&>(h);
    row = std::make_unique<StoredRow>(pua::test::row_of(r.id, r.version, kBody));
    out = row->row();
    return RowOp::Upsert;
  }
  void on_stored(StoreHook&, uint32_t, bool, MonoMs) override {}
  void on_rows_lost(MonoMs) override {}
  void on_found(const Row&, const Row*, int64_t, MonoMs) override {}
  void on_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs) override {
    for (const Row& r : rows) loaded.insert(r.id);
    all_loaded = last;
    if (!last && error.empty()) queue->load(rows.back().id, 200);
  }
};

}  // namespace

TEST_GROUP(sqlite_damage) {
  TempDir dir;
  TestLog log;
  std::string path;
  void setup() override { path = dir.file("pua.db"); }

  std::unique_ptr<SqliteStore> open() {
    SqliteOptions o;
    o.path = path;
    auto s = SqliteStore::open(o, log.log);
    CHECK_TEXT(s.ok(), s ? "" : s.error().message.c_str());
    return std::move(*s);
  }
  // Overflow pages of some rows, and one leaf of the table.
  void damage_rows() {
    {
      auto s = open();
      Caller c(*s);
      for (int64_t id = 1; id <= kRows; id++) c.put(row_of(id, 1, kBody));
    }
    std::ifstream in(path, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    CHECK(bytes.size() > 9 * 1024 * 1024);
    for (size_t page = 1500; page < 1520; page++) memset(&bytes[page * 4096], 0x5a, 4096);
    size_t leaf = 2500;
    while (bytes[leaf * 4096] != 0x0d) leaf++;
    memset(&bytes[leaf * 4096], 0x5a, 4096);
    std::ofstream(path, std::ios::binary) << bytes;
  }
};

TEST(sqlite_damage, damage_in_a_large_file_is_named_when_it_is_read_and_the_rows_before_it_come) {
  damage_rows();
  auto s = open();
  Caller c(*s);
  size_t n = c.load_all().size();
  CHECK(n > 100 && n < 1000);
  CHECK(contains(c.error, path));
  CHECK(contains(c.error, "damaged"));
  CHECK(c.unreadable);
  CHECK_FALSE(c.last);
}

TEST(sqlite_damage, all_rows_beside_the_damaged_ones_are_loaded_and_written) {
  damage_rows();
  auto s = open();
  std::set<int64_t> readable;
  {
    Caller c(*s);
    for (int64_t id = 1; id <= 1000; id++) {  // each on its own: the truth to compare with
      s->load(id - 1, 1, 0);
      if (c.error.empty() && !c.page.empty()) readable.insert(c.page[0].row().id);
    }
  }
  CHECK(readable.size() > 950 && readable.size() < 1000);
  RowsOnly sink;
  WriteBehind queue(*s, log.log, {}, {});
  queue.attach(&sink);
  sink.queue = &queue;
  MonoMs now = 1000;
  auto advance = [&](MonoMs to) {
    for (int guard = 0; guard < 100000 && queue.next_due() <= to; guard++) {
      now = std::max(now, queue.next_due());
      queue.run(now);
    }
    now = to;
  };
  queue.load(0, 200);
  advance(100000);
  CHECK(sink.all_loaded);
  CHECK(sink.loaded == readable);
  CHECK(queue.stats(now).skipped_ranges >= 1);
  CHECK(log.has("cannot be read and are left out"));

  for (int64_t id = 1; id <= 1000; id++) {
    sink.recs[id - 1].id = id;
    sink.recs[id - 1].version = 2;
    queue.mark(sink.recs[id - 1], Lane::Bulk, now);
  }
  advance(now + 90000);
  size_t unwritten = 0;
  for (const RowsOnly::Rec& r : sink.recs) {
    unwritten += r.written_version != 2;
    if (readable.count(r.id)) LONGS_EQUAL(2, r.written_version);
  }
  CHECK(unwritten > 0);
  LONGS_EQUAL(unwritten, queue.stats(now).backlog);
}
