// Engine: rows. Records become rows when the store asks for them, rows become records when the table is loaded.
#include <algorithm>

#include "core/engine.h"

namespace pua {

RowOp Engine::row_of(const StoreHook& hook, Row& out) {
  const Entity& entity = static_cast<const Entity&>(hook);
  RowOp op = entity.kind == Kind::Subscription ? subs_.row_of(static_cast<const SubscriptionRecord&>(entity), out)
                                               : pubs_.row_of(static_cast<const PublicationRecord&>(entity), out);
  // While every row is being written again, nobody knows which rows the table holds, so that none may be written in part.
  return op == RowOp::Upsert && !hook.whole && rewrite_ == Rewrite::No ? RowOp::Narrow : op;
}

void Engine::on_stored(StoreHook& hook, uint32_t version, bool ok, MonoMs now) {
  if (ended()) return;
  // A row that the database refuses by itself says nothing about whether the database takes others.
  if (ok || hook.failures == 0) store_up_ = ok;
  of_kind(static_cast<Entity&>(hook), [&](auto& keeper, auto& r) { keeper.on_stored(r, version, ok, now); });
  announce();
}

void Engine::event_added(int32_t flag) {
  auto it = kept_aside_.find(flag);
  if (it == kept_aside_.end()) return;
  kept_aside_.erase(it);
  // The load that follows skips rows of other packages, which are in memory already. While a load is under way it waits for its
  // end.
  load_again_.push_back(flag);
  if (!loading_ && !sweeping()) load_next();
}

void Engine::on_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) {
  if (ended() || (!loading_ && !sweeping())) return;
  if (!error.empty()) {
    if (!load_fails_) ports_.log.error("load: %.*s; the store tries again", static_cast<int>(error.size()), error.data());
    load_fails_ = true;
    return;
  }
  if (load_fails_) ports_.log.notice("load: the table can be read again");
  load_fails_ = false;
  if (!loading_) return sweep_page(rows, last, now);
  for (const Row& row : rows) {
    last_loaded_ = std::max(last_loaded_, row.id);
    if (row.id <= kMaxCountedId) next_id_ = std::max(next_id_, row.id + 1);
    load_row(row, now);
  }
  next_id_ = std::max(next_id_, ports_.store.top_id() + 1);
  if (last) {
    finish_load();
  } else {
    ports_.store.load(last_loaded_, settings_.load_page);
  }
  pubs_.reap();
  subs_.reap();
  announce();
}

void Engine::on_found(const Row& key, const Row* row, int64_t top, MonoMs now) {
  if (ended() || !loading_) return;
  next_id_ = std::max({next_id_, top + 1, ports_.store.top_id() + 1});
  if (row) load_row(*row, now);
  else if (!key.watcher_uri.empty()) subs_.not_in_table(key, now);
  else pubs_.not_in_table(key, now);
  pubs_.reap();
  subs_.reap();
  announce();
}

void Engine::load_row(const Row& row, MonoMs now) {
  if ((load_only_ && row.event != load_only_) || ended_rows_.contains(row.id)) return;
  if (!row.watcher_uri.empty()) subs_.load_row(row, now);
  else pubs_.load_row(row, now);
}

void Engine::finish_load() {
  if (load_again_.empty()) ended_rows_.clear();
  loading_ = false;  // records that waited for a row that did not come go on in run()
  lost_in_load_ = false;
  load_only_ = 0;
  // Records that were made by requests during the load, whether they wait for its end or not, are not among these.
  size_t publications = pubs_.loaded(), subscriptions = subs_.loaded();
  if (ports_.store.durable() || publications + subscriptions > 0)
    ports_.log.notice("load: %zu publications, %zu subscriptions", publications, subscriptions);
  if (!load_again_.empty()) load_next();
}

// Loads the rows of an event package that was registered after the load before this one had begun.
void Engine::load_next() {
  load_only_ = load_again_.back();
  load_again_.pop_back();
  loading_ = true;
  last_loaded_ = 0;
  ports_.store.load(0, settings_.load_page);
}

}  // namespace pua
