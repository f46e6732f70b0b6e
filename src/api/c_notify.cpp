// C ABI: NOTIFYs: those that the host's own socket received, and what handlers are told.
#include "api/c_arguments.h"
#include "api/c_notify_fields.h"
#include "api/c_view.h"
#include "api/handle.h"
#include "core/uri.h"

namespace pua {

namespace {

int answered(pua_s& h, NotifyAnswer&& answer) {
  h.answer_headers = std::move(answer.headers);
  h.answer_reason = std::move(answer.reason);
  return answer.status;
}

void forget_answer(pua_s& h) {
  h.answer_headers.clear();
  h.answer_reason.clear();
}

int notify_fields(pua_s& h, const pua_notify_t& in) {
  NotifyRequest q;
  std::string_view contact, event, state;
  if (!take(h, "call_id", in.call_id, q.call_id) || !take(h, "from_tag", in.from_tag, q.remote_tag) ||
      !take(h, "to_tag", in.to_tag, q.local_tag) || !take(h, "contact", in.contact, contact) ||
      !take(h, "event", in.event, event) || !take(h, "subscription_state", in.subscription_state, state) ||
      !take(h, "record_route", in.record_route, q.route_set) || !take(h, "content_type", in.content_type, q.content_type) ||
      !take(h, "body", in.body, q.body))
    return PUA_E_BAD_ARGUMENT;
  std::string event_name, event_id;
  SubscriptionState parsed;
  if (!event.empty() && !parse_event_value(event, event_name, event_id)) return answered(h, {400, "Bad Event header field", ""});
  if (!state.empty() && !parse_subscription_state(state, parsed))
    return answered(h, {400, "Bad Subscription-State header field", ""});
  q.cseq = in.cseq;
  q.event = event_name;
  q.event_id = event_id;
  q.state = parsed.state;
  q.reason = parsed.reason;
  q.expires = parsed.expires;
  q.retry_after = parsed.retry_after;
  q.contact = first_contact_uri(contact);
  return answered(h, h.instance->notify_received(q));
}

void notify(const std::shared_ptr<pua_s>& h, pua_notify_cb* f, void* param, const NotifyView& v) {
  PresView record(v.record, REQ_OTHER);
  pua_notification_t n{};
  n.state = c_str(v.state);
  n.reason = c_str(v.reason);
  n.expires = static_cast<long>(v.expires);
  n.retry_after = static_cast<long>(v.retry_after);
  n.content_type = c_str(v.content_type);
  n.body = c_str(v.body);
  n.gap = v.gap;
  n.pua = h.get();
  f(record.pres(), &n, param);
}

}  // namespace

}  // namespace pua

extern "C" {

int pua_register_notify(pua_t* p, int types, pua_notify_cb* f, void* param) {
  return pua::guarded(p, [&](pua_s& h) {
    if (types <= 0 || !f) return pua::fail(&h, pua::Errc::bad_argument, "types is not a mask of source bits, or f is NULL");
    h.instance->observe_notifies(pua::sources_of(types), [weak = h.weak_from_this(), f, param](const pua::NotifyView& v) {
      if (auto self = weak.lock()) pua::notify(self, f, param, v);
    });
    return 1;
  });
}

int pua_notify_received(pua_t* p, const char* msg, size_t len) {
  return pua::guarded(p, [&](pua_s& h) {
    pua::forget_answer(h);
    if (!msg || len == 0) return pua::fail(&h, pua::Errc::bad_argument, "msg is NULL or empty");
    pua::Result<pua::NotifyAnswer> answer = h.instance->notify_received(std::string_view(msg, len));
    return answer ? pua::answered(h, std::move(*answer)) : pua::fail(&h, answer.error());
  });
}

int pua_notify_fields(pua_t* p, const pua_notify_t* n) {
  return pua::guarded(p, [&](pua_s& h) {
    pua::forget_answer(h);
    if (!n) return pua::fail(&h, pua::Errc::bad_argument, "n is NULL");
    return pua::notify_fields(h, *n);
  });
}

const char* pua_notify_answer_headers(pua_t* p) {
  return pua::usable(p) == pua::Errc::ok ? p->answer_headers.c_str() : "";
}

const char* pua_notify_answer_reason(pua_t* p) {
  return pua::usable(p) == pua::Errc::ok ? p->answer_reason.c_str() : "";
}

int pua_update_contact(pua_t* p, const char* msg, size_t len) {
  int rc = pua::guarded(p, [&](pua_s& h) {
    if (!msg || len == 0) return pua::fail(&h, pua::Errc::bad_argument, "msg is NULL or empty");
    pua::Status s = h.instance->update_contact(std::string_view(msg, len));
    return s ? 1 : pua::fail(&h, s.error());
  });
  return rc == 1 ? 1 : -1;
}

}  // extern "C"
