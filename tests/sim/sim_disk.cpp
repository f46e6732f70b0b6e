#include "sim_disk.h"

#include <memory>
#include <optional>

#include "store/columns.h"
#include "tests/support/adapter_sides.h"

namespace sim {

using namespace pua;
using pua::test::KeepingSink;
using pua::test::OfferedRows;

namespace {

const char* first_difference(const Row& a, const Row& b) {
#define X(kind, column, member, width) if (a.member != b.member) return #column;
  PUA_COLUMNS(X)
#undef X
  return nullptr;
}

StoredRow merged(const Row& row, const StoredRow* line) {
  Row out = row;
  if (line) take_narrow(out, line->row());
  return StoredRow(out);
}

}  // namespace

const StoredRow* SimDisk::line_of(int64_t id) const {
  const Row* row = MemoryStore::find(id);
  const StoredRow* last = nullptr;
  for (const StoredRow& line : lines_)
    if (line.row().id == id && row && row_order(line.row()) > row_order(*row)) last = &line;
  return last;
}

const Row* SimDisk::find(int64_t id) const {
  const Row* row = MemoryStore::find(id);
  const StoredRow* line = line_of(id);
  if (!row || !line) return row;
  merged_.clear();
  return &merged_.emplace_back(merged(*row, line)).row();
}

// Looks at a narrow write. All columns of the row are filled in, so that those which it does not write can be compared with the
// table: they must be there already.
void SimDisk::look_at(const Row& narrow) {
  const Row* there = find(narrow.id);
  if (there && row_order(*there) > row_order(narrow)) return;
  if (!there) {
    wrong = "a narrow write of row " + std::to_string(narrow.id) + ", which is not there";
    return;
  }
  Row after = *there;
  take_narrow(after, narrow);
  if (const char* column = first_difference(after, narrow))
    wrong = "a narrow write of row " + std::to_string(narrow.id) + " though its " + column + " has changed";
}

WriteResult SimDisk::one(Lane lane, RowOp op, const Row& r, MonoMs now) {
  if (op == RowOp::Narrow && wrong.empty()) look_at(r);
  if (op == RowOp::Narrow && journaled) {
    lines_.emplace_back(r);
    return WriteResult::Ok;
  }
  OfferedRows row(op, r);
  KeepingSink c;
  attach(&c);
  MemoryStore::write(lane, row, now);
  return c.results[0];
}

void SimDisk::write(Lane lane, RowSource& rows, MonoMs now) {
  AdapterSink* to = sink_;
  std::vector<WriteResult> results;
  for (size_t i = 0; i < rows.size(); i++) {
    Row r;
    RowOp op = rows.row(i, r);
    results.push_back(one(lane, op, r, now));
  }
  attach(to);
  WriteReport report;
  report.lane = lane;
  report.results = results;
  to->on_written(report, now);
}

void SimDisk::load(int64_t after, uint32_t limit, MonoMs now) {
  AdapterSink* to = sink_;
  KeepingSink c;
  attach(&c);
  MemoryStore::load(after, limit, now);
  attach(to);
  std::vector<StoredRow> kept;
  for (const StoredRow& row : c.rows) kept.push_back(merged(row.row(), line_of(row.row().id)));
  std::vector<Row> page;
  for (const StoredRow& row : kept) page.push_back(row.row());
  to->on_rows(page, c.last, {}, now);
}

void SimDisk::find(const Row& key, MonoMs now) {
  AdapterSink* to = sink_;
  KeepingSink c;
  attach(&c);
  MemoryStore::find(key, now);
  attach(to);
  if (c.found) c.found = merged(c.found->row(), line_of(c.found->row().id));
  to->on_found(c.found ? &c.found->row() : nullptr, c.top, {}, now);
}

void SimDisk::fold(size_t i) {
  StoredRow line = lines_[i];
  lines_.erase(lines_.begin() + static_cast<ptrdiff_t>(i));
  const Row* row = MemoryStore::find(line.row().id);
  if (!row || row_order(line.row()) <= row_order(*row)) return;
  AdapterSink* to = sink_;
  OfferedRows write(RowOp::Narrow, line.row());
  KeepingSink c;
  attach(&c);
  MemoryStore::write(Lane::Bulk, write, 0);
  attach(to);
}

void SimDisk::fold(Random& random) {
  for (uint64_t n = random.below(lines_.size() + 1); n > 0; n--) fold(random.below(lines_.size()));
}

void SimDisk::fold_all() {
  while (!lines_.empty()) fold(size_t{0});
}

}  // namespace sim
