// Publications: what goes out by SIP, and what comes back.
#include <algorithm>

#include "core/destination.h"
#include "core/etag.h"
#include "core/publications.h"

namespace pua {

void Publications::change(PublicationRecord& r, const Effects& fx, const SipReply* reply, const Row* row) {
  if (fx.new_names) renew_call(r);
  if (fx.forget_etag) r.text.set(PublicationRecord::kEtag, {});
  if (fx.take_etag) r.text.set(PublicationRecord::kEtag, reply->etag);
  if (!row) return;
  auto text = r.text.views();
  text[PublicationRecord::kEtag] = row->etag;
  if (text[PublicationRecord::kTupleId].empty()) text[PublicationRecord::kTupleId] = row->tuple_id;
  if (fx.take_row) {
    text[PublicationRecord::kBody] = row->body;
    text[PublicationRecord::kContentType] = row->content_type;
    // Header fields that an owner's request brought meanwhile take the place of the row's.
    if (text[PublicationRecord::kExtraHeaders].empty()) text[PublicationRecord::kExtraHeaders] = row->extra_headers;
  }
  // An owner who wants it published has named the next hop, or none for the configured one. A removal that names none goes
  // where the publication went.
  if (r.m->wanted != Wanted::Something && text[PublicationRecord::kProxy].empty())
    text[PublicationRecord::kProxy] = row->outbound_proxy;
  r.put(text);
}

void Publications::report(PublicationRecord& r, const Effects& fx, const SipReply* reply, MonoMs now) {
  c_.count_.orphans_suspected += fx.orphan;
  if (fx.ending == Ending::Expired) c_.count_.expired++;
  if (fx.ending == Ending::GivenUp) c_.count_.given_up++;
  if (fx.tag_refused && !removal_waits(r))   // a removal takes the place of the full publication
    say(lost_gate_, LogLevel::notice, r, reply->status, "its entity-tag is refused; it is published in full", now);
  if (fx.ending == Ending::StateLost)
    say(lost_gate_, LogLevel::warning, r, 412, "the server lost the state, and there is no body to publish it again", now);
}

// The next hop of a record that names none.
std::string_view Publications::default_proxy(const PublicationRecord& r) const {
  bool control = (r.source & kControlSources) != 0 && !c_.settings_.presence_server.empty();
  return control ? c_.settings_.presence_server : c_.settings_.outbound_proxy;
}

std::string_view Publications::destination(const PublicationRecord& r) const {
  return c_.destination_of(next_hop(r.proxy(), default_proxy(r), r.pres_uri()));
}

// Takes a new Call-ID and From tag, with which CSeq begins anew. PUBLISH makes no dialog, so that this is possible at any time;
// it is needed where nobody knows which CSeqs were used under the old Call-ID.
void Publications::renew_call(PublicationRecord& r) {
  r.call_number = c_.entropy_();
  r.tag_number = static_cast<uint32_t>(c_.entropy_());
  r.cseq = 0;
}

// Writes Call-ID and From tag of a record to call_id_ and from_tag_.
void Publications::name_call(const PublicationRecord& r) const {
  write_names({r.call_number, r.tag_number}, c_.settings_.host, call_id_, from_tag_);
}

void Publications::fill(PublicationRecord& r, SipRequest& q, std::string (&)[2], MonoMs now) {
  const Publication& p = *r.m;
  if (p.op == Op::Initial && p.build != Build::Replay) row_says_it_is_out(r, now);
  if (p.build != Build::Replay) r.cseq++;
  const EventInfo* event = c_.ports_.bodies.by_flag(r.event);
  bool full = p.op == Op::Initial || p.op == Op::Modify;
  name_call(r);
  q.uri = r.pres_uri();
  q.from_tag = from_tag_;
  q.call_id = call_id_;
  q.event = event ? event->name : std::string_view();
  if (p.op != Op::Initial) q.if_match = r.etag();
  if (full && !r.body().empty()) {
    q.body = r.body();
    q.content_type = r.text.get(PublicationRecord::kContentType);
    if (q.content_type.empty() && event) q.content_type = event->content_type;
  }
  if (p.op != Op::Remove) q.extra_headers = r.text.get(PublicationRecord::kExtraHeaders);
  q.proxy = !r.proxy().empty() ? r.proxy() : default_proxy(r);
  switch (p.op) {
    case Op::Initial: c_.count_.requests_initial++; break;
    case Op::Refresh: c_.count_.requests_refresh++; break;
    case Op::Modify: c_.count_.requests_modify++; break;
    case Op::Remove: c_.count_.requests_remove++; break;
    case Op::None: break;
  }
}

// The reply has a SIP-ETag, and no SIP-If-Match can hold it.
static bool no_use_of_etag(const SipReply& r) { return r.etag_unusable || (!r.etag.empty() && !usable_etag(r.etag)); }

// A refresh has no document that the server could refuse. If the answer is 400, the server most likely cannot read the
// entity-tag, which it gave itself (RFC 3903 section 6, step 3): then full state is worth a try, as after a 412. That is not so
// for a modification: its document may be what is bad.
static bool etag_is_refused(const PublicationRecord& r, const SipReply& reply) {
  return reply.origin == ReplyOrigin::Wire && reply.status == 400 && r.m->op == Op::Refresh && r.m->publishable;
}

Event Publications::heard(PublicationRecord& r, const SipReply& reply, MonoMs now) {
  bool bad_etag = etag_is_refused(r, reply);
  Event e{.input = bad_etag ? Input::LostState : input_of(classify(reply))};
  if (e.input == Input::TooBrief && r.m->op == Op::Remove) e.input = Input::Transient;   // a removal asks for no lifetime
  e.tag_refused = bad_etag;
  const WaitingPublish* next = r.extra ? r.extra->waiting.get() : nullptr;
  e.extended = next && !next->removal && next->wanted_end > now;
  e.etag = no_use_of_etag(reply) ? Tag::Unusable : reply.etag.empty() ? Tag::Missing : Tag::Usable;
  e.answered = reply.origin == ReplyOrigin::Wire;
  bool granted = e.answered && e.input == Input::Success && r.m->op != Op::Remove;
  if (granted && e.etag == Tag::Unusable) {
    c_.count_.unusable_etag++;
    say(bad_etag_gate_, LogLevel::warning, r, reply.status,
        "with a SIP-ETag that cannot be sent back (over 255 octets, or a control character): nobody can refresh or remove this "
        "state",
        now);
  } else if (granted && e.etag == Tag::Missing) {
    c_.count_.missing_etag++;
    say(etag_gate_, LogLevel::warning, r, reply.status, "without SIP-ETag", now);
  }
  if (granted && reply.expires < 0) {
    c_.count_.missing_expires++;
    say(expires_gate_, LogLevel::notice, r, reply.status, "without Expires, the asked value counts", now);
  }
  c_.count_.replies_412 += e.answered && e.input == Input::LostState && !bad_etag;
  count_reply(r, reply, e.input, now);
  return e;
}

}  // namespace pua
