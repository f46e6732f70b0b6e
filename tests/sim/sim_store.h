// The simulated database: a disk that survives kills, behind an adapter that fails and stalls as `mode` says.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "sim_disk.h"

namespace sim {

using pua::MonoMs;

enum class StoreMode { Ok, Slow, Failing, Down };

class SimStore : public pua::StoreAdapter {
 public:
  // immediate: writes end inside the call, as with SQLite; else they end later, one batch a lane, as with MariaDB.
  SimStore(SimDisk& disk, pua::Random& random, bool immediate) : disk_(disk), random_(random), immediate_(immediate) {
    if (!immediate) disk_.fold_all();   // puadbctl, which takes a table to another database, reads the journal too
    disk_.journaled = immediate;
  }
  StoreMode mode = StoreMode::Ok;
  std::function<void(pua::Lane, pua::RowOp, const pua::Row&)> seen;   // each row as it is taken into a batch

  bool immediate() const override { return immediate_; }
  pua::BatchLimits limits() const override { return {16, 32}; }
  void write(pua::Lane lane, pua::RowSource& rows, MonoMs now) override;
  void load(int64_t after, uint32_t limit, MonoMs now) override;
  void find(const pua::Row& key, MonoMs now) override;
  pua::Result<std::string> get_meta(std::string_view name) override { return disk_.get_meta(name); }
  pua::Status set_meta(std::string_view n, std::string_view v) override { return disk_.set_meta(n, v); }
  std::string name() const override { return "sim"; }
  MonoMs next_due() const override;
  void run(MonoMs now) override;
  // SIGKILL: a batch that is being written may or may not reach the disk.
  void kill(MonoMs now);

 private:
  struct Item { pua::RowOp op; pua::StoredRow row; };
  struct Batch { MonoMs due = 0; std::vector<Item> items; bool active = false; };
  // early: the page was read when it was asked for; else it is read when it is delivered.
  struct Load {
    MonoMs due = 0;
    int64_t after = 0;
    uint32_t limit = 0;
    bool active = false;
    std::optional<std::pair<std::vector<pua::StoredRow>, bool>> early;
  };
  void finish(pua::Lane lane, Batch& b, MonoMs now);
  void to_disk(std::vector<Item>& items, std::vector<pua::WriteResult>& results, MonoMs now);

  SimDisk& disk_;
  pua::Random& random_;
  bool immediate_;
  Batch batch_[2];
  Load load_;
  std::optional<std::pair<MonoMs, pua::StoredRow>> find_;
};

}  // namespace sim
