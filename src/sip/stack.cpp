#include "sip/stack.h"

#include <sofia-sip/nta.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/su_wait.h>
#include <strings.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "sip/digest.h"
#include "sip/endpoint.h"
#include "sip/header_text.h"
#include "sip/listener.h"
#include "sip/reply.h"
#include "sip/request.h"
#include "sip/route.h"
#include "sip/sofia_log.h"
#include "sip/su_driver.h"
#include "sip/txn_table.h"

namespace pua {

namespace {

// sofia ends every transaction by itself after 64 T1, but a resolver that does not answer, or several servers of one SRV
// record that time out in turn, take longer. Nothing stays out longer than this many times 64 T1.
constexpr int64_t kGuardFactor = 3;

}  // namespace

class SipStack::Core : public EndpointSink, public NotifySink, public std::enable_shared_from_this<SipStack::Core> {
 public:
  Core(const SipSettings& s, SuDriver& driver, SipSink& sink, NotifySink* notifies, Log& log, std::function<MonoMs()> now)
      : driver_(driver), sink_(&sink), notifies_(notifies), log_(log), sofia_log_(log), now_(std::move(now)),
        digest_(std::make_unique<Digest>(s.credentials)), guard_ms_(kGuardFactor * 64 * static_cast<int64_t>(s.t1_ms)) {}
  ~Core() override {
    if (guard_) su_timer_destroy(guard_);
  }

  Status open(const SipSettings& s);
  Status send(const SipRequest& r);
  void close(std::function<void()> done);
  bool in_callback() const { return depth_ > 0; }
  bool closed() const { return state_ == State::Closed; }
  SuDriver& driver() { return driver_; }

  void on_final(uint64_t token, int status, const char* phrase, const sip_s* sip, msg_s* msg) override;
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs now) override;
  std::string notify_contact() const { return listeners_.empty() ? std::string() : listeners_.front()->contact(); }

  Status set_credentials(std::vector<SipCredential> c) {
    if (auto st = Digest::check(c); !st) return st;
    digest_ = std::make_unique<Digest>(std::move(c));
    return success();
  }
  void follow_log_level() { sofia_log_.follow_level(); }
  size_t in_flight() const { return txns_.size(); }
  SipCounters counters() const {
    SipCounters c = counters_;
    for (auto& l : listeners_) {
      c.notifies_bad += l->refused();
      c.notifies_repeated += l->repeated();
    }
    return c;
  }

 private:
  enum class State : uint8_t { Open, Closing, Closed };

  struct Way {
    std::string_view uri, proxy, routes;  // Request-URI, next hop (empty: the Request-URI), Route header field
    Target target, hop;                   // Request-URI and next hop, parsed
  };

  Result<Way> way_of(const SipRequest&);
  Endpoint* endpoint_for(const Target&) const;
  Listener* listener_for(const Target& hop) const;
  Listener* listener_at(std::string_view contact) const;
  Status start(Txn& t, const SipRequest& r, uint32_t cseq);
  bool answer_challenge(Txn& t, const sip_s* sip);
  void let_go(Txn& t, bool clean);
  void complete(Txn& t, SipReply& reply);
  void arm_guard(MonoMs now);
  static void on_guard(su_root_magic_t*, su_timer_t*, su_timer_arg_t* self);

  SuDriver& driver_;
  SipSink* sink_;
  NotifySink* notifies_;              // null: nobody wants any
  Log& log_;
  SofiaLogScope sofia_log_;
  std::function<MonoMs()> now_;
  std::unique_ptr<Digest> digest_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  size_t retiring_ = 0;               // endpoints and listeners on their way out
  std::function<void()> done_;
  TxnTable txns_;
  State state_ = State::Open;
  unsigned depth_ = 0;                // calls from sofia on the stack
  int64_t guard_ms_;
  su_timer_t* guard_ = nullptr;
  bool guard_armed_ = false;
  SipCounters counters_;
  std::string headers_, uri_, proxy_, method_;  // scratch: one request is made at a time
  RoutedRequest routed_;
};

Status SipStack::Core::open(const SipSettings& s) {
  std::vector<std::string> plain, secure;
  for (const std::string& uri : s.listen) {
    bool tls = uri.size() > 5 && strncasecmp(uri.c_str(), "sips:", 5) == 0;
    (tls ? secure : plain).push_back(uri);
  }
  if (s.listen.empty()) plain.push_back("sip:0.0.0.0:*");
  // nua opens one plain and one TLS address: pairs of them share a stack.
  for (size_t i = 0; i < std::max(plain.size(), secure.size()); i++) {
    auto e = Endpoint::create(driver_.root(), s, i < plain.size() ? plain[i] : "", i < secure.size() ? secure[i] : "", *this);
    if (!e) return e.error();
    endpoints_.push_back(std::move(*e));
  }
  for (const std::string& uri : s.notify_listen) {
    if (!notifies_) break;
    auto l = Listener::create(driver_.root(), s, uri, *this, *this, now_);
    if (!l) return l.error();
    listeners_.push_back(std::move(*l));
  }
  guard_ = su_timer_create(su_root_task(driver_.root()), 0);
  if (!guard_) return {Errc::no_memory, "no timer for the SIP stack"};
  driver_.kick();
  return success();
}

// The first that fits; if none does, the first, which then fails as a transport error (no TLS, no IPv6).
Endpoint* SipStack::Core::endpoint_for(const Target& t) const {
  for (auto& e : endpoints_)
    if (e->serves(t)) return e.get();
  return endpoints_.front().get();
}

// Where NOTIFYs for a subscription that takes this way are to come, and where it leaves from. null: there is no listener.
Listener* SipStack::Core::listener_for(const Target& hop) const {
  for (auto& l : listeners_)
    if (l->serves(hop)) return l.get();
  for (auto& l : listeners_)
    if (l->fits(hop)) return l.get();
  return listeners_.empty() ? nullptr : listeners_.front().get();
}

Listener* SipStack::Core::listener_at(std::string_view contact) const {
  for (auto& l : listeners_)
    if (l->contact() == contact) return l.get();
  return nullptr;
}

Status SipStack::Core::send(const SipRequest& r) {
  if (state_ != State::Open) return {Errc::shutting_down, "the SIP stack is shutting down"};
  if (auto st = check_request(r); !st) return st;
  Txn& t = txns_.add(r.txn);
  t.first_cseq = r.cseq;
  if (digest_->has_credentials()) t.kept.keep(r);
  if (auto st = start(t, r, r.cseq); !st) {
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
  if (!w.proxy.empty()) {
    auto hop = parse_target(w.proxy);
    if (!hop) return hop.error();
    w.hop = *hop;
  }
  return w;
}

// Hands one attempt to nua. r is t.kept where it is a repetition.
Status SipStack::Core::start(Txn& t, const SipRequest& r, uint32_t cseq) {
  auto way = way_of(r);
  if (!way) return way.error();
  if (auto st = next_hop(way->proxy, way->hop, proxy_); !st) return st;
  uri_.assign(way->uri);
  for (const std::string& uri : {std::cref(uri_), std::cref(proxy_)})   // whatever let it through: rows, routes, Contacts
    if (!uri.empty() && !readable_url(uri))
      return {Errc::bad_uri, "\"" + uri.substr(0, 80) + "\" is not a URI that can be sent to"};
  method_.assign(r.method);
  headers_.clear();
  Listener* listener = nullptr;
  if (r.method == "SUBSCRIBE") listener = r.contact.empty() ? listener_for(way->hop) : listener_at(r.contact);
  write_headers(r, cseq, way->routes, listener ? std::string_view(listener->contact()) : r.contact, headers_);
  if (digest_->has_credentials())
    digest_->authorize({way->target.host, way->hop.host}, r.method, way->uri, r.body, headers_, t.trail);
  Endpoint::Request q;
  q.token = txns_.token(t);
  q.method = method_.c_str();
  q.uri = uri_.c_str();
  q.proxy = proxy_.empty() ? nullptr : proxy_.c_str();
  std::string branch;
  q.branch = r.branch;
  if (cseq != r.cseq && !r.branch.empty()) {  // another request, another transaction (RFC 3261 section 8.1.3.5)
    branch = std::string(r.branch) + "." + std::to_string(cseq - r.cseq);
    q.branch = branch;
  }
  q.headers = headers_.c_str();
  q.body = r.body;
  if (listener && listener->serves(way->hop)) {
    t.out = listener->send(q);
  } else {
    t.endpoint = endpoint_for(way->hop);
    t.handle = t.endpoint->send(q);
  }
  if (!t.out && !t.handle.nh) return {Errc::no_memory, "no memory for a SIP transaction"};
  t.cseq = cseq;
  return success();
}

void SipStack::Core::on_final(uint64_t token, int status, const char* phrase, const sip_s* sip, msg_s* msg) {
  Txn* t = txns_.find(token);
  if (!t) return;
  auto self = shared_from_this();  // the sink may destroy the stack
  depth_++;
  SipReply reply;
  reply.status = status;
  reply.reason = phrase ? std::string_view(phrase) : std::string_view();
  if (sip && msg && !nta_sip_is_internal(sip)) {
    if ((status == 401 || status == 407) && answer_challenge(*t, sip)) {
      depth_--;
      return;
    }
    read_reply(msg, sip, reply);
  } else if (status == 408) {
    reply.origin = ReplyOrigin::Timeout;
    reply.reason = "Request Timeout";
  } else if (status >= 700 || status == 416) {
    // nua's own codes: the request could not be made; 416: sips: without a TLS listen address.
    reply.origin = status == 416 ? ReplyOrigin::Transport : ReplyOrigin::Local;
    reply.status = status == 416 ? 503 : 500;
    log_.warning("sip: a request could not be sent: %d %s", status, phrase ? phrase : "");
  } else {
    reply.origin = ReplyOrigin::Transport;
    reply.status = 503;
  }
  complete(*t, reply);
  depth_--;
}

NotifyAnswer SipStack::Core::on_notify(const NotifyRequest& request, MonoMs now) {
  auto self = shared_from_this();  // the sink may destroy the stack
  depth_++;
  NotifyAnswer answer = notifies_->on_notify(request, now);
  depth_--;
  return answer;
}

// 401 or 407. true: sent again.
bool SipStack::Core::answer_challenge(Txn& t, const sip_s* sip) {
  if (!digest_->has_credentials() || t.kept.view().uri.empty() || state_ != State::Open) return false;
  const SipRequest& r = t.kept.view();
  auto way = way_of(r);
  if (!way) return false;
  auto verdict = digest_->challenge(sip, {way->target.host, way->hop.host}, t.trail);
  if (verdict != Digest::Verdict::Retry) {
    log_.info("sip: %.*s asks for credentials: %s", static_cast<int>(way->hop.host.size()), way->hop.host.data(),
              verdict == Digest::Verdict::Rejected ? "ours were refused" : "none fit");
    return false;
  }
  let_go(t, false);
  if (!start(t, r, t.cseq + 1)) return false;
  counters_.auth_retries++;
  return true;
}

// clean: it ended with 2xx.
void SipStack::Core::let_go(Txn& t, bool clean) {
  if (t.out) Listener::drop(t.out);
  if (t.handle.nh) clean ? t.endpoint->done(t.handle) : t.endpoint->drop(t.handle);
  t.out = nullptr;
  t.handle = {};
}

void SipStack::Core::complete(Txn& t, SipReply& reply) {
  TxnId id = t.id;
  // How far digest took the CSeq: the caller goes on from there.
  if (t.first_cseq != t.cseq) reply.cseq = t.cseq;
  let_go(t, reply.origin == ReplyOrigin::Wire && reply.status < 300);
  txns_.remove(t);
  sink_->on_reply(id, reply, now_());
}

void SipStack::Core::arm_guard(MonoMs now) {
  MonoMs due = txns_.first_deadline();
  if (due == kNever) {
    guard_armed_ = false;
    return;
  }
  guard_armed_ = true;
  su_timer_set_interval(guard_, on_guard, static_cast<su_timer_arg_t*>(this),
                        static_cast<su_duration_t>(std::max<int64_t>(due - now, 1)));
}

void SipStack::Core::on_guard(su_root_magic_t*, su_timer_t*, su_timer_arg_t* arg) {
  auto self = static_cast<Core*>(arg)->shared_from_this();
  self->depth_++;
  while (Txn* t = self->txns_.overdue(self->now_())) {
    self->counters_.overdue++;
    SipReply reply;
    reply.status = 408;
    reply.reason = "Request Timeout";
    reply.origin = ReplyOrigin::Timeout;
    self->complete(*t, reply);
  }
  self->depth_--;
  if (self->state_ == State::Open) self->arm_guard(self->now_());
}

void SipStack::Core::close(std::function<void()> done) {
  if (state_ != State::Open) return;
  state_ = State::Closing;
  done_ = std::move(done);
  auto self = shared_from_this();
  while (Txn* t = txns_.any()) {
    SipReply reply;
    reply.status = 487;
    reply.reason = "Request Terminated";
    reply.origin = ReplyOrigin::Shutdown;
    complete(*t, reply);
  }
  su_timer_destroy(guard_);
  guard_ = nullptr;
  auto gone = [self] {
    if (--self->retiring_ > 0) return;
    self->state_ = State::Closed;
    auto f = std::move(self->done_);
    if (f) f();
  };
  retiring_ = endpoints_.size() + listeners_.size();
  for (auto& e : endpoints_) Endpoint::retire(std::move(e), gone);
  for (auto& l : listeners_) Listener::retire(std::move(l), gone);
  listeners_.clear();
  endpoints_.clear();
  driver_.kick();
}

SipStack::SipStack(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<SipStack>> SipStack::create(const SipSettings& s, SuDriver& driver, SipSink& sink,
                                                   NotifySink* notifies, Log& log, std::function<MonoMs()> now) {
  if (s.t1_ms < 10 || s.t1_ms > 10000) return {Errc::bad_config, "T1 is not within 10 and 10000 ms"};
  if (auto st = Digest::check(s.credentials); !st) return st.error();
  auto core = std::make_shared<Core>(s, driver, sink, notifies, log, std::move(now));
  std::unique_ptr<SipStack> stack(new SipStack(core));
  if (auto st = core->open(s); !st) return st.error();  // what was opened is closed by ~SipStack
  return stack;
}

SipStack::~SipStack() {
  core_->close({});
  if (core_->in_callback()) return;
  // nua ends by messages to itself: a few turns, no waiting for anybody.
  for (int i = 0; i < 8 && !core_->closed(); i++) core_->driver().settle();
}

Status SipStack::send(const SipRequest& r) { return core_->send(r); }
void SipStack::shutdown(std::function<void()> done) { core_->close(std::move(done)); }
Status SipStack::set_credentials(std::vector<SipCredential> c) { return core_->set_credentials(std::move(c)); }
void SipStack::follow_log_level() { core_->follow_log_level(); }
std::string SipStack::notify_contact() const { return core_->notify_contact(); }
size_t SipStack::in_flight() const { return core_->in_flight(); }
SipCounters SipStack::counters() const { return core_->counters(); }

}  // namespace pua
