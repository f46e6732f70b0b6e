// UdpLane: floods of requests and of what is no SIP. Each such datagram is thrown away for less than a microsecond, but half a million a second
// fill the queue of the socket whenever the loop is busy for some milliseconds, and what is honest is lost with them. So the system
// throws away all but a few of them, until there are no more. Responses and NOTIFYs always come in.
#include "sip/lane_batch.h"

namespace pua {
namespace {

constexpr MonoMs kWindowMs = 100;
constexpr unsigned kFlood = 5000;          // datagrams for nothing in that time
constexpr uint32_t kStillFlood = 10000;    // dropped by the system in a second: it goes on
constexpr timeval kSecond = {1, 0};
constexpr MonoMs kSayEvery = 60000;

}  // namespace

void UdpLane::watch_flood(Watched& w, MonoMs now) {
  Flood& f = w.flood;
  if (!f.on && f.useless >= kFlood) {
    f.on = true;
    w.socket->let_few_in(true);
    f.drops = w.socket->drops();
    event_add(&f.calm, &kSecond);
    counters_.floods++;
    if (!f.said_at || now - f.said_at >= kSayEvery) {
      f.said_at = now;
      log_.warning("sip: %s: a flood of requests, or of what is no SIP: of these only a few are looked at until it is over",
                   w.socket->local().text().c_str());
    }
  }
  if (now - f.since < kWindowMs) return;
  f.since = now;
  f.useless = 0;
}

void UdpLane::on_calm(evutil_socket_t, short, void* watched) {
  Watched& w = *static_cast<Watched*>(watched);
  uint32_t drops = w.socket->drops(), more = drops - w.flood.drops;
  w.flood.drops = drops;
  if (more >= kStillFlood) {
    event_add(&w.flood.calm, &kSecond);
    return;
  }
  w.socket->let_few_in(false);
  w.flood.on = false;
  w.flood.useless = 0;
}

}  // namespace pua
