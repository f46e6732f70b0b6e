// SofiaAgent: an nta agent that sends requests and takes no connections. What Endpoint and Listener are made of.
//
//   send --> nta transaction --> TCP, TLS, UDP (where there is no lane) --> final reply, or a status with what went wrong
//   request that came over our own connection or socket --> AgentSink
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_gate.h"
#include "base/result.h"
#include "sip/request.h"
#include "sip/settings.h"
#include "sip/tls_watch.h"

struct su_root_s;
struct su_msg_s;
struct nta_agent_s;
struct msg_s;
struct sip_s;

namespace pua {

struct EndpointSink {
  virtual ~EndpointSink() = default;
  // A final reply. sip and msg are null, or a message that sofia made itself (nta_sip_is_internal), where nothing came over
  // the wire; phrase then says what went wrong ("192.0.2.1:5061: Connection refused"). They belong to sofia and are valid
  // during the call. ours: the request could not be sent because something is missing here (no such transport, no address for
  // the name): no server is to blame. May send and drop. The endpoint itself must not be destroyed here, only retired.
  virtual void on_final(uint64_t token, int status, const char* phrase, const sip_s* sip, msg_s* msg, bool ours) = 0;
};

// Requests that come to an agent. msg is taken over: it is answered or discarded with nta (nta_msg_treply, ...).
struct AgentSink {
  virtual ~AgentSink() = default;
  virtual void on_request(nta_agent_s* nta, msg_s* msg, const sip_s* sip) = 0;
};

struct OutRequest {
  uint64_t token = 0;          // not 0; comes back with the reply
  const char* method = "";
  const char* uri = "";        // Request-URI, as it goes out (write_uri)
  const char* proxy = "";      // next hop
  std::string_view branch;     // of the Via, or empty: sofia makes one
  const char* headers = "";    // whole lines
  std::string_view body;
  std::string_view server;     // whom the certificate must be for (RFC 5922), empty: the host of the next hop
};

class SofiaAgent {
 public:
  // A finished transaction costs about 7 KB until timer K (T4) ends it. All it does in that time is to swallow repeated
  // replies; without it sofia drops them as strays. RFC 3261's 5 s would hold 35 MB at 1,000 requests a second, memory that is
  // used again soon is still in the cache, and few at a time make short loop turns.
  static constexpr unsigned kT4Ms = 5;
  // Requests stay on UDP whatever their length (docs/adr/0003).
  static constexpr unsigned kUdpMtu = 65535;

  // sip_uri, sips_uri: where requests leave from; at least one not empty. `transport` in sip_uri chooses one of UDP and TCP.
  // UDP is bound to the port of sip_uri, and not opened where there is a lane. TCP and TLS take the address, not the port:
  // nobody can connect to them. The sinks outlive the agent.
  // Errors: bad_config (URI not usable), sip_failed (cannot bind, TLS files not readable).
  static Result<std::unique_ptr<SofiaAgent>> create(su_root_s* root, const SipSettings&, const std::string& sip_uri,
                                                    const std::string& sips_uri, AgentSink&, EndpointSink&);
  // May this address be used? tls: it is a sips: URI. Errors: as create().
  static Status check_address(const SipSettings&, const std::string& uri, bool tls);
  ~SofiaAgent();
  SofiaAgent(const SofiaAgent&) = delete;
  SofiaAgent& operator=(const SofiaAgent&) = delete;

  bool udp() const { return udp_; }
  bool tcp() const { return tcp_; }
  bool tls() const { return tls_; }
  // What stands in the Via of a request over UDP or TCP, over TLS: host (as sofia sees it where the address is "every
  // address") and port (of the URI; where that has none, of the socket).
  struct Address {
    std::string host, port;
    bool every = false;  // "sip:*": one socket for each family, each with a host of its own
  };
  const Address& plain() const { return plain_address_; }
  const Address& secure() const { return secure_address_; }

  struct Out;  // stands for one transaction
  // null: no memory, or TLS to more than 64 servers at a time. Nothing is reported inside.
  Out* send(const OutRequest&);
  // Forgets the transaction: no report will follow. sofia goes on repeating a request that is out.
  static void drop(Out*);

  // May a request that nobody waits for be answered? Over a connection always. A datagram may carry anybody's address: then
  // only so many a second, and only where the answer is not much longer than what it answers.
  bool may_answer(nta_agent_s* nta, const msg_s*);

  // Calls f from a message of the root, once, as the last thing that the agent does: f may destroy it. Drop all before.
  void end(std::function<void()> f);

  // Requests that sofia answered or dropped by itself, as it could not read them.
  uint64_t refused() const;

 private:
  friend struct AgentCallback;
  // An nta agent. One for UDP and TCP, and one for each server that TLS goes to: sofia takes any connection to an address for
  // any name, and would send what is for one server to another that lives there.
  struct Part;
  static constexpr size_t kMaxParts = 64;

  SofiaAgent(su_root_s* root, const SipSettings&, AgentSink&, EndpointSink&);
  Status open(const std::string& sip_uri, const std::string& sips_uri);
  Result<std::unique_ptr<Part>> make_plain(const std::string& uri);
  Result<std::unique_ptr<Part>> make_secure(const std::string& server);
  Result<std::unique_ptr<Part>> make_part();
  Status bind(Part&, const std::string& uri, const char* transport, bool any_port);
  Part* part_for(std::string_view server, bool secure);
  void remove(size_t part);
  Address address(const Part*, const std::string& uri, bool secure) const;
  msg_s* make_request(Part&, const OutRequest&, bool secure);
  void unanswered(const Out&);
  std::string what_failed(Out&, const char* phrase, bool& ours);

  su_root_s* root_;
  SipSettings settings_;
  AgentSink* sink_;
  EndpointSink* out_sink_;
  su_msg_s* end_ = nullptr;          // the message that ends it, until it is sent
  std::function<void()> ended_;
  std::string sips_uri_;
  Address plain_address_, secure_address_;
  std::unique_ptr<Part> plain_;
  std::vector<std::unique_ptr<Part>> secure_;
  bool udp_ = false, tcp_ = false, tls_ = false;
  uint64_t clock_ = 0;               // counts requests by TLS: says which part was used longest ago
  uint64_t refused_before_ = 0;      // requests that parts which are gone had refused
  LogGate answers_{50};              // limits the answers to strangers over UDP, a second; nothing is logged by it
};

}  // namespace pua
