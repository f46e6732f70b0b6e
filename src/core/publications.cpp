#include "core/publications.h"

#include <algorithm>

#include "core/etag.h"
#include "core/validate.h"

namespace pua {

constexpr uint32_t kProcessedExtra = 1024;  // octets that processing may add to a body: ids, a version

struct Publications::Accepted {
  bool removal = false;
  bool has_body = false;
  bool needs_no_body = false;              // an event without documents, whose state is in header fields
  MonoMs wanted_end = kNever;
  uint32_t version = 0;
  std::string body, tuple_id;
  std::string_view content_type;
};

Status Publications::check(const PublishRequest& q, const EventInfo*& event) const {
  if (c_.closed()) return {Errc::shutting_down, "the instance is shutting down"};
  if (q.source <= 0 || (q.source & (q.source - 1))) return {Errc::bad_argument, "source_flag is not one source bit"};
  event = c_.ports_.bodies.by_flag(q.event);
  if (!event) return {Errc::unknown_event, "event " + std::to_string(q.event) + " is not registered"};
  if (auto s = check_uri("pres_uri", q.pres_uri); !s) return s;
  if (!q.outbound_proxy.empty())
    if (auto s = check_uri("outbound_proxy", q.outbound_proxy); !s) return s;
  if (auto s = check_text("id", q.id, kMaxToken); !s) return s;
  if (auto s = check_text("content_type", q.content_type, kMaxToken); !s) return s;
  if (q.etag.size() > kMaxEtag) return {Errc::too_large, "etag is longer than " + std::to_string(kMaxEtag) + " octets"};
  if (!q.etag.empty() && !usable_etag(q.etag))
    return {Errc::bad_header, "etag holds a control character, or a blank at an end"};
  if (auto s = check_headers(q.extra_headers, c_.settings_.max_headers); !s) return s;
  if (q.body)
    if (auto s = check_body(*q.body, c_.settings_.max_body); !s) return s;
  if (q.body && q.body->empty()) return {Errc::bad_body, "body is empty"};
  if (q.body && q.content_type.empty() && event->content_type.empty())
    return {Errc::bad_argument, "content_type is missing and event " + std::string(event->name) + " has no default"};
  if (!q.body && !q.content_type.empty()) return {Errc::bad_argument, "content_type without a body"};
  if (q.expires > INT32_MAX) return {Errc::bad_argument, "expires is out of range"};
  return success();
}

Result<Unit> Publications::prepare_body(const PublishRequest& q, const Place& at, const EventInfo& event, Accepted& a,
                                        MonoMs now) {
  const PublicationRecord* r = at.record;
  a.has_body = true;
  a.version = (r ? std::max(r->doc_version, r->extra && r->extra->waiting ? r->extra->waiting->version : 0) : 0) + 1;
  // The versions of a row that may still come are not known, and the new one must be larger. Time in seconds is larger than any
  // count of documents gets, and goes on growing.
  if (at.maybe_in_table) a.version = std::max(a.version, static_cast<uint32_t>((now + c_.epoch_offset_) / 1000 - 1700000000));
  if (r) a.tuple_id = r->text.get(PublicationRecord::kTupleId);
  a.content_type = q.content_type == event.content_type ? std::string_view() : q.content_type;
  BodyRequest b{q.event, q.content_type.empty() ? event.content_type : q.content_type,
                *q.body, q.pres_uri, q.id, q.source, a.version, q.publ_info};
  bool unchanged = false;
  auto s = c_.ports_.bodies.process(b, a.body, unchanged, a.tuple_id);
  if (!s) return s;
  if (unchanged) a.body.assign(*q.body);
  if (a.body.size() > c_.settings_.max_body + kProcessedExtra)
    return {Errc::too_large, "processed body is larger than max_body"};
  return s;
}

// Finds the record that the request is for, and says whether it may be accepted.
Status Publications::admit(const PublishRequest& q, const Accepted& a, uint32_t hash, Place& at) const {
  PublicationRecord* r = at.record = table_.find({q.source, q.event, q.pres_uri, q.id}, hash);
  bool exists = r && r->m->state != State::Gone;
  at.maybe_in_table = maybe_in_table(r);
  // A request without a body needs a publication that goes on: not one whose removal is out, or is known to its owner.
  bool leaving = exists && !(r->extra && r->extra->waiting) &&
                 (r->m->wanted == Wanted::Leaving || (r->m->wanted == Wanted::Nothing && r->m->state == State::Sending));
  if (at.maybe_in_table) {
    if (!q.etag.empty()) return {Errc::loading, "etag cannot be compared yet, the table is being loaded"};
    if (!a.removal && !q.body && leaving && !a.needs_no_body)   // its owner was told that the removal is kept
      return {Errc::no_body, "a new publication needs a body"};
  } else {
    if (!q.etag.empty() && (!exists || r->etag() != q.etag))
      return {Errc::bad_etag, "etag does not match the confirmed one"};
    if (a.removal && !r) return {Errc::no_record, "nothing published under this key"};
    if (!a.removal && !q.body && (!exists || leaving) && !a.needs_no_body)
      return {Errc::no_body, "a new publication needs a body"};
  }
  return room_for(r, !a.removal);
}

Status Publications::publish(const PublishRequest& q, RequestDone done, MonoMs now) {
  const EventInfo* event = nullptr;
  auto refuse = [&](Status s) {
    c_.count_.rejected++;
    return s;
  };
  if (auto s = check(q, event); !s) return refuse(s);
  uint32_t hash = table_.hash_of({q.source, q.event, q.pres_uri, q.id});
  Accepted a;
  a.removal = q.expires == 0;
  a.wanted_end = q.expires > 0 ? now + q.expires * 1000 : kNever;
  a.needs_no_body = event->content_type.empty() && !q.extra_headers.empty();
  Place at;
  if (auto s = admit(q, a, hash, at); !s) return refuse(s);
  if (q.body && !a.removal) {
    if (auto s = prepare_body(q, at, *event, a, now); !s) return refuse(s);
    // The body processor is the host's code, and may have called any function of the library: look again.
    if (c_.closed()) return refuse({Errc::shutting_down, "the instance is shutting down"});
    if (auto s = admit(q, a, hash, at); !s) return refuse(s);
  }
  c_.count_.accepted++;
  if (!at.record) {
    std::array<std::string_view, PublicationRecord::kFields> text{};
    text[PublicationRecord::kPresUri] = q.pres_uri;
    text[PublicationRecord::kId] = q.id;
    at.record = &make(q.source, q.event, hash, text);
    renew_call(*at.record);
  }
  PublicationRecord& r = *at.record;
  if (at.maybe_in_table) wait_for_row(r, now);
  if (r.m->state == State::Sending) put_behind(r, a, q, std::move(done), now);
  else take_over(r, a, q, std::move(done), now);
  reap();
  return success();
}

// No request is out, so that this one takes effect at once.
void Publications::take_over(PublicationRecord& r, Accepted& a, const PublishRequest& q, RequestDone done, MonoMs now) {
  join(r, std::move(done), q.cb_param, now);
  // A request without a body extends a lifetime only if it comes before its end, or behind another one that has extended it.
  MonoMs& asked_at = r.extra->asked_at;
  if (r.m->state == State::Idle && (!asked_at || a.removal || !wanted(r) || r.m->wanted_end <= now)) asked_at = now;
  if (!a.removal) {
    auto text = r.text.views();
    if (a.has_body) {
      text[PublicationRecord::kBody] = a.body;
      text[PublicationRecord::kContentType] = a.content_type;
      text[PublicationRecord::kTupleId] = a.tuple_id;
      r.whole = r.whole || r.doc_version != a.version;
      r.doc_version = a.version;
    } else if (r.m->state == State::Gone || !r.m->publishable) {
      text[PublicationRecord::kBody] = {};
    }
    if (a.has_body || !q.extra_headers.empty()) text[PublicationRecord::kExtraHeaders] = q.extra_headers;
    text[PublicationRecord::kProxy] = q.outbound_proxy;
    r.put(text);
  } else if (!q.outbound_proxy.empty() && r.m->state != State::Gone) {
    auto text = r.text.views();
    text[PublicationRecord::kProxy] = q.outbound_proxy;
    r.put(text);
  }
  bool waited_for_row = r.m->state == State::Idle;
  request(r, a.removal, a.has_body || (!a.removal && a.needs_no_body), a.wanted_end, now);
  if (waited_for_row && !c_.loading_) leave_idle(r, now);
}

void Publications::request(PublicationRecord& r, bool removal, bool new_body, MonoMs wanted_end, MonoMs now) {
  Event e{.input = Input::Request, .removal = removal, .new_body = new_body, .wanted_end = wanted_end, .no_row = !c_.loading_};
  apply(r, e, nullptr, now);
}

// A request is out, so that this one waits.
void Publications::put_behind(PublicationRecord& r, Accepted& a, const PublishRequest& q, RequestDone done, MonoMs now) {
  PublicationExtra& x = r.need_extra();
  // The removal was asked for twice: the reply to the one that is out is the outcome of both.
  if (a.removal && !wanted(r) && !x.waiting) return x.callers.push(std::move(done), now);
  WaitingPublish& w = park(r, std::move(done), q.cb_param, a.removal, now);
  // A removal that names no next hop goes to the server that has the publication, even where a request that waited named
  // another one.
  w.has_proxy = !a.removal || !q.outbound_proxy.empty();
  w.outbound_proxy = q.outbound_proxy;
  if (a.removal) return;  // a body that waited stays: a refresh that comes before the removal has left means that body
  w.wanted_end = a.wanted_end;
  if (a.has_body) {
    w.has_body = true;
    w.body = std::move(a.body);
    w.content_type = a.content_type;
    w.tuple_id = std::move(a.tuple_id);
    w.version = a.version;
  }
  if (a.has_body || !q.extra_headers.empty()) {
    w.has_headers = true;
    w.extra_headers = q.extra_headers;
  }
}

void Publications::resume(PublicationRecord& r, WaitingPublish& w, MonoMs now) {
  const EventInfo* event = c_.ports_.bodies.by_flag(r.event);
  bool ended = r.m->wanted != Wanted::Something;   // the reply has refused it, it was a removal, or w has ended as well
  bool state_at_hand = w.has_body || (w.has_headers && event && event->content_type.empty());
  if (w.removal && r.m->state == State::Gone) return request(r, true, false, kNever, now);
  if (!w.removal && ended && !state_at_hand) return tell(r, 412, "Ended, a body is needed", now);   // nothing to publish
  auto text = r.text.views();
  if (w.has_body) {  // with a removal too: a refresh that comes before the removal has left means this body
    text[PublicationRecord::kBody] = w.body;
    text[PublicationRecord::kContentType] = w.content_type;
    text[PublicationRecord::kTupleId] = w.tuple_id;
    r.whole = r.whole || r.doc_version != w.version;
    r.doc_version = w.version;
  }
  if (w.has_headers) text[PublicationRecord::kExtraHeaders] = w.extra_headers;
  if (w.has_proxy) text[PublicationRecord::kProxy] = w.outbound_proxy;
  r.put(text);
  request(r, w.removal, state_at_hand, w.wanted_end, now);
}

}  // namespace pua
