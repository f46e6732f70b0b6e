// SipStack::Core: what stands behind SipStack. It is in three files: stack.cpp opens and closes, stack_out.cpp sends requests
// on their way, stack_replies.cpp takes what comes back.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "sip/digest.h"
#include "sip/endpoint.h"
#include "sip/inbound.h"
#include "sip/incoming.h"
#include "sip/lane.h"
#include "sip/listener.h"
#include "sip/locate.h"
#include "sip/notify_address.h"
#include "sip/request.h"
#include "sip/route.h"
#include "sip/servers.h"
#include "sip/sofia_log.h"
#include "sip/stack.h"
#include "sip/su_timer.h"
#include "sip/txn_table.h"

namespace pua {

class SipStack::Core : public EndpointSink,
                       public NotifySink,
                       public LaneSink,
                       public LocatorSink,
                       public IncomingPort,
                       public std::enable_shared_from_this<SipStack::Core> {
 public:
  Core(const SipSettings&, SuDriver&, Log&, std::function<MonoMs()> now);
  ~Core() override;

  Status open(const SipSettings&);
  void attach(SipSink& sink, NotifySink* notifies) {
    sink_ = &sink;
    notifies_ = notifies;
  }
  Status send(const SipRequest&);
  void close(std::function<void()> done);
  bool in_callback() const { return depth_ > 0; }
  bool closed() const { return state_ == State::Closed; }
  SuDriver& driver() { return driver_; }

  // --- what comes from outside
  void on_final(uint64_t token, int status, const char* phrase, const sip_s* sip, msg_s* msg, bool ours) override;
  void on_plain_reply(uint64_t token, SipReply&) override;
  void on_parsed_reply(uint64_t token, const sip_s* sip, msg_s* msg) override;
  void on_no_reply(uint64_t token, ReplyOrigin, std::string_view reason) override;
  void on_located(uint64_t token, Servers servers, std::string_view why) override;
  void on_request(std::string_view message, NetAddress& from, MonoMs now, std::string& out) override;
  void take(std::string_view message, const Peer& from, MonoMs now, std::string& out) override;
  bool take_head(std::string_view head, uint64_t left_out, const Peer& from, MonoMs now, std::string& out) override;
  void turned_away(std::string_view head, const Peer& from, int status, const char* reason, MonoMs now) override;
  void on_server(const NetAddress& from) override { incoming_->know(from); }
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs now) override;
  void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs now) override;
  bool expects(std::string_view call_id) const override { return notifies_ && notifies_->expects(call_id); }

  Status set_credentials(std::vector<SipCredential>);
  void reread_names() {
    last_servers_.reset();
    named_ = {};
    if (locator_) locator_->reread();
  }
  void set_max_message(uint32_t octets) {
    if (inbound_) inbound_->set_max_message(octets);
  }
  void follow_log_level() { sofia_log_.follow_level(); }
  std::string notify_contact() const { return addresses_.empty() ? std::string() : addresses_.front()->contact(); }
  size_t in_flight() const { return txns_.size(); }
  SipCounters counters() const;

 private:
  enum class State : uint8_t { Open, Closing, Closed };

  // Calls from outside: the core lives until the last of them returns, whatever the sinks do.
  struct Call {
    explicit Call(Core& c) : core(c.shared_from_this()) { core->depth_++; }
    ~Call() { core->depth_--; }
    std::shared_ptr<Core> core;
  };

  struct Way {
    std::string_view uri, proxy, routes;  // Request-URI, next hop (empty: the Request-URI), Route header field
    Target target, hop;                   // Request-URI and next hop, parsed
    bool as_named = false;                // the next hop is as `proxy` names it: no sips: has made TLS of it
  };

  // --- stack.cpp
  Status open_endpoints(const SipSettings&);
  Status open_lane(const SipSettings&);
  Status open_locator(const SipSettings&);
  Status open_addresses(const SipSettings&);
  Status open_address(const SipSettings&, const std::string& uri);
  void ended();
  void arm_guard(MonoMs now);
  static void on_guard(void* self);
  static void on_late(void* self);

  // --- stack_out.cpp
  Result<Way> way_of(const SipRequest&);
  Status start(Txn&, const SipRequest&);
  Status attempt(Txn&, const SipRequest&, const Way&);
  Status attempt_lane(Txn&, const SipRequest&, const Way&, const NetAddress& to);
  Status attempt_sofia(Txn&, const SipRequest&, const Way&);
  bool try_next(Txn&, int64_t retry_after);
  Status again(Txn&, uint32_t cseq);
  bool find_servers(Txn&, const SipRequest&, const Way&);
  void keep(Txn&, const SipRequest&);
  void fail_later(Txn&, std::string why);
  static std::string_view branch_of(const Txn&, const SipRequest&);
  Endpoint* endpoint_for(const Target&) const;
  NotifyAddress* address_for(const SipRequest&, const Target& hop, const NetAddress* to) const;
  NotifyAddress* address_at(std::string_view contact) const;

  // --- stack_replies.cpp
  bool answer_challenge(Txn&, const sip_s*);
  void parsed(Txn&, const sip_s*, msg_s*);
  void let_go(Txn&);
  void complete(Txn&, SipReply&);
  // ours: the server has nothing to do with it (SipReply::ours).
  void complete_synthetic(Txn&, int status, ReplyOrigin, std::string_view reason, bool ours = false);

  SuDriver& driver_;
  SipSink* sink_ = nullptr;
  NotifySink* notifies_ = nullptr;    // null: nobody wants any
  Log& log_;
  SofiaLogScope sofia_log_;
  std::function<MonoMs()> now_;
  std::unique_ptr<Digest> digest_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::unique_ptr<NotifyAddress>> addresses_;
  std::shared_ptr<UdpLane> lane_;        // null: UDP is sofia's
  std::vector<LaneSocket> out_;       // of the lane: where PUBLISHs leave from
  std::unique_ptr<Locator> locator_;  // with the lane
  std::unique_ptr<Random> random_;
  std::unique_ptr<Incoming> incoming_;
  std::unique_ptr<Inbound> inbound_;  // connections to the addresses of `listen`
  size_t retiring_ = 0;               // endpoints and listeners on their way out
  std::function<void()> done_;
  TxnTable txns_;
  State state_ = State::Open;
  unsigned depth_ = 0;                // calls from outside on the stack
  int64_t guard_ms_;
  std::unique_ptr<SuTimer> guard_, late_timer_;
  bool guard_armed_ = false;
  // Requests that could not leave: nobody is told inside send().
  struct Late {
    uint64_t token;
    std::string why;
  };
  std::vector<Late> late_;
  SipCounters counters_;
  std::string user_agent_;
  std::string headers_, uri_, proxy_, method_, contact_;  // scratch: one request is made at a time
  RoutedRequest routed_;
  // The last literal hop: most requests of a proxy go to one.
  std::string last_hop_;
  Servers last_servers_;
  // The same as requests name it. It changes only with a request that names another one, whose views are not of it.
  struct NamedHop {
    std::string proxy;
    Target target;        // of proxy
    Servers servers;
  };
  NamedHop named_;
};

}  // namespace pua
