// SipStack: opening and closing; the rest of the core is in stack_out.cpp and stack_replies.cpp.
#include "sip/stack.h"

#include <strings.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdlib>

#include "core/uri.h"
#include "sip/stack_core.h"
#include "sip/su_driver.h"

namespace pua {

namespace {

// Each transaction ends by itself after 64 T1, but a resolver that does not answer, or several servers of one name that time
// out in turn, take longer. No request stays out longer than this many times 64 T1.
constexpr int64_t kGuardFactor = 3;

constexpr int kPortTries = 16;

Uri read(const std::string& uri) {   // one that was checked
  Uri u;
  read_uri(uri, u);
  return u;
}

bool any_port(const std::string& uri) { return read(uri).port == "*"; }
uint16_t port_of(const std::string& uri) { return static_cast<uint16_t>(atoi(std::string(read(uri).port).c_str())); }
std::string with_port(const std::string& uri, uint16_t port) {
  Uri u = read(uri);
  std::string out = std::string(u.scheme) + ":" + std::string(u.host) + ":" + std::to_string(port);
  return u.params.empty() ? out : out + ";" + std::string(u.params);
}

bool is_sips(const std::string& uri) { return uri.size() > 5 && strncasecmp(uri.c_str(), "sips:", 5) == 0; }

}  // namespace

SipStack::Core::Core(const SipSettings& s, SuDriver& driver, Log& log, std::function<MonoMs()> now)
    : driver_(driver), log_(log), sofia_log_(log), now_(std::move(now)),
      digest_(std::make_unique<Digest>(s.credentials, &log)), guard_ms_(kGuardFactor * 64 * static_cast<int64_t>(s.t1_ms)),
      guard_(std::make_unique<SuTimer>(driver, on_guard, this)),
      late_timer_(std::make_unique<SuTimer>(driver, on_late, this)), user_agent_(s.user_agent) {}

SipStack::Core::~Core() = default;

Status SipStack::Core::open(const SipSettings& s) {
  HashKey key;
  if (getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key))
    return {Errc::no_memory, "the system gives no random numbers"};
  incoming_ = std::make_unique<Incoming>(*this, s.t1_ms, key, log_);
  if (s.lane)
    if (auto st = open_lane(s); !st) return st;
  if (auto st = open_endpoints(s); !st) return st;
  if (auto st = open_addresses(s); !st) return st;
  if (lane_)
    if (auto st = open_locator(s); !st) return st;
  driver_.kick();
  return success();
}

Status SipStack::Core::open_lane(const SipSettings& s) {
  auto lane = UdpLane::create(driver_, s.t1_ms, *this, log_, now_);
  if (!lane) return lane.error();
  lane_ = std::move(*lane);
  std::vector<std::string> uris = s.listen;
  if (uris.empty()) uris.push_back("sip:*:*");
  for (const std::string& uri : uris) {
    auto target = parse_target(uri);
    if (!target || !transports_of(*target).udp) continue;
    auto sockets = open_udp(uri, s.udp_buffer);
    if (!sockets) return sockets.error();
    for (auto& socket : *sockets) {
      NetAddress local = socket->local();
      out_.push_back({lane_->add(std::move(socket)), local});
    }
  }
  return success();
}

// Names are looked up for what our sockets can reach: those that requests leave from, and those of `listen`, where SUBSCRIBEs
// do.
Status SipStack::Core::open_locator(const SipSettings& s) {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed))
    return {Errc::no_memory, "the system gives no random numbers"};
  LocatorSettings where;
  where.resolv_conf = s.resolv_conf;
  where.tls = std::any_of(s.listen.begin(), s.listen.end(), is_sips) ||
              std::any_of(s.notify_listen.begin(), s.notify_listen.end(), is_sips);
  where.v4 = where.v6 = out_.empty();
  auto reach = [&where](const LaneSocket& socket) { (socket.local.family() == AF_INET ? where.v4 : where.v6) = true; };
  for (const LaneSocket& socket : out_) reach(socket);
  for (auto& address : addresses_)
    for (const LaneSocket& socket : address->sockets()) reach(socket);
  where.v6_first = !out_.empty() && out_.front().local.family() == AF_INET6;
  random_ = std::make_unique<Random>(seed);
  locator_ = Locator::create(driver_, where, *this, log_, *random_, now_);
  return success();
}

// sofia opens one plain and one TLS address: pairs of them share a stack.
Status SipStack::Core::open_endpoints(const SipSettings& s) {
  std::vector<std::string> plain, secure;
  for (const std::string& uri : s.listen) {
    if (is_sips(uri)) {
      secure.push_back(uri);
      continue;
    }
    if (auto st = Endpoint::check_address(s, uri, false); !st) return st;
    ListenTransports t = transports_of(*parse_target(uri));
    if (!lane_) plain.push_back(uri);
    else if (t.tcp) plain.push_back(t.udp ? uri + ";transport=tcp" : uri);
  }
  if (s.listen.empty()) plain.push_back(lane_ ? "sip:0.0.0.0:*;transport=tcp" : "sip:0.0.0.0:*");
  for (size_t i = 0; i < std::max(plain.size(), secure.size()); i++) {
    auto e = Endpoint::create(driver_.root(), s, i < plain.size() ? plain[i] : "", i < secure.size() ? secure[i] : "", *this);
    if (!e) return e.error();
    endpoints_.push_back(std::move(*e));
  }
  return success();
}

Status SipStack::Core::open_addresses(const SipSettings& s) {
  for (const std::string& uri : s.notify_listen) {
    if (auto st = Endpoint::check_address(s, uri, is_sips(uri)); !st) return st;
    if (Inbound::wanted(uri) && !inbound_) {
      auto inbound = Inbound::create(driver_.base(), s, log_, driver_.watchdog(), now_);
      if (!inbound) return inbound.error();
      inbound_ = std::move(*inbound);
    }
    // A free port that the system chose for UDP may be taken by another program for TCP: then another port is tried.
    Status st = success();
    for (int i = 0; i < (any_port(uri) ? kPortTries : 1); i++)
      if ((st = open_address(s, uri)) || st.code() == Errc::bad_config) break;
    if (!st) return st;
  }
  return success();
}

// One address: its UDP sockets, the lane's or sofia's, the port for connections, and sofia for SUBSCRIBEs that go by
// connections.
Status SipStack::Core::open_address(const SipSettings& s, const std::string& uri) {
  ListenTransports t = transports_of(*parse_target(uri));
  std::vector<std::unique_ptr<UdpSocket>> udp;
  std::unique_ptr<Listener> agent;
  uint16_t port = 0;
  if (lane_ && t.udp) {
    auto opened = open_udp(uri, s.udp_buffer);
    if (!opened) return opened.error();
    udp = std::move(*opened);
    port = udp.front()->local().port();
  } else if (t.udp) {
    auto l = Listener::create(driver_.root(), s, uri, *this, *this, now_);
    if (!l) return l.error();
    agent = std::move(*l);
    port = port_of(agent->contact());
  }
  if (Inbound::wanted(uri)) {
    auto taken = inbound_->listen(uri, port, *this);
    if (!taken) return taken.error();
    port = *taken;
    if (!agent) {
      auto l = Listener::create(driver_.root(), s, with_port(uri, port), *this, *this, now_);
      if (!l) return l.error();
      agent = std::move(*l);
    }
  }
  std::vector<LaneSocket> sockets;
  for (auto& socket : udp) {
    NetAddress local = socket->local();
    sockets.push_back({lane_->add(std::move(socket)), local});
  }
  addresses_.push_back(std::make_unique<NotifyAddress>(uri, port, std::move(sockets), std::move(agent)));
  return success();
}

Status SipStack::Core::set_credentials(std::vector<SipCredential> c) {
  if (auto st = Digest::check(c); !st) return st;
  digest_->set_credentials(std::move(c));
  return success();
}

SipCounters SipStack::Core::counters() const {
  SipCounters c = counters_;
  c.digest = digest_->counters();
  uint64_t others = 0;
  for (auto& a : addresses_) {
    if (!a->agent()) continue;
    c.notifies_bad += a->agent()->refused();
    c.notifies_repeated += a->agent()->repeated();
    others += a->agent()->others();
  }
  for (auto& e : endpoints_) c.stream_strays += e->strays();
  c.streams_cut = driver_.stats().streams_cut;
  c.notifies_bad += incoming_->counters().refused;
  c.notifies_repeated += incoming_->counters().repeated;
  c.incoming = incoming_->counters();
  c.incoming.others += others;
  if (inbound_) c.inbound = inbound_->counters();
  if (lane_) c.lane = lane_->counters();
  if (locator_) c.names = locator_->counters();
  return c;
}

// --- what takes too long ---------------------------------------------------------------------------------------------

void SipStack::Core::arm_guard(MonoMs now) {
  MonoMs due = txns_.first_deadline();
  guard_armed_ = due != kNever;
  if (guard_armed_) guard_->arm(due - now);
}

void SipStack::Core::on_guard(void* arg) {
  Call call(*static_cast<Core*>(arg));
  Core& self = *call.core;
  while (Txn* t = self.txns_.overdue(self.now_())) {
    self.counters_.overdue++;
    self.complete_synthetic(*t, 408, ReplyOrigin::Timeout, "Request Timeout");
  }
  if (self.state_ == State::Open) self.arm_guard(self.now_());
}

void SipStack::Core::on_late(void* arg) {
  Call call(*static_cast<Core*>(arg));
  Core& self = *call.core;
  std::vector<Late> late = std::move(self.late_);
  self.late_.clear();
  for (const Late& l : late)
    if (Txn* t = self.txns_.find(l.token); t && !self.try_next(*t, 0))
      self.complete_synthetic(*t, 503, ReplyOrigin::Transport, l.why, true);
  if (self.state_ == State::Closing && self.retiring_ == 0) self.ended();
}

// --- the end ---------------------------------------------------------------------------------------------------------

void SipStack::Core::close(std::function<void()> done) {
  if (state_ != State::Open) return;
  state_ = State::Closing;
  done_ = std::move(done);
  auto self = shared_from_this();
  while (Txn* t = txns_.any()) complete_synthetic(*t, 487, ReplyOrigin::Shutdown, "Request Terminated");
  guard_.reset();
  locator_.reset();   // its timers are sofia's: the driver may be gone when we return
  if (lane_) lane_->close();
  if (inbound_) inbound_->retire();
  auto gone = [self] {
    if (--self->retiring_ == 0) self->ended();
  };
  retiring_ = endpoints_.size();
  for (auto& a : addresses_) retiring_ += a->agent() != nullptr;
  // `done` comes from a later turn. Without one nobody waits, and the driver may be gone when we return.
  if (retiring_ == 0 && done_) late_timer_->arm(1);
  else late_timer_.reset();
  if (retiring_ == 0 && !done_) state_ = State::Closed;
  for (auto& e : endpoints_) Endpoint::retire(std::move(e), gone);
  for (auto& a : addresses_)
    if (a->agent()) Listener::retire(a->take_agent(), gone);
  addresses_.clear();
  endpoints_.clear();
  driver_.kick();
}

void SipStack::Core::ended() {
  state_ = State::Closed;
  auto f = std::move(done_);
  if (f) f();
}

SipStack::SipStack(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<SipStack>> SipStack::create(const SipSettings& s, SuDriver& driver, Log& log,
                                                   std::function<MonoMs()> now) {
  if (s.t1_ms < 10 || s.t1_ms > 10000) return {Errc::bad_config, "T1 is not within 10 and 10000 ms"};
  if (auto st = Digest::check(s.credentials); !st) return st.error();
  auto core = std::make_shared<Core>(s, driver, log, std::move(now));
  std::unique_ptr<SipStack> stack(new SipStack(core));
  if (auto st = core->open(s); !st) return st.error();  // what was opened is closed by ~SipStack
  return stack;
}

SipStack::~SipStack() {
  core_->close({});
  if (core_->in_callback()) return;
  // sofia's agents end by messages: a few turns, no waiting for anybody.
  for (int i = 0; i < 8 && !core_->closed(); i++) core_->driver().settle();
}

void SipStack::attach(SipSink& sink, NotifySink* notifies) { core_->attach(sink, notifies); }
Status SipStack::send(const SipRequest& r) { return core_->send(r); }
void SipStack::shutdown(std::function<void()> done) { core_->close(std::move(done)); }
Status SipStack::set_credentials(std::vector<SipCredential> c) { return core_->set_credentials(std::move(c)); }
void SipStack::set_max_message(uint32_t octets) { core_->set_max_message(octets); }
void SipStack::reread_names() { core_->reread_names(); }
void SipStack::follow_log_level() { core_->follow_log_level(); }
std::string SipStack::notify_contact() const { return core_->notify_contact(); }
size_t SipStack::in_flight() const { return core_->in_flight(); }
SipCounters SipStack::counters() const { return core_->counters(); }

}  // namespace pua
