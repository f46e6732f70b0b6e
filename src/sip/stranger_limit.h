// StrangerLimit: how many requests of strangers are worth an answer: so many a second in all, and so many from one host, so that one who
// asks too much does not take the turn of the others. Hosts that we have to do with (our servers, notifiers of ours) have a share each that
// strangers cannot use up, however many addresses they make up. Bounded memory, no clock of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "sip/net_address.h"

namespace pua {

class StrangerLimit {
 public:
  // A monitoring system that asks OPTIONS of each node every second stays far below; a scan does not. An answer costs about 2 us.
  static constexpr uint32_t kAll = 2000, kHost = 100;   // a second; also what may come at once

  explicit StrangerLimit(HashKey key) : key_(key), hosts_(kHosts), friends_(kFriends) {}

  // We have to do with that host: it answered a request of ours, or sent a NOTIFY of a dialog. The newer one counts where two meet.
  void know(const NetAddress& host) {
    if (host.same_family(last_) && host.same_host(last_)) return;   // the same server again and again
    last_ = host;
    Friend& f = friends_[hash(host) % kFriends];
    if (!f.host.same_family(host) || !f.host.same_host(host)) f = {host, {}};
  }

  // Would one more from there pass? Spends nothing.
  bool left(const NetAddress& from, MonoMs now) {
    uint64_t h = hash(from);
    if (Friend& f = friends_[h % kFriends]; f.host.same_family(from) && f.host.same_host(from)) {
      refill(f.bucket, kHost, now);
      return f.bucket.left >= 1000;
    }
    refill(hosts_[h % kHosts], kHost, now);
    refill(all_, kAll, now);
    return hosts_[h % kHosts].left >= 1000 && all_.left >= 1000;
  }

  // One more from there. false: one too many.
  bool pass(const NetAddress& from, MonoMs now) {
    if (!left(from, now)) return false;
    uint64_t h = hash(from);
    if (Friend& f = friends_[h % kFriends]; f.host.same_family(from) && f.host.same_host(from)) {
      f.bucket.left -= 1000;
      return true;
    }
    hosts_[h % kHosts].left -= 1000;
    all_.left -= 1000;
    return true;
  }

  // What pass() let through from there a moment ago does not count: somebody wanted it.
  void give_back(const NetAddress& from) {
    uint64_t h = hash(from);
    if (Friend& f = friends_[h % kFriends]; f.host.same_family(from) && f.host.same_host(from)) {
      f.bucket.left += 1000;
      return;
    }
    hosts_[h % kHosts].left += 1000;
    all_.left += 1000;
  }

 private:
  // Hosts share a bucket where their hashes meet; the key keeps others from aiming at one.
  static constexpr size_t kHosts = 1024, kFriends = 256;
  struct Bucket {
    MonoMs at = 0;
    int64_t left = -1;   // thousandths of a request; -1: not used yet
  };

  struct Friend {
    NetAddress host;
    Bucket bucket;
  };

  uint64_t hash(const NetAddress& a) const {
    SipHash h(key_);
    if (a.family() == AF_INET) h.add(static_cast<uint64_t>(a.v4.sin_addr.s_addr));
    else h.add({reinterpret_cast<const char*>(&a.v6.sin6_addr), 8});   // a /64 is one host
    return h.finish();
  }
  static void refill(Bucket& b, uint32_t rate, MonoMs now) {
    int64_t full = static_cast<int64_t>(rate) * 1000;
    b.left = b.left < 0 || now - b.at >= 1000 ? full : b.left + (now - b.at) * rate;
    if (b.left > full) b.left = full;
    b.at = now;
  }

  HashKey key_;
  std::vector<Bucket> hosts_;
  std::vector<Friend> friends_;
  NetAddress last_;   // told by know()
  Bucket all_;
};

}  // namespace pua
