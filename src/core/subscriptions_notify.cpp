// Subscriptions: NOTIFYs (RFC 6665 section 4.1.3). Dialog, event, Subscription-State and CSeq decide whether a NOTIFY is taken.
// Its document does not: if it cannot be used it is left out, and what the NOTIFY says of the subscription counts all the same.
#include <algorithm>

#include "core/destination.h"
#include "core/notify_fields.h"
#include "core/policy.h"
#include "core/subscriptions.h"
#include "core/validate.h"

namespace pua {

namespace {
// After so many partial documents in a row with old versions full state is asked for. One may have been overtaken by another
// NOTIFY; more come from a notifier that counts its versions from the start again.
constexpr int kStaleInARow = 2;
constexpr size_t kKeepBody = 1024;          // a longer document is shown to handlers, but not kept for views

// The event package without parameters. But for its package and its id nothing in Event counts (RFC 3265 section 7.2.1), so
// that ";sla" may be there or not.
std::string_view package_of(std::string_view event) { return event.substr(0, event.find(';')); }

sub::Notified notified_of(std::string_view state) {
  if (state == "active") return sub::Notified::Active;
  return state == "pending" ? sub::Notified::Pending : sub::Notified::Other;
}
}  // namespace

NotifyAnswer Subscriptions::refuse(int status, std::string reason, std::string headers) {
  (status == 481 ? c_.count_.notifies_unknown : c_.count_.notifies_bad)++;
  return {status, std::move(reason), std::move(headers)};
}

// The header field that a 489 must have (RFC 6665 section 8.2.2).
std::string Subscriptions::allow_events() const {
  std::string_view names = c_.ports_.bodies.allow_events();
  return names.empty() ? std::string() : "Allow-Events: " + std::string(names) + "\r\n";
}

NotifyAnswer Subscriptions::on_notify(const NotifyRequest& n, MonoMs now) {
  // Not 481, which would end the dialog: it goes on after a restart.
  if (c_.ended()) return refuse(503, "Shutting down", "Retry-After: 5\r\n");
  const EventInfo* event = n.event.empty() ? nullptr : c_.ports_.bodies.by_name(n.event);
  if (!event && !n.event.empty()) event = c_.ports_.bodies.by_name(package_of(n.event));
  const char* bad_event = event ? nullptr : n.event.empty() ? "Event is missing" : "Bad Event";
  SubscriptionRecord* s = dialogs_.find(n.call_id, n.local_tag);
  if (!s || s->m->state == sub::State::Idle) return outside_of_dialogs(event, bad_event, n, now);
  if (bad_event) return refuse_known(*s, n, 489, bad_event, now, allow_events());
  if (n.state.empty()) return refuse_known(*s, n, 400, "Subscription-State is missing", now);
  if (s->m->state == sub::State::Gone || s->m->dialog == sub::Dialog::None) return refuse(481, "Subscription Does Not Exist");
  // Where the request was forked, the first branch that makes a dialog is kept (RFC 6665 section 4.1.2.4 leaves that to us);
  // 481 ends the subscriptions of the others.
  if (n.remote_tag.empty()) return refuse_known(*s, n, 400, "From has no tag", now);
  bool made = s->m->dialog != sub::Dialog::Confirmed;
  if (!made && s->remote_tag() != n.remote_tag) return refuse_known(*s, n, 481, "Another branch was first", now);
  if (event->flag != s->event) {
    const EventInfo* ours = c_.ports_.bodies.by_flag(s->event);
    if (!ours || package_of(ours->name) != package_of(event->name))
      return refuse_known(*s, n, 481, "Subscribed to another event", now);
    event = ours;
  }
  if (n.event_id != s->text.get(SubscriptionRecord::kEventId))
    return refuse_known(*s, n, 481, "Subscribed with another event id", now);
  if (s->has_remote_cseq && n.cseq < s->remote_cseq) return refuse_known(*s, n, 500, "Request Out Of Order", now);
  if (s->has_remote_cseq && n.cseq == s->remote_cseq) {
    c_.count_.notifies_repeated++;
    // Where a NOTIFY is awaited as an answer, this is no repetition, but comes from a notifier whose CSeq does not grow.
    if (!s->m->heard) count_refused(*s, false, now);
    return {};
  }
  // The tag will stand in the row, and a host can hand in anything: take only what could be read from a row again.
  if (made && !check_tag("From", n.remote_tag)) return refuse_known(*s, n, 400, "From tag is not usable", now);
  // Record-Route counts only where it makes the dialog, and not within one (RFC 3261 section 12.2).
  if (made && (!n.route_problem.empty() || !check_text("Record-Route", n.route_set, kMaxRoutes)))
    return refuse_known(*s, n, 400, "Record-Route is not usable", now);
  if (handlers_.notifications.full()) return refuse(503, "Too many NOTIFYs at once", "Retry-After: 1\r\n");
  Document doc = judge(s, *event, n);
  if (doc.bad == BadDocument::No) return take(*s, n, doc, now);
  c_.count_.notifies_bad_document++;
  log_notify(bad_document_gate_, n, s->pres_uri(), 200, "taken, but its document cannot be used: " + doc.text, now);
  NotifyRequest shown = n;
  if (doc.bad == BadDocument::TooLarge || !c_.settings_.bad_documents) shown.body = shown.content_type = {};
  return take(*s, shown, doc, now);
}

// Whether the NOTIFY says that the dialog which we know has ended, and not that of another branch.
static bool ends_dialog(const SubscriptionRecord& s, const NotifyRequest& n) {
  return n.state == "terminated" && s.m->dialog == sub::Dialog::Confirmed && n.remote_tag == s.remote_tag();
}

// Answers a NOTIFY whose Call-ID and To tag are those of no dialog of ours.
NotifyAnswer Subscriptions::outside_of_dialogs(const EventInfo* event, const char* bad_event, const NotifyRequest& n,
                                               MonoMs now) {
  NotifyAnswer answer;
  if (bad_event) {
    answer = refuse(489, bad_event, allow_events());
  } else if (c_.loading_) {
    return refuse(503, "Not loaded yet", "Retry-After: 1\r\n");
  } else if (n.local_tag.empty() && handlers_.unsolicited.wanted(event->flag)) {
    // It has no To tag, and so is outside of any dialog. With one, its sender believes in a dialog with us, and is told (481)
    // that there is none.
    answer = take_unsolicited(*event, n, now);
    if (answer.status == 200) {   // if it was meant for a dialog with this Call-ID, that has not heard it
      on_unreadable(n, {200, "taken as one outside of any dialog, as its To has no tag", ""}, now);
      return answer;
    }
  } else {
    answer = refuse(481, "Subscription Does Not Exist");
  }
  on_unreadable(n, answer, now);
  return answer;
}

// Refuses a NOTIFY of a dialog of ours. It is counted, because a dialog all of whose NOTIFYs are refused is deaf
// (core/subscription.h).
NotifyAnswer Subscriptions::refuse_known(SubscriptionRecord& s, const NotifyRequest& n, int status, const char* reason,
                                         MonoMs now, std::string headers) {
  NotifyAnswer answer = refuse(status, reason, std::move(headers));
  log_notify(refused_gate_, n, s.pres_uri(), status, reason, now);
  count_refused(s, ends_dialog(s, n), now);
  return answer;
}

// One line of the log about a NOTIFY, with its sender where that is known.
void Subscriptions::log_notify(LogGate& gate, const NotifyRequest& n, std::string_view uri, int status, const std::string& what,
                               MonoMs now) {
  std::string whose = "NOTIFY";
  if (!n.sender.empty()) whose.append(" from ").append(n.sender);
  c_.log_reply(gate, LogLevel::warning, whose.c_str(), uri, status, what.c_str(), now);
}

void Subscriptions::count_refused(SubscriptionRecord& s, bool terminated, MonoMs now) {
  if (sub::legal(s.m->state, sub::Input::Refused)) apply(s, {.input = sub::Input::Refused, .ended = terminated}, nullptr, now);
  reap();
}

void Subscriptions::on_unreadable(const NotifyRequest& n, const NotifyAnswer& answer, MonoMs now) {
  if (c_.ended() || !expects(n.call_id)) return;
  SubscriptionRecord* s = dialogs_.find(n.call_id, n.local_tag);
  if (!s) s = dialogs_.only(n.call_id);
  std::string whom = s ? std::string(s->pres_uri()) : "Call-ID " + std::string(n.call_id);
  log_notify(refused_gate_, n, whom, answer.status, answer.reason, now);
  if (s) count_refused(*s, ends_dialog(*s, n), now);
}

NotifyAnswer Subscriptions::take_unsolicited(const EventInfo& event, const NotifyRequest& n, MonoMs now) {
  if (handlers_.unsolicited.full()) return refuse(503, "Too many NOTIFYs at once", "Retry-After: 1\r\n");
  c_.count_.notifies_unsolicited++;
  Document doc = judge(nullptr, event, n);
  bool shown = doc.bad == BadDocument::No || (doc.bad != BadDocument::TooLarge && c_.settings_.bad_documents);
  if (doc.bad != BadDocument::No) {
    c_.count_.notifies_bad_document++;
    log_notify(bad_document_gate_, n, n.to_uri, 200, "taken, but its document cannot be used: " + doc.text, now);
  }
  handlers_.unsolicited.push({event.flag, event.name, n.event_id, n.to_uri, n.from_uri, n.state,
                              shown ? n.content_type : std::string_view(), shown ? n.body : std::string_view(), n.headers,
                              doc.bad});
  return {};
}

Subscriptions::Document Subscriptions::judge(const SubscriptionRecord* s, const EventInfo& event,
                                             const NotifyRequest& n) const {
  Document out;
  if (n.body.empty() && n.left_out == 0) return out;
  auto bad = [&](BadDocument why, std::string text) {
    out.bad = why;
    out.text = std::move(text);
    return std::move(out);
  };
  if (uint64_t size = n.body.size() + n.left_out; n.left_out > 0 || size > c_.settings_.max_notify_body)
    return bad(BadDocument::TooLarge, "it has " + std::to_string(size) + " octets, max_notify_body is " +
                                          std::to_string(c_.settings_.max_notify_body));
  if (!n.body_problem.empty()) return bad(BadDocument::Malformed, std::string(n.body_problem));
  if (n.content_type.empty()) return bad(BadDocument::NoType, "it has no Content-Type");
  std::string_view asked = s ? s->text.get(SubscriptionRecord::kExtraHeaders) : std::string_view();
  if (!c_.ports_.bodies.accepts(event.flag, n.content_type) && !asks_for_type(asked, n.content_type))
    return bad(BadDocument::OtherType,
               "its Content-Type is " + std::string(n.content_type) + ", not " + std::string(event.accept));
  Result<DocumentState> seen = c_.ports_.bodies.inspect(event.flag, n.content_type, n.body);
  if (!seen) return bad(BadDocument::Malformed, seen.error().message);
  out.state = *seen;
  return out;
}

NotifyAnswer Subscriptions::take(SubscriptionRecord& s, const NotifyRequest& n, const Document& document, MonoMs now) {
  const DocumentState& doc = document.state;
  c_.count_.notifies++;
  s.notifies++;
  s.remote_cseq = n.cseq;
  s.has_remote_cseq = true;
  bool terminated = n.state == "terminated", made = s.m->dialog != sub::Dialog::Confirmed;
  // A Contact that we could never send to does not take the place of a remote target that works.
  bool moved = !n.contact.empty() && s.text.get(SubscriptionRecord::kRemote) != n.contact && can_be_target(n.contact);
  if (made || moved) {
    auto text = s.text.views();
    if (made) {
      text[SubscriptionRecord::kRemoteTag] = n.remote_tag;
      text[SubscriptionRecord::kRouteSet] = n.route_set;
    }
    if (moved) text[SubscriptionRecord::kRemote] = n.contact;
    s.put(text);
  }
  // A partial document holds changes to the one before it. If others are missing in between, there is a gap; if its version is
  // old, it was overtaken and says nothing new.
  bool gap = false, stale = false;
  if (doc.kind == DocumentState::Kind::Partial) {
    stale = s.has_doc && doc.version <= s.doc_version;
    gap = !stale && (!s.has_doc || doc.version != s.doc_version + 1);
    c_.count_.notifies_gap += gap;
    c_.count_.notifies_stale += stale;
  }
  s.stale = stale ? static_cast<uint8_t>(std::min(s.stale + 1, 255)) : 0;
  if (doc.kind != DocumentState::Kind::Opaque && !stale) {
    s.doc_version = doc.version;
    s.has_doc = !gap;      // after a gap only a full document makes the state known again
  }
  s.notified_at = now;
  kept_.keep(s.kept, n.reason, n.content_type, stale || n.body.size() > kKeepBody ? std::string_view() : n.body);
  bool was_wanted = wanted(s);
  sub::Event e{.input = terminated ? sub::Input::Terminated : sub::Input::Notify};
  e.expires = n.expires;
  e.retry_after = n.retry_after;
  e.notified = notified_of(n.state);
  e.reason = sub::reason_of(n.reason);
  e.refetch = gap || s.stale >= kStaleInARow;
  e.full = !n.body.empty() && document.bad == BadDocument::No && doc.kind != DocumentState::Kind::Partial;
  if (terminated && was_wanted) c_.count_.notifies_terminated++;
  if (!terminated && s.m->asked && n.expires > s.m->asked) c_.count_.grants_too_long++;
  uint32_t version = s.version;
  apply(s, e, nullptr, now);
  if (moved && s.version == version && !sub::row_over(*s.m)) {
    s.version++;
    mark(s, Lane::Bulk, now);
  }
  if (handlers_.wanted(s.source) && !stale) handlers_.notifications.push(view(s, now), n, gap, document.bad);
  start_waiting(s, now);
  reap();
  return {};
}

}  // namespace pua
