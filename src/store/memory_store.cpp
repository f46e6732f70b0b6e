#include "store/memory_store.h"

#include "store/columns.h"

namespace pua {

MemoryStore::Key MemoryStore::key_of(const Row& r) {
  return {std::string(r.pres_uri), r.event, r.flag, std::string(r.pres_id), std::string(r.watcher_uri),
          std::string(r.to_uri)};
}

WriteResult MemoryStore::apply(RowOp op, const Row& r) {
  auto old = rows_.find(r.id);
  if (old != rows_.end() && row_order(r) < row_order(old->second.row())) return WriteResult::RefusedNewer;
  if (op == RowOp::Delete) {
    if (old != rows_.end()) {
      keys_.erase(key_of(old->second.row()));
      rows_.erase(old);
    }
    return WriteResult::Ok;
  }
  if (op == RowOp::Narrow) {
    if (old == rows_.end()) return WriteResult::WantsWhole;
    Row changed = old->second.row();
    take_narrow(changed, r);
    old->second = StoredRow(changed);
    return WriteResult::Ok;
  }
  if (old != rows_.end()) {
    old->second = StoredRow(r);
    return WriteResult::Ok;
  }
  auto [key, fresh] = keys_.try_emplace(key_of(r), r.id);
  if (!fresh) {
    auto other = rows_.find(key->second);
    if (std::pair(r.owner_epoch, r.id) < std::pair(other->second.row().owner_epoch, other->first)) {
      return WriteResult::RefusedNewer;
    }
    rows_.erase(other);
    key->second = r.id;
  }
  rows_.emplace(r.id, StoredRow(r));
  return WriteResult::Ok;
}

void MemoryStore::write(Lane lane, RowSource& rows, MonoMs now) {
  results_.clear();
  for (size_t i = 0; i < rows.size(); i++) {
    Row r;
    RowOp op = rows.row(i, r);
    results_.push_back(apply(op, r));
  }
  WriteReport report;
  report.lane = lane;
  report.results = results_;
  sink_->on_written(report, now);
}

void MemoryStore::load(int64_t after, uint32_t limit, MonoMs now) {
  std::vector<Row> page;
  auto it = rows_.upper_bound(after);
  for (; it != rows_.end() && page.size() < limit; ++it) page.push_back(it->second.row());
  sink_->on_rows(page, it == rows_.end(), {}, now);
}

void MemoryStore::find(const Row& key, MonoMs now) {
  auto it = keys_.find(key_of(key));
  auto above = rows_.upper_bound(kMaxCountedId);
  int64_t top = above == rows_.begin() ? 0 : std::prev(above)->first;
  sink_->on_found(it == keys_.end() ? nullptr : find(it->second), top, {}, now);
}

Result<std::string> MemoryStore::get_meta(std::string_view name) {
  auto it = meta_.find(name);
  return it == meta_.end() ? std::string() : it->second;
}

Status MemoryStore::set_meta(std::string_view name, std::string_view value) {
  meta_.insert_or_assign(std::string(name), std::string(value));
  return success();
}

const Row* MemoryStore::find(int64_t id) const {
  auto it = rows_.find(id);
  return it == rows_.end() ? nullptr : &it->second.row();
}

}  // namespace pua
