// Engine: what is done after rows were lost, or older ones were brought back. The table is made equal to the records: every
// record is written again (rewrite), and then rows that no record stands for are removed (sweep).
#include <algorithm>

#include "core/engine.h"
#include "core/policy.h"

namespace pua {

namespace {
constexpr int kRewritePerRun = 8;
// While at least this many deletions wait to be written, the next page is not read; and how often that is looked at.
constexpr size_t kMostErasing = 2000;
constexpr MonoMs kSweepPauseMs = 50;
}  // namespace

void Engine::on_rows_lost(MonoMs) {
  if (ended()) return;
  count_.tables_lost++;
  ports_.log.warning("store: rows were lost, or are older ones: all %zu records are written again, and what else is in the "
                     "table is removed",
                     pubs_.size() + subs_.size());
  rewrite_ = Rewrite::Publications;
  rewrite_cursor_ = 0;
  lost_in_load_ = loading_;
  if (sweeping()) sweep_again_ = true;
  else sweep_ = Sweep::Wanted;
  announce();
}

void Engine::rewrite_some(MonoMs now) {
  if (rewrite_ == Rewrite::Publications) {
    rewrite_cursor_ = pubs_.rewrite_some(rewrite_cursor_, kRewritePerRun, now);
    if (rewrite_cursor_ == 0) rewrite_ = Rewrite::Subscriptions;
  } else {
    rewrite_cursor_ = subs_.rewrite_some(rewrite_cursor_, kRewritePerRun, now);
    if (rewrite_cursor_ == 0) rewrite_ = Rewrite::No;
  }
}

// --- rows that no record stands for ------------------------------------------------------------------------------------

MonoMs Engine::sweep_due() const {
  switch (sweep_) {
    case Sweep::Wanted: return loading_ || rewrite_ != Rewrite::No ? kNever : 0;
    case Sweep::Pausing: return sweep_at_;
    case Sweep::No:
    case Sweep::Reading: break;
  }
  return kNever;
}

void Engine::sweep_on(MonoMs now) {
  if (sweep_ == Sweep::Wanted) {
    sweep_again_ = false;
    swept_to_ = 0;
    swept_ = 0;
  } else if (ports_.store.erasing() >= kMostErasing) {
    sweep_at_ = now + kSweepPauseMs;
    return;
  }
  sweep_ = Sweep::Reading;
  ports_.store.load(swept_to_, settings_.load_page);
}

void Engine::sweep_page(std::span<const Row> rows, bool last, MonoMs now) {
  if (sweep_ != Sweep::Reading) return;
  for (const Row& row : rows) {
    swept_to_ = std::max(swept_to_, row.id);
    if (stands(row, now)) continue;
    ports_.store.erase(row, now);
    swept_++;
  }
  if (sweep_again_) {
    sweep_ = Sweep::Wanted;
  } else if (!last) {
    sweep_ = Sweep::Pausing;
    sweep_at_ = now;
  } else {
    sweep_ = Sweep::No;
    ports_.log.notice("store: %llu rows of the table that no record stands for are removed",
                      static_cast<unsigned long long>(swept_));
    if (!load_again_.empty()) load_next();
  }
  announce();
}

// Does the table hold this row by right? The sweep leaves alone what it cannot judge: rows of another node, of an event package
// that is not registered (yet), and rows that cannot be read.
bool Engine::stands(const Row& row, MonoMs now) {
  if (row.owner_epoch != 0 || row.node != 0 || row.sharing_tag != settings_.sharing_tag) return true;
  bool parked = std::find(load_again_.begin(), load_again_.end(), row.event) != load_again_.end();
  if (parked || !ports_.bodies.by_flag(row.event)) return true;
  return row.watcher_uri.empty() ? pubs_.stands(row, now) : subs_.stands(row, now);
}

}  // namespace pua
