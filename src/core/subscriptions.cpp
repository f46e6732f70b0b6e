// Subscriptions: owners' requests.
#include "core/subscriptions.h"

#include <algorithm>

#include "core/validate.h"

namespace pua {

using Texts = std::array<std::string_view, SubscriptionRecord::kFields>;

static void put_body(Texts& text, std::string_view body, std::string_view content_type) {
  if (body.empty()) return;
  text[SubscriptionRecord::kBody] = body;
  text[SubscriptionRecord::kContentType] = content_type;
}

// What a request for the subscription says, but for its key. What it leaves out stays, except where the default is meant.
static void put_request(Texts& text, const SubscribeRequest& q) {
  text[SubscriptionRecord::kContact] = q.contact;
  text[SubscriptionRecord::kTarget] = q.remote_target;
  text[SubscriptionRecord::kProxy] = q.outbound_proxy;
  if (!q.event_id.empty()) text[SubscriptionRecord::kEventId] = q.event_id;
  if (!q.extra_headers.empty()) text[SubscriptionRecord::kExtraHeaders] = q.extra_headers;
  put_body(text, q.body, q.content_type);
}

Status Subscriptions::check(const SubscribeRequest& q) const {
  if (c_.closed()) return {Errc::shutting_down, "the instance is shutting down"};
  if (q.source <= 0 || (q.source & (q.source - 1))) return {Errc::bad_argument, "source_flag is not one source bit"};
  if (!c_.ports_.bodies.by_flag(q.event))
    return {Errc::unknown_event, "event " + std::to_string(q.event) + " is not registered"};
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
  if (!q.body.empty() && q.content_type.empty())
    return {Errc::bad_argument, "body is there, and content_type does not say what it is"};
  if (q.expires > INT32_MAX) return {Errc::bad_argument, "expires is out of range"};
  return success();
}

Status Subscriptions::subscribe(const SubscribeRequest& q, RequestDone done, MonoMs now) {
  auto refuse = [&](Status s) {
    c_.count_.rejected++;
    return s;
  };
  if (auto s = check(q); !s) return refuse(s);
  SubscriptionKey key{q.source, q.event, q.pres_uri, q.id, q.watcher_uri, q.to_uri};
  uint32_t hash = table_.hash_of(key);
  SubscriptionRecord* s = table_.find(key, hash);
  if (!s)
    if (auto room = room_for(s, q.expires != 0); !room) return refuse(room);   // a fetch has no row
  // NOTIFYs are matched to their subscription by the id of Event too (RFC 6665 section 8.2.1), so that it cannot change in a
  // dialog.
  bool there = s && s->m->state != sub::State::Gone && s->m->state != sub::State::Ending && s->m->state != sub::State::Idle;
  if (there && !q.event_id.empty() && q.event_id != s->text.get(SubscriptionRecord::kEventId))
    return refuse({Errc::bad_argument, "event_id is not that of the subscription that is there; end it first"});
  if (s)
    if (auto room = room_for(s, false); !room) return refuse(room);
  c_.count_.accepted++;
  bool wanted = s && s->m->state != sub::State::Gone && s->m->wanted == sub::Wanted::Something && s->m->wanted_end > now;
  if (s && s->extra && s->extra->waiting)   // the request that waits decides, because it comes before this one
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
  bool first = !s, wait = maybe_in_table(s);
  if (first) {
    Texts text{};
    text[SubscriptionRecord::kPresUri] = q.pres_uri;
    text[SubscriptionRecord::kId] = q.id;
    text[SubscriptionRecord::kWatcher] = q.watcher_uri;
    text[SubscriptionRecord::kTo] = q.to_uri;
    put_request(text, q);
    DialogNames names = new_names();
    text[SubscriptionRecord::kCallId] = names.call_id;
    text[SubscriptionRecord::kLocalTag] = names.tag;
    s = &make(q.source, q.event, hash, text);
    dialogs_.add(*s);
  }
  if (wait) wait_for_row(*s, now);
  if (s->m->state == sub::State::Sending) put_behind(*s, q, std::move(done), now);
  else take_over(*s, q, first, std::move(done), now);
  reap();
  return success();
}

// No request is out, so that this one takes effect at once.
void Subscriptions::take_over(SubscriptionRecord& s, const SubscribeRequest& q, bool first, RequestDone done, MonoMs now) {
  bool removal = q.expires == 0;
  SubscriptionExtra& x = s.need_extra();
  x.keep_existing = q.keep_existing && !removal && s.m->state == sub::State::Idle && x.callers.empty();
  join(s, std::move(done), q.cb_param, now);
  bool fetch = first || s.m->wanted == sub::Wanted::Once || (s.m->state == sub::State::Gone && !EngineCommon::has_row(s));
  if (!first && (!removal || fetch)) {   // a new subscription was made with them
    auto text = s.text.views();
    put_request(text, q);
    s.put(text);
  }
  bool waited_for_row = s.m->state == sub::State::Idle;
  MonoMs wanted_end = q.expires > 0 ? now + q.expires * 1000 : kNever;
  Event e{.input = Input::Request, .removal = removal, .first = first, .wanted_end = wanted_end, .no_row = !c_.loading_};
  apply(s, e, nullptr, now);
  if (waited_for_row && !c_.loading_) leave_idle(s, now);
}

// A request is out, so that this one waits.
void Subscriptions::put_behind(SubscriptionRecord& s, const SubscribeRequest& q, RequestDone done, MonoMs now) {
  SubscriptionExtra& x = s.need_extra();
  bool removal = q.expires == 0;
  // The removal was asked for twice: the reply to the one that is out is the outcome of both.
  if (removal && !wanted(s) && !x.waiting) return x.callers.push(std::move(done), now);
  WaitingSubscribe& w = park(s, std::move(done), q.cb_param, removal, now);
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

void Subscriptions::resume(SubscriptionRecord& s, WaitingSubscribe& w, MonoMs now) {
  if (!w.removal) {
    auto text = s.text.views();
    text[SubscriptionRecord::kContact] = w.contact;
    text[SubscriptionRecord::kTarget] = w.target;
    text[SubscriptionRecord::kProxy] = w.outbound_proxy;
    if (w.has_headers) text[SubscriptionRecord::kExtraHeaders] = w.extra_headers;
    put_body(text, w.body, w.content_type);
    s.put(text);
  }
  apply(s, {.input = sub::Input::Request, .removal = w.removal, .waited = true, .wanted_end = w.wanted_end}, nullptr, now);
}

Status Subscriptions::update_contact(const DialogQuery& q, std::string_view contact, MonoMs now) {
  if (auto s = check_uri("contact", contact); !s) return s;
  SubscriptionRecord* s = dialogs_.find(q.call_id, q.local_tag);
  if (!s || s->m->dialog != sub::Dialog::Confirmed || s->remote_tag() != q.remote_tag)
    return c_.not_here("no subscription has this dialog");
  if (s->text.get(SubscriptionRecord::kRemote) == contact) return success();
  auto text = s->text.views();
  text[SubscriptionRecord::kRemote] = contact;
  s->put(text);
  if (!sub::row_over(*s->m)) {
    s->version++;
    mark(*s, Lane::Bulk, now);
  }
  return success();
}

// Whether a subscription in state Sending is over for its owner: the dialog has ended and nobody wants another one, though the
// reply to its last request is still to come.
static bool over(const SubscriptionRecord& s) {
  bool wanted = s.m->wanted == sub::Wanted::Something || s.m->wanted == sub::Wanted::Once;
  bool asked_again = s.extra && s.extra->waiting && !s.extra->waiting->removal;
  return s.m->state == sub::State::Sending && s.m->dialog == sub::Dialog::None && !wanted && !asked_again;
}

DialogFound Subscriptions::find_dialog(const DialogQuery& q, std::string* id) const {
  DialogFound found = DialogFound::No;
  auto look = [&](const SubscriptionRecord& s) {
    if (s.m->state == sub::State::Gone || s.m->state == sub::State::Ending || over(s)) return;
    if (!q.pres_uri.empty() && s.pres_uri() != q.pres_uri) return;
    if (!q.watcher_uri.empty() && s.text.get(SubscriptionRecord::kWatcher) != q.watcher_uri) return;
    if (!q.id.empty() && s.text.get(SubscriptionRecord::kId) != q.id) return;
    if ((q.event && s.event != q.event) || (q.source && s.source != q.source)) return;
    if (!q.remote_tag.empty() && s.remote_tag() != q.remote_tag) return;
    DialogFound now = s.m->dialog == sub::Dialog::Confirmed ? DialogFound::Established : DialogFound::BeingMade;
    if (now <= found) return;
    found = now;
    if (id) *id = s.text.get(SubscriptionRecord::kId);
  };
  if (!q.call_id.empty()) {
    dialogs_.of_call(q.call_id, [&](const SubscriptionRecord& s) {
      if (q.local_tag.empty() || s.text.get(SubscriptionRecord::kLocalTag) == q.local_tag) look(s);
    });
  } else if (!q.pres_uri.empty()) {
    table_.of_uri(q.pres_uri, look);
  }
  return found == DialogFound::No && c_.loading_ ? DialogFound::Unknown : found;
}

void Subscriptions::of_id(std::string_view prefix, const std::function<void(const RecordView&)>& fn, MonoMs now) const {
  dialogs_.of_id(prefix, [&](const SubscriptionRecord& s) {
    if (s.m->state != sub::State::Gone && s.m->state != sub::State::Ending && !over(s)) fn(view(s, now));
  });
}

}  // namespace pua
