#include "sip/su_core.h"

#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "base/tidy_heap.h"
#include "sip/sofia_log.h"
#include "sip/su_streams.h"

namespace pua {

const char* const SuCore::kTooLong = "it brought more octets than a message may have, without the end of one";
const char* const SuCore::kUnreadable = "what it brought cannot be read";
const char* const SuCore::kHidden = "a request was not answered over it, and what it brought is no message";

namespace {

thread_local std::vector<SuCore*> t_cores;

constexpr int64_t kQuiet = 100;   // ms without a timer: a burst is over, and its transactions were freed

timeval to_timeval(int64_t ms) {
  timeval tv{};
  tv.tv_sec = static_cast<time_t>(ms / 1000);
  tv.tv_usec = static_cast<suseconds_t>(ms % 1000 * 1000);
  return tv;
}

}  // namespace

SuCore::SuCore(event_base* base, Watchdog* wd) : base_(base), wd_(wd) {
  event_assign(&timer_, base, -1, 0, on_timer, this);
  event_assign(&pump_, base, -1, 0, on_pump, this);
  t_cores.push_back(this);
}

SuCore::~SuCore() {
  t_cores.erase(std::remove(t_cores.begin(), t_cores.end(), this), t_cores.end());
  event_del(&timer_);
  event_del(&pump_);
}

SuCore* SuCore::of(su_root_t* root) {
  for (SuCore* core : t_cores)
    if (core->root_ == root) return core;
  return nullptr;
}

void SuCore::cut_stream(int fd, const char* why) {
  stats_.streams_cut++;
  sofia_warning("sip: the connection to " + stream_peer(fd) + " is closed: " + why, cut_gate_);
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  if (connect(fd, &nobody, sizeof nobody) != 0) shutdown(fd, SHUT_RDWR);
}

SuCore::Turn::~Turn() {
  if (--core_.depth_ == 0 && core_.ending_) delete &core_;
}

void SuCore::release() {
  ending_ = true;
  if (depth_ == 0) delete this;
}

void SuCore::schedule() {
  if (pump_pending_ || depth_ > 0 || ending_) return;
  pump_pending_ = true;
  event_active(&pump_, EV_TIMEOUT, 0);
}

void SuCore::settle() {
  Turn turn(*this, "sip.settle");
  work_and_arm();
}

void SuCore::on_pump(evutil_socket_t, short, void* self) {
  SuCore* core = static_cast<SuCore*>(self);
  core->pump_pending_ = false;
  core->stats_.pumps++;
  Turn turn(*core, "sip.pump");
  core->work_and_arm();
}

void SuCore::on_timer(evutil_socket_t, short, void* self) {
  SuCore* core = static_cast<SuCore*>(self);
  core->armed_ = INT64_MAX;
  core->stats_.timer_fires++;
  Turn turn(*core, "sip.timer");
  core->work_and_arm();
}

void SuCore::work_and_arm() {
  int64_t wait = work();
  if (wait == kNoTimer || wait >= kQuiet) tidy_heap();
  if (!ending_ && wait != kNoTimer) arm(wait);
}

int64_t SuCore::su_now_ms() {
  su_time_t now = su_now();
  return static_cast<int64_t>(now.tv_sec) * 1000 + static_cast<int64_t>(now.tv_usec) / 1000;
}

// sofia's deadline moves with every transaction, nearly always to a later time: then the timer stays, and looks again when
// it fires. Only an earlier one is worth the trouble.
void SuCore::arm(int64_t wait_ms) {
  int64_t due = su_now_ms() + wait_ms;
  if (armed_ <= due + 1) return;
  armed_ = due;
  stats_.timer_arms++;
  timeval tv = to_timeval(wait_ms);
  event_add(&timer_, &tv);
}

}  // namespace pua
