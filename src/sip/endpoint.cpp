#include "sip/endpoint.h"

#include <sofia-sip/nta_tag.h>
#include <sofia-sip/nua.h>
#include <sofia-sip/nua_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sresolv.h>
#include <sofia-sip/tport_tag.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sip/header_text.h"
#include "sip/raw_message.h"

namespace pua {
namespace {

// First block of a received message's memory: a 200 with what nua makes of it fits in.
constexpr unsigned kPreload = 3000;
// Requests that wait for a connection being set up, per connection.
constexpr unsigned kTcpQueue = 4096;

constexpr size_t kMaxIdle = 256;    // free handles kept, 2 KB each
constexpr size_t kMaxShelves = 64;  // next hops that handles are kept for

template <class H>
const H* none() {  // "this header field must not be there", in sofia's tags
  return static_cast<const H*>(SIP_NONE);
}

void* magic_of(uint64_t token) { return reinterpret_cast<void*>(static_cast<uintptr_t>(token)); }
uint64_t token_of(void* magic) { return static_cast<uint64_t>(reinterpret_cast<uintptr_t>(magic)); }

}  // namespace

struct EndpointCallback {
  static void call(nua_event_t event, int status, char const* phrase, nua_t*, nua_magic_t* magic, nua_handle_t* nh,
                   nua_hmagic_t* hmagic, sip_t const* sip, tagi_t[]) {
    auto* self = reinterpret_cast<Endpoint*>(magic);
    if (event == nua_r_shutdown) {
      if (status >= 200) finish(self);
      return;
    }
    if (self->state_ != Endpoint::State::Open) return;
    if (event == nua_r_method && hmagic) {
      if (status >= 200) self->sink_->on_final(token_of(hmagic), status, phrase, sip, nua_current_request(self->nua_));
      return;
    }
    // Requests from outside are answered by nua itself (405, 481); what it made a handle for is let go.
    if (nh && !hmagic && event != nua_r_method) nua_handle_destroy(nh);
  }

  static void finish(Endpoint* self) {
    std::unique_ptr<Endpoint> owner(self);  // retire() gave it to this event
    nua_destroy(self->nua_);
    self->nua_ = nullptr;
    self->state_ = Endpoint::State::Closed;
    auto gone = std::move(self->gone_);
    owner.reset();
    if (gone) gone();
  }
};

Status Endpoint::check_address(const SipSettings& s, const std::string& uri, bool tls) {
  auto target = parse_target(uri);
  if (!target) return {Errc::bad_config, "listen address " + target.error().message};
  if (uri.find('@') != std::string::npos) return {Errc::bad_config, "listen address \"" + uri + "\" has a user part"};
  if (!tls && target->secure)
    return {Errc::bad_config, "listen address \"" + uri + "\": write sips: for TLS"};
  if (!tls) return success();
  if (s.tls_dir.empty()) return {Errc::bad_config, "listen address \"" + uri + "\" needs tls_dir"};
  // sofia would look for a missing agent.pem in the working folder.
  for (const char* file : {"/agent.pem", "/cafile.pem"})
    if (access((s.tls_dir + file).c_str(), R_OK) != 0)
      return {Errc::sip_failed, s.tls_dir + file + ": " + strerror(errno)};
  return success();
}

Result<std::unique_ptr<Endpoint>> Endpoint::create(su_root_s* root, const SipSettings& s, const std::string& sip_uri,
                                                   const std::string& sips_uri, EndpointSink& sink) {
  if (!sip_uri.empty())
    if (auto st = check_address(s, sip_uri, false); !st) return st.error();
  if (!sips_uri.empty())
    if (auto st = check_address(s, sips_uri, true); !st) return st.error();
  std::unique_ptr<Endpoint> e(new Endpoint);
  e->sink_ = &sink;
  if (auto st = e->open(root, s, sip_uri, sips_uri); !st) return st.error();
  return e;
}

Status Endpoint::open(su_root_s* root, const SipSettings& s, const std::string& sip_uri, const std::string& sips_uri) {
  plain_ = !sip_uri.empty();
  secure_ = !sips_uri.empty();
  family_ = parse_target(plain_ ? sip_uri : sips_uri)->family;
  errno = 0;
  nua_ = nua_create(
      root, EndpointCallback::call, reinterpret_cast<nua_magic_t*>(this),
      TAG_IF(plain_, NUTAG_URL(sip_uri.c_str())), TAG_IF(secure_, NUTAG_SIPS_URL(sips_uri.c_str())),
      TAG_IF(secure_, NUTAG_CERTIFICATE_DIR(s.tls_dir.c_str())),
      TPTAG_TLS_VERIFY_POLICY(s.tls_verify ? TPTLS_VERIFY_SUBJECTS_OUT : TPTLS_VERIFY_NONE),
      // A stack that only sends: no media, no watching of interfaces, no once-a-second wake-up while idle.
      NUTAG_MEDIA_ENABLE(0), NUTAG_DETECT_NETWORK_UPDATES(NUA_NW_DETECT_NOTHING), NUTAG_DEFERRABLE_TIMERS(1),
      NUTAG_ENABLEINVITE(0), NUTAG_ENABLEMESSAGE(0), NUTAG_SERVICE_ROUTE_ENABLE(0), NUTAG_PATH_ENABLE(0),
      SIPTAG_ALLOW(none<sip_allow_t>()), SIPTAG_SUPPORTED(none<sip_supported_t>()),
      TAG_IF(!s.user_agent.empty(), SIPTAG_USER_AGENT_STR(s.user_agent.c_str())),
      TAG_IF(s.user_agent.empty(), SIPTAG_USER_AGENT(none<sip_user_agent_t>())),
      // Nothing is repeated behind the engine's back: 3xx, 401, 412, 423, 503 with Retry-After all come to it.
      NUTAG_RETRY_COUNT(0), NUTAG_MAX_RETRY_AFTER(0), NUTAG_AUTO302(0), NUTAG_AUTO305(0),
      // The Via we give holds only the branch; sofia fills in the rest.
      NTATAG_USER_VIA(1),
      NTATAG_SIP_T1(s.t1_ms), NTATAG_SIP_T2(8 * s.t1_ms), NTATAG_SIP_T1X64(64 * s.t1_ms), NTATAG_SIP_T4(kT4Ms),
      NTATAG_TIMEOUT_408(0),  // without a message of its own: nobody reads it
      NTATAG_UDP_MTU(kUdpMtu), NTATAG_MAXSIZE(s.max_message), NTATAG_PRELOAD(kPreload),
      // Drop a reply only if it cannot be matched; a bad Date or Expires must not lose the entity-tag.
      NTATAG_BAD_RESP_MASK(sip_mask_response), NTATAG_MCLASS(message_class()),
      TAG_IF(!s.resolv_conf.empty(), SRESTAG_RESOLV_CONF(s.resolv_conf.c_str())),
      TPTAG_UDP_RMEM(s.udp_buffer), TPTAG_UDP_WMEM(s.udp_buffer), TPTAG_QUEUESIZE(kTcpQueue), TPTAG_LOG(0),
      TPTAG_STUN_SERVER(0),  // nua would answer STUN questions of anybody
      TAG_END());
  if (!nua_) {
    int e = errno;
    return {Errc::sip_failed, "cannot listen on " + (plain_ ? sip_uri : sips_uri) + (plain_ && secure_ ? ", " + sips_uri : "") +
                                  (e ? std::string(": ") + strerror(e) : "")};
  }
  state_ = State::Open;
  return success();
}

Endpoint::~Endpoint() = default;

bool Endpoint::serves(const Target& t) const {
  if (t.secure ? !secure_ : !plain_) return false;
  return t.family == Target::Family::Any || family_ == Target::Family::Any || t.family == family_;
}

uint16_t Endpoint::shelf_for(std::string_view proxy) {
  for (size_t i = 0; i < shelves_.size(); i++)
    if (shelves_[i].proxy == proxy) return static_cast<uint16_t>(i);
  if (shelves_.size() >= kMaxShelves) return kNoShelf;
  shelves_.push_back({std::string(proxy), {}});
  return static_cast<uint16_t>(shelves_.size() - 1);
}

Endpoint::Handle Endpoint::send(const Request& r) {
  Handle h;
  h.shelf = shelf_for(r.proxy ? std::string_view(r.proxy) : std::string_view());
  auto* magic = reinterpret_cast<nua_hmagic_t*>(magic_of(r.token));
  bool set_proxy = r.proxy != nullptr;
  if (h.shelf != kNoShelf && !shelves_[h.shelf].free.empty()) {
    h.nh = shelves_[h.shelf].free.back();
    shelves_[h.shelf].free.pop_back();
    idle_--;
    nua_handle_bind(h.nh, magic);
    set_proxy = false;
  } else {
    h.nh = nua_handle(nua_, magic, TAG_END());
    if (!h.nh) return h;
  }
  std::string param = "branch=";
  param.append(r.branch);
  // rport (RFC 3581) must be here: sofia adds it only to a Via of its own.
  msg_param_t params[3] = {param.c_str(), "rport", nullptr};
  sip_via_t via[1];
  sip_via_init(via);
  via->v_params = params;
  via->v_branch = param.c_str() + strlen("branch=");
  via->v_rport = "";
  sip_payload_t payload[1];
  sip_payload_init(payload);
  payload->pl_data = const_cast<char*>(r.body.data());
  payload->pl_len = r.body.size();
  RawMessage raw(r.uri, r.headers);
  nua_method(h.nh, NUTAG_METHOD(r.method), NUTAG_DIALOG(0), NUTAG_URL(raw.uri()), TAG_IF(set_proxy, NUTAG_PROXY(r.proxy)),
             TAG_IF(!r.branch.empty(), SIPTAG_VIA(via)), TAG_IF(!r.body.empty(), SIPTAG_PAYLOAD(payload)), TAG_NEXT(raw.tags()));
  return h;
}

void Endpoint::drop(Handle h) { nua_handle_destroy(h.nh); }

void Endpoint::done(Handle h) {
  if (h.shelf == kNoShelf || idle_ >= kMaxIdle) {
    drop(h);
    return;
  }
  nua_handle_bind(h.nh, nullptr);
  shelves_[h.shelf].free.push_back(h.nh);
  idle_++;
}

void Endpoint::retire(std::unique_ptr<Endpoint> e, std::function<void()> gone) {
  if (!e) return;
  Endpoint* self = e.release();  // finish() takes it back
  for (Shelf& s : self->shelves_)
    for (nua_handle_s* nh : s.free) nua_handle_destroy(nh);
  self->shelves_.clear();
  self->state_ = State::Retiring;
  self->sink_ = nullptr;
  self->gone_ = std::move(gone);
  nua_shutdown(self->nua_);
}

}  // namespace pua
