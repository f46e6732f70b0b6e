// C ABI: publications, observers, event packages.
#include <climits>
#include <cstdlib>
#include <ctime>

#include "api/handle.h"
#include "events/registry.h"

namespace pua {

namespace {

// --- arguments -----------------------------------------------------------------------------------------------------

// A string that came in. false: bad_argument, kept.
bool take(pua_s& h, const char* field, const pua_str_t& s, std::string_view& out) {
  if (s.len < 0 || (!s.s && s.len > 0)) {
    fail(&h, Errc::bad_argument, std::string(field) + (s.len < 0 ? " has a negative length" : " is NULL with a length"));
    return false;
  }
  out = std::string_view(s.s ? s.s : "", static_cast<size_t>(s.len));
  return true;
}

bool take(pua_s& h, const char* field, const pua_str_t* s, std::string_view& out) {
  return !s || take(h, field, *s, out);
}

bool one_bit(int v) { return v > 0 && (v & (v - 1)) == 0; }

// What the C structure says, as the engine wants it. The engine checks what the strings hold. ok, or the error, kept.
int to_request(pua_s& h, const publ_info_t& in, PublishRequest& q) {
  std::string_view body;
  if (!in.pres_uri) return fail(&h, Errc::bad_argument, "pres_uri is NULL");
  if (!take(h, "pres_uri", in.pres_uri, q.pres_uri) || !take(h, "id", in.id, q.id) ||
      !take(h, "body", in.body, body) || !take(h, "content_type", in.content_type, q.content_type) ||
      !take(h, "etag", in.etag, q.etag) || !take(h, "extra_headers", in.extra_headers, q.extra_headers) ||
      !take(h, "outbound_proxy", in.outbound_proxy, q.outbound_proxy))
    return PUA_E_BAD_ARGUMENT;
  switch (in.flag) {
    case 0: q.type = RequestType::Auto; break;
    case INSERT_TYPE: q.type = RequestType::Insert; break;
    case UPDATE_TYPE: q.type = RequestType::Update; break;
    default: return fail(&h, Errc::bad_argument, "flag is not 0, INSERT_TYPE or UPDATE_TYPE");
  }
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

unsigned from_now(int64_t s) { return s > 0 ? static_cast<unsigned>(time(nullptr) + s) : 0; }

void observe(const std::shared_ptr<pua_s>& h, pua_cb* f, void* param, const RecordView& v, const Outcome& o) {
  pua_str_t pres_uri = c_str(v.pres_uri);
  pua_str_t proxy = c_str(v.outbound_proxy);
  ua_pres_t p{};
  p.local_index = static_cast<unsigned>(v.id);
  p.id = c_str(v.pres_id);
  p.pres_uri = &pres_uri;
  p.event = v.event;
  p.expires = from_now(v.expires_in);
  p.desired_expires = from_now(v.wanted_in);
  p.flag = v.source;
  p.db_flag = v.stored ? NO_UPDATEDB_FLAG : UPDATEDB_FLAG;
  p.ua_flag = o.by_timer ? REQ_ME : REQ_OTHER;
  p.etag = c_str(v.etag);
  p.tuple_id = c_str(v.tuple_id);
  p.waiting_reply = v.state == "sending";
  p.call_id = c_str(v.call_id);
  p.cseq = static_cast<int>(v.cseq & INT_MAX);
  p.version = static_cast<int>(v.version & INT_MAX);
  if (!v.outbound_proxy.empty()) p.outbound_proxy = &proxy;
  p.extra_headers = c_str(v.extra_headers);
  p.cb_param = v.cb_param;
  pua_reply_s reply{o, h.get(), param, {}};
  f(&p, &reply);
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
  return pua::guarded(p, [&](pua_s& h) {
    if (!publ) return pua::fail(&h, pua::Errc::bad_argument, "publ is NULL");
    pua::PublishRequest q;
    if (int rc = pua::to_request(h, *publ, q); rc != PUA_OK) return rc;
    pua::PublishDone done;
    if (publ->cbrpl) {
      done = [self = h.shared_from_this(), f = publ->cbrpl, param = publ->cbparam](const pua::Outcome& o) {
        pua_reply_s reply{o, self.get(), param, {}};
        f(&reply, param);
      };
    }
    pua::Status s = h.instance->publish(q, std::move(done));
    return s ? PUA_OK : pua::fail(&h, s.error());
  });
}

int pua_register_puacb(pua_t* p, int types, pua_cb* f, void* param) {
  return pua::guarded(p, [&](pua_s& h) {
    if (types <= 0 || !f) return pua::fail(&h, pua::Errc::bad_argument, "types is not a mask of source bits, or f is NULL");
    h.instance->observe(types, [weak = h.weak_from_this(), f, param](const pua::RecordView& v, const pua::Outcome& o) {
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
    pua::Status s = h.instance->events().add(ev_flag, name, content_type ? content_type : "", std::move(processor));
    if (!s) return pua::fail(&h, s.error());
    h.instance->event_added(ev_flag);
    return PUA_OK;
  });
}

}  // extern "C"
