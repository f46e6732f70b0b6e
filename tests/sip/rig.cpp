#include "tests/sip/rig.h"

#include <event2/event.h>
#include <time.h>

#include <cstdlib>
#include <cstring>

#include "sip/su_clock.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {
namespace {

int64_t g_fake_us;
bool g_fake;
int64_t fake_us() { return g_fake_us; }

int64_t real_ms() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
}

}  // namespace

bool lane_on() {
  const char* v = getenv("PUA_TEST_LANE");
  return !v || strcmp(v, "no") != 0;
}

const char* origin_name(ReplyOrigin o) {
  switch (o) {
    case ReplyOrigin::Wire: return "wire";
    case ReplyOrigin::Timeout: return "timeout";
    case ReplyOrigin::Transport: return "transport";
    case ReplyOrigin::Shutdown: return "shutdown";
    case ReplyOrigin::Local: return "local";
  }
  return "?";
}

Rig::Rig(SuDriver::Mode mode)
    : base(event_base_new()), log([this](LogLevel, std::string_view s) { lines.emplace_back(s); }, LogLevel::debug) {
  settings.listen = {"sip:127.0.0.1:*"};
  settings.user_agent = "libpua-test";
  settings.lane = lane_on();
  // The loop must not wait for ever while a test waits for something that does not come.
  tick_ = event_new(base, -1, EV_PERSIST, [](evutil_socket_t, short, void*) {}, nullptr);
  timeval tv{0, 20000};
  event_add(tick_, &tv);
  auto d = SuDriver::create(base, mode, log, nullptr);
  CHECK_TEXT(d.ok(), d.ok() ? "" : d.error().message.c_str());
  driver = std::move(*d);
}

Rig::~Rig() {
  stack.reset();
  driver.reset();
  event_free(tick_);
  event_base_free(base);
}

Result<std::unique_ptr<SipStack>> Rig::try_start() {
  auto made = SipStack::create(settings, *driver, log, [] { return g_fake ? g_fake_us / 1000 : real_ms(); });
  if (made) (*made)->attach(*this, notifies);
  return made;
}

void Rig::start() {
  auto s = try_start();
  CHECK_TEXT(s.ok(), s.ok() ? "" : s.error().message.c_str());
  stack = std::move(*s);
}

SipRequest Rig::publish(TxnId txn) {
  SipRequest r;
  r.txn = txn;
  r.method = "PUBLISH";
  r.uri = "sip:alice@example.com";
  r.from_tag = "ft-1";
  r.call_id = "call-1@pua.example.com";
  r.branch = "z9hG4bKbranch-1";
  r.cseq = 7;
  r.event = "presence";
  r.expires = 3600;
  r.content_type = "application/pidf+xml";
  r.body = "<presence/>";
  return r;
}

void Rig::send(const SipRequest& r) {
  in_send = true;
  auto st = stack->send(r);
  in_send = false;
  CHECK_TEXT(st.ok(), st.ok() ? "" : st.error().message.c_str());
}

bool Rig::until(const std::function<bool()>& done) {
  for (int64_t end = real_ms() + 5000; !done(); event_base_loop(base, EVLOOP_ONCE))
    if (real_ms() > end) return false;
  return true;
}

void Rig::turn() { event_base_loop(base, EVLOOP_NONBLOCK); }

void Rig::on_reply(TxnId txn, const SipReply& r, MonoMs) {
  if (in_send) inside = true;
  Outcome o;
  o.txn = txn;
  o.status = r.status;
  o.reason = r.reason;
  o.etag = r.etag;
  o.etag_unusable = r.etag_unusable;
  o.ours = r.ours;
  o.to_tag = r.to_tag;
  o.contact = r.contact;
  o.route_set = r.route_set;
  o.origin = r.origin;
  o.expires = r.expires;
  o.min_expires = r.min_expires;
  o.retry_after = r.retry_after;
  o.cseq = r.cseq;
  o.message = r.message;
  replies.push_back(std::move(o));
  if (then) then(txn);
}

FakeClock::FakeClock() {
  g_fake_us = 0;
  g_fake = true;
  su_clock_set_source(fake_us);
}
FakeClock::~FakeClock() {
  g_fake = false;
  su_clock_set_source(nullptr);
}

void FakeClock::pass(Rig& rig, int64_t ms) {
  for (int64_t left = ms; left > 0; left -= 100) {
    g_fake_us += std::min<int64_t>(left, 100) * 1000;
    rig.driver->settle();
    rig.turn();
  }
}

}  // namespace pua::test
