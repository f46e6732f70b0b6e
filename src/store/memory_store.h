// Memory store: the adapter without a disk. For `memory:`, for tests and for the simulation.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "store/adapter.h"
#include "store/stored_row.h"

namespace pua {

// How two versions of one id are ordered: owner_epoch, record_version, node.
inline auto row_order(const Row& r) { return std::tuple(r.owner_epoch, r.record_version, r.node); }

class MemoryStore : public StoreAdapter {
 public:
  bool immediate() const override { return true; }
  bool durable() const override { return false; }
  void write(Lane lane, RowSource& rows, MonoMs now) override;
  void load(int64_t after, uint32_t limit, MonoMs now) override;
  void find(const Row& key, MonoMs now) override;
  Result<std::string> get_meta(std::string_view name) override;
  Status set_meta(std::string_view name, std::string_view value) override;
  std::string name() const override { return "memory:"; }

  size_t rows() const { return rows_.size(); }
  void clear() { rows_.clear(), keys_.clear(); }
  const Row* find(int64_t id) const;

 private:
  // Unique key, in the order of the schema's index.
  using Key = std::tuple<std::string, int32_t, int32_t, std::string, std::string, std::string>;
  static Key key_of(const Row& r);
  WriteResult apply(RowOp op, const Row& r);

  std::map<int64_t, StoredRow> rows_;
  std::map<Key, int64_t> keys_;
  std::map<std::string, std::string, std::less<>> meta_;
  std::vector<WriteResult> results_;
};

}  // namespace pua
