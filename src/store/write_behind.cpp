#include "store/write_behind.h"

#include <algorithm>
#include <utility>

namespace pua {

namespace {

// So many rows failing alone, one after the other, are taken for a store that is down: setting every record aside
// because of a fault that the adapter could not name would make the way back slow.
constexpr uint32_t kLoneFailures = 8;

// Fast gets at least every second turn; the others share the rest.
constexpr size_t kSteps = 8;

uint32_t doubled(uint32_t ms, uint32_t first, uint32_t ceiling) {
  return std::max(1u, std::min(ceiling, ms == 0 ? first : ms * 2));
}

}  // namespace

WriteBehind::WriteBehind(StoreAdapter& adapter, Log& log, const WriteBehindPolicy& policy, std::function<void()> wake)
    : adapter_(adapter), log_(log), policy_(policy), wake_(std::move(wake)) {
  adapter_.attach(this);
}

WriteBehind::~WriteBehind() { adapter_.attach(nullptr); }

// --- what comes in -------------------------------------------------------------------------------

void WriteBehind::mark(StoreHook& h, Lane l, MonoMs now) {
  switch (h.queue) {
    case StoreHook::Queue::Batch:  // queued again when the batch ends
      if (!h.remark) h.dirty_since = now;
      h.remark = true;
      h.remark_fast = h.remark_fast || l == Lane::Fast;
      return;
    case StoreHook::Queue::Fast:
      return;
    case StoreHook::Queue::Bulk:
      if (l == Lane::Bulk) return;
      bulk_.queue.erase(h);
      if (h.failures > 0) aside_since_.erase(aside_since_.find(h.dirty_since));
      break;
    case StoreHook::Queue::Aside:  // changed: it may be good now. Still tried alone, see start_batch
      take_aside(h);
      break;
    case StoreHook::Queue::None:
      h.dirty_since = now;
      break;
  }
  enqueue(h, l, now);
  // Only the first row of a lane, and the one that makes a group full, can make anything due sooner.
  size_t n = lane(l).queue.size();
  if (n == 1 || n == policy_.group_rows || n == policy_.bulk_rush) announce();
}

void WriteBehind::enqueue(StoreHook& h, Lane l, MonoMs now) {
  LaneState& s = lane(l);
  if (s.queue.empty()) s.since = now;
  if (h.failures > 0) aside_since_.insert(h.dirty_since);
  // A row that comes over from the other lane may be the oldest here: at the front it keeps the age gauge right.
  // (Not one that was refused before: it would hold up the good ones.)
  bool front = !s.queue.empty() && s.split_left == 0 && h.failures == 0 && h.dirty_since < s.queue.front()->dirty_since;
  if (front) {
    s.queue.push_front(h);
  } else {
    s.queue.push_back(h);
  }
}

void WriteBehind::load(int64_t after, uint32_t limit) {
  load_ = Load::Wanted;
  skip_.ask(after, limit);
  announce();
}

void WriteBehind::find(const Row& key) {
  finds_.emplace_back(key);
  if (finds_.size() == 1) announce();
}

void WriteBehind::erase(const Row& r, MonoMs now) {
  auto stray = std::make_unique<Stray>();
  stray->stray = true;
  stray->id = r.id;
  stray->owner_epoch = r.owner_epoch;
  stray->record_version = r.record_version;
  stray->node = r.node;
  StoreHook& h = *stray;
  strays_.emplace(&h, std::move(stray));
  mark(h, Lane::Bulk, now);
}

void WriteBehind::flush(MonoMs now) {
  retry_aside(kNever, now);
  for (LaneState* l : {&fast_, &bulk_}) l->hurry = !l->queue.empty() || !l->batch.empty();
  retry_at_ = now;
  retry_ms_ = 0;
  adapter_.hurry();
  announce();
}

// --- when ----------------------------------------------------------------------------------------

MonoMs WriteBehind::lane_due(Lane l) const {
  const LaneState& s = lane(l);
  if (s.queue.empty() || !s.batch.empty()) return kNever;
  MonoMs gate = down_ ? retry_at_ : 0;
  bool now = s.hurry || s.split_left > 0;
  if (l == Lane::Fast) {
    now = now || s.queue.size() >= policy_.group_rows;
    return std::max(gate, now ? s.since : std::max(s.since, s.started + policy_.group_ms));
  }
  now = now || s.queue.size() >= policy_.bulk_rush;
  MonoMs first = s.queue.front()->dirty_since;
  bool fast_comes = !fast_.queue.empty() || !fast_.batch.empty();
  if (fast_comes && !adapter_.immediate()) gate = std::max(gate, s.ended + policy_.bulk_yield_ms);
  return std::max(gate, now ? first : first + policy_.bulk_ms);
}

MonoMs WriteBehind::due(Job j) const {
  switch (j) {
    case Job::Fast: return lane_due(Lane::Fast);
    case Job::Bulk: return lane_due(Lane::Bulk);
    case Job::Load: return load_ == Load::Wanted && adapter_.readable() ? load_at_ : kNever;
    case Job::Find: return finds_.empty() || finding_ || !adapter_.readable() ? kNever : 0;
    case Job::Adapter: return adapter_.next_due();
  }
  return kNever;
}

MonoMs WriteBehind::next_due() const {
  MonoMs m = aside_.empty() ? kNever : aside_.begin()->first;
  for (Job j : {Job::Fast, Job::Bulk, Job::Load, Job::Find, Job::Adapter}) m = std::min(m, due(j));
  return m;
}

void WriteBehind::announce() {
  if (running_) return;  // the owner asks next_due() when run() returns
  MonoMs d = next_due();
  if (d == announced_) return;  // later counts, too: what is due between the two would else wake nobody
  announced_ = d;
  if (wake_) wake_();
}

// --- the turn ------------------------------------------------------------------------------------

void WriteBehind::run(MonoMs now) {
  if (running_ || reporting_) return;
  static constexpr Job kOrder[kSteps] = {Job::Fast, Job::Find, Job::Fast, Job::Load,
                                          Job::Fast, Job::Bulk, Job::Fast, Job::Adapter};
  running_ = true;
  retry_aside(now, now);
  bool one = adapter_.immediate();
  for (size_t i = 0; i < kSteps; i++) {
    Job j = kOrder[step_++ % kSteps];
    if (due(j) > now) continue;
    run_job(j, now);
    if (one) break;
  }
  running_ = false;
  announced_ = next_due();
}

void WriteBehind::run_job(Job j, MonoMs now) {
  switch (j) {
    case Job::Fast: return start_batch(Lane::Fast, now);
    case Job::Bulk: return start_batch(Lane::Bulk, now);
    case Job::Load:
      load_ = Load::UnderWay;
      return adapter_.load(skip_.after(), skip_.limit(), now);
    case Job::Find:
      finding_ = true;
      return adapter_.find(finds_.front().row(), now);
    case Job::Adapter: return adapter_.run(now);
  }
}

void WriteBehind::start_batch(Lane l, MonoMs now) {
  LaneState& s = lane(l);
  BatchLimits limits = adapter_.limits();
  size_t rows = l == Lane::Fast ? limits.fast_rows : limits.bulk_rows;
  if (s.split_left > 0) rows = std::min(rows, s.split_rows);
  s.batch.reserve(rows);
  while (s.batch.size() < rows && !s.queue.empty()) {
    StoreHook& h = *s.queue.front();
    bool suspect = h.failures > 0;  // goes alone, so that it can spoil nobody's group
    if (suspect && !s.batch.empty()) break;
    s.queue.erase(h);
    if (suspect) aside_since_.erase(aside_since_.find(h.dirty_since));
    h.queue = StoreHook::Queue::Batch;
    h.remark = h.remark_fast = false;
    s.batch.push_back(Entry{&h, h.dirty_since, h.version});
    if (suspect) break;
  }
  if (s.queue.empty()) s.hurry = false;
  s.started = s.since = now;
  s.sink = sink_;
  s.all_whole = rows_ != Rows::Kept;
  adapter_.write(l, s, now);
}

RowOp WriteBehind::LaneState::row(size_t i, Row& out) {
  Entry& e = batch[i];
  if (e.hook->stray) {
    const Stray& s = static_cast<const Stray&>(*e.hook);
    out = Row{};
    out.id = e.id = s.id;
    out.owner_epoch = s.owner_epoch;
    out.record_version = s.record_version;
    out.node = s.node;
    return RowOp::Delete;
  }
  RowOp op = sink->row_of(*e.hook, out);
  if (op == RowOp::Narrow && all_whole) op = RowOp::Upsert;
  // The next write may be narrow, unless the engine says otherwise until then. After a delete there is no row to change.
  e.whole = op == RowOp::Upsert;
  if (op != RowOp::Narrow) e.hook->whole = op == RowOp::Delete;
  e.version = e.hook->version;
  e.id = out.id;
  return op;
}

// --- how it ended --------------------------------------------------------------------------------

void WriteBehind::on_written(const WriteReport& report, MonoMs now) {
  int64_t took_us = std::max(report.took_us, (now - lane(report.lane).started) * 1000);
  flush_max_us_ = std::max(flush_max_us_, took_us);
  writes_.add(took_us);
  sort_results(report.lane, report, now);
  // Every hook is where it belongs: now the engine may mark, free and ask as it likes.
  reporting_ = true;
  for (size_t i = 0; i < ending_.size(); i++) {
    Entry e = ending_[i];
    if (e.result == WriteResult::Deferred) continue;
    if (e.hook->stray) {
      if (e.result == WriteResult::Ok) strays_.erase(e.hook);
      continue;
    }
    sink_->on_stored(*e.hook, e.version, e.result == WriteResult::Ok, now);
  }
  if (rows_ == Rows::ToTell) {
    rows_ = Rows::Kept;
    sink_->on_rows_lost(now);
  }
  reporting_ = false;
  ending_.clear();
  announce();
}

// Takes the batch apart: each hook leaves it for where it stands next. Calls nobody.
void WriteBehind::sort_results(Lane l, const WriteReport& report, MonoMs now) {
  LaneState& s = lane(l);
  ending_ = std::exchange(s.batch, {});
  s.ended = now;
  size_t ok = 0, failed = 0, tried = 0;
  for (size_t i = 0; i < ending_.size(); i++) {
    Entry& e = ending_[i];
    e.result = i < report.results.size() ? report.results[i] : WriteResult::Deferred;
    if (e.hook->stray && e.result == WriteResult::RefusedNewer)
      e.result = WriteResult::Ok;  // written meanwhile: it belongs there
    if (report.down && e.result == WriteResult::Deferred) e.result = WriteResult::FailedRetry;  // its caller may be told
    if (e.result == WriteResult::FailedRetry && ending_.size() == 1 && !report.down) {
      // A batch of one that failed, with the store up, has found its bad row.
      if (e.hook->failures > 0 || ++lone_failures_ < kLoneFailures) e.result = WriteResult::BadRow;
    }
    bool wrong =
        e.result == WriteResult::WantsWhole || e.result == WriteResult::BadRow || e.result == WriteResult::RefusedNewer;
    if (wrong || (e.whole && e.result != WriteResult::Ok)) e.hook->whole = true;
    if (e.result == WriteResult::WantsWhole) e.result = WriteResult::Deferred;  // it goes again, at once
    tried += e.result != WriteResult::Deferred;
    failed += e.result == WriteResult::FailedRetry;
    if (e.result == WriteResult::Ok) {
      ok++;
      StoreHook& h = *e.hook;
      h.queue = StoreHook::Queue::None;
      h.failures = 0;
      h.written_version = e.version;
      if (h.remark || h.version != e.version) {
        if (!h.remark) h.dirty_since = now;
        enqueue(h, h.remark_fast ? Lane::Fast : Lane::Bulk, now);
      }
    } else if (e.result == WriteResult::BadRow || e.result == WriteResult::RefusedNewer) {
      stats_.errors++;
      stats_.refused_newer += e.result == WriteResult::RefusedNewer;
      put_aside(e, report.error, now);
    }
  }
  for (size_t i = ending_.size(); i-- > 0;) {  // backwards, so that the order stays
    WriteResult r = ending_[i].result;
    if (r != WriteResult::Deferred && r != WriteResult::FailedRetry) continue;
    // One that failed alone makes room, also where it is not set aside: it may be the only bad one.
    bool alone = r == WriteResult::FailedRetry && ending_.size() == 1 && !report.down;
    requeue(l, ending_[i], alone, now);
  }
  stats_.rows_written += ok;
  if (ok > 0) lone_failures_ = 0;
  s.split_left -= std::min(s.split_left, tried - failed);
  if (report.down) {
    if (report.rows_lost) rows_ = Rows::Lost;
    s.split_left = 0;
    went_down(report.error, now);
  } else if (failed > 0 && lone_failures_ >= kLoneFailures) {
    lone_failures_ = kLoneFailures - 1;  // the next try is one row again; only a success clears the suspicion
    went_down(report.error, now);
  } else {
    if (ok > 0) came_up(now);
    if (failed > 0) after_failures(l, tried, failed);
    if (tried < ending_.size()) s.hurry = !s.queue.empty();
  }
}

void WriteBehind::requeue(Lane from, const Entry& e, bool at_end, MonoMs now) {
  StoreHook& h = *e.hook;
  h.dirty_since = e.since;
  Lane to = h.remark_fast ? Lane::Fast : from;
  LaneState& s = lane(to);
  if (s.queue.empty()) s.since = now;
  if (h.failures > 0) aside_since_.insert(h.dirty_since);
  if (at_end) s.queue.push_back(h);
  else s.queue.push_front(h);
  h.remark = h.remark_fast = false;
}

// A whole batch failed, and nothing says which row is at fault: it is halved until the bad row stands alone.
void WriteBehind::after_failures(Lane l, size_t tried, size_t failed) {
  stats_.errors++;
  LaneState& s = lane(l);
  s.split_left = std::max(s.split_left, failed);
  s.split_rows = std::max<size_t>(1, tried / 2);
}

void WriteBehind::put_aside(const Entry& e, std::string_view error, MonoMs now) {
  StoreHook& h = *e.hook;
  if (h.failures == 0) {
    if (e.result == WriteResult::RefusedNewer) error = "the database holds a newer one";
    log_.error("store: %s: row %lld was refused, it is kept and retried: %.*s", adapter_.name().c_str(),
               static_cast<long long>(e.id), static_cast<int>(error.size()), error.data());
  }
  if (h.failures < UINT8_MAX) h.failures++;
  h.dirty_since = e.since;
  if (h.remark) {  // changed meanwhile: it may be good now
    enqueue(h, h.remark_fast ? Lane::Fast : Lane::Bulk, now);
    return;
  }
  h.queue = StoreHook::Queue::Aside;
  uint32_t shift = std::min<uint32_t>(h.failures - 1u, 16);
  uint64_t wait = std::min<uint64_t>(static_cast<uint64_t>(policy_.aside_first_ms) << shift, policy_.retry_max_ms);
  aside_at_[&h] = aside_.emplace(now + static_cast<MonoMs>(wait), &h);
  aside_since_.insert(h.dirty_since);
}

void WriteBehind::take_aside(StoreHook& h) {
  auto it = aside_at_.find(&h);
  aside_.erase(it->second);
  aside_at_.erase(it);
  aside_since_.erase(aside_since_.find(h.dirty_since));
  h.queue = StoreHook::Queue::None;
}

void WriteBehind::retry_aside(MonoMs until, MonoMs now) {
  while (!aside_.empty() && aside_.begin()->first <= until) {
    StoreHook& h = *aside_.begin()->second;
    take_aside(h);
    enqueue(h, Lane::Bulk, now);
  }
}

void WriteBehind::went_down(std::string_view error, MonoMs now) {
  stats_.errors++;
  retry_ms_ = doubled(retry_ms_, policy_.retry_first_ms, policy_.retry_max_ms);
  retry_at_ = now + retry_ms_;
  if (down_) return;
  down_ = true;
  down_since_ = now;
  log_.error("store: %.*s; writes wait, SIP goes on", static_cast<int>(error.size()), error.data());
}

void WriteBehind::came_up(MonoMs now) {
  retry_ms_ = 0;
  if (!down_) return;
  down_ = false;
  if (rows_ == Rows::Lost) rows_ = Rows::ToTell;
  for (LaneState* l : {&fast_, &bulk_}) l->hurry = !l->queue.empty();
  log_.notice("store: %s takes writes again after %lld s, %zu rows wait", adapter_.name().c_str(),
              static_cast<long long>((now - down_since_) / 1000), fast_.queue.size() + bulk_.queue.size());
}

// --- loading -------------------------------------------------------------------------------------

void WriteBehind::on_rows(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) {
  if (error.empty() && !skip_.read()) {  // the end of a damaged range is near: look for it
    load_ = Load::Wanted;
    load_at_ = now;
    return announce();
  }
  if (error.empty()) {
    if (skip_.skipped_to() != skip_.asked()) tell_skipped(skip_.skipped_to());
    skip_.settle();
  }
  give_page(rows, last, error, now);
}

void WriteBehind::on_unreadable(std::string_view error, MonoMs now) {
  skip_error_ = error;
  bool go_on = skip_.failed();
  if (go_on && !skip_.searching()) return give_page({}, false, error, now);
  if (!go_on) {  // nothing readable follows
    tell_skipped(DamageSkip::kEnd);
    skip_.settle();
    return give_page({}, true, {}, now);
  }
  load_ = Load::Wanted;
  load_at_ = now;
  announce();
}

void WriteBehind::on_found(const Row* row, int64_t top, std::string_view error, MonoMs now) {
  finding_ = false;
  if (!error.empty()) {  // the load goes on when the store can be read again, and brings them all
    finds_.clear();
    return announce();
  }
  StoredRow key = std::move(finds_.front());
  finds_.pop_front();
  reporting_ = true;
  sink_->on_found(key.row(), row, top, now);
  reporting_ = false;
  announce();
}

void WriteBehind::on_rows_missing(MonoMs now) {
  stats_.errors++;
  // The table was away and was made anew: this report covers both, for all records are written again as whole rows.
  if (rows_ == Rows::Lost) rows_ = Rows::Kept;
  reporting_ = true;
  sink_->on_rows_lost(now);
  reporting_ = false;
  announce();
}

void WriteBehind::tell_skipped(int64_t to) {
  stats_.errors++;
  stats_.skipped_ranges++;
  long long first = skip_.asked() + 1;
  std::string range = to == DamageSkip::kEnd ? std::to_string(first) + " and all after it"
                                             : std::to_string(first) + " to " + std::to_string(to);
  log_.error("store: %s: rows with id %s cannot be read and are left out, %llu such ranges so far: %s", adapter_.name().c_str(),
             range.c_str(), static_cast<unsigned long long>(stats_.skipped_ranges), skip_error_.c_str());
}

void WriteBehind::give_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) {
  load_ = Load::None;
  load_retry_ms_ = error.empty() ? 0 : doubled(load_retry_ms_, policy_.retry_first_ms, policy_.retry_max_ms);
  load_at_ = now + load_retry_ms_;
  if (!error.empty()) {
    stats_.errors++;
    load_ = Load::Wanted;  // the same page again, unless the engine asks for another
  }
  reporting_ = true;
  sink_->on_page(rows, last, error, now);
  reporting_ = false;
  announce();
}

// --- gauges --------------------------------------------------------------------------------------

bool WriteBehind::clean() const {
  return fast_.queue.empty() && bulk_.queue.empty() && fast_.batch.empty() && bulk_.batch.empty() && aside_.empty();
}

size_t WriteBehind::backlog() const {
  return fast_.queue.size() + fast_.batch.size() + bulk_.queue.size() + bulk_.batch.size() + aside_.size();
}

WriteBehindStats WriteBehind::stats(MonoMs now) const {
  WriteBehindStats s = stats_;
  MonoMs oldest = now;
  for (const LaneState* l : {&fast_, &bulk_}) {
    s.backlog += l->queue.size();
    if (!l->queue.empty()) oldest = std::min(oldest, l->queue.front()->dirty_since);
    for (const Entry& e : l->batch) {
      s.backlog++;
      oldest = std::min(oldest, e.since);
    }
  }
  if (!aside_since_.empty()) oldest = std::min(oldest, *aside_since_.begin());
  s.backlog += aside_.size();
  s.set_aside = aside_.size();
  s.journal = adapter_.journal();
  s.oldest_ms = now - oldest;
  s.flush_max_ms = (flush_max_us_ + 999) / 1000;
  s.down = down_ || load_retry_ms_ > 0;
  return s;
}

}  // namespace pua
