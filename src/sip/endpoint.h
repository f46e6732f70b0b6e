// Endpoint: one sofia agent on one listen address (or a plain and a TLS one). Sends one-shot requests, reports final replies.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/log_gate.h"
#include "base/result.h"
#include "sip/agent.h"
#include "sip/request.h"
#include "sip/settings.h"

struct su_root_s;

namespace pua {

class Endpoint : private AgentSink {
 public:
  // sip_uri, sips_uri: at least one not empty. The sink and `now` outlive the endpoint.
  // Errors: bad_config (URI not usable), sip_failed (cannot bind, TLS files not readable).
  static Result<std::unique_ptr<Endpoint>> create(su_root_s* root, const SipSettings&, const std::string& sip_uri,
                                                  const std::string& sips_uri, EndpointSink&);
  // May this address be listened on? tls: it is a sips: URI. Errors: as create().
  static Status check_address(const SipSettings& s, const std::string& uri, bool tls) {
    return SofiaAgent::check_address(s, uri, tls);
  }
  ~Endpoint() override = default;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Can this endpoint reach such a target?
  bool serves(const Target&) const;

  using Request = OutRequest;
  // What stands for one transaction.
  struct Handle {
    SofiaAgent::Out* nh = nullptr;
  };
  // The handle of the transaction; nh is null if sofia has no memory. Nothing is reported inside.
  Handle send(const Request& r) { return {agent_->send(r)}; }
  // Forgets the transaction: no report will follow. sofia goes on repeating a request that is out.
  void drop(Handle h) { SofiaAgent::drop(h.nh); }

  // Requests that came from outside. They belong to nothing of ours, and were answered once or dropped.
  uint64_t strays() const { return strays_ + agent_->refused(); }

  // Ends the agent: it goes within the next turns of the loop, then `gone` is called (it may be empty). Drop all handles
  // before. Legal inside on_final.
  static void retire(std::unique_ptr<Endpoint>, std::function<void()> gone);

 private:
  Endpoint() = default;
  void on_request(nta_agent_s* nta, msg_s* msg, const sip_s* sip) override;

  std::unique_ptr<SofiaAgent> agent_;
  bool plain_ = false, secure_ = false;
  Target::Family family_ = Target::Family::Any;
  uint64_t strays_ = 0;
};

}  // namespace pua
