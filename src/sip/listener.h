// Listener: an address that NOTIFYs come to. An nta agent that keeps no transactions of them: each is read, put to the sink
// and answered at once (docs/adr/0006).
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
#include "sip/endpoint.h"
#include "sip/request.h"
#include "sip/settings.h"

struct su_root_s;
struct su_msg_s;
struct nta_agent_s;
struct msg_s;
struct sip_s;

namespace pua {

class Listener {
 public:
  // uri: one of SipSettings::notify_listen. The sinks and now outlive the listener. Errors: bad_config (address not usable),
  // sip_failed (cannot bind, TLS files).
  static Result<std::unique_ptr<Listener>> create(su_root_s* root, const SipSettings&, const std::string& uri, NotifySink&,
                                                  EndpointSink&, std::function<MonoMs()> now);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The address as a URI, with the real host and port: "sip:127.0.0.1:5080;transport=tcp".
  const std::string& contact() const { return contact_; }
  // Is the address of the family and security that such a target needs?
  bool fits(const Target&) const;
  // And of its transport, so that requests to it can leave from here?
  bool serves(const Target&) const;

  // Requests out of the same socket; as Endpoint does it.
  struct Out;  // stands for one transaction
  Out* send(const Endpoint::Request&);  // null: no memory
  static void drop(Out*);

  // Requests refused before the sink saw them, also by sofia; NOTIFYs answered from what was kept.
  uint64_t refused() const;
  uint64_t repeated() const { return repeated_; }

  // Ends it: takes nothing from now on, its sockets are closed from the next message of the root, then `gone` is called.
  // Legal inside the sink.
  static void retire(std::unique_ptr<Listener>, std::function<void()> gone);

 private:
  friend struct ListenerCallback;
  friend struct ListenerOut;
  enum class State : uint8_t { Open, Retiring };

  Listener(const SipSettings&, NotifySink&, EndpointSink&, std::function<MonoMs()> now);
  Status open(su_root_s* root, const SipSettings&, const std::string& uri);
  void read_address(const Target& asked);
  void take(msg_s* msg, const sip_s* sip);
  NotifyAnswer notified(const sip_s* sip);
  NotifyAnswer refuse(int status, const char* reason);
  uint64_t key_of(const sip_s* sip) const;

  su_root_s* root_ = nullptr;
  nta_agent_s* agent_ = nullptr;
  su_msg_s* end_ = nullptr;   // the message that ends it, until it is sent
  NotifySink* sink_;
  EndpointSink* out_sink_;
  std::string user_agent_;
  std::function<MonoMs()> now_;
  std::string contact_;
  Target::Family family_ = Target::Family::Any;
  bool secure_ = false, udp_ = false, tcp_ = false;
  Answers answers_;
  HashKey key_;
  uint64_t refused_ = 0, repeated_ = 0;
  State state_ = State::Open;
  std::function<void()> gone_;
};

}  // namespace pua
