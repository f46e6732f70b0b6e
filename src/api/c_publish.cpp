// C ABI: publications, observers, event packages.
#include <climits>
#include <cstdlib>

#include "api/c_arguments.h"
#include "api/c_view.h"
#include "api/handle.h"
#include "events/registry.h"

namespace pua {

namespace {

// --- arguments -----------------------------------------------------------------------------------------------------

// What the C structure says, as the engine wants it. The engine checks what the strings hold. ok, or the error, kept.
int to_request(pua_s& h, const publ_info_t& in, PublishRequest& q) {
  std::string_view body;
  if (!in.pres_uri) return fail(&h, Errc::bad_argument, "pres_uri is NULL");
  if (!take(h, "pres_uri", in.pres_uri, q.pres_uri) || !take(h, "id", in.id, q.id) ||
      !take(h, "body", in.body, body) || !take(h, "content_type", in.content_type, q.content_type) ||
      !take(h, "etag", in.etag, q.etag) || !take(h, "extra_headers", in.extra_headers, q.extra_headers) ||
      !take(h, "outbound_proxy", in.outbound_proxy, q.outbound_proxy))
    return PUA_E_BAD_ARGUMENT;
  if (int rc = take_type(h, in.flag, q.type); rc != PUA_OK) return rc;
  if (!one_bit(in.source_flag)) return fail(&h, Errc::bad_argument, "source_flag is not one source bit");
  if (!one_bit(in.event)) return fail(&h, Errc::bad_argument, "event is not one event bit");
  if (in.body && in.body->s) {
    q.body = body;
  } else {
    q.content_type = {};  // documented callers name it on refreshes too
  }
  q.expires = in.expires < 0 ? kForEver : in.expires;
  q.source = in.source_flag;
  q.event = in.event;
  q.cb_param = in.cb_param;
  q.publ_info = &in;
  return PUA_OK;
}

// --- observers -----------------------------------------------------------------------------------------------------

// Called after the completion, never under a lock, for owners' requests and refreshes alike. The view is a snapshot.
void observe(const std::shared_ptr<pua_s>& h, pua_cb* f, void* param, const RecordView& v, const Outcome& o) {
  PresView view(v, o.by_timer ? REQ_ME : REQ_OTHER);
  pua_reply_s reply{o, h.get(), param, {}};
  f(view.pres(), &reply);
}

// --- body processors -----------------------------------------------------------------------------------------------

using Malloced = std::unique_ptr<char, decltype(&free)>;

// What a processor left in *final, taken over and freed; see evs_process_body_t.
Result<Unit> take_body(pua_str_t* final_body, const pua_str_t* original, std::string& out) {
  if (!final_body || final_body == original) return {Errc::bad_body, "the event's process_body said 1 and gave no new body"};
  Malloced block(reinterpret_cast<char*>(final_body), free);
  Malloced text(final_body->s, free);
  if (!final_body->s || final_body->len <= 0) return {Errc::bad_body, "the event's process_body gave an empty body"};
  out.assign(final_body->s, static_cast<size_t>(final_body->len));
  return success();
}

Result<Unit> take_tuple(const pua_str_t& now, std::string& tuple) {
  constexpr int kLongest = 255;
  Malloced block(now.s == tuple.data() ? nullptr : now.s, free);
  if (now.len < 0 || now.len > kLongest || (!now.s && now.len > 0) ||
      (!block && now.len > static_cast<int>(tuple.size())))
    return {Errc::bad_body, "the event's process_body gave a tuple id that is not 0 to 255 octets"};
  if (block)
    tuple.assign(block.get(), static_cast<size_t>(now.len));
  else
    tuple.resize(static_cast<size_t>(now.len));
  return success();
}

Result<Unit> process(pua_s& h, evs_process_body_t* f, const BodyRequest& q, std::string& out, bool& unchanged,
                     std::string& tuple) {
  publ_info_t publ{};
  if (q.publ_info) publ = *static_cast<const publ_info_t*>(q.publ_info);
  pua_str_t pres_uri = c_str(q.pres_uri), body = c_str(q.body), id = c_str(tuple);
  publ.id = c_str(q.id);
  publ.pres_uri = &pres_uri;
  publ.body = &body;
  publ.source_flag = q.source;
  publ.event = q.event;
  publ.content_type = c_str(q.content_type);
  pua_str_t* final_body = &body;
  int rc = f(&publ, &final_body, static_cast<int>(q.version & INT_MAX), &id);
  if (rc != 0 && rc != 1) return {Errc::bad_body, "the event's process_body refused the document"};
  unchanged = rc == 0;
  Result<Unit> got_tuple = take_tuple(id, tuple);
  if (rc == 1) {
    if (auto s = take_body(final_body, &body, out); !s) return s;
  }
  if (!h.instance) return {Errc::shutting_down, "the event's process_body freed the instance"};
  return got_tuple;
}

}  // namespace

}  // namespace pua

extern "C" {

int pua_send_publish(pua_t* p, const publ_info_t* publ) {
  pua::Call call(p);
  if (int rc = call.refusal()) return rc;
  pua_s& h = call.handle();
  try {
    if (!publ) return pua::fail(&h, pua::Errc::bad_argument, "publ is NULL");
    pua::PublishRequest q;
    if (int rc = pua::to_request(h, *publ, q); rc != PUA_OK) return rc;
    pua::RequestDone done;
    if (publ->cbrpl) {
      done = [self = h.shared_from_this(), f = publ->cbrpl, param = publ->cbparam](const pua::Outcome& o) {
        pua_reply_s reply{o, self.get(), param, {}};
        f(&reply, param);
      };
    }
    pua::Status s = h.instance->publish(q, std::move(done));
    return s ? PUA_OK : pua::fail(&h, s.error());
  } catch (...) {
    return call.caught();
  }
}

int pua_register_puacb(pua_t* p, int types, pua_cb* f, void* param) {
  return pua::guarded(p, [&](pua_s& h) {
    if (types <= 0 || !f) return pua::fail(&h, pua::Errc::bad_argument, "types is not a mask of source bits, or f is NULL");
    h.instance->engine().observe(pua::sources_of(types),
                                 [weak = h.weak_from_this(), f, param](const pua::RecordView& v, const pua::Outcome& o) {
                                   if (auto self = weak.lock()) pua::observe(self, f, param, v, o);
                                 });
    return 1;
  });
}

int pua_add_event(pua_t* p, int ev_flag, const char* name, const char* content_type, evs_process_body_t* process_body) {
  return pua::guarded(p, [&](pua_s& h) {
    if (!name) return pua::fail(&h, pua::Errc::bad_argument, "name is NULL");
    pua::Registry::Processor processor;
    if (process_body) {
      processor = [weak = h.weak_from_this(), process_body](const pua::BodyRequest& q, std::string& out, bool& unchanged,
                                                            std::string& tuple) -> pua::Result<pua::Unit> {
        auto self = weak.lock();
        if (!self) return {pua::Errc::shutting_down, "the instance is ending"};
        return pua::process(*self, process_body, q, out, unchanged, tuple);
      };
    }
    if (pua::Status fits = h.instance->event_fits(ev_flag, name); !fits) return pua::fail(&h, fits.error());
    pua::Status s = h.instance->events().add(ev_flag, name, content_type ? content_type : "", std::move(processor));
    if (!s) return pua::fail(&h, s.error());
    h.instance->event_added(ev_flag);
    return PUA_OK;
  });
}

}  // extern "C"
