// Publications: rows, views and gauges.
#include <algorithm>

#include "core/etag.h"
#include "core/publications.h"
#include "core/validate.h"

namespace pua {

// The request that the row says is still to be done. A refresh is not noted, because to send it a second time does no harm.
static Op intent_of(const Publication& p) {
  if (p.state == State::Live || p.state == State::Idle) return Op::None;
  Op op = p.state == State::Sending ? p.op : next_op(p);
  return op == Op::Refresh ? Op::None : op;
}

void Publications::row_key(const PublicationRecord& r, Row& out) {
  out.flag = r.source;
  out.event = r.event;
  out.pres_uri = r.pres_uri();
  out.pres_id = r.pres_id();
}

void Publications::put_row(std::array<std::string_view, PublicationRecord::kFields>& text, const Row& row) {
  text[PublicationRecord::kPresUri] = row.pres_uri;
  text[PublicationRecord::kId] = row.pres_id;
  text[PublicationRecord::kTupleId] = row.tuple_id;
  text[PublicationRecord::kContentType] = row.content_type;
  text[PublicationRecord::kExtraHeaders] = row.extra_headers;
  text[PublicationRecord::kProxy] = row.outbound_proxy;
  text[PublicationRecord::kBody] = row.body;
  text[PublicationRecord::kEtag] = row.etag;
}

void Publications::fill_row(const PublicationRecord& r, Row& out) const {
  const Publication& p = *r.m;
  name_call(r);
  out.etag = r.etag();
  out.tuple_id = r.text.get(PublicationRecord::kTupleId);
  out.call_id = call_id_;
  out.from_tag = from_tag_;
  out.version = r.doc_version;
  out.extra_headers = r.text.get(PublicationRecord::kExtraHeaders);
  out.body = r.body();
  out.content_type = r.text.get(PublicationRecord::kContentType);
  out.outbound_proxy = r.proxy();
  MonoMs end = p.wanted == Wanted::Something ? p.grant_end : held_until(p);   // a removal is tried for as long as it may help
  out.expires = p.grant_end ? to_epoch(end, c_.epoch_offset_) : 0;
  // If nothing is wanted any more, the wanted end lies in the past. 1 does; 0 would mean "for ever".
  out.desired_expires = p.wanted != Wanted::Something ? 1 : to_epoch(p.wanted_end, c_.epoch_offset_);
  Op intent = intent_of(p);
  out.intent = static_cast<int32_t>(intent);
  if (intent != Op::None) {
    bool out_now = p.state == State::Sending, next = p.state == State::Intent;
    if (!out_now && p.build != Build::Replay) out.cseq++;   // the CSeq of the request that goes out next
    // The Expires of the request that is out, or leaves as soon as this row is committed. 0: it is not known yet, so that the
    // request cannot be repeated.
    if (intent != Op::Remove && (out_now || next)) out.intent_expires = static_cast<int32_t>(p.asked);
  }
}

// The first column that makes the row unreadable; nullptr: the row can be used.
const char* Publications::unreadable(const Row& row) const {
  auto odd = [](int64_t seconds) { return seconds < 0 || seconds > kMaxEpoch; };
  if (row.id <= 0 || row.id > kMaxRowId) return "id";
  if (row.record_version >= kMaxRowVersion) return "record_version";
  if (row.owner_epoch != 0) return "owner_epoch";   // a row of another node, which this version does not know
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

// Whether the row holds all that an initial request needs. The state of some events is in header fields, without a body.
bool Publications::has_state(const Row& row) const {
  return !row.body.empty() || (c_.ports_.bodies.by_flag(row.event)->content_type.empty() && !row.extra_headers.empty());
}

// The record goes on from the row. If an owner has made a request meanwhile, that stays what is wanted.
void Publications::adopt(PublicationRecord& r, const Row& row, bool asked, MonoMs now) {
  // The row in the table is whole and true, so that narrow writes are enough, unless something of it is different now.
  r.whole = asked || row.sharing_tag != c_.settings_.sharing_tag;
  r.doc_version = std::max(row.version, r.doc_version);
  r.cseq = std::min<uint32_t>(row.cseq, 0x7fff0000u);
  CallNumbers names;
  RestoredPublication past;
  past.named = read_names(row.call_id, row.from_tag, c_.settings_.host, names);
  r.call_number = names.call;
  r.tag_number = names.tag;
  past.wanted = row.desired_expires != 1 && c_.removing_ == EngineCommon::Removing::No;
  past.etag = !row.etag.empty();
  past.state = has_state(row);
  past.wanted_end = from_epoch(row.desired_expires, c_.epoch_offset_);
  past.grant_end = row.expires > 0 ? from_epoch(row.expires, c_.epoch_offset_) : 0;
  past.intent = row.intent >= 0 && row.intent <= static_cast<int>(Op::Remove) ? static_cast<Op>(row.intent) : Op::None;
  past.asked = static_cast<uint32_t>(std::max(row.intent_expires, 0));
  past.requested = asked;
  if (asked) past.requested_at = r.extra->asked_at;
  apply(r, {.input = Input::Restored, .row = &past}, nullptr, now, asked ? &row : nullptr);
  if (asked) return apply(r, {.input = Input::Loaded, .asked = true}, nullptr, now);
  const Publication& p = *r.m;
  bool dead = p.wanted_end <= now || p.wanted != Wanted::Something;
  if (dead && (p.known == Known::Never || p.grant_end + kRemovalGrace <= now)) c_.count_.load_expired++;
  MonoMs due = first_refresh(p, now);
  apply(r, {.input = Input::Loaded, .due = past.intent == Op::None ? due : -1}, nullptr, now);
}

// When to refresh first after a restart. The refreshes of many publications are spread: each over the second half of the time
// until what is left of its grant is due for a refresh, or, if its grant (nearly) ended meanwhile, over a time that grows with
// the number of rows.
MonoMs Publications::first_refresh(const Publication& p, MonoMs now) {
  MonoMs left = p.grant_end - now;
  if (left > 2000) {
    MonoMs half = refresh_after(static_cast<uint32_t>(left / 1000), c_.random_) / 2;
    return now + half + static_cast<MonoMs>(c_.random_.below(static_cast<uint64_t>(half + 1)));
  }
  MonoMs window = std::min<MonoMs>(kLoadSpread, c_.count_.loaded);
  if (left > 0) window = std::min(window, left / 2);
  return now + static_cast<MonoMs>(c_.random_.below(static_cast<uint64_t>(std::max<MonoMs>(window, 1))));
}

RecordView Publications::view(const PublicationRecord& r, MonoMs now) const {
  RecordView v;
  const EventInfo* event = c_.ports_.bodies.by_flag(r.event);
  v.id = r.id;
  v.source = r.source;
  v.event = r.event;
  if (event) v.event_name = event->name;
  v.pres_uri = r.pres_uri();
  v.pres_id = r.pres_id();
  v.etag = r.etag();
  v.tuple_id = r.text.get(PublicationRecord::kTupleId);
  v.content_type = r.text.get(PublicationRecord::kContentType);
  if (v.content_type.empty() && event && !r.body().empty()) v.content_type = event->content_type;
  v.body = r.body();
  v.extra_headers = r.text.get(PublicationRecord::kExtraHeaders);
  v.outbound_proxy = r.proxy();
  name_call(r);
  v.call_id = call_id_;
  v.state = state_name(r.m->state);
  v.expires_in = r.m->grant_end ? (r.m->grant_end - now + 999) / 1000 : 0;
  v.wanted_in = r.m->wanted_end == kNever ? kForEver : (r.m->wanted_end - now + 999) / 1000;
  MonoMs due = c_.deadlines_.due(r);
  v.next_in_ms = due == kNever ? -1 : std::max<MonoMs>(0, due - now);
  v.cseq = r.cseq;
  v.version = r.doc_version;
  v.attempts = r.m->attempts;
  v.last_status = r.last_status;
  v.waiters = waiters(r);
  v.removing = r.m->wanted != Wanted::Something;
  v.stored = r.written_version == r.version && r.version != 0 && c_.ports_.store.durable();
  v.cb_param = r.extra ? r.extra->cb_param : nullptr;
  return v;
}

void Publications::add_stats(Stats& s) const {
  s.records = static_cast<int64_t>(size());
  s.live = in(State::Live);
  s.sending = in(State::Sending);
  s.queued = in(State::Queued);
  s.intent = in(State::Intent);
  s.backoff = in(State::Backoff);
  s.gone = in(State::Gone);
}

}  // namespace pua
