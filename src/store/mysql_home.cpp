#include "store/mysql_home.h"

#include <event2/dns.h>

namespace pua {

MysqlHome::~MysqlHome() {
  if (dns_) evdns_base_free(dns_, 0);
}

void MysqlHome::move(event_base* base) {
  if (dns_) evdns_base_free(dns_, 0);
  dns_ = nullptr;
  base_ = base ? base : loop_.base;
}

evdns_base* MysqlHome::dns() {
  // Without a file /etc/resolv.conf the flags' error leaves a usable base behind: names of /etc/hosts still resolve.
  if (!dns_) dns_ = evdns_base_new(base_, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
  return dns_;
}

void MysqlHome::turn(const std::function<void()>& callback) {
  if (!loop_.turn || base_ != loop_.base) return callback();
  auto owner = loop_.turn;  // may go with this object, inside
  Watchdog::Scope scope(loop_.watchdog, "store.db");
  owner(callback);
}

}  // namespace pua
