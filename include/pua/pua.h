/* Over 600 lines because it is the one public header, and says of each call what goes in and what comes out.
 *
 * libpua: a Presence User Agent client for SIP proxies: publications (RFC 3903), subscriptions (RFC 6665). The one public
 * header.
 *
 * Compiles as C11 and C++. Rules that hold for every call unless it says otherwise:
 *
 *  Thread      An instance belongs to the thread that created it, which must also run its event loop. Every call but
 *              pua_post(), pua_strerror() and pua_version() is made in that thread; elsewhere it fails with
 *              PUA_E_WRONG_THREAD and does nothing. In a child process after fork() it fails with PUA_E_AFTER_FORK.
 *  Strings     (pointer, length) in octets; they need not end in NUL, may be empty, and are copied by the call that
 *              takes them. A `const char *` parameter is the exception: it is a C string, and its text says so.
 *              { NULL, 0 } is the empty string; { NULL, n > 0 } and a negative length are PUA_E_BAD_ARGUMENT.
 *  Results     0 (or a positive number where stated) is success. Negative numbers are PUA_E_* or ERR_PUBLISH_*; 418
 *              is the one positive error. On error nothing was accepted and nothing will be called;
 *              pua_last_error() says what was wrong.
 *  Callbacks   A request that was accepted is completed exactly once, never inside the call that made it: also when
 *              it fails, times out, is replaced by a newer one, or the instance ends. Callbacks run in the loop thread,
 *              under no lock; all calls but pua_run() are legal in them, pua_free() too.
 *  Exceptions  None leaves the library, and none may leave a callback.
 */
#ifndef PUA_PUA_H
#define PUA_PUA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PUA_VERSION_STRING "0.1.0"
#define PUA_VERSION_NUMBER 0x000100 /* 0xMMmmpp */
#define PUA_SOVERSION 0

#if defined(__GNUC__)
#define PUA_API __attribute__((visibility("default")))
#else
#define PUA_API
#endif

struct event_base; /* libevent */

/* ---------------------------------------------------------------- types */

typedef struct pua_s pua_t;               /* one instance: one SIP stack, one store, one table of records */
typedef struct pua_config_s pua_config_t; /* parameters, before an instance is made of them */
typedef struct pua_reply_s pua_reply_t;   /* how a request ended; valid only during the callback it is given to */

/* A string: `len` octets from `s`. Under its documented name `str` too, unless PUA_NO_STR is defined before the
 * header is included (for programs that have a `str` of their own). */
typedef struct pua_str {
  char *s;
  int len;
} pua_str_t;
#ifndef PUA_NO_STR
typedef pua_str_t str;
#endif

/* ---------------------------------------------------------------- constants (values of the documented API) */

/* Event packages: field `event`. One bit of these per request; more are registered with add_event. */
#define PRESENCE_EVENT   (1 << 0) /* presence, RFC 3856 */
#define PWINFO_EVENT     (1 << 1) /* presence.winfo, RFC 3857 */
#define BLA_EVENT        (1 << 2) /* dialog;sla */
#define MSGSUM_EVENT     (1 << 3) /* message-summary, RFC 3842 */
#define MWI_EVENT        MSGSUM_EVENT
#define CONFERENCE_EVENT (1 << 4) /* conference, RFC 4575 */
#define XCAPDIFF_EVENT   (1 << 5) /* xcap-diff, RFC 5875 */
#define DIALOG_EVENT     (1 << 6) /* dialog, RFC 4235 */
#define CALLINFO_EVENT   (1 << 7) /* call-info */
#define REGINFO_EVENT    (1 << 8) /* reg, RFC 3680 */

/* Sources: field `source_flag`. Who asks; part of a record's key. One bit per request. A host may use the bits above
 * REGINFO_PUBLISH for its own sources, up to bit 30. */
#define UL_PUBLISH        (1 << 0)
#define BLA_PUBLISH       (1 << 1)
#define BLA_SUBSCRIBE     (1 << 2)
#define XMPP_PUBLISH      (1 << 3)
#define XMPP_SUBSCRIBE    (1 << 4)
#define XMPP_INITIAL_SUBS (1 << 5)
#define MI_PUBLISH        (1 << 6)
#define MI_ASYN_PUBLISH   (1 << 7)
#define RPC_PUBLISH       MI_PUBLISH
#define RPC_ASYN_PUBLISH  MI_ASYN_PUBLISH
#define MI_SUBSCRIBE      (1 << 8)
#define RPC_SUBSCRIBE     MI_SUBSCRIBE
#define RLS_SUBSCRIBE     (1 << 9)
#define DIALOG_PUBLISH    (1 << 10)
#define CALLINFO_PUBLISH  (1 << 11)
#define REGINFO_SUBSCRIBE (1 << 12)
#define REGINFO_PUBLISH   (1 << 13)

/* Request types: field `flag`. 0: decided by whether the record exists. */
#define INSERT_TYPE (1 << 1) /* a record that exists gets this state (a modify, never a second publication) */
#define UPDATE_TYPE (1 << 2) /* a record that is missing is made if there is a body */

/* ua_pres_t.ua_flag: who asked. */
#define REQ_OTHER 0 /* an owner's request */
#define REQ_ME    1 /* a refresh or retry by the library's own timer */

/* ua_pres_t.db_flag: how the record stands to its row. */
#define NO_UPDATEDB_FLAG 0 /* the row is as the record is */
#define UPDATEDB_FLAG    1 /* the row is older, or missing */
#define INSERTDB_FLAG    2 /* documented; never shown */

/* Results of send_publish, under their documented names. */
#define ERR_PUBLISH_NO_ERROR   0   /* accepted */
#define ERR_PUBLISH_GENERIC    -1  /* failed, for a reason without a name of its own */
#define ERR_PUBLISH_NO_RECORD  -9  /* nothing to remove */
#define ERR_PUBLISH_NO_BODY    -10 /* no such record, and no body to make it of; also with UPDATE_TYPE */
#define ERR_PUBLISH_WRONG_ETAG 418 /* `etag` is not the confirmed entity-tag of the record */

/* Errors of all calls. */
#define PUA_OK                 0
#define PUA_E_GENERIC          -1
#define PUA_E_NO_RECORD        -9
#define PUA_E_NO_BODY          -10
#define PUA_E_BAD_ARGUMENT     -20 /* a field is missing, negative, or of the wrong kind */
#define PUA_E_BAD_URI          -21 /* not a SIP, SIPS, PRES or TEL URI, or it holds what none may: libpua(3), "URIs" */
#define PUA_E_UNKNOWN_EVENT    -22 /* no event package with that bit or name is registered */
#define PUA_E_BAD_HEADER       -23 /* CR, LF or NUL where none may be, or a line without a name */
#define PUA_E_BAD_BODY         -24 /* the document is not what its content type says */
#define PUA_E_TOO_LARGE        -25 /* over max_body, max_headers or another bound */
#define PUA_E_TOO_MANY_RECORDS -26 /* max_records */
#define PUA_E_TOO_MANY_WAITERS -27 /* max_waiters requests wait for this record already */
#define PUA_E_NO_MEMORY        -28
#define PUA_E_WRONG_THREAD     -29 /* called outside the instance's thread */
#define PUA_E_AFTER_FORK       -30 /* the instance belongs to the parent process */
#define PUA_E_SHUTTING_DOWN    -31
#define PUA_E_NOT_SUPPORTED    -32 /* documented, but not in this version */
#define PUA_E_BAD_CONFIG       -33
#define PUA_E_STORE_FAILED     -34 /* the database could not be opened, or does not fit */
#define PUA_E_SIP_FAILED       -35 /* the SIP stack could not be started */
#define PUA_E_NOT_FOUND        -36
#define PUA_E_LOADING          -37 /* the answer lies in the table, which is still being loaded: try again soon */
#define PUA_E_BACKLOG_FULL     -38 /* the database takes nothing, and max_backlog rows wait for it: no new records */
#define PUA_E_WRONG_ETAG       418

/* Where a reply comes from: pua_reply_origin(). */
#define PUA_ORIGIN_WIRE      0 /* a server's final reply */
#define PUA_ORIGIN_TIMEOUT   1 /* none came; status 408 */
#define PUA_ORIGIN_TRANSPORT 2 /* the request could not be sent; status 503 */
#define PUA_ORIGIN_SHUTDOWN  3 /* the instance ended first; status 487 */
#define PUA_ORIGIN_LOCAL     4 /* decided here, without a request; the reason tells why */

/* Log levels: each includes those below it. */
#define PUA_LOG_ERROR   0
#define PUA_LOG_WARNING 1
#define PUA_LOG_NOTICE  2
#define PUA_LOG_INFO    3
#define PUA_LOG_DEBUG   4

/* ---------------------------------------------------------------- structures */

/* Called with the reply of one request and the pointer given with it (cbparam). The result is ignored. */
typedef int(publrpl_cb_t)(pua_reply_t *reply, void *extra_param);

/* A publication as its owner wants it (RFC 3903). Its key is (source_flag, pres_uri, event, id). Zero the structure
 * before filling it. */
typedef struct publ_info {
  pua_str_t id;             /* tells several publications for one URI, event and source apart; may be empty */
  pua_str_t *pres_uri;      /* the presentity: Request-URI, To and From; needed. sip, sips, pres or tel */
  pua_str_t *body;          /* the document; NULL or { NULL, 0 }: a refresh (or a removal). Copied */
  int expires;              /* > 0 wanted lifetime in s; 0 remove; < 0 for ever (each period asks for default_expires) */
  int flag;                 /* 0, INSERT_TYPE or UPDATE_TYPE */
  int source_flag;          /* one source bit; needed */
  int event;                /* one event bit; needed */
  pua_str_t content_type;   /* of the body, ignored without one; empty: the event's default, needed if it has none */
  pua_str_t *etag;          /* NULL or empty: any; else must be the confirmed entity-tag, or the result is 418 */
  pua_str_t *extra_headers; /* NULL, or whole header lines, each ending in CRLF */
  pua_str_t outbound_proxy; /* next hop, a SIP URI, kept for refreshes. Empty: the parameter, or else the way of the
                             * Request-URI, whatever an earlier call named; a removal goes where the publication went */
  void *cb_param;           /* kept with the record and shown to register_puacb callbacks; never dereferenced here */
  publrpl_cb_t *cbrpl;      /* called once with the outcome of this request; may be NULL */
  void *cbparam;            /* given to cbrpl */
} publ_info_t;

/* A subscription as its owner wants it (RFC 6665). Its key is (source_flag, pres_uri, event, id, watcher_uri, to_uri). contact,
 * remote_target and outbound_proxy are what the last call said that did not end it: what it left empty is the default again.
 * Zero the structure before filling it. URIs: sip, sips; pres_uri, to_uri and watcher_uri may be pres or tel. */
typedef struct subs_info {
  pua_str_t id;              /* tells several subscriptions of one watcher apart; may be empty. It is not sent; event_id is */
  pua_str_t *pres_uri;       /* the presentity; needed */
  pua_str_t to_uri;          /* To; empty: pres_uri */
  pua_str_t *watcher_uri;    /* the subscriber: From; needed */
  pua_str_t *contact;        /* Contact, where NOTIFYs are to come; NULL or empty: the parameter contact, or else listen */
  pua_str_t *remote_target;  /* Request-URI of the request that makes the dialog; NULL or empty: pres_uri */
  pua_str_t *outbound_proxy; /* next hop, kept for refreshes; NULL or empty: the parameter, or the way of the Request-URI */
  int event;                 /* one event bit; needed */
  pua_str_t *extra_headers;  /* NULL, or whole header lines, each ending in CRLF; kept for refreshes */
  int expires;               /* > 0 wanted lifetime in s; 0 end it, or fetch the state once if there is none; < 0 for ever */
  int source_flag;           /* one source bit; needed. XMPP_INITIAL_SUBS stands for XMPP_SUBSCRIBE, as documented */
  int internal_update_flag;  /* not 0: do nothing if the subscription exists (completed with 200, PUA_ORIGIN_LOCAL) */
  int flag;                  /* 0, INSERT_TYPE or UPDATE_TYPE */
  void *cb_param;            /* kept with the record and shown to register_puacb callbacks; never dereferenced here */
  publrpl_cb_t *cbrpl;       /* called once with the outcome of this request; may be NULL */
  void *cbparam;             /* given to cbrpl */
  pua_str_t event_id;        /* `id` parameter of Event, a token; empty: none. Counts when the subscription is made */
  pua_str_t *body;           /* goes with each SUBSCRIBE but the one that ends it: a filter (RFC 4660), a list of presentities
                              * (RFC 5367). At most max_body octets; NULL or empty: the one of an earlier call, or none */
  pua_str_t content_type;    /* of body; needed with a body, ignored without */
} subs_info_t;

/* A request that waits for the one in flight. Kept for source compatibility: ua_pres_t.pending_publ is always NULL,
 * because waiting requests are shown to nobody. */
typedef struct publ_ {
  pua_str_t content_type;
  pua_str_t *body;
  pua_str_t *extra_headers;
  int expires;
  void *cb_param;
  struct publ_ *next;
} publ_t;

/* A record as callbacks see it, and the question put to is_dialog and get_record_id. What a callback gets is a
 * snapshot: its strings are valid during the callback, and changing it changes nothing. */
typedef struct ua_pres {
  unsigned int hash_index;      /* 0 */
  unsigned int local_index;     /* the record's number, low 32 bits */
  pua_str_t id;
  pua_str_t *pres_uri;
  int event;                    /* event bit */
  unsigned int expires;         /* end of what the server granted, s since 1970; 0: nothing granted */
  unsigned int desired_expires; /* wanted end, s since 1970; 0: for ever */
  int flag;                     /* source bit */
  int db_flag;                  /* NO_UPDATEDB_FLAG or UPDATEDB_FLAG */
  struct ua_pres *next;         /* NULL */
  int ua_flag;                  /* REQ_OTHER or REQ_ME */
  /* publications */
  pua_str_t etag;               /* confirmed entity-tag */
  pua_str_t tuple_id;           /* what the body processor keeps between documents */
  int waiting_reply;            /* a request is out */
  publ_t *pending_publ;         /* NULL */
  /* subscriptions; tags as in the SUBSCRIBE: from_tag is the local one, to_tag the other side's */
  pua_str_t to_uri;
  pua_str_t *watcher_uri;       /* NULL: a publication */
  pua_str_t call_id;
  pua_str_t to_tag;             /* empty: no dialog yet */
  pua_str_t from_tag;
  int cseq;                     /* of the last request */
  int version;                  /* of the document */
  int watcher_count;            /* 0 */
  pua_str_t *outbound_proxy;    /* NULL: none of its own */
  pua_str_t extra_headers;
  pua_str_t record_route;       /* route set of the dialog: Route values in the order they go out */
  pua_str_t remote_contact;     /* remote target of the dialog, a URI */
  pua_str_t contact;            /* ours, a URI */
  pua_str_t sh_tag;             /* sharing tag */
  void *cb_param;               /* of the last request that gave one */
} ua_pres_t;

/* A list of strings: what get_subs_list gives. */
typedef struct list_entry {
  pua_str_t *strng;
  struct list_entry *next;
} list_entry_t;

/* Called for every outcome of records whose source bit is in the mask it was registered with: owners' requests
 * (hentity->ua_flag REQ_OTHER) and the library's own refreshes (REQ_ME). The result is ignored. */
typedef int(pua_cb)(ua_pres_t *hentity, pua_reply_t *reply);

/* A header field: its name as it came (also a compact one), and its value, folded lines made one. */
typedef struct pua_header {
  pua_str_t name;
  pua_str_t value;
} pua_header_t;

/* What is wrong with a NOTIFY's document. */
#define PUA_DOC_TOO_LARGE 1  /* longer than max_notify_body */
#define PUA_DOC_NO_TYPE 2    /* it came without Content-Type */
#define PUA_DOC_OTHER_TYPE 3 /* its Content-Type is not one of the event */
#define PUA_DOC_MALFORMED 4  /* it is not what its Content-Type says */

/* A NOTIFY of one of our subscriptions, as handlers get it. Valid during the call. */
typedef struct pua_notification {
  pua_str_t state;        /* of Subscription-State: "active", "pending", "terminated", or another word */
  pua_str_t reason;       /* its reason: "deactivated", "timeout", "rejected" ...; empty: not said */
  long expires;           /* its expires in s; -1: not said */
  long retry_after;       /* its retry-after in s; -1: not said */
  pua_str_t content_type; /* of body; empty without */
  pua_str_t body;         /* the document as it came; empty: none */
  int gap;                /* 1: the document is partial and changes before it are missing; full state is asked for */
  pua_t *pua;             /* the instance */
  int bad_document;       /* 0: body is what it should be, or there is none. Else one of PUA_DOC_*: the document that came
                           * cannot be used. It is left out, or with notify_bad_documents shown all the same; never one
                           * that is too large. What the NOTIFY says of the subscription counts in any case. */
  const struct pua_header *headers; /* its header fields in the order they came, at most 64 and 8192 octets of them */
  int n_headers;                    /* how many */
} pua_notification_t;

/* Called for each NOTIFY that was taken of subscriptions whose source bit is in the mask it was registered with, in the
 * order they came, from the loop, after the NOTIFY was answered. hentity: the subscription as it was when the NOTIFY had
 * been taken, a snapshot; its cb_param tells whose it is. param: as registered. A repeated NOTIFY (a retransmission) is
 * shown once. The result is ignored. */
typedef int(pua_notify_cb)(ua_pres_t *hentity, const pua_notification_t *n, void *param);

/* A presentity of a list (RFC 4662), as it stands in one NOTIFY of a subscription to that list. Valid during the call. */
typedef struct pua_resource {
  pua_str_t list_uri;     /* of the list */
  unsigned int version;   /* of the list's document: one more than in the last one */
  int full_state;         /* 1: the document shows the whole list; 0: what changed */
  pua_str_t uri;          /* of the presentity */
  pua_str_t name;         /* for people; may be empty */
  pua_str_t instance;     /* id of this virtual subscription; empty: the list has none for it, and nothing more is known */
  pua_str_t state;        /* "active", "pending", "terminated" */
  pua_str_t reason;       /* why it is terminated; may be empty */
  pua_str_t content_type; /* of body */
  pua_str_t body;         /* its document; empty: none came. It may be a list in turn */
  int missing;            /* 1: the list names a document for it that did not come */
  unsigned int skipped;   /* resources of this list that are not shown as they have no uri, and instances without id or state */
} pua_resource_t;

/* Called for each of them. The result is ignored. */
typedef int(pua_resource_cb)(const pua_resource_t *r, void *param);

/* A NOTIFY outside of any dialog, as handlers get it: for instance message waiting, which some servers tell a line without a
 * subscription. Valid during the call. What the NOTIFY did not say is empty. */
typedef struct pua_unsolicited {
  pua_str_t to_uri;       /* of To: whom it is for */
  pua_str_t from_uri;     /* of From: who sent it */
  pua_str_t event;        /* name of the event package */
  pua_str_t event_id;
  pua_str_t state;        /* of Subscription-State */
  pua_str_t content_type; /* of body */
  pua_str_t body;
  int bad_document;       /* as in pua_notification_t, with headers and n_headers */
  const struct pua_header *headers;
  int n_headers;
  pua_t *pua;             /* the instance */
} pua_unsolicited_t;

/* Called for each of them whose event's bit is in the mask it was registered with, from the loop, after it was answered 200.
 * The result is ignored. Anybody who reaches our addresses can send one: trust what is in it no more than the network around.
 * One that is repeated because our answer was lost is shown again. */
typedef int(pua_unsolicited_cb)(const pua_unsolicited_t *n, void *param);

/* A NOTIFY taken apart by the host's own SIP stack, for pua_notify_fields(). Zero it first; what is not there is empty.
 * Tags as in the NOTIFY: `from_tag` is the notifier's, `to_tag` ours. Values are those of header fields, without their
 * names and line ends. */
typedef struct pua_notify {
  pua_str_t call_id;            /* needed */
  pua_str_t from_tag;           /* needed */
  pua_str_t to_tag;             /* empty: outside of any dialog, see pua_register_unsolicited() */
  unsigned int cseq;            /* number of CSeq */
  pua_str_t contact;            /* Contact, whole value or URI; the first one counts */
  pua_str_t event;              /* Event, whole value: "presence", "dialog;sla;id=7"; needed */
  pua_str_t subscription_state; /* Subscription-State, whole value: "active;expires=600"; needed */
  pua_str_t record_route;       /* Record-Route, all values in their order, with commas between */
  pua_str_t content_type;       /* Content-Type */
  pua_str_t body;
  pua_str_t headers;            /* other header fields for the handlers, whole lines ("Call-Info: <sip:x>\r\n"); may be empty */
  pua_str_t to_uri;             /* of To and From, where to_tag is empty: for pua_register_unsolicited() */
  pua_str_t from_uri;
} pua_notify_t;

/* Makes of an owner's document the one that goes on the wire.
 *  publ        the request, body never NULL, content_type never empty where the event has a default.
 *  final_body  in: *final_body == publ->body. If the result is 1, the processor has put there a str that it got from
 *              malloc() and whose `s` is a malloc() block of its own; the library frees both with free().
 *  ver         number of this document in the record's life, counting up from 1, also across restarts.
 *  tuple       in: what this processor returned last for this record, or empty. To keep another value the processor
 *              points `s` at a malloc() block (freed by the library with free()) and sets `len`, at most 255 octets.
 * Result: 0 unchanged, the body goes out as it is (final_body is not looked at, and nothing of it freed); 1 changed;
 * negative: the document is refused (PUA_E_BAD_BODY; final_body and tuple are not looked at). Runs once for each accepted
 * document, inside send_publish; what it made is kept and sent again as it is when the server lost it. Not called
 * without a body, or for a removal. Must not block. */
typedef int(evs_process_body_t)(publ_info_t *publ, pua_str_t **final_body, int ver, pua_str_t *tuple);

typedef int (*send_publish_t)(publ_info_t *publ);
typedef int (*send_subscribe_t)(subs_info_t *subs);
typedef int (*query_dialog_t)(ua_pres_t *presentity);
typedef int (*register_puacb_t)(int types, pua_cb f, void *param);
typedef int (*add_pua_event_t)(int ev_flag, char *name, char *content_type, evs_process_body_t *process_body);
typedef int (*get_record_id_t)(ua_pres_t *dialog, pua_str_t **rec_id);
typedef list_entry_t *(*get_subs_list_t)(pua_str_t *did);

/* The documented table of calls. Each does what the pua_* call of the same name does, on the default instance. */
typedef struct pua_api {
  send_subscribe_t send_subscribe;
  send_publish_t send_publish;
  register_puacb_t register_puacb;
  query_dialog_t is_dialog;
  get_record_id_t get_record_id;
  add_pua_event_t add_event;
  get_subs_list_t get_subs_list;
} pua_api_t;

/* One counter or gauge of pua_stats_get(). */
typedef struct pua_stat {
  const char *name; /* C string, static */
  const char *help; /* C string, static */
  int is_gauge;     /* 1: a value now; 0: a count since start */
  long long value;
} pua_stat_t;

/* A line of the log: without line end, `len` octets, followed by a NUL. `level` is PUA_LOG_*. May run inside any call.
 * Secrets (passwords, digests, keys) are never in it. */
typedef void (*pua_log_cb)(void *user, int level, const char *msg, size_t len);

/* ---------------------------------------------------------------- the documented binding */

/* Fills `api` with calls that act on the process's default instance (pua_set_default).
 * Returns 0; PUA_E_BAD_ARGUMENT if api is NULL; PUA_E_NOT_FOUND if there is no default instance (api is untouched).
 * Calls through the table fail with PUA_E_NOT_FOUND once that instance has ended. Source: OpenSIPS pua, bind_pua. */
PUA_API int bind_pua(pua_api_t *api);

/* Makes `pua` the default instance; NULL: none. The default is forgotten when that instance is freed.
 * Returns 0, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK. */
PUA_API int pua_set_default(pua_t *pua);

/* ---------------------------------------------------------------- configuration */

/* An empty configuration: every parameter has its default (pua.conf(5)). NULL: out of memory. Any thread, as long as
 * one uses it at a time. */
PUA_API pua_config_t *pua_config_new(void);

/* Frees it; NULL is legal. An instance made from it does not need it any more. */
PUA_API void pua_config_free(pua_config_t *cfg);

/* Reads modparam("module", "name", value) lines from the file `path` (C string). The file replaces all that was set before
 * in cfg: load first, set single parameters afterwards.
 * Returns 0; PUA_E_BAD_ARGUMENT (NULL); PUA_E_BAD_CONFIG: not readable, or a broken line, an unknown module or name, a
 * wrong type or a value out of range; pua_config_error() has file:line:column. After an error cfg is as before. */
PUA_API int pua_config_load(pua_config_t *cfg, const char *path);

/* The same from `len` octets of text; `name` (C string, or NULL) stands for the file in messages. */
PUA_API int pua_config_parse(pua_config_t *cfg, const char *text, size_t len, const char *name);

/* Sets one parameter, as modparam does, in place of the value it had. C strings; module is "pua" for the library's own.
 * pua_config_set_str: a string parameter; those that may be given several times collect the values.
 * pua_config_set_int: an integer parameter, in its own unit, within its range.
 * Returns 0, PUA_E_BAD_ARGUMENT (NULL), PUA_E_BAD_CONFIG (pua_config_error() tells which). */
PUA_API int pua_config_set_str(pua_config_t *cfg, const char *module, const char *name, const char *value);
PUA_API int pua_config_set_int(pua_config_t *cfg, const char *module, const char *name, long long value);

/* What was wrong in the last call on cfg that failed; "" if none did. C string, valid until the next call on cfg. */
PUA_API const char *pua_config_error(const pua_config_t *cfg);

/* ---------------------------------------------------------------- instance */

/* Makes an instance: opens the store, starts the SIP stack, begins to load the stored records (in the loop, in pages;
 * requests are taken at once). With MariaDB this call waits for a server, and with it blocks the caller: for two round trips
 * or so where it is well, at worst for 2 * db_timeout + 4 s for each server of db_url, and db_timeout + 1 s. Nothing blocks
 * after that. MariaDB's client library makes the process ignore SIGPIPE.
 *  cfg    parameters; NULL: all defaults. Copied. The default db_url names a MariaDB server on this host.
 *  base   the host's loop, which must outlive the instance; NULL: the library makes its own, run by pua_run().
 *  log    gets the log with `user`; NULL: syslog. The level at start is that of pua_log_level(): PUA_LOG_NOTICE.
 *  out    the instance, owned by the caller: pua_free().
 * Returns 0, or with *out = NULL: PUA_E_BAD_ARGUMENT (out is NULL), PUA_E_BAD_CONFIG, PUA_E_STORE_FAILED,
 * PUA_E_SIP_FAILED, PUA_E_NO_MEMORY; pua_last_error(NULL) tells why. */
PUA_API int pua_new(pua_t **out, const pua_config_t *cfg, struct event_base *base, pua_log_cb log, void *user);

/* Ends the instance: completes every open request inside this call, with PUA_ORIGIN_SHUTDOWN where it has no outcome yet,
 * calls what waits for pua_flush(), pua_shutdown() and pua_post(), sends nothing more, and writes what is unwritten as far as
 * 100 ms allow (pua_shutdown() before it is the orderly way). Legal inside callbacks, all of them: then, too, no other callback
 * runs after it has returned, the log's included, and what they were given may be freed. NOTIFYs that wait for their
 * handlers are shown to nobody any more, and outcomes not to pua_cb. The exception is the log's callback: a pua_free() in it
 * ends the log at once, but the completions come later, from the loop. `pua` must not be used any more, except in
 * completions, where each call fails with PUA_E_SHUTTING_DOWN. Other threads must have stopped calling pua_post().
 * NULL is legal. In another thread, and in a child after fork(), it does nothing (pua_last_error(NULL) says so). */
PUA_API void pua_free(pua_t *pua);

/* The loop the instance runs on; NULL after an error (pua_last_error). */
PUA_API struct event_base *pua_event_base(pua_t *pua);

/* Runs the loop until pua_stop() or pua_free(). Meant for a loop that the library made; with the host's it turns that.
 * Not from inside a callback. A host that turns a loop of the library's own by event_base_loop() itself must not free the
 * instance inside a callback.
 * Returns 0, PUA_E_GENERIC (called inside a callback, or libevent refused), PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK. */
PUA_API int pua_run(pua_t *pua);

/* Lets pua_run() return after the current callback; without effect when it does not run. From the loop thread; from
 * others by pua_post(). Returns 0, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK. */
PUA_API int pua_stop(pua_t *pua);

/* Runs fn(pua, arg) on the loop: the one call for other threads. Functions run in the order they were posted, each
 * once; those still queued when the instance ends run then, and see PUA_E_SHUTTING_DOWN from the calls they make.
 * Returns 0; PUA_E_BAD_ARGUMENT (NULL); PUA_E_SHUTTING_DOWN, PUA_E_AFTER_FORK, PUA_E_NO_MEMORY: fn will not run. In another
 * thread pua_last_error(NULL) has the message. */
PUA_API int pua_post(pua_t *pua, void (*fn)(pua_t *pua, void *arg), void *arg);

/* Writes everything unwritten. done (may be NULL) is called once, later: ok = 1 all that was accepted before is committed;
 * 0: not all of it could be written within shutdown_timeout (what is left stays queued), or the instance was freed. A request
 * that waits until the table is loaded, or behind another one of its record that is out, has no row until then.
 * Returns 0, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_NO_MEMORY. */
PUA_API int pua_flush(pua_t *pua, void (*done)(pua_t *pua, int ok, void *arg), void *arg);

/* Orderly end: takes no more requests, un-publishes if unpublish_on_shutdown is set, completes what is open, writes
 * everything. done (may be NULL) is called once, later, within shutdown_timeout (or by pua_free()); the gauge
 * store_backlog then tells how many records could not be written in time, those included whose requests waited for the table
 * or behind another request until the end. Then call pua_free(). A second call only waits for the same end.
 * Returns 0, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_NO_MEMORY. */
PUA_API int pua_shutdown(pua_t *pua, void (*done)(pua_t *pua, void *arg), void *arg);

/* Takes over those parameters that can change in a running instance.
 * Returns how many differ but need a new instance (their names are in pua_last_error() and the log), PUA_E_BAD_CONFIG
 * (nothing was changed), PUA_E_BAD_ARGUMENT, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_SHUTTING_DOWN. */
PUA_API int pua_reload(pua_t *pua, const pua_config_t *cfg);

/* Sets the level, PUA_LOG_ERROR ... PUA_LOG_DEBUG; any other value only asks. Returns the level before, or an error
 * below -1. */
PUA_API int pua_log_level(pua_t *pua, int level);

/* Fills at most `max` elements of `out` (NULL with max 0 only counts) with the counters and gauges as they are now.
 * Returns how many there are, which may be more than max; PUA_E_BAD_ARGUMENT, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK. */
PUA_API int pua_stats_get(pua_t *pua, pua_stat_t *out, int max);

/* The message of the last call on `pua` that failed, "" if none did; with NULL, that of this thread's last failed call
 * that had no instance. Names the field and what was wrong with it. C string, valid until the next call. Legal in any
 * thread with NULL only. */
PUA_API const char *pua_last_error(pua_t *pua);

/* A short text for a result of any call, C string, static. Any thread. */
PUA_API const char *pua_strerror(int code);

/* PUA_VERSION_STRING of the library that is loaded. Any thread. */
PUA_API const char *pua_version(void);

/* ---------------------------------------------------------------- publications */

/* Publishes, modifies, refreshes or removes (RFC 3903). Takes effect in the order of the calls; while a request of the
 * same key is out, the newest waiting call replaces earlier waiting ones, whose callers get its outcome with
 * pua_reply_superseded(). Everything in publ is copied.
 * Returns
 *   0                       accepted: cbrpl, if given, is called exactly once, later
 *   ERR_PUBLISH_NO_RECORD   (*) expires is 0 and there is no such record
 *   ERR_PUBLISH_NO_BODY     (*) there is no such record, and no body
 *   ERR_PUBLISH_WRONG_ETAG  (418) etag is not the record's confirmed one, or there is no such record
 *   PUA_E_BAD_ARGUMENT      publ or pres_uri NULL, a negative length, source_flag or event not one bit, unknown flag bits,
 *                           a body without content type
 *   PUA_E_BAD_URI           pres_uri or outbound_proxy
 *   PUA_E_BAD_HEADER        CR, LF or NUL in id, etag or content_type, extra_headers that are not whole lines, or that
 *                           name a header field which the library writes
 *   PUA_E_BACKLOG_FULL      there is no such record, and the database takes nothing: max_backlog rows wait for it
 *   PUA_E_UNKNOWN_EVENT, PUA_E_BAD_BODY (refused by the event's processor), PUA_E_TOO_LARGE, PUA_E_TOO_MANY_RECORDS,
 *   PUA_E_TOO_MANY_WAITERS, PUA_E_NO_MEMORY, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_SHUTTING_DOWN
 * (*) Cannot be known while the stored records are being loaded: then the call returns 0, and the completion says status
 *     404 or 412 with PUA_ORIGIN_LOCAL. A call with an etag, which cannot be compared then, gets PUA_E_LOADING.
 * Source: OpenSIPS pua, send_publish. */
PUA_API int pua_send_publish(pua_t *pua, const publ_info_t *publ);

/* Calls f for each outcome of records, publications and subscriptions, whose source bit is in `types` (any non-zero mask);
 * pua_reply_param() then gives `param`. Runs after the request's own cbrpl. Stays registered as long as the instance lives.
 * Returns 1 (as documented); PUA_E_BAD_ARGUMENT: types is 0 or negative, f is NULL; PUA_E_NO_MEMORY, PUA_E_WRONG_THREAD,
 * PUA_E_AFTER_FORK, PUA_E_SHUTTING_DOWN. Source: OpenSIPS pua, register_puacb. */
PUA_API int pua_register_puacb(pua_t *pua, int types, pua_cb *f, void *param);

/* Registers an event package.
 *  ev_flag       one bit, used by no other package; up to bit 30
 *  name          as in the Event header field, C string: a token, possibly with parameters ("dialog;sla")
 *  content_type  of documents without one, C string; NULL: none
 *  process_body  NULL: documents go out as they are
 * A package that is registered by that name already stays as it is, and the result is 0, as documented. Register before
 * the loop runs, so that the load finds it; stored records of an event that is registered later are loaded then.
 * Returns 0; PUA_E_BAD_ARGUMENT: ev_flag not one bit or taken by another name, here or in the database, name NULL or not a
 * legal event name, content_type not a legal one; PUA_E_NO_MEMORY, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_SHUTTING_DOWN.
 * Source: OpenSIPS pua, add_event. */
PUA_API int pua_add_event(pua_t *pua, int ev_flag, const char *name, const char *content_type,
                          evs_process_body_t *process_body);

/* ---------------------------------------------------------------- subscriptions
 * The library makes the dialog, refreshes it, takes part in its end, makes it anew while it is wanted, and goes on with it
 * after a restart. NOTIFYs come in by its own listener (parameter listen), whose address is the Contact, or by the host's
 * socket and pua_notify_received() or pua_notify_fields(). */

/* Subscribes, changes a subscription's lifetime, ends it, or fetches a state once (RFC 6665). Takes effect in the order of
 * the calls; while a request of the same key is out, the newest waiting call replaces earlier waiting ones, whose callers
 * get its outcome with pua_reply_superseded(). Everything in subs is copied; subs is not changed.
 * Returns
 *   0                       accepted: cbrpl, if given, is called exactly once, later, with the final reply. A dialog that is
 *                           made by it is established then or earlier; the state comes by NOTIFY: pua_register_notify()
 *   PUA_E_BAD_ARGUMENT      subs, pres_uri or watcher_uri NULL, a negative length, source_flag or event not one bit,
 *                           unknown flag bits, no contact and neither the parameter contact nor listen, a body without
 *                           content_type
 *   PUA_E_BAD_URI           one of the URIs, or pres_uri or watcher_uri empty; pua_last_error() tells which
 *   PUA_E_BAD_HEADER        CR, LF or NUL in id, event_id or content_type, event_id not a token, extra_headers that are not
 *                           whole lines, or that name a header field which the library writes
 *   PUA_E_BACKLOG_FULL      there is no such subscription, and the database takes nothing: max_backlog rows wait for it
 *   PUA_E_UNKNOWN_EVENT, PUA_E_TOO_LARGE, PUA_E_TOO_MANY_RECORDS, PUA_E_TOO_MANY_WAITERS, PUA_E_NO_MEMORY,
 *   PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_SHUTTING_DOWN
 * Source: OpenSIPS pua, send_subscribe. */
PUA_API int pua_send_subscribe(pua_t *pua, const subs_info_t *subs);

/* Calls f for each NOTIFY taken of subscriptions whose source bit is in `types` (any non-zero mask), with `param`. Stays
 * registered as long as the instance lives. Register before the loop runs: NOTIFYs of stored subscriptions may come in its
 * first turn.
 * Returns 1; PUA_E_BAD_ARGUMENT: types is 0 or negative, f is NULL; PUA_E_NO_MEMORY, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK,
 * PUA_E_SHUTTING_DOWN. */
PUA_API int pua_register_notify(pua_t *pua, int types, pua_notify_cb *f, void *param);

/* Calls f for each NOTIFY outside of any dialog whose event's bit is in `events` (any non-zero mask), with `param`. Without
 * such a call they are answered 481. Stays registered as long as the instance lives. Over a connection all of them are taken;
 * over UDP 100 a second from one host, and the others when they are repeated: of 500 that come at once all are taken within
 * 12 s, and of more than about 900 some are lost, because their sender gives up first.
 * Returns 1; PUA_E_BAD_ARGUMENT: events is 0 or negative, f is NULL; PUA_E_NO_MEMORY, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK,
 * PUA_E_SHUTTING_DOWN. */
PUA_API int pua_register_unsolicited(pua_t *pua, int events, pua_unsolicited_cb *f, void *param);

/* Takes the document of a NOTIFY apart that is a list (RFC 4662): calls f, with `param`, for each instance of each resource in
 * it and for each resource without one, in their order, before it returns. content_type and body: as the handler got them, or
 * those of a pua_resource_t. A list comes where it is asked for: with extra_headers "Supported: eventlist\r\n".
 * Returns how often f was called; PUA_E_BAD_BODY: it is no list, not well-formed, or its version or fullState cannot be read: f
 * was not called; PUA_E_BAD_ARGUMENT: f is NULL, a negative length; PUA_E_SHUTTING_DOWN, also when f has freed the instance,
 * which shows it no more resources; PUA_E_TOO_LARGE, PUA_E_NO_MEMORY, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK. */
PUA_API int pua_notify_resources(pua_t *pua, const pua_str_t *content_type, const pua_str_t *body, pua_resource_cb *f,
                                 void *param);

/* Is there a dialog? `dialog` is the question: call_id, from_tag (local) and to_tag (the other side's), pres_uri,
 * watcher_uri, id, event, flag (source bit); what is NULL, empty or 0 matches any, but call_id, pres_uri or to_uri is
 * needed (to_uri counts where the other two are missing).
 * Returns 0 established; 1 it is being made; -1 there is none; also negative: PUA_E_LOADING (none so far: the stored
 * records are being loaded), PUA_E_BAD_ARGUMENT, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_SHUTTING_DOWN.
 * Source: OpenSIPS and Kamailio pua, is_dialog. */
PUA_API int pua_is_dialog(pua_t *pua, const ua_pres_t *dialog);

/* Gives in *rec_id a copy of the id (subs_info_t.id) of the subscription that `dialog` asks for, as pua_is_dialog() has it;
 * NULL if there is none. The copy is the caller's, to be freed with pua_str_free().
 * Returns 0, PUA_E_LOADING, PUA_E_BAD_ARGUMENT, PUA_E_NO_MEMORY, PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK,
 * PUA_E_SHUTTING_DOWN.
 * Source: OpenSIPS pua, get_record_id. */
PUA_API int pua_get_record_id(pua_t *pua, const ua_pres_t *dialog, pua_str_t **rec_id);

/* Gives copies of the presentity URIs of all subscriptions whose id begins with `did` (not empty), one entry for each
 * subscription. The list is the caller's, to be freed with pua_list_free(). NULL: there are none, or there was an error, whose
 * message pua_last_error() has (one error is that the stored records are still being loaded). Source: OpenSIPS pua,
 * get_subs_list. */
PUA_API list_entry_t *pua_get_subs_list(pua_t *pua, const pua_str_t *did);

/* A request within a subscription's dialog, as the host's own socket received it (`len` octets from the request line
 * on): takes over the URI of its first Contact as the remote target (RFC 6665 section 4.4.1). Not needed for NOTIFYs that
 * pua_notify_received() gets. 1 done; -1 no such dialog, not a request, no Contact, or another error (pua_last_error).
 * Source: OpenSIPS pua, pua_update_contact. */
PUA_API int pua_update_contact(pua_t *pua, const char *msg, size_t len);

/* A NOTIFY that the host's own socket received: `len` octets from the request line on, body included.
 * Returns the status that the host answers the NOTIFY with: 200; 400, 415, 481, 489, 500, 503 and others of RFC 6665
 * section 4.1.3 where it was not taken (pua_notify_answer_reason(), pua_notify_answer_headers()). Handlers run later.
 * Negative: PUA_E_BAD_ARGUMENT (msg is NULL or empty, or no NOTIFY that can be read: answer 400), PUA_E_NO_MEMORY,
 * PUA_E_WRONG_THREAD, PUA_E_AFTER_FORK, PUA_E_SHUTTING_DOWN. */
PUA_API int pua_notify_received(pua_t *pua, const char *msg, size_t len);

/* The same for a NOTIFY that the host has taken apart. The strings in n are copied.
 * PUA_E_BAD_ARGUMENT: n is NULL, or a string has a negative length. What is missing or not well-formed in a header value
 * is no error, but an answer: 489 where Event is missing or names no package that is registered, 481 where call_id and
 * to_tag are those of no subscription, else 400. */
PUA_API int pua_notify_fields(pua_t *pua, const pua_notify_t *n);

/* Of the last answer that pua_notify_received() or pua_notify_fields() gave: header lines to be added to it (Accept,
 * Allow-Events, Retry-After), each ending in CRLF, and the reason phrase. C strings, "" for none and after an error; valid
 * until the next of these two calls. */
PUA_API const char *pua_notify_answer_headers(pua_t *pua);
PUA_API const char *pua_notify_answer_reason(pua_t *pua);

/* Free what the calls above gave; NULL is legal. Any thread. */
PUA_API void pua_str_free(pua_str_t *s);
PUA_API void pua_list_free(list_entry_t *list);

/* ---------------------------------------------------------------- replies
 * Legal during the callback that got the reply, and only there. With NULL: 0, or an empty string. The strings they give
 * are valid as long as the reply. */

/* Final status, 200 ... 699; 408, 503, 487 and others made here where pua_reply_origin() is not PUA_ORIGIN_WIRE. */
PUA_API int pua_reply_status(const pua_reply_t *reply);
/* Reason phrase. */
PUA_API pua_str_t pua_reply_reason(const pua_reply_t *reply);
/* PUA_ORIGIN_*. */
PUA_API int pua_reply_origin(const pua_reply_t *reply);
/* First value of the header field `name` (C string, case does not matter; compact forms are the long names' equals).
 * Returns 0 and *value; PUA_E_NOT_FOUND: no such field, or no reply came over the wire; PUA_E_BAD_ARGUMENT; PUA_E_NO_MEMORY. */
PUA_API int pua_reply_header(pua_reply_t *reply, const char *name, pua_str_t *value);
/* The record's entity-tag that is confirmed now (SIP-ETag, RFC 3903 section 11.3.1), as it came, which is not always a token;
 * empty: there is none, or the record is a subscription. */
PUA_API pua_str_t pua_reply_etag(const pua_reply_t *reply);
/* Seconds the server granted; 0: nothing (an error, a removal). */
PUA_API long pua_reply_expires(const pua_reply_t *reply);
/* 1: the row with this state was committed before this callback, and survives a kill of the process. Never with db_url
 * "memory:". */
PUA_API int pua_reply_durable(const pua_reply_t *reply);
/* 1: this request was replaced by a newer one of the same record before it was sent; the outcome is the newer one's. */
PUA_API int pua_reply_superseded(const pua_reply_t *reply);
/* 1: it failed for now, or the server answered 2xx and keeps nothing (Expires: 0; or the subscription has ended again
 * already); what was asked for is kept and tried again. So it is where a request failed and a NOTIFY has made the dialog all
 * the same: the subscription goes on. 0: it succeeded, or the status is final. */
PUA_API int pua_reply_kept(const pua_reply_t *reply);
/* 1: no owner asked for it; the record's own timer did (pua_cb only). */
PUA_API int pua_reply_by_timer(const pua_reply_t *reply);
/* `param` of register_puacb in a pua_cb, `cbparam` in a publrpl_cb_t. */
PUA_API void *pua_reply_param(const pua_reply_t *reply);
/* The instance. */
PUA_API pua_t *pua_reply_instance(const pua_reply_t *reply);

#ifdef __cplusplus
}
#endif
#endif
