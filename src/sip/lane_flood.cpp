// UdpLane: floods of requests and of what is no SIP. To throw one such datagram away takes less than a microsecond, but half a
// million a second fill the queue of the socket whenever the loop is busy for some milliseconds, and what is honest is lost
// with them. So the system throws away all but a few of them until the flood is over. Responses and NOTIFYs always come in.
#include <cstring>

#include "sip/lane_batch.h"

namespace pua {
namespace {

constexpr MonoMs kWindowMs = 100;
constexpr unsigned kFlood = 5000;          // datagrams for nothing in that time
constexpr uint32_t kStillFlood = 10000;    // dropped by the system in a second: it goes on
constexpr int64_t kLookMs = 1000;

}  // namespace

void UdpLane::watch_flood(Watched& w, MonoMs now) {
  Flood& f = w.flood;
  if (!f.kept_out && f.useless >= kFlood) {
    f.kept_out = true;
    f.drops = w.socket->drops();
    counters_.floods++;
    int error = w.socket->let_few_in(true);
    if (f.spell.begins(now)) {
      if (error == 0)
        log_.warning("sip: %s: a flood of requests, or of what is no SIP: of these only a few are looked at until it is over",
                     w.socket->local().text().c_str());
      else
        log_.warning("sip: %s: a flood of requests, or of what is no SIP, and the system does not keep it out: %s",
                     w.socket->local().text().c_str(), strerror(error));
    }
    look_for_calm(w, now);
  }
  if (now - f.since < kWindowMs) return;
  f.since = now;
  f.useless = 0;
}

// Says what is over, and looks again while something is not.
void UdpLane::look_for_calm(Watched& w, MonoMs now) {
  std::string at = w.socket->local().text();
  if (w.flood.spell.over(now)) log_.notice("sip: %s: the flood is over", at.c_str());
  if (w.forged.over(now)) log_.notice("sip: %s: errors of the network (ICMP) that belong to no request have ended", at.c_str());
  if (w.full.over(now)) log_.notice("sip: %s: the network device takes datagrams again", at.c_str());
  bool calm = w.flood.spell.due() == kNever && w.forged.due() == kNever && w.full.due() == kNever;
  if (w.looking || calm) return;
  w.looking = true;
  w.calm->arm(kLookMs);
  driver_.kick();
}

void UdpLane::on_calm(void* watched) {
  Watched& w = *static_cast<Watched*>(watched);
  Flood& f = w.flood;
  UdpLane& lane = *w.lane;
  MonoMs now = lane.now_();
  w.looking = false;
  lane.hear_again(w, now);
  if (f.kept_out) {
    uint32_t drops = w.socket->drops(), more = drops - f.drops;
    f.drops = drops;
    if (more >= kStillFlood) {
      f.spell.begins(now);
    } else {
      w.socket->let_few_in(false);
      f.kept_out = false;
      f.useless = 0;
    }
  }
  lane.look_for_calm(w, now);
}

}  // namespace pua
