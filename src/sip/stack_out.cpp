// SipStack::Core: the ways out. A request goes to its next hop; where that is a name, to one of the hop's servers after the
// other (RFC 3263 section 4.3).
#include <sofia-sip/sip.h>

#include "sip/header_text.h"
#include "sip/scan.h"
#include "sip/stack_core.h"
#include "sip/way.h"

namespace pua {
namespace {

const LaneSocket* of_family(const std::vector<LaneSocket>& sockets, int family) {
  for (const LaneSocket& s : sockets)
    if (s.local.family() == family) return &s;
  return nullptr;
}

// The server as a URI for sofia, which is to look nothing up: a name could be another server by then.
std::string hop_uri(const Server& s) {
  std::string at = NetAddress(s.address).text();
  return s.transport == Transport::Tls ? "sips:" + at : "sip:" + at + (s.transport == Transport::Tcp ? ";transport=tcp" : "");
}

}  // namespace

Status SipStack::Core::send(const SipRequest& r) {
  if (state_ != State::Open) return {Errc::shutting_down, "the SIP stack is shutting down"};
  if (auto st = check_request(r); !st) return st;
  Txn* added = txns_.add(r.txn);
  if (!added) return {Errc::no_memory, "as many requests are out as there may be"};
  Txn& t = *added;
  t.first_cseq = t.cseq = r.cseq;
  if (digest_->has_credentials()) keep(t, r);
  if (auto st = start(t, r); !st) {
    txns_.remove(t);
    return st;
  }
  counters_.sent++;
  MonoMs now = now_();
  txns_.set_deadline(t, now + guard_ms_);
  if (!guard_armed_) arm_guard(now);
  driver_.kick();
  return success();
}

// Where a request goes: its route set decides, else the proxy, else its URI. Views into r, or into routed_ until the next
// call.
Result<SipStack::Core::Way> SipStack::Core::way_of(const SipRequest& r) {
  Way w;
  w.uri = r.uri;
  w.proxy = r.proxy;
  if (!r.route_set.empty()) {
    if (auto st = follow_routes(r.uri, r.route_set, routed_); !st) return st.error();
    w.uri = routed_.uri;
    w.proxy = routed_.hop;
    w.routes = routed_.routes;
  }
  auto target = parse_target(w.uri);
  if (!target) return target.error();
  w.target = w.hop = *target;
  if (!w.proxy.empty() && w.proxy == named_.proxy) {
    w.hop = named_.target;
  } else if (!w.proxy.empty()) {
    auto hop = parse_target(w.proxy);
    if (!hop) return hop.error();
    w.hop = *hop;
  }
  if (w.hop.host.empty()) return {Errc::bad_uri, "a tel: URI needs a proxy to go to"};
  Target wanted = w.target;
  if (!r.route_set.empty()) {   // a strict router may have taken the place of the Request-URI
    auto read = parse_target(r.uri);
    if (!read) return read.error();
    wanted = *read;
  }
  if (auto st = keep_secure(wanted, w.hop); !st) return st.error();
  w.as_named = !w.proxy.empty() && !wanted.sips;
  return w;
}

// The first try of a request. Errors: of the request itself; what stands in its way otherwise is told later.
Status SipStack::Core::start(Txn& t, const SipRequest& r) {
  auto way = way_of(r);
  if (!way) return way.error();
  if (lane_ && way->as_named && way->proxy == named_.proxy) {
    t.servers = named_.servers;
    return attempt(t, r, *way);
  }
  if (auto st = next_hop(way->hop, proxy_); !st) return st;   // sofia may have to read it
  if (lane_ && !find_servers(t, r, *way)) return success();
  return attempt(t, r, *way);
}

// true: t.servers are there. false: they are being looked up, or there are none, which is told later.
bool SipStack::Core::find_servers(Txn& t, const SipRequest& r, const Way& way) {
  const std::string& hop = proxy_;   // of start(): with the scheme that it is to be reached by
  if (hop == last_hop_ && last_servers_) {
    t.servers = last_servers_;
    return true;
  }
  Located found = locator_->locate(way.hop, txns_.token(t));
  switch (found.state) {
    case Located::State::Found: {
      t.servers = std::move(found.servers);
      if (t.servers->size() > 1) {
        keep(t, r);
      } else if (NetAddress::literal(way.hop.host, 0)) {
        last_hop_ = hop;
        last_servers_ = t.servers;
        if (way.as_named) {
          named_.proxy = way.proxy;
          named_.target = *parse_target(named_.proxy);
          named_.servers = t.servers;
        }
      }
      return true;
    }
    case Located::State::Asking:
      t.locating = true;
      keep(t, r);
      return false;
    case Located::State::Failed: fail_later(t, std::move(found.why)); return false;
  }
  return false;
}

void SipStack::Core::on_located(uint64_t token, Servers servers, std::string_view why) {
  Txn* t = txns_.find(token);
  if (!t || !t->locating) return;
  Call call(*this);
  t->locating = false;
  if (!servers) {
    complete_synthetic(*t, 503, ReplyOrigin::Transport, why, true);
    return;
  }
  t->servers = std::move(servers);
  if (auto st = again(*t, t->cseq); !st) complete_synthetic(*t, 500, ReplyOrigin::Local, st.error().message);
}

// Keeps a copy of a request that may have to be sent again.
void SipStack::Core::keep(Txn& t, const SipRequest& r) {
  if (&r != &t.kept.view() && t.kept.view().uri.empty()) t.kept.keep(r);
}

// --- one try ---------------------------------------------------------------------------------------------------------

// Some notifiers take the user part of Contact for the name of the subscriber: a Contact of ours gets that of the watcher.
static void add_user(std::string_view watcher, std::string& contact) {
  Uri of, to;
  if (read_uri(watcher, of) || read_uri(contact, to) || of.host.empty() || of.user.empty() || to.has_user) return;
  contact.insert(to.scheme.size() + 1, std::string(of.user) + "@");
}

Status SipStack::Core::attempt(Txn& t, const SipRequest& r, const Way& way) {
  const Server* server = t.servers ? &(*t.servers)[t.server] : nullptr;
  if (server && way.hop.secure && server->transport != Transport::Tls)
    return {Errc::bad_uri, "a sips: URI goes by TLS only, and " + server->name + " is not reached by it"};
  if (server && server->transport == Transport::Udp) return attempt_lane(t, r, way, NetAddress(server->address));
  return attempt_sofia(t, r, way);
}

Status SipStack::Core::attempt_lane(Txn& t, const SipRequest& r, const Way& way, const NetAddress& to) {
  const LaneSocket* socket = nullptr;
  std::string_view contact = r.contact;
  if (r.method == "SUBSCRIBE") {
    Target hop = way.hop;
    hop.family = to.family() == AF_INET ? Target::Family::V4 : Target::Family::V6;   // of a name it is known only now
    hop.secure = false;
    if (NotifyAddress* address = address_for(r, hop, &to)) {
      socket = of_family(address->sockets(), to.family());
      address->contact_toward(to, contact_);
      add_user(r.from, contact_);
      contact = contact_;
    }
  }
  if (!socket) socket = of_family(out_, to.family());
  if (!socket) {
    fail_later(t, "no listen address reaches " + to.text());
    return success();
  }
  headers_.clear();
  OwnHeaders own{user_agent_};
  uri_.clear();
  write_uri(way.uri, uri_);
  write_headers(r, t.cseq, way.routes, contact, headers_, &own);
  if (digest_->has_credentials())
    digest_->authorize({way.target, way.hop}, r.method, uri_, r.body, headers_, t.trail);
  UdpLane::Out o;
  o.token = txns_.token(t);
  o.socket = socket->number;
  o.to = to;
  o.method = r.method;
  o.uri = uri_;
  o.branch = branch_of(t, r);
  o.headers = headers_;
  o.body = r.body;
  auto sent = lane_->send(o);
  if (!sent) return sent.error();
  t.lane = *sent;
  return success();
}

// By sofia: TCP, TLS, and everything where there is no lane.
Status SipStack::Core::attempt_sofia(Txn& t, const SipRequest& r, const Way& way) {
  Target hop = way.hop;
  if (t.servers) {
    proxy_ = hop_uri((*t.servers)[t.server]);
    if (auto read = parse_target(proxy_)) hop = *read;
  } else if (auto st = next_hop(way.hop, proxy_); !st) {
    return st;
  }
  uri_.clear();
  write_uri(way.uri, uri_);
  method_.assign(r.method);
  NotifyAddress* address = nullptr;
  std::string own;
  if (r.method == "SUBSCRIBE") {
    std::optional<NetAddress> to = t.servers ? NetAddress((*t.servers)[t.server].address) : NetAddress::literal(hop.host, 0);
    address = address_for(r, hop, to ? &*to : nullptr);
    if (address && to) address->contact_toward(*to, own);
    else if (address) own = address->contact();
  }
  headers_.clear();
  if (auto st = write_contact(way.target, way.routes.empty() ? Target{} : way.hop, address ? std::string_view(own) : r.contact,
                              contact_);
      !st)
    return st;
  if (address) add_user(r.from, contact_);
  write_headers(r, t.cseq, way.routes, contact_, headers_);
  if (digest_->has_credentials())
    digest_->authorize({way.target, way.hop}, r.method, uri_, r.body, headers_, t.trail);
  Endpoint::Request q;
  q.token = txns_.token(t);
  q.method = method_.c_str();
  q.uri = uri_.c_str();
  q.proxy = proxy_.c_str();
  if (t.servers) q.server = (*t.servers)[t.server].domain;   // what its certificate has to name
  q.branch = branch_of(t, r);
  q.headers = headers_.c_str();
  q.body = r.body;
  if (address && address->agent() && address->serves(hop)) {
    t.out = address->agent()->send(q);
  } else if ((t.endpoint = endpoint_for(hop))) {
    t.handle = t.endpoint->send(q);
  } else {
    fail_later(t, "no listen address reaches " + std::string(hop.host));
    return success();
  }
  if (!t.out && !t.handle.nh) return {Errc::no_memory, "no memory for a SIP transaction"};
  return success();
}

// Each try is a transaction of its own (RFC 3261 section 8.1.3.5, RFC 3263 section 4.3). The caller's branch is for the first;
// others get random ones, so that a server which saw one cannot answer for the server that is asked next.
std::string_view SipStack::Core::branch_of(const Txn& t, const SipRequest& r) {
  return t.tries == 0 ? r.branch : std::string_view();
}

// The request once more, as another transaction.
Status SipStack::Core::again(Txn& t, uint32_t cseq) {
  const SipRequest& r = t.kept.view();
  auto way = way_of(r);
  if (!way) return way.error();
  t.cseq = cseq;
  return attempt(t, r, *way);
}

// After a try that failed. true: another server is being asked.
bool SipStack::Core::try_next(Txn& t, int64_t retry_after) {
  if (!t.servers) return false;
  locator_->failed((*t.servers)[t.server], retry_after);
  while (state_ == State::Open && !t.kept.view().uri.empty() && t.server + 1 < t.servers->size() && now_() < t.deadline()) {
    let_go(t);
    t.server++;
    if (locator_->asks_for_quiet((*t.servers)[t.server])) continue;   // its Retry-After is not over
    t.tries++;
    t.trail.clear();
    if (again(t, t.cseq)) {
      counters_.failovers++;
      return true;
    }
  }
  return false;
}

void SipStack::Core::fail_later(Txn& t, std::string why) {
  late_.push_back({txns_.token(t), std::move(why)});
  late_timer_->arm(1);
}

// --- which socket ----------------------------------------------------------------------------------------------------

// The first that fits; if none does, the first, which then fails as a transport error (no TLS, no IPv6). null: there is none at
// all.
Endpoint* SipStack::Core::endpoint_for(const Target& t) const {
  for (auto& e : endpoints_)
    if (e->serves(t)) return e.get();
  return endpoints_.empty() ? nullptr : endpoints_.front().get();
}

// The address of `listen` that NOTIFYs for this subscription are to come to: the one that the Contact names, where NOTIFYs can
// get there by the way of the request; else the one that fits best. The Contact of owners who do not care is the first address:
// where several fit, the one is taken that the machine reaches `to` from. null: the Contact is somebody else's, or there is no
// address.
NotifyAddress* SipStack::Core::address_for(const SipRequest& r, const Target& hop, const NetAddress* to) const {
  NotifyAddress* named = address_at(r.contact);
  if (!named && !r.contact.empty()) return nullptr;
  if (to && addresses_.size() > 1 && (!named || named == addresses_.front().get())) {
    std::string host = source_toward(*to).host();
    for (auto& a : addresses_)
      if (a->serves(hop) && a->host() == host) return a.get();
  }
  if (named && named->serves(hop)) return named;
  for (auto& a : addresses_)
    if (a->serves(hop)) return a.get();
  if (named && named->fits(hop)) return named;
  for (auto& a : addresses_)
    if (a->fits(hop)) return a.get();
  return named ? named : addresses_.empty() ? nullptr : addresses_.front().get();
}

NotifyAddress* SipStack::Core::address_at(std::string_view contact) const {
  for (auto& a : addresses_)
    if (a->contact() == contact) return a.get();
  return nullptr;
}

}  // namespace pua
