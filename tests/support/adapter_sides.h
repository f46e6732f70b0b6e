// What stands on either side of a store adapter: rows that are offered to it, and a sink that keeps what it reports.
// Header only, so that whoever includes it needs no further object file.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "store/adapter.h"
#include "store/stored_row.h"

namespace pua::test {

// The rows stay the caller's.
struct OfferedRows : RowSource {
  std::vector<std::pair<RowOp, const Row*>> rows;

  OfferedRows() = default;
  OfferedRows(RowOp op, const Row& row) : rows{{op, &row}} {}
  size_t size() const override { return rows.size(); }
  RowOp row(size_t i, Row& out) override {
    out = *rows[i].second;
    return rows[i].first;
  }
};

struct KeepingSink : AdapterSink {
  std::vector<WriteResult> results;  // of the last batch
  std::vector<StoredRow> rows;       // of all pages
  bool last = false;                 // of the last page
  std::optional<StoredRow> found;
  int64_t top = 0;

  void on_written(const WriteReport& r, MonoMs) override { results.assign(r.results.begin(), r.results.end()); }
  void on_rows(std::span<const Row> page, bool is_last, std::string_view, MonoMs) override {
    for (const Row& r : page) rows.emplace_back(r);
    last = is_last;
  }
  void on_found(const Row* row, int64_t top_id, std::string_view, MonoMs) override {
    if (row) found.emplace(*row);
    top = top_id;
  }
};

}  // namespace pua::test
