// StrangerLimit: how many requests of strangers get an answer: so many a second in all, and so many from one host, so that one
// who asks too much does not use up what the others may ask. Hosts that are known (our servers and notifiers) have a share each
// that strangers cannot use up, however many addresses they make up. So have NOTIFYs that name a Call-ID of ours: their sender
// may be a notifier whose first one this is, or somebody who has seen the Call-ID. Bounded memory, no clock of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "sip/net_address.h"

namespace pua {

class StrangerLimit {
 public:
  // A monitoring system that sends OPTIONS every second stays far below that; a scan of the network does not. An answer costs
  // about 2 us.
  static constexpr uint32_t kAll = 2000, kHost = 100;   // a second; also what may come at once

  // What a request has to do with us, by what stands in it.
  enum class Names : uint8_t { Nothing, OurDialog };

  explicit StrangerLimit(HashKey key) : key_(key), friends_(kFriends) {}

  // That host is known: it answered a request of ours, or sent a NOTIFY that was taken. Where two hosts share a bucket, the
  // newer one counts.
  void know(const NetAddress& host) {
    if (is(last_, host)) return;   // the same server again and again
    last_ = host;
    Friend& f = friends_[hash(host) % kFriends];
    if (!is(f.host, host)) f = {host, {}};
  }
  bool knows(const NetAddress& host) const { return is(last_, host) || is(friends_[hash(host) % kFriends].host, host); }

  // Would one more from there pass? Spends nothing. A known host is not limited in requests that name a dialog of ours.
  bool left(const NetAddress& from, Names names, MonoMs now) { return buckets(from, names, now).left(); }

  // One more from there. false: one too many.
  bool pass(const NetAddress& from, Names names, MonoMs now) {
    Buckets b = buckets(from, names, now);
    if (!b.left()) return false;
    for (Bucket* one : {b.own, b.all})
      if (one) one->left -= 1000;
    return true;
  }

  // Takes back what pass() has just spent: a handler wanted that request.
  void give_back(const NetAddress& from, Names names, MonoMs now) {
    Buckets b = buckets(from, names, now);
    for (Bucket* one : {b.own, b.all})
      if (one) one->left += 1000;
  }

 private:
  // Hosts share a bucket where their hashes meet; the key keeps others from aiming at one.
  static constexpr size_t kHosts = 1024, kFriends = 4096;
  struct Bucket {
    MonoMs at = 0;
    int64_t left = -1;   // thousandths of a request; -1: not used yet
  };
  // What those who are strangers to us share.
  struct Pool {
    std::vector<Bucket> hosts = std::vector<Bucket>(kHosts);
    Bucket all;
  };
  struct Friend {
    NetAddress host;
    Bucket bucket;
  };
  // What one request is taken from; null: it is not limited.
  struct Buckets {
    Bucket *own = nullptr, *all = nullptr;
    bool left() const { return (!own || own->left >= 1000) && (!all || all->left >= 1000); }
  };

  static bool is(const NetAddress& a, const NetAddress& b) { return a.same_family(b) && a.same_host(b); }
  uint64_t hash(const NetAddress& a) const {
    SipHash h(key_);
    if (a.family() == AF_INET) h.add(static_cast<uint64_t>(a.v4.sin_addr.s_addr));
    else h.add({reinterpret_cast<const char*>(&a.v6.sin6_addr), 8});   // a /64 is one host
    return h.finish();
  }
  Buckets buckets(const NetAddress& from, Names names, MonoMs now) {
    if (names == Names::OurDialog && is(last_, from)) return {};
    uint64_t h = hash(from);
    if (Friend& f = friends_[h % kFriends]; is(f.host, from)) {
      if (names == Names::OurDialog) return {};
      refill(f.bucket, kHost, now);
      return {&f.bucket, nullptr};
    }
    Pool& pool = names == Names::OurDialog ? claims_ : others_;
    refill(pool.hosts[h % kHosts], kHost, now);
    refill(pool.all, kAll, now);
    return {&pool.hosts[h % kHosts], &pool.all};
  }
  static void refill(Bucket& b, uint32_t rate, MonoMs now) {
    int64_t full = static_cast<int64_t>(rate) * 1000;
    b.left = b.left < 0 || now - b.at >= 1000 ? full : b.left + (now - b.at) * rate;
    if (b.left > full) b.left = full;
    b.at = now;
  }

  HashKey key_;
  Pool others_, claims_;
  std::vector<Friend> friends_;
  NetAddress last_;   // told by know()
};

}  // namespace pua
