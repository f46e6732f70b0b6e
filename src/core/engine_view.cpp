// Engine: looking in from outside, without changing anything.
#include <algorithm>

#include "core/engine.h"

namespace pua {

RecordView Engine::view(const Record& r, MonoMs now) const {
  RecordView v;
  const EventInfo* event = ports_.bodies.by_flag(r.event);
  v.id = r.id;
  v.source = r.source;
  v.event = r.event;
  if (event) v.event_name = event->name;
  v.pres_uri = r.pres_uri();
  v.pres_id = r.pres_id();
  v.etag = r.etag();
  v.tuple_id = r.text.get(Record::kTupleId);
  v.content_type = r.text.get(Record::kContentType);
  if (v.content_type.empty() && event && !r.body().empty()) v.content_type = event->content_type;
  v.body = r.body();
  v.extra_headers = r.text.get(Record::kExtraHeaders);
  v.outbound_proxy = r.proxy();
  name_call(r);
  v.call_id = call_id_;
  v.state = state_name(r.pub->state);
  v.expires_in = r.pub->grant_end ? (r.pub->grant_end - now + 999) / 1000 : 0;
  v.wanted_in = r.pub->wanted_end == kNever ? kForEver : (r.pub->wanted_end - now + 999) / 1000;
  MonoMs due = deadlines_.due(r);
  v.next_in_ms = due == kNever ? -1 : std::max<MonoMs>(0, due - now);
  v.cseq = r.cseq;
  v.version = r.doc_version;
  v.attempts = r.pub->attempts;
  v.last_status = r.last_status;
  v.waiters = r.extra ? r.extra->callers.size() + (r.extra->waiting ? r.extra->waiting->callers.size() : 0) : 0;
  v.removing = r.pub->wanted != Wanted::Something;
  v.stored = r.written_version == r.version && r.version != 0 && ports_.store.durable();
  v.cb_param = r.extra ? r.extra->cb_param : nullptr;
  return v;
}

std::vector<std::string_view> state_names(std::optional<Kind> kind) {
  std::vector<std::string_view> names;
  auto add = [&](std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (size_t i = 0; i < kStates && kind != Kind::Subscription; i++) add(state_name(static_cast<State>(i)));
  for (size_t i = 0; i < sub::kStates && kind != Kind::Publication; i++) add(sub::state_name(static_cast<sub::State>(i)));
  return names;
}

// Publications first, then subscriptions: a bit above the 32 of a hash tells where it stands. Far from the top: clients take
// the cursor for a number, signed and often a double.
ListPage Engine::list(const ListFilter& f, uint64_t cursor, uint32_t limit,
                      const std::function<void(const RecordView&)>& show, MonoMs now) const {
  constexpr uint64_t kSecond = 1ull << 40;
  ListPage page;
  uint32_t shown = 0;
  constexpr uint32_t kScan = 5000;  // records looked at in one call, about a millisecond
  limit = std::max(limit, 1u);
  if (!(cursor & kSecond) && f.kind != Kind::Subscription) {
    do {
      cursor = table_.walk(cursor, 1, [&](Record& r) {
        page.scanned++;
        if (!f.matches(Kind::Publication, r.event, r.source, state_name(r.pub->state), r.pres_uri())) return;
        show(view(r, now));
        shown++;
      });
    } while (cursor && shown < limit && page.scanned < kScan);
    page.next = cursor;
    if (cursor || f.kind == Kind::Publication) return page;
    if (subs_.size() == 0) return page;
    if (shown >= limit || page.scanned >= kScan) {
      page.next = kSecond;
      return page;
    }
  }
  uint64_t next = subs_.list(f, cursor & ~kSecond, limit - shown, kScan, page, show, now);
  page.next = next ? next | kSecond : 0;
  return page;
}

Status Engine::show(std::string_view pres_uri, int32_t event, int32_t source,
                    const std::function<void(const RecordView&)>& fn, MonoMs now) const {
  bool any = false;
  table_.of_uri(pres_uri, [&](Record& r) {
    if ((event && r.event != event) || (source && r.source != source)) return;
    any = true;
    fn(view(r, now));
  });
  if (subs_.show(pres_uri, event, source, fn, now)) any = true;
  if (!any) return not_here("nothing published or subscribed for " + std::string(pres_uri));
  return success();
}

Stats Engine::stats() const {
  Stats s = count_;
  s.replies_2xx = measures_.all(Final::C2xx);
  s.replies_3xx = measures_.all(Final::C3xx);
  s.replies_4xx = measures_.all(Final::C4xx);
  s.replies_5xx = measures_.all(Final::C5xx);
  s.replies_6xx = measures_.all(Final::C6xx);
  s.timeouts = measures_.all(Final::Timeout);
  s.transport_errors = measures_.all(Final::Transport);
  auto in = [&](State st) { return by_state_[static_cast<int>(st)]; };
  s.records = static_cast<int64_t>(table_.size());
  s.live = in(State::Live);
  s.sending = in(State::Sending);
  s.queued = in(State::Queued);
  s.intent = in(State::Intent);
  s.backoff = in(State::Backoff);
  s.gone = in(State::Gone);
  s.loading = loading_;
  s.in_flight = outbox_.in_flight();
  s.breaker_open = outbox_.open_count();
  s.breaker_trips = static_cast<int64_t>(outbox_.trips());
  s.servers_quiet = outbox_.quiet_count();
  s.server_holds = static_cast<int64_t>(outbox_.holds());
  subs_.add_stats(s);
  for (auto& [flag, n] : parked_) s.parked += static_cast<int64_t>(n);
  return s;
}

std::array<StateCount, kStates> Engine::publications_by_state() const {
  std::array<StateCount, kStates> out{};
  for (size_t i = 0; i < kStates; i++) out[i] = {state_name(static_cast<State>(i)), by_state_[i]};
  return out;
}

const Record* Engine::find(const RecordKey& k) const { return table_.find(k, table_.hash_of(k)); }

}  // namespace pua
