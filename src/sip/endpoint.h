// Endpoint: one nua stack on one listen address (or a plain and a TLS one). Sends one-shot requests, reports final replies.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sip/request.h"
#include "sip/settings.h"

struct su_root_s;
struct nua_s;
struct nua_handle_s;
struct sip_s;
struct msg_s;

namespace pua {

class Endpoint;

struct EndpointSink {
  virtual ~EndpointSink() = default;
  // A final reply. sip and msg are null, or a message that sofia made itself (nta_sip_is_internal), where nothing came over
  // the wire. They belong to sofia and are valid during the call. May send and drop. The endpoint itself must not be
  // destroyed here, only retired.
  virtual void on_final(uint64_t token, int status, const char* phrase, const sip_s* sip, msg_s* msg) = 0;
};

class Endpoint {
  static constexpr uint16_t kNoShelf = 0xffff;

 public:
  // A finished transaction costs about 12 KB until timer K (T4) ends it. All it does in that time is to swallow repeated
  // replies; without it sofia drops them as strays. RFC 3261's 5 s would hold 60 MB at 1,000 requests a second, memory that is
  // used again soon is still in the cache, and few at a time make short loop turns.
  static constexpr unsigned kT4Ms = 5;
  // Requests stay on UDP whatever their length (docs/adr/0003).
  static constexpr unsigned kUdpMtu = 65535;

  // sip_uri, sips_uri: at least one not empty. The sink outlives the endpoint.
  // Errors: bad_config (URI not usable), sip_failed (cannot bind, TLS files not readable).
  static Result<std::unique_ptr<Endpoint>> create(su_root_s* root, const SipSettings&, const std::string& sip_uri,
                                                  const std::string& sips_uri, EndpointSink&);
  // May this address be listened on? tls: it is a sips: URI. Errors: as create().
  static Status check_address(const SipSettings&, const std::string& uri, bool tls);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Can this endpoint reach such a target?
  bool serves(const Target&) const;

  struct Request {
    uint64_t token = 0;          // not 0; comes back with the reply
    const char* method = "";
    const char* uri = "";        // Request-URI, as it goes out (write_uri)
    const char* proxy = "";      // next hop
    std::string_view branch;     // of the Via, or empty: sofia makes one
    const char* headers = "";    // whole lines
    std::string_view body;
  };
  // What stands for one transaction in nua.
  struct Handle {
    nua_handle_s* nh = nullptr;
    uint16_t shelf = kNoShelf;   // where it goes when it is free
  };
  // The handle of the transaction; nh is null if sofia has no memory. Only queues: nothing is reported inside.
  Handle send(const Request&);
  // Forgets the transaction: no report will follow. sofia goes on repeating a request that is out.
  void drop(Handle);
  // The same for a transaction that ended with 2xx: its handle serves the next request.
  void done(Handle);

  // Ends the stack: it goes within the next turns of the loop, then `gone` is called (it may be empty). Drop all handles
  // before. Legal inside on_final.
  static void retire(std::unique_ptr<Endpoint>, std::function<void()> gone);

  ~Endpoint();

 private:
  friend struct EndpointCallback;
  Endpoint() = default;
  Status open(su_root_s* root, const SipSettings&, const std::string& sip_uri, const std::string& sips_uri);

  // Free handles, by the next hop that they are set to: one that has sent to it before saves an eighth of the cost of a
  // request. Nothing else of the earlier request is left in it (no dialog, no credentials).
  struct Shelf {
    std::string proxy;
    std::vector<nua_handle_s*> free;
  };
  uint16_t shelf_for(std::string_view proxy);

  enum class State : uint8_t { Closed, Open, Retiring };
  State state_ = State::Closed;
  EndpointSink* sink_ = nullptr;
  nua_s* nua_ = nullptr;
  std::function<void()> gone_;
  std::vector<Shelf> shelves_;
  size_t idle_ = 0;  // handles on all shelves
  bool plain_ = false, secure_ = false;
  Target::Family family_ = Target::Family::Any;
};

}  // namespace pua
