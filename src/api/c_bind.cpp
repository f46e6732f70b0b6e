// C ABI: the process's default instance, and the documented table of calls on it.
#include "api/c_bind.h"

#include <atomic>

#include "api/handle.h"

namespace pua {

namespace {

std::atomic<pua_t*> g_default{nullptr};

// The default instance, or nullptr with the message kept.
pua_t* bound() {
  pua_t* p = g_default.load();
  if (!p) fail_thread(Errc::not_found, "there is no default instance: see pua_set_default()");
  return p;
}

int api_send_subscribe(subs_info_t* subs) {
  pua_t* p = bound();
  return p ? pua_send_subscribe(p, subs) : PUA_E_NOT_FOUND;
}
int api_send_publish(publ_info_t* publ) {
  pua_t* p = bound();
  return p ? pua_send_publish(p, publ) : PUA_E_NOT_FOUND;
}
int api_register_puacb(int types, pua_cb f, void* param) {
  pua_t* p = bound();
  return p ? pua_register_puacb(p, types, f, param) : PUA_E_NOT_FOUND;
}
int api_is_dialog(ua_pres_t* dialog) {
  pua_t* p = bound();
  return p ? pua_is_dialog(p, dialog) : PUA_E_NOT_FOUND;
}
int api_get_record_id(ua_pres_t* dialog, pua_str_t** rec_id) {
  pua_t* p = bound();
  return p ? pua_get_record_id(p, dialog, rec_id) : PUA_E_NOT_FOUND;
}
int api_add_event(int flag, char* name, char* content_type, evs_process_body_t* process_body) {
  pua_t* p = bound();
  return p ? pua_add_event(p, flag, name, content_type, process_body) : PUA_E_NOT_FOUND;
}
list_entry_t* api_get_subs_list(pua_str_t* did) {
  pua_t* p = bound();
  return p ? pua_get_subs_list(p, did) : nullptr;
}

}  // namespace

void forget_default(pua_t* p) { g_default.compare_exchange_strong(p, nullptr); }

}  // namespace pua

extern "C" {

int pua_set_default(pua_t* p) {
  if (p) {
    if (pua::Errc e = pua::usable(p); e != pua::Errc::ok) return static_cast<int>(e);
  }
  pua::g_default.store(p);
  return PUA_OK;
}

int bind_pua(pua_api_t* api) {
  if (!api) return pua::fail_thread(pua::Errc::bad_argument, "api is NULL");
  if (!pua::bound()) return PUA_E_NOT_FOUND;
  api->send_subscribe = pua::api_send_subscribe;
  api->send_publish = pua::api_send_publish;
  api->register_puacb = pua::api_register_puacb;
  api->is_dialog = pua::api_is_dialog;
  api->get_record_id = pua::api_get_record_id;
  api->add_event = pua::api_add_event;
  api->get_subs_list = pua::api_get_subs_list;
  return PUA_OK;
}

}  // extern "C"
