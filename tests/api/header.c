/* The public header in C11: it compiles with all warnings, and C sees the same structures as C++. */
#include "pua/pua.h"

#include <stddef.h>

_Static_assert(MWI_EVENT == MSGSUM_EVENT, "two names of one event");
_Static_assert(sizeof(str) == sizeof(pua_str_t), "two names of one type");

static int answered(pua_reply_t *reply, void *extra_param) { return reply == NULL && extra_param == NULL; }
static int observed(ua_pres_t *hentity, pua_reply_t *reply) { return hentity == NULL && reply == NULL; }
static int notified(ua_pres_t *hentity, const pua_notification_t *n, void *param) {
  return hentity == NULL && n == NULL && param == NULL;
}
static int processed(publ_info_t *publ, str **final_body, int ver, str *tuple) {
  return publ == NULL && final_body == NULL && tuple == NULL ? ver : 0;
}

/* The documented types, used as documented code uses them. */
static publrpl_cb_t *const kReply = answered;
static pua_cb *const kObserver = observed;
static evs_process_body_t *const kProcessor = processed;
static pua_notify_cb *const kNotify = notified;

size_t header_c_sizes(int which) {
  switch (which) {
    case 0: return sizeof(publ_info_t);
    case 1: return sizeof(subs_info_t);
    case 2: return sizeof(ua_pres_t);
    case 3: return sizeof(pua_api_t);
    case 4: return offsetof(publ_info_t, cbparam);
    case 5: return offsetof(ua_pres_t, cb_param);
    case 6: return offsetof(subs_info_t, event_id);
    case 7: return sizeof(pua_notification_t);
    case 8: return sizeof(pua_notify_t);
    default: return 0;
  }
}

/* A module that subscribes, as it would be ported. 0, or the number of the step that failed. */
int header_c_watcher(pua_t *pua, char *uri, int uri_len) {
  pua_api_t api;
  subs_info_t subs = {0};
  ua_pres_t dialog = {0};
  str who;

  if (bind_pua(&api) < 0) return 1;
  if (pua_register_notify(pua, RLS_SUBSCRIBE, kNotify, NULL) < 0) return 2;
  who.s = uri;
  who.len = uri_len;
  subs.pres_uri = &who;
  subs.watcher_uri = &who;
  subs.contact = &who;
  subs.event = PRESENCE_EVENT;
  subs.source_flag = RLS_SUBSCRIBE;
  subs.expires = 600;
  subs.cbrpl = kReply;
  if (api.send_subscribe(&subs) != 0) return 3;
  dialog.pres_uri = &who;
  if (api.is_dialog(&dialog) != 1) return 4;
  return 0;
}

/* A module as it would be ported: binds, registers, publishes. 0, or the number of the step that failed. */
int header_c_module(char *uri, int uri_len, char *document, int document_len) {
  pua_api_t api;
  publ_info_t publ = {0};
  str pres_uri, body;

  if (bind_pua(&api) < 0) return 1;
  if (api.add_event(1 << 20, "c-event", "text/plain", kProcessor) < 0) return 2;
  if (api.register_puacb(1 << 20, kObserver, NULL) < 0) return 3;
  pres_uri.s = uri;
  pres_uri.len = uri_len;
  body.s = document;
  body.len = document_len;
  publ.pres_uri = &pres_uri;
  publ.body = &body;
  publ.event = 1 << 20;
  publ.source_flag = 1 << 20;
  publ.expires = 3600;
  publ.flag = INSERT_TYPE;
  publ.cbrpl = kReply;
  if (api.send_publish(&publ) != ERR_PUBLISH_NO_ERROR) return 4;
  return 0;
}
