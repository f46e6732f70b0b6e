// Engine: rows. Records become rows when the store asks, rows become records at start.
#include <algorithm>
#include <cstdio>

#include "core/engine.h"
#include "core/etag.h"
#include "core/policy.h"
#include "core/validate.h"

namespace pua {

namespace {

constexpr int64_t kMaxEpoch = 100000000000;

// Monotonic deadline <-> seconds of calendar time in a row (0: none), rounded up: never early after a restart.
int64_t to_epoch(MonoMs t, int64_t offset) { return t == kNever ? 0 : std::max<int64_t>(1, (t + offset + 999) / 1000); }
MonoMs from_epoch(int64_t s, int64_t offset) { return s <= 0 ? kNever : s * 1000 - offset; }

// What is still to be done at the server, as the row tells it. A refresh leaves no trace: repeating it does no harm.
Op intent_of(const Publication& p) {
  if (p.state == State::Live || p.state == State::Idle) return Op::None;
  Op op = p.state == State::Sending ? p.op : next_op(p);
  return op == Op::Refresh ? Op::None : op;
}

}  // namespace

RowOp Engine::row_of(const StoreHook& hook, Row& out) {
  const Entity& entity = static_cast<const Entity&>(hook);
  RowOp op = entity.kind == Kind::Subscription ? subs_.row_of(static_cast<const Subscription&>(entity), out)
                                               : publication_row(static_cast<const Record&>(entity), out);
  // While rows are written again, nobody knows which of them the table holds.
  return op == RowOp::Upsert && !hook.whole && rewrite_ == Rewrite::No ? RowOp::Narrow : op;
}

RowOp Engine::publication_row(const Record& r, Row& out) const {
  const Publication& p = *r.pub;
  out = Row{};
  out.id = r.id;
  out.record_version = r.version;
  out.updated_at = to_epoch(r.dirty_since, epoch_offset_);
  if (p.state == State::Gone) return RowOp::Delete;
  name_call(r);
  out.flag = r.source;
  out.event = r.event;
  out.pres_uri = r.pres_uri();
  out.pres_id = r.pres_id();
  out.etag = r.etag();
  out.tuple_id = r.text.get(Record::kTupleId);
  out.call_id = call_id_;
  out.from_tag = from_tag_;
  out.version = r.doc_version;
  out.extra_headers = r.text.get(Record::kExtraHeaders);
  out.sharing_tag = settings_.sharing_tag;
  out.body = r.body();
  out.content_type = r.text.get(Record::kContentType);
  out.outbound_proxy = r.proxy();
  out.expires = p.grant_end ? to_epoch(p.grant_end, epoch_offset_) : 0;
  // Nothing wanted any more is a wanted end in the past; 1 is never "for ever".
  out.desired_expires = p.wanted != Wanted::Something ? 1 : to_epoch(p.wanted_end, epoch_offset_);
  Op intent = intent_of(p);
  out.intent = static_cast<int32_t>(intent);
  out.cseq = r.cseq;
  if (intent != Op::None) {
    bool out_now = p.state == State::Sending, next = p.state == State::Intent;
    out.cseq = out_now ? r.cseq : next_cseq(r);
    // The Expires of the request that is out or leaves as soon as this row is committed; 0: not known, not repeatable.
    if (intent != Op::Remove && (out_now || next)) out.intent_expires = static_cast<int32_t>(p.asked);
  }
  return RowOp::Upsert;
}

void Engine::on_stored(StoreHook& hook, uint32_t version, bool ok, MonoMs now) {
  if (ended()) return;
  // A row that was refused on its own says nothing about the others.
  if (ok || hook.failures == 0) store_up_ = ok;
  Entity& entity = static_cast<Entity&>(hook);
  if (entity.kind == Kind::Subscription) {
    subs_.on_stored(static_cast<Subscription&>(entity), version, ok, now);
    return announce();
  }
  Record& r = static_cast<Record&>(entity);
  if (r.pub->state == State::Intent && (!ok || static_cast<int32_t>(version - r.intent_version) >= 0))
    apply(r, Event{.input = Input::Proceed}, nullptr, now);
  settle_acks(r, version, ok);
  if (ok && r.pub->state == State::Gone && version == r.version && r.queue == StoreHook::Queue::None) {
    r.written_version = 0;   // it has no row any more
    apply(r, Event{.input = Input::Stored}, nullptr, now);
    reap();
  } else if (r.extra && r.extra->callers.empty() && !r.extra->waiting && !r.acks &&
             !r.extra->cb_param && r.pub->state == State::Live) {
    r.extra.reset();  // back to the small form
  }
  announce();
}

void Engine::event_added(int32_t flag) {
  auto it = parked_.find(flag);
  if (it == parked_.end()) return;
  parked_.erase(it);
  // Rows of other packages are in memory already and skipped; a load under way sees the new package anyway.
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
  reap();
  announce();
}

void Engine::on_found(const Row& key, const Row* row, int64_t top, MonoMs now) {
  if (ended() || !loading_) return;
  next_id_ = std::max({next_id_, top + 1, ports_.store.top_id() + 1});
  if (row) {
    load_row(*row, now);
  } else if (!key.watcher_uri.empty()) {
    subs_.not_in_table(key, now);
  } else {
    RecordKey k{key.flag, key.event, key.pres_uri, key.pres_id};
    if (Record* r = table_.find(k, table_.hash_of(k)); r && r->pub->state == State::Idle) leave_idle(*r, now);
  }
  reap();
  announce();
}

// Why a row cannot be taken; nullptr: it can.
const char* Engine::unreadable(const Row& row) const {
  auto odd = [](int64_t seconds) { return seconds < 0 || seconds > kMaxEpoch; };
  if (row.id <= 0 || row.id > kMaxRowId) return "id";
  if (row.record_version >= kMaxRowVersion) return "record_version";
  if (row.owner_epoch != 0) return "owner_epoch";   // of a node: there are none in this version
  if (row.flag <= 0) return "flag";
  if (odd(row.expires)) return "expires";
  if (odd(row.desired_expires)) return "desired_expires";
  if (!check_uri("pres_uri", row.pres_uri)) return "pres_uri";
  if (!check_text("pres_id", row.pres_id, kMaxToken)) return "pres_id";
  if (!row.etag.empty() && !usable_etag(row.etag)) return "etag";
  if (!check_text("tuple_id", row.tuple_id, kMaxToken)) return "tuple_id";
  if (!check_text("content_type", row.content_type, kMaxToken)) return "content_type";
  if (!check_headers(row.extra_headers, SIZE_MAX)) return "extra_headers";
  if (!row.outbound_proxy.empty() && !check_uri("outbound_proxy", row.outbound_proxy)) return "outbound_proxy";
  return nullptr;
}

void Engine::load_row(const Row& row, MonoMs now) {
  if ((load_only_ && row.event != load_only_) || ended_rows_.contains(row.id)) return;
  if (!row.watcher_uri.empty()) return subs_.load_row(row, now);
  if (const char* column = unreadable(row)) {
    count_.load_bad++;
    uint64_t more = 0;
    if (bad_row_gate_.pass(now, more))
      ports_.log.warning("load: row %lld stays as it is, its %s is not readable", static_cast<long long>(row.id), column);
    return;
  }
  if (!ports_.bodies.by_flag(row.event)) {
    if (parked_[row.event]++ == 0)
      ports_.log.notice("load: rows of event %d are kept aside until it is registered", row.event);
    return;
  }
  RecordKey key{row.flag, row.event, row.pres_uri, row.pres_id};
  uint32_t hash = table_.hash_of(key);
  Record* known = table_.find(key, hash);
  if (known && known->pub->state != State::Idle) return;
  if (known) return adopt(*known, row, true, now);  // a request came for it before its row did
  auto fresh = std::make_unique<Record>();
  fresh->source = row.flag;
  fresh->event = row.event;
  fresh->hash = hash;
  std::array<std::string_view, Record::kFields> text{};
  text[Record::kPresUri] = row.pres_uri;
  text[Record::kId] = row.pres_id;
  text[Record::kTupleId] = row.tuple_id;
  text[Record::kContentType] = row.content_type;
  text[Record::kExtraHeaders] = row.extra_headers;
  text[Record::kProxy] = row.outbound_proxy;
  text[Record::kBody] = row.body;
  text[Record::kEtag] = row.etag;
  fresh->put(text);
  by_state_[static_cast<int>(State::Idle)]++;
  adopt(table_.insert(std::move(fresh)), row, false, now);
}

// Whether it holds all that an initial request needs: of some events the state is in header fields.
bool Engine::has_state(const Row& row) const {
  return !row.body.empty() || (ports_.bodies.by_flag(row.event)->content_type.empty() && !row.extra_headers.empty());
}

// The row becomes the record's; what an owner asked for meanwhile stays what is wanted.
void Engine::adopt(Record& r, const Row& row, bool asked, MonoMs now) {
  count_.loaded++;
  r.id = row.id;
  r.version = std::max({r.version, row.record_version, 1u});  // 0 would mean that there is no row to delete
  r.written_version = r.version;
  // The row as it is, but for what an owner asked for meanwhile.
  r.whole = asked || row.sharing_tag != settings_.sharing_tag || rewrite_ != Rewrite::No;
  r.doc_version = std::max(row.version, r.doc_version);
  r.cseq = std::min<uint32_t>(row.cseq, 0x7fff0000u);
  CallNumbers names;
  RestoredPublication past;
  past.named = read_names(row.call_id, row.from_tag, settings_.host, names);
  r.call_number = names.call;
  r.tag_number = names.tag;
  past.wanted = row.desired_expires != 1 && removing_ == Removing::No;
  past.etag = !row.etag.empty();
  past.state = has_state(row);
  past.wanted_end = from_epoch(row.desired_expires, epoch_offset_);
  past.grant_end = row.expires > 0 ? from_epoch(row.expires, epoch_offset_) : 0;
  past.intent = row.intent >= 0 && row.intent <= static_cast<int>(Op::Remove) ? static_cast<Op>(row.intent) : Op::None;
  past.asked = static_cast<uint32_t>(std::max(row.intent_expires, 0));
  past.requested = asked;
  apply(r, Event{.input = Input::Restored, .row = &past}, nullptr, now, asked ? &row : nullptr);
  if (asked) return apply(r, Event{.input = Input::Loaded}, nullptr, now);
  const Publication& p = *r.pub;
  bool dead = p.wanted_end <= now || p.wanted != Wanted::Something;
  if (dead && (p.known == Known::Never || p.grant_end + kRemovalGrace <= now)) count_.load_expired++;
  MonoMs due = first_refresh(p, now);
  apply(r, Event{.input = Input::Loaded, .due = past.intent == Op::None ? due : -1}, nullptr, now);
}

// Refreshes after a restart are spread: over the second half of the time until the refresh point of what is left of the grant, or,
// where that has passed, over a time that grows with their number.
MonoMs Engine::first_refresh(const Publication& p, MonoMs now) {
  MonoMs left = p.grant_end - now;
  if (left > 2000) {
    MonoMs half = refresh_after(static_cast<uint32_t>(left / 1000), random_) / 2;
    return now + half + static_cast<MonoMs>(random_.below(static_cast<uint64_t>(half + 1)));
  }
  MonoMs window = std::min<MonoMs>(kLoadSpread, count_.loaded);
  if (left > 0) window = std::min(window, left / 2);
  return now + static_cast<MonoMs>(random_.below(static_cast<uint64_t>(std::max<MonoMs>(window, 1))));
}

void Engine::finish_load() {
  if (load_again_.empty()) ended_rows_.clear();
  loading_ = false;  // what waited for a row that did not come goes on in run()
  load_only_ = 0;
  // What was asked for meanwhile, and is in no row, was not loaded.
  size_t publications = table_.size() - static_cast<size_t>(by_state_[static_cast<int>(State::Idle)]), subscriptions = subs_.loaded();
  if (ports_.store.durable() || publications + subscriptions > 0)
    ports_.log.notice("load: %zu publications, %zu subscriptions", publications, subscriptions);
  if (!load_again_.empty()) load_next();
}

// Rows of an event package that was registered meanwhile.
void Engine::load_next() {
  load_only_ = load_again_.back();
  load_again_.pop_back();
  loading_ = true;
  last_loaded_ = 0;
  ports_.store.load(0, settings_.load_page);
}

// The table holds no row of this record: it goes its own way.
void Engine::leave_idle(Record& r, MonoMs now) {
  r.id = next_id_++;
  apply(r, Event{.input = Input::Loaded, .no_row = true}, nullptr, now);
}

}  // namespace pua
