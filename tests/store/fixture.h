// What the tests of the store share: a folder of their own, rows, and an adapter's caller that remembers.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "store/adapter.h"
#include "store/memory_store.h"

namespace pua::test {

// A folder that goes away with its contents.
class TempDir {
 public:
  TempDir() {
    char name[] = "/tmp/pua-store-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A log that keeps its lines.
struct TestLog {
  std::vector<std::string> lines;
  Log log{[this](LogLevel, std::string_view s) { lines.emplace_back(s); }, LogLevel::debug};
  bool has(std::string_view part) const {
    for (const std::string& l : lines) {
      if (l.find(part) != std::string::npos) return true;
    }
    return false;
  }
};

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// A row as a publication has it. The key is unique for each id.
inline StoredRow row_of(int64_t id, uint32_t version = 1, std::string_view body = "<presence/>") {
  std::string uri = "sip:user" + std::to_string(id) + "@example.com";
  std::string etag = "etag-" + std::to_string(id) + "-" + std::to_string(version);
  Row r;
  r.id = id;
  r.flag = 64;
  r.event = 1;
  r.pres_uri = uri;
  r.etag = etag;
  r.expires = 1700003600;
  r.call_id = "0123456789abcdef@localhost";
  r.from_tag = "89abcdef";
  r.cseq = version;
  r.body = body;
  r.content_type = "application/pidf+xml";
  r.record_version = version;
  return StoredRow(r);
}

// A changed copy of a row.
template <class F>
StoredRow with(const StoredRow& from, F change) {
  Row r = from.row();
  change(r);
  return StoredRow(r);
}

inline bool same(const Row& a, const Row& b) {
  auto all = [](const Row& r) {
    return std::make_pair(
        std::make_tuple(r.id, r.flag, r.event, r.pres_uri, r.pres_id, r.watcher_uri, r.to_uri, r.expires, r.desired_expires,
                        r.etag, r.tuple_id, r.call_id, r.to_tag, r.from_tag, r.cseq, r.record_route),
        std::make_tuple(r.contact, r.remote_contact, r.version, r.extra_headers, r.sharing_tag, r.body, r.content_type,
                        r.outbound_proxy, r.record_version, r.owner_epoch, r.node, r.updated_at, r.intent,
                        r.intent_expires, r.event_id, r.target));
  };
  return all(a) == all(b);
}

// Remembers what became of a batch of one row, for tests that turn the loop themselves.
struct OneWriteSink : AdapterSink {
  WriteResult result = WriteResult::Deferred;
  std::string error;
  int reports = 0;
  void on_written(const WriteReport& r, MonoMs) override {
    result = r.results[0];
    error = r.error;
    reports++;
  }
  void on_rows(std::span<const Row>, bool, std::string_view, MonoMs) override {}
};

// Calls an adapter the way the queue does, and keeps the answers.
class Caller : public AdapterSink {
 public:
  struct Batch : RowSource {
    std::vector<std::pair<RowOp, StoredRow>> rows;
    size_t size() const override { return rows.size(); }
    RowOp row(size_t i, Row& out) override {
      out = rows[i].second.row();
      return rows[i].first;
    }
  };

  explicit Caller(StoreAdapter& a) : adapter_(a) { adapter_.attach(this); }
  ~Caller() override { adapter_.attach(nullptr); }

  const std::vector<WriteResult>& write(RowSource& b, Lane lane = Lane::Fast) {
    reports = 0;
    adapter_.write(lane, b, 0);
    wait([this] { return reports > 0; });
    return results;
  }
  // What is deferred is offered again, as the queue does.
  const std::vector<WriteResult>& write_all(Batch rest) {
    std::vector<WriteResult> all;
    while (!rest.rows.empty()) {
      size_t taken = 0;
      for (WriteResult r : write(rest)) taken += r != WriteResult::Deferred;
      if (taken == 0) break;
      all.insert(all.end(), results.begin(), results.begin() + static_cast<ptrdiff_t>(taken));
      rest.rows.erase(rest.rows.begin(), rest.rows.begin() + static_cast<ptrdiff_t>(taken));
    }
    return results = all;
  }
  void load(int64_t after, uint32_t limit) {
    pages_given = 0;
    adapter_.load(after, limit, 0);
    wait([this] { return pages_given > 0; });
  }
  WriteResult put(const StoredRow& r) {
    Batch b;
    b.rows.emplace_back(RowOp::Upsert, r);
    return write(b)[0];
  }
  WriteResult drop(const StoredRow& r) {
    Batch b;
    b.rows.emplace_back(RowOp::Delete, r);
    return write(b)[0];
  }
  WriteResult narrow(const StoredRow& r) {
    Batch b;
    b.rows.emplace_back(RowOp::Narrow, r);
    return write(b)[0];
  }
  // The adapter's own work, in `turns` pieces at most: narrow writes go into their rows.
  void work(int turns = 1000) {
    for (; turns > 0 && adapter_.immediate() && adapter_.next_due() != kNever; turns--) adapter_.run(adapter_.next_due());
  }
  void find(const Row& key) {
    finds_given = 0;
    adapter_.find(key, 0);
    wait([this] { return finds_given > 0; });
  }
  // Reads everything, page by page; between() runs after each page.
  template <class F>
  std::vector<StoredRow> load_all(uint32_t limit, F between) {
    std::vector<StoredRow> all;
    int64_t after = 0;
    pages = 0;
    do {
      load(after, limit);
      pages++;
      for (const StoredRow& r : page) all.push_back(r);
      if (!page.empty()) after = page.back().row().id;
      between();
    } while (!last && error.empty());
    return all;
  }
  std::vector<StoredRow> load_all(uint32_t limit = 500) {
    return load_all(limit, [] {});
  }

  std::vector<WriteResult> results;
  std::string error;
  bool down = false, rows_lost = false, last = false, unreadable = false;
  std::unique_ptr<StoredRow> found;
  int64_t top = -1;
  int reports = 0, pages = 0, pages_given = 0, finds_given = 0;
  int64_t took_us = 0;
  int rows_missing = 0;
  std::vector<StoredRow> page;

 private:
  template <class F>
  void wait(F done) {
    for (int i = 0; i < 100 && !done() && !adapter_.immediate(); i++) adapter_.pump(100);
  }
  void on_written(const WriteReport& r, MonoMs) override {
    results.assign(r.results.begin(), r.results.end());
    error = r.error;
    down = r.down;
    rows_lost = r.rows_lost;
    took_us = r.took_us;
    reports++;
  }
  void on_rows(std::span<const Row> rows, bool is_last, std::string_view e, MonoMs) override {
    page.clear();
    for (const Row& r : rows) page.emplace_back(r);
    last = is_last;
    error = e;
    unreadable = false;
    pages_given++;
  }
  void on_found(const Row* row, int64_t is_top, std::string_view e, MonoMs) override {
    found.reset();
    if (row) found = std::make_unique<StoredRow>(*row);
    top = is_top;
    error = e;
    finds_given++;
  }
  void on_rows_missing(MonoMs) override { rows_missing++; }
  void on_unreadable(std::string_view e, MonoMs now) override {
    on_rows({}, false, e, now);
    unreadable = true;
  }
  StoreAdapter& adapter_;
};

}  // namespace pua::test
