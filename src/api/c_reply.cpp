// C ABI: what a callback may ask of its reply.
#include "api/handle.h"

extern "C" {

int pua_reply_status(const pua_reply_t* r) { return r ? r->outcome.status : 0; }

pua_str_t pua_reply_reason(const pua_reply_t* r) { return pua::c_str(r ? r->outcome.reason : std::string_view()); }

int pua_reply_origin(const pua_reply_t* r) {
  if (!r) return 0;
  switch (r->outcome.origin) {
    case pua::ReplyOrigin::Wire: return PUA_ORIGIN_WIRE;
    case pua::ReplyOrigin::Timeout: return PUA_ORIGIN_TIMEOUT;
    case pua::ReplyOrigin::Transport: return PUA_ORIGIN_TRANSPORT;
    case pua::ReplyOrigin::Shutdown: return PUA_ORIGIN_SHUTDOWN;
    case pua::ReplyOrigin::Local: return PUA_ORIGIN_LOCAL;
  }
  return PUA_ORIGIN_LOCAL;
}

int pua_reply_header(pua_reply_t* r, const char* name, pua_str_t* value) {
  if (value) *value = pua_str_t{nullptr, 0};
  if (!r || !name || !value || !*name)
    return pua::fail_thread(pua::Errc::bad_argument, "reply, name or value is NULL or empty");
  if (!r->outcome.message) return pua::fail_thread(pua::Errc::not_found, "no reply came over the wire");
  try {
    std::string text;
    if (!r->outcome.message->header(name, text)) return pua::fail_thread(pua::Errc::not_found, "no such header field");
    r->headers.push_front(std::move(text));
    *value = pua::c_str(r->headers.front());
    return PUA_OK;
  } catch (const std::exception&) {
    return pua::fail_thread(pua::Errc::no_memory, "out of memory");
  }
}

pua_str_t pua_reply_etag(const pua_reply_t* r) { return pua::c_str(r ? r->outcome.etag : std::string_view()); }

long pua_reply_expires(const pua_reply_t* r) { return r ? static_cast<long>(r->outcome.granted) : 0; }

int pua_reply_durable(const pua_reply_t* r) { return r && r->outcome.durable; }

int pua_reply_superseded(const pua_reply_t* r) { return r && r->outcome.superseded; }

int pua_reply_kept(const pua_reply_t* r) { return r && r->outcome.kept; }

int pua_reply_by_timer(const pua_reply_t* r) { return r && r->outcome.by_timer; }

void* pua_reply_param(const pua_reply_t* r) { return r ? r->param : nullptr; }

pua_t* pua_reply_instance(const pua_reply_t* r) { return r ? r->pua : nullptr; }

}  // extern "C"
