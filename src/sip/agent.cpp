#include "sip/agent.h"

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sresolv.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <strings.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sip/header_text.h"
#include "sip/raw_message.h"
#include "sip/su_core.h"
#include "sip/su_streams.h"

namespace pua {
namespace {

constexpr unsigned kPreload = 3000;   // first block of a received message's memory: a 200 with what it is parsed into fits in
constexpr unsigned kIdleMs = 1800000; // a connection over which nothing comes or goes is closed
constexpr unsigned kTcpQueue = 1000;  // requests that wait for a connection being set up, per connection: sofia's limit

// A stranger's datagram shorter than this gets no answer: what an answer adds (received, rport, a tag, a length) is at most
// half of it.
constexpr usize_t kShortest = 220;

MonoMs su_now_ms() {
  su_time_t now = su_now();
  return static_cast<MonoMs>(now.tv_sec) * 1000 + static_cast<MonoMs>(now.tv_usec) / 1000;
}

bool same(const char* a, const char* b) { return a && b && strcasecmp(a, b) == 0; }
bool is_sips(const std::string& uri) { return strncasecmp(uri.c_str(), "sips:", 5) == 0; }

std::string_view without_brackets(std::string_view host) {
  return host.size() > 1 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
}

bool is_every(std::string_view host) { return host == "*" || host == "0.0.0.0" || host == "0" || host == "[::]"; }

// "sip:192.0.2.1:5070" as sofia binds one transport of it.
std::string bind_uri(const Target& t, bool any_port, const char* transport) {
  std::string uri = t.secure ? "sips:" : "sip:";
  uri += t.host;
  std::string_view port = any_port ? std::string_view(":*") : t.tail.substr(0, t.tail.find(';'));
  uri += port;
  if (*transport) uri.append(";transport=").append(transport);
  return uri;
}

}  // namespace

struct SofiaAgent::Part {
  SofiaAgent* owner = nullptr;
  nta_agent_t* nta = nullptr;
  std::unique_ptr<TlsWatch> watch;  // null: UDP and TCP. Goes after nta
  size_t open = 0;                  // transactions
  uint64_t used = 0;                // clock_ at the last request

  ~Part() {
    if (nta) nta_agent_destroy(nta);
  }
  uint64_t refused() const {
    usize_t n = 0;
    nta_agent_get_stats(nta, NTATAG_S_BAD_REQUEST_REF(n), TAG_END());
    return n;
  }
};

struct SofiaAgent::Out {
  Part* part;
  uint64_t token;
  nta_outgoing_t* orq = nullptr;  // null: it is being made
};

struct AgentCallback {
  // Requests, and replies that belong to nothing.
  static int message(nta_agent_magic_t* magic, nta_agent_t* nta, msg_t* msg, sip_t* sip) {
    auto* part = reinterpret_cast<SofiaAgent::Part*>(magic);
    arrived(*part, msg);
    if (sip->sip_request && !part->owner->ended_) part->owner->sink_->on_request(nta, msg, sip);
    else nta_msg_discard(nta, msg);
    return 0;
  }

  static int reply(nta_outgoing_magic_t* magic, nta_outgoing_t* orq, sip_t const* sip) {
    auto* out = reinterpret_cast<SofiaAgent::Out*>(magic);
    SofiaAgent* self = out->part->owner;
    int status = nta_outgoing_status(orq);
    msg_t* msg = nta_outgoing_getresponse(orq);
    bool wire = sip && msg && !nta_sip_is_internal(sip);
    if (wire) arrived(*out->part, msg);
    if (status >= 200) {
      const char* phrase = sip && sip->sip_status ? sip->sip_status->st_phrase : nullptr;
      bool ours = false;
      if (!wire && status == 408) self->unanswered(*out);
      std::string why = wire || status == 408 ? std::string() : self->what_failed(*out, phrase, ours);
      self->out_sink_->on_final(out->token, status, why.empty() ? phrase : why.c_str(), sip, msg,
                                ours);  // the sink drops `out`
    }
    if (msg) msg_destroy(msg);
    return 0;
  }

  static void arrived(SofiaAgent::Part& part, msg_t* msg) {
    const sockaddr* from = &msg_addr(msg)->su_sa;
    su_stream_message(part.owner->root_, from);
    if (part.watch && part.watch->any_failed()) part.watch->works(peer_text(from));
  }

  // A request that failed before sofia had it. A message of the root reports it, for the sink is not called inside send().
  struct Late {
    SofiaAgent* owner;
    uint64_t token;
  };
  static bool later(SofiaAgent* self, uint64_t token) {
    su_msg_r msg = SU_MSG_R_INIT;
    if (su_msg_create(msg, su_root_task(self->root_), su_root_task(self->root_), tell, sizeof(Late)) != 0) return false;
    *reinterpret_cast<Late*>(su_msg_data(msg)) = {self, token};
    return su_msg_send(msg) == 0;
  }
  static void tell(su_root_magic_t*, su_msg_r msg, su_msg_arg_t*) {
    // The owner still exists: the message that ends it was queued behind this one.
    auto* l = reinterpret_cast<const Late*>(su_msg_data(msg));
    l->owner->out_sink_->on_final(l->token, 503, "there is no transport to it from this address", nullptr, nullptr, true);
  }

  static void end(su_root_magic_t*, su_msg_r msg, su_msg_arg_t*) {
    auto f = std::move((*reinterpret_cast<SofiaAgent**>(su_msg_data(msg)))->ended_);
    f();
  }
};

// --- beginning and end -------------------------------------------------------------------------------------------------

Status SofiaAgent::check_address(const SipSettings& s, const std::string& uri, bool tls) {
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
      return {Errc::sip_failed, "tls_dir: " + s.tls_dir + file + ": " + strerror(errno)};
  return success();
}

Result<std::unique_ptr<SofiaAgent>> SofiaAgent::create(su_root_s* root, const SipSettings& s, const std::string& sip_uri,
                                                       const std::string& sips_uri, AgentSink& sink, EndpointSink& out_sink) {
  for (const std::string& uri : {std::cref(sip_uri), std::cref(sips_uri)})
    if (!uri.empty())
      if (auto st = check_address(s, uri, &uri == &sips_uri); !st) return st.error();
  std::unique_ptr<SofiaAgent> a(new SofiaAgent(root, s, sink, out_sink));
  if (auto st = a->open(sip_uri, sips_uri); !st) return st.error();
  return a;
}

SofiaAgent::SofiaAgent(su_root_s* root, const SipSettings& s, AgentSink& sink, EndpointSink& out_sink)
    : root_(root), settings_(s), sink_(&sink), out_sink_(&out_sink) {}

Status SofiaAgent::open(const std::string& sip_uri, const std::string& sips_uri) {
  // Made now, so that the end cannot fail.
  if (su_msg_create(&end_, su_root_task(root_), su_root_task(root_), AgentCallback::end, sizeof(SofiaAgent*)) != 0)
    return {Errc::no_memory, "no memory for a SIP agent"};
  su_guard_streams(root_, settings_.max_message);
  sips_uri_ = sips_uri;
  if (!sip_uri.empty()) {
    auto part = make_plain(sip_uri);
    if (!part) return part.error();
    plain_ = std::move(*part);
    plain_address_ = address(plain_.get(), sip_uri, false);
  }
  if (!sips_uri.empty()) {
    // It is for no server yet. It is made here so that what is wrong with the address or the files is known at the start.
    auto part = make_secure("");
    if (!part) return part.error();
    secure_address_ = address(part->get(), sips_uri, true);
    secure_.push_back(std::move(*part));
    tls_ = true;
  }
  return success();
}

Result<std::unique_ptr<SofiaAgent::Part>> SofiaAgent::make_part() {
  auto part = std::make_unique<Part>();
  const SipSettings& s = settings_;
  part->owner = this;
  part->nta = nta_agent_create(
      root_, reinterpret_cast<url_string_t*>(-1), AgentCallback::message, reinterpret_cast<nta_agent_magic_t*>(part.get()),
      NTATAG_UA(1), NTATAG_MAXSIZE(s.max_message), NTATAG_PRELOAD(kPreload),
      NTATAG_BAD_REQ_MASK(0),  // requests that cannot be read come to us, for our answer says what is wrong
      // Drop a reply only if it cannot be matched; a bad Date or Expires must not lose the entity-tag.
      NTATAG_BAD_RESP_MASK(sip_mask_response), NTATAG_MCLASS(message_class()),
      // The Via we give holds the branch and the address; sofia fills in the rest.
      NTATAG_USER_VIA(1), NTATAG_CLIENT_RPORT(1),
      NTATAG_SIP_T1(s.t1_ms), NTATAG_SIP_T2(8 * s.t1_ms), NTATAG_SIP_T1X64(64 * s.t1_ms), NTATAG_SIP_T4(kT4Ms),
      NTATAG_TIMEOUT_408(0),   // a timeout makes no 408 message: nobody would read it
      NTATAG_UDP_MTU(kUdpMtu),
      TAG_IF(!s.resolv_conf.empty(), SRESTAG_RESOLV_CONF(s.resolv_conf.c_str())), TAG_END());
  if (!part->nta) return {Errc::no_memory, "no memory for a SIP agent"};
  return part;
}

Result<std::unique_ptr<SofiaAgent::Part>> SofiaAgent::make_plain(const std::string& uri) {
  auto part = make_part();
  if (!part) return part;
  std::string transport(uri_param(*parse_target(uri), "transport"));
  udp_ = !same(transport.c_str(), "tcp") && !settings_.lane;
  tcp_ = !same(transport.c_str(), "udp");
  if (udp_)
    if (auto st = bind(**part, uri, "udp", false); !st) return st.error();
  if (tcp_)
    if (auto st = bind(**part, uri, "tcp", true); !st) return st.error();
  return part;
}

Result<std::unique_ptr<SofiaAgent::Part>> SofiaAgent::make_secure(const std::string& server) {
  auto part = make_part();
  if (!part) return part;
  (*part)->watch = std::make_unique<TlsWatch>(settings_.tls_verify, server);
  TlsCapture made;
  if (auto st = bind(**part, sips_uri_, "", true); !st) return st.error();
  if (!(*part)->watch->adopt(made))
    return {Errc::sip_failed, "cannot listen on " + sips_uri_ + ": this sofia-sip does not let us check certificates"};
  return part;
}

// Opens one transport. sofia can only open servers: the socket that would take connections is replaced by one that takes none
// (su_streams).
Status SofiaAgent::bind(Part& part, const std::string& uri, const char* transport, bool any_port) {
  const SipSettings& s = settings_;
  std::string address = bind_uri(*parse_target(uri), any_port, transport);
  errno = 0;
  int rc = nta_agent_add_tport(
      part.nta, URL_STRING_MAKE(address.c_str()), TAG_IF(is_sips(uri), TPTAG_CERTIFICATE(s.tls_dir.c_str())),
      // sofia checks the chain of certificates; TlsWatch checks the names.
      TPTAG_TLS_VERIFY_POLICY(s.tls_verify ? TPTLS_VERIFY_OUT : TPTLS_VERIFY_NONE),
      TPTAG_UDP_RMEM(s.udp_buffer), TPTAG_UDP_WMEM(s.udp_buffer), TPTAG_QUEUESIZE(kTcpQueue), TPTAG_LOG(0),
      TPTAG_STUN_SERVER(0),  // it would answer STUN questions of anybody
      // Who waits for a reply over a connection is told when it goes.
      TPTAG_SDWN_ERROR(1), TPTAG_IDLE(kIdleMs), TAG_END());
  if (rc < 0) {
    int e = errno;
    return {Errc::sip_failed, "cannot listen on " + uri + (e ? std::string(": ") + strerror(e) : "")};
  }
  for (tport_t* tp = tport_primaries(nta_agent_tports(part.nta)); tp; tp = tport_next(tp))
    if (const tp_name_t* name = tport_name(tp); !same(name->tpn_proto, "udp"))
      unlisten(root_, static_cast<uint16_t>(atoi(name->tpn_port)));
  return success();
}

SofiaAgent::Address SofiaAgent::address(const Part* part, const std::string& uri, bool secure) const {
  Target t = *parse_target(uri);
  Address a;
  a.host = t.host;
  a.every = a.host == "*";
  std::string_view port = t.tail.substr(0, t.tail.find(';'));
  a.port = port.empty() ? (secure ? "5061" : "5060") : std::string(port.substr(1));
  tport_t* tports = nta_agent_tports(part->nta);
  tport_t* first = tports ? tport_primaries(tports) : nullptr;  // UDP, where there is one
  if (first && is_every(a.host) && tport_name(first)->tpn_canon) a.host = tport_name(first)->tpn_canon;
  if (a.port == "*") a.port = first ? tport_name(first)->tpn_port : "";
  return a;
}

SofiaAgent::~SofiaAgent() {
  if (end_) su_msg_destroy(&end_);
}

void SofiaAgent::end(std::function<void()> f) {
  ended_ = std::move(f);
  *reinterpret_cast<SofiaAgent**>(su_msg_data(&end_)) = this;
  su_msg_send(&end_);  // by a message, because a callback of an agent may be on the stack
}

bool SofiaAgent::may_answer(nta_agent_s* nta, const msg_s* msg) {
  if (!tport_is_udp(tport_delivered_by(nta_agent_tports(nta), msg))) return true;
  uint64_t left_out = 0;
  return msg_size(msg) >= kShortest && answers_.pass(su_now_ms(), left_out);
}

uint64_t SofiaAgent::refused() const {
  uint64_t n = refused_before_ + (plain_ ? plain_->refused() : 0);
  for (auto& part : secure_) n += part->refused();
  return n;
}

// --- requests ----------------------------------------------------------------------------------------------------------

SofiaAgent::Part* SofiaAgent::part_for(std::string_view server, bool secure) {
  if (!secure || secure_.empty()) return plain_ ? plain_.get() : secure_.front().get();
  Part* found = nullptr;
  size_t oldest = secure_.size();
  for (size_t i = 0; i < secure_.size(); i++) {
    Part& p = *secure_[i];
    if (p.watch->server().empty()) p.watch->set_server(server);
    if (p.watch->is_for(server)) found = &p;
    if (p.open == 0 && (oldest == secure_.size() || p.used < secure_[oldest]->used)) oldest = i;
  }
  if (!found) {
    if (secure_.size() >= kMaxParts && oldest == secure_.size()) return nullptr;
    if (secure_.size() >= kMaxParts) remove(oldest);
    auto made = make_secure(std::string(server));
    if (!made) return nullptr;
    secure_.push_back(std::move(*made));
    found = secure_.back().get();
  }
  found->used = ++clock_;
  return found;
}

// Its connections are closed.
void SofiaAgent::remove(size_t part) {
  refused_before_ += secure_[part]->refused();
  secure_.erase(secure_.begin() + static_cast<std::ptrdiff_t>(part));
}

msg_s* SofiaAgent::make_request(Part& part, const OutRequest& r, bool secure) {
  msg_t* msg = nta_msg_create(part.nta, 0);
  sip_t* sip = msg ? sip_object(msg) : nullptr;
  if (!sip) return nullptr;
  const Address& a = secure ? secure_address_ : plain_address_;
  const std::string& user_agent = settings_.user_agent;
  std::string branch = "branch=";
  branch.append(r.branch);
  bool own = !r.branch.empty();  // else sofia makes one
  // rport (RFC 3581) must be here: sofia adds it only to a Via of its own. No protocol: it leaves the transport open.
  msg_param_t params[3] = {own ? branch.c_str() : "rport", own ? "rport" : nullptr, nullptr};
  sip_via_t via[1];
  sip_via_init(via);
  via->v_params = params;
  if (own) via->v_branch = branch.c_str() + strlen("branch=");
  via->v_rport = "";
  if (!a.every && !a.host.empty()) via->v_host = a.host.c_str();
  if (!a.port.empty()) via->v_port = a.port.c_str();
  sip_payload_t payload[1];
  sip_payload_init(payload);
  payload->pl_data = const_cast<char*>(r.body.data());
  payload->pl_len = r.body.size();
  RawMessage raw(r.uri, r.headers);
  sip_request_t* line = sip_request_create(msg_home(msg), sip_method_code(r.method), r.method, raw.uri(), nullptr);
  if (!line || msg_header_insert(msg, reinterpret_cast<msg_pub_t*>(sip), reinterpret_cast<msg_header_t*>(line)) < 0 ||
      sip_add_tl(msg, sip, SIPTAG_VIA(via), SIPTAG_MAX_FORWARDS_STR("70"), TAG_IF(!r.body.empty(), SIPTAG_PAYLOAD(payload)),
                 TAG_NEXT(raw.tags())) < 0 ||
      sip_add_tl(msg, sip, TAG_IF(!user_agent.empty() && !sip->sip_user_agent, SIPTAG_USER_AGENT_STR(user_agent.c_str())),
                 TAG_END()) < 0) {
    msg_destroy(msg);
    return nullptr;
  }
  return msg;
}

SofiaAgent::Out* SofiaAgent::send(const OutRequest& r) {
  auto hop = parse_target(r.proxy);
  bool secure = hop && hop->secure;
  Part* part = part_for(without_brackets(!hop || !r.server.empty() ? r.server : hop->host), secure);
  if (!part) return nullptr;
  auto* out = new Out{part, r.token};
  part->open++;
  if (!nta_agent_tports(part->nta) && AgentCallback::later(this, r.token)) return out;
  msg_t* msg = make_request(*part, r, secure);
  if (!msg) {
    drop(out);
    return nullptr;
  }
  out->orq = nta_outgoing_mcreate(part->nta, AgentCallback::reply, reinterpret_cast<nta_outgoing_magic_t*>(out),
                                  URL_STRING_MAKE(r.proxy), msg, TAG_END());
  if (out->orq) return out;
  msg_destroy(msg);  // nta takes it only with the transaction
  drop(out);
  return nullptr;
}

void SofiaAgent::drop(Out* out) {
  out->part->open--;
  if (out->orq) nta_outgoing_destroy(out->orq);
  delete out;
}

void SofiaAgent::unanswered(const Out& out) {
  msg_t* request = nta_outgoing_getrequest(out.orq);
  if (!request) return;
  su_stream_unanswered(root_, &msg_addr(request)->su_sa);
  msg_destroy(request);
}

// Why sofia made this status itself: what went wrong with TLS, the socket or the connection. Empty: its phrase says it.
std::string SofiaAgent::what_failed(Out& out, const char* phrase, bool& ours) {
  ours = !phrase || !same(phrase, sip_503_Service_unavailable);   // "No transport", "DNS Error": no server is to blame
  msg_t* request = nta_outgoing_getrequest(out.orq);
  if (!request) return {};
  std::string peer = peer_text(&msg_addr(request)->su_sa);
  int e = msg_errno(request);
  msg_destroy(request);
  if (peer.empty()) return {};  // it went nowhere: no name, no transport; sofia's phrase says it
  TlsWatch* watch = out.part->watch.get();
  if (watch && e == EIO) e = 0;  // that is how a connection ends over TLS without "close notify"
  if (watch)
    if (std::string why = watch->failure(peer, e == 0 || e == ECONNRESET || e == EPIPE); !why.empty()) {
      ours = false;
      return why;
    }
  ours = e == EAFNOSUPPORT || e == EADDRNOTAVAIL || e == EINVAL || e == EMSGSIZE || e == EMFILE || e == ENFILE;
  if (e != 0) return peer + ": " + strerror(e);
  if (phrase && !same(phrase, sip_503_Service_unavailable)) {
    ours = true;
    return {};
  }
  return "the connection was closed by " + peer;
}

}  // namespace pua
