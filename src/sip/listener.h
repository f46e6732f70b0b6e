// Listener: an address that NOTIFYs come to, as far as sofia takes them: over UDP where there is no lane, and over
// connections that SUBSCRIBEs left by. It keeps no transactions of them: each is read, put to the sink and answered at once
// (docs/adr/0006).
//
//   server --NOTIFY--> read_notify --> sink --> answer --> server
//          --again---> Answers ----------------> the same answer
//          <--SUBSCRIBE-- send()                    from the same socket
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "core/notify_port.h"
#include "sip/answers.h"
#include "sip/agent.h"
#include "sip/request.h"
#include "sip/settings.h"

struct su_root_s;
struct msg_s;
struct sip_s;

namespace pua {

class Listener : private AgentSink {
 public:
  // uri: one of SipSettings::notify_listen. The sinks and now outlive the listener. Errors: bad_config (address not usable),
  // sip_failed (cannot bind, TLS files).
  static Result<std::unique_ptr<Listener>> create(su_root_s* root, const SipSettings&, const std::string& uri, NotifySink&,
                                                  EndpointSink&, std::function<MonoMs()> now);
  ~Listener() override = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The address as a URI, with the real host: "sip:127.0.0.1:5080;transport=tcp". The port is that of `listen`; where that has
  // none ("*"), of the UDP socket. Connections to it are taken elsewhere.
  const std::string& contact() const { return contact_; }
  // Is the address of the family and security that such a target needs?
  bool fits(const Target&) const;
  // And of its transport, so that requests to it can leave from here?
  bool serves(const Target&) const;

  // Requests out of the same socket; as Endpoint does it.
  using Out = SofiaAgent::Out;  // stands for one transaction
  Out* send(const OutRequest& r) { return agent_->send(r); }  // null: no memory
  static void drop(Out* out) { SofiaAgent::drop(out); }

  // NOTIFYs refused before the sink saw them, and what sofia drops; other requests; NOTIFYs answered from what was kept.
  uint64_t refused() const { return refused_ + agent_->refused(); }
  uint64_t others() const { return others_; }
  uint64_t repeated() const { return repeated_; }

  // Ends it: takes nothing from now on, its sockets are closed from the next message of the root, then `gone` is called.
  // Legal inside the sink.
  static void retire(std::unique_ptr<Listener>, std::function<void()> gone);

 private:
  enum class State : uint8_t { Open, Retiring };

  Listener(const SipSettings&, NotifySink&, std::function<MonoMs()> now);
  void read_address(const std::string& uri);
  void on_request(nta_agent_s* nta, msg_s* msg, const sip_s* sip) override;
  NotifyAnswer notified(const sip_s* sip, const std::string& sender);
  NotifyAnswer refuse(int status, const char* reason);
  uint64_t key_of(const sip_s* sip) const;

  NotifySink* sink_;
  std::function<MonoMs()> now_;
  std::string contact_;
  Target::Family family_ = Target::Family::Any;
  bool secure_ = false;
  Answers answers_;
  HashKey key_;
  uint64_t refused_ = 0, others_ = 0, repeated_ = 0;
  State state_ = State::Open;
  std::unique_ptr<SofiaAgent> agent_;
};

}  // namespace pua
