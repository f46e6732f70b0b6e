// Subscriptions: NOTIFYs. Each is either taken whole or refused and changes nothing (RFC 6665 section 4.1.3).
#include <algorithm>

#include "core/policy.h"
#include "core/subscriptions.h"
#include "core/validate.h"

namespace pua {

namespace {
constexpr int kHandlersPerRun = 8;
constexpr size_t kKeepBody = 1024;          // a longer document is shown to the handlers only

// Of an Event the package counts, and its id; no other parameter does (RFC 3265 section 7.2.1): ";sla" may be there or not.
std::string_view package_of(std::string_view event) { return event.substr(0, event.find(';')); }

sub::Notified notified_of(std::string_view state) {
  if (state == "active") return sub::Notified::Active;
  return state == "pending" ? sub::Notified::Pending : sub::Notified::Other;
}
}  // namespace

Subscription* Subscriptions::of_dialog(std::string_view call_id, std::string_view local_tag) const {
  if (call_id.empty()) return nullptr;
  for (auto [at, end] = dialogs_.equal_range(dialog_hash(call_id)); at != end; ++at) {
    Subscription& s = *at->second;
    if (s.call_id() == call_id && s.text.get(Subscription::kLocalTag) == local_tag) return &s;
  }
  return nullptr;
}

bool Subscriptions::expects(std::string_view call_id) const {
  return dialogs_.find(dialog_hash(call_id)) != dialogs_.end();
}

NotifyAnswer Subscriptions::refuse(int status, std::string reason, std::string headers) {
  (status == 481 ? c_.count_.notifies_unknown : c_.count_.notifies_bad)++;
  return {status, std::move(reason), std::move(headers)};
}

// What a 489 must say (RFC 6665 section 8.2.2).
std::string Subscriptions::allow_events() const {
  std::string_view names = c_.ports_.bodies.allow_events();
  return names.empty() ? std::string() : "Allow-Events: " + std::string(names) + "\r\n";
}

NotifyAnswer Subscriptions::on_notify(const NotifyRequest& n, MonoMs now) {
  if (c_.ended()) return refuse(503, "Shutting down", "Retry-After: 5\r\n");   // not 481: the dialog goes on after a restart
  if (n.event.empty()) return refuse(489, "Event is missing", allow_events());
  if (n.state.empty()) return refuse(400, "Subscription-State is missing");
  const EventInfo* event = c_.ports_.bodies.by_name(n.event);
  if (!event) event = c_.ports_.bodies.by_name(package_of(n.event));
  if (!event) return refuse(489, "Bad Event", allow_events());
  Subscription* s = of_dialog(n.call_id, n.local_tag);
  if (!s || s->m.state == sub::State::Idle) {
    if (c_.loading_) return refuse(503, "Not loaded yet", "Retry-After: 1\r\n");
    return refuse(481, "Subscription Does Not Exist");
  }
  if (s->m.state == sub::State::Gone || s->m.dialog == sub::Dialog::None) return refuse(481, "Subscription Does Not Exist");
  // The first branch of a forked request that made a dialog is kept, the others end by this answer.
  if (n.remote_tag.empty()) return refuse(400, "From has no tag");
  if (s->m.dialog == sub::Dialog::Confirmed && s->remote_tag() != n.remote_tag) return refuse(481, "Another branch was first");
  if (event->flag != s->event) {
    const EventInfo* ours = c_.ports_.bodies.by_flag(s->event);
    if (!ours || package_of(ours->name) != package_of(event->name)) return refuse(481, "Subscribed to another event");
    event = ours;
  }
  if (n.event_id != s->text.get(Subscription::kEventId)) return refuse(481, "Subscribed with another event id");
  if (s->has_remote_cseq && n.cseq < s->remote_cseq) return refuse(500, "Request Out Of Order");
  if (s->has_remote_cseq && n.cseq == s->remote_cseq) {
    c_.count_.notifies_repeated++;
    return {};
  }
  // A Contact that is known was looked at when it came.
  if (!n.contact.empty() && n.contact != s->text.get(Subscription::kRemote) && !check_uri("Contact", n.contact).ok()) return refuse(400, "Contact is no URI");
  // A host hands in what it likes; what goes into a row must come out of it again.
  if (!check_tag("From", n.remote_tag)) return refuse(400, "From tag is not usable");
  if (!check_text("Record-Route", n.route_set, kMaxRoutes)) return refuse(400, "Record-Route is not usable");
  DocumentState doc;
  if (!n.body.empty()) {
    if (n.content_type.empty()) return refuse(400, "Content-Type is missing");
    if (n.body.size() > c_.settings_.max_body) return refuse(413, "Body is larger than max_body");
    if (!c_.ports_.bodies.accepts(s->event, n.content_type))
      return refuse(415, "Unsupported Media Type", event->accept.empty() ? "" : "Accept: " + std::string(event->accept) + "\r\n");
    Result<DocumentState> seen = c_.ports_.bodies.inspect(s->event, n.content_type, n.body);
    if (!seen) {
      uint64_t more = 0;
      if (bad_notify_gate_.pass(now, more))
        c_.ports_.log.warning("NOTIFY for %.*s was refused: %s", static_cast<int>(s->pres_uri().size()), s->pres_uri().data(),
                              seen.error().message.c_str());
      return refuse(400, "Bad body");   // the log says what is wrong with it
    }
    doc = *seen;
  }
  if (notifications_.full()) return refuse(503, "Too many NOTIFYs at once", "Retry-After: 1\r\n");
  return take(*s, n, doc, now);
}

NotifyAnswer Subscriptions::take(Subscription& s, const NotifyRequest& n, const DocumentState& doc, MonoMs now) {
  c_.count_.notifies++;
  s.notifies++;
  s.remote_cseq = n.cseq;
  s.has_remote_cseq = true;
  bool terminated = n.state == "terminated", made = s.m.dialog != sub::Dialog::Confirmed;
  bool moved = !n.contact.empty() && s.text.get(Subscription::kRemote) != n.contact;
  if (made || moved) {
    auto text = s.text.views();
    if (made) {
      text[Subscription::kRemoteTag] = n.remote_tag;
      text[Subscription::kRouteSet] = n.route_set;
    }
    if (moved) text[Subscription::kRemote] = n.contact;
    s.put(text);
  }
  // A partial document counts only on top of the one before it; one that comes late says nothing new.
  bool gap = false, stale = false;
  if (doc.kind == DocumentState::Kind::Partial) {
    stale = s.has_doc && doc.version <= s.doc_version;
    gap = !stale && (!s.has_doc || doc.version != s.doc_version + 1);
    c_.count_.notifies_gap += gap;
  }
  if (doc.kind != DocumentState::Kind::Opaque && !stale) {
    s.doc_version = doc.version;
    s.has_doc = !gap;      // what was missed is missing still: full state must come first
  }
  s.notified_at = now;
  kept_.keep(s.kept, n.reason, n.content_type, stale || n.body.size() > kKeepBody ? std::string_view() : n.body);
  bool wanted = s.m.wanted == sub::Wanted::Something;
  sub::Event e{.input = terminated ? sub::Input::Terminated : sub::Input::Notify};
  e.expires = n.expires;
  e.max_expires = max_expires_of(c_.settings_, s.event);
  e.retry_after = n.retry_after;
  e.notified = notified_of(n.state);
  e.reason = sub::reason_of(n.reason);
  e.refetch = gap;
  if (terminated && wanted) c_.count_.notifies_terminated++;
  if (!terminated && s.m.asked && n.expires > s.m.asked) c_.count_.grants_too_long++;
  uint32_t version = s.version;
  apply(s, e, nullptr, now);
  if (moved && s.version == version && !sub::row_over(s.m)) {
    s.version++;
    mark(s, Lane::Bulk, now);
  }
  bool heard = std::any_of(handlers_.begin(), handlers_.end(), [&](const Handler& h) { return (h.mask & s.source) != 0; });
  if (heard && !stale) notifications_.push(view(s, now), n, gap);
  start_waiting(s, now);
  reap();
  return {};
}

int Subscriptions::observe(int32_t source_mask, NotifyObserver fn) {
  handlers_.push_back({next_handle_, source_mask, std::move(fn)});
  return next_handle_++;
}

// Inside a handler it is only emptied: run_handlers() may stand in it.
void Subscriptions::forget(int handle) {
  for (Handler& h : handlers_) {
    if (h.handle != handle) continue;
    h.mask = 0;
    if (!in_handlers_) h.fn = nullptr;
  }
  if (!in_handlers_) std::erase_if(handlers_, [](const Handler& h) { return h.mask == 0; });
}

void Subscriptions::run_handlers() {
  if (in_handlers_) return;
  in_handlers_ = true;
  for (int i = 0; i < kHandlersPerRun && !notifications_.empty() && !c_.ended(); i++) {
    std::unique_ptr<Notification> n = notifications_.pop();
    NotifyView v = n->view();
    for (size_t h = 0; h < handlers_.size() && !c_.ended(); h++)
      if (handlers_[h].mask & v.record.source) handlers_[h].fn(v);
    notifications_.done(std::move(n));
  }
  in_handlers_ = false;
  std::erase_if(handlers_, [](const Handler& h) { return h.mask == 0; });
}

}  // namespace pua
