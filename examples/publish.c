/* publish: the whole life of one publication, from a program with a libevent loop of its own.
 *
 *   publish CONFIG PRESENTITY BODY-FILE [EXPIRES]
 *
 *   CONFIG      modparam() lines, for instance pua.conf beside this file:
 *                 modparam("pua", "db_url", "memory:")
 *                 modparam("pua", "outbound_proxy", "sip:127.0.0.1:5060")
 *   PRESENTITY  sip:alice@example.com
 *   BODY-FILE   a presence document (PIDF, RFC 3863), for instance alice.xml beside this file
 *   EXPIRES     wanted lifetime in seconds, 1 or more, default 3600
 *
 * Publishes the document, prints the server's answer, removes the publication, prints that answer, and ends.
 * Exit code: 0 both were answered with 2xx; 1 one was not; 2 it could not even be asked.
 *
 * Build: cc -std=c11 publish.c $(pkg-config --cflags --libs libpua libevent) -o publish */
#include <event2/event.h>
#include <pua/pua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
  struct event_base *loop;
  pua_t *pua;
  pua_str_t uri;
  int failed;
};

static void log_line(void *user, int level, const char *msg, size_t len) {
  static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
  (void)user;
  fprintf(stderr, "%s: %.*s\n", names[level], (int)len, msg);
}

static void print_reply(const char *what, pua_reply_t *reply) {
  pua_str_t reason = pua_reply_reason(reply), etag = pua_reply_etag(reply);
  printf("%s: %d %.*s", what, pua_reply_status(reply), reason.len, reason.s ? reason.s : "");
  if (etag.len > 0) printf(", entity-tag %.*s, %ld s", etag.len, etag.s, pua_reply_expires(reply));
  printf("%s\n", pua_reply_durable(reply) ? ", durable" : "");
}

static int is_success(pua_reply_t *reply) { return pua_reply_status(reply) / 100 == 2; }

static void end(pua_t *pua, void *arg) {
  (void)pua;
  event_base_loopbreak(((struct job *)arg)->loop);
}

/* The removal was answered: nothing is left to do but an orderly end. */
static int on_removed(pua_reply_t *reply, void *arg) {
  struct job *job = arg;
  print_reply("removed", reply);
  if (!is_success(reply)) job->failed = 1;
  pua_shutdown(job->pua, end, job);
  return 0;
}

/* The publication was answered: take it back. Calls are legal inside callbacks. */
static int on_published(pua_reply_t *reply, void *arg) {
  struct job *job = arg;
  publ_info_t remove = {0};

  print_reply("published", reply);
  if (!is_success(reply)) job->failed = 1;
  remove.pres_uri = &job->uri;
  remove.event = PRESENCE_EVENT;
  remove.source_flag = UL_PUBLISH;
  remove.expires = 0;
  remove.cbrpl = on_removed;
  remove.cbparam = job;
  if (pua_send_publish(job->pua, &remove) != 0) {
    fprintf(stderr, "cannot remove: %s\n", pua_last_error(job->pua));
    job->failed = 1;
    pua_shutdown(job->pua, end, job);
  }
  return 0;
}

/* A whole small file; exits when it cannot be read. */
static pua_str_t read_file(const char *path) {
  enum { LARGEST = 65536 };
  pua_str_t text = {malloc(LARGEST), 0};
  FILE *f = fopen(path, "rb");
  if (f == NULL || text.s == NULL) {
    perror(path);
    exit(2);
  }
  text.len = (int)fread(text.s, 1, LARGEST, f);
  if (text.len == LARGEST && fgetc(f) != EOF) {
    fprintf(stderr, "%s: longer than %d octets\n", path, LARGEST);
    exit(2);
  }
  if (ferror(f)) {
    perror(path);
    exit(2);
  }
  fclose(f);
  return text;
}

/* A lifetime in seconds; 0: it is none. An Expires of 0 would remove a publication that is not there. */
static int lifetime(const char *text) {
  char *end;
  long seconds = strtol(text, &end, 10);
  return end != text && *end == '\0' && seconds > 0 && seconds <= 31536000 ? (int)seconds : 0;
}

int main(int argc, char **argv) {
  struct job job = {0};
  publ_info_t publish = {0};
  pua_config_t *config;
  pua_str_t body;

  if (argc < 4 || argc > 5) {
    fprintf(stderr, "usage: publish CONFIG PRESENTITY BODY-FILE [EXPIRES]\n");
    return 2;
  }
  if (argc == 5 && lifetime(argv[4]) == 0) {
    fprintf(stderr, "publish: EXPIRES is \"%s\", not seconds from 1 to 31536000\n", argv[4]);
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

  body = read_file(argv[3]);
  job.uri.s = argv[2];
  job.uri.len = (int)strlen(argv[2]);
  publish.pres_uri = &job.uri;
  publish.body = &body;
  publish.event = PRESENCE_EVENT;
  publish.source_flag = UL_PUBLISH;
  publish.expires = argc == 5 ? lifetime(argv[4]) : 3600;
  publish.cbrpl = on_published;
  publish.cbparam = &job;
  if (pua_send_publish(job.pua, &publish) != 0) {
    fprintf(stderr, "cannot publish: %s\n", pua_last_error(job.pua));
    job.failed = 2;
  }
  free(body.s); /* copied by the call */

  if (job.failed == 0) event_base_dispatch(job.loop);
  pua_free(job.pua);
  event_base_free(job.loop);
  return job.failed;
}
