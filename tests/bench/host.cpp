// The measuring loop around an instance: tests/bench/host.h.
#include "tests/bench/host.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <fstream>

namespace bench {

Host* Host::self_ = nullptr;

namespace {

[[noreturn]] void fail(const char* what, const char* why) {
  fprintf(stderr, "bench: %s: %s\n", what, why);
  exit(1);
}

int free_port() {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof a;
  if (bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) fail("port", strerror(errno));
  getsockname(fd, reinterpret_cast<sockaddr*>(&a), &len);
  close(fd);
  return ntohs(a.sin_port);
}

void on_log(void*, int level, const char* msg, size_t len) {
  if (level <= PUA_LOG_WARNING) fprintf(stderr, "%.*s\n", int(len), msg);
}

pua_str_t view(const std::string& s) { return {const_cast<char*>(s.data()), int(s.size())}; }

}  // namespace

Host::Host(const Options& o, const std::string& db, bool listens) {
  self_ = this;
  int sink_port = int(o.number("sink", 0));
  sink_ = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(uint16_t(sink_port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(sink_, reinterpret_cast<sockaddr*>(&a), sizeof a) < 0) fail("sink", strerror(errno));
  pua_config_t* c = pua_config_new();
  std::string listen = "sip:127.0.0.1:" + std::to_string(free_port());
  proxy_ = "sip:127.0.0.1:" + std::to_string(sink_port);
  std::string url = db[0] == '/' ? "sqlite://" + db : db;
  bool ok = pua_config_set_str(c, "pua", "db_url", url.c_str()) == 0 &&
            pua_config_set_str(c, "pua", "sip_listen", listen.c_str()) == 0 &&
            pua_config_set_str(c, "pua", "outbound_proxy", proxy_.c_str()) == 0;
  std::string notify_at = "sip:127.0.0.1:" + std::to_string(free_port());
  if (ok && listens) ok = pua_config_set_str(c, "pua", "listen", notify_at.c_str()) == 0;
  if (!ok) fail("config", pua_config_error(c));
  // The library makes the loop: measured is what it ships.
  if (pua_new(&pua_, c, nullptr, on_log, nullptr) != 0) fail("pua_new", pua_last_error(nullptr));
  pua_config_free(c);
  if (listens && pua_register_notify(pua_, MI_SUBSCRIBE, on_notify, nullptr) != 1)
    fail("pua_register_notify", pua_last_error(pua_));
  base_ = pua_event_base(pua_);
  if (!base_ || strcmp(event_base_get_method(base_), "epoll") != 0) fail("event_base", "no epoll loop");

  // A turn waits no longer than this. A timerfd, because libevent's own timers are as coarse as a millisecond.
  tick_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  tick_ms_ = o.number("tick_ms", 10);
  tick_ = event_new(base_, tick_fd_, EV_READ | EV_PERSIST, [](evutil_socket_t fd, short, void*) {
    uint64_t ticks;
    if (read(fd, &ticks, sizeof ticks) < 0) return;
  }, nullptr);
  if (!tick_ || event_add(tick_, nullptr) < 0) fail("tick", strerror(errno));
  set_tick(tick_ms_);
}

Host::~Host() {
  event_free(tick_);
  close(tick_fd_);
  close(sink_);
  pua_free(pua_);  // and its loop
  self_ = nullptr;
}

// cbparam is the number of the request; a process has one Host.
int Host::on_reply(pua_reply_t* reply, void* param) {
  size_t i = reinterpret_cast<size_t>(param);
  self_->completed_++;
  if (pua_reply_status(reply) != 200) self_->failed_++;
  if (pua_reply_durable(reply)) self_->durable_++;
  if (self_->due && i < self_->due->size()) self_->times->ns.push_back(wall_ns() - (*self_->due)[i]);
  return 0;
}

void Host::publish(unsigned i) {
  pua_str_t b = view(body_text());
  submit(i, &b, -1);
}

void Host::refresh(unsigned i, int expires) { submit(i, nullptr, expires); }

void Host::submit(unsigned i, pua_str_t* body, int expires) {
  std::string uri = uri_of(i);
  pua_str_t u = view(uri);
  publ_info_t p{};
  p.pres_uri = &u;
  p.body = body;
  p.expires = expires;
  p.source_flag = UL_PUBLISH;
  p.event = PRESENCE_EVENT;
  p.cbrpl = on_reply;
  p.cbparam = reinterpret_cast<void*>(static_cast<size_t>(i));
  int rc = pua_send_publish(pua_, &p);
  if (rc != 0) fail("pua_send_publish", pua_last_error(pua_));
  submitted_++;
}

int Host::on_notify(ua_pres_t* s, const pua_notification_t* n, void*) {
  bool as_sent = n->body.len == int(body_text().size()) && std::string_view(n->state.s, size_t(n->state.len)) == "active";
  (as_sent ? self_->notified_ : self_->odd_notified_)++;
  self_->strings_ = size_t(s->pres_uri->len + s->watcher_uri->len + s->call_id.len + s->from_tag.len + s->to_tag.len +
                           s->remote_contact.len);
  return 0;
}

void Host::subscribe(unsigned i) {
  std::string uri = uri_of(i), watcher = watcher_text();
  pua_str_t u = view(uri), w = view(watcher);
  subs_info_t s{};
  s.pres_uri = &u;
  s.watcher_uri = &w;
  s.event = PRESENCE_EVENT;
  s.expires = 3600;
  s.source_flag = MI_SUBSCRIBE;
  s.cbrpl = on_reply;
  s.cbparam = reinterpret_cast<void*>(static_cast<size_t>(i));
  if (pua_send_subscribe(pua_, &s) != 0) fail("pua_send_subscribe", pua_last_error(pua_));
  submitted_++;
}

// Without measurement a plain turn of libevent. With it, the wait happens outside, so that CPU and wall clock of the
// turn itself can be told; timers then fire up to 1 ms late.
// When the loop's last wait ended. libevent's wait is this one, since a program's own functions go before those of its libraries.
static int64_t woke_wall, woke_cpu, wakes, woke_faults;

static int64_t faults_now() {
  rusage u{};
  getrusage(RUSAGE_THREAD, &u);
  return u.ru_minflt + u.ru_majflt;
}

int64_t stolen_now() {
  std::ifstream in("/proc/stat");
  std::string word;
  int64_t n = 0;
  in >> word;
  for (int i = 0; i < 8; i++) in >> n;   // user nice system idle iowait irq softirq steal
  return n;
}

extern "C" __attribute__((visibility("default"))) int epoll_wait(int fd, epoll_event* events, int most, int timeout) {
  int n = epoll_pwait(fd, events, most, timeout, nullptr);
  woke_wall = wall_ns();
  woke_faults = faults_now();
  woke_cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  wakes++;
  return n;
}

void Host::turn() {
  event_base_loop(base_, EVLOOP_ONCE);
  if (!measured_) return;
  int64_t c = clock_ns(CLOCK_THREAD_CPUTIME_ID) - woke_cpu, w = wall_ns() - woke_wall;
  turns_.count++;
  if (c > turns_.cpu_max) turns_.faults = faults_now() - woke_faults;
  turns_.cpu_max = std::max(turns_.cpu_max, c);
  turns_.wall_max = std::max(turns_.wall_max, w);
  turns_.over_10ms_cpu += c > 10000000;
  turns_.over_20ms_cpu += c > 20000000;
}

void Host::run_until(const std::function<bool()>& done, double seconds, const char* what) {
  int64_t end = wall_ns() + int64_t(seconds * 1e9);
  while (!done()) {
    if (wall_ns() > end) fail(what, "took too long");
    turn();
  }
}

void Host::idle(double seconds) {
  int64_t end = wall_ns() + int64_t(seconds * 1e9);
  run_until([&] { return wall_ns() >= end; }, seconds + 5, "idle");
}

int64_t Host::wake_ups(int seconds) {
  set_tick(0);
  event_base_loop(base_, EVLOOP_NONBLOCK);
  timeval end{seconds, 0};
  event_base_loopexit(base_, &end);
  int64_t before = wakes;
  event_base_dispatch(base_);
  set_tick(tick_ms_);
  return wakes - before - 1;   // the end of it
}

void Host::set_tick(int64_t ms) {
  itimerspec every{{0, ms * 1000000}, {0, ms * 1000000}};
  if (timerfd_settime(tick_fd_, 0, &every, nullptr) < 0) fail("tick", strerror(errno));
}

void Host::publish_all(unsigned first, unsigned count, unsigned window) {
  uint64_t start = completed_;
  unsigned sent = 0;
  run_until([&] {
    while (sent < count && sent - (completed_ - start) < window) publish(first + sent++);
    return completed_ - start == count;
  }, 60 + count / 1000.0, "publish_all");
}

void Host::subscribe_all(unsigned first, unsigned count, unsigned window, bool notified) {
  uint64_t start = completed_, heard = notified_;
  unsigned sent = 0;
  auto over = [&] { return notified ? std::min(completed_ - start, notified_ - heard) : completed_ - start; };
  run_until([&] {
    while (sent < count && sent - over() < window) subscribe(first + sent++);
    return over() == count;
  }, 60 + count / 1000.0, "subscribe_all");
}

void Host::shutdown() {
  bool ended = false;
  if (pua_shutdown(pua_, [](pua_t*, void* arg) { *static_cast<bool*>(arg) = true; }, &ended) != 0)
    fail("pua_shutdown", pua_last_error(pua_));
  run_until([&] { return ended; }, 30, "shutdown");
}

int64_t Host::stat(const char* name) {
  pua_stat_t all[128];
  int n = std::min(pua_stats_get(pua_, all, 128), 128);
  for (int i = 0; i < n; i++)
    if (!strcmp(all[i].name, name)) return all[i].value;
  fail("no such statistic", name);
}

std::string Host::sink(const char* command) {
  char b[2048];
  if (send(sink_, command, strlen(command), 0) < 0) fail("sink", strerror(errno));
  pollfd p{sink_, POLLIN, 0};
  if (poll(&p, 1, 2000) <= 0) fail("sink", "does not answer");
  ssize_t n = recv(sink_, b, sizeof b, 0);
  return n > 0 ? std::string(b, size_t(n)) : std::string();
}

int64_t Host::sink_count(const char* name) {
  std::string s = sink("!stats"), key = std::string("\"") + name + "\":";
  size_t at = s.find(key);
  if (at == s.npos) fail("sink has no count", name);
  return atoll(s.c_str() + at + key.size());
}

}  // namespace bench
