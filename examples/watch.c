/* watch: subscribes to somebody's presence and prints each NOTIFY, from a program with a libevent loop of its own.
 *
 *   watch CONFIG PRESENTITY WATCHER [EXPIRES]
 *
 *   CONFIG      modparam() lines, for instance pua.conf beside this file:
 *                 modparam("pua", "db_url", "memory:")
 *                 modparam("pua", "outbound_proxy", "sip:127.0.0.1:5060")
 *                 modparam("pua", "listen", "sip:127.0.0.1:5090")
 *   PRESENTITY  whose presence: sip:bob@example.com
 *   WATCHER     who wants to know: sip:alice@example.com
 *   EXPIRES     wanted lifetime in seconds, default 3600; 0: fetch the state once
 *
 * Ends when the subscription has: its lifetime is over, the other side does not want it, or Ctrl-C ended it.
 * Exit code: 0 it ended as it was wanted; 1 the SUBSCRIBE was refused, or the other side ended it; 2 it could not even be
 * asked.
 *
 * Build: cc -std=c11 watch.c $(pkg-config --cflags --libs libpua libevent) -o watch */
#include <event2/event.h>
#include <pua/pua.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
  struct event_base *loop;
  struct event *interrupt;
  pua_t *pua;
  pua_str_t presentity, watcher;
  int ending; /* we asked for the end */
  int failed;
};

static void log_line(void *user, int level, const char *msg, size_t len) {
  static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
  (void)user;
  fprintf(stderr, "%s: %.*s\n", names[level], (int)len, msg);
}

static pua_str_t text(char *s) {
  pua_str_t out = {s, (int)strlen(s)};
  return out;
}

static void stopped(pua_t *pua, void *arg) {
  (void)pua;
  event_base_loopbreak(((struct job *)arg)->loop);
}

static void finish(struct job *job, int failed) {
  if (failed) job->failed = 1;
  pua_shutdown(job->pua, stopped, job);
}

static int on_subscribed(pua_reply_t *reply, void *arg) {
  struct job *job = arg;
  pua_str_t reason = pua_reply_reason(reply);
  int ok = pua_reply_status(reply) / 100 == 2;

  printf("%s: %d %.*s", job->ending ? "ended" : "subscribed", pua_reply_status(reply), reason.len, reason.s ? reason.s : "");
  if (ok && pua_reply_expires(reply) > 0) printf(", for %ld s", pua_reply_expires(reply));
  printf("\n");
  fflush(stdout);
  /* The library goes on trying where that makes sense; this program does not wait for it. */
  if (!ok) finish(job, 1);
  return 0;
}

/* One call for a new subscription and for its end: expires 0. */
static int subscribe(struct job *job, int expires) {
  subs_info_t subs = {0};

  subs.pres_uri = &job->presentity;
  subs.watcher_uri = &job->watcher;
  subs.event = PRESENCE_EVENT;
  subs.source_flag = XMPP_SUBSCRIBE;
  subs.expires = expires;
  subs.cbrpl = on_subscribed;
  subs.cbparam = job;
  return pua_send_subscribe(job->pua, &subs);
}

/* Each NOTIFY. "terminated" need not be the end: after some reasons the library subscribes again. */
static int on_notify(ua_pres_t *hentity, const pua_notification_t *n, void *arg) {
  static const char *const final[] = {"rejected", "noresource", "invariant"};
  struct job *job = arg;
  ua_pres_t still = {0}; /* whatever dialog it is by then */
  int by_other = 0;
  size_t i;

  printf("%.*s is %.*s", hentity->pres_uri->len, hentity->pres_uri->s, n->state.len, n->state.s);
  if (n->reason.len > 0) printf(" (%.*s)", n->reason.len, n->reason.s);
  printf("\n%.*s%s", n->body.len, n->body.s ? n->body.s : "", n->body.len > 0 ? "\n" : "");
  fflush(stdout);
  if (n->state.len != 10 || memcmp(n->state.s, "terminated", 10) != 0) return 0;
  for (i = 0; i < sizeof final / sizeof *final; i++)
    by_other |= n->reason.len == (int)strlen(final[i]) && memcmp(n->reason.s, final[i], strlen(final[i])) == 0;
  still.pres_uri = &job->presentity;
  still.watcher_uri = &job->watcher;
  still.event = PRESENCE_EVENT;
  still.flag = XMPP_SUBSCRIBE;
  if (by_other || job->ending || pua_is_dialog(job->pua, &still) == -1) finish(job, by_other && !job->ending);
  return 0;
}

static void on_interrupt(evutil_socket_t signal_number, short what, void *arg) {
  struct job *job = arg;
  (void)signal_number;
  (void)what;
  if (job->ending || subscribe(job, 0) != 0) {
    finish(job, 0);
    return;
  }
  job->ending = 1; /* the NOTIFY that says "terminated" follows */
}

int main(int argc, char **argv) {
  struct job job = {0};
  pua_config_t *config;
  int expires;

  if (argc < 4 || argc > 5) {
    fprintf(stderr, "usage: watch CONFIG PRESENTITY WATCHER [EXPIRES]\n");
    return 2;
  }
  config = pua_config_new();
  if (config == NULL || pua_config_load(config, argv[1]) != 0) {
    fprintf(stderr, "%s\n", config ? pua_config_error(config) : "out of memory");
    pua_config_free(config);
    return 2;
  }
  job.loop = event_base_new();
  if (job.loop == NULL || pua_new(&job.pua, config, job.loop, log_line, NULL) != 0) {
    fprintf(stderr, "cannot start: %s\n", pua_last_error(NULL));
    pua_config_free(config);
    if (job.loop) event_base_free(job.loop);
    return 2;
  }
  pua_config_free(config);

  job.presentity = text(argv[2]);
  job.watcher = text(argv[3]);
  expires = argc == 5 ? atoi(argv[4]) : 3600;
  job.interrupt = evsignal_new(job.loop, SIGINT, on_interrupt, &job);
  event_add(job.interrupt, NULL);
  pua_register_notify(job.pua, XMPP_SUBSCRIBE, on_notify, &job);
  if (subscribe(&job, expires) != 0) {
    fprintf(stderr, "cannot subscribe: %s\n", pua_last_error(job.pua));
    job.failed = 2;
  }

  if (job.failed == 0) event_base_dispatch(job.loop);
  event_free(job.interrupt);
  pua_free(job.pua);
  event_base_free(job.loop);
  return job.failed;
}
