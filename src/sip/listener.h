// Listener: the addresses that NOTIFYs come to. One nta agent on all of them, without transactions: each request is read,
// put to the sink and answered at once (docs/adr/0006).
//
//   server --NOTIFY--> read_notify --> sink --> answer --> server
//          --again---> Answers ----------------> the same answer
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "core/notify_port.h"
#include "sip/answers.h"
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
  // Opens s.notify_listen, which is not empty. sink and now outlive the listener. Errors: bad_config (address not usable),
  // sip_failed (cannot bind, TLS files).
  static Result<std::unique_ptr<Listener>> create(su_root_s* root, const SipSettings& s, NotifySink& sink,
                                                  std::function<MonoMs()> now);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Where NOTIFYs for a subscription that goes to such a target are to come: the first address of the same family and
  // security, else the first one. Port and address are the real ones.
  const std::string& contact_for(const Target&) const;
  const std::string& contact() const { return addresses_.front().contact; }

  // Ends it: takes nothing from now on, its sockets are closed from the next message of the root, then `gone` is called.
  // Legal inside the sink.
  static void retire(std::unique_ptr<Listener>, std::function<void()> gone);

 private:
  friend struct ListenerCallback;
  struct Address {
    std::string contact;
    Target::Family family;
    bool secure;
  };
  enum class State : uint8_t { Open, Retiring };

  Listener(const SipSettings&, NotifySink&, std::function<MonoMs()> now);
  Status open(su_root_s* root, const SipSettings&);
  Status bind(const SipSettings&, const std::string& uri);
  void take(msg_s* msg, const sip_s* sip);
  NotifyAnswer notified(const sip_s* sip);
  uint64_t key_of(const sip_s* sip) const;

  nta_agent_s* agent_ = nullptr;
  su_msg_s* end_ = nullptr;   // the message that ends it, until it is sent
  NotifySink* sink_;
  std::function<MonoMs()> now_;
  std::vector<Address> addresses_;
  Answers answers_;
  HashKey key_;
  State state_ = State::Open;
  std::function<void()> gone_;
};

}  // namespace pua
