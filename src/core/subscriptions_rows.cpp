// Subscriptions: rows, views and gauges.
#include <algorithm>

#include "core/subscriptions.h"
#include "core/validate.h"

namespace pua {

namespace {
// The row may be older than the last request, and CSeq must grow within a dialog (RFC 3261 section 12.2.1.1). So it goes on
// kCseqJump after that of the row, and kCseqPerSecond more for each second since the row was written: if the process starts
// twice with nothing written in between, the second start goes on behind what the first one used (docs/adr/0007).
constexpr int64_t kCseqJump = 1000, kCseqPerSecond = 100, kCseqJumpMax = 10000000;
constexpr uint32_t kCseqMax = 0x7fffffff;
}  // namespace

void Subscriptions::row_key(const SubscriptionRecord& s, Row& out) {
  out.flag = s.source;
  out.event = s.event;
  out.pres_uri = s.pres_uri();
  out.pres_id = s.text.get(SubscriptionRecord::kId);
  out.watcher_uri = s.text.get(SubscriptionRecord::kWatcher);
  out.to_uri = s.text.get(SubscriptionRecord::kTo);
}

void Subscriptions::put_row(std::array<std::string_view, SubscriptionRecord::kFields>& text, const Row& row) {
  text[SubscriptionRecord::kPresUri] = row.pres_uri;
  text[SubscriptionRecord::kId] = row.pres_id;
  text[SubscriptionRecord::kWatcher] = row.watcher_uri;
  text[SubscriptionRecord::kTo] = row.to_uri;
}

void Subscriptions::dies(SubscriptionRecord& s) {
  dialogs_.remove(s);
  dialogs_.remove_id(s);
  kept_.drop(s.kept);
}

void Subscriptions::fill_row(const SubscriptionRecord& s, Row& out) const {
  const sub::Subscription& m = *s.m;
  bool there = m.dialog == sub::Dialog::Confirmed;
  if (m.build == sub::Build::Replay) out.updated_at = s.extra->cseq_since;   // the jump of CSeq, still to come, needs that time
  out.event_id = s.text.get(SubscriptionRecord::kEventId);
  out.contact = s.text.get(SubscriptionRecord::kContact);
  out.target = s.text.get(SubscriptionRecord::kTarget);
  out.extra_headers = s.text.get(SubscriptionRecord::kExtraHeaders);
  out.body = s.text.get(SubscriptionRecord::kBody);
  out.content_type = s.text.get(SubscriptionRecord::kContentType);
  out.outbound_proxy = s.proxy();
  out.call_id = s.call_id();
  out.from_tag = s.text.get(SubscriptionRecord::kLocalTag);
  if (there) {
    out.to_tag = s.remote_tag();
    out.remote_contact = s.text.get(SubscriptionRecord::kRemote);
    out.record_route = s.text.get(SubscriptionRecord::kRouteSet);
  }
  out.expires = m.grant_end ? to_epoch(sub::removal_end(m), c_.epoch_offset_) : 0;
  out.desired_expires = m.wanted != sub::Wanted::Something ? 1 : to_epoch(m.wanted_end, c_.epoch_offset_);
  bool out_now = m.state == sub::State::Sending;
  sub::Op op = out_now ? m.op : sub::next_op(m);
  if (op == sub::Op::Remove && m.wanted != sub::Wanted::Something) {
    out.intent = static_cast<int32_t>(op);
  } else if (op == sub::Op::Initial && out_now) {   // after a quick restart the same request goes out again
    out.intent = static_cast<int32_t>(op);
    out.intent_expires = static_cast<int32_t>(m.asked);
  }
}

// The first column that makes the row unreadable; nullptr: the row can be used.
const char* Subscriptions::unreadable(const Row& row) const {
  auto odd = [](int64_t seconds) { return seconds < 0 || seconds > kMaxEpoch; };
  auto no_uri = [](std::string_view uri) { return !uri.empty() && !check_uri("uri", uri); };
  if (row.id <= 0 || row.id > kMaxRowId) return "id";
  if (row.record_version >= kMaxRowVersion) return "record_version";
  if (row.owner_epoch != 0) return "owner_epoch";   // a row of another node, which this version does not know
  if (odd(row.updated_at)) return "updated_at";
  if (row.flag <= 0) return "flag";
  if (odd(row.expires)) return "expires";
  if (odd(row.desired_expires)) return "desired_expires";
  if (!check_uri("pres_uri", row.pres_uri)) return "pres_uri";
  if (!check_uri("watcher_uri", row.watcher_uri)) return "watcher_uri";
  if (no_uri(row.to_uri)) return "to_uri";
  if (no_uri(row.contact)) return "contact";
  if (no_uri(row.remote_contact)) return "remote_contact";
  if (no_uri(row.target)) return "target";
  if (no_uri(row.outbound_proxy)) return "outbound_proxy";
  if (!check_text("pres_id", row.pres_id, kMaxToken)) return "pres_id";
  if (!row.event_id.empty() && !check_etag(row.event_id)) return "event_id";
  if (row.call_id.size() > kMaxToken || !check_text("call_id", row.call_id, kMaxToken)) return "call_id";
  if (!check_tag("from_tag", row.from_tag)) return "from_tag";
  if (!check_tag("to_tag", row.to_tag)) return "to_tag";
  if (!check_text("record_route", row.record_route, kMaxRoutes)) return "record_route";
  if (!check_headers(row.extra_headers, SIZE_MAX)) return "extra_headers";
  if (!check_text("content_type", row.content_type, kMaxToken)) return "content_type";
  return nullptr;
}

// Puts the row's texts into the record, but for those that an owner's request has brought meanwhile (asked, and not existing).
void Subscriptions::restore_text(SubscriptionRecord& s, const Row& row, bool named, bool asked, bool existing) {
  auto text = s.text.views();
  if (existing) {
    for (auto f : {SubscriptionRecord::kEventId, SubscriptionRecord::kContact, SubscriptionRecord::kTarget,
                   SubscriptionRecord::kExtraHeaders, SubscriptionRecord::kProxy, SubscriptionRecord::kBody,
                   SubscriptionRecord::kContentType})
      text[f] = {};
  }
  auto keep = [&](SubscriptionRecord::Field f, std::string_view stored) {
    if (text[f].empty()) text[f] = stored;
  };
  keep(SubscriptionRecord::kEventId, row.event_id);
  keep(SubscriptionRecord::kExtraHeaders, row.extra_headers);
  if (text[SubscriptionRecord::kBody].empty() && !row.body.empty() && !row.content_type.empty()) {
    text[SubscriptionRecord::kBody] = row.body;
    text[SubscriptionRecord::kContentType] = row.content_type;
  }
  // An owner who wants the subscription has named contact, target and next hop, or left them empty for their defaults.
  // Otherwise those of the row stay.
  if (!asked || existing || !wanted(s)) {
    keep(SubscriptionRecord::kContact, row.contact);
    keep(SubscriptionRecord::kTarget, row.target);
    keep(SubscriptionRecord::kProxy, row.outbound_proxy);
  }
  text[SubscriptionRecord::kCallId] = row.call_id;
  text[SubscriptionRecord::kLocalTag] = row.from_tag;
  text[SubscriptionRecord::kRemoteTag] = row.to_tag;
  text[SubscriptionRecord::kRemote] = row.remote_contact;
  text[SubscriptionRecord::kRouteSet] = row.record_route;
  if (named && !row.to_tag.empty()) text[SubscriptionRecord::kEventId] = row.event_id;   // that of the dialog, which goes on
  s.put(text);
}

// The subscription goes on with the row's dialog. If an owner has made a request meanwhile, that stays what is wanted.
void Subscriptions::adopt(SubscriptionRecord& s, const Row& row, bool asked, MonoMs now) {
  const sub::Subscription& m = *s.m;
  dialogs_.remove(s);
  // All who asked for it meanwhile only want it to exist (keep_existing), and the row says that it does: what the row says
  // counts, and nothing of their requests.
  bool wanted_still = row.desired_expires != 1 && from_epoch(row.desired_expires, c_.epoch_offset_) > now;
  bool existing = asked && s.extra->keep_existing && wanted_still;
  // Where CSeq has no room for the jump, the dialog cannot go on.
  bool named = !row.call_id.empty() && !row.from_tag.empty() && row.cseq <= kCseqMax - kCseqJump;
  restore_text(s, row, named, asked, existing);
  bool initial_out = row.intent == static_cast<int32_t>(sub::Op::Initial) && row.intent_expires > 0;
  bool replay = named && row.to_tag.empty() && initial_out && !asked;
  sub::RestoredDialog past;
  bool removing = row.desired_expires == 1 || row.intent == static_cast<int32_t>(sub::Op::Remove) ||
                  c_.removing_ != EngineCommon::Removing::No;
  past.wanted = !removing;
  past.dialog = named && !row.to_tag.empty();
  past.replay = replay;
  past.asked = static_cast<uint32_t>(std::max(row.intent_expires, 0));
  past.wanted_end = from_epoch(row.desired_expires, c_.epoch_offset_);
  past.grant_end = row.expires > 0 ? from_epoch(row.expires, c_.epoch_offset_) : 0;
  past.requested = asked;
  past.existing = existing;
  if (past.dialog || replay) {
    dialogs_.add(s);
    restore_cseq(s, row, replay, now);
  }
  apply(s, {.input = sub::Input::Restored, .row = &past}, nullptr, now);
  // The row in the table is whole and true, so that narrow writes are enough, unless something of it is different now.
  s.whole = asked || m.dialog == sub::Dialog::None || row.sharing_tag != c_.settings_.sharing_tag;
  // After a restart every dialog is refreshed once, to fetch its state. The refreshes are spread over a time that grows with
  // their number.
  MonoMs window = std::min<MonoMs>(kLoadSpread, c_.count_.loaded);
  if (m.grant_end > now) window = std::min(window, (m.grant_end - now) / 2);
  MonoMs due = -1;
  if (!asked || existing)
    due = now + static_cast<MonoMs>(c_.random_.below(static_cast<uint64_t>(std::max<MonoMs>(window, 1))));
  apply(s, {.input = sub::Input::Loaded, .due = due}, nullptr, now);
  if (existing && s.extra && !s.extra->callers.empty()) tell(s, 200, "Exists already", now);
}

// Where CSeq goes on in the row's dialog: see kCseqJump.
void Subscriptions::restore_cseq(SubscriptionRecord& s, const Row& row, bool replay, MonoMs now) {
  int64_t age = row.updated_at > 0 ? now + c_.epoch_offset_ - (row.updated_at - 1) * 1000 : 0;   // the row has whole seconds
  int64_t jump = kCseqJump + std::clamp<int64_t>(age * kCseqPerSecond / 1000, 0, kCseqJumpMax);
  jump = std::min<int64_t>(jump, kCseqMax - kCseqJump - row.cseq);
  s.cseq = row.cseq;
  if (replay) {   // the repeated request has the row's CSeq; the jump comes after it (Effects::skip_cseqs)
    s.need_extra().cseq_jump = static_cast<uint32_t>(jump);
    s.extra->cseq_since = row.updated_at;
  } else {
    s.cseq += static_cast<uint32_t>(jump);
  }
}

RecordView Subscriptions::view(const SubscriptionRecord& s, MonoMs now) const {
  RecordView v;
  const sub::Subscription& m = *s.m;
  const EventInfo* event = c_.ports_.bodies.by_flag(s.event);
  bool there = m.dialog == sub::Dialog::Confirmed;
  v.kind = Kind::Subscription;
  v.id = s.id;
  v.source = s.source;
  v.event = s.event;
  if (event) v.event_name = event->name;
  v.pres_uri = s.pres_uri();
  v.pres_id = s.text.get(SubscriptionRecord::kId);
  v.watcher_uri = s.text.get(SubscriptionRecord::kWatcher);
  v.to_uri = s.to_uri();
  v.event_id = s.text.get(SubscriptionRecord::kEventId);
  v.extra_headers = s.text.get(SubscriptionRecord::kExtraHeaders);
  v.body = s.text.get(SubscriptionRecord::kBody);
  v.content_type = s.text.get(SubscriptionRecord::kContentType);
  v.outbound_proxy = s.proxy();
  v.contact = contact_of(s);
  v.call_id = s.call_id();
  v.from_tag = s.text.get(SubscriptionRecord::kLocalTag);
  v.to_tag = s.remote_tag();
  std::string_view remote = s.text.get(SubscriptionRecord::kRemote);
  v.remote_target = there && !remote.empty() ? remote : s.target();
  v.route_set = s.text.get(SubscriptionRecord::kRouteSet);
  v.state = sub::state_name(m.state);
  v.dialog = m.dialog == sub::Dialog::None || m.state == sub::State::Gone ? "none"
             : !there                                                   ? "early"
             : m.notified == sub::Notified::Pending                     ? "pending"
             : m.notified == sub::Notified::Active                      ? "active"
                                                                        : "confirmed";
  v.expires_in = m.grant_end ? (m.grant_end - now + 999) / 1000 : 0;
  v.wanted_in = m.wanted_end == kNever ? kForEver : (m.wanted_end - now + 999) / 1000;
  MonoMs due = c_.deadlines_.due(s);
  v.next_in_ms = due == kNever ? -1 : std::max<MonoMs>(0, due - now);
  v.cseq = s.cseq;
  v.version = s.doc_version;
  v.attempts = m.attempts;
  v.last_status = s.last_status;
  v.waiters = waiters(s);
  v.removing = m.wanted != sub::Wanted::Something;
  v.stored = s.written_version == s.version && s.version != 0 && c_.ports_.store.durable();
  v.cb_param = s.extra ? s.extra->cb_param : nullptr;
  v.notifies = s.notifies;
  v.notify_cseq = s.remote_cseq;
  v.refused = m.refused;
  if (s.notifies) {
    static constexpr std::string_view states[] = {"", "pending", "active", "other"};
    v.notify_state = states[static_cast<int>(m.notified)];
    v.notify_ago_ms = now - s.notified_at;
  }
  if (s.kept) {
    v.notify_reason = s.kept->reason;
    v.notify_content_type = s.kept->content_type;
    v.notify_body = s.kept->body;
  }
  return v;
}

void Subscriptions::add_stats(Stats& s) const {
  s.subscriptions = static_cast<int64_t>(size());
  s.subs_live = in(sub::State::Live);
  s.subs_waiting = in(sub::State::Waiting);
  s.subs_backoff = in(sub::State::Backoff);
}

}  // namespace pua
