// Subscriptions: what goes out by SIP, and what comes back.
#include <algorithm>

#include "core/destination.h"
#include "core/notify_fields.h"
#include "core/subscriptions.h"
#include "core/validate.h"

namespace pua {

static constexpr std::string_view kAcceptLists = ", multipart/related, application/rlmi+xml";   // RFC 4662 section 5.1

void Subscriptions::change(SubscriptionRecord& s, const sub::Effects& fx, const SipReply* reply, const Row*) {
  if (fx.dialog_changed) s.whole = true;   // the row has remote tag, target and route set of a confirmed dialog only (fill_row)
  if (fx.skip_cseqs) s.cseq += s.extra->cseq_jump;   // the last run may have used these CSeqs
  if (fx.new_names && s.m->state == sub::State::Gone) dialogs_.remove(s);
  else if (fx.new_names) renew_dialog(s);
  if (fx.take_dialog && reply) take_dialog(s, *reply);
}

void Subscriptions::take_dialog(SubscriptionRecord& s, const SipReply& reply) {
  auto text = s.text.views();
  if (s.m->op == sub::Op::Initial) {
    text[SubscriptionRecord::kRemoteTag] = reply.to_tag;
    text[SubscriptionRecord::kRouteSet] = reply.route_set;
  }
  if (can_be_target(reply.contact)) text[SubscriptionRecord::kRemote] = reply.contact;
  s.put(text);
}

int64_t Subscriptions::granted(const SubscriptionRecord& s) {
  bool stands = s.m->state == sub::State::Live || s.m->state == sub::State::Waiting;
  return stands ? std::max<int64_t>(0, (s.m->grant_end - s.m->sent_at) / 1000) : 0;
}

void Subscriptions::report(SubscriptionRecord& s, const sub::Effects& fx, const SipReply* reply, MonoMs now) {
  if (fx.note == sub::Note::No) return;
  auto tell_log = [&](LogGate& gate, LogLevel level, const char* what) {
    say(gate, level, s, reply ? reply->status : 0, what, now);
  };
  switch (fx.note) {
    case sub::Note::NotifyMissing: {
      c_.count_.notifies_missing++;
      std::string what = "no NOTIFY came to " + std::string(contact_of(s)) +
                         " in time. Can the notifier reach that address? Some send NOTIFYs to where the request came from "
                         "(NAT fix-ups)";
      tell_log(missing_gate_, LogLevel::warning, what.c_str());
      break;
    }
    case sub::Note::DialogLost:
      c_.count_.dialogs_lost++;
      tell_log(ended_gate_, LogLevel::notice, "the dialog is lost, a new one is made");
      break;
    case sub::Note::Deaf:
      c_.count_.dialogs_deaf++;
      tell_log(deaf_gate_, LogLevel::warning,
               "its NOTIFYs cannot be taken, one after the other: the dialog is ended, and a new one made");
      break;
    case sub::Note::EndsAgain:
      tell_log(looping_gate_, LogLevel::warning,
               "the notifier ends its dialogs as soon as they are made: new ones are made more and more seldom");
      break;
    case sub::Note::Stands: tell_log(stands_gate_, LogLevel::notice, "its dialogs stand again"); break;
    case sub::Note::Rejected:
      tell_log(ended_gate_, LogLevel::notice, "the notifier ended the subscription for good");
      break;
    case sub::Note::Expired: c_.count_.expired++; break;
    default: break;
  }
}

Subscriptions::DialogNames Subscriptions::new_names() {
  DialogNames names;
  uint64_t call = c_.entropy_();
  write_names({call, static_cast<uint32_t>(c_.entropy_())}, c_.settings_.host, names.call_id, names.tag);
  return names;
}

// Takes Call-ID and tag for a new dialog. NOTIFYs of the old one are answered 481 from now on.
void Subscriptions::renew_dialog(SubscriptionRecord& s) {
  dialogs_.remove(s);
  DialogNames names = new_names();
  auto text = s.text.views();
  text[SubscriptionRecord::kCallId] = names.call_id;
  text[SubscriptionRecord::kLocalTag] = names.tag;
  text[SubscriptionRecord::kRemoteTag] = text[SubscriptionRecord::kRemote] = text[SubscriptionRecord::kRouteSet] = {};
  s.put(text);
  s.cseq = s.remote_cseq = 0;
  s.has_doc = s.has_remote_cseq = false;
  s.stale = 0;
  dialogs_.add(s);
}

// --- going out -----------------------------------------------------------------------------------------------------

std::string_view Subscriptions::contact_of(const SubscriptionRecord& s) const {
  std::string_view own = s.text.get(SubscriptionRecord::kContact);
  return own.empty() ? std::string_view(c_.settings_.contact) : own;
}

// The server to which the next request goes first.
std::string_view Subscriptions::destination(const SubscriptionRecord& s) const {
  bool in_dialog = s.m->dialog == sub::Dialog::Confirmed;
  std::string_view hop = in_dialog ? first_route(s.text.get(SubscriptionRecord::kRouteSet)) : std::string_view();
  std::string_view remote = s.text.get(SubscriptionRecord::kRemote);
  if (hop.empty()) hop = next_hop(s.proxy(), c_.settings_.outbound_proxy, in_dialog && !remote.empty() ? remote : s.target());
  return c_.destination_of(hop);
}

void Subscriptions::fill(SubscriptionRecord& s, SipRequest& q, std::string (&scratch)[2], MonoMs now) {
  const sub::Subscription& m = *s.m;
  if (m.build != sub::Build::Replay) s.cseq++;
  if (m.op == sub::Op::Initial) row_says_it_is_out(s, now);
  const EventInfo* event = c_.ports_.bodies.by_flag(s.event);
  bool in_dialog = m.op == sub::Op::Refresh || m.op == sub::Op::Remove;
  auto& [event_value, with_lists] = scratch;
  event_value = event ? event->name : std::string_view();
  std::string_view event_id = s.text.get(SubscriptionRecord::kEventId);
  if (!event_id.empty()) event_value.append(";id=").append(event_id);
  q.uri = in_dialog && !s.text.get(SubscriptionRecord::kRemote).empty() ? s.text.get(SubscriptionRecord::kRemote) : s.target();
  q.from = s.text.get(SubscriptionRecord::kWatcher);
  q.to = s.to_uri();
  if (in_dialog) {
    q.to_tag = s.remote_tag();
    q.route_set = s.text.get(SubscriptionRecord::kRouteSet);
  }
  q.from_tag = s.text.get(SubscriptionRecord::kLocalTag);
  q.call_id = s.call_id();
  q.event = event_value;
  q.contact = contact_of(s);
  q.extra_headers = s.text.get(SubscriptionRecord::kExtraHeaders);
  if (event && !has_header(q.extra_headers, "Accept")) {   // an Accept of the owner's takes the place of the event's
    q.accept = event->accept;
    if (!event->accept.empty() && asks_for_list(q.extra_headers))
      q.accept = with_lists.append(event->accept).append(kAcceptLists);
  }
  q.allow_events = c_.ports_.bodies.allow_events();
  if (m.op != sub::Op::Remove) {
    q.body = s.text.get(SubscriptionRecord::kBody);
    q.content_type = s.text.get(SubscriptionRecord::kContentType);
  }
  q.proxy = !s.proxy().empty() ? s.proxy() : std::string_view(c_.settings_.outbound_proxy);
  switch (m.op) {
    case sub::Op::Initial: c_.count_.subscribes_initial++; break;
    case sub::Op::Refresh: c_.count_.subscribes_refresh++; break;
    case sub::Op::Fetch: c_.count_.subscribes_fetch++; break;
    case sub::Op::Remove: c_.count_.subscribes_remove++; break;
    case sub::Op::None: break;
  }
}

sub::Event Subscriptions::heard(SubscriptionRecord& s, const SipReply& reply, MonoMs now) {
  sub::Event e{.input = sub::input_of(reply, s.m->op, removal_waits(s))};
  count_reply(s, reply, e.input, now);
  e.has_dialog = !reply.to_tag.empty() && reply.to_tag.size() <= kMaxToken;
  if (e.input == sub::Input::Success && s.m->op == sub::Op::Initial && s.m->dialog == sub::Dialog::Early && !e.has_dialog)
    say(no_dialog_gate_, LogLevel::warning, s, reply.status,
        "no dialog can be made of its To tag and Record-Route, only of a NOTIFY", now);
  return e;
}

}  // namespace pua
