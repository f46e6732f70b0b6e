// Subscriptions: owners' requests.
#include "core/subscriptions.h"

#include <algorithm>

#include "core/validate.h"

namespace pua {

static void put_body(std::array<std::string_view, Subscription::kFields>& text, std::string_view body, std::string_view content_type) {
  if (body.empty()) return;
  text[Subscription::kBody] = body;
  text[Subscription::kContentType] = content_type;
}

Subscriptions::Subscriptions(EngineCommon& common, HashKey key)
    : c_(common), key_(key), kept_(common.settings_.notify_keep), table_(std::clamp(common.settings_.hash_size, 1u, 24u), key) {}

Status Subscriptions::check(const SubscribeRequest& q) const {
  if (c_.closed()) return {Errc::shutting_down, "the instance is shutting down"};
  if (q.source <= 0 || (q.source & (q.source - 1))) return {Errc::bad_argument, "source_flag is not one source bit"};
  if (!c_.ports_.bodies.by_flag(q.event)) return {Errc::unknown_event, "event " + std::to_string(q.event) + " is not registered"};
  if (auto s = check_uri("pres_uri", q.pres_uri); !s) return s;
  if (auto s = check_uri("watcher_uri", q.watcher_uri); !s) return s;
  const std::pair<const char*, std::string_view> uris[] = {{"to_uri", q.to_uri}, {"contact", q.contact},
                                                           {"remote_target", q.remote_target},
                                                           {"outbound_proxy", q.outbound_proxy}};
  for (auto& [field, uri] : uris) {
    if (uri.empty()) continue;
    if (auto s = check_uri(field, uri); !s) return s;
  }
  if (q.contact.empty() && c_.settings_.contact.empty())
    return {Errc::bad_argument, "contact is missing, and there is neither a parameter contact nor a listen address"};
  if (auto s = check_text("id", q.id, kMaxToken); !s) return s;
  if (!q.event_id.empty())
    if (auto s = check_etag(q.event_id); !s) return {Errc::bad_header, "event_id is not a token"};
  if (auto s = check_headers(q.extra_headers, c_.settings_.max_headers); !s) return s;
  if (auto s = check_body(q.body, c_.settings_.max_body); !s) return s;
  if (auto s = check_text("content_type", q.content_type, kMaxToken); !s) return s;
  if (!q.body.empty() && q.content_type.empty()) return {Errc::bad_argument, "body is there, and content_type does not say what it is"};
  if (q.expires > INT32_MAX) return {Errc::bad_argument, "expires is out of range"};
  return success();
}

Status Subscriptions::subscribe(const SubscribeRequest& q, PublishDone done, MonoMs now) {
  auto refuse = [&](Status s) {
    c_.count_.rejected++;
    return s;
  };
  if (auto s = check(q); !s) return refuse(s);
  SubscriptionKey key{q.source, q.event, q.pres_uri, q.id, q.watcher_uri, q.to_uri};
  uint32_t hash = table_.hash_of(key);
  Subscription* s = table_.find(key, hash);
  if (!s)
    if (auto room = c_.room_for_new(table_.size(), q.expires != 0); !room) return refuse(room);   // a fetch has no row
  // The id parameter is part of what a dialog's NOTIFYs are told apart by (RFC 6665 section 8.2.1): it stays with the dialog.
  bool there = s && s->m->state != sub::State::Gone && s->m->state != sub::State::Ending && s->m->state != sub::State::Idle;
  if (there && !q.event_id.empty() && q.event_id != s->text.get(Subscription::kEventId))
    return refuse({Errc::bad_argument, "event_id is not that of the subscription that is there; end it first"});
  if (s && s->extra) {
    uint32_t waiting = s->extra->callers.size() + (s->extra->waiting ? s->extra->waiting->callers.size() : 0);
    if (waiting >= c_.settings_.max_waiters)
      return refuse({Errc::too_many_waiters, "max_waiters (" + std::to_string(c_.settings_.max_waiters) + ") is reached"});
  }
  c_.count_.accepted++;
  bool wanted = s && s->m->state != sub::State::Gone && s->m->wanted == sub::Wanted::Something && s->m->wanted_end > now;
  if (s && s->extra && s->extra->waiting)   // in the order they came
    wanted = !s->extra->waiting->removal && s->extra->waiting->wanted_end > now;
  if (q.keep_existing && wanted) {
    Delivery d;
    d.callers.push(std::move(done), now);
    d.result.status = 200;
    d.result.reason = "Exists already";
    d.result.durable = s->version != 0 && s->written_version == s->version;
    c_.ready_.push_back(std::move(d));
    return success();
  }
  bool maybe_in_table = c_.loading_ && (!s || s->m->state == sub::State::Idle);
  bool first = !s;
  if (first) s = &create(q, hash);
  if (maybe_in_table && !c_.outbox_.queued(*s)) {
    idle_.push_back(*s);
    Row row;   // its row, if there is one, is wanted now and not with its page
    row.flag = s->source;
    row.event = s->event;
    row.pres_uri = s->pres_uri();
    row.pres_id = s->text.get(Subscription::kId);
    row.watcher_uri = s->text.get(Subscription::kWatcher);
    row.to_uri = s->text.get(Subscription::kTo);
    c_.ports_.store.find(row);
  }
  if (s->m->state == sub::State::Sending) park(*s, q, std::move(done), now);
  else take_over(*s, q, first, std::move(done), now);
  reap();
  return success();
}

Subscription& Subscriptions::create(const SubscribeRequest& q, uint32_t hash) {
  auto s = std::make_unique<Subscription>();
  s->source = q.source;
  s->event = q.event;
  s->hash = hash;
  std::array<std::string_view, Subscription::kFields> text{};
  text[Subscription::kPresUri] = q.pres_uri;
  text[Subscription::kId] = q.id;
  text[Subscription::kWatcher] = q.watcher_uri;
  text[Subscription::kTo] = q.to_uri;
  s->put(text);
  by_state_[static_cast<int>(sub::State::Idle)]++;
  if (!q.id.empty()) ids_.insert(s.get());
  Subscription& ref = table_.insert(std::move(s));
  renew_dialog(ref);
  return ref;
}

// Nothing is out: the request becomes what is wanted, at once.
void Subscriptions::take_over(Subscription& s, const SubscribeRequest& q, bool first, PublishDone done, MonoMs now) {
  bool removal = q.expires == 0;
  SubscriptionExtra& x = s.need_extra();
  x.keep_existing = q.keep_existing && !removal && s.m->state == sub::State::Idle && x.callers.empty();
  x.callers.mark_superseded();
  x.callers.push(std::move(done), now);
  if (q.cb_param) x.cb_param = q.cb_param;
  bool fetch = first || s.m->wanted == sub::Wanted::Once || (s.m->state == sub::State::Gone && !EngineCommon::has_row(s));
  if (!removal || fetch) {
    auto text = s.text.views();
    text[Subscription::kContact] = q.contact;
    text[Subscription::kTarget] = q.remote_target;
    text[Subscription::kProxy] = q.outbound_proxy;
    if (!q.event_id.empty()) text[Subscription::kEventId] = q.event_id;
    if (!q.extra_headers.empty()) text[Subscription::kExtraHeaders] = q.extra_headers;
    put_body(text, q.body, q.content_type);
    s.put(text);
  }
  bool waited_for_row = s.m->state == sub::State::Idle;
  apply(s, {.input = sub::Input::Request, .removal = removal, .first = first, .wanted_end = q.expires > 0 ? now + q.expires * 1000 : kNever, .no_row = !c_.loading_}, nullptr, now);
  if (waited_for_row && !c_.loading_) leave_idle(s, now);
}

// A request is out: this one waits, in place of those that waited before it.
void Subscriptions::park(Subscription& s, const SubscribeRequest& q, PublishDone done, MonoMs now) {
  SubscriptionExtra& x = s.need_extra();
  bool removal = q.expires == 0;
  bool removing = s.m->wanted == sub::Wanted::Nothing || s.m->wanted == sub::Wanted::Leaving;
  bool fetching = s.m->wanted == sub::Wanted::Once;
  if (removal && (removing || fetching) && !x.waiting) {   // asked for twice: the one that is out answers both
    x.callers.push(std::move(done), now);
    return;
  }
  if (!x.waiting) x.waiting = std::make_unique<WaitingSubscribe>();
  WaitingSubscribe& w = *x.waiting;
  w.callers.mark_superseded();
  w.callers.push(std::move(done), now);
  w.removal = removal;
  if (q.cb_param) w.cb_param = q.cb_param;
  if (removal) return;
  w.wanted_end = q.expires > 0 ? now + q.expires * 1000 : kNever;
  w.contact = q.contact;
  w.target = q.remote_target;
  w.outbound_proxy = q.outbound_proxy;
  if (!q.extra_headers.empty()) {
    w.has_headers = true;
    w.extra_headers = q.extra_headers;
  }
  if (q.body.empty()) return;
  w.body = q.body;
  w.content_type = q.content_type;
}

// The request that was out is done: the newest one that waited takes effect.
void Subscriptions::start_waiting(Subscription& s, MonoMs now) {
  if (!s.extra || !s.extra->waiting || s.m->state == sub::State::Sending) return;
  std::unique_ptr<WaitingSubscribe> w = std::move(s.extra->waiting);
  SubscriptionExtra& x = *s.extra;
  x.callers.mark_superseded();
  x.callers.append(std::move(w->callers));
  if (w->cb_param) x.cb_param = w->cb_param;
  if (!w->removal) {
    auto text = s.text.views();
    text[Subscription::kContact] = w->contact;
    text[Subscription::kTarget] = w->target;
    text[Subscription::kProxy] = w->outbound_proxy;
    if (w->has_headers) text[Subscription::kExtraHeaders] = w->extra_headers;
    put_body(text, w->body, w->content_type);
    s.put(text);
  }
  apply(s, {.input = sub::Input::Request, .removal = w->removal, .waited = true, .wanted_end = w->wanted_end}, nullptr, now);
}

// The table holds no row of it: it goes its own way.
void Subscriptions::leave_idle(Subscription& s, MonoMs now) {
  s.id = c_.next_id_++;
  apply(s, {.input = sub::Input::Loaded, .no_row = true}, nullptr, now);
}

Status Subscriptions::update_contact(const DialogQuery& q, std::string_view contact, MonoMs now) {
  if (auto s = check_uri("contact", contact); !s) return s;
  Subscription* s = of_dialog(q.call_id, q.local_tag);
  if (!s || s->m->dialog != sub::Dialog::Confirmed || s->remote_tag() != q.remote_tag)
    return c_.not_here("no subscription has this dialog");
  if (s->text.get(Subscription::kRemote) == contact) return success();
  auto text = s->text.views();
  text[Subscription::kRemote] = contact;
  s->put(text);
  if (!sub::row_over(*s->m)) {
    s->version++;
    mark(*s, Lane::Bulk, now);
  }
  return success();
}

// The dialog has ended and nobody wants another one, though the answer to its last request is still to come.
static bool over(const Subscription& s) {
  bool wanted = s.m->wanted == sub::Wanted::Something || s.m->wanted == sub::Wanted::Once;
  bool asked_again = s.extra && s.extra->waiting && !s.extra->waiting->removal;
  return s.m->state == sub::State::Sending && s.m->dialog == sub::Dialog::None && !wanted && !asked_again;
}

DialogFound Subscriptions::find_dialog(const DialogQuery& q, std::string* id) const {
  DialogFound found = DialogFound::No;
  auto look = [&](const Subscription& s) {
    if (s.m->state == sub::State::Gone || s.m->state == sub::State::Ending || over(s)) return;
    if (!q.pres_uri.empty() && s.pres_uri() != q.pres_uri) return;
    if (!q.watcher_uri.empty() && s.text.get(Subscription::kWatcher) != q.watcher_uri) return;
    if (!q.id.empty() && s.text.get(Subscription::kId) != q.id) return;
    if ((q.event && s.event != q.event) || (q.source && s.source != q.source)) return;
    if (!q.remote_tag.empty() && s.remote_tag() != q.remote_tag) return;
    DialogFound now = s.m->dialog == sub::Dialog::Confirmed ? DialogFound::Established : DialogFound::BeingMade;
    if (now <= found) return;
    found = now;
    if (id) *id = s.text.get(Subscription::kId);
  };
  if (!q.call_id.empty()) {
    for (auto [at, end] = dialogs_.equal_range(dialog_hash(q.call_id)); at != end; ++at) {
      const Subscription& s = *at->second;
      if (s.call_id() != q.call_id) continue;
      if (q.local_tag.empty() || s.text.get(Subscription::kLocalTag) == q.local_tag) look(s);
    }
  } else if (!q.pres_uri.empty()) {
    table_.of_uri(q.pres_uri, look);
  }
  return found == DialogFound::No && c_.loading_ ? DialogFound::Unknown : found;
}

void Subscriptions::of_id(std::string_view prefix, const std::function<void(const RecordView&)>& fn, MonoMs now) const {
  for (auto at = ids_.lower_bound(prefix); at != ids_.end() && ById::id(*at).starts_with(prefix); ++at) {
    const Subscription& s = **at;
    if (s.m->state != sub::State::Gone && s.m->state != sub::State::Ending && !over(s)) fn(view(s, now));
  }
}

bool Subscriptions::quiet() const {
  auto in = [&](sub::State st) { return by_state_[static_cast<int>(st)]; };
  return in(sub::State::Idle) == 0 && in(sub::State::Intent) == 0 && in(sub::State::Queued) == 0 && in(sub::State::Sending) == 0;
}

bool Subscriptions::remove_some(uint32_t limit, MonoMs now) {
  std::vector<Subscription*> some;
  remove_cursor_ = table_.walk(remove_cursor_, limit, [&](Subscription& s) { some.push_back(&s); });
  for (Subscription* s : some) {
    bool revived = s->extra && s->extra->waiting;   // a subscribe may wait behind the removal that is out
    if (s->m->state == sub::State::Gone || (s->m->wanted != sub::Wanted::Something && !revived)) continue;
    if (s->extra) s->extra->callers.mark_superseded();
    if (s->m->state == sub::State::Sending) {
      SubscriptionExtra& x = s->need_extra();
      if (!x.waiting) x.waiting = std::make_unique<WaitingSubscribe>();
      x.waiting->callers.mark_superseded();
      x.waiting->removal = true;
    } else {
      apply(*s, {.input = sub::Input::Request, .removal = true}, nullptr, now);
    }
  }
  reap();
  return remove_cursor_ == 0;
}

uint64_t Subscriptions::rewrite_some(uint64_t cursor, uint32_t limit, MonoMs now) {
  return table_.walk(cursor, limit, [&](Subscription& s) {
    if (!EngineCommon::has_row(s)) return;
    s.whole = true;
    mark(s, Lane::Bulk, now);
  });
}

bool Subscriptions::take_callers(uint32_t limit, std::deque<Delivery>& out) {
  end_cursor_ = table_.walk(end_cursor_, limit, [&](Subscription& s) {
    if (!s.extra) return;
    Delivery d;
    d.callers.append(std::move(s.extra->callers));
    if (s.extra->waiting) d.callers.append(std::move(s.extra->waiting->callers));
    if (!d.callers.empty()) out.push_back(std::move(d));
  });
  return end_cursor_ == 0;
}

void Subscriptions::reap() {
  for (size_t i = 0; i < reap_.size(); i++) {
    Subscription& s = *reap_[i];
    s.reaping = false;
    if (s.m->state != sub::State::Gone || s.queue != StoreHook::Queue::None) continue;  // born again meanwhile
    c_.settle_acks(s, s.version, true);
    c_.deadlines_.remove(s);
    unindex(s);
    kept_.drop(s.kept);
    ids_.erase(&s);
    by_state_[static_cast<int>(sub::State::Gone)]--;
    table_.remove(s);
  }
  reap_.clear();
}

void Subscriptions::to_reap(Subscription& s) {
  if (s.reaping) return;
  s.reaping = true;
  if (c_.loading_) c_.ended_rows_.insert(s.id);
  reap_.push_back(&s);
}

}  // namespace pua
