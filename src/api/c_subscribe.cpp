// C ABI: subscriptions. The engine holds publications only; each call says so in the documented way.
#include <cstdlib>

#include "api/handle.h"

namespace {

constexpr const char* kNoSubscriptions = "subscriptions are not supported in this version";

}  // namespace

extern "C" {

int pua_send_subscribe(pua_t* p, subs_info_t* subs) {
  return pua::guarded(p, [&](pua_s& h) {
    if (!subs) return pua::fail(&h, pua::Errc::bad_argument, "subs is NULL");
    return pua::fail(&h, pua::Errc::not_supported, kNoSubscriptions);
  });
}

int pua_is_dialog(pua_t* p, const ua_pres_t* dialog) {
  return pua::guarded(p, [&](pua_s& h) {
    if (!dialog) return pua::fail(&h, pua::Errc::bad_argument, "dialog is NULL");
    return pua::fail(&h, pua::Errc::generic, kNoSubscriptions);
  });
}

int pua_get_record_id(pua_t* p, const ua_pres_t* dialog, pua_str_t** rec_id) {
  if (rec_id) *rec_id = nullptr;
  return pua::guarded(p, [&](pua_s& h) {
    if (!dialog || !rec_id) return pua::fail(&h, pua::Errc::bad_argument, "dialog or rec_id is NULL");
    return PUA_OK;
  });
}

list_entry_t* pua_get_subs_list(pua_t* p, const pua_str_t* did) {
  pua::guarded(p, [&](pua_s& h) {
    if (!did || did->len < 0 || (!did->s && did->len > 0))
      return pua::fail(&h, pua::Errc::bad_argument, "did is NULL or has a negative length");
    return pua::fail(&h, pua::Errc::not_supported, kNoSubscriptions);
  });
  return nullptr;
}

int pua_update_contact(pua_t* p, const char* msg, size_t len) {
  pua::guarded(p, [&](pua_s& h) {
    if (!msg || len == 0) return pua::fail(&h, pua::Errc::bad_argument, "msg is NULL or empty");
    return pua::fail(&h, pua::Errc::not_supported, kNoSubscriptions);
  });
  return -1;
}

int pua_notify_received(pua_t* p, const char* msg, size_t len) {
  return pua::guarded(p, [&](pua_s& h) {
    if (!msg || len == 0) return pua::fail(&h, pua::Errc::bad_argument, "msg is NULL or empty");
    return pua::fail(&h, pua::Errc::not_supported, kNoSubscriptions);
  });
}

void pua_str_free(pua_str_t* s) { free(s); }

void pua_list_free(list_entry_t* list) {
  while (list) {
    list_entry_t* next = list->next;
    pua_str_free(list->strng);
    free(list);
    list = next;
  }
}

}  // extern "C"
