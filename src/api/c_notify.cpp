// C ABI: NOTIFYs: those that the host's own socket received, and what handlers are told.
#include "api/c_arguments.h"
#include "api/c_view.h"
#include "api/handle.h"
#include "core/notify_fields.h"
#include "core/uri.h"
#include "events/lists.h"

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
      !take(h, "body", in.body, q.body) || !take(h, "headers", in.headers, q.headers) ||
      !take(h, "to_uri", in.to_uri, q.to_uri) || !take(h, "from_uri", in.from_uri, q.from_uri))
    return PUA_E_BAD_ARGUMENT;
  std::string event_name, event_id;
  SubscriptionState parsed;
  if (!event.empty() && !parse_event_value(event, event_name, event_id))
    return answered(h, {400, "Bad Event header field", ""});
  if (!state.empty() && !parse_subscription_state(state, parsed))
    return answered(h, {400, "Bad Subscription-State header field", ""});
  q.headers = q.headers.substr(0, kMaxShownOctets);
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

// Header fields in the form of the C ABI. They point into this object and into the block.
struct Headers {
  explicit Headers(std::string_view block) : count(static_cast<int>(split_headers(block, fields))) {
    for (int i = 0; i < count; i++) shown[i] = {c_str(fields[i].name), c_str(fields[i].value)};
  }
  HeaderField fields[kMaxShownHeaders];
  pua_header_t shown[kMaxShownHeaders];
  int count;
};

// Fills in what all structures that handlers are shown have in common.
template <class Shown, class View>
void show_document(Shown& n, const View& v, const Headers& headers, pua_s* pua) {
  n.content_type = c_str(v.content_type);
  n.body = c_str(v.body);
  n.bad_document = static_cast<int>(v.bad);
  n.headers = headers.shown;
  n.n_headers = headers.count;
  n.pua = pua;
}

void unsolicited(const std::shared_ptr<pua_s>& h, pua_unsolicited_cb* f, void* param, const UnsolicitedView& v) {
  Headers headers(v.headers);
  pua_unsolicited_t n{};
  n.to_uri = c_str(v.to_uri);
  n.from_uri = c_str(v.from_uri);
  n.event = c_str(v.event_name);
  n.event_id = c_str(v.event_id);
  n.state = c_str(v.state);
  show_document(n, v, headers, h.get());
  f(&n, param);
}

void notify(const std::shared_ptr<pua_s>& h, pua_notify_cb* f, void* param, const NotifyView& v) {
  PresView record(v.record, REQ_OTHER);
  pua_notification_t n{};
  n.state = c_str(v.state);
  n.reason = c_str(v.reason);
  n.expires = static_cast<long>(v.expires);
  n.retry_after = static_cast<long>(v.retry_after);
  n.gap = v.gap;
  Headers headers(v.headers);
  show_document(n, v, headers, h.get());
  f(record.pres(), &n, param);
}

int resources(pua_s& h, std::string_view content_type, std::string_view body, pua_resource_cb* f, void* param) {
  Instance::Frame frame(*h.instance);
  XmlReader reader;
  int count = 0;
  Status s = read_list(reader, content_type, body, [&](const ListedResource& r) {
    if (!h.instance) return;   // f has freed it
    pua_resource_t out{};
    out.list_uri = c_str(r.list_uri);
    out.version = r.version;
    out.full_state = r.full;
    out.uri = c_str(r.uri);
    out.name = c_str(r.name);
    out.instance = c_str(r.instance);
    out.state = c_str(r.state);
    out.reason = c_str(r.reason);
    out.content_type = c_str(r.content_type);
    out.body = c_str(r.body);
    out.missing = r.missing;
    out.skipped = r.skipped;
    count++;
    f(&out, param);
  });
  if (!h.instance) return fail(&h, Errc::shutting_down, "the instance was freed inside the callback");
  return s ? count : fail(&h, s.error());
}

}  // namespace

}  // namespace pua

extern "C" {

int pua_register_notify(pua_t* p, int types, pua_notify_cb* f, void* param) {
  return pua::guarded(p, [&](pua_s& h) {
    if (types <= 0 || !f) return pua::fail(&h, pua::Errc::bad_argument, "types is not a mask of source bits, or f is NULL");
    h.instance->engine().observe_notifies(pua::sources_of(types),
                                          [weak = h.weak_from_this(), f, param](const pua::NotifyView& v) {
                                            if (auto self = weak.lock()) pua::notify(self, f, param, v);
                                          });
    return 1;
  });
}

int pua_register_unsolicited(pua_t* p, int events, pua_unsolicited_cb* f, void* param) {
  return pua::guarded(p, [&](pua_s& h) {
    if (events <= 0 || !f) return pua::fail(&h, pua::Errc::bad_argument, "events is not a mask of event bits, or f is NULL");
    h.instance->engine().observe_unsolicited(events, [weak = h.weak_from_this(), f, param](const pua::UnsolicitedView& v) {
      if (auto self = weak.lock()) pua::unsolicited(self, f, param, v);
    });
    return 1;
  });
}

int pua_notify_resources(pua_t* p, const pua_str_t* content_type, const pua_str_t* body, pua_resource_cb* f, void* param) {
  return pua::guarded(p, [&](pua_s& h) {
    std::string_view type, octets;
    if (!f) return pua::fail(&h, pua::Errc::bad_argument, "f is NULL");
    if (!pua::take(h, "content_type", content_type, type) || !pua::take(h, "body", body, octets)) return PUA_E_BAD_ARGUMENT;
    return pua::resources(h, type, octets, f, param);
  });
}

int pua_notify_received(pua_t* p, const char* msg, size_t len) {
  pua::Call call(p);
  if (int rc = call.refusal()) return rc;
  pua_s& h = call.handle();
  try {
    pua::forget_answer(h);
    if (!msg || len == 0) return pua::fail(&h, pua::Errc::bad_argument, "msg is NULL or empty");
    pua::Result<pua::NotifyAnswer> answer = h.instance->notify_received(std::string_view(msg, len));
    return answer ? pua::answered(h, std::move(*answer)) : pua::fail(&h, answer.error());
  } catch (...) {
    return call.caught();
  }
}

int pua_notify_fields(pua_t* p, const pua_notify_t* n) {
  pua::Call call(p);
  if (int rc = call.refusal()) return rc;
  pua_s& h = call.handle();
  try {
    pua::forget_answer(h);
    if (!n) return pua::fail(&h, pua::Errc::bad_argument, "n is NULL");
    return pua::notify_fields(h, *n);
  } catch (...) {
    return call.caught();
  }
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
